"""How far rounding alone may carry each stage from the exact result: values with their allowances.

Derived, not tuned. A computed sum of n terms differs from the exact one by the sum of its partial sums, each times a
rounding error of at most u, the unit roundoff. If those errors are independent with mean zero, then by the
Azuma-Hoeffding inequality the total exceeds `LAMBDA * u * sqrt(sum of squared partial sums)` with a probability of at
most 2 exp(-LAMBDA^2 / 2) (Higham & Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci.
Comput. 41(5), 2019, theorem 2.4). With LAMBDA = 8 that is 2.5e-14 an element: 1e-8 over half a million elements.

How large the partial sums are depends on the order, which an implementation is free to choose:
- short sums (conv, d_images, d_pool, d_dense_weight, d_dense_bias): no partial sum exceeds sum|terms|, in any order;
- long sums of mixed sign (logits over P*Q*F, d_conv_weight over N*P*Q), where that is far too generous: partial sums
  are runs of neighbours in memory, so none exceeds the range of the running sum, taken over the memory orders in use
  (channels last and channels first).

A `Bounded` carries a value and how far the implementation's own may lie from it. Where the input of a stage was
observed, that is exact and only the stage's own rounding counts; where it was not, its allowance is carried on
(worst case: absolute values all the way, since the errors of equal patches are no independent draws).
"""

from dataclasses import dataclass

import numpy as np

from compare.graph import PARAMETERS, STEPS, follow
from compare.verdict.precision import limits

LAMBDA = 8.0
# exp and log are not correctly rounded. 4 ulp covers the loosest variant that SLEEF, the vector library of PyTorch,
# offers (3.5 ulp, https://sleef.org/purec.xhtml); glibc, Eigen and XLA promise less error than that.
FUNCTION_ULPS = 4.0


@dataclass(frozen=True)
class Rounding:
    """Unit roundoff of the arithmetic judged, the float64 of the arbiter added, and what a tiny result may lose."""

    unit: float
    tiny: float

    @classmethod
    def of(cls, dtype):
        """For results in `dtype`, judged by a float64 reference."""
        return cls(limits(dtype)[0] + 2.0**-53, limits(dtype)[1])

    def lost(self, n):
        """What n products in one sum may lose where all of them are tiny."""
        return self.tiny * min(n, LAMBDA * np.sqrt(n))

    def short(self, n):
        """Relative to sum|terms| of n products added in any order."""
        return np.expm1(LAMBDA * np.sqrt(n + 1) * self.unit)


@dataclass(frozen=True)
class Bounded:
    """A value, and the largest distance from it that rounding explains; both of the same shape, float64."""

    value: np.ndarray
    allowance: np.ndarray

    @classmethod
    def exact(cls, value):
        """Known to the bit: observed, or given."""
        value = np.asarray(value, np.float64)
        return cls(value, np.zeros_like(value))


def _long_sum(orders, rounding):
    """Allowance of sums over the last axis of arrays that hold the same products in different orders."""
    ranges = []
    for products in orders:
        running = np.cumsum(products, axis=-1)
        ranges.append(np.maximum(running.max(axis=-1), 0) - np.minimum(running.min(axis=-1), 0))
    n = orders[0].shape[-1] + 1
    products = np.sqrt(np.cumsum(orders[0] ** 2, axis=-1)[..., -1])
    return LAMBDA * rounding.unit * (np.sqrt(n) * np.maximum.reduce(ranges) + products)


