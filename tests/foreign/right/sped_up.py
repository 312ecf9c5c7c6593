# says: No module named 'numba'
import numpy as np
from numba import njit, prange


@njit(parallel=True)
def conv_forward(x, w):
    n, h, width, _ = x.shape
    y = np.zeros((n, h - 2, width - 2, w.shape[3]))
    for i in prange(h - 2):
        for j in range(width - 2):
            y[:, i, j] = np.tensordot(x[:, i : i + 3, j : j + 3], w, axes=3)
    return y
