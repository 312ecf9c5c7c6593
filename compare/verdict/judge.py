"""Observations in, rows out: each quantity against what rounding allows.

Two ways to find the culprit, and a third for code that joins dense layer and softmax: the modes of `expected.py`.
`distance` says how far a value of a whole pass lies from the arbiter's own pass, that is, how the error grew.
"""

import functools
from dataclasses import dataclass

import numpy as np

from compare.graph import QUANTITIES, STAGE_OF, task_of
from compare.verdict import precision
from compare.verdict.allowances import Rounding, Stages
from compare.verdict.expected import GIVEN, Expected, NotReached, Routed

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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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


def right_stages(case, dtype):
    """`Stages` of the right network for a probe in a dtype."""
    return Stages(case.reference, case.padding, Rounding.of(dtype))


def judge_probe(implementation, case, dtype, observed, raised, manner=GIVEN, same=None):
    """Rows of one probe in one dtype.

    Args:
        case: a `Probe`, rounded to dtype.
        observed: arrays by (mode, quantity).
        raised: messages by (mode, task), of what the implementation raised instead; by (mode, quantity, "dtype"), of
            arrays that hold no real numbers.
        manner: an `expected.Manner`.
        same: of `Expected`, a dict for this probe and dtype.
    """
    expected = Expected(case, right_stages(case, dtype), observed, manner, same)
    whole = expected.whole() if any(mode == "run" for mode, _ in observed) else {}
    rows = []
    for mode, quantities in QUANTITIES.items():
        for quantity in quantities:
            value = observed.get((mode, quantity))
            row = {"implementation": implementation, "quantity": quantity, "dtype": dtype, "probe": case.name}
            make = functools.partial(expected.of, mode, quantity)
            error = raised.get((mode, task_of(mode, quantity)))
            misfit = raised.get((mode, quantity, "dtype"))
            outcome = failure("differs", misfit) if misfit else measured(dtype, value, make, error)
            row |= {"mode": mode, "stage": STAGE_OF[quantity], **outcome}
            if "worst_index" in outcome and dtype in precision.HALF:
                row["smallest_caught"] = _smallest_caught(case, quantity, make())
                row |= HIDDEN if row["passed"] and row["smallest_caught"] > 1 else {}
            if mode == "run" and quantity in whole and value is not None and value.shape == whole[quantity].value.shape:
                row["distance"] = float(np.abs(value.astype(np.float64) - whole[quantity].value).max())
            rows.append(row)
    return [row for row in rows if row["mode"] != "head" or row["outcome"] != "not offered"]


def _smallest_caught(case, quantity, expected):
    """The smallest error, relative to a quantity or to the way of a step, that is more than rounding; NaN of zeros.

    Above 1 rounding may hide the whole: zeros, or no step at all, would agree as well.
    """
    before = case.parameters.get(quantity.removeprefix("step_")) if quantity.startswith("step_") else None
    signal = np.abs(expected.value - (0.0 if before is None else before))
    return float(np.min(expected.allowance[signal > 0] / signal[signal > 0])) if signal.any() else np.nan


HIDDEN = {"allowance_used": np.nan, "passed": None, "outcome": "hidden"}
NOT_JUDGED = ("not offered", "hidden")  # outcomes that are neither agreement nor difference
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
    except NotReached as reason:
        return failure("not reached", str(reason))
    if value.shape != expected.value.shape:
        return failure("differs", f"found shape {value.shape}, wanted {expected.value.shape}")
    if misfit := precision.misfit(value, dtype):
        return failure("differs", misfit)
    error = measure(value, expected)
    passed = error.allowance_used <= 1
    row = {**vars(error), "passed": passed, "outcome": "agrees" if passed else "differs", "note": ""}
    row["worst_index"] = str(list(error.worst_index))
    if isinstance(expected, Routed):
        row["near_ties"] = expected.near_ties
    return row
