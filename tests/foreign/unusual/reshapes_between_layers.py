# never: PostPoolReshape is
import numpy as np


class PostPoolReshape:
    """What lies between two layers, and is called after one."""

    def forward(self, x):
        return np.array(x)

    def backward(self, dy):
        return np.array(dy)


class BN_Linear:
    """Normalises; no dense layer."""

    def __init__(self, x):
        self.gamma = np.ones((x.shape[0], 1))

    def forward(self, x):
        return self.gamma * (x - x.mean(axis=1, keepdims=True))


class MaxPool:
    def forward(self, x):
        n, h, w, c = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
