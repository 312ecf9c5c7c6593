# status: unconnected
# says: RecursionError at recursion.py
import numpy as np


def softmax(z):
    if z.ndim == 1:
        return softmax_row(z)
    return np.array([softmax(row) for row in z])


def softmax_row(z):
    return softmax(z)
