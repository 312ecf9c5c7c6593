"""Mistakes in the convolution."""

import numpy as np

from compare.verdict.defects.defect import Defect, of_a_pass, wrap

FORWARD, BACKWARD = "conv forward", "conv backward"


def _weights(turn):
    """The forward pass sees its weights through `turn`."""

    def change(network):
        wrap(network, "conv", lambda right, x, w, padding: right(x, np.ascontiguousarray(turn(w)), padding))

    return change


def _weights_throughout(turn):
    """Forward and backward see the weights through `turn`, which is its own inverse."""

    def backward(right, x, w, dy, padding):
        dx, dw = right(x, np.ascontiguousarray(turn(w)), dy, padding)
        return dx, np.ascontiguousarray(turn(dw))

    def change(network):
        _weights(turn)(network)
        wrap(network, "conv_backward", backward)

    return change


def _output(turn):
    """The forward pass gives turn(y)."""

    def change(network):
        wrap(network, "conv", lambda right, x, w, padding: turn(right(x, w, padding)))

    return change


def _filters(turn):
    """The backward pass gives turn(d_weight, dy) for the gradient of the filters."""

    def backward(right, x, w, dy, padding):
        dx, dw = right(x, w, dy, padding)
        return dx, turn(dw, dy)

    def change(network):
        wrap(network, "conv_backward", backward)

    return change


def _images(make):
    """The backward pass gives make(right, x, w, dy, padding) for the gradient of the images."""

    def backward(right, x, w, dy, padding):
        return make(right, x, w, dy, padding), right(x, w, dy, padding)[1]

    def change(network):
        wrap(network, "conv_backward", backward)

    return change


def _flip(w):
    return w[::-1, ::-1]


def _transpose(w):
    return w.swapaxes(0, 1)


def _first_channel(w):
    kept = np.zeros_like(w)
    kept[:, :, 0] = w[:, :, 0]
    return kept


def _without_last_tap(w):
    kept = w.copy()
    kept[2], kept[:, 2] = 0, 0
    return kept


def _padded_on_one_side(network):
    def conv(right, x, w, padding):
        if padding == "valid":
            return right(x, w, padding)
        return right(np.pad(x, ((0, 0), (0, 2), (0, 2), (0, 0))), w, "valid")

    wrap(network, "conv", conv)


def _stride_two(network):
    def backward(right, x, w, dy, padding):
        n, h, width, _ = x.shape
        border = 0 if padding == "same" else 2
        spread = np.zeros((n, h - border, width - border, w.shape[3]), dy.dtype)
        rows, columns = spread[:, ::2, ::2].shape[1:3]
        spread[:, ::2, ::2] = dy[:, :rows, :columns]
        return right(x, w, spread, padding)

    _output(lambda y: y[:, ::2, ::2].copy())(network)
    wrap(network, "conv_backward", backward)


def _missed(y):
    kept = y.copy()
    kept[:, -1], kept[:, :, -1] = 0, 0
    return kept


def _summed_into_the_last_output(network):
    def conv(right, x, w, padding):
        before = network.before
        if before is None:
            return right(x, w, padding)
        return right(x, w, padding) + (before["conv"] if of_a_pass(before) else right(before["images"], w, padding))

    wrap(network, "conv", conv)


def _overwritten(right, x, w, dy, padding):
    """Windows overlap; with = for += each pixel keeps what the last window that covers it wrote."""
    n, h, width, c = x.shape
    b = 1 if padding == "same" else 0
    rows, columns = np.arange(h) + b, np.arange(width) + b
    p, q = np.minimum(rows, dy.shape[1] - 1), np.minimum(columns, dy.shape[2] - 1)
    dx = np.zeros_like(x)
    for row in range(h):
        for column in range(width):
            i, j = rows[row] - p[row], columns[column] - q[column]
            dx[:, row, column] = dy[:, p[row], q[column]] @ w[i, j].T
    return dx


def _last_place(network):
    def backward(right, x, w, dy, padding):
        alone = np.zeros_like(dy)
        alone[:, -1, -1] = dy[:, -1, -1]
        return right(x, w, dy, padding)[0], right(x, w, alone, padding)[1]

    wrap(network, "conv_backward", backward)


def _last_image(network):
    def backward(right, x, w, dy, padding):
        alone = np.zeros_like(dy)
        alone[-1] = dy[-1]
        return right(x, w, dy, padding)[0], right(x, w, alone, padding)[1]

    wrap(network, "conv_backward", backward)


def _cut_to_nothing(right, x, w, dy, padding):
    dx = right(x, w, dy, padding)[0]
    return dx if padding == "same" else dx[:, :0, :0]


def _spread(d, dy):
    return np.ascontiguousarray(np.broadcast_to(d.sum(axis=(0, 1), keepdims=True), d.shape))


