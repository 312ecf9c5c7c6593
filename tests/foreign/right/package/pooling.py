import numpy as np

from .utils import windows


class MaxPool:
    def forward(self, x):
        self.x = x
        return windows(x, 2)[:, ::2, ::2].max(axis=(-2, -1))

    def backward(self, dy):
        dx = np.zeros_like(self.x)
        best = windows(self.x, 2)[:, ::2, ::2].reshape(*dy.shape, 4).argmax(axis=-1)
        n, i, j, f = np.indices(dy.shape)
        dx[n, 2 * i + best // 2, 2 * j + best % 2, f] = dy
        return dx