class Stages:
    """Every stage of the network as a function of `Bounded` inputs.

    Args:
        reference: a module of stage functions, `arbiter` or `definition`.
        padding: "valid" or "same".
        rounding: `Rounding` of the arithmetic judged.
    """

    def __init__(self, reference, padding, rounding):
        self.reference = reference
        self.padding = padding
        self.rounding = rounding

    def at(self, before=None, rate=0.0, passing=True):
        """The right network does not depend on what went before, on the rate, or on who asks."""

    def call(self, step, *given, **more):
        """What a step of `graph.STEPS` gives, as a tuple of `Bounded`."""
        found = getattr(self, step.function)(*given, **more)
        return tuple(found.values()) if isinstance(found, dict) else (found,)

    def scale(self, images):
        """What the first layer is given: images are scaled already."""
        return images

    def keep(self, images):
        """What the caller's images hold afterwards: what they held before."""
        return Bounded.exact(images)

    def update(self, parameters, gradients, rate, memory):
        """Parameters after one step of plain SGD, by name; gradients are `Bounded`."""
        return {name: update(value, gradients[name], rate, self.rounding) for name, value in parameters.items()}

    def conv(self, images, weight):
        """Images and filters exact: (N, H', W', F)."""
        y = self.reference.conv(images, weight, self.padding)
        size = self.reference.conv(np.abs(images), np.abs(weight), self.padding)
        taps = 9 * images.shape[3]
        return Bounded(y, self.rounding.short(taps) * size + self.rounding.lost(taps))

    def pool(self, x):
        """Exact but for what comes in: |max a - max b| <= max|a - b|."""
        return Bounded(self.reference.pool(x.value), self.reference.pool(x.allowance))

    def dense(self, x, weight, bias):
        """(N, P, Q, F) -> logits (N, K)."""
        (n, p, q, f), r = x.value.shape, self.rounding
        products = x.value.reshape(n, 1, p * q * f) * np.ascontiguousarray(weight.T)  # (N, K, P*Q*F)
        channels_first = products.reshape(n, -1, p * q, f).swapaxes(2, 3).reshape(products.shape)
        allowance = _long_sum([products, channels_first], r)
        y = self.reference.dense(x.value, weight, bias)
        carried = x.allowance.reshape(n, -1) @ np.abs(weight)
        return Bounded(y, allowance + carried + r.unit * (np.abs(y) + np.abs(bias)) + r.lost(p * q * f))

    def probabilities(self, logits):
        """exp(z - m) / sum: the shift rounds by u|z - m|, exp by some ulps, then a sum of K terms, a quotient."""
        p = self.reference.probabilities(logits.value)
        return Bounded(p, self._probabilities_allowance(logits, p))

    def _probabilities_allowance(self, logits, p):
        shift = np.abs(logits.value - logits.value.max(axis=1, keepdims=True))
        # what moves exp(z_k) relatively; its mean under p moves the denominator
        relative = self.rounding.unit * (shift + FUNCTION_ULPS) + logits.allowance
        count = LAMBDA * np.sqrt(p.shape[1]) + 2
        total = relative + (p * relative).sum(axis=1, keepdims=True) + count * self.rounding.unit
        # capped: no probability leaves 0..1 whatever happens, and expm1 must not overflow
        return np.minimum(p * np.expm1(np.minimum(total, 50)), 1.0) + self.rounding.lost(p.shape[1] + 2)

    def loss(self, logits, labels):
        """Mean over the batch of ln(sum of exp(z - m)) - (z_y - m)."""
        z, rows = logits.value, np.arange(len(labels))
        shift = np.abs(z - z.max(axis=1, keepdims=True))
        p = self.reference.probabilities(z)
        u = self.rounding.unit
        relative = u * (shift + FUNCTION_ULPS) + logits.allowance
        of_sum = (p * relative).sum(axis=1) + LAMBDA * np.sqrt(z.shape[1]) * u  # absolute, once under the logarithm
        log_sum = np.log(np.exp(-shift).sum(axis=1))
        each = (
            of_sum
            + u * (FUNCTION_ULPS * log_sum + 3 * (shift[rows, labels] + log_sum))
            + logits.allowance[rows, labels]
        )
        size = (shift[rows, labels] + log_sum).mean()
        mean = self.rounding.short(len(labels)) * size + self.rounding.lost(z.shape[1] + len(labels))
        return Bounded(np.asarray(self.reference.loss(z, labels)), each.mean() + mean)

    def loss_backward(self, logits, labels, upstream=1.0):
        """(p - y) / N, times a scalar upstream gradient.

        Where the loss goes by log-probabilities, as PyTorch's does, p is exp(ln p), and ln p was rounded as well.
        """
        p = self.probabilities(logits)
        of_logarithm = self.rounding.unit * p.value * -np.log(np.maximum(p.value, limits(float)[1]))
        d = self.reference.loss_backward(logits.value, labels) * upstream
        scale = abs(upstream) / len(labels)
        rounded = (p.allowance + of_logarithm) * scale + 4 * self.rounding.unit * np.abs(d)
        return Bounded(d, rounded + self.rounding.lost(3))

    def dense_backward(self, x, weight, d):
        """`pool`, `dense_weight` and `dense_bias`: what the dense layer hands back."""
        dx, dw, db = self.reference.dense_backward(x.value, weight, d.value)
        size_x, size_w, size_b = self.reference.dense_backward(np.abs(x.value), np.abs(weight), np.abs(d.value))
        # the same sums over |x| and the allowance of d, then over the allowance of x and all that d may be
        more_x, by_d, more_b = self.reference.dense_backward(np.abs(x.value), np.abs(weight), d.allowance)
        by_x = self.reference.dense_backward(x.allowance, np.abs(weight), np.abs(d.value) + d.allowance)[1]
        n, k = d.value.shape
        r = self.rounding
        return {
            "pool": Bounded(dx, r.short(k) * size_x + more_x + r.lost(k)),
            "dense_weight": Bounded(dw, r.short(n) * size_w + by_d + by_x + r.lost(n)),
            "dense_bias": Bounded(db, r.short(n) * size_b + more_b + r.tiny),
        }

    def pool_backward(self, x, dy):
        """Exact routing to the first maximum of x.value; `near_ties` says where another would do as well."""
        return Bounded(
            self.reference.pool_backward(x.value, dy.value), self.reference.pool_backward(x.value, dy.allowance)
        )

    def conv_backward(self, images, weight, dy, need_dx=True):
        """`images` and `conv_weight`; the filters alone where the gradient of the images is not needed."""
        size = np.abs(images), np.abs(weight)
        dx, dw = self.reference.conv_backward(images, weight, dy.value, self.padding, need_dx)
        more_x, more_w = self.reference.conv_backward(*size, dy.allowance, self.padding, need_dx)
        r, places = self.rounding, dy.value[..., 0].size
        filters = {"conv_weight": Bounded(dw, self._filters_allowance(images, dy.value) + more_w + r.lost(places))}
        if not need_dx:
            return filters
        size_x, _ = self.reference.conv_backward(*size, np.abs(dy.value), self.padding)
        seen = 9 * weight.shape[3]  # no pixel is seen by more than 9 windows of F filters
        return {"images": Bounded(dx, r.short(seen) * size_x + more_x + r.lost(seen)), **filters}

    def _filters_allowance(self, images, dy):
        patches = conv_patches(images, self.padding)
        n, p, q, taps = patches.shape
        orders = []  # image by image, place by place: (taps, N*P*Q) and (F, N*P*Q)
        for axes in ((3, 0, 1, 2), (3, 1, 2, 0)):
            orders.append([np.ascontiguousarray(each.transpose(axes)).reshape(-1, n * p * q) for each in (patches, dy)])
        allowance = [
            _long_sum([of_taps * of_filters[f] for of_taps, of_filters in orders], self.rounding)
            for f in range(dy.shape[3])
        ]
        return np.stack(allowance, axis=1).reshape(3, 3, images.shape[3], dy.shape[3])


