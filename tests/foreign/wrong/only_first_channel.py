# stage: conv forward
# names: only the first channel is seen
import numpy as np


class ConvLayer:
    def __init__(self, in_channels, out_channels):
        self.kernels = np.random.randn(out_channels, in_channels, 3, 3) / 9

    def forward(self, images):
        n, c, h, w = images.shape
        out = np.zeros((n, len(self.kernels), h - 2, w - 2), images.dtype)
        for f, kernel in enumerate(self.kernels):
            for i in range(3):
                for j in range(3):
                    out[:, f] += kernel[0, i, j] * images[:, 0, i:i + h - 2, j:j + w - 2]
        return out
