# stage: update
# names: none
# says: the optimiser is not plain SGD: step 1: dense_weight stays as it was
import numpy as np


class Linear:
    def __init__(self, inputs, outputs):
        self.W, self.b = np.random.randn(inputs, outputs) * 0.1, np.zeros(outputs)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)  # new arrays: whoever holds the old ones is left behind
        return dy @ self.W.T

    def pairs(self):
        return [(self.W, self.dW), (self.b, self.db)]


class SGD:
    def __init__(self, modules, lr=0.01):
        self.lr = lr
        self.pairs = [pair for module in modules for pair in module.pairs()]

    def step(self):
        for parameter, gradient in self.pairs:
            parameter -= self.lr * gradient
