# says: conv2d is the convolution
# says: conv backward agrees
# says: softmax forward agrees
import numpy as np


class SimpleCNN:
    """A whole network of other sizes, whose layers are its methods, each told all that it works with."""

    def __init__(self):
        self.filters = 0.1 * np.random.randn(6, 1, 5, 5)

    def softmax(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def conv2d(self, x, filters):
        self.x = x
        k = filters.shape[2]
        out = np.zeros((len(x), len(filters), x.shape[2] - k + 1, x.shape[3] - k + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, :, i, j] = np.tensordot(x[:, :, i : i + k, j : j + k], filters, axes=([1, 2, 3], [1, 2, 3]))
        return out

    def conv2d_backward(self, d_out, x, filters):
        d_x, d_filters = np.zeros(x.shape), np.zeros(filters.shape)
        k = filters.shape[2]
        for i in range(d_out.shape[2]):
            for j in range(d_out.shape[3]):
                d = d_out[:, :, i, j]
                d_filters += np.tensordot(d, x[:, :, i : i + k, j : j + k], axes=(0, 0))
                d_x[:, :, i : i + k, j : j + k] += np.tensordot(d, filters, axes=(1, 0))
        return d_x, d_filters
