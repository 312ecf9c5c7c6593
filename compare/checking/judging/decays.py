"""Weight decay: a multiple of the weights in their own gradient, as of a loss with an L2 term. A convention."""

import numpy as np

from compare.checking.judging.conventions import BATCH, Convention
from compare.checking.judging.epsilons import first, of, rows_of
from compare.verdict.defects.defect import gives

LARGEST = 0.1  # in use are 1e-5 to 1e-2: what is larger is more likely another mistake
DIGITS = (1, 2, 3, 6)  # of the multiple, which a person wrote: as few as explain what was found


def decays(evidence, more):
    """The conventions by which gradients of weights, at most those of both, have a multiple of the weights in them.

    Args:
        evidence: an `Evidence`. more: conventions that hold as well.
    """
    found: tuple = ()
    for name, words in (("conv_weight", "filters"), ("dense_weight", "dense layer's weights")):
        if rows := rows_of(evidence, f"d_{name}"):
            scales = ([], *([each.change] for each in BATCH))
            bases = ([*(each.change for each in more), *scale] for scale in scales)
            found += next(filter(None, (_decay(evidence, base, rows, name, words) for base in bases)), ())
    return found


def _decay(evidence, base, rows, name, words):
    """A tuple of the convention that explains all of these rows, or ()."""
    row = first(rows)
    seen, right = of(evidence, base, row)
    weight = np.asarray(evidence.cases[row["probe"], row["dtype"]].parameters[name], np.float64)
    if seen is None or right is None or seen.shape != right.value.shape:
        return ()
    share = float(np.vdot(seen - right.value, weight) / np.vdot(weight, weight))
    if not 0 < share <= LARGEST:
        return ()
    for shown in dict.fromkeys(f"{share:.{digits}g}" for digits in DIGITS):
        change = gives(f"d_{name}", lambda value, given, by=float(shown): value + by * given[name])
        if not evidence.unexplained([*base, change], rows):
            added = f"{shown} times the {words} is added to their gradient"
            remark = f"weight decay: {added}, as of a loss with an L2 term, which ours has not: it is held to that"
            return (Convention(f"weight decay of the {words}", remark, change),)
    return ()
