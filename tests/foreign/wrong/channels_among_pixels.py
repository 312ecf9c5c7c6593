# stage: pool forward
# names: none
# says: DIFFERS only with more than one filter
import numpy as np


class Pooling:
    """Columns hold the pixels of a window channel by channel, and are read as if channels came last."""

    def __init__(self, filter_size, stride):
        self.size, self.stride = filter_size, stride

    def forward(self, x):
        n, h, w, c = x.shape
        windows = np.lib.stride_tricks.sliding_window_view(x, (self.size, self.size), axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride]  # (N, P, Q, C, 2, 2)
        columns = windows.reshape(-1, c * self.size**2).reshape(-1, self.size**2, c)
        return columns.max(axis=1).reshape(*windows.shape[:3], c)
