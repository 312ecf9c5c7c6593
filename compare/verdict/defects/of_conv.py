"""Mistakes in the convolution."""

import numpy as np

from compare.verdict.defects.defect import at, both, gives, of_a_pass, sees, wrap
from compare.verdict.defects.turns import (
    EVERY,
    FIRST,
    LAST,
    alike,
    first_of,
    flipped,
    kept,
    late,
    rectified,
    transposed,
    without_last_place,
    zeroed,
)


def _throughout(turn):
    """Forward and backward see the filters through `turn`, which is its own inverse, and so is their gradient."""
    return both(
        sees("conv", conv_weight=turn),
        sees("d_images", "d_conv_weight", conv_weight=turn),
        gives("d_conv_weight", turn),
    )


def _padded(quantities, before, after, **how):
    """Where padding is asked for, it is made otherwise for these quantities of the convolution."""

    def pad(right, x, *rest):
        if rest[-1] == "valid":
            return right(x, *rest)
        at_ends = (before, after)
        return right(np.pad(x, ((0, 0), at_ends, at_ends, (0, 0)), **how), *rest[:-1], "valid")

    def backward(right, x, *rest):
        dx, dw = pad(right, x, *rest)
        if "d_images" not in quantities:
            return right(x, *rest)[0], dw
        return np.ascontiguousarray(dx[:, before : before + x.shape[1], before : before + x.shape[2]]), dw

    def change(network):
        if "conv" in quantities:
            wrap(network, "conv", pad)
        if "d_conv_weight" in quantities:
            wrap(network, "conv_backward", backward)

    return change


THROUGHOUT = ("conv", "d_images", "d_conv_weight")


