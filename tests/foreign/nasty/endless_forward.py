# stage: pool forward
# status: hung
import numpy as np


class ConvLayer:
    def __init__(self, n_filters):
        self.filters = np.random.randn(n_filters, 3, 3)

    def forward(self, image):
        view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", view, self.filters)


class MaxPool:
    def forward(self, x):
        h, w, f = x.shape
        out = np.zeros((h // 2, w // 2, f))
        i = 0
        while i < h // 2:
            for j in range(w // 2):
                out[i, j] = x[2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(0, 1))
            # forgot: i += 1
        return out
