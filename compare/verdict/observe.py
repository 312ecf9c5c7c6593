"""What one implementation does on every probe: runs inside a cell, judges nothing."""

import contextlib
import importlib

import numpy as np

from compare.contract import ENTRIES, PARAMETERS, NotOfferedError
from compare.graph import STAGE_INPUT, TASKS
from compare.verdict.packing import PATH, pack_answer, read_question
from compare.verdict.precision import DTYPES
from compare.verdict.probes import LEARNING_RATE, earlier
from compare.verdict.updates import UPDATES, ask


def _message(error):
    return f"{type(error).__name__}: {error}"


def answer(spec, implementation):
    """Inside a cell: `observe` of the question in the file `spec["inputs"]`, as a file holds it; the optimisers too."""
    question = read_question(spec["inputs"])
    found, noted = observe(question, implementation)
    if question.updates is not None:
        kinds = ("update", "default") if spec.get("defaults") else ("update",)
        dtypes = _offered(implementation, question.dtypes)
        more, remarks, raised = _optimisers(question, dtypes, spec["implementation"], kinds)
        found, noted = found | more, noted | remarks | {"raised": noted["raised"] | raised}
    return pack_answer(found, noted)


def _optimisers(question, dtypes, name, kinds):
    """(parameters, what is noted, what raised) of an implementation's optimisers, by keys as of `observe`."""
    if not ENTRIES[name].optimisers:
        return {}, {"optimisers": "no optimisers of its own"}, {}
    try:
        module = importlib.import_module(ENTRIES[name].optimisers)
    except ModuleNotFoundError as error:
        return {}, {"optimisers": str(error)}, {}
    found: dict = {}
    raised: dict = {}
    for dtype in (each for each in dtypes if each in DTYPES):
        for kind in kinds:
            moved, failed = ask(question.updates, dtype, module, kind)
            found |= {(UPDATES, dtype, *key): value for key, value in moved.items()}
            raised |= {(UPDATES, dtype, *key): text for key, text in failed.items()}
    return found, {"conventions": module.CONVENTIONS}, raised


def observe(question, implementation, save=lambda found, noted: None, explain=_message):
    """What came out of one implementation. What raises is noted, and the rest goes on.

    Args:
        question: a `packing.Question`.
        implementation: a class that fulfils `compare.contract.Implementation`, or at least its constructor and some of
            its methods. What it lacks, a dtype that its `dtypes` does not name, or what it refuses with
            `NotOfferedError`, and what is None where an array is wanted, is left out of the result; the refusals are in
            noted["refused"]. An array of complex numbers or objects is left out too, and an entry of noted["raised"]
            says so under its own key and "dtype".
        save: called before each kind of call with what there is so far, and with noted["at"], the call that comes:
            should the code under test never return, that much is known.
        explain: what is noted of an exception.
    Returns:
        found: arrays by (probe, dtype, mode, quantity); for the path (PATH, dtype, "path", name).
        noted: "raised" and "refused": texts by (probe, dtype, mode, task) or (PATH, dtype, "path"); "offers": tasks;
            "less" and "lacks": what the implementation says of what it does not offer, and of dtypes by name.
    """
    found: dict = {}
    noted: dict = {"raised": {}, "refused": {}, "outcomes": {}}
    noted["less"] = getattr(implementation, "less", "")
    noted["offers"] = [task for task, (_, method) in TASKS.items() if hasattr(implementation, method)]
    noted["lacks"] = getattr(implementation, "lacks", {})
    dtypes = _offered(implementation, question.dtypes)
    alone: dict = {}
    for task in noted["offers"]:
        mode, _ = TASKS[task]
        save(found, {**noted, "at": task})
        for case in question.cases:
            if case.dtype not in dtypes:
                continue
            key = (case.name, case.dtype)
            with _noting(noted, (*key, mode, task), explain):
                if mode == "alone" and key in alone:
                    model = alone[key]
                else:  # a pass begins with a fresh model, so that its history is known
                    model = implementation(**case.geometry, dtype=case.dtype, seed=0)
                    if hasattr(model, "set_parameters"):
                        model.set_parameters({name: case.parameters[name] for name in PARAMETERS})
                    if mode == "alone":
                        alone[key] = model
                for name, value in _call(task, model, case).items():
                    _keep(found, noted, (*key, mode, name), value)
    if question.path is not None and hasattr(implementation, "step"):
        save(found, {**noted, "at": "path"})
        for dtype in (each for each in dtypes if each in DTYPES):
            with _noting(noted, (PATH, dtype, "path"), explain):
                walked = _path(implementation, question.path, dtype)
                found |= {(PATH, dtype, "path", name): value for name, value in walked.items()}
    return found, noted


