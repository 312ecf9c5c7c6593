# stage: dense backward
# names: none
# exit: 4
# says: backward gave nothing back, and leaves nothing: is a return missing?
"""The way back of the dense layer computes all that is wanted, and nobody hears of it."""
import numpy as np


class Affine:
    def __init__(self, W, b):
        self.params = [W, b]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return x @ W + b

    def backward(self, dout):
        W, b = self.params
        dx, dW, db = dout @ W.T, self.x.T @ dout, dout.sum(axis=0)


def softmax_loss(x, t):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(t)), t] + 1e-7).mean()

