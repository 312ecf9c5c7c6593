"""Mistakes in the pooling layer."""

import numpy as np

from compare.verdict.allowances import corners
from compare.verdict.defects.defect import Defect, wrap

FORWARD, BACKWARD = "pool forward", "pool backward"


def _output(turn):
    """The forward pass gives turn(x, y)."""

    def change(network):
        wrap(network, "pool", lambda right, x: turn(x, right(x)))

    return change


def routed(share):
    """The backward pass gives each corner share(corners) of its window's gradient; shapes (N, P, Q, F, 4)."""

    def backward(right, x, dy):
        x, dy = np.asarray(x), np.asarray(dy)
        p, q = dy.shape[1:3]
        given = (share(corners(x)) * dy[..., None]).astype(dy.dtype)
        dx = np.zeros(x.shape, dy.dtype)
        for number, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            dx[:, i : 2 * p : 2, j : 2 * q : 2] = given[..., number]
        return dx

    def change(network):
        wrap(network, "pool_backward", backward)

    return change


def _of_upstream(turn):
    """The backward pass sees its upstream gradient through turn(x, dy)."""

    def change(network):
        wrap(network, "pool_backward", lambda right, x, dy: right(x, turn(x, dy)))

    return change


def winners(x):
    """All corners that equal the maximum of their window: (N, P, Q, F, 4) bool."""
    return x == x.max(axis=-1, keepdims=True)


def _only(index):
    """Keep y at an index of (N, P, Q, F), 0 elsewhere."""

    def turn(x, y):
        kept = np.zeros_like(y)
        kept[index] = y[index]
        return kept

    return turn


def _without_last(x, y):
    kept = y.copy()
    kept[:, -1], kept[:, :, -1] = 0, 0
    return kept


