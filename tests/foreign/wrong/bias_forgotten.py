# stage: update | dense backward
# names: the bias is not updated | bias gradient dropped | bias gradient summed over classes | bias gradient is one mean for all
import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        self.view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.tensordot(self.view, self.filters, axes=([2, 3], [1, 2]))

    def backprop(self, d_out, learn_rate):
        d_filters = np.tensordot(d_out, self.view, axes=([0, 1], [0, 1]))
        self.filters = self.filters - learn_rate * d_filters
        return None


class MaxPool2:
    def forward(self, x):
        self.x = x
        h, w, f = x.shape
        return x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).max(axis=(1, 3))

    def backprop(self, d_out):
        d_x = np.zeros(self.x.shape)
        for i, j, k in np.ndindex(d_out.shape):
            r, c = np.unravel_index(self.x[2 * i:2 * i + 2, 2 * j:2 * j + 2, k].argmax(), (2, 2))
            d_x[2 * i + r, 2 * j + c, k] = d_out[i, j, k]
        return d_x


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        self.shape = x.shape
        self.x = x.flatten()
        t = self.x @ self.weights + self.biases
        self.p = np.exp(t - t.max()) / np.exp(t - t.max()).sum()
        return self.p

    def backprop(self, d_out, learn_rate):
        d_t = self.p * (d_out - np.dot(d_out, self.p))
        d_x = (self.weights @ d_t).reshape(self.shape)
        self.weights -= learn_rate * np.outer(self.x, d_t)
        self.biases - learn_rate * d_t
        return d_x