def _offered(implementation, asked):
    """Those of the dtypes asked for that an implementation computes in."""
    return [dtype for dtype in asked if dtype in getattr(implementation, "dtypes", DTYPES)]


def _keep(found, noted, key, value):
    """Take an array into what was found. None is not offered; what holds no real numbers is noted for the judge."""
    array = np.array(value)
    if array.dtype.kind in "biuf":
        found[key] = array
    elif value is not None:
        noted["raised"][*key, "dtype"] = f"found dtype {array.dtype}, wanted {key[1]}"


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


def _call(task, model, case):
    """The quantities that one call gives. Another batch goes first: state that leaks shows in what follows."""
    images, labels = case.images.copy(), case.labels
    first, first_labels = case.earlier_batch()
    if task == "head":
        return model.head(case.inputs["pool"], labels)
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
        return _step(model, case)
    stage, direction = task.split()
    x = case.images if STAGE_INPUT[stage] == "images" else case.inputs[STAGE_INPUT[stage]]
    wanted = labels if stage == "loss" else None
    if direction == "forward":
        model.forward_stage(stage, earlier(x), wanted)
        return {stage: _something(model.forward_stage(stage, x.copy(), wanted), f"forward_stage of {stage}")}
    upstream = case.inputs[f"up_{stage}"]
    model.backward_stage(stage, earlier(x), upstream if stage == "loss" else earlier(upstream), wanted)
    return {f"d_{name}": value for name, value in model.backward_stage(stage, x.copy(), upstream, wanted).items()}


def _something(value, what):
    if value is None:
        raise TypeError(f"{what} returned None, wanted an array: is a return missing?")
    return value


def _step(model, case):
    count = 1 if getattr(model, "one_image", False) else None
    loss = model.step(case.images[:count].copy(), case.labels[:count], LEARNING_RATE)
    found = {f"step_{name}": value for name, value in model.get_parameters().items()}
    return found if loss is None else {"step_loss": loss, **found}


def _path(implementation, path, dtype):
    """Losses (S,) and parameters (S+1, ...) along the training path; `count`, where it takes so many images only."""
    count = 1 if getattr(implementation, "one_image", False) else None
    images, labels = path.images[:, :count].astype(dtype), path.labels[:, :count]
    start = {name: path.parameters[name].astype(dtype) for name in PARAMETERS}
    shape = tuple(map(int, images.shape[2:]))
    sizes = {"input_shape": shape, "filters": start["conv_weight"].shape[3], "classes": len(start["dense_bias"])}
    model = implementation(**sizes, dtype=dtype)
    model.set_parameters(start)
    losses, states = [], [model.get_parameters()]
    for batch, wanted in zip(images, labels, strict=True):
        losses.append(model.step(batch, wanted, LEARNING_RATE))
        states.append(model.get_parameters())
    found = {name: np.stack([state[name] for state in states]) for name in PARAMETERS}
    for name, value in found.items():
        if value.dtype.kind not in "biuf":
            raise TypeError(f"{name}: found dtype {value.dtype}, wanted {dtype}")
    if count is not None:
        found["count"] = np.array(count)
    if any(loss is None for loss in losses):  # the code has none of its own, or not everywhere
        return found
    return {**found, "loss": np.array(losses)}
