# says: the pooling ends in relu, which ours has not
# says: pool has a bias, b, (F,): held at 0
"""A pool that takes means unless it is told to take the maximum, adds a bias, and ends in a ReLU."""
import numpy as np


class PoolLayer:
    def __init__(self, image_shape, poolsize=(2, 2), mode="average"):
        self.poolsize, self.mode = poolsize, mode
        self.b = np.random.randn(image_shape[0])

    def feedforward(self, a):
        c, h, w = a.shape
        p, q = self.poolsize
        t = a[:, : h // p * p, : w // q * q].reshape(c, h // p, p, w // q, q).swapaxes(2, 3)
        t = t.reshape(c, h // p, w // q, p * q)
        self.shape, self.winner = a.shape, t.argmax(axis=-1)
        self.out = np.maximum((t.max(axis=-1) if self.mode == "max" else t.mean(axis=-1)) + self.b[:, None, None], 0)
        return self.out

    def backprop(self, dnext):
        dx = np.zeros(self.shape)
        p, q = self.poolsize
        c, i, j = np.indices(dnext.shape)
        dx[c, p * i + self.winner // q, q * j + self.winner % q] = dnext * (self.out > 0)
        return dx
