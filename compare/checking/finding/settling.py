"""Layouts of a layer's arrays found out by trying: those in which it gives what the right network gives."""

import dataclasses
import itertools

import numpy as np

from compare.checking.calling import arrays
from compare.checking.calling.part import Part
from compare.checking.calling.plan import INPUT
from compare.checking.calling.trying import (
    ATTEMPT,
    Complaints,
    NotConnectedError,
    TroubleError,
    close,
    excuseless,
    progress,
    trouble,
)
from compare.checking.judging.conventions import ACTIVATIONS
from compare.checking.process.things import AbsentError, CrashedError, HungError

SHARED = ("conv", "pool", "whole")  # stages that may end in an activation, as layers often do that are said to be one
LIKE = 0.99  # of `_likeness`: the layouts are those of the code, and what it computes with them is wrong

# The call, as `observe.TASKS` has it, in which a layer is tried out.
FORWARD_TASK = {"head": "head", "whole": "activations"}


def settle(plan, flows, weights, sizes, files=()):
    """The plan with layouts that agree with the right network, or else run and give the right shape, or else get far.

    Args:
        plan: without layouts.
        flows: (one image at a time, order in, order out), the usual ones first.
        weights: by the contract's name, a list of (paths, order).
        sizes: a geometry of which the code can be made.
        files: of the code under test.
    """
    task = FORWARD_TASK.get(plan.stage, f"{plan.stage} forward")
    network, parameters, inputs = sizes.trial()
    x = inputs[INPUT[plan.stage]]
    outputs = {"head": ("probabilities", "logits"), "logits": ("logits", "probabilities")}
    outputs |= {"whole": outputs["head"]}
    wanted = outputs.get(plan.stage, (plan.stage,))
    best, reached, ran, farthest, nearest = dataclasses.replace(plan, score=-1), -1, 0, None, 0.0
    batches: dict = {}
    complaints = Complaints()
    for chosen in itertools.product(*weights.values()):
        for one_image, inward, outward in flows:
            tried = dataclasses.replace(plan, one_image=one_image, inward=inward, outward=outward, sizes=sizes, score=0)
            tried = dataclasses.replace(tried, weights=dict(zip(weights, chosen, strict=True)), gives=wanted[0])
            try:
                part = Part(tried, sizes, np.float64)
                part.set(parameters)
                with np.errstate(all="ignore"):
                    found = np.concatenate([part.forward(chunk).copy() for (chunk,) in part.chunks(x)])
            except (CrashedError, HungError) as error:
                raise trouble(plan.stage, task, error) from error
            except AbsentError as error:
                raise NotConnectedError(plan.stage, error) from error
            except ATTEMPT as error:  # a layout that is not the code's may fail in any way
                complaints.add((str(chosen), one_image, str(inward), str(outward)), error)
                if best.score < 1 and progress(error, files) > reached:
                    best, reached, farthest = tried, progress(error, files), error
                continue
            if not found.size:  # no number came out: nothing is known of these layouts
                continue
            agreed = next((name for name in wanted if close(found, inputs[name])), None)
            if not agreed and plan.stage in (*SHARED, "logits") and found.shape == inputs[wanted[0]].shape:
                ends, activation = _ending_in(plan.stage, network, inputs, wanted, found)
                agreed = ends if plan.stage in SHARED else ""
                tried = dataclasses.replace(tried, activation=activation)
            if agreed:
                # right for batches of one, and wrong for those that it takes: it is judged as code for batches
                wrong = batches.get((inward, outward, str(chosen))) if one_image else None
                return _as_stage(dataclasses.replace(wrong or tried, score=3, gives=agreed))
            if not one_image and found.shape == inputs[wanted[0]].shape:
                batches[inward, outward, str(chosen)] = tried
            score = 2 if found.shape == inputs[wanted[0]].shape else 1
            ran += score == 2
            alike = _likeness(found, inputs[wanted[0]]) if score == 2 else 0.0
            if (score, alike) > (best.score, nearest + 0.01):
                nearest = alike
                sums = len(wanted) == 2 and np.allclose(arrays.real(found).sum(axis=-1), 1, atol=1e-3)
                gives = next(name for name in wanted if (name == "probabilities") == sums or len(wanted) == 1)
                best = _as_stage(dataclasses.replace(tried, score=score, gives=gives))
    if best.score < 1 and farthest is not None and excuseless(farthest):
        raise TroubleError(task, "raised", farthest) from farthest
    if best.score < 1:
        raise NotConnectedError(plan.stage, farthest, complaints) from farthest
    return dataclasses.replace(best, chosen=ran > 1 and nearest < LIKE)


def _likeness(found, wanted):
    """How far an array goes with another up and down, 0 to 1: of layouts that are all wrong one may be nearly right."""
    found = arrays.real(found)
    if not np.isfinite(found).all() or not found.std():
        return 0.0
    return abs(float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1]))


def _ending_in(stage, network, inputs, wanted, found):
    """(which of the quantities wanted, activation that the layer ends in, of a whole its convolution), "" if none."""
    for activation, (function, _) in ACTIVATIONS.items():
        right = {stage: function(inputs["conv" if stage == "whole" else stage])}
        if stage == "whole":
            right["logits"] = network.forward_stage("logits", network.forward_stage("pool", right["whole"]))
            right["probabilities"] = network.forward_stage("probabilities", right["logits"])
        if agreed := next((name for name in wanted if name in right and close(found, right[name])), ""):
            return agreed, activation
    return "", ""


def _as_stage(plan):
    """A dense layer that gives probabilities is a head."""
    if plan.stage not in ("head", "logits"):
        return plan
    return dataclasses.replace(plan, stage="head" if plan.gives == "probabilities" else "logits")
