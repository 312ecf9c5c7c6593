"""The training path judged step by step: each from where the implementation itself stood before it."""

import numpy as np

from compare.graph import PARAMETERS
from compare.verdict import arbiter, judge
from compare.verdict.allowances import Rounding, Stages, whole_pass
from compare.verdict.network import Network, descend
from compare.verdict.packing import PATH
from compare.verdict.probes import LEARNING_RATE


def judge_path(implementation, path, dtype, observed, raised, same=None):
    """Rows of the training path, each step judged from where the implementation itself stood before it.

    A step is right when it goes from its own parameters to where plain SGD goes from there, within the rounding of one
    step, and its loss is the loss there. A path of such steps is right whatever distance the two paths reach: that
    distance, to the arbiter's own path, is reported beside it. `same` is a dict that keeps where that one ends, for the
    next implementation.
    """
    stages = Stages(arbiter, path.padding, Rounding.of(dtype))
    found, distance = walk(path, dtype, observed, stages), {}
    if found["conv_weight"] is None:
        missing = judge.failure("raised", raised) if raised else judge.NOT_OFFERED
        found = dict.fromkeys(found, missing)
    elif not _misfit(path, observed) and all(np.isfinite(observed[PATH, name]).all() for name in PARAMETERS):
        own = _ends(path, dtype, observed, {} if same is None else same)
        distance = {name: float(np.abs(observed[PATH, name][-1] - own[name]).max()) for name in PARAMETERS}
    rows = []
    for quantity, row in found.items():
        where = {"implementation": implementation, "quantity": f"path_{quantity}", "dtype": dtype, "probe": path.name}
        more = {"mode": "run", "stage": "training path", "distance": distance.get(quantity, np.nan)}
        rows.append((row or judge.NOT_OFFERED) | where | more)
    return rows


def walk(path, dtype, observed, stages):
    """The measured part of the rows of loss and parameters, each at its worst step; None where there is nothing."""
    states = {name: observed.get((PATH, name)) for name in PARAMETERS}
    losses = observed.get((PATH, "loss"))
    nothing = dict.fromkeys(("loss", *PARAMETERS))
    worst: dict = dict(nothing)
    if any(state is None for state in states.values()):
        return worst
    if losses is None:
        del worst["loss"]
    if misfit := _misfit(path, observed):
        return nothing | dict.fromkeys(worst, judge.failure("differs", misfit))
    memory: dict = {}
    before = None
    for step in range(len(states["conv_weight"]) - 1):
        images, labels = _batch(path, dtype, step, observed)
        here = {name: state[step].astype(np.float64) for name, state in states.items()}
        if not all(np.isfinite(value).all() for value in here.values()):
            return nothing | dict.fromkeys(worst, judge.failure("differs", f"not finite at step {step}"))
        stages.at(before, LEARNING_RATE)
        right = whole_pass(stages, images, labels, here)
        after = stages.update(here, {name: right[f"d_{name}"] for name in PARAMETERS}, LEARNING_RATE, memory)
        expected = {**after, "loss": right["loss"]}
        for quantity in worst:
            bounded = expected[quantity]
            found = losses[step] if quantity == "loss" else states[quantity][step + 1]
            worst[quantity] = _worse(worst[quantity], judge.measured(dtype, found, lambda b=bounded: b, None), step)
        before = {name: bounded.value for name, bounded in right.items()} | {"images": images, "labels": labels}
    return nothing | worst


def _misfit(path, observed):
    """What is of another shape than the path has steps for, in words; "" where all is as wanted."""
    steps = len(path.images)
    wanted = {"loss": (steps,)} | {name: (steps + 1, *path.parameters[name].shape) for name in PARAMETERS}
    for name, shape in wanted.items():
        found = observed.get((PATH, name))
        if found is not None and found.shape != shape:
            return f"{name}: found shape {found.shape}, wanted {shape}"
    return ""


def _batch(path, dtype, step, observed):
    """What step number `step` was given; code that takes one image at a time was given the first of each batch."""
    count = observed.get((PATH, "count"))
    count = None if count is None else int(count)
    return path.images[step][:count].astype(dtype).astype(np.float64), path.labels[step][:count]


def _worse(before, now, step):
    if before is None or now["allowance_used"] > before["allowance_used"]:
        return {**now, "note": now["note"] or f"worst at step {step}"}
    return before


def _ends(path, dtype, observed, same):
    """The parameters at which the arbiter's own path ends, given the same batches."""
    count = observed.get((PATH, "count"))
    key = None if count is None else int(count)
    if key not in same:
        network = Network(arbiter)
        own = {name: path.parameters[name] for name in PARAMETERS}
        for step in range(len(path.images)):
            images, labels = _batch(path, dtype, step, observed)
            whole = network.whole(images, labels, own, path.padding)
            own = descend(own, {name: whole[f"d_{name}"] for name in PARAMETERS}, LEARNING_RATE, {})
        same[key] = own
    return same[key]
