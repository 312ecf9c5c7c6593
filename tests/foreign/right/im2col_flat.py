import numpy as np


def im2col_indices(shape):
    n, c, h, w = shape
    oh, ow = h - 2, w - 2
    i0 = np.tile(np.repeat(np.arange(3), 3), c)
    j0 = np.tile(np.tile(np.arange(3), 3), c)
    i1 = np.repeat(np.arange(oh), ow)
    j1 = np.tile(np.arange(ow), oh)
    k = np.repeat(np.arange(c), 9)[:, None]
    return k, i0[:, None] + i1[None, :], j0[:, None] + j1[None, :]


class ConvLayer(object):
    """The kernel lies flat: a row for each filter, C * 9 entries."""

    def __init__(self, n_channels, n_filters):
        self.n_filters = n_filters
        self.kernel = np.random.uniform(-.1, .1, size=(n_filters, n_channels * 9))

    def forward(self, X):
        self.X_shape = X.shape
        n, c, h, w = X.shape
        k, i, j = im2col_indices(X.shape)
        self.cols = X[:, k, i, j]                      # n, c * 9, oh * ow
        out = self.kernel @ self.cols                  # n, f, oh * ow
        return out.reshape(n, self.n_filters, h - 2, w - 2)

    def backward(self, dout):
        n = dout.shape[0]
        flat = dout.reshape(n, self.n_filters, -1)
        self.d_kernel = (flat @ self.cols.transpose(0, 2, 1)).sum(axis=0)
        dcols = self.kernel.T @ flat
        dX = np.zeros(self.X_shape, dtype=dout.dtype)
        k, i, j = im2col_indices(self.X_shape)
        np.add.at(dX, (slice(None), k, i, j), dcols)
        return dX
