"""(H, W, C, N): the batch is the last axis."""
import numpy as np


class ConvLayer:
    def __init__(self, n_filters, n_channels):
        self.filters = np.random.randn(3, 3, n_channels, n_filters) / 9

    def forward(self, x):
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))
        return np.einsum("hwcnij,ijcf->hwfn", view, self.filters)
