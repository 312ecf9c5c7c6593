# status: right
import warnings

import numpy as np

np.seterr(all="raise")
warnings.simplefilter("error")


class Convolution:
    def __init__(self, in_channels, out_channels):
        self.W = np.random.randn(out_channels, in_channels, 3, 3)

    def forward(self, x):
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", view, self.W)
