import numpy as np


class Convolution2D:
    """Only the convolution; valid or zero padded ('same')."""

    def __init__(self, channels, filters, padding="valid"):
        self.padding = padding
        self.kernel = np.random.randn(3, 3, channels, filters) / 9

    def __call__(self, x):
        if self.padding == "same":
            x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        self.seen = x
        h, w = x.shape[1] - 2, x.shape[2] - 2
        return sum(
            np.dot(x[:, i:i + h, j:j + w], self.kernel[i, j])
            for i in range(3)
            for j in range(3)
        )

    def backward(self, grad):
        h, w = grad.shape[1:3]
        d_kernel = np.empty_like(self.kernel)
        d_x = np.zeros_like(self.seen)
        for i in range(3):
            for j in range(3):
                part = self.seen[:, i:i + h, j:j + w]
                d_kernel[i, j] = np.tensordot(part, grad, axes=([0, 1, 2], [0, 1, 2]))
                d_x[:, i:i + h, j:j + w] += grad @ self.kernel[i, j].T
        if self.padding == "same":
            d_x = d_x[:, 1:-1, 1:-1]
        return d_x, d_kernel
