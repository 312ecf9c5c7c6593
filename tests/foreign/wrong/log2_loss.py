# stage: loss forward
# names: loss in bits
import numpy as np


def softmax(Z):
    exp = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def categorical_cross_entropy(y_true, y_pred):
    """y_true one-hot (N, K), y_pred probabilities (N, K)."""
    return -np.mean(np.log2(np.sum(y_true * y_pred, axis=1)))
