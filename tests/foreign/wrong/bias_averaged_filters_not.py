# stage: conv backward
# names: none
# says: the gradient of the convolution's bias is 0.333 times the sum
import numpy as np


class Conv2D:
    """The bias is averaged over the batch, the filters are not."""

    def __init__(self, channels, filters):
        self.w, self.b = np.random.randn(3, 3, channels, filters) / 9, np.zeros(filters)

    def forward(self, x):
        self.x = x
        self.windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        return np.einsum("nhwcij,ijcf->nhwf", self.windows, self.w) + self.b

    def backward(self, dy):
        self.dw = np.einsum("nhwcij,nhwf->ijcf", self.windows, dy)
        self.db = dy.sum(axis=(0, 1, 2)) / len(dy)
        padded = np.pad(dy, ((0, 0), (2, 2), (2, 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        return np.einsum("nhwfij,ijcf->nhwc", windows, self.w[::-1, ::-1])
