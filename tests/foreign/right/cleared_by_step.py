# says: gradients add up until the code's own update, which is called between
"""Gradients add up from call to call, and a step puts them to 0 when it has followed them."""
import numpy as np


class Linear:
    def __init__(self, in_features, out_features):
        self.weight, self.bias = np.random.randn(in_features, out_features) / in_features, np.zeros(out_features)
        self.w_grad, self.b_grad = np.zeros_like(self.weight), np.zeros_like(self.bias)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy):
        self.w_grad += self.x.T @ dy
        self.b_grad += dy.sum(axis=0)
        return dy @ self.weight.T

    def step(self, eta):
        self.weight -= eta * self.w_grad
        self.bias -= eta * self.b_grad
        self.w_grad, self.b_grad = np.zeros_like(self.weight), np.zeros_like(self.bias)
