import numpy as np


class Dense:
    """Weights are made when the first input shows how many there must be."""

    def __init__(self, units=10):
        self.units = units
        self.W = None

    def build(self, n):
        self.W = np.random.randn(n, self.units) / n
        self.b = np.zeros(self.units)

    def __call__(self, x):
        self.shape = x.shape
        x = x.reshape(x.shape[0], -1)
        if self.W is None:
            self.build(x.shape[1])
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return (d @ self.W.T).reshape(self.shape)
