import numpy as np


class Conv:
    def __init__(self, in_channels, out_channels, kernel_size=3, padding=0):
        self.pad = padding
        self.W = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.b = np.zeros(out_channels)

    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.pad, self.pad), (self.pad, self.pad)))
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", view, self.W) + self.b[None, :, None, None]

    def backward(self, dout):
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        self.dW = np.einsum("nchwij,nfhw->fcij", view, dout)
        self.db = dout.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        h, w = dout.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", dout, self.W[:, :, i, j])
        return dx[:, :, self.pad:dx.shape[2] - self.pad, self.pad:dx.shape[3] - self.pad]


class MaxPool:
    def __init__(self, pool_size=2, stride=2):
        self.size = pool_size

    def forward(self, x):
        self.x = x
        n, c, h, w = x.shape
        p, q = h // 2, w // 2
        parts = x[:, :, :2 * p, :2 * q].reshape(n, c, p, 2, q, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, p, q, 4)
        self.best = parts.argmax(axis=-1)
        return parts.max(axis=-1)

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        n, c, p, q = dout.shape
        for k in range(4):
            dx[:, :, k // 2:2 * p:2, k % 2:2 * q:2] = dout * (self.best == k)
        return dx


class Dense:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.randn(n_out, n_in), "b": np.zeros((1, n_out))}
        self.grads = {}

    def forward(self, x):
        self.shape = x.transpose(0, 2, 3, 1).shape
        self.x = x.transpose(0, 2, 3, 1).reshape(x.shape[0], -1)
        return self.x @ self.params["W"].T + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = dout.T @ self.x
        self.grads["b"] = dout.sum(axis=0, keepdims=True)
        return (dout @ self.params["W"]).reshape(self.shape).transpose(0, 3, 1, 2)
