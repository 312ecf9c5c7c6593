"""No classes: weights are globals, and functions use them."""
import numpy as np

np.random.seed(0)
filters = np.random.randn(8, 3, 3) / 9
weights = np.random.randn(1352, 10) / 1352
bias = np.zeros(10)


def conv(image):
    view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    return np.einsum("hwij,fij->hwf", view, filters)


def pool(x):
    h, w, f = x.shape
    return x.reshape(h // 2, 2, w // 2, 2, f).max(axis=(1, 3))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def predict(image):
    return softmax(pool(conv(image)).ravel() @ weights + bias)
