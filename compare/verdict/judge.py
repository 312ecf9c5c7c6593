"""Observations in, rows out: each quantity against what rounding allows.

Two ways to find the culprit. Mode "run": a whole pass, each quantity judged on the implementation's own predecessor, so
that an early error is not blamed on what comes after; `distance` says how far the value lies from the arbiter's own
pass, that is, how the error grew. Mode "alone": each stage on the reference's input and a random upstream gradient, so
that the error can only be its own.
"""

import functools
from dataclasses import dataclass

import numpy as np

from compare.contract import PARAMETERS
from compare.verdict.allowances import Bounded, Rounding, Stages, corners, near_ties, update, whole_pass
from compare.verdict.probes import LEARNING_RATE

# Where each quantity is made, in the order in which a pass makes them: the first that differs is the culprit.
STAGE_OF = {
    "conv": "conv forward",
    "pool": "pool forward",
    "logits": "dense forward",
    "probabilities": "softmax forward",
    "loss": "loss forward",
    "predict": "prediction",
    "d_logits": "loss backward",
    "d_dense_weight": "dense backward",
    "d_dense_bias": "dense backward",
    "d_pool": "dense backward",
    "d_conv": "pool backward",
    "d_conv_weight": "conv backward",
    "d_images": "conv backward",
    **{f"kept_{name}": "parameters" for name in PARAMETERS},
    "step_loss": "update",
    **{f"step_{name}": "update" for name in PARAMETERS},
    "path_loss": "training path",
    **{f"path_{name}": "training path" for name in PARAMETERS},
}
STAGE_ORDER = {stage: number for number, stage in enumerate(dict.fromkeys(STAGE_OF.values()))}
STAGE_ORDER["not run"] = -1

COLUMNS = [
    "implementation",
    "quantity",
    "dtype",
    "probe",
    "mode",
    "stage",
    "max_abs_error",
    "allowance_used",
    "passed",
    "outcome",
    "distance",
    "worst_index",
    "found",
    "wanted",
    "near_ties",
    "note",
]


@dataclass(frozen=True)
class Error:
    """How far an array lies from what was expected; index, found and wanted where it uses most of its allowance."""

    max_abs_error: float
    allowance_used: float
    worst_index: tuple
    found: float
    wanted: float


