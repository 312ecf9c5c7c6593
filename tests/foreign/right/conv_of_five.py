# says: layer forward agrees (Conv5x5 5x5 stride 1)
# says: layer backward agrees (Conv5x5 5x5 stride 1)
import numpy as np


class Conv5x5:
    """A tutorial's convolution with larger filters, one grey image at a time."""

    def __init__(self, num_filters):
        self.num_filters = num_filters
        self.filters = np.random.randn(num_filters, 5, 5) / 25

    def iterate_regions(self, image):
        h, w = image.shape
        for i in range(h - 4):
            for j in range(w - 4):
                yield image[i : i + 5, j : j + 5], i, j

    def forward(self, image):
        self.last_image = image
        h, w = image.shape
        output = np.zeros((h - 4, w - 4, self.num_filters))
        for region, i, j in self.iterate_regions(image):
            output[i, j] = np.sum(region * self.filters, axis=(1, 2))
        return output

    def backprop(self, d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        for region, i, j in self.iterate_regions(self.last_image):
            for f in range(self.num_filters):
                d_filters[f] += d_out[i, j, f] * region
        self.filters -= learn_rate * d_filters
