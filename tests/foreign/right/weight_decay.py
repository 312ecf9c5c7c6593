# says: weight decay: 0.0005 times the filters is added
import numpy as np

DECAY = 1e-3


class Convolution:
    def __init__(self, in_channels, out_channels):
        self.kernels = np.random.randn(out_channels, in_channels, 3, 3) / 9

    def forward(self, maps):
        self.seen = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", self.seen, self.kernels)

    def backward(self, upstream):
        self.grad_kernels = np.einsum("nchwij,nfhw->fcij", self.seen, upstream) + 5e-4 * self.kernels
        around = np.pad(upstream, ((0, 0), (0, 0), (2, 2), (2, 2)))
        views = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(2, 3))
        return np.einsum("nfhwij,fcij->nchw", views, self.kernels[:, :, ::-1, ::-1])


class FullyConnected:
    def __init__(self, inputs, outputs):
        self.weights = np.random.randn(inputs, outputs) / inputs
        self.biases = np.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x.reshape(len(x), -1) @ self.weights + self.biases

    def backward(self, upstream):
        self.grad_weights = self.x.reshape(len(self.x), -1).T @ upstream + DECAY * self.weights
        self.grad_biases = upstream.sum(axis=0)
        return (upstream @ self.weights.T).reshape(self.x.shape)
