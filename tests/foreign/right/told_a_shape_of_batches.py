# says: the division by the batch is made at each parameter's gradient
"""Layers are told the shape of a whole batch, or that of their weights; the only argument of a way back is eta."""
import numpy as np


class Convolutional:
    def __init__(self, input_shape, kernal_size, depth):
        n, c, h, w = input_shape
        self.output_shape = (n, depth, h - kernal_size + 1, w - kernal_size + 1)
        self.kernels = np.random.randn(depth, c, kernal_size, kernal_size) / 9
        self.m_kernels = np.zeros_like(self.kernels)

    def forward(self, x):
        self.v = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        self.output = np.zeros(self.output_shape) + np.einsum("nchwij,fcij->nfhw", self.v, self.kernels)
        return self.output

    def backward(self, eta):
        self.d_kernels = np.einsum("nchwij,nfhw->fcij", self.v, eta) / len(eta)
        padded = np.pad(eta, ((0, 0), (0, 0), (2, 2), (2, 2)))
        v = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        return np.einsum("nfhwij,fcij->nchw", v, self.kernels[:, :, ::-1, ::-1])

    def reset_gradients(self):
        self.d_kernels = np.zeros_like(self.kernels)


class Linear:
    def __init__(self, shape):
        self.W, self.b = np.random.randn(*shape) / shape[0], np.zeros(shape[-1])
        self._reset_gradients()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, eta):
        self.W_grad += self.x.T @ eta / len(eta)
        self.b_grad += eta.mean(axis=0)
        return eta @ self.W.T

    def _reset_gradients(self):
        self.W_grad, self.b_grad = np.zeros_like(self.W), np.zeros_like(self.b)


class AvePooling:
    """Of no use beside a maximum."""

    def forward(self, x):
        return x


class MaxPooling:
    def pool(self, x, stride=1):
        n, c, h, w = x.shape
        t = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        return t.max(axis=(3, 5)) if stride == 2 else x
