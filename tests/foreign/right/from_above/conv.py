import numpy as np
from from_above.layers.patches import patches


class Conv:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        return np.tensordot(patches(image), self.filters, axes=([2, 3], [1, 2]))