def conv_patches(images, padding):
    """What each filter sees: (N, H, W, C) -> (N, H', W', 9*C), taps in (3, 3, C) order."""
    b = 1 if padding == "same" else 0
    padded = np.pad(images, ((0, 0), (b, b), (b, b), (0, 0)))
    h, w = padded.shape[1] - 2, padded.shape[2] - 2
    return np.concatenate([padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=3)


def corners(x):
    """The four values of each 2x2 window in row order: (N, H, W, F) -> (N, P, Q, F, 4)."""
    p, q = x.shape[1] // 2, x.shape[2] // 2
    return np.stack([x[:, i : 2 * p : 2, j : 2 * q : 2] for i in (0, 1) for j in (0, 1)], axis=-1)


def near_ties(x):
    """Which corners of each window may be its maximum, given what rounding may have done: (N, P, Q, F, 4) bool.

    The first maximum is always among them. A window with a second one is a near tie: either order is right.
    """
    values, slack = corners(x.value), corners(x.allowance)
    winner = values.argmax(axis=-1)[..., None]
    top = np.take_along_axis(values, winner, axis=-1)
    top_slack = np.take_along_axis(slack, winner, axis=-1)
    candidates = values + slack >= top - top_slack
    np.put_along_axis(candidates, winner, True, axis=-1)
    return candidates


def near_tie_filters(images, x, d_pool, padding):
    """What the near ties may move in d_conv_weight: (3, 3, C, F).

    Routing a gradient g to corner b instead of a changes the filters by g * (patch_b - patch_a). In a flat background
    the patches are equal and nothing moves, which is why ties there are harmless to the filters.
    """
    candidates = near_ties(x)
    patches = conv_patches(images, padding)
    p, q = d_pool.value.shape[1:3]
    of_corner = [patches[:, i : 2 * p : 2, j : 2 * q : 2] for i in (0, 1) for j in (0, 1)]
    size = np.abs(d_pool.value) + d_pool.allowance
    winner = corners(x.value).argmax(axis=-1)
    moved = np.zeros((patches.shape[3], size.shape[3]))
    for a in range(4):
        for b in range(4):
            open_windows = (winner == a) & candidates[..., b]
            if a != b and open_windows.any():
                difference = np.abs(of_corner[b] - of_corner[a])
                moved += np.tensordot(difference, np.where(open_windows, size, 0.0), axes=((0, 1, 2), (0, 1, 2)))
    return moved.reshape(3, 3, images.shape[3], size.shape[3])


def whole_pass(stages, images, labels, parameters, exact=False):
    """Loss and gradients of the parameters with nothing observed in between: allowances carried all the way.

    Args:
        stages: `Stages`, or `ChangedStages`.
        images (N, H, W, C), labels (N,), parameters: exact.
        exact: whether the convolution is exact too, so that a tie is a tie; else the order within near ties is open.
    Returns:
        dict of `Bounded`, by name: all that the steps give but d_images, and d_conv, which near ties leave open.
    """
    known = {name: np.asarray(parameters[name], np.float64) for name in PARAMETERS}
    known |= {"images": stages.scale(images), "labels": labels}
    *steps, last = STEPS
    found = follow(stages.call, steps, known)
    filters = stages.call(last, *(found[name] for name in last.takes), need_dx=False)[-1]
    loose = 0.0 if exact else near_tie_filters(found["images"], found["conv"], found["d_pool"], stages.padding)
    found["d_conv_weight"] = Bounded(filters.value, filters.allowance + loose)
    return {name: value for name, value in found.items() if name not in known and name != "d_conv"}


def update(parameter, gradient, learning_rate, rounding):
    """parameter - learning_rate * gradient: the rate, the product and the difference each round once."""
    parameter = np.asarray(parameter, np.float64)
    value = parameter - learning_rate * gradient.value
    rounds = rounding.unit * (2 * learning_rate * np.abs(gradient.value) + np.abs(value) + np.abs(parameter))
    return Bounded(value, learning_rate * gradient.allowance + rounds + rounding.tiny)
