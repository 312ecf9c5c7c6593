# status: unconnected
# says: ValueError at raises_in_conv_backward.py:16
import numpy as np


class ConvLayer:
    def __init__(self, n_filters):
        self.filters = np.random.randn(n_filters, 3, 3)

    def forward(self, image):
        self.view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", self.view, self.filters)

    def backward(self, d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        d_filters += np.ones((5, 5)) * d_out
        self.filters -= learn_rate * d_filters
