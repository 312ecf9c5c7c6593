# stage: conv backward
# names: kernel not turned for the images
import numpy as np


def correlate(x, k):
    """x (N, C, H, W), k (F, C, 3, 3)"""
    view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", view, k)


class ConvLayer:
    def __init__(self, in_ch, out_ch):
        self.K = np.random.randn(out_ch, in_ch, 3, 3)

    def forward(self, x):
        self.x = x
        return correlate(x, self.K)

    def backward(self, dY):
        self.dK = self._dK(dY)
        padded = np.pad(dY, ((0, 0), (0, 0), (2, 2), (2, 2)))
        return correlate(padded, self.K.swapaxes(0, 1))

    def _dK(self, dY):
        view = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,nfhw->fcij", view, dY)
