"""What each stage gives in a network with a known defect, within the rounding that the right one is allowed."""

import numpy as np

from compare.verdict.allowances import Bounded

ULPS = 16  # of the largest value: for the rounding of the change, or where the right stage brings no allowance


class ChangedStages:
    """What `Stages` does, by a changed `Network`.

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

    def call(self, step, *given, need_dx=True):
        """What a step of `graph.STEPS` gives, as a tuple of `Bounded`. Arguments as of the methods of `Stages`."""
        values = [each.value if isinstance(each, Bounded) else each for each in given]
        upstream = values[len(step.takes) :]  # of the loss: a scalar, by which any function's answer is multiplied
        found = self.network.call(step, *values[: len(step.takes)], padding=self.padding)
        try:
            right = self.right.call(step, *given)
        except (ValueError, IndexError):  # it cannot take what the changed stage before it made
            right = [None] * len(found)
        return tuple(
            self._like(np.multiply(v, *upstream) if upstream else v, r) for v, r in zip(found, right, strict=True)
        )

    def update(self, parameters, gradients, rate, memory):
        """Parameters after a step, by name; gradients are `Bounded`."""
        right = self.right.update(parameters, gradients, rate, {})
        values = self.network.update(parameters, {n: g.value for n, g in gradients.items()}, rate, memory)
        return {name: self._like(value, right[name]) for name, value in values.items()}

    def _like(self, value, right):
        value = np.asarray(value, np.float64)
        size = _largest(value)
        allowance = ULPS * self.rounding.unit * size + self.rounding.tiny  # the change itself may round as well
        if right is not None:
            right_size, right_allowance = _largest(right.value), _largest(right.allowance)
            # of what is 0 but for rounding nothing can be told to be larger, and its allowance is that of a difference
            gain = max(1.0, size / right_size) if right_size > right_allowance else 1.0
            allowance = max(allowance, right_allowance * gain)
        return Bounded(value, np.full(value.shape, allowance))


def _largest(array):
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0
