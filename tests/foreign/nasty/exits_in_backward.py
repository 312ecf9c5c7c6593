# stage: conv backward
# status: crashed
# says: exit code 7
import os

import numpy as np


class ConvLayer:
    def __init__(self, n_filters):
        self.filters = np.random.randn(n_filters, 3, 3)

    def forward(self, image):
        self.view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", self.view, self.filters)

    def backward(self, d_out, learn_rate):
        os._exit(7)
