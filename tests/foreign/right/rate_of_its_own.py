# says: backward moves the weights at a rate of its own, 0.01
"""The way back makes the step, at a rate that stands in it and that nobody can change."""
import numpy as np


class Dense:
    def __init__(self, in_dim, out_dim):
        self.W = np.random.randn(in_dim, out_dim) / in_dim
        self.b = np.zeros(out_dim)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        dx = dout @ self.W.T
        self.W -= 0.01 * self.x.T @ dout
        self.b -= 0.01 * dout.sum(axis=0)
        return dx
