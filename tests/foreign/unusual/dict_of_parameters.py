"""Functions that hand a dict of parameters from one to the next."""
import numpy as np


def initialize_parameters(n_filters=8, n_classes=10):
    return {
        "W1": np.random.randn(3, 3, 1, n_filters) * 0.1,
        "W2": np.random.randn(13 * 13 * n_filters, n_classes) * 0.01,
        "b2": np.zeros((1, n_classes)),
    }


def softmax(z):
    t = np.exp(z - np.max(z, axis=1, keepdims=True))
    return t / np.sum(t, axis=1, keepdims=True)


def forward_propagation(X, parameters):
    view = np.lib.stride_tricks.sliding_window_view(X, (3, 3), axis=(1, 2))
    Z1 = np.einsum("nhwcij,ijcf->nhwf", view, parameters["W1"])
    n, h, w, f = Z1.shape
    blocks = Z1.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, f, 4)
    flat = blocks.max(axis=-1).reshape(n, -1)
    A2 = softmax(flat @ parameters["W2"] + parameters["b2"])
    return A2, (view, blocks, flat)


def backward_propagation(parameters, cache, A2, Y):
    view, blocks, flat = cache
    m = len(Y)
    dZ2 = (A2 - Y) / m
    dP = (dZ2 @ parameters["W2"].T).reshape(blocks.shape[:-1])
    dB = np.eye(4)[blocks.argmax(axis=-1)] * dP[..., None]
    n, p, q, f, _ = dB.shape
    dZ1 = dB.reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * p, 2 * q, f)
    return {
        "dW1": np.einsum("nhwcij,nhwf->ijcf", view, dZ1),
        "dW2": flat.T @ dZ2,
        "db2": dZ2.sum(axis=0, keepdims=True),
    }
