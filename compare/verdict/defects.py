"""Known defects: mistakes that people make in this network, each once, as a small change of the right one.

Every change is made to an object of `numpy_cnn.layers.Layers`. `stage` is where the change is, and so where `parity`
must see it first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numpy_cnn.layers import Layers


@dataclass(frozen=True)
class Defect:
    """A mistake: its name, the stage it is in (a value of `judge.STAGE_OF`), what to do about it, and the change."""

    name: str
    stage: str
    advice: str
    change: Callable[[Layers], None]

    def network(self):
        """The class of the network with this defect, by the contract."""
        change = self.change

        class Defective(Layers):
            def __init__(self, *arguments, **settings):
                super().__init__(*arguments, **settings)
                change(self)

        return Defective


def _with_weight(layer, method, turn):
    """Make a layer's method see its weights through `turn`."""
    right = getattr(layer, method)

    def wrong(*arguments):
        kept = layer.weight
        layer.weight = turn(kept)
        try:
            return right(*arguments)
        finally:
            layer.weight = kept

    setattr(layer, method, wrong)


def _kernel_flipped(network):
    _with_weight(network.conv, "forward", lambda w: w[::-1, ::-1])


def _kernel_transposed(network):
    _with_weight(network.conv, "forward", lambda w: w.swapaxes(0, 1))


def _after(layer, **changes):
    """Let a layer's `backward` run, then change the gradients that it stored."""
    right = layer.backward

    def wrong(*arguments, **settings):
        dx = right(*arguments, **settings)
        for name, change in changes.items():
            setattr(layer, name, change(getattr(layer, name)))
        return dx

    layer.backward = wrong


def _no_filter_gradient(network):
    _after(network.conv, d_weight=np.zeros_like)


def _filter_gradient_transposed(network):
    _after(network.conv, d_weight=lambda d: d.swapaxes(0, 1))


def _no_bias_gradient(network):
    _after(network.softmax, d_bias=np.zeros_like)


def _bias_gradient_over_classes(network):
    _after(network.softmax, d_bias=lambda d: np.full_like(d, d.sum()))


def _images_gradient_unflipped(network):
    right = network.conv.backward

    def wrong(dy, need_dx=True):
        d_images = right(dy, need_dx=False)
        own = network.conv.d_weight
        if need_dx:
            kept = network.conv.weight
            network.conv.weight = kept[::-1, ::-1]
            d_images = right(dy)
            network.conv.weight, network.conv.d_weight = kept, own
        return d_images

    network.conv.backward = wrong


def _pool(network, share):
    """Give each corner of a window `share(corners, first winner)` of its gradient."""
    pool, right, seen = network.pool, network.pool.forward, {}

    def forward(x):
        seen["x"] = np.asarray(x)
        return right(x)

    def backward(dy):
        x = seen["x"]
        n, h, w, f = x.shape
        p, q = h // 2, w // 2
        corners = x[:, : 2 * p, : 2 * q].reshape(n, p, 2, q, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, p, q, f, 4)
        given = (share(corners) * np.asarray(dy)[..., None]).astype(x.dtype)
        dx = np.zeros_like(x)
        dx[:, : 2 * p, : 2 * q] = (
            given.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * p, 2 * q, f)
        )
        return dx

    pool.forward, pool.backward = forward, backward


def _tie_to_all(network):
    _pool(network, lambda corners: corners == corners.max(axis=-1, keepdims=True))


def _tie_to_last(network):
    _pool(network, lambda corners: np.arange(4) == 3 - corners[..., ::-1].argmax(axis=-1)[..., None])


def _gradient_to_every_corner(network):
    _pool(network, lambda corners: np.full(corners.shape, 0.25))


def _flatten_channels_first(network):
    logits, backward = network.softmax.logits, network.softmax.backward
    network.softmax.logits = lambda x: logits(np.asarray(x).transpose(0, 3, 1, 2))
    network.softmax.backward = lambda d_logits: backward(d_logits).transpose(0, 2, 3, 1)


def _gradient_summed(network):
    right = network.loss_backward
    network.loss_backward = lambda logits, labels: right(logits, labels) * logits.dtype.type(len(labels))


def _softmax_shifted_by_batch(network):
    def wrong(logits):
        e = np.exp(logits - logits.max())
        with np.errstate(invalid="ignore"):
            return e / e.sum(axis=1, keepdims=True)

    network.probabilities = wrong


def _loss_in_bits(network):
    right = network.loss
    network.loss = lambda logits, labels: right(logits, labels) / logits.dtype.type(np.log(2))


DEFECTS = (
    Defect(
        "every tied maximum gets the gradient",
        "pool backward",
        "give it to the first maximum of the window, not to all that equal it",
        _tie_to_all,
    ),
    Defect("a tie goes to the last maximum", "pool backward", "take the first in row order", _tie_to_last),
    Defect(
        "every corner of a window gets a quarter",
        "pool backward",
        "that is the gradient of a mean; a maximum gives all of it to one corner",
        _gradient_to_every_corner,
    ),
    Defect(
        "the filters get no gradient",
        "conv backward",
        "sum x * dy over the batch and all places into d_weight",
        _no_filter_gradient,
    ),
    Defect(
        "filter gradient transposed",
        "conv backward",
        "rows of the kernel go with rows of the image",
        _filter_gradient_transposed,
    ),
    Defect(
        "kernel not turned for the images",
        "conv backward",
        "backwards, dy is convolved with the filters turned by 180 degrees",
        _images_gradient_unflipped,
    ),
    Defect("kernel flipped", "conv forward", "cross-correlation does not flip the kernel", _kernel_flipped),
    Defect("kernel transposed", "conv forward", "rows of the kernel go with rows of the image", _kernel_transposed),
    Defect(
        "flatten in channels-first order",
        "dense forward",
        "the rows of dense_weight are in (P, Q, F) order",
        _flatten_channels_first,
    ),
    Defect(
        "bias gradient dropped", "dense backward", "d_bias is the sum of d_logits over the batch", _no_bias_gradient
    ),
    Defect(
        "bias gradient summed over classes",
        "dense backward",
        "sum over the batch, axis 0, and keep the classes apart",
        _bias_gradient_over_classes,
    ),
    Defect(
        "gradient summed over the batch",
        "loss backward",
        "the loss is a mean: divide by N",
        _gradient_summed,
    ),
    Defect(
        "one shift for the whole batch",
        "softmax forward",
        "shift each row by its own maximum, or small rows become 0 / 0",
        _softmax_shifted_by_batch,
    ),
    Defect("loss in bits", "loss forward", "use the natural logarithm", _loss_in_bits),
)
