# status: unconnected
import sys

import numpy as np


class ConvLayer:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3)

    def forward(self, image):
        if image.shape != (32, 32):
            print("wrong image size", image.shape)
            sys.exit(1)
        view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", view, self.filters)
