"""The network once more, for tests alone: 50 digits, and no formula for a gradient anywhere.

Only the forward pass is written down, from the definition of each operation, in numbers that remember what they were
made of. The gradients follow by the chain rule from the derivatives of five operations: a sum of products, a maximum,
exp, ln and a quotient. Nothing here comes from `numpy_cnn` or `compare`, and NumPy only holds the numbers.

An array here is an object array of `Number`; shapes as everywhere: (N, H, W, C), (3, 3, C, F), (P*Q*F, K).
"""

import numpy as np
from mpmath import mp, mpf

DIGITS = 50


class Number:
    """A value of 50 digits, with pairs (number it was made of, derivative with respect to that one)."""

    __slots__ = ("gradient", "of", "value")

    def __init__(self, value, of=()):
        self.value = value
        self.of = of
        self.gradient = mpf(0)


def sum_of_products(pairs):
    """Number from pairs of Numbers; d(ab) = b da + a db."""
    value = mp.fdot((a.value, b.value) for a, b in pairs)
    return Number(value, [(a, b.value) for a, b in pairs] + [(b, a.value) for a, b in pairs])


def sum_of(terms):
    """Number from Numbers, each with derivative 1."""
    return Number(mp.fsum(term.value for term in terms), [(term, mpf(1)) for term in terms])


def maximum(candidates):
    """The first of the largest Numbers alone has derivative 1, as PyTorch, TensorFlow and JAX have it."""
    first = candidates[0]
    for candidate in candidates[1:]:
        if candidate.value > first.value:
            first = candidate
    return Number(first.value, [(first, mpf(1))])


def exponential(a):
    """d exp(a) = exp(a) da."""
    value = mp.exp(a.value)
    return Number(value, [(a, value)])


def minus_logarithm(a):
    """d(-ln a) = -da / a."""
    return Number(-mp.log(a.value), [(a, -1 / a.value)])


def quotient(a, b):
    """d(a/b) = da / b - a db / b^2."""
    return Number(a.value / b.value, [(a, 1 / b.value), (b, -a.value / b.value**2)])


def numbers(array):
    """Numbers from floats or mpf; exact, since a float64 is a binary number of far fewer digits."""
    array = np.asarray(array)
    held = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        held[index] = Number(mpf(array[index]))
    return held


def conv(images, weight, padding):
    """y[n,p,q,f] = sum over i,j,c of image[n,p+i,q+j,c] * weight[i,j,c,f]; what lies outside the image is absent."""
    count, height, width, channels = images.shape
    outside = {"valid": 0, "same": 1}[padding]
    y = np.empty((count, height - 2 + 2 * outside, width - 2 + 2 * outside, weight.shape[3]), object)
    for n, p, q, f in np.ndindex(y.shape):
        y[n, p, q, f] = sum_of_products(
            [
                (images[n, p + i - outside, q + j - outside, c], weight[i, j, c, f])
                for i in range(3)
                for j in range(3)
                for c in range(channels)
                if 0 <= p + i - outside < height and 0 <= q + j - outside < width
            ]
        )
    return y


def pool(x):
    """The maximum of every whole 2x2 window."""
    y = np.empty((x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]), object)
    for n, p, q, f in np.ndindex(y.shape):
        window = x[n, 2 * p : 2 * p + 2, 2 * q : 2 * q + 2, f]
        y[n, p, q, f] = maximum([window[0, 0], window[0, 1], window[1, 0], window[1, 1]])
    return y


def dense(x, weight, bias):
    """logits[n,k] = sum over j of x[n,j] * weight[j,k] + bias[k], where j counts (P, Q, F) with F fastest."""
    one = Number(mpf(1))
    logits = np.empty((len(x), len(bias)), object)
    for n, k in np.ndindex(logits.shape):
        values = [x[(n, *place)] for place in np.ndindex(x.shape[1:])]
        logits[n, k] = sum_of_products([*zip(values, weight[:, k], strict=True), (bias[k], one)])
    return logits


