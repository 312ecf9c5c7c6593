# stage: dense backward
# names: none
# says: its norm is 5, as of gradients that are clipped to that
import numpy as np


def clip(gradient, most=5.0):
    norm = np.linalg.norm(gradient)
    return gradient * (most / norm) if norm > most else gradient


class Dense:
    def __init__(self, inputs, outputs):
        self.weights, self.bias = np.random.randn(inputs, outputs) / inputs, np.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, gradient):
        self.grad_weights, self.grad_bias = clip(self.x.T @ gradient), gradient.sum(axis=0)
        return gradient @ self.weights.T
