# stage: dense backward
# names: d_logits of large logits is no number
# says: only at logits of 1e5
"""The softmax is shifted on the way forward alone: on the way back the same exponentials are taken of large logits."""
import numpy as np


class Softmax:
    def __init__(self, length, classes):
        self.weights = np.random.randn(length, classes) / length
        self.biases = np.zeros(classes)

    def forward(self, pooled):
        self.shape = pooled.shape
        self.flat = pooled.ravel()
        self.totals = self.flat @ self.weights + self.biases
        e = np.exp(self.totals - self.totals.max())
        return e / e.sum()

    def backprop(self, d_out, rate):
        label = np.flatnonzero(d_out)[0]
        e = np.exp(self.totals)
        d_totals = -e[label] * e / e.sum() ** 2
        d_totals[label] = e[label] * (e.sum() - e[label]) / e.sum() ** 2
        d_totals *= d_out[label]
        d_flat = self.weights @ d_totals
        self.weights -= rate * np.outer(self.flat, d_totals)
        self.biases -= rate * d_totals
        return d_flat.reshape(self.shape)