def probabilities(logits):
    """exp(z_k) / sum of exp(z): mpmath has no largest number, so nothing needs to be shifted."""
    p = np.empty(logits.shape, object)
    for n, row in enumerate(logits):
        e = [exponential(z) for z in row]
        total = sum_of(e)
        p[n] = [quotient(value, total) for value in e]
    return p


def loss(p, labels):
    """The mean of -ln of the probability of the right class."""
    each = [minus_logarithm(p[n, int(label)]) for n, label in enumerate(labels)]
    return np.array(quotient(sum_of(each), Number(mpf(len(each)))), object)


def backward(outputs, upstream):
    """Leave in every Number behind `outputs` its `gradient`: of the sum of outputs times upstream gradients."""
    order, seen = [], set()
    waiting = [(number, False) for number in outputs.ravel()]
    while waiting:  # a number comes into `order` after all that it was made of
        number, done = waiting.pop()
        if done:
            order.append(number)
        elif id(number) not in seen:
            seen.add(id(number))
            number.gradient = mpf(0)
            waiting.append((number, True))
            waiting += [(part, False) for part, _ in number.of]
    for number, gradient in zip(outputs.ravel(), np.asarray(upstream, object).ravel(), strict=True):
        number.gradient += gradient
    for number in reversed(order):
        for part, derivative in number.of:
            part.gradient += number.gradient * derivative


def values(array):
    """The values of an array of Numbers, as mpf."""
    return _each(array, "value")


def gradients(array):
    """The gradients that the last `backward` left in an array of Numbers, as mpf."""
    return _each(array, "gradient")


def _each(array, attribute):
    found = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        found[index] = getattr(array[index], attribute)
    return found


def alone(stage, given, upstream=None):
    """One of STAGES of inputs of its own.

    Args:
        given: arguments of the stage by name, in order; arrays of floats become Numbers, the rest is passed on.
        upstream: gradient with respect to the output, shaped as it; none leaves the gradients out.
    Returns:
        y: object array of mpf; and the gradients of the arrays of floats, by name.
    """
    with mp.workdps(DIGITS):
        made = {name: numbers(value) if _is_float(value) else value for name, value in given.items()}
        y = STAGES[stage](*made.values())
        if upstream is None:
            return values(y), {}
        backward(y, values(numbers(upstream)))
        return values(y), {name: gradients(made[name]) for name, value in given.items() if _is_float(value)}


def _is_float(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


STAGES = {
    "conv": conv,
    "pool": pool,
    "logits": dense,
    "probabilities": probabilities,
    "loss": lambda logits, labels: loss(probabilities(logits), labels),
}


def whole(images, labels, parameters, padding):
    """Every activation and every gradient of the mean loss, exact to about 50 digits.

    Args:
        images (N, H, W, C), labels (N,); parameters by name, as everywhere; floats, taken as exact.
    Returns:
        dict of object arrays of mpf: conv, pool, logits, probabilities, loss, and d_ of all but the last two, of images
        and of the parameters.
    """
    with mp.workdps(DIGITS):
        made = {"images": numbers(images)} | {name: numbers(value) for name, value in parameters.items()}
        made["conv"] = conv(made["images"], made["conv_weight"], padding)
        made["pool"] = pool(made["conv"])
        made["logits"] = dense(made["pool"], made["dense_weight"], made["dense_bias"])
        made["probabilities"] = probabilities(made["logits"])
        made["loss"] = loss(made["probabilities"], labels)
        backward(made["loss"], mpf(1))
        found = {name: values(made[name]) for name in ("conv", "pool", "logits", "probabilities", "loss")}
        names = ("logits", "pool", "conv", "images", "conv_weight", "dense_weight", "dense_bias")
        return found | {f"d_{name}": gradients(made[name]) for name in names}
