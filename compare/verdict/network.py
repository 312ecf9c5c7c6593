"""One network as functions by stage, which a known defect replaces: what it computes, and how it goes on from there.

The right one takes its functions from `arbiter` or `definition`; one under test takes them from an implementation
(`inserted.py`). A defect changes attributes of either in the same way, so that the same change, made to the reference,
can say what it would look like.
"""

import functools
from collections.abc import Callable

import numpy as np

from compare.graph import FORWARD, STEPS, follow


def descend(parameters, gradients, rate, memory):
    """Plain SGD: parameter - rate * gradient, by name. `memory` is a dict that lasts from step to step."""
    return {name: value - rate * gradients[name] for name, value in parameters.items()}


def through_probabilities(network):
    """Loss and its gradient are made from the network's own probabilities, as code that has no logits makes them."""

    def loss(logits, labels):
        return -np.log(network.probabilities(logits)[np.arange(len(labels)), labels]).mean()

    def loss_backward(logits, labels):
        d = network.probabilities(logits)
        return (d - np.eye(d.shape[1])[labels]) / len(d)

    network.loss, network.loss_backward = loss, loss_backward


def one_by_one(network):
    """Every function works image by image, as code does that takes one at a time. To be called last."""

    def each(name, count=0):
        right = getattr(network, name)

        def forward(x, *rest):
            return np.concatenate([right(x[n : n + 1], *rest) for n in range(len(x))])

        def backward(x, *rest):
            # in a pass the upstream gradient is that of the mean; the code was given that of each image's own loss
            n_images = len(x) if network.passing else 1
            upstream = 0 if name == "pool_backward" else 1
            found = []
            for n in range(len(x)):
                given = list(rest)
                given[upstream] = given[upstream][n : n + 1] * n_images
                found.append(right(x[n : n + 1], *given))
            if count == 1:
                return np.concatenate(found) / n_images
            dx, *of_parameters = zip(*found, strict=True)
            return np.concatenate(dx) / n_images, *(sum(values) / n_images for values in of_parameters)

        setattr(network, name, backward if count else forward)

    for name in ("conv", "pool", "dense", "probabilities"):
        each(name)
    for name, count in (("pool_backward", 1), ("dense_backward", 3), ("conv_backward", 2)):
        each(name, count)
    loss, loss_backward = network.loss, network.loss_backward
    ones = [slice(n, n + 1) for n in range(1000)]
    network.loss = lambda z, y: np.mean([loss(z[n], y[n]) for n in ones[: len(z)]])
    network.loss_backward = lambda z, y: np.concatenate([loss_backward(z[n], y[n]) for n in ones[: len(z)]]) / len(z)


class Network:
    """Stage functions that can be replaced, and what they may look at.

    Args:
        functions: anything that has the functions of `graph.STEPS`, with the arguments of `arbiter`.

    Attributes:
        scale: of images that are scaled already: nothing to do.
        keep: what the caller's images hold after a call: what they held before.
        update: parameters after one step; arguments as of `descend`.
        rate: the learning rate of the step that is being made; 0 where gradients are asked for and nothing is updated.
        before: what the previous pass held, by name (images, labels, conv, pool, logits, d_logits, d_pool, d_conv), or
            None in the first; for a stage alone, what that stage was given the time before.
        passing: whether a whole pass is being judged, and not a stage alone.
    """

    conv: Callable
    conv_backward: Callable
    pool: Callable
    pool_backward: Callable
    dense: Callable
    dense_backward: Callable
    probabilities: Callable
    loss: Callable
    loss_backward: Callable

    def __init__(self, functions):
        for step in STEPS:
            setattr(self, step.function, getattr(functions, step.function))
        self.scale: Callable = lambda images: images
        self.keep: Callable = lambda images: images
        self.update: Callable = descend
        self.rate = 0.0
        self.before: dict | None = None
        self.passing = True

    def call(self, step, *arguments, padding):
        """What a step of `graph.STEPS` gives, as a tuple."""
        more = (padding,) if step.stage == "conv" else ()
        found = getattr(self, step.function)(*arguments, *more)
        return found if len(step.gives) > 1 else (found,)

    def forward(self, images, parameters, padding):
        """conv, pool, logits and probabilities by name, with what they came from."""
        return self._follow([FORWARD[stage] for stage in FORWARD if stage != "loss"], images, parameters, padding)

    def whole(self, images, labels, parameters, padding):
        """A whole pass: `forward`, the loss, and by d_ names the gradients of all of them and of the parameters."""
        return self._follow(STEPS, images, {**parameters, "labels": labels}, padding)

    def _follow(self, steps, images, known, padding):
        call = functools.partial(self.call, padding=padding)
        return follow(call, steps, {**known, "images": self.scale(images)})
