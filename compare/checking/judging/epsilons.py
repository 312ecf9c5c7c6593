"""Small numbers that keep a softmax, a loss or its gradient from a division by 0: conventions, found by their size."""

import numpy as np

from compare.checking.calling import arrays
from compare.checking.judging.conventions import BATCH, GUARDS, GUARDS_BACKWARD, SUMS
from compare.verdict.diagnose import matches
from compare.verdict.expected import NotReached

# what comes of the gradient of the logits, where that is not handed out; another mistake may lie in one of them
OF_LOSS_BACKWARD = ("d_logits", "d_dense_weight", "d_dense_bias", "d_pool", "step_dense_weight")


def epsilons(evidence):
    """The conventions, at most three, that add a small number to what a softmax or a loss is made of.

    One is taken if it explains every row of its quantity, and something there differs.
    """
    found: tuple = ()
    if rows := rows_of(evidence, "probabilities"):
        found = _nearest(evidence, [], SUMS, rows)
    # that of a step comes of all that is before it as well
    if rows := rows_of(evidence, "loss") or rows_of(evidence, "step_loss"):
        base = [each.change for each in found]
        scales = ([], *([convention.change] for convention in BATCH))
        if all(evidence.unexplained([*base, *scale], rows) for scale in scales if base or scale):
            of_loss = (_nearest(evidence, base, GUARDS, rows, scale) for scale in scales)
            found += next(filter(None, of_loss), ())
    base = [each.change for each in found]
    for quantity in OF_LOSS_BACKWARD:
        rows = rows_of(evidence, quantity)
        if not rows or not _nearly_right(evidence, first(rows)) or (base and not evidence.unexplained(base, rows)):
            continue
        if guard := _nearest(evidence, base, GUARDS_BACKWARD, rows):
            return (*found, *guard)
    return found


def rows_of(evidence, quantity):
    """All rows of a quantity, if any of them differs."""
    rows = [r for r in evidence.rows if r["quantity"] == quantity and r["outcome"] in ("agrees", "differs")]
    return rows if any(row["outcome"] == "differs" for row in rows) else []


def first(rows):
    """The row to begin with: it differs, in the dtype that tells small numbers apart if it can be."""
    return min((row for row in rows if row["outcome"] == "differs"), key=lambda row: row["dtype"] != "float64")


def _nearest(evidence, base, candidates, rows, more=()):
    """Of the conventions that explain all rows the one that is nearest in the first that differs: a tuple of it, or ().

    Args:
        base: changes before a candidate's. more: those after it.
    """
    row, near = first(rows), []  # it refutes nearly all of them
    for number, candidate in enumerate(candidates):
        distance = _distance(evidence, [*base, candidate.change, *more], row)
        near += [] if distance is None else [(distance, number, candidate)]
    by_distance = [candidate for *_, candidate in sorted(near, key=lambda each: each[:2])]
    return next(((c,) for c in by_distance if not evidence.unexplained([*base, c.change, *more], rows)), ())


def _distance(evidence, changes, row):
    """How far what was found lies from what a network with these changes gives; None where that does not explain it."""
    found, expected = of(evidence, changes, row)
    with np.errstate(invalid="ignore"):
        if found is None or expected is None or not matches(found, expected):
            return None
        return float(np.nanmax(np.where(found == expected.value, 0, np.abs(found - expected.value)), initial=0))


def of(evidence, changes, row):
    """What was found for a row, and what a network with these changes gives; None for what there is not."""
    found = evidence.observed[row["probe"], row["dtype"]].get((row["mode"], row["quantity"]))
    try:
        with np.errstate(all="ignore"):
            expected = evidence.expected(changes, row["probe"], row["dtype"]).of(row["mode"], row["quantity"])
    except (NotReached, ValueError, IndexError):
        expected = None
    return None if found is None else arrays.real(found), expected


def _nearly_right(evidence, row):
    """Whether what a row is about is what is right but for a part of 100: an epsilon does no more, or at 1e5 alone."""
    if np.abs(evidence.cases[row["probe"], row["dtype"]].inputs["logits"]).max() > 1e4:
        return True
    found, right = of(evidence, [], row)
    if found is None or right is None or found.shape != right.value.shape:
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.abs(found - right.value).max() <= 0.01 * np.abs(right.value).max())
