import numpy as np

from .base import Layer


class ConvLayer(Layer):
    def __init__(self, depth, channels):
        super().__init__()
        self.kernels = np.random.randn(depth, channels, 3, 3)

    def forward(self, given):
        self.given = given
        h, w = given.shape[1] - 2, given.shape[2] - 2
        out = np.zeros((len(self.kernels), h, w))
        for i in range(3):
            for j in range(3):
                out += np.tensordot(self.kernels[:, :, i, j], given[:, i : i + h, j : j + w], axes=1)
        return out

    def backward(self, grad, rate):
        h, w = grad.shape[1:]
        step, dx = np.zeros_like(self.kernels), np.zeros_like(self.given)
        for i in range(3):
            for j in range(3):
                step[:, :, i, j] = np.tensordot(grad, self.given[:, i : i + h, j : j + w], axes=((1, 2), (1, 2)))
                dx[:, i : i + h, j : j + w] += np.tensordot(self.kernels[:, :, i, j].T, grad, axes=1)
        self.kernels -= rate * step
        return dx
