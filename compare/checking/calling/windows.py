"""A convolution or a pool by a geometry of its own: its definition, forward and back, in the arrays of the contract."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Windows of size x size, every `stride` rows and columns, over maps with a border of that many zeros.

    stage: "conv" or "pool"; a pool's border is nothing, which is no maximum.
    """

    stage: str
    size: int
    stride: int
    border: int = 0

    def __str__(self):
        border = f" padding {self.border}" if self.border else ""
        return f"{self.size}x{self.size} stride {self.stride}{border}"

    def side(self, count):
        """Rows of a map on which exactly so many windows stand."""
        return self.stride * (count - 1) + self.size - 2 * self.border

    def counts(self, shape):
        """Rows and columns that come out of a map (H, W, ...)."""
        return tuple((side + 2 * self.border - self.size) // self.stride + 1 for side in shape[:2])

    def padded(self, x, value=0.0, mode="constant"):
        """(N, H, W, C) with its border."""
        around = ((0, 0), (self.border, self.border), (self.border, self.border), (0, 0))
        return np.pad(x, around, mode, **({"constant_values": value} if mode == "constant" else {}))

    def views(self, padded, stride=0):
        """(N, P, Q, C, I, J) of a padded map."""
        step, window = stride or self.stride, (self.size, self.size)
        return np.lib.stride_tricks.sliding_window_view(padded, window, axis=(1, 2))[:, ::step, ::step]

    def spread(self, given, shape):
        """(N, H, W, C) of what each place of each window is given, (N, P, Q, C, I, J), added up."""
        n, h, w, c = shape
        out = np.zeros((n, h + 2 * self.border, w + 2 * self.border, c), given.dtype)
        p, q = (self.stride * (count - 1) + 1 for count in given.shape[1:3])
        for i, j in np.ndindex(self.size, self.size):
            out[:, i : i + p : self.stride, j : j + q : self.stride] += given[..., i, j]
        return out[:, self.border : self.border + h, self.border : self.border + w]

    def forward(self, x, weight=None):
        """(N, P, Q, F): cross-correlation with (I, J, C, F), or the maximum of each window."""
        if self.stage == "pool":
            return self.views(self.padded(x, -np.inf)).max(axis=(4, 5))
        return np.tensordot(self.views(self.padded(x)), weight, axes=((3, 4, 5), (2, 0, 1)))

    def backward(self, x, weight, dy):
        """(dx, d_weight or None) of the sum of dy times what comes out; a pool's tie goes to the first."""
        if self.stage == "pool":
            views = self.views(self.padded(x, -np.inf))
            flat = views.reshape(*views.shape[:4], -1)
            first = np.arange(flat.shape[-1]) == flat.argmax(axis=-1)[..., None]
            return self.spread((first * dy[..., None]).reshape(views.shape), x.shape), None
        given = np.tensordot(dy, weight, axes=((3,), (3,))).transpose(0, 1, 2, 5, 3, 4)
        d_weight = np.tensordot(self.views(self.padded(x)), dy, axes=((0, 1, 2), (0, 1, 2))).transpose(1, 2, 0, 3)
        return self.spread(given, x.shape), d_weight


class Definition:
    """A layer by its definition, asked for its way back as the network of the contract is."""

    def __init__(self, window, weight):
        self.window, self.weight = window, weight

    def backward_stage(self, stage, x, dy):
        """{"images" or "conv": dx, "conv_weight": its gradient, of a convolution}."""
        dx, d_weight = self.window.backward(x, self.weight, dy)
        return {"conv": dx} if stage == "pool" else {"images": dx, "conv_weight": d_weight}


def trial(window, shape, filters, seed=5):
    """(`Definition`, parameters, inputs and what comes out by the contract's names) of three random images.

    Args:
        shape: (H, W, C) of what goes in.
    """
    rng = np.random.default_rng(seed)
    kernel = (window.size, window.size, shape[2], filters)
    weight = None if window.stage == "pool" else 0.3 * rng.standard_normal(kernel)
    x = rng.standard_normal((3, *shape))
    parameters = {} if weight is None else {"conv_weight": weight}
    names = ("conv", "pool") if window.stage == "pool" else ("images", "conv")
    inputs = dict(zip(names, (x, window.forward(x, weight)), strict=True))
    return Definition(window, weight), parameters, {**inputs, "labels": np.arange(3)}
