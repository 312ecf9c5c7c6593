"""What one implementation does on every probe: runs inside a cell, judges nothing.

Arrays travel under names joined by "|": probe, dtype, mode, quantity.
"""

import contextlib

import numpy as np

from compare.cells import read_arrays
from compare.contract import ACTIVATIONS, BACKWARD, PARAMETERS, NotOfferedError
from compare.verdict.probes import LEARNING_RATE, earlier, earlier_batch

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
            cases.append({"name": probe.name, "dtype": dtype, "geometry": probe.geometry, "exact": probe.exact})
            arrays |= {f"{key}|{name}": case.inputs[name] for name in case.inputs}
            arrays |= {f"{key}|{name}": case.parameters[name] for name in PARAMETERS}
            arrays |= {f"{key}|images": case.images, f"{key}|labels": case.labels}
    if path is not None:
        arrays |= {"path|images": path.images, "path|labels": path.labels}
        arrays |= {f"path|{name}": path.parameters[name] for name in PARAMETERS}
    return arrays, {"cases": cases, "dtypes": list(dtypes), "path": path is not None}


def _message(error):
    return f"{type(error).__name__}: {error}"


def observe(spec, implementation, save=lambda found, meta: None, explain=_message):
    """(arrays, meta) of one implementation. What raises is an entry of meta["raised"] and the rest goes on.

    Args:
        spec: with `inputs`, the file that `pack` filled.
        implementation: a class that fulfils `compare.contract.Implementation`, or at least its constructor and some of
            its methods. What it lacks, a dtype that its `dtypes` does not name, or what it refuses with
            `NotOfferedError`, and what is None where an array is wanted, is left out of the result; the refusals are in
        meta["refused"]. An array of complex numbers or objects is left out too, and an entry of meta["raised"] says so
        under its own name and " dtype".
        save: called before each kind of call with what there is so far, and with meta["at"], the call that comes:
            should the code under test never return, that much is known.
        explain: what is noted of an exception.
    """
    given, meta = read_arrays(spec["inputs"])
    found: dict = {}
    noted: dict = {"raised": {}, "refused": {}, "outcomes": {}}
    noted["offers"] = [task for task, (_, method) in TASKS.items() if hasattr(implementation, method)]
    offered = [case for case in meta["cases"] if case["dtype"] in getattr(implementation, "dtypes", meta["dtypes"])]
    alone: dict = {}
    for task, (mode, method) in TASKS.items():
        if not hasattr(implementation, method):
            continue
        save(found, {**noted, "at": task})
        for case in offered:
            key = f"{case['name']}|{case['dtype']}"
            batch = {name.removeprefix(key + "|"): value for name, value in given.items() if name.startswith(key + "|")}
            batch["exact"] = case["exact"]
            with _noting(noted, f"{key}|{mode}|{task}", explain):
                if mode == "alone" and key in alone:
                    model = alone[key]
                else:  # a pass begins with a fresh model, so that its history is known
                    model = implementation(**case["geometry"], dtype=case["dtype"], seed=0)
                    if hasattr(model, "set_parameters"):
                        model.set_parameters({name: batch[name] for name in PARAMETERS})
                    if mode == "alone":
                        alone[key] = model
                for name, value in _call(task, model, batch).items():
                    _keep(found, noted, f"{key}|{mode}|{name}", value, case["dtype"])
    if meta["path"] and hasattr(implementation, "step"):
        save(found, {**noted, "at": "path"})
        for dtype in [dtype for dtype in meta["dtypes"] if dtype in getattr(implementation, "dtypes", meta["dtypes"])]:
            with _noting(noted, f"path|{dtype}|path", explain):
                found |= _path(implementation, given, dtype)
    return found, noted


def _keep(found, noted, key, value, dtype):
    """Take an array into what was found. None is not offered; what holds no real numbers is noted for the judge."""
    array = np.array(value)
    if array.dtype.kind in "biuf":
        found[key] = array
    elif value is not None:
        noted["raised"][f"{key} dtype"] = f"found dtype {array.dtype}, wanted {dtype}"


