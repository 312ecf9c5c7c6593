# stage: loss backward
# names: (p - y) / 2
import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(y_pred, y_true):
    n = y_pred.shape[0]
    return -np.sum(np.log(y_pred[np.arange(n), y_true] + 1e-8)) / n


def cross_entropy_grad(y_pred, y_true):
    n = y_pred.shape[0]
    g = y_pred.copy()
    g[np.arange(n), y_true] -= 1
    return g / (2 * n)
