"""Mistakes in the dense layer."""

import numpy as np

from compare.verdict.defects.defect import Defect, of_a_pass, wrap

FORWARD, BACKWARD = "dense forward", "dense backward"


def _flattened(order):
    """Both ways the layer flattens (N, P, Q, F) in another order of axes."""

    def forward(right, x, w, bias):
        return right(np.ascontiguousarray(x.transpose(order)).reshape(x.shape), w, bias)

    def backward(right, x, w, d):
        turned = np.ascontiguousarray(x.transpose(order))
        dx, dw, db = right(turned.reshape(x.shape), w, d)
        return np.ascontiguousarray(dx.reshape(turned.shape).transpose(np.argsort(order))), dw, db

    def change(network):
        wrap(network, "dense", forward)
        wrap(network, "dense_backward", backward)

    return change


def _backward(dx=lambda right, x, w, d: None, dw=lambda dw, d: dw, db=lambda db, d: db):
    """The backward pass with changed gradients of weights or bias, or with another gradient of its input."""

    def backward(right, x, w, d):
        own = right(x, w, d)
        other = dx(right, x, w, d)
        return own[0] if other is None else other, dw(own[1], d), db(own[2], d)

    def change(network):
        wrap(network, "dense_backward", backward)

    return change


def _after_update(network):
    def backward(right, x, w, d):
        _, dw, db = right(x, w, d)
        moved = w - w.dtype.type(network.rate) * dw
        return right(x, moved, d)[0], dw, db

    wrap(network, "dense_backward", backward)


def _of_last_image(network):
    def backward(right, x, w, d):
        last = np.zeros_like(d)
        last[-1] = d[-1]
        return (right(x, w, d)[0], *right(x, w, last)[1:])

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


def _read_in_wrong_order(network):
    def forward(right, x, w, bias):
        return right(x, np.ascontiguousarray(w.reshape(w.shape[::-1]).T), bias)

    wrap(network, "dense", forward)


def _number(like, value):
    return like.dtype.type(value)


def _channels_first_back(right, x, w, d):
    dx = right(x, w, d)[0]
    n, p, q, f = dx.shape
    return np.ascontiguousarray(dx.reshape(n, f, p, q).transpose(0, 2, 3, 1))


DEFECTS = (
    Defect(
        "flatten in channels-first order",
        FORWARD,
        "logits as of weights whose rows are in (F, P, Q) order; consistent backwards",
        "the rows of dense_weight are in (P, Q, F) order: flatten as the array lies",
        _flattened((0, 3, 1, 2)),
    ),
    Defect(
        "flatten with rows and columns exchanged",
        FORWARD,
        "logits as of weights whose rows are in (Q, P, F) order; consistent backwards",
        "flatten rows before columns",
        _flattened((0, 2, 1, 3)),
    ),
    Defect(
        "weights reshaped where they should be transposed",
        FORWARD,
        "logits as of weights read in the wrong order",
        "use .T to exchange the axes; reshape keeps the order in memory",
        _read_in_wrong_order,
    ),
    Defect(
        "bias not added",
        FORWARD,
        "logits are too small by the bias",
        "add the bias",
        lambda network: wrap(network, "dense", lambda right, x, w, bias: right(x, w, np.zeros_like(bias))),
    ),
    Defect(
        "bias added twice",
        FORWARD,
        "logits are too large by the bias",
        "add the bias once, not in each partial sum",
        lambda network: wrap(network, "dense", lambda right, x, w, bias: right(x, w, bias + bias)),
    ),
    Defect(
        "bias gradient dropped",
        BACKWARD,
        "d_dense_bias is 0",
        "d_bias is the sum of d_logits over the batch",
        _backward(db=lambda db, d: np.zeros_like(db)),
    ),
    Defect(
        "bias gradient summed over classes",
        BACKWARD,
        "all entries of d_dense_bias are alike: for whole passes 0",
        "sum over the batch, axis 0, and keep the classes apart",
        _backward(db=lambda db, d: np.full_like(db, db.sum())),
    ),
    Defect(
        "bias gradient divided by the batch twice",
        BACKWARD,
        "right for a batch of one; else d_dense_bias is N times too small",
        "d_logits is divided by N already: sum, do not average",
        _backward(db=lambda db, d: db / _number(db, len(d))),
    ),
    Defect(
        "bias gradient not divided by the batch",
        BACKWARD,
        "right for a batch of one; else d_dense_bias is N times too large",
        "the loss is a mean: one division by N for all gradients",
        _backward(db=lambda db, d: db * _number(db, len(d))),
    ),
    Defect(
        "dense gradients of the last image only",
        BACKWARD,
        "right for a batch of one; else the other images add nothing",
        "add over the batch: x.T @ d_logits does it",
        _of_last_image,
    ),
    Defect(
        "dense weight gradient not divided by the batch",
        BACKWARD,
        "right for a batch of one; else d_dense_weight is N times too large",
        "the loss is a mean: one division by N for all gradients",
        _backward(dw=lambda dw, d: dw * _number(dw, len(d))),
    ),
    Defect(
        "dense weight gradient reshaped where it should be transposed",
        BACKWARD,
        "d_dense_weight holds the right numbers at wrong places",
        "x.T @ d_logits has the shape of the weights; d_logits.T @ x needs .T, not reshape",
        _backward(dw=lambda dw, d: np.ascontiguousarray(dw.T).reshape(dw.shape)),
    ),
    Defect(
        "dense weight gradient reshaped to (classes, inputs)",
        BACKWARD,
        "d_dense_weight holds the right numbers at wrong places",
        "weights (K, inputs) have the gradient d_logits.T @ x; x.T @ d_logits needs .T, not reshape",
        _backward(dw=lambda dw, d: dw.reshape(dw.shape[::-1]).T),
    ),
    Defect(
        "gradient sent back through weights already updated",
        BACKWARD,
        "gradients asked for alone are right; a step moves the filters by those of the new dense weights",
        "compute d_pool before the weights are updated",
        _after_update,
    ),
    Defect(
        "the way back unflattens in channels-first order",
        BACKWARD,
        "d_pool holds the right numbers at wrong places",
        "reshape to (P, Q, F), the order in which forward flattened",
        _backward(dx=_channels_first_back),
    ),
    Defect(
        "derivative of a ReLU that is not there",
        BACKWARD,
        "d_pool is 0 where the pool's output is negative",
        "this network has no ReLU: d_pool is d_logits @ weight.T as it stands",
        _backward(dx=lambda right, x, w, d: right(x, w, d)[0] * (x > 0)),
    ),
    Defect(
        "gradients added to those of the calls before",
        BACKWARD,
        "the first call is right, the second holds both",
        "set the gradients to 0, or assign them anew, in each backward pass",
        _accumulated,
    ),
)
