# float32 everywhere: half the memory, and what a GPU would do
import numpy as np

FLOAT = np.float32


class ConvLayer:
    def __init__(self, in_channels, num_filters):
        self.weight = (np.random.randn(num_filters, in_channels, 3, 3) / 9).astype(FLOAT)

    def forward(self, x):
        x = np.asarray(x, dtype=FLOAT)
        w = self.weight.astype(FLOAT)
        self.x = x
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", view, w, optimize=True).astype(FLOAT)

    def backward(self, dy):
        dy = dy.astype(FLOAT)
        w = self.weight.astype(FLOAT)
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        self.d_weight = np.einsum("nchwij,nfhw->fcij", view, dy, optimize=True).astype(FLOAT)
        dx = np.zeros(self.x.shape, FLOAT)
        h, wd = dy.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + h, j:j + wd] += np.einsum("nfhw,fc->nchw", dy, w[:, :, i, j])
        return dx


class MaxPoolLayer:
    def forward(self, x):
        x = np.asarray(x, dtype=FLOAT)
        n, c, h, w = x.shape
        p, q = h // 2, w // 2
        self.shape = x.shape
        blocks = x[:, :, :2 * p, :2 * q].reshape(n, c, p, 2, q, 2).swapaxes(3, 4).reshape(n, c, p, q, 4)
        self.where = blocks.argmax(-1)
        return np.take_along_axis(blocks, self.where[..., None], -1)[..., 0]

    def backward(self, dy):
        n, c, p, q = dy.shape
        blocks = np.zeros((n, c, p, q, 4), FLOAT)
        np.put_along_axis(blocks, self.where[..., None], dy.astype(FLOAT)[..., None], -1)
        dx = np.zeros(self.shape, FLOAT)
        dx[:, :, :2 * p, :2 * q] = blocks.reshape(n, c, p, q, 2, 2).swapaxes(3, 4).reshape(n, c, 2 * p, 2 * q)
        return dx


class LinearLayer:
    def __init__(self, in_features, out_features):
        self.weight = np.zeros((out_features, in_features), FLOAT)
        self.bias = np.zeros(out_features, FLOAT)

    def forward(self, x):
        self.shape = x.shape
        self.x = np.asarray(x, FLOAT).reshape(len(x), -1)
        return self.x @ self.weight.astype(FLOAT).T + self.bias.astype(FLOAT)

    def backward(self, dy):
        dy = dy.astype(FLOAT)
        self.d_weight = dy.T @ self.x
        self.d_bias = dy.sum(0)
        return (dy @ self.weight.astype(FLOAT)).reshape(self.shape)
