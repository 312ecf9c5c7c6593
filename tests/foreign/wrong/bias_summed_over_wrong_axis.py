# stage: dense backward
# names: none
# exit: 1 | 4
import numpy as np


def affine_forward(x, w, b):
    cache = (x, w, b)
    return np.reshape(x, (x.shape[0], -1)) @ w + b, cache


def affine_backward(dout, cache):
    x, w, b = cache
    dx = np.reshape(dout @ w.T, x.shape)
    dw = np.reshape(x, (x.shape[0], -1)).T @ dout
    db = np.sum(dout, axis=1)
    return dx, dw, db
