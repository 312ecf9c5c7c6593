# status: unconnected
# says: TypeError at one_element.py:17
# says: an array with one element stands where a number is wanted
import numpy as np


class Conv:
    def __init__(self, n_filters):
        self.w = np.random.randn(n_filters, 3, 3)
        self.b = np.zeros((n_filters, 1))

    def forward(self, image):
        out = np.zeros((image.shape[0] - 2, image.shape[1] - 2, len(self.w)))
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                for f in range(len(self.w)):
                    out[i, j, f] = np.sum(image[i:i + 3, j:j + 3] * self.w[f]) + float(self.b[f])
        return out
