# says: share the gradient evenly
"""Equal maxima share the gradient: two get a half each, four a quarter."""
import numpy as np


class MaxPool2D:
    def __init__(self, pool_size=2):
        self.k = pool_size

    def forward(self, x):
        n, h, w, c = x.shape
        k = self.k
        self.shape = x.shape
        blocks = x[:, :h // k * k, :w // k * k].reshape(n, h // k, k, w // k, k, c)
        out = blocks.max(axis=(2, 4), keepdims=True)
        mask = (blocks == out)
        self.share = mask / mask.sum(axis=(2, 4), keepdims=True)
        return out[:, :, 0, :, 0]

    def backward(self, grad):
        n, h, w, c = self.shape
        k = self.k
        dx = np.zeros(self.shape)
        spread = self.share * grad[:, :, None, :, None]
        dx[:, :h // k * k, :w // k * k] = spread.reshape(n, h // k * k, w // k * k, c)
        return dx
