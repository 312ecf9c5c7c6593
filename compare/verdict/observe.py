"""What one implementation does on every probe: runs inside a cell, judges nothing.

Arrays travel under names joined by "|": probe, dtype, mode, quantity.
"""

import contextlib

import numpy as np

from compare.cells import read_arrays
from compare.contract import ACTIVATIONS, BACKWARD, PARAMETERS
from compare.verdict.probes import LEARNING_RATE

# The input of each stage when it is asked alone.
STAGE_INPUT = {"conv": "images", "pool": "conv", "logits": "pool", "probabilities": "logits", "loss": "logits"}


def pack(probes, dtypes, path=None):
    """Everything a cell is given, as (arrays, meta): probes rounded to each dtype, and the training path."""
    arrays: dict = {}
    cases: list = []
    for dtype in dtypes:
        for probe in probes:
            case = probe.rounded(dtype)
            key = f"{probe.name}|{dtype}"
            cases.append({"name": probe.name, "dtype": dtype, "geometry": probe.geometry})
            arrays |= {f"{key}|{name}": case.inputs[name] for name in case.inputs}
            arrays |= {f"{key}|{name}": case.parameters[name] for name in PARAMETERS}
            arrays |= {f"{key}|images": case.images, f"{key}|labels": case.labels}
    if path is not None:
        arrays |= {"path|images": path.images, "path|labels": path.labels}
        arrays |= {f"path|{name}": path.parameters[name] for name in PARAMETERS}
    return arrays, {"cases": cases, "dtypes": list(dtypes), "path": path is not None}


def observe(spec, implementation):
    """(arrays, meta) of one implementation. What raises is an entry of meta["raised"] and the rest goes on.

    Args:
        spec: with `inputs`, the file that `pack` filled.
        implementation: a class that fulfils `compare.contract.Implementation`, or at least constructor, parameters,
            `activations` (some of them) and `predict`. What it lacks, or a dtype that its `dtypes` does not name, is
            left out of the result.
    """
    given, meta = read_arrays(spec["inputs"])
    found: dict = {}
    raised: dict = {}
    for case in meta["cases"]:
        key = f"{case['name']}|{case['dtype']}"
        if case["dtype"] not in getattr(implementation, "dtypes", meta["dtypes"]):
            continue  # not offered
        batch = {name.removeprefix(key + "|"): value for name, value in given.items() if name.startswith(key + "|")}
        with _noted(raised, f"{key}|run"):
            model = implementation(**case["geometry"], dtype=case["dtype"], seed=0)
            model.set_parameters({name: batch[name] for name in PARAMETERS})
            for name, value in _one_pass(model, batch, raised, key).items():
                found[f"{key}|{name}"] = np.asarray(value)
    if meta["path"]:
        for dtype in meta["dtypes"] if hasattr(implementation, "step") else ():
            with _noted(raised, f"path|{dtype}|path"):
                found |= _path(implementation, given, dtype)
    return found, {"raised": raised}


@contextlib.contextmanager
def _noted(raised, key):
    """Note what the code under test raises, and go on: the verdict counts it against every quantity it took with it."""
    try:
        yield
    except Exception as error:  # see above: noted, judged as a failure
        raised[key] = f"{type(error).__name__}: {error}"


def _one_pass(model, batch, raised, key):
    images, labels = batch["images"], batch["labels"]
    found: dict = {}
    with _noted(raised, f"{key}|run"):
        # another batch first, of another size: state that leaks from call to call shows in what follows
        other = images[::-1][: max(1, len(images) - 1)] * images.dtype.type(0.5)
        model.predict(other)
        if hasattr(model, "gradients"):
            model.gradients(other, labels[::-1][: len(other)])
        found |= {f"run|{name}": value for name, value in model.activations(images, labels).items()}
        if hasattr(model, "gradients"):
            found |= {f"run|d_{name}": value for name, value in model.gradients(images, labels).items()}
        found["run|predict"] = model.predict(images)
    for stage in ACTIVATIONS if hasattr(model, "forward_stage") else ():
        with _noted(raised, f"{key}|alone"):
            x = batch[STAGE_INPUT[stage]]
            found[f"alone|{stage}"] = model.forward_stage(stage, x, labels if stage == "loss" else None)
    for stage in BACKWARD if hasattr(model, "backward_stage") else ():
        with _noted(raised, f"{key}|alone"):
            x, upstream = batch[STAGE_INPUT[stage]], batch[f"up_{stage}"]
            result = model.backward_stage(stage, x, upstream, labels if stage == "loss" else None)
            found |= {f"alone|d_{name}": value for name, value in result.items()}
    with _noted(raised, f"{key}|run"):
        held = model.get_parameters()
        found |= {f"run|kept_{name}": held[name] for name in PARAMETERS}
        if hasattr(model, "step"):
            found["run|step_loss"] = model.step(images, labels, LEARNING_RATE)
            held = model.get_parameters()
            found |= {f"run|step_{name}": held[name] for name in PARAMETERS}
    return found


def _path(implementation, given, dtype):
    """Losses (S,) and parameters (S+1, ...) along the training path."""
    images, labels = given["path|images"].astype(dtype), given["path|labels"]
    start = {name: given[f"path|{name}"].astype(dtype) for name in PARAMETERS}
    shape = tuple(map(int, images.shape[2:]))
    model = implementation(shape, start["conv_weight"].shape[3], len(start["dense_bias"]), dtype=dtype)
    model.set_parameters(start)
    losses, states = [], [model.get_parameters()]
    for batch, wanted in zip(images, labels, strict=True):
        losses.append(model.step(batch, wanted, LEARNING_RATE))
        states.append(model.get_parameters())
    found = {f"path|{dtype}|path|{name}": np.stack([state[name] for state in states]) for name in PARAMETERS}
    return {**found, f"path|{dtype}|path|loss": np.array(losses)}
