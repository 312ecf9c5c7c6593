# stage: conv forward
# names: output truncated to whole numbers
import numpy as np


def conv_forward(A_prev, W, b):
    """A_prev (m, H, W, C), W (f, f, C, n_C), b (1, 1, 1, n_C). Returns Z and a cache."""
    (m, n_H_prev, n_W_prev, n_C_prev) = A_prev.shape
    (f, f, n_C_prev, n_C) = W.shape
    n_H, n_W = n_H_prev - f + 1, n_W_prev - f + 1
    Z = np.zeros((m, n_H, n_W, n_C), dtype=int)
    for h in range(n_H):
        for w in range(n_W):
            a_slice = A_prev[:, h:h + f, w:w + f, :]
            Z[:, h, w, :] = np.tensordot(a_slice, W, axes=3) + b[0, 0, 0]
    cache = (A_prev, W, b)
    return Z, cache


def conv_backward(dZ, cache):
    (A_prev, W, b) = cache
    dA_prev = np.zeros(A_prev.shape)
    dW = np.zeros(W.shape)
    for h in range(dZ.shape[1]):
        for w in range(dZ.shape[2]):
            dA_prev[:, h:h + 3, w:w + 3, :] += np.tensordot(dZ[:, h, w, :], W, axes=(1, 3))
            dW += np.tensordot(A_prev[:, h:h + 3, w:w + 3, :], dZ[:, h, w, :], axes=(0, 0))
    db = np.sum(dZ, axis=(0, 1, 2)).reshape(1, 1, 1, -1)
    return dA_prev, dW, db
