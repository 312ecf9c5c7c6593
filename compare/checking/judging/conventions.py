"""What is not a mistake: other conventions, scaled out before the rest is judged, and said as a remark."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compare.verdict.defects.defect import Defect, sees, wrap
from compare.verdict.defects.of_pool import corners, routed, winners
from compare.verdict.defects.turns import zeroed
from compare.verdict.network import Network


@dataclass(frozen=True)
class Convention:
    """A way to build this network that differs from ours and is right: a name, a remark, and the change it makes."""

    name: str
    remark: str
    change: Callable[[Network], None]


def _summed(network):
    wrap(network, "loss_backward", lambda right, z, labels: right(z, labels) * z.dtype.type(len(z)))


def _all_summed(network):
    _summed(network)
    wrap(network, "loss", lambda right, z, labels: right(z, labels) * z.dtype.type(len(z)))


def _divided_at_the_parameters(network):
    def dense_backward(right, x, w, d):
        dx, dw, db = right(x, w, d)
        return dx, dw / len(x), db / len(x)

    def conv_backward(right, x, w, dy, padding):
        dx, dw = right(x, w, dy, padding)
        return dx, dw / len(x)

    _summed(network)
    wrap(network, "dense_backward", dense_backward)
    wrap(network, "conv_backward", conv_backward)


def _averaging(network):
    network.pool = lambda x: corners(x).mean(axis=-1)
    routed(lambda x: x * 0 + 0.25)(network)


NO_BIAS = Convention(
    "no dense bias",
    "the dense layer has no bias, which ours has: it is held to that",
    sees("logits", dense_bias=zeroed),
)
AVERAGE_POOLING = Convention("average pooling", "pooling is average, by its name", _averaging)


# Activations that a convolution may end in: the function, and its derivatives at what goes in. At 0 that of max(x, 0)
# is anything from 0 to 1: either end is taken by somebody.
ACTIVATIONS: dict = {
    "relu": (lambda x: np.maximum(x, 0), (lambda x: x > 0, lambda x: x >= 0)),
    "leaky relu": (lambda x: np.maximum(x, 0.01 * x), (lambda x: np.where(x > 0, 1, 0.01),)),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (lambda x: np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) ** 2,)),
    "tanh": (np.tanh, (lambda x: 1 - np.tanh(x) ** 2,)),
}


def _ending_in(stage, activation, derivative):
    def change(network):
        forward, back = getattr(network, stage), getattr(network, f"{stage}_backward")
        if stage == "pool":
            network.pool = lambda x: activation(forward(x))
            network.pool_backward = lambda x, dy: back(x, dy * derivative(forward(x)))
            return
        network.conv = lambda x, w, padding: activation(forward(x, w, padding))
        network.conv_backward = lambda x, w, dy, padding: back(x, w, dy * derivative(forward(x, w, padding)), padding)
        network.without_derivative = back

    return change


ACTIVATED = {
    f"{name} in the {word}": tuple(
        Convention(
            f"{name} in the {word}",
            f"the {word} ends in {name}, which ours has not: it is held to that, forward and backward",
            _ending_in(stage, function, derivative),
        )
        for derivative in derivatives
    )
    for name, (function, derivatives) in ACTIVATIONS.items()
    for stage, word in (("conv", "convolution"), ("pool", "pooling"))
}


def _without_derivative(network):
    back = getattr(network, "without_derivative", network.conv_backward)
    network.conv_backward = lambda x, w, dy, padding: back(x, w, dy, padding)


def _sign_of_the_gradient(network):
    back = getattr(network, "without_derivative", network.conv_backward)
    network.conv_backward = lambda x, w, dy, padding: back(x, w, dy * (dy > 0), padding)


# Mistakes that only such a convolution can make.
OF_ACTIVATED = (
    Defect(
        "the activation's derivative is left out",
        "conv backward",
        "the upstream gradient goes on as it came, also where the activation is flat",
        "multiply the upstream gradient by the derivative of the activation first",
        _without_derivative,
    ),
    Defect(
        "the derivative asks for the sign of the gradient",
        "conv backward",
        "negative upstream gradients are lost, and positive ones pass where the activation gave 0",
        "the mask is where the activation's input was above 0, not where the gradient is",
        _sign_of_the_gradient,
    ),
)


def _not_finite(network):
    def loss(right, logits, labels):
        with np.errstate(all="ignore"):
            found = -(np.eye(logits.shape[1])[labels] * np.log(network.probabilities(logits))).sum(axis=1).mean()
        return right(logits, labels) if np.isfinite(found) else found

    wrap(network, "loss", loss)


OF_LOSS = Defect(
    "loss of large logits is no number",
    "loss forward",
    "NaN where a probability rounds to 0, which 0 times its logarithm is, or where an exp is too large",
    "make it from the logits: log(sum(exp(z - max))) - (z[label] - max)",
    _not_finite,
)
SPLIT = Convention(
    "ties split evenly",
    "tied maxima share the gradient evenly: as good a subgradient as giving it to the first",
    routed(lambda x: winners(x) / winners(x).sum(axis=-1, keepdims=True)),
)
BATCH = (
    Convention(
        "gradients summed", "gradients are summed over the batch, all of them, where ours are averaged", _summed
    ),
    Convention("loss and gradients summed", "loss and gradients are summed over the batch, ours averaged", _all_summed),
    Convention(
        "divided at the parameters",
        "the division by the batch is made at each parameter's gradient, not at the loss",
        _divided_at_the_parameters,
    ),
)
# Every set of them that can hold at once, the fewest first.
SETS = ((), (SPLIT,), *((one,) for one in BATCH), *((SPLIT, one) for one in BATCH))


def _guarded(epsilon, guard):
    """A loss that keeps its probabilities from 0."""

    def change(network):
        def loss(logits, labels):
            chosen = network.probabilities(logits)[np.arange(len(labels)), labels]
            return -np.log(guard(chosen, epsilon)).mean()

        network.loss = loss

    return change


def _bound(p, epsilon):
    return np.clip(p, epsilon, 1 - epsilon)


def _guarded_backward(epsilon, guard):
    """A gradient of the logits, p - y, that is made of the probabilities so kept from 0."""

    def change(network):
        def loss_backward(logits, labels):
            p = guard(network.probabilities(logits), epsilon)
            return (p - np.eye(p.shape[1])[labels]) / len(p)

        network.loss_backward = loss_backward

    return change


def _guarded_quotient(epsilon, guard):
    """A gradient that is led through the softmax from -1 / p, with a p so kept from 0: (p - y) p / guard(p)."""

    def change(network):
        def loss_backward(logits, labels):
            p = network.probabilities(logits)
            true = p[np.arange(len(labels)), labels][:, None]
            return (p - np.eye(p.shape[1])[labels]) * (true / guard(true, epsilon)) / len(p)

        network.loss_backward = loss_backward

    return change


def _softmax_with(epsilon, in_the_sum):
    """A softmax that adds a number to the sum that it divides by, or to what comes out."""

    def change(network):
        def probabilities(z):
            e = np.exp(z - z.max(axis=-1, keepdims=True))
            return e / (e.sum(axis=-1, keepdims=True) + epsilon * in_the_sum) + epsilon * (not in_the_sum)

        network.probabilities = probabilities

    return change


def _kept_from_0(epsilon, guard):
    """A softmax of which what comes out is kept from 0, or from 0 and 1."""
    return lambda network: wrap(network, "probabilities", lambda right, z: guard(right(z), epsilon))


# Small enough to leave a result as it is but for rare rows.
SMALL = (*(10.0**-n for n in range(5, 21)), float(np.finfo(float).eps), float(np.finfo(np.float32).eps))
WAYS = (("added inside", np.add), ("as the least inside", np.maximum), ("at both ends of", _bound))


def _small(name, remark, change, ways=WAYS):
    """A convention for each small number and way to put it in; {} in name and remark is like "1e-08 added inside"."""
    put = [(f"{epsilon:g} {how}", change(epsilon, guard)) for epsilon in SMALL for how, guard in ways]
    return tuple(Convention(name.format(words), remark.format(words), changed) for words, changed in put)


SUMS = (
    *_small(
        "{} the probabilities",
        "{} the probabilities is too small to matter, and they no longer add up to 1",
        _kept_from_0,
        (("as the least of", np.maximum), ("at both ends of", _bound)),
    ),
    *_small(
        "{} the sum of the softmax",
        "{} the sum that the softmax divides by is not needed: that sum is never below 1",
        _softmax_with,
        (("added to", True),),
    ),
    *_small(
        "{} the probabilities",
        "{} each probability is too small to matter, and they no longer add up to 1",
        _softmax_with,
        (("added to", False),),
    ),
)
# The ways in which a loss is made from probabilities: as they are, or kept from 0 by a small `epsilon`.
GUARDS = (
    Convention(
        "loss of probabilities",
        "the loss is the logarithm of a probability, infinite where that rounds to 0; made from the logits it is not",
        _guarded(0.0, lambda p, epsilon: p),
    ),
    *_small(
        "{} the logarithm",
        "{} the logarithm keeps the loss finite, which is right but for probabilities as small",
        _guarded,
    ),
)
# The same in the gradient: what was kept for the logarithm, or the softmax, goes into p - y as well.
GUARDS_BACKWARD = (
    Convention(
        "p - y of the probabilities",
        "p - y is made of the probabilities, so what is added to these stays in it",
        _guarded_backward(0.0, lambda p, epsilon: p),
    ),
    *_small(
        "p - y with {} the logarithm",
        "{} the logarithm stays in p - y as well, which is off by no more than that",
        _guarded_backward,
    ),
    *_small(
        "-1 / p with {} the logarithm",
        "{} the logarithm stays in -1 / p as well: the gradient is too small where p is as small",
        _guarded_quotient,
    ),
)
