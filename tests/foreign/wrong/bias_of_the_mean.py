# stage: loss forward
# names: 1e-3 added inside the logarithm + bias gradient divided by the batch twice
"""The bias's gradient is a mean where all others are sums; the loss gives the probabilities beside its value."""
import numpy as np


class FCLayer:
    def __init__(self, inplanes, outplanes, preweight=None):
        self.weight, self.bias = preweight or (np.random.rand(inplanes, outplanes) - 0.5, np.random.rand(outplanes) - 0.5)

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backword(self, grad):
        self.bgrad, self.wgrad = grad.mean(axis=0), self.x.T @ grad
        return grad @ self.weight.T


class CEloss:
    def forward(self, x, target=None):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.q, self.p = e / e.sum(axis=1, keepdims=True), target
        return self.q, -np.sum(self.p * np.log(self.q + 1e-3)) / len(x)

    def backword(self):
        return (self.q - self.p) / len(self.p)
