"""Mistakes in the pooling layer."""

import numpy as np

from compare.verdict.allowances import corners
from compare.verdict.defects.defect import at, gives, sees, wrap
from compare.verdict.defects.of_conv import outputs_at
from compare.verdict.defects.turns import EVERY, FIRST, alike, first_image, kept, rectified, without_last_place


def of_windows(reduce):
    """The forward pass gives reduce(corners, axis=-1) of its windows; corners are (N, P, Q, F, 4)."""
    return gives("pool", lambda y, given: reduce(corners(given["conv"]), axis=-1))


def _placed(given, shape):
    """What each corner of each window is given, (N, P, Q, F, 4), at its place in an array of that shape."""
    dx = np.zeros(shape, given.dtype)
    p, q = given.shape[1:3]
    for number, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        dx[:, i : 2 * p : 2, j : 2 * q : 2] = given[..., number]
    return dx


def routed(share):
    """The backward pass gives each corner share(corners) of its window's gradient; shapes (N, P, Q, F, 4)."""

    def backward(right, x, dy):
        x, dy = np.asarray(x), np.asarray(dy)
        return _placed((share(corners(x)) * dy[..., None]).astype(dy.dtype), x.shape)

    return lambda network: wrap(network, "pool_backward", backward)


def winners(x):
    """All corners that equal the maximum of their window: (N, P, Q, F, 4) bool."""
    return x == x.max(axis=-1, keepdims=True)


def _at(corner):
    """A share of 1 to the corner with this number, 0 to the others."""
    return np.arange(4) == corner


def _first_maximum(x):
    return x.argmax(axis=-1)[..., None]


def _even(x):
    """An odd last row or column made even by one more, of -inf."""
    h, w = x.shape[1:3]
    return np.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), constant_values=-np.inf)


