# stage: dense forward
# names: flatten with rows and columns exchanged
import numpy as np


class Dense:
    """Channels-last feature maps, read column by column."""

    def __init__(self, in_features, out_features):
        self.w = np.random.uniform(-1, 1, (in_features, out_features)) / np.sqrt(in_features)
        self.b = np.zeros(out_features)

    def forward(self, maps):
        self.turned = np.swapaxes(maps, 1, 2)
        self.flat = self.turned.reshape(len(maps), -1)
        return self.flat @ self.w + self.b

    def backward(self, grad):
        self.grad_w = self.flat.T @ grad
        self.grad_b = grad.sum(axis=0)
        return np.swapaxes((grad @ self.w.T).reshape(self.turned.shape), 1, 2)


class MaxPool:
    def forward(self, x):
        self.x = x
        n, h, w, c = x.shape
        return x[:, :h // 2 * 2, :w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
