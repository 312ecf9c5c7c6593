# stage: conv backward
# names: none
# says: conv backward, d_images: no known defect explains it
# says: conv backward, d_conv_weight: filter gradient of the last image only
import numpy as np


class Conv:
    def __init__(self, num_filters, channels):
        self.w = np.random.randn(3, 3, channels, num_filters) / 9

    def forward(self, x):
        self.x = x
        _, h, w, _ = x.shape
        return sum(x[:, i : i + h - 2, j : j + w - 2] @ self.w[i, j] for i in range(3) for j in range(3))

    def backward(self, dy):
        _, h, w, _ = dy.shape
        dx, self.dw = np.zeros_like(self.x), np.zeros_like(self.w)
        for i in range(3):
            for j in range(3):
                self.dw[i, j] = self.x[-1, i : i + h, j : j + w].reshape(h * w, -1).T @ dy[-1].reshape(h * w, -1)
                dx[:, i : i + h, j : j + w] += dy @ self.w[i, j].T
        dx[:, 0] *= 3
        return dx
