"""A layer of the code found out by trying: how it is made and called, and where its arrays lie."""

import contextlib
import dataclasses

import numpy as np

from compare.checking.calling import arguments
from compare.checking.calling.part import Part, head_upstream
from compare.checking.calling.plan import INPUT
from compare.checking.calling.trying import ATTEMPT, NotConnectedError, TroubleError
from compare.checking.finding import bias
from compare.checking.finding.backwards import find_way_back
from compare.checking.finding.forwards import find_layer
from compare.checking.finding.settling import settle
from compare.checking.process.things import SpentError, StrangersError


def learn_dtypes(plan):
    """The plan with the dtypes in which the code computes: fed with one, it gives nothing but that one.

    Code that keeps its weights in float32 computes in that, whatever it is fed with.
    """
    _, parameters, inputs = plan.sizes.trial()
    dtypes: list = []
    code = plan.make(plan.sizes, np.dtype(np.float64))
    kept = [getattr(value, "dtype", None) for paths, _ in plan.weights.values() for value in code.read(paths[0])]
    if np.dtype(np.float32) in kept:
        return dataclasses.replace(plan, dtypes=("float32",))
    for dtype in ("float32", "float64"):
        part = Part(plan, plan.sizes, dtype)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT.get(plan.stage, "images")], inputs["labels"])[0]
        try:
            y = part.forward(x)
            if plan.backward and plan.stage == "whole":
                part.learn(x, labels)
            elif plan.backward:
                part.backward(head_upstream(plan, y, labels, len(x)) if plan.stage == "head" else np.ones_like(y))
        except (StrangersError, *ATTEMPT):  # fails again when asked for, and is noted there
            part.seen.discard("")
        if part.seen == {dtype}:
            dtypes.append(dtype)
    return dataclasses.replace(plan, dtypes=tuple(dtypes) or ("float64",))


def _made_otherwise(cls, plan, files):
    """(`Plan` with its way back, None) of arguments that go forward as well; None where no others go back either."""
    weights = {name: [each] for name, each in plan.weights.items()}
    for make in arguments.constructors(cls, plan.stage) if plan.agreed else []:
        with contextlib.suppress(NotConnectedError, TroubleError):  # what the first way met is told
            flow = (plan.one_image, plan.inward, plan.outward)
            other = settle(dataclasses.replace(plan, make=make), [flow], weights, plan.sizes, files)
            if other.agreed:
                return find_way_back(other, files), None
    return None


def _masks(plan):
    """Whether a pool hands nothing back to windows below 0: else it is no ReLU, but a maximum that starts at 0."""
    if not plan.dx:
        return False
    _, _, inputs = plan.sizes.trial()
    part = Part(plan, plan.sizes, np.float64)
    part.set({})
    (x,) = part.chunks(inputs["conv"])[0]
    with contextlib.suppress(StrangersError, *ATTEMPT):
        dx = part.backward(np.ones_like(part.forward(x)))["x"]
        return dx.shape == x.shape and not dx[x < 0].any() and dx.any()
    return False


def connect(cls, stage, files=(), channels_first=False, after=None, before=None):
    """(`Plan`, what is wrong with its way back or None) of a layer class. Arguments and errors as of `find_layer`."""
    try:
        plan = find_layer(cls, stage, files, channels_first, after, before)
    except SpentError as error:  # on trying: no fault of the code
        raise NotConnectedError(stage, error) from error
    problem: Exception | None = None
    try:
        plan = find_way_back(plan, files)
    except TroubleError as error:
        problem = error
    except NotConnectedError as error:
        plan, problem = _made_otherwise(cls, plan, files) or (plan, error)
    with contextlib.suppress(StrangersError, *ATTEMPT):  # what raises here is raised where it is judged, and told
        plan = dataclasses.replace(plan, bias=bias.judge(plan))
    if plan.stage == "pool" and plan.activation and not _masks(plan):
        plan = dataclasses.replace(plan, activation="", score=2)
    return learn_dtypes(plan), problem
