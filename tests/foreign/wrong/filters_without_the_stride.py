# stage: layer backward
# names: none
# says: Conv2D at 5x5 stride 2 padding 1: the gradient of its filters
# says: its windows are taken one apart, not a stride
import numpy as np


def windows(x, size, stride):
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return view[:, :, ::stride, ::stride]


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size=5, stride=2, padding=1):
        self.k, self.s, self.p = kernel_size, stride, padding
        self.W = np.random.randn(out_channels, in_channels, kernel_size, kernel_size) * 0.1
        self.b = np.zeros(out_channels)

    def forward(self, x):
        self.x = np.pad(x, ((0, 0), (0, 0), (self.p, self.p), (self.p, self.p)))
        return np.einsum("nchwij,fcij->nfhw", windows(self.x, self.k, self.s), self.W) + self.b[:, None, None]

    def backward(self, dout):
        self.dW = np.einsum(
            "nchwij,nfhw->fcij", windows(self.x, self.k, 1)[:, :, : dout.shape[2], : dout.shape[3]], dout
        )
        self.db = dout.sum(axis=(0, 2, 3))
        dx = np.zeros_like(self.x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                rows, columns = slice(i * self.s, i * self.s + self.k), slice(j * self.s, j * self.s + self.k)
                dx[:, :, rows, columns] += np.einsum("nf,fcij->ncij", dout[:, :, i, j], self.W)
        return dx[:, :, self.p : dx.shape[2] - self.p, self.p : dx.shape[3] - self.p]


class MaxPool2D:
    def __init__(self, pool_size=2, stride=None):
        self.k, self.s = pool_size, stride or pool_size

    def forward(self, x):
        self.x = x
        return windows(x, self.k, self.s).max(axis=(4, 5))

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        for n, c, i, j in np.ndindex(dout.shape):
            window = self.x[n, c, i * self.s : i * self.s + self.k, j * self.s : j * self.s + self.k]
            row, column = np.unravel_index(window.argmax(), window.shape)
            dx[n, c, i * self.s + row, j * self.s + column] += dout[n, c, i, j]
        return dx
