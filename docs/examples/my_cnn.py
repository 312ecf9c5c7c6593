"""The network of this project as tutorials shape it: one image at a time, each layer updates itself.

It learns as well as the right one. One of its gradients is wrong: `python -m compare check docs/examples/my_cnn.py`.
"""

import numpy as np


class Conv3x3:
    """A convolution with 3x3 filters, no padding, of images (h, w)."""

    def __init__(self, num_filters):
        self.filters = np.random.default_rng(0).standard_normal((num_filters, 3, 3)) / 9

    def patches(self, image):
        """Every 3x3 patch, and the row and column where it begins."""
        height, width = image.shape
        for row in range(height - 2):
            for column in range(width - 2):
                yield row, column, image[row : row + 3, column : column + 3]

    def forward(self, image):
        """(h, w) -> (h - 2, w - 2, filters)."""
        self.image = image
        out = np.empty((image.shape[0] - 2, image.shape[1] - 2, len(self.filters)))
        for row, column, patch in self.patches(image):
            out[row, column] = (patch * self.filters).sum(axis=(1, 2))
        return out

    def backprop(self, d_L_d_out, learn_rate):
        """Update the filters; there is no layer before this one."""
        d_filters = np.zeros_like(self.filters)
        for row, column, patch in self.patches(self.image):
            d_filters += d_L_d_out[row, column][:, None, None] * patch
        self.filters -= learn_rate * d_filters


class MaxPool2:
    """The largest of each 2x2 window."""

    def windows(self, x):
        """Every window, and where it begins."""
        for row in range(0, x.shape[0] // 2 * 2, 2):
            for column in range(0, x.shape[1] // 2 * 2, 2):
                yield row, column, x[row : row + 2, column : column + 2]

    def forward(self, x):
        """(h, w, filters) -> (h // 2, w // 2, filters)."""
        self.x = x
        out = np.empty((x.shape[0] // 2, x.shape[1] // 2, x.shape[2]))
        for row, column, window in self.windows(x):
            out[row // 2, column // 2] = window.max(axis=(0, 1))
        return out

    def backprop(self, d_L_d_out):
        """Hand each gradient to the place that the maximum came from."""
        d_L_d_x = np.zeros_like(self.x)
        for row, column, window in self.windows(self.x):
            largest = window == window.max(axis=(0, 1))
            d_L_d_x[row : row + 2, column : column + 2] = largest * d_L_d_out[row // 2, column // 2]
        return d_L_d_x


class Softmax:
    """A dense layer with softmax."""

    def __init__(self, input_len, nodes):
        self.weights = np.random.default_rng(1).standard_normal((input_len, nodes)) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        """Any shape -> probabilities (nodes,)."""
        self.shape = x.shape
        self.x = x.ravel()
        totals = self.x @ self.weights + self.biases
        powers = np.exp(totals - totals.max())
        self.p = powers / powers.sum()
        return self.p

    def backprop(self, d_L_d_out, learn_rate):
        """Update weights and biases; returns the gradient of the input."""
        d_L_d_totals = self.p * (d_L_d_out - (d_L_d_out * self.p).sum())
        d_L_d_x = self.weights @ d_L_d_totals
        self.weights -= learn_rate * np.outer(self.x, d_L_d_totals)
        self.biases -= learn_rate * d_L_d_totals
        return d_L_d_x.reshape(self.shape)
