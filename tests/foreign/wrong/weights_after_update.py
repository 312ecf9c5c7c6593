# stage: dense backward
# names: gradient sent back through weights already updated
import numpy as np


class Dense:
    def __init__(self, n_in, n_out):
        self.weights = np.random.randn(n_in, n_out) / n_in
        self.bias = np.zeros(n_out)

    def forward(self, x):
        self.inputs = x
        self.flat = x.ravel()
        return self.flat @ self.weights + self.bias

    def backward(self, grad, lr):
        self.weights = self.weights - lr * np.outer(self.flat, grad)
        self.bias = self.bias - lr * grad
        return (self.weights @ grad).reshape(self.inputs.shape)
