"""How far two computed arrays may lie from each other, and how far they do.

Both were given the same numbers, to the bit. If both compute a stage as this project does, each lies within the
allowance A(u) of that stage of the exact result (`verdict.allowances`), so they lie within 2 A(u) of each other, where
u is the larger of their unit roundoffs: two right ones are not accused, with the probability that the allowances have.

Two that share a mistake agree too, and of what they compute nobody has derived an allowance. Where both put numbers at
other places, or make them larger, rounding is of the same kind: so the largest A of an image (of an array, where it has
no axis of images) stands for all its numbers, is scaled as these are larger than the right ones, and a sum of FEW terms
may round where ours is exact, as the pool is. That is a rule and no theorem; `tests/test_exchange.py` holds it to
every known defect, put into two implementations at once.
"""

import numpy as np

from compare.checking.judging.picture import named
from compare.graph import AXES
from compare.verdict.allowances import Rounding

FEW = 4  # terms
OUTCOMES = ("differs", "no numbers", "undecided", "not reached", "distance only", "agrees")  # the worst first


def rounding_of(dtype, *arrays):
    """`Rounding` of the coarsest arithmetic among that of a case and of what was written."""
    kinds = [np.dtype(dtype), *(array.dtype for array in arrays if array.dtype.kind == "f")]
    return Rounding.of(max(kinds, key=lambda kind: np.finfo(kind).eps))


def compared(quantity, a, b, wanted, rounding):
    """The measured part of a row. `wanted` is the `Bounded` that the right network has there."""
    if a.shape != b.shape:
        return measured("differs", np.inf, np.inf, f"shape {a.shape} beside {b.shape}")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not a.size:
        return measured("no numbers", 0, 0, f"nothing in an array of shape {a.shape}, in both")
    allowed = allowance(quantity, a, b, wanted, rounding)
    void = ~np.isfinite(a) & ((a == b) | (np.isnan(a) & np.isnan(b)))
    with np.errstate(all="ignore"):
        distance = np.where(void | (a == b), 0.0, np.abs(a - b))
        used = np.where(distance == 0, 0.0, distance / allowed)
    distance, used = (np.where(np.isnan(each), np.inf, each) for each in (distance, used))
    worst = np.unravel_index(int(used.argmax()), used.shape)
    more = {
        "worst_index": str(list(map(int, worst))),
        "first_number": float(a[worst]),
        "second_number": float(b[worst]),
    }
    if (used > 1).any():
        index = tuple(map(int, np.argwhere(used > 1)[0])) if used.ndim else ()
        at = f"first at {named(quantity, index)}: " if index else ""
        note = f"{at}{a[index]:.6g} beside {b[index]:.6g} ({int((used > 1).sum())} of {used.size} numbers)"
        return measured("differs", distance.max(), used.max(), note) | more
    if void.any():
        return measured(
            "no numbers", distance.max(), used.max(), f"NaN or infinity in both at {int(void.sum())} places"
        )
    return measured("agrees", distance.max(), used.max(), "") | more


def measured(outcome, distance, used, note):
    """The measured part of a row."""
    return {"outcome": outcome, "distance": float(distance), "allowance_used": float(used), "note": note}


def allowance(quantity, a, b, wanted, rounding):
    """How far two computed values may lie from each other: see the top of this file. Broadcasts to their shape."""
    name = quantity.removeprefix("kept_").removeprefix("step_").removeprefix("d_").replace("predict", "probabilities")
    by_image = AXES[name].startswith("N") and a.shape == wanted.value.shape
    axes = tuple(range(1, a.ndim)) if by_image else None

    def largest(x):
        return np.abs(np.where(np.isfinite(x), x, 0)).max(axis=axes, keepdims=by_image)

    found, right = np.maximum(largest(a), largest(b)), largest(wanted.value)
    scale = np.maximum(1, np.divide(found, right, out=np.ones_like(found), where=right > 0))
    return 2 * (scale * largest(wanted.allowance) + rounding.short(FEW) * found)
