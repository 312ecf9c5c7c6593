import numpy as np


class Convolution:
    """One kernel, handed over; one map; square ones only."""

    def __init__(self, kernel, stride):
        self.kernel, self.stride = kernel, stride

    def forward(self, x):
        size = (len(x) - len(self.kernel)) // self.stride + 1
        out = np.zeros((size, size))
        for row in range(size):
            for column in range(size):
                window = x[row * self.stride :, column * self.stride :][:3, :3]
                out[row, column] = np.sum(window * self.kernel)
        return out
