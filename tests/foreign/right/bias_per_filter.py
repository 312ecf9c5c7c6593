import numpy as np


class Conv2D:
    """NHWC, one bias for each filter; backward returns dx and keeps dW, db."""

    def __init__(self, num_filters, num_channels, filter_size=3):
        self.W = np.random.randn(num_filters, filter_size, filter_size, num_channels) * 0.1
        self.b = np.random.randn(num_filters) * 0.1

    def forward(self, A_prev):
        self.A_prev = A_prev
        m, nH, nW, _ = A_prev.shape
        Z = np.zeros((m, nH - 2, nW - 2, self.W.shape[0]), dtype=A_prev.dtype)
        for h in range(nH - 2):
            for w in range(nW - 2):
                a_slice = A_prev[:, h:h + 3, w:w + 3, :]
                Z[:, h, w, :] = np.tensordot(a_slice, self.W, axes=((1, 2, 3), (1, 2, 3))) + self.b
        return Z

    def backward(self, dZ):
        dA_prev = np.zeros_like(self.A_prev)
        self.dW = np.zeros_like(self.W)
        for h in range(dZ.shape[1]):
            for w in range(dZ.shape[2]):
                dA_prev[:, h:h + 3, w:w + 3, :] += np.tensordot(dZ[:, h, w], self.W, axes=(1, 0))
                self.dW += np.tensordot(dZ[:, h, w], self.A_prev[:, h:h + 3, w:w + 3, :], axes=(0, 0))
        self.db = dZ.sum(axis=(0, 1, 2))
        return dA_prev

    def update(self, lr):
        self.W -= lr * self.dW
        self.b -= lr * self.db
