# says: CrossEntropyLoss is taken as the loss: a batch at a time, of logits, labels as one-hot
"""A loss that gives how many were right beside its value, and keeps the gradient of the sum for whoever asks."""
import numpy as np


class CrossEntropyLoss:
    def __call__(self, a, y):
        e = np.exp(a - a.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        self.grad = p - y
        loss = -np.log(p[y == 1]).mean()
        return (p.argmax(axis=1) == y.argmax(axis=1)).mean(), loss

    def gradient(self):
        return self.grad


class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) / n_in, np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d / len(d), d.mean(axis=0)
        return d @ self.W.T
