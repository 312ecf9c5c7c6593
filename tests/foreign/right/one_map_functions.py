# says: pooling is average, by its name
# says: 1e-08 added to the sum
import numpy as np


def conv(x, kernel, b):
    """One map in, one kernel, one map out."""
    return np.einsum("nhwij,ij->nhw", np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2)), kernel) + b


def d_conv(d_out, x):
    return np.einsum("nhwij,nhw->ij", np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2)), d_out)


def avg_pool(x):
    n, h, w = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2).mean(axis=(2, 4))


def d_avg_pool(d_out, input_shape):
    height, width = input_shape
    dx = np.zeros((len(d_out), height, width))
    dx[:, : height // 2 * 2, : width // 2 * 2] = d_out.repeat(2, axis=1).repeat(2, axis=2) / 4
    return dx


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / (e.sum(axis=1, keepdims=True) + 1e-8)


def cross_entropy_loss(y, p, num_classes):
    """One number for each image."""
    return -(np.eye(num_classes)[y] * np.log(p + 1e-8)).sum(axis=1)


def d_cross_entropy_softmax(y, p, num_classes):
    return p - np.eye(num_classes)[y]
