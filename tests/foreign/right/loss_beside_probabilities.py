# says: SoftmaxCrossEntropy is taken as the loss
import numpy as np


class Linear:
    """A part of its gradient is a penalty, unless it is asked for none."""

    def __init__(self, n_inputs, n_outputs, lam=0.04):
        self.weight, self.bias = np.random.randn(n_inputs, n_outputs) * 0.1, np.zeros(n_outputs)
        self.lam = lam

    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias

    def backward(self, dy):
        self.d_weight, self.d_bias = self.x.T @ dy + self.lam * self.weight, dy.sum(axis=0)
        return dy @ self.weight.T


class SoftmaxCrossEntropy:
    """Both are given, the probabilities first; the gradient is left behind."""

    def forward(self, scores, classes):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.p, self.classes = e / e.sum(axis=1, keepdims=True), classes
        return self.p, -np.log(self.p[np.arange(len(classes)), classes]).mean()

    def backward(self):
        self.dx = self.p.copy()
        self.dx[np.arange(len(self.dx)), self.classes] -= 1
        self.dx /= len(self.dx)


class SGD:
    """Follows the gradients that the layers keep."""

    def __init__(self, layers, lr=0.1):
        self.layers, self.lr = layers, lr

    def step(self):
        for layer in self.layers:
            layer.weight -= self.lr * layer.d_weight
            layer.bias -= self.lr * layer.d_bias
