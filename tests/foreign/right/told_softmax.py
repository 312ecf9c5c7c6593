# says: Dense is dense layer and softmax in one
"""A dense layer is told what it ends in, and knows relu and softmax; the gradients of its weights are means."""
from scipy.signal import convolve, correlate2d  # noqa: F401 - not this file's own, whatever their names

import numpy as np


class Dense:
    def __init__(self, in_nodes, out_nodes, activation):
        self.activation = activation
        self.weights, self.biases = np.random.randn(in_nodes, out_nodes) / in_nodes, np.zeros((1, out_nodes))

    def forward(self, x):
        self.x, z = x, x @ self.weights + self.biases
        if self.activation == "relu":
            self.out = np.maximum(z, 0)
        elif self.activation == "softmax":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            self.out = e / e.sum(axis=1, keepdims=True)
        else:
            raise ValueError("relu or softmax")
        return self.out

    def backward(self, delta, lr):
        p = self.out
        d = p * (delta - (p * delta).sum(axis=1, keepdims=True)) if self.activation == "softmax" else delta * (p > 0)
        dx = d @ self.weights.T
        self.weights -= lr * self.x.T @ d / len(d)
        self.biases -= lr * d.mean(axis=0)
        return dx