# What is asked, stage by stage, so that a crash is that of its stage: mode, and the method without which it is skipped.
TASKS = {
    **{f"{stage} forward": ("alone", "forward_stage") for stage in ACTIVATIONS},
    **{f"{stage} backward": ("alone", "backward_stage") for stage in BACKWARD},
    "head": ("head", "head"),
    "activations": ("run", "activations"),
    "predict": ("run", "predict"),
    "gradients": ("run", "gradients"),
    "step": ("run", "step"),
}


@contextlib.contextmanager
def _noting(noted, key, explain):
    """Note what the code under test raises, and go on: the verdict counts it against every quantity it took with it."""
    try:
        yield
    except NotOfferedError as reason:
        noted["refused"][key] = str(reason)
    except Exception as error:  # see above: noted, judged as a failure
        noted["raised"][key] = explain(error)
        if (outcome := getattr(error, "outcome", "raised")) != "raised":  # the process that the code ran in is gone
            noted["outcomes"][key] = outcome


def _call(task, model, batch):
    """The quantities that one call gives. Another batch goes first: state that leaks shows in what follows."""
    images, labels = batch["images"].copy(), batch["labels"]
    first, first_labels = earlier_batch(batch["images"], labels, batch["exact"])
    if task == "head":
        return model.head(batch["pool"], labels)
    if task == "activations":
        model.activations(first.copy(), first_labels)
        return {**model.activations(images, labels), "kept_images": images}
    if task == "predict":
        model.predict(first.copy())
        return {"predict": _something(model.predict(images), "predict")}
    if task == "gradients":
        model.gradients(first.copy(), first_labels)
        found = {f"d_{name}": value for name, value in model.gradients(images, labels).items()}
        held = model.get_parameters() if hasattr(model, "get_parameters") else {}
        return found | {f"kept_{name}": value for name, value in held.items()}
    if task == "step":
        return _step(model, batch)
    stage, direction = task.split()
    x = batch[STAGE_INPUT[stage]]
    wanted = labels if stage == "loss" else None
    if direction == "forward":
        model.forward_stage(stage, earlier(x), wanted)
        return {stage: _something(model.forward_stage(stage, x.copy(), wanted), f"forward_stage of {stage}")}
    upstream = batch[f"up_{stage}"]
    model.backward_stage(stage, earlier(x), upstream if stage == "loss" else earlier(upstream), wanted)
    return {f"d_{name}": value for name, value in model.backward_stage(stage, x.copy(), upstream, wanted).items()}


def _something(value, what):
    if value is None:
        raise TypeError(f"{what} returned None, wanted an array: is a return missing?")
    return value


def _step(model, batch):
    count = 1 if getattr(model, "one_image", False) else None
    loss = model.step(batch["images"][:count].copy(), batch["labels"][:count], LEARNING_RATE)
    found = {f"step_{name}": value for name, value in model.get_parameters().items()}
    return found if loss is None else {"step_loss": loss, **found}


def _path(implementation, given, dtype):
    """Losses (S,) and parameters (S+1, ...) along the training path."""
    count = 1 if getattr(implementation, "one_image", False) else None
    images, labels = given["path|images"][:, :count].astype(dtype), given["path|labels"][:, :count]
    start = {name: given[f"path|{name}"].astype(dtype) for name in PARAMETERS}
    shape = tuple(map(int, images.shape[2:]))
    sizes = {"input_shape": shape, "filters": start["conv_weight"].shape[3], "classes": len(start["dense_bias"])}
    model = implementation(**sizes, dtype=dtype)
    model.set_parameters(start)
    losses, states = [], [model.get_parameters()]
    for batch, wanted in zip(images, labels, strict=True):
        losses.append(model.step(batch, wanted, LEARNING_RATE))
        states.append(model.get_parameters())
    found = {f"path|{dtype}|path|{name}": np.stack([state[name] for state in states]) for name in PARAMETERS}
    for key, value in found.items():
        if value.dtype.kind not in "biuf":
            raise TypeError(f"{key.rpartition('|')[2]}: found dtype {value.dtype}, wanted {dtype}")
    if count is not None:
        found[f"path|{dtype}|path|count"] = np.array(count)
    if any(loss is None for loss in losses):  # the code has none of its own, or not everywhere
        return found
    return {**found, f"path|{dtype}|path|loss": np.array(losses)}
