# stage: dense backward
# names: dense weight gradient reshaped to (classes, inputs)
import numpy as np


class FullyConnectedLayer:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_out, n_in) * 0.01
        self.b = np.zeros((n_out, 1))

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.W.T + self.b.T

    def backward(self, dz):
        self.dW = (self.x.T @ dz).reshape(self.W.shape)
        self.db = dz.sum(axis=0).reshape(-1, 1)
        return (dz @ self.W).reshape(self.shape)
