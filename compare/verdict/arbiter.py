"""The arbiter: `numpy_cnn` in float64, stage by stage, as functions. The same names as in `definition.py`."""

import functools

import numpy as np

import numpy_cnn

# made once for each size: a layer draws start weights when it is made, and here they are never used
_conv_of_size = functools.cache(functools.partial(numpy_cnn.Conv3x3, dtype=np.float64))
_dense_of_size = functools.cache(functools.partial(numpy_cnn.Softmax, dtype=np.float64))


def _conv_layer(w, padding):
    layer = _conv_of_size(w.shape[3], w.shape[2], padding)
    layer.weight = w
    return layer


def _dense_layer(w, bias):
    layer = _dense_of_size(*w.shape)
    layer.weight, layer.bias = w, bias
    return layer


def conv(x, w, padding):
    """(N, H, W, C), (3, 3, C, F) -> (N, H', W', F)."""
    return _conv_layer(w, padding).forward(x)


def conv_backward(x, w, dy, padding, need_dx=True):
    """(dx, dw) of `conv`; dx is None where it is not needed."""
    layer = _conv_layer(w, padding)
    layer.forward(x)
    return layer.backward(dy, need_dx), layer.d_weight


def pool(x):
    """(N, H, W, F) -> (N, H // 2, W // 2, F)."""
    return numpy_cnn.MaxPool2().forward(x)


def pool_backward(x, dy):
    """dx of `pool`."""
    layer = numpy_cnn.MaxPool2()
    layer.forward(x)
    return layer.backward(dy)


def dense(x, w, bias):
    """(N, P, Q, F) -> logits (N, K)."""
    return _dense_layer(w, bias).logits(x)


def dense_backward(x, w, d):
    """(dx, dw, dbias) of `dense`."""
    layer = _dense_layer(w, np.zeros(w.shape[1]))
    layer.logits(x)
    dx = layer.backward(d)
    return dx, layer.d_weight, layer.d_bias


def probabilities(logits):
    """(N, K) -> (N, K)."""
    return numpy_cnn.softmax(logits)


def loss(logits, labels):
    """(N, K), (N,) -> scalar, nats."""
    return numpy_cnn.cross_entropy(logits, labels)


def loss_backward(logits, labels):
    """d_logits of `loss`: (N, K)."""
    return numpy_cnn.cross_entropy_backward(logits, labels)
