import numpy as np


class Dense:
    """A layer in the middle of a network: it ends in a tanh, whatever it is told."""

    def __init__(self, in_features, out_features):
        self.W = np.random.randn(in_features, out_features) / in_features
        self.b = np.zeros(out_features)

    def forward(self, x):
        self.x = x
        self.y = np.tanh(x @ self.W + self.b)
        return self.y

    def backward(self, grad, lr):
        d = grad * (1 - self.y**2)
        dx = d @ self.W.T
        self.W -= lr * self.x.T @ d / len(d)
        self.b -= lr * d.sum(axis=0) / len(d)
        return dx
