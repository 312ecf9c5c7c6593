"""Mistakes in the dense layer."""

import numpy as np

from compare.verdict.defects.defect import at, both, gives, of_a_pass, sees, wrap
from compare.verdict.defects.turns import (
    FIRST,
    alike,
    doubled,
    first_of,
    kept,
    last_image,
    negated,
    rectified,
    zeroed,
)

CHANNELS_FIRST = (0, 3, 1, 2)


def _reordered(order):
    """x flattened in another order of axes, in the shape that it had."""
    return lambda x, given: x.transpose(order).reshape(x.shape)


def _restored(order):
    """A gradient of what `_reordered` made, back in the order of x."""

    def turn(dx, given):
        turned = [dx.shape[axis] for axis in order]
        return dx.reshape(turned).transpose(np.argsort(order))

    return turn


def _flattened(order):
    """Both ways the layer flattens (N, P, Q, F) in another order of axes."""
    return both(
        sees("logits", pool=_reordered(order)),
        sees("d_dense_weight", pool=_reordered(order)),
        gives("d_pool", _restored(order)),
    )


def _after_update(network):
    def backward(right, x, w, d):
        _, dw, db = right(x, w, d)
        moved = w - w.dtype.type(network.rate) * dw
        return right(x, moved, d)[0], dw, db

    wrap(network, "dense_backward", backward)


def _accumulated(network):
    """All gradients of parameters are added to those of the calls before."""

    def dense_backward(right, x, w, d):
        dx, dw, db = right(x, w, d)
        before = network.before
        if before is None or (of_a_pass(before) and "d_dense_weight" not in before):
            return dx, dw, db
        if of_a_pass(before):
            return dx, dw + before["d_dense_weight"], db + before["d_dense_bias"]
        _, more_w, more_b = right(before["pool"], w, before["d_logits"])
        return dx, dw + more_w, db + more_b

    def conv_backward(right, x, w, dy, padding):
        dx, dw = right(x, w, dy, padding)
        before = network.before
        if before is None or (of_a_pass(before) and "d_conv_weight" not in before):
            return dx, dw
        if of_a_pass(before):
            return dx, dw + before["d_conv_weight"]
        return dx, dw + right(before["images"], w, before["d_conv"], padding)[1]

    wrap(network, "dense_backward", dense_backward)
    wrap(network, "conv_backward", conv_backward)


# fmt: off
FORWARD = at(
    "dense forward",
    ("flatten in channels-first order", _flattened(CHANNELS_FIRST),
     "logits as of weights whose rows are in (F, P, Q) order; consistent backwards",
     "the rows of dense_weight are in (P, Q, F) order: flatten as the array lies"),
    ("flatten with rows and columns exchanged", _flattened((0, 2, 1, 3)),
     "logits as of weights whose rows are in (Q, P, F) order; consistent backwards", "flatten rows before columns"),
    ("flatten in channels-first order in the forward pass only", sees("logits", pool=_reordered(CHANNELS_FIRST)),
     "logits as of weights whose rows are in (F, P, Q) order; the gradients fit the order as it is",
     "flatten in the same order both ways, as the array lies"),
    ("weights reshaped where they should be transposed",
     sees("logits", dense_weight=lambda w, given: w.reshape(w.shape[::-1]).T),
     "logits as of weights read in the wrong order", "use .T to exchange the axes; reshape keeps the order in memory"),
    ("bias not added", sees("logits", dense_bias=zeroed),
     "logits are too small by the bias", "add the bias"),
    ("bias added twice", sees("logits", dense_bias=doubled),
     "logits are too large by the bias", "add the bias once, not in each partial sum"),
    ("bias subtracted", sees("logits", dense_bias=negated),
     "logits are too small by twice the bias", "add the bias"),
    ("one bias for all classes", sees("logits", dense_bias=first_of(0)),
     "logits as of the first class's bias throughout", "index the bias by k: each class has one of its own"),
    ("every image gets the first one's logits", gives("logits", first_of(0)),
     "right for a batch of one; else all rows are alike", "index the images by n, not by a constant"),
    ("logits of the last class left at 0", gives("logits", kept(..., slice(-1))),
     "the last logit is 0", "there are K classes: loop over range(K)"),
    ("a ReLU on the logits", gives("logits", rectified),
     "no logit is below 0", "the last layer has no activation but the softmax"),
)
# fmt: on

