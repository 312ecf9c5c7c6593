# says: softmax is the softmax, one image at a time
# never: softmax   forward DIFFERS
import numpy as np


class ConvLayer:
    """One image at a time, as all the network; of its dense layer several go through as well."""

    def __init__(self, num_filters, input_channels):
        self.filters = 0.1 * np.random.randn(num_filters, 3, 3, input_channels)

    def forward(self, image):
        h, w, _ = image.shape
        out = np.zeros((h - 2, w - 2, len(self.filters)))
        for i in range(h - 2):
            for j in range(w - 2):
                out[i, j] = np.sum(image[i : i + 3, j : j + 3] * self.filters, axis=(1, 2, 3))
        return out


class Dense:
    def __init__(self, input_size, output_size):
        self.weights = 0.1 * np.random.randn(input_size, output_size)
        self.bias = np.zeros(output_size)

    def forward(self, x):
        return np.dot(x, self.weights) + self.bias


def softmax(z):
    """Of all numbers that it is given."""
    e = np.exp(z - np.max(z))
    return e / e.sum()
