# stage: dense backward
# names: the way back unflattens in channels-first order
import numpy as np


def fc_forward(x, W, b):
    """x: (N, H, W, C) feature maps."""
    flat = x.reshape(x.shape[0], -1)
    return flat @ W + b, (x.shape, flat, W)


def fc_backward(dout, cache):
    shape, flat, W = cache
    n, h, w, c = shape
    dx = (dout @ W.T).reshape(n, c, h, w).transpose(0, 2, 3, 1)
    return dx, flat.T @ dout, np.sum(dout, axis=0)


def pool_forward(x):
    n, h, w, c = x.shape
    view = x[:, :h - h % 2, :w - w % 2].reshape(n, h // 2, 2, w // 2, 2, c)
    return np.max(np.max(view, axis=4), axis=2)
