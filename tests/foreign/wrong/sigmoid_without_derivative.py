# stage: conv backward
# names: the activation's derivative is left out
# says: the convolution ends in sigmoid
import numpy as np


class ConvLayer:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        self.windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return 1 / (1 + np.exp(-np.einsum("hwij,fij->hwf", self.windows, self.filters)))

    def backprop(self, d_out, learn_rate):
        self.filters -= learn_rate * np.einsum("hwij,hwf->fij", self.windows, d_out)