# fmt: off
BACKWARD = at(
    "dense backward",
    ("bias gradient summed over classes", gives("d_dense_bias", alike(0)),
     "all entries of d_dense_bias are alike: for whole passes 0",
     "sum over the batch, axis 0, and keep the classes apart"),
    ("bias gradient is one mean for all", gives("d_dense_bias", alike(0, np.mean)),
     "all entries of d_dense_bias are alike: for whole passes 0",
     "np.mean without an axis takes the classes together: sum over the batch, axis 0"),
    ("dense gradients of the last image only", sees("d_dense_weight", "d_dense_bias", d_logits=last_image),
     "right for a batch of one; else the other images add nothing", "add over the batch: x.T @ d_logits does it"),
    ("dense weight gradient reshaped where it should be transposed",
     gives("d_dense_weight", lambda dw, given: dw.T.reshape(dw.shape)),
     "d_dense_weight holds the right numbers at wrong places",
     "x.T @ d_logits has the shape of the weights; d_logits.T @ x needs .T, not reshape"),
    ("dense weight gradient reshaped to (classes, inputs)",
     gives("d_dense_weight", lambda dw, given: dw.reshape(dw.shape[::-1]).T),
     "d_dense_weight holds the right numbers at wrong places",
     "weights (K, inputs) have the gradient d_logits.T @ x; x.T @ d_logits needs .T, not reshape"),
    ("dense weight gradient left transposed", gives("d_dense_weight", lambda dw, given: dw.T),
     "d_dense_weight has the shape (K, inputs)", "x.T @ d_logits, not d_logits.T @ x"),
    ("dense weight gradient with rows in channels-first order", sees("d_dense_weight", pool=_reordered(CHANNELS_FIRST)),
     "d_dense_weight holds the right numbers in other rows", "flatten as forward does, in (P, Q, F) order"),
    ("one dense weight gradient for all classes", gives("d_dense_weight", alike(1)),
     "all columns of d_dense_weight are alike: for whole passes 0",
     "index d_logits by k: each class has weights of its own"),
    ("dense weight gradient of the batch's mean image", sees("d_dense_weight", pool=alike(0, np.mean)),
     "right for a batch of one; else d_dense_weight has rank 1",
     "x.T @ d_logits adds up the products; a product of means is another number"),
    ("gradient sent back through weights already updated", _after_update,
     "gradients asked for alone are right; a step moves the filters by those of the new dense weights",
     "compute d_pool before the weights are updated"),
    ("the way back unflattens in channels-first order", gives("d_pool", _restored(CHANNELS_FIRST)),
     "d_pool holds the right numbers at wrong places", "reshape to (P, Q, F), the order in which forward flattened"),
    ("the way back unflattens with rows and columns exchanged", gives("d_pool", _restored((0, 2, 1, 3))),
     "d_pool holds the right numbers at wrong places", "reshape to (P, Q, F), the order in which forward flattened"),
    ("the way back is not unflattened", gives("d_pool", lambda dx, given: dx.reshape(len(dx), -1)),
     "d_pool has the shape (N, inputs)", "reshape d_logits @ weight.T to the shape that forward flattened"),
    ("d_pool of the first class only", sees("d_pool", d_logits=kept(..., FIRST)),
     "the other classes add nothing to d_pool", "sum over all classes: d_logits @ weight.T"),
    ("one gradient for all images of the batch", gives("d_pool", alike(0)),
     "right for a batch of one; else d_pool is the sum over the batch in each image",
     "each image has a gradient of its own: only those of parameters are summed"),
    ("derivative of a ReLU that is not there", gives("d_pool", lambda dx, given: dx * (given["pool"] > 0)),
     "d_pool is 0 where the pool's output is negative",
     "this network has no ReLU: d_pool is d_logits @ weight.T as it stands"),
    ("gradients added to those of the calls before", _accumulated,
     "the first call is right, the second holds both",
     "set the gradients to 0, or assign them anew, in each backward pass"),
)
# fmt: on

DEFECTS = (*FORWARD, *BACKWARD)
