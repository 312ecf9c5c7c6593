# stage: conv forward
# names: none
# says: two calls with the same images give different numbers
import numpy as np


class Convolution:
    """What comes out is added up in the bias itself, which is not copied."""

    def __init__(self, input_shape, kernel_size, depth):
        c, h, w = input_shape
        self.shape = depth, h - kernel_size + 1, w - kernel_size + 1
        self.kernels = np.random.randn(depth, c, kernel_size, kernel_size)
        self.bias = np.zeros(self.shape)

    def forward(self, input):
        self.output = self.bias
        _, h, w = self.shape
        for i in range(3):
            for j in range(3):
                self.output += np.tensordot(self.kernels[:, :, i, j], input[:, i : i + h, j : j + w], axes=(1, 0))
        return self.output


class MaxPool:
    def forward(self, x):
        c, h, w = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(c, h // 2, 2, w // 2, 2).max(axis=(2, 4))
