"""What each stage gives in a network with a known defect, within the rounding that the right one is allowed."""

import numpy as np

from compare.verdict.allowances import Bounded

ULPS = 16  # of the largest value: for the rounding of the change, or where the right stage brings no allowance


class ChangedStages:
    """The methods of `Stages`, by a changed `Network`.

    A value of the changed network is allowed the largest allowance of the right one's tensor, times how much larger the
    changed values are. That is coarser than the verdict, element by element, and still far finer than what tells one
    defect from another: those differ by whole factors, signs and places.

    Args:
        right: `Stages` of the right network.
        network: a `Network` with changes.
    """

    def __init__(self, right, network):
        self.right = right
        self.network = network
        self.padding = right.padding
        self.rounding = right.rounding

    def at(self, before=None, rate=0.0, passing=True):
        """Tell the changed functions where they stand; see `Network`."""
        self.network.before, self.network.rate, self.network.passing = before, rate, passing

    def scale(self, images):
        """What the first layer is given."""
        return self.network.scale(images)

    def keep(self, images):
        """What the caller's images hold afterwards."""
        return self._like(self.network.keep(images), None)

    def conv(self, images, weight):
        """(N, H', W', F)."""
        value = self.network.conv(images, weight, self.padding)
        return self._allowed(value, lambda: self.right.conv(images, weight))

    def pool(self, x):
        """(N, P, Q, F)."""
        return self._allowed(self.network.pool(x.value), lambda: self.right.pool(x))

    def dense(self, x, weight, bias):
        """(N, K)."""
        value = self.network.dense(x.value, weight, bias)
        return self._allowed(value, lambda: self.right.dense(x, weight, bias))

    def probabilities(self, logits):
        """(N, K)."""
        return self._allowed(self.network.probabilities(logits.value), lambda: self.right.probabilities(logits))

    def loss(self, logits, labels):
        """()."""
        value = self.network.loss(logits.value, labels)
        return self._allowed(value, lambda: self.right.loss(logits, labels))

    def loss_backward(self, logits, labels, upstream=1.0):
        """(N, K)."""
        value = self.network.loss_backward(logits.value, labels) * upstream
        return self._allowed(value, lambda: self.right.loss_backward(logits, labels, upstream))

    def dense_backward(self, x, weight, d):
        """`pool`, `dense_weight` and `dense_bias`."""
        values = self.network.dense_backward(x.value, weight, d.value)
        right = _of_right(lambda: self.right.dense_backward(x, weight, d))
        names = ("pool", "dense_weight", "dense_bias")
        return {name: self._like(v, right and right[name]) for name, v in zip(names, values, strict=True)}

    def pool_backward(self, x, dy):
        """(N, H', W', F)."""
        value = self.network.pool_backward(x.value, dy.value)
        return self._allowed(value, lambda: self.right.pool_backward(x, dy))

    def conv_backward(self, images, weight, dy, need_dx=True):
        """`images` and `conv_weight`."""
        values = self.network.conv_backward(images, weight, dy.value, self.padding)
        right = _of_right(lambda: self.right.conv_backward(images, weight, dy))
        return {n: self._like(v, right and right[n]) for n, v in zip(("images", "conv_weight"), values, strict=True)}

    def update(self, parameters, gradients, rate, memory):
        """Parameters after a step, by name; gradients are `Bounded`."""
        right = self.right.update(parameters, gradients, rate, {})
        values = self.network.update(parameters, {n: g.value for n, g in gradients.items()}, rate, memory)
        return {name: self._like(value, right[name]) for name, value in values.items()}

    def _allowed(self, value, make_right):
        return self._like(value, _of_right(make_right))

    def _like(self, value, right):
        value = np.asarray(value, np.float64)
        size = _largest(value)
        allowance = ULPS * self.rounding.unit * size + self.rounding.tiny  # the change itself may round as well
        if right is not None:
            gain = max(1.0, size / max(_largest(right.value), self.rounding.tiny))
            allowance = max(allowance, _largest(right.allowance) * gain)
        return Bounded(value, np.full(value.shape, allowance))


def _of_right(make):
    """The right stage's answer; None where it cannot take what the changed stage before it made."""
    try:
        return make()
    except (ValueError, IndexError):
        return None


def _largest(array):
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0
