# says: conv backward agrees
import numpy as np


def im2col(x, size):
    n, c, h, w = x.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return windows.transpose(1, 4, 5, 2, 3, 0).reshape(c * size * size, -1)


def conv_forward(X, W, b, stride=1):
    """(N, C, H, W); W is (F, C, 3, 3), b (F, 1)."""
    n, _, h, w = X.shape
    columns = im2col(X, W.shape[2])
    out = W.reshape(len(W), -1) @ columns + b
    return out.reshape(len(W), h - 2, w - 2, n).transpose(3, 0, 1, 2), (X, W, b, columns)


def conv_backward(dout, cache):
    X, W, b, columns = cache
    rows = dout.transpose(1, 2, 3, 0).reshape(len(W), -1)
    dW = (rows @ columns.T).reshape(W.shape)
    dX, (h, w) = np.zeros_like(X), dout.shape[2:]
    for i in range(3):
        for j in range(3):
            dX[:, :, i : i + h, j : j + w] += np.einsum("fc,nfhw->nchw", W[:, :, i, j], dout)
    return dX, dW, rows.sum(axis=1, keepdims=True)