def _ceil(network):
    def even(x, value):
        h, w = x.shape[1:3]
        return np.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), constant_values=value)

    def backward(right, x, dy):
        x = np.asarray(x)
        padded = even(x, -np.inf)
        given = np.zeros((x.shape[0], padded.shape[1] // 2, padded.shape[2] // 2, x.shape[3]), dy.dtype)
        given[:, : dy.shape[1], : dy.shape[2]] = dy
        return routed_to_first(padded, given)[:, : x.shape[1], : x.shape[2]].copy()

    wrap(network, "pool", lambda right, x: corners(even(np.asarray(x), -np.inf)).max(axis=-1))
    wrap(network, "pool_backward", backward)


def routed_to_first(x, dy):
    """All of dy to the first maximum of its window: what is right."""
    dx = np.zeros(x.shape, dy.dtype)
    p, q = dy.shape[1:3]
    winner = corners(x).argmax(axis=-1)
    for number, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        dx[:, i : 2 * p : 2, j : 2 * q : 2] = np.where(winner == number, dy, dy.dtype.type(0))
    return dx


def _overlapping(x, y):
    p, q = y.shape[1:3]
    return np.maximum.reduce([x[:, i : i + p, j : j + q] for i in (0, 1) for j in (0, 1)])


def _mask_kept(network):
    def backward(right, x, dy):
        return right(x if network.before is None else network.before["conv"][: len(x)].astype(x.dtype), dy)

    wrap(network, "pool_backward", backward)


def _first(x, dy):
    kept = np.zeros_like(dy)
    kept[:, 0, 0] = dy[:, 0, 0]
    return kept


def _first_row(x, dy):
    kept = np.zeros_like(dy)
    kept[:, 0] = dy[:, 0]
    return kept


def _corner_exchanged(x):
    winner = x.argmax(axis=-1)[..., None]
    return np.arange(4) == np.array([0, 2, 1, 3])[winner]


DEFECTS = (
    Defect(
        "maximum over all filters",
        FORWARD,
        "all feature maps are alike",
        "take the maximum over the axes of the window only: axis=(0, 1) of (2, 2, F)",
        _output(lambda x, y: np.broadcast_to(y.max(axis=3, keepdims=True), y.shape).copy()),
    ),
    Defect(
        "mean instead of maximum",
        FORWARD,
        "outputs are means of their windows",
        "use the maximum, or declare the layer as average pooling",
        _output(lambda x, y: corners(x).mean(axis=-1)),
    ),
    Defect(
        "sum instead of maximum",
        FORWARD,
        "outputs are sums of their windows: means times 4",
        "use the maximum",
        _output(lambda x, y: corners(x).sum(axis=-1)),
    ),
    Defect(
        "minimum instead of maximum",
        FORWARD,
        "outputs are the smallest of their windows",
        "use the maximum",
        _output(lambda x, y: corners(x).min(axis=-1)),
    ),
    Defect(
        "maximum starts at 0",
        FORWARD,
        "right where a window holds a positive number, else 0",
        "start the running maximum at -inf, or at the window's first value",
        _output(lambda x, y: np.maximum(y, y.dtype.type(0))),
    ),
    Defect(
        "only the first filter is pooled",
        FORWARD,
        "feature maps other than the first are 0",
        "a return or break inside the loop over filters ends it too early",
        _output(_only(np.index_exp[..., :1])),
    ),
    Defect(
        "only the first row of windows is pooled",
        FORWARD,
        "all but the uppermost row of the output is 0",
        "a return inside the loop over rows ends it too early",
        _output(_only(np.index_exp[:, :1])),
    ),
    Defect(
        "only the first window is pooled",
        FORWARD,
        "all but the upper left output is 0",
        "a return or break inside the loop over windows ends it too early",
        _output(_only(np.index_exp[:, :1, :1])),
    ),
    Defect(
        "only the first image is pooled",
        FORWARD,
        "right for a batch of one; the other images are 0",
        "a return or break inside the loop over the batch ends it too early",
        _output(_only(np.index_exp[:1])),
    ),
    Defect(
        "last row and column of windows missed",
        FORWARD,
        "zeros at the lower and right edge",
        "there are H // 2 rows of windows: loop over range(H // 2)",
        _output(_without_last),
    ),
    Defect(
        "an odd last row or column is pooled",
        FORWARD,
        "right for even sizes; for odd ones there is a row or column more",
        "floor, not ceil: H // 2",
        _ceil,
    ),
    Defect(
        "windows overlap",
        FORWARD,
        "outputs as of windows that move by one pixel",
        "window p begins at row 2 * p",
        _output(_overlapping),
    ),
    Defect(
        "every tied maximum gets the gradient",
        BACKWARD,
        "right without ties; a flat window hands on its gradient up to four times",
        "give it to the first maximum of the window, not to all that equal it",
        routed(winners),
    ),
    Defect(
        "a tie goes to the last maximum",
        BACKWARD,
        "right without ties; in flat windows the gradient is in the lower right corner",
        "take the first in row order, as PyTorch, TensorFlow and JAX do: > instead of >=",
        routed(lambda x: np.arange(4) == 3 - x[..., ::-1].argmax(axis=-1)[..., None]),
    ),
    Defect(
        "every corner of a window gets a quarter",
        BACKWARD,
        "each gradient is spread evenly over its window",
        "that is the gradient of a mean; a maximum gives all of it to one corner",
        routed(lambda x: np.full(x.shape, 0.25, x.dtype)),
    ),
    Defect(
        "every corner of a window gets the whole gradient",
        BACKWARD,
        "each gradient stands in all four corners",
        "a maximum gives all of it to one corner, a mean a quarter to each",
        routed(np.ones_like),
    ),
    Defect(
        "the gradient goes to the first corner",
        BACKWARD,
        "the upper left of each window has the gradient, wherever its maximum was",
        "remember in forward where the maximum was",
        routed(lambda x: np.broadcast_to(np.arange(4) == 0, x.shape)),
    ),
    Defect(
        "rows and columns of the winner exchanged",
        BACKWARD,
        "right where the maximum is on the window's diagonal",
        "argmax in row order is 2 * i + j: row index // 2, column index % 2",
        routed(_corner_exchanged),
    ),
    Defect(
        "where the maximum was is kept from the first call",
        BACKWARD,
        "the first call is right, the second sends gradients where the first had its maxima",
        "store the mask anew in every forward",
        _mask_kept,
    ),
    Defect(
        "only the first row of windows hands its gradient back",
        BACKWARD,
        "d_conv is 0 below the uppermost row of windows",
        "a return inside the loop over rows ends it too early",
        _of_upstream(_first_row),
    ),
    Defect(
        "only the first window hands its gradient back",
        BACKWARD,
        "all but the upper left window is 0",
        "a return or break inside the loop over windows ends it too early",
        _of_upstream(_first),
    ),
    Defect(
        "gradient only where the maximum is positive",
        BACKWARD,
        "windows with a maximum below 0 hand back nothing",
        "that is the derivative of a ReLU; this network has none",
        _of_upstream(lambda x, dy: dy * (corners(x).max(axis=-1) > 0)),
    ),
)