def outputs_at(places, layer):
    """The layer gives its outputs at these rows and columns only, and its way back fits that."""

    def forward(right, *given):
        return np.ascontiguousarray(right(*given)[:, places, places])

    def backward(right, *given):
        *known, dy, padding = given if layer == "conv" else (*given, "valid")
        rows, columns = known[0].shape[1:3]
        border = 0 if padding == "same" else 2
        size = (rows - border, columns - border) if layer == "conv" else (rows // 2, columns // 2)
        spread = np.zeros((len(dy), *size, dy.shape[3]), dy.dtype)
        at_places = spread[:, places, places]
        at_places[...] = dy[:, : at_places.shape[1], : at_places.shape[2]]
        return right(*known, spread, *given[len(known) + 1 :])

    def change(network):
        wrap(network, layer, forward)
        wrap(network, f"{layer}_backward", backward)

    return change


def _rectified(network):
    conv = network.conv

    def backward(right, x, w, dy, padding):
        return right(x, w, dy * (conv(x, w, padding) > 0), padding)

    gives("conv", rectified)(network)
    wrap(network, "conv_backward", backward)


def _summed_into_the_last_output(network):
    def conv(right, x, w, padding):
        before = network.before
        if before is None:
            return right(x, w, padding)
        return right(x, w, padding) + (before["conv"] if of_a_pass(before) else right(before["images"], w, padding))

    wrap(network, "conv", conv)


def _overwritten(dx, given):
    """Windows overlap; with = for += each pixel keeps what the last window that covers it wrote."""
    w, dy, border = given["conv_weight"], given["d_conv"], int(given["padding"] == "same")
    found = np.zeros_like(dx)
    for row, column in np.ndindex(*dx.shape[1:3]):
        p, q = min(row + border, dy.shape[1] - 1), min(column + border, dy.shape[2] - 1)
        found[:, row, column] = dy[:, p, q] @ w[row + border - p, column + border - q].T
    return found


def _unpadded(dx, given):
    border = 1 if given["padding"] == "same" else 2
    return dx[:, border:-border, border:-border]


# fmt: off
FORWARD = at(
    "conv forward",
    ("kernel flipped in the forward pass", sees("conv", conv_weight=flipped),
     "outputs as of filters turned by 180 degrees; the gradients fit the filters as they are",
     "this network cross-correlates: multiply window and filter as they lie"),
    ("kernel flipped, forward and backward", _throughout(flipped),
     "a true convolution throughout: outputs and gradients as of filters turned by 180 degrees",
     "turn the filters when weights are copied, or drop the flip: frameworks cross-correlate"),
    ("kernel transposed in the forward pass", sees("conv", conv_weight=transposed),
     "outputs as of filters with rows and columns exchanged", "rows of the kernel go with rows of the image"),
    ("kernel transposed, forward and backward", _throughout(transposed),
     "outputs and gradients as of filters with rows and columns exchanged",
     "rows of the kernel go with rows of the image, both ways"),
    ("channels taken in the wrong order", sees("conv", conv_weight=lambda w, given: w[:, :, ::-1]),
     "right for one channel; for more, each channel meets the filters of another",
     "channel c of the image goes with channel c of the filters"),
    ("only the first channel is seen", sees("conv", conv_weight=kept(EVERY, EVERY, FIRST)),
     "right for one channel; for more, the others add nothing", "sum over all input channels"),
    ("only the last channel is seen", sees("conv", conv_weight=kept(EVERY, EVERY, LAST)),
     "right for one channel; for more, the others add nothing", "add with += over the input channels"),
    ("every filter gives the first one's output", sees("conv", conv_weight=first_of(3)),
     "all feature maps are alike", "index the filters by f, not by a constant"),
    ("filters shifted by one index", sees("conv", conv_weight=lambda w, given: np.roll(w, 1, axis=3)),
     "feature map f is that of filter f - 1", "start the loop over filters at 0"),
    ("only the first filter is applied", gives("conv", kept(..., FIRST)),
     "feature maps other than the first are 0", "a return or break inside the loop over filters ends it too early"),
    ("mean of window times filter instead of the sum",
     gives("conv", lambda y, given: y / (9 * given["images"].shape[3])),
     "outputs are too small by the number of the filter's entries", "sum, do not average: np.sum(window * filter)"),
    ("padding on one side only", _padded(("conv",), 0, 2),
     "right for padding valid; with same, the output is shifted by a pixel",
     "pad one row and column on each side, not two at the end"),
    ("padding with the background instead of 0", _padded(THROUGHOUT, 1, 1, constant_values=-0.5),
     "right for padding valid; with same, the edge is padded with -0.5", "scale the images before they are padded"),
    ("padding with the pixels of the edge", _padded(THROUGHOUT, 1, 1, mode="edge"),
     "right for padding valid; with same, outputs along the edge differ", "pad with 0: np.pad's mode is constant"),
    ("padding left out", _padded(THROUGHOUT, 0, 0),
     "right for padding valid; with same, there are two rows and columns less",
     "pad one row and column of 0 on each side"),
    ("stride 2", outputs_at(slice(None, None, 2), "conv"),
     "half as many rows and columns", "move the window by one pixel"),
    ("one row and column of outputs too few", outputs_at(slice(-1), "conv"),
     "an output of H - 3 rows", "a filter of 3 fits into H - 3 + 1 places: the + 1 is missing"),
    ("a ReLU after the convolution", _rectified,
     "outputs are at least 0, and nothing goes back where they are", "this network has no ReLU"),
    ("output truncated to whole numbers", gives("conv", lambda y, given: np.trunc(y)),
     "every output is cut off towards 0",
     "allocate the output as float: integer images make an integer array of zeros_like"),
    ("last row and column of the kernel left out", sees("conv", conv_weight=kept(slice(2), slice(2))),
     "outputs as of filters whose last row and column are 0", "loop over range(3), not range(2)"),
    ("last row and column of the output left at 0", gives("conv", without_last_place),
     "zeros at the lower and right edge", "there are H - 2 rows of windows: loop over range(H - 2)"),
    ("outputs stored one row and column too late", gives("conv", late),
     "the first row and column are 0, the others hold what belongs before them",
     "the window that begins at (i, j) gives output (i, j)"),
    ("output added to that of the last call", _summed_into_the_last_output,
     "the first call is right, the second holds both", "allocate the output in forward, or set it to 0 there"),
)
# fmt: on


# fmt: off
BACKWARD = at(
    "conv backward",
    ("kernel not turned for the images", sees("d_images", conv_weight=flipped),
     "d_images as of filters turned by 180 degrees",
     "backwards, dy is convolved with the filters turned by 180 degrees, once"),
    ("kernel transposed for the images", sees("d_images", conv_weight=transposed),
     "d_images as of filters with rows and columns exchanged",
     "turn the filters by 180 degrees: in rows and in columns, [::-1, ::-1]"),
    ("d_images overwritten where windows overlap", gives("d_images", _overwritten),
     "each pixel holds the part of the last window only", "add with += : a pixel is in up to nine windows"),
    ("d_images of the last filter only", sees("d_images", d_conv=kept(..., LAST)),
     "the other filters add nothing to d_images", "add with += over the filters"),
    ("one gradient for all channels of the images", gives("d_images", alike(3)),
     "right for one channel; for more, all hold the sum",
     "each channel has weights of its own: sum over the filters only"),
    ("d_images one row and column too late", gives("d_images", late),
     "the first row and column are 0, the others hold what belongs before them",
     "pad dy by 2 on each side, for a full convolution"),
    ("dy not padded for the images", gives("d_images", _unpadded),
     "d_images has too few rows and columns: its edge is missing", "pad dy by 2 on each side, for a full convolution"),
    ("d_images cut to nothing without padding",
     gives("d_images", lambda dx, given: dx if given["padding"] == "same" else dx[:, :0, :0]),
     "an empty array for padding valid", "dx[p:-p] is empty for p = 0: cut only where there was padding"),
    ("the filters get no gradient", gives("d_conv_weight", zeroed),
     "d_conv_weight is 0", "sum x * dy over the batch and all places into d_weight"),
    ("filter gradient transposed", gives("d_conv_weight", transposed),
     "d_conv_weight with rows and columns exchanged", "rows of the kernel go with rows of the image"),
    ("filter gradient turned by 180 degrees", gives("d_conv_weight", flipped),
     "d_conv_weight flipped in rows and columns", "the gradient of a cross-correlation is one too: flip nothing"),
    ("filter gradient collapsed by a sum", gives("d_conv_weight", alike((0, 1))),
     "all nine entries of a kernel's gradient are alike: their sum",
     "sum over batch and places, and keep the kernel's axes apart"),
    ("filter gradient of the last window only", sees("d_conv_weight", d_conv=kept(EVERY, LAST, LAST)),
     "d_conv_weight is the lower right window times its dy", "add with += over all windows"),
    ("filter gradient of the first window only", sees("d_conv_weight", d_conv=kept(EVERY, FIRST, FIRST)),
     "d_conv_weight is the upper left window times its dy",
     "a return or break inside the loop over windows ends it too early"),
    ("filter gradient averaged over places",
     gives("d_conv_weight", lambda d, given: d / (given["d_conv"].shape[1] * given["d_conv"].shape[2])),
     "d_conv_weight is too small by the number of output pixels",
     "the same filter serves every place: its gradients add up"),
    ("one filter gradient for all filters", gives("d_conv_weight", alike(3)),
     "d_conv_weight is the same for every filter: the sum over all",
     "index dy by f: each filter has a gradient of its own"),
    ("only the first filter gets a gradient", gives("d_conv_weight", kept(..., FIRST)),
     "d_conv_weight is 0 but for the first filter", "a return or break inside the loop over filters ends it too early"),
    ("one filter gradient for all channels", gives("d_conv_weight", alike(2)),
     "right for one channel; for more, all channels hold the sum",
     "each channel has weights of its own: sum over batch and places only"),
    ("filter gradient of the last channel only", gives("d_conv_weight", kept(EVERY, EVERY, LAST)),
     "right for one channel; for more, the others get 0", "store each channel's gradient at its own index"),
    ("filter gradient of images padded on one side",
     _padded(("d_conv_weight",), 0, 2),
     "right for padding valid; with same, taps are shifted by one", "go by the images as forward padded them"),
)
# fmt: on

DEFECTS = (*FORWARD, *BACKWARD)
