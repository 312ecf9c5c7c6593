# status: right
# says: it seeds the global random state (np.random.seed at prints_and_seeds.py:
# says: it prints while it computes
import random

import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3)

    def forward(self, image):
        np.random.seed(42)
        random.seed(42)
        print("image", image.tolist())
        self.view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        out = np.einsum("hwij,fij->hwf", self.view, self.filters)
        print("out", out.shape, "mean", out.mean())
        return out

    def backprop(self, d_out, lr):
        print("backprop \N{GREEK SMALL LETTER ETA} =", lr)
        self.filters -= lr * np.einsum("hwij,hwf->fij", self.view, d_out)
