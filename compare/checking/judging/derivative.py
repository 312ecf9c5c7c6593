"""A gradient held to the derivative of the code's own forward: for what is no part of this network."""

import numpy as np

# Of numbers of size 1: central differences are off by STEP**2 from the curve and by 2^-53 / STEP from rounding, 1e-12
# and 1e-10; so small a step seldom meets a kink, as of a maximum.
STEP = 2.0**-20
CLOSE, FAR = 1e-6, 1e-4  # of the sum of all sizes: closer is agreement; farther is none; between lies an epsilon


class UndecidedError(Exception):
    """The derivative cannot be told: of a kink, of single precision, or of something random inside."""


def along(value):
    """The derivative at 0 of what the code computes along one direction.

    Args:
        value: takes t, gives a float64 number: of a forward the sum of upstream gradient times output at `x + t * v`.
    Raises:
        UndecidedError: two sizes of step give two derivatives, or no finite one, or its two sides do, as at a kink.
    """
    ahead, base, back = value(STEP), value(0.0), value(-STEP)
    first, second = (ahead - back) / (2 * STEP), (value(STEP / 2) - value(-STEP / 2)) / STEP
    size = max(abs(base), abs(first), abs(second))
    if not abs(ahead - 2 * base + back) / STEP <= FAR * size:
        raise UndecidedError(f"its two sides give the derivatives {(ahead - base) / STEP:.6g} and {second:.6g}")
    if not abs(first - second) <= CLOSE * size:
        raise UndecidedError(f"steps of {STEP:.1g} and half of it give the derivatives {first:.6g} and {second:.6g}")
    return second


def verdict(gradients, directions, derivatives):
    """(outcome, what is seen) of one gradient array that was measured along several directions.

    Args:
        gradients: of each measurement the array that the code gives.
        directions: arrays of their shapes. derivatives: of `along`, one for each.
    Returns:
        ("agrees", ""), ("agrees", said) where only an epsilon is between, or ("differs", said).
    """
    found = [float(np.sum(g * v)) for g, v in zip(gradients, directions, strict=True)]
    sizes = [float(np.abs(g * v).sum()) for g, v in zip(gradients, directions, strict=True)]
    wrong = [
        abs(f - d) / max(s, abs(d)) if max(s, abs(d)) else 0.0
        for f, d, s in zip(found, derivatives, sizes, strict=True)
    ]
    worst = int(np.argmax([w if np.isfinite(w) else np.inf for w in wrong]))
    if wrong[worst] <= CLOSE:
        return "agrees", ""
    seen = (
        f"its change along a random direction is {found[worst]:.6g}, that of its own forward {derivatives[worst]:.6g}"
    )
    if wrong[worst] <= FAR:
        return "agrees", f"{seen}: within {FAR:g} only"
    return "differs", f"{seen}{_times(found, derivatives)}"


def _times(found, derivatives):
    """What is said where the gradient is the same multiple of the right one each time."""
    if not any(found):
        return ": it is zero"
    times = np.array(found) / np.array(derivatives)
    if len(times) > 1 and np.allclose(times, times[0], rtol=1e-5):
        return f": {times[0]:.6g} times as large as it should be"
    return ""
