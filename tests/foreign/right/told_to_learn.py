# says: classes 10 only

import numpy as np


class Conv3x3:
    """Must be told that it is to learn, hands back the filters as they now are, and has names of its own."""

    def __init__(self, num_filters, need_update):
        self.filters = np.random.randn(num_filters, 3, 3) / 9
        self.need_update = need_update

    def regions(self, image):
        h, w = image.shape
        for i in range(h - 2):
            for j in range(w - 2):
                yield image[i : i + 3, j : j + 3], i, j

    def single_conv_forward(self, image):
        self.image = image
        h, w = image.shape
        out = np.zeros((h - 2, w - 2, len(self.filters)))
        for region, i, j in self.regions(image):
            out[i, j] = np.sum(region * self.filters, axis=(1, 2))
        return out

    def single_conv_backward(self, dL_dOut, learning_rate):
        d = np.zeros(self.filters.shape)
        for region, i, j in self.regions(self.image):
            d += dL_dOut[i, j][:, None, None] * region
        if self.need_update == True:  # noqa: E712
            self.filters -= learning_rate * d
        return self.filters


class Softmax:
    """Written for ten digits."""

    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def softmax_forward(self, image):
        self.shape, self.flat = image.shape, image.flatten()
        z = self.flat @ self.weights + self.biases
        e = np.exp(z - z.max())
        self.p = e / e.sum()
        return self.p

    def soft_backward(self, dL_dOut, learning_rate):
        d = self.p * (dL_dOut - dL_dOut @ self.p)
        back = self.weights @ d
        self.weights -= learning_rate * (self.flat.reshape(-1, 1) @ d.reshape(1, 10))
        self.biases -= learning_rate * d
        return back.reshape(self.shape)
