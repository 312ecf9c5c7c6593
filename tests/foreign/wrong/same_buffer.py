# stage: conv forward
# names: output added to that of the last call
import numpy as np


class Convolution:
    """The output's array is made once, and never emptied."""

    def __init__(self, n_channels, n_filters):
        self.kernel = np.random.randn(n_filters, n_channels, 3, 3)
        self.out = {}

    def forward(self, x):
        n, c, h, w = x.shape
        key = x.shape[1:]
        out = self.out.setdefault(key, np.zeros((64, len(self.kernel), h - 2, w - 2), x.dtype))
        for i in range(3):
            for j in range(3):
                out[:n] += np.einsum("nchw,fc->nfhw", x[:, :, i:i + h - 2, j:j + w - 2], self.kernel[:, :, i, j])
        return out[:n].copy()
