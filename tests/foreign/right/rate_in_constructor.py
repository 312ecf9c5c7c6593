import numpy as np


class Conv3x3:
    """The learning rate is the layer's own, given when it is made."""

    def __init__(self, num_filters, learning_rate=0.01):
        self.lr = learning_rate
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        self.view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", self.view, self.filters)

    def backprop(self, d_out):
        self.filters -= self.lr * np.einsum("hwij,hwf->fij", self.view, d_out)


class Softmax:
    def __init__(self, input_len, nodes, learning_rate=0.01):
        self.lr = learning_rate
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, input):
        self.shape = input.shape
        self.x = input.flatten()
        t = self.x @ self.weights + self.biases
        e = np.exp(t - t.max())
        self.p = e / e.sum()
        return self.p

    def backprop(self, d_out):
        d_t = self.p * (d_out - d_out @ self.p)
        d_x = self.weights @ d_t
        self.weights -= self.lr * np.outer(self.x, d_t)
        self.biases -= self.lr * d_t
        return d_x.reshape(self.shape)