def _ceil(network):
    def backward(right, x, dy):
        padded = _even(np.asarray(x))
        given = np.zeros((len(x), padded.shape[1] // 2, padded.shape[2] // 2, x.shape[3]), dy.dtype)
        given[:, : dy.shape[1], : dy.shape[2]] = dy
        to_first = _at(_first_maximum(corners(padded))) * given[..., None]
        return _placed(to_first, padded.shape)[:, : x.shape[1], : x.shape[2]].copy()

    wrap(network, "pool", lambda right, x: corners(_even(np.asarray(x))).max(axis=-1))
    wrap(network, "pool_backward", backward)


def _of_size(size, stride):
    """Maxima of windows of size by size that move by a stride; beyond the edge there is nothing."""

    def turn(y, given):
        p, q = y.shape[1:3]
        x = np.pad(given["conv"], ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
        ends = stride * (p - 1) + 1, stride * (q - 1) + 1
        places = [(i, j) for i in range(size) for j in range(size)]
        return np.maximum.reduce([x[:, i : i + ends[0] : stride, j : j + ends[1] : stride] for i, j in places])

    return gives("pool", turn)


def _strided_positions(y, given):
    """The loop's counter moves by 2 over the output and is the row of the window as well."""
    found = np.zeros_like(y)
    for p in range(0, y.shape[1], 2):
        for q in range(0, y.shape[2], 2):
            found[:, p, q] = given["conv"][:, p : p + 2, q : q + 2].max(axis=(1, 2))
    return found


def _columns_as_rows(dy, given):
    """A window's column is held against the number of rows."""
    return kept(EVERY, EVERY, slice(dy.shape[1]))(dy, given)


def _of_positive(dy, given):
    """The derivative of a ReLU, as the winner of each window sees it."""
    return dy * (corners(given["conv"]).max(axis=-1) > 0)


def _mask_kept(network):
    def backward(right, x, dy):
        return right(x if network.before is None else network.before["conv"][: len(x)].astype(x.dtype), dy)

    wrap(network, "pool_backward", backward)


# fmt: off
FORWARD = at(
    "pool forward",
    ("maximum over all filters", gives("pool", alike(3, np.max)),
     "all feature maps are alike", "take the maximum over the axes of the window only: axis=(0, 1) of (2, 2, F)"),
    ("maximum over the batch", gives("pool", alike(0, np.max)),
     "right for a batch of one; else all images are alike", "take the maximum over the axes of the window only"),
    ("mean instead of maximum", of_windows(np.mean),
     "outputs are means of their windows", "use the maximum, or declare the layer as average pooling"),
    ("sum instead of maximum", of_windows(np.sum),
     "outputs are sums of their windows: means times 4", "use the maximum"),
    ("minimum instead of maximum", of_windows(np.min),
     "outputs are the smallest of their windows", "use the maximum"),
    ("first corner instead of maximum", of_windows(lambda x, axis: x[..., 0]),
     "outputs are the upper left of their windows", "x[::2, ::2] only thins out: take the maximum of the four"),
    ("maximum of each window's first row only", of_windows(lambda x, axis: x[..., :2].max(axis=axis)),
     "outputs as of windows of 1 x 2", "loop over both rows of the window: range(2)"),
    ("maximum starts at 0", gives("pool", rectified),
     "right where a window holds a positive number, else 0",
     "start the running maximum at -inf, or at the window's first value"),
    ("only the first filter is pooled", gives("pool", kept(..., FIRST)),
     "feature maps other than the first are 0", "a return or break inside the loop over filters ends it too early"),
    ("only the first row of windows is pooled", gives("pool", kept(EVERY, FIRST)),
     "all but the uppermost row of the output is 0", "a return inside the loop over rows ends it too early"),
    ("only the first window is pooled", gives("pool", kept(EVERY, FIRST, FIRST)),
     "all but the upper left output is 0", "a return or break inside the loop over windows ends it too early"),
    ("only the first image is pooled", gives("pool", first_image),
     "right for a batch of one; the other images are 0",
     "a return or break inside the loop over the batch ends it too early"),
    ("last row and column of windows missed", gives("pool", without_last_place),
     "zeros at the lower and right edge", "there are H // 2 rows of windows: loop over range(H // 2)"),
    ("one row and column of windows too few", outputs_at(slice(-1), "pool"),
     "an output of H // 2 - 1 rows", "a window of 2 fits into (H - 2) // 2 + 1 places: the + 1 is missing"),
    ("an odd last row or column is pooled", _ceil,
     "right for even sizes; for odd ones there is a row or column more", "floor, not ceil: H // 2"),
    ("windows overlap", _of_size(2, 1),
     "outputs as of windows that move by one pixel", "window p begins at row 2 * p"),
    ("windows of 3 x 3", _of_size(3, 2),
     "outputs as of windows that are one row and column too large", "x[2 * p : 2 * p + 2]: the end does not count"),
    ("only every second output is filled", gives("pool", _strided_positions),
     "the others are 0, and windows begin where their output stands",
     "the window of output p begins at row 2 * p: the loop over outputs moves by one"),
)
# fmt: on

# fmt: off
BACKWARD = at(
    "pool backward",
    ("every tied maximum gets the gradient", routed(winners),
     "right without ties; a flat window hands on its gradient up to four times",
     "give it to the first maximum of the window, not to all that equal it"),
    ("a tie goes to the last maximum", routed(lambda x: _at(3 - x[..., ::-1].argmax(axis=-1)[..., None])),
     "right without ties; in flat windows the gradient is in the lower right corner",
     "take the first in row order, as PyTorch, TensorFlow and JAX do: > instead of >="),
    ("windows compared with the maximum over all filters", routed(lambda x: x == x.max(axis=(-2, -1), keepdims=True)),
     "only the filter that is largest in its window hands its gradient back",
     "compare with the maximum over the window's axes, and keep the filters apart"),
    ("windows compared with the maximum of the whole map", routed(lambda x: x == x.max(axis=(1, 2, 4), keepdims=True)),
     "one window of each map hands its gradient back", "compare with the maximum of the window: an axis is missing"),
    ("every filter is routed by the first one's maxima",
     routed(lambda x: np.broadcast_to(_at(_first_maximum(x[..., :1, :])), x.shape)),
     "right for the first filter; the others send gradients where it had its maxima",
     "remember in forward where each filter's maximum was"),
    ("every corner of a window gets a quarter", routed(lambda x: np.full(x.shape, 0.25, x.dtype)),
     "each gradient is spread evenly over its window",
     "that is the gradient of a mean; a maximum gives all of it to one corner"),
    ("every corner of a window gets the whole gradient", routed(np.ones_like),
     "each gradient stands in all four corners", "a maximum gives all of it to one corner, a mean a quarter to each"),
    ("every corner of a window gets four times the gradient", routed(lambda x: np.full(x.shape, 4, x.dtype)),
     "each gradient stands in all four corners, four times too large",
     "a mean divides by 4 on its way back too; a maximum gives all of it to one corner"),
    ("the gradient goes to the first corner", routed(lambda x: np.broadcast_to(_at(0), x.shape)),
     "the upper left of each window has the gradient, wherever its maximum was",
     "remember in forward where the maximum was"),
    ("rows and columns of the winner exchanged", routed(lambda x: _at(np.array([0, 2, 1, 3])[_first_maximum(x)])),
     "right where the maximum is on the window's diagonal",
     "argmax in row order is 2 * i + j: row index // 2, column index % 2"),
    ("gradient multiplied by the maximum", routed(lambda x: _at(_first_maximum(x)) * x),
     "d_conv is too large or too small by the value that went through",
     "the mask is 1 at the maximum, not the maximum itself"),
    ("where the maximum was is kept from the first call", _mask_kept,
     "the first call is right, the second sends gradients where the first had its maxima",
     "store the mask anew in every forward"),
    ("only the first row of windows hands its gradient back", sees("d_conv", d_pool=kept(EVERY, FIRST)),
     "d_conv is 0 below the uppermost row of windows", "a return inside the loop over rows ends it too early"),
    ("only the first window hands its gradient back", sees("d_conv", d_pool=kept(EVERY, FIRST, FIRST)),
     "all but the upper left window is 0", "a return or break inside the loop over windows ends it too early"),
    ("the last row and column of windows hand nothing back", sees("d_conv", d_pool=without_last_place),
     "d_conv is 0 at the lower and right edge", "there are H // 2 rows of windows: loop over range(H // 2)"),
    ("only the first filter hands its gradient back", sees("d_conv", d_pool=kept(..., FIRST)),
     "d_conv is 0 but for the first filter", "a return or break inside the loop over filters ends it too early"),
    ("columns of windows counted as rows", sees("d_conv", d_pool=_columns_as_rows),
     "right for maps at least as high as wide; else columns at the end hand nothing back",
     "hold the counter of columns against the number of columns"),
    ("gradient only where the maximum is positive", sees("d_conv", d_pool=_of_positive),
     "windows with a maximum below 0 hand back nothing", "that is the derivative of a ReLU; this network has none"),
)
# fmt: on

DEFECTS = (*FORWARD, *BACKWARD)