def measure(observed, expected):
    """The `Error` of an observed array against a `Bounded` of the same shape. NaN agrees with nothing."""
    found = np.asarray(observed, np.float64)
    error = np.abs(found - expected.value)
    error = np.where(np.isnan(error), np.inf, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        used = np.where(error == 0, 0.0, error / expected.allowance)
    used = np.where(np.isnan(used), np.inf, used)
    worst = np.unravel_index(int(used.argmax()), used.shape)
    return Error(
        float(error.max()),
        float(used[worst]),
        tuple(map(int, worst)),
        float(found[worst]),
        float(expected.value[worst]),
    )


def judge_probe(implementation, case, dtype, observed, raised):
    """Rows of one probe in one dtype.

    Args:
        case: a `Probe`, rounded to dtype.
        observed: arrays by "mode|quantity".
        raised: messages by mode, of what the implementation raised instead.
    """
    stages = Stages(case.reference, case.padding, Rounding.of(dtype))
    images, parameters = _exact64(case)
    whole = whole_pass(stages, images, case.labels, parameters)
    makers = {
        "run": _expected_run(case, stages, images, parameters, whole, observed),
        "alone": _expected_alone(case, stages, images, parameters),
    }
    rows = []
    for mode, expected in makers.items():
        for quantity, make in expected.items():
            value = observed.get(f"{mode}|{quantity}")
            row = {"implementation": implementation, "quantity": quantity, "dtype": dtype, "probe": case.name}
            row |= {"mode": mode, "stage": STAGE_OF[quantity], **measured(dtype, value, make, raised.get(mode))}
            if mode == "run" and quantity in whole and value is not None and value.shape == whole[quantity].value.shape:
                row["distance"] = float(np.abs(value.astype(np.float64) - whole[quantity].value).max())
            rows.append(row)
    return rows


# An implementation may offer less than the contract; then less is checked, and the result says what was not.
NOT_OFFERED = {"max_abs_error": np.nan, "allowance_used": np.nan, "passed": None, "outcome": "not offered", "note": ""}


def failure(outcome, note):
    """The measured part of a row in which nothing could be measured."""
    return {"max_abs_error": np.nan, "allowance_used": np.inf, "passed": False, "outcome": outcome, "note": note}


def measured(dtype, value, make, raised):
    """The measured part of a row, or a failure that says why there is none."""
    if value is None:
        return failure("raised", raised) if raised else NOT_OFFERED
    try:
        expected = make()
    except _NotReached as reason:
        return failure("not reached", str(reason))
    if value.shape != expected.value.shape:
        return failure("differs", f"found shape {value.shape}, wanted {expected.value.shape}")
    if value.ndim > 0 and value.dtype != dtype:
        return failure("differs", f"found dtype {value.dtype}, wanted {dtype}")
    error = measure(value, expected)
    passed = error.allowance_used <= 1
    row = {**vars(error), "passed": passed, "outcome": "agrees" if passed else "differs", "note": ""}
    row["worst_index"] = str(list(error.worst_index))
    if isinstance(expected, _Routed):
        row["near_ties"] = expected.near_ties
    return row


class _NotReached(Exception):  # noqa: N818 - not an error of ours: the stage before gave nothing to judge this one on
    """The input of a stage is missing or unusable."""


@dataclass(frozen=True)
class _Routed(Bounded):
    """Expected d_conv, with the number of windows in which another order of near ties was accepted or possible."""

    near_ties: int = 0


def _exact64(case):
    return (
        case.images.astype(np.float64),
        {name: value.astype(np.float64) for name, value in case.parameters.items()},
    )


def _own(observed, quantity, shape):
    """An implementation's own result as the exact input of the next stage."""
    value = observed.get(f"run|{quantity}")
    if value is None or value.shape != shape:
        raise _NotReached(f"not reached: {quantity} is missing or of another shape")
    if not np.isfinite(value).all():
        raise _NotReached(f"not reached: {quantity} is not finite")
    return Bounded.exact(value)


def _expected_run(case, stages, images, parameters, whole, observed):
    """What each quantity of a whole pass should be: functions by quantity, evaluated where needed."""
    w, dense_w, bias = (parameters[name] for name in PARAMETERS)

    def own(quantity, like):
        return _own(observed, quantity, whole[like].value.shape)

    def d_conv():
        d_pool = own("d_pool", "d_pool")
        return _routed(stages, whole["conv"], d_pool, observed.get("run|d_conv"))

    def backward_of_dense(name):
        # pool may have been computed anew for the gradients: its whole allowance counts
        return stages.dense_backward(whole["pool"], dense_w, own("d_logits", "d_logits"))[name]

    def backward_of_conv(name):
        return stages.conv_backward(images, w, own("d_conv", "conv"))[name]

    def stepped(name):
        return update(parameters[name], whole[f"d_{name}"], LEARNING_RATE, stages.rounding)

    expected = {
        "conv": lambda: stages.conv(images, w),
        "pool": lambda: stages.pool(own("conv", "conv")),
        "logits": lambda: stages.dense(own("pool", "pool"), dense_w, bias),
        "probabilities": lambda: stages.probabilities(own("logits", "logits")),
        "loss": lambda: stages.loss(own("logits", "logits"), case.labels),
        "predict": lambda: whole["probabilities"],
        "d_logits": lambda: whole["d_logits"],
        "d_pool": lambda: backward_of_dense("pool"),
        "d_dense_weight": lambda: backward_of_dense("dense_weight"),
        "d_dense_bias": lambda: backward_of_dense("dense_bias"),
        "d_conv": d_conv,
        "d_conv_weight": lambda: backward_of_conv("conv_weight"),
        "d_images": lambda: backward_of_conv("images"),
        "step_loss": lambda: whole["loss"],
    }
    for name in PARAMETERS:
        expected[f"kept_{name}"] = functools.partial(Bounded.exact, parameters[name])
        expected[f"step_{name}"] = functools.partial(stepped, name)
    return expected


def _routed(stages, conv, d_pool, found):
    """Expected d_conv where the order within near ties is taken from what was found, as long as it is one of them."""
    expected = stages.pool_backward(conv, d_pool)
    candidates = near_ties(conv)
    open_windows = candidates.sum(axis=-1) > 1
    if found is not None and found.shape == expected.value.shape and open_windows.any():
        routed = np.asarray(found, np.float64)
        theirs = np.where(candidates, np.abs(corners(routed)), -1.0).argmax(axis=-1)
        value = expected.value.copy()
        p, q = open_windows.shape[1:3]
        for number, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            corner = value[:, i : 2 * p : 2, j : 2 * q : 2]
            corner[open_windows] = np.where(theirs == number, d_pool.value, 0.0)[open_windows]
        expected = Bounded(value, expected.allowance)
    return _Routed(expected.value, expected.allowance, int(open_windows.sum()))


def _expected_alone(case, stages, images, parameters):
    """What each stage alone should give: functions by quantity, evaluated where needed."""
    w, dense_w, bias = (parameters[name] for name in PARAMETERS)
    given = {name: Bounded.exact(value) for name, value in case.inputs.items()}

    def backward_of_dense(name):
        return stages.dense_backward(given["pool"], dense_w, given["up_logits"])[name]

    def backward_of_conv(name):
        return stages.conv_backward(images, w, given["up_conv"])[name]

    expected = {
        "conv": lambda: stages.conv(images, w),
        "pool": lambda: stages.pool(given["conv"]),
        "logits": lambda: stages.dense(given["pool"], dense_w, bias),
        "probabilities": lambda: stages.probabilities(given["logits"]),
        "loss": lambda: stages.loss(given["logits"], case.labels),
        "d_logits": lambda: stages.loss_backward(given["logits"], case.labels, float(given["up_loss"].value)),
        "d_conv": lambda: stages.pool_backward(given["conv"], given["up_pool"]),
    }
    for name in ("pool", "dense_weight", "dense_bias"):
        expected[f"d_{name}"] = functools.partial(backward_of_dense, name)
    for name in ("images", "conv_weight"):
        expected[f"d_{name}"] = functools.partial(backward_of_conv, name)
    return expected
