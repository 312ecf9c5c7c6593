# stage: pool forward
# names: an odd last row or column is pooled
import numpy as np


def maxpool(x, size=2):
    """(N, H, W, C); a window that hangs over the edge is cut off there."""
    n, h, w, c = x.shape
    rows, cols = -(-h // size), -(-w // size)
    out = np.empty((n, rows, cols, c), x.dtype)
    for i in range(rows):
        for j in range(cols):
            out[:, i, j] = x[:, i * size:(i + 1) * size, j * size:(j + 1) * size].max(axis=(1, 2))
    return out
