# says: Conv is the convolution
# says: told that it is in training
import numpy as np


class Conv:
    def __init__(self, filters, channels, kernel_size=3):
        self.W = np.random.randn(kernel_size, kernel_size, channels, filters) / 9

    def forward(self, x, training):
        n, h, w, _ = x.shape
        k = len(self.W)
        y = np.zeros((n, h - k + 1, w - k + 1, self.W.shape[3]))
        for i in range(k):
            for j in range(k):
                y += x[:, i : i + h - k + 1, j : j + w - k + 1] @ self.W[i, j]
        if training:
            self.memory = x
        return y

    def backward(self, dy):
        x = self.memory
        _, h, w, _ = dy.shape
        dx, self.dW = np.zeros_like(x), np.zeros_like(self.W)
        for i in range(len(self.W)):
            for j in range(len(self.W)):
                patch = x[:, i : i + h, j : j + w]
                self.dW[i, j] = np.einsum("nhwc,nhwf->cf", patch, dy)
                dx[:, i : i + h, j : j + w] += dy @ self.W[i, j].T
        return dx


class MaxPool:
    def __init__(self, size=2):
        self.size = size

    def forward(self, x, save_cache=False):
        n, h, w, f = x.shape
        h, w = h // 2, w // 2
        windows = x[:, : 2 * h, : 2 * w].reshape(n, h, 2, w, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, h, w, f, 4)
        if save_cache:
            self.cache = x.shape, windows.argmax(axis=-1)
        return windows.max(axis=-1)

    def backward(self, dy):
        shape, winner = self.cache
        n, h, w, f = dy.shape
        dx = np.zeros(shape)
        spread = (np.arange(4) == winner[..., None]) * dy[..., None]
        spread = spread.reshape(n, h, w, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, f)
        dx[:, : 2 * h, : 2 * w] = spread
        return dx