DEFECTS = (
    Defect(
        "kernel flipped in the forward pass",
        FORWARD,
        "outputs as of filters turned by 180 degrees; the gradients fit the filters as they are",
        "this network cross-correlates: multiply window and filter as they lie",
        _weights(_flip),
    ),
    Defect(
        "kernel flipped, forward and backward",
        FORWARD,
        "a true convolution throughout: outputs and gradients as of filters turned by 180 degrees",
        "turn the filters when weights are copied, or drop the flip: frameworks cross-correlate",
        _weights_throughout(_flip),
    ),
    Defect(
        "kernel transposed in the forward pass",
        FORWARD,
        "outputs as of filters with rows and columns exchanged",
        "rows of the kernel go with rows of the image",
        _weights(_transpose),
    ),
    Defect(
        "kernel transposed, forward and backward",
        FORWARD,
        "outputs and gradients as of filters with rows and columns exchanged",
        "rows of the kernel go with rows of the image, both ways",
        _weights_throughout(_transpose),
    ),
    Defect(
        "channels taken in the wrong order",
        FORWARD,
        "right for one channel; for more, each channel meets the filters of another",
        "channel c of the image goes with channel c of the filters",
        _weights(lambda w: w[:, :, ::-1]),
    ),
    Defect(
        "only the first channel is seen",
        FORWARD,
        "right for one channel; for more, the others add nothing",
        "sum over all input channels",
        _weights(_first_channel),
    ),
    Defect(
        "every filter gives the first one's output",
        FORWARD,
        "all feature maps are alike",
        "index the filters by f, not by a constant",
        _weights(lambda w: np.repeat(w[..., :1], w.shape[3], axis=3)),
    ),
    Defect(
        "filters shifted by one index",
        FORWARD,
        "feature map f is that of filter f - 1",
        "start the loop over filters at 0",
        _weights(lambda w: np.roll(w, 1, axis=3)),
    ),
    Defect(
        "padding on one side only",
        FORWARD,
        "right for padding valid; with same, the output is shifted by a pixel",
        "pad one row and column on each side, not two at the end",
        _padded_on_one_side,
    ),
    Defect(
        "stride 2",
        FORWARD,
        "half as many rows and columns",
        "move the window by one pixel",
        _stride_two,
    ),
    Defect(
        "output truncated to whole numbers",
        FORWARD,
        "every output is cut off towards 0",
        "allocate the output as float: integer images make an integer array of zeros_like",
        _output(np.trunc),
    ),
    Defect(
        "last row and column of the kernel left out",
        FORWARD,
        "outputs as of filters whose last row and column are 0",
        "loop over range(3), not range(2)",
        _weights(_without_last_tap),
    ),
    Defect(
        "last row and column of the output left at 0",
        FORWARD,
        "zeros at the lower and right edge",
        "there are H - 2 rows of windows: loop over range(H - 2)",
        _output(_missed),
    ),
    Defect(
        "output added to that of the last call",
        FORWARD,
        "the first call is right, the second holds both",
        "allocate the output in forward, or set it to 0 there",
        _summed_into_the_last_output,
    ),
    Defect(
        "kernel not turned for the images",
        BACKWARD,
        "d_images as of filters turned by 180 degrees",
        "backwards, dy is convolved with the filters turned by 180 degrees",
        _images(lambda right, x, w, dy, padding: right(x, np.ascontiguousarray(_flip(w)), dy, padding)[0]),
    ),
    Defect(
        "d_images overwritten where windows overlap",
        BACKWARD,
        "each pixel holds the part of the last window only",
        "add with += : a pixel is in up to nine windows",
        _images(_overwritten),
    ),
    Defect(
        "d_images cut to nothing without padding",
        BACKWARD,
        "an empty array for padding valid",
        "dx[p:-p] is empty for p = 0: cut only where there was padding",
        _images(_cut_to_nothing),
    ),
    Defect(
        "the filters get no gradient",
        BACKWARD,
        "d_conv_weight is 0",
        "sum x * dy over the batch and all places into d_weight",
        _filters(lambda d, dy: np.zeros_like(d)),
    ),
    Defect(
        "filter gradient transposed",
        BACKWARD,
        "d_conv_weight with rows and columns exchanged",
        "rows of the kernel go with rows of the image",
        _filters(lambda d, dy: np.ascontiguousarray(_transpose(d))),
    ),
    Defect(
        "filter gradient turned by 180 degrees",
        BACKWARD,
        "d_conv_weight flipped in rows and columns",
        "the gradient of a cross-correlation is one too: flip nothing",
        _filters(lambda d, dy: np.ascontiguousarray(_flip(d))),
    ),
    Defect(
        "filter gradient collapsed by a sum",
        BACKWARD,
        "all nine entries of a kernel's gradient are alike: their sum",
        "sum over batch and places, and keep the kernel's axes apart",
        _filters(_spread),
    ),
    Defect(
        "filter gradient of the last window only",
        BACKWARD,
        "d_conv_weight is the lower right window times its dy",
        "add with += over all windows",
        _last_place,
    ),
    Defect(
        "filter gradient of the last image only",
        BACKWARD,
        "right for a batch of one; else the other images add nothing",
        "add with += over the batch",
        _last_image,
    ),
    Defect(
        "filter gradient not divided by the batch",
        BACKWARD,
        "d_conv_weight is N times too large, the others are not",
        "the loss is a mean: one division by N for all gradients",
        _filters(lambda d, dy: d * dy.dtype.type(len(dy))),
    ),
    Defect(
        "filter gradient averaged over places",
        BACKWARD,
        "d_conv_weight is too small by the number of output pixels",
        "the same filter serves every place: its gradients add up",
        _filters(lambda d, dy: d / dy.dtype.type(dy.shape[1] * dy.shape[2])),
    ),
    Defect(
        "filter gradient with the wrong sign",
        BACKWARD,
        "d_conv_weight is -1 times what it should be",
        "drop the minus: the step subtracts already",
        _filters(lambda d, dy: -d),
    ),
    Defect(
        "one filter gradient for all filters",
        BACKWARD,
        "d_conv_weight is the same for every filter: the sum over all",
        "index dy by f: each filter has a gradient of its own",
        _filters(lambda d, dy: np.repeat(d.sum(axis=3, keepdims=True), d.shape[3], axis=3)),
    ),
)
