# stage: conv forward
# names: none
# says: conv backward agrees
import numpy as np


class Conv:
    def __init__(self, in_channels, out_channels, kernel_size):
        self.W = np.random.randn(out_channels, kernel_size**2 * in_channels) / 9
        self.k, self.c = kernel_size, in_channels

    def forward(self, x):
        b, h, w, c = x.shape
        rows, columns = h - self.k + 1, w - self.k + 1
        self.cols = np.zeros((b, rows, columns, self.W.shape[1]))
        self.shape = x.shape
        for i in range(self.k):
            for j in range(self.k):
                at = (i * self.k + j) * c
                self.cols[..., at : at + c] = x[:, i : i + rows, j : j + columns]
        return self.cols @ self.W.T + b  # meant was the bias, and b is the number of images

    def backward(self, dy):
        self.dW = np.einsum("nhwf,nhwk->fk", dy, self.cols)
        dx, d = np.zeros(self.shape), dy @ self.W
        _, rows, columns, _ = dy.shape
        for i in range(self.k):
            for j in range(self.k):
                at = (i * self.k + j) * self.c
                dx[:, i : i + rows, j : j + columns] += d[..., at : at + self.c]
        return dx
