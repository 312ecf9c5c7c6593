# stage: network backward
# names: none
# says: TinyCNN.train, bias: it stays as it was
import numpy as np


class TinyCNN:
    """Plain loops, one image at a time, no pool; only train(image, label, lr) goes back, and moves the weights."""

    def __init__(self):
        self.kernels = np.random.randn(2, 5, 5) * 0.2
        self.weights = np.random.randn(10, 2 * 12 * 12) * 0.1
        self.bias = np.zeros((10, 1))

    def forward(self, image):
        self.maps = np.zeros((2, 12, 12))
        for f in range(2):
            for i in range(12):
                for j in range(12):
                    self.maps[f, i, j] = np.sum(image[2 * i : 2 * i + 5, 2 * j : 2 * j + 5] * self.kernels[f])
        self.flat = 1 / (1 + np.exp(-self.maps.reshape(-1, 1)))
        z = self.weights @ self.flat + self.bias
        e = np.exp(z - z.max())
        return e / e.sum()

    def train(self, image, label, lr=0.01):
        d = self.forward(image).copy()
        d[label] -= 1
        back = (self.weights.T @ d * self.flat * (1 - self.flat)).reshape(2, 12, 12)
        self.weights -= lr * d @ self.flat.T
        for f in range(2):
            for i in range(12):
                for j in range(12):
                    self.kernels[f] -= lr * back[f, i, j] * image[2 * i : 2 * i + 5, 2 * j : 2 * j + 5]
