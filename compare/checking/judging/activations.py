"""ReLU, leaky or not, sigmoid and tanh held to their definitions, forward and back; and the mistakes known of them."""

import numpy as np

ROUNDINGS = 16  # at most, in whatever way a sigmoid or a tanh is written, of numbers no larger than 1
EPSILON = 1e-6  # what is added against a division by 0, or lost by single precision inside, is no mistake
HUGE, CLIPPED = 1e3, 1e-4  # so large an argument may be clipped first, as at 10: s(10) is 1 - 5e-5
FORMULA = {"ReLU": "np.maximum(x, 0)", "sigmoid": "1 / (1 + np.exp(-x))", "tanh": "np.tanh(x)"}


def value(kind, x, slope=0.0):
    """What comes out of a "ReLU", which has a slope below 0, of a "sigmoid" or a "tanh"; elementwise."""
    if kind == "sigmoid":
        e = np.exp(-np.abs(x))
        return np.where(x >= 0, 1, e) / (1 + e)
    return np.tanh(x) if kind == "tanh" else np.where(x > 0, x, slope * x)


def derivative(kind, x, slope=0.0):
    """Its derivative; of a ReLU at 0 that from below."""
    y = value(kind, x)
    return {"ReLU": np.where(x > 0, 1.0, slope), "sigmoid": y * (1 - y), "tanh": 1 - y**2}[kind]


def slope_below(x, y):
    """The one factor of numbers below 0, where those above are as they are; None where there is none."""
    above, below = (x > 0) & (x < HUGE), (x < 0) & (x > -HUGE)
    ratio = y[below] / x[below]
    one = np.allclose(y[above], x[above], rtol=1e-5) and np.allclose(ratio, ratio[0], rtol=1e-5, atol=EPSILON)
    return float(ratio[0]) if one else None


def off(found, wanted, x, other=None):
    """(place where an array is farthest off, None where it agrees; whether that takes an epsilon).

    Args:
        found: of whatever dtype it came in. wanted: float64. x: what went in.
        other: of a gradient, what it may be where x is 0 as well; and whatever lies between.
    """
    number = np.where(np.isfinite(found), found, np.inf).astype(np.float64)
    low, high = (wanted, wanted) if other is None else (np.minimum(wanted, other), np.maximum(wanted, other))
    between = (x == 0) & (number >= low) & (number <= high)
    error = np.where(between, 0, np.abs(number - wanted)) / np.maximum(1, np.abs(wanted))
    rounding = ROUNDINGS * np.finfo(found.dtype).eps / 2
    if (error > np.maximum(np.where(np.abs(x) < HUGE, EPSILON, CLIPPED), rounding)).any():
        return np.unravel_index(np.argmax(np.where(x == 0, error / 2, error)), x.shape), False
    return None, bool((error[np.abs(x) < HUGE] > rounding).any())


def mistake(kind, x, found):
    """What a forward that differs gives instead, and advice; "" where it is no known mistake."""
    known = {
        "it gives its input as it is": x,
        "it keeps what is below 0 and cuts off what is above": np.minimum(x, 0),
        f"it goes through the {kind} twice": value(kind, value(kind, x)),
        "the sign of its input is turned": value(kind, -x),
        "it gives the derivative": derivative(kind, x),
        **{f"it is the {each}": value(each, x) for each in FORMULA},
    }
    return _known(known, x, found, FORMULA[kind])


def mistake_back(kind, slope, x, dy, found, before):
    """The same of a way back; dy: ones for the derivative alone, before: the input of the forward before the last."""
    y = value(kind, x, slope)
    right, twice, masked = derivative(kind, x, slope), derivative(kind, y, slope), np.where(x > 0, dy, 0)
    known = {
        "there is no mask and no derivative in it": dy,
        "it has the output of forward in place of the derivative": dy * y,
        "the upstream gradient is left out": right,
        "its sign is turned": -dy * right,
        "it is of the input of an earlier forward": dy * derivative(kind, before, slope),
    }
    known |= {
        "ReLU": {
            f"it hands on nothing below 0, where forward has a slope of {slope:.3g}": masked,
            "the mask is of the gradient's sign, not of the input's": np.where(dy > 0, dy, slope * dy),
            "the mask is of the gradient's sign as well as of the input's": np.where(dy > 0, masked, 0),
            "the mask is turned round": np.where(x < 0, dy, 0),
            "the slope below 0 has the wrong sign": np.where(x > 0, dy, -slope * dy),
            "below 0 it gives the slope, not the gradient times the slope": np.where(x > 0, dy, slope),
        },
        "sigmoid": {
            "the sigmoid is taken once more, of what has been through it": dy * twice,
            "s * (1 - s) is of the input, not of the output": dy * x * (1 - x),
            "the factor s of s * (1 - s) is missing": dy * (1 - y),
            "it is the derivative of ReLU": masked,
        },
        "tanh": {
            "the tanh is taken once more, of what has been through it": dy * twice,
            "1 - t**2 is of the input, not of the output": dy * (1 - x**2),
            "the square of 1 - t**2 is missing": dy * (1 - y),
            "it is the derivative of ReLU": masked,
        },
    }[kind]
    relu = f"1 where the input of the last forward is above 0, and by {slope:.3g} elsewhere"
    factor = {"ReLU": relu, "sigmoid": "s * (1 - s) of its output s", "tanh": "1 - t**2 of its output t"}[kind]
    return _known(known, x, found, f"multiply the upstream gradient by {factor}")


def _known(known, x, found, advice):
    if not np.isfinite(found).all():
        return f"it is not finite at {HUGE:g} or -{HUGE:g}; let exp see nothing large, or use np.tanh"
    names = (name for name, wrong in known.items() if np.allclose(found[x != 0], wrong[x != 0], rtol=1e-5))
    return next((f"{name}; {advice}" for name in names), "")
