# stage: pool forward
# names: none
import numpy as np


def maxpool_forward(x):
    """x: (N, C, H, W). The last row of windows is forgotten, its columns are not."""
    n, c, h, w = x.shape
    out = np.zeros((n, c, h // 2, w // 2), dtype=x.dtype)
    for i in range(h // 2 - 1):
        for j in range(w // 2):
            out[:, :, i, j] = x[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(2, 3))
    return out, x


def maxpool_backward(dout, cache):
    x = cache
    n, c, p, q = dout.shape
    dx = np.zeros_like(x)
    for i in range(p):
        for j in range(q):
            flat = x[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2].reshape(n, c, 4)
            one_hot = np.eye(4, dtype=x.dtype)[flat.argmax(axis=2)]
            dx[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2] = (one_hot * dout[:, :, i, j, None]).reshape(n, c, 2, 2)
    return dx
