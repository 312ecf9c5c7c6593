# stage: pool backward
# names: only the first row of windows hands its gradient back
import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.num_filters = num_filters
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def regions(self, image):
        h, w = image.shape
        for i in range(h - 2):
            for j in range(w - 2):
                yield image[i:i + 3, j:j + 3], i, j

    def forward(self, image):
        self.last_input = image
        h, w = image.shape
        out = np.zeros((h - 2, w - 2, self.num_filters))
        for region, i, j in self.regions(image):
            out[i, j] = np.sum(region * self.filters, axis=(1, 2))
        return out

    def backprop(self, d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        for region, i, j in self.regions(self.last_input):
            for f in range(self.num_filters):
                d_filters[f] += d_out[i, j, f] * region
        self.filters -= learn_rate * d_filters
        return None


class MaxPool2:
    def forward(self, x):
        self.last_input = x
        h, w, f = x.shape
        x = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f)
        return x.max(axis=(1, 3))

    def backprop(self, d_out):
        d_input = np.zeros(self.last_input.shape)
        p, q, f = d_out.shape
        for i in range(p):
            for j in range(q):
                for k in range(f):
                    part = self.last_input[2 * i:2 * i + 2, 2 * j:2 * j + 2, k]
                    a, b = np.unravel_index(part.argmax(), part.shape)
                    d_input[2 * i + a, 2 * j + b, k] = d_out[i, j, k]
            return d_input


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, x):
        self.last_shape = x.shape
        x = x.flatten()
        self.last_x = x
        totals = np.dot(x, self.weights) + self.biases
        self.last_totals = totals
        e = np.exp(totals - totals.max())
        return e / e.sum()

    def backprop(self, d_out, learn_rate):
        for i, gradient in enumerate(d_out):
            if gradient == 0:
                continue
            e = np.exp(self.last_totals - self.last_totals.max())
            total = e.sum()
            d_t = -e[i] * e / total ** 2
            d_t[i] = e[i] * (total - e[i]) / total ** 2
            d_totals = gradient * d_t
            d_x = self.weights @ d_totals
            self.weights -= learn_rate * self.last_x[:, None] * d_totals[None]
            self.biases -= learn_rate * d_totals
            return d_x.reshape(self.last_shape)
