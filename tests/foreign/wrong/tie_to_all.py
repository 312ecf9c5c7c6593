# stage: pool backward
# names: every tied maximum gets the gradient
import numpy as np


class Conv3x3:
    def __init__(self, num_filters):
        self.num_filters = num_filters
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, input):
        self.last_input = input
        h, w = input.shape
        output = np.zeros((h - 2, w - 2, self.num_filters))
        for i in range(h - 2):
            for j in range(w - 2):
                output[i, j] = np.sum(input[i:i + 3, j:j + 3] * self.filters, axis=(1, 2))
        return output

    def backprop(self, d_L_d_out, learn_rate):
        d_L_d_filters = np.zeros(self.filters.shape)
        for i in range(d_L_d_out.shape[0]):
            for j in range(d_L_d_out.shape[1]):
                region = self.last_input[i:i + 3, j:j + 3]
                d_L_d_filters += d_L_d_out[i, j][:, None, None] * region
        self.filters -= learn_rate * d_L_d_filters


class MaxPool2:
    def iterate(self, image):
        h, w, _ = image.shape
        for i in range(h // 2):
            for j in range(w // 2):
                yield image[i * 2:i * 2 + 2, j * 2:j * 2 + 2], i, j

    def forward(self, input):
        self.last_input = input
        h, w, f = input.shape
        output = np.zeros((h // 2, w // 2, f))
        for region, i, j in self.iterate(input):
            output[i, j] = region.max(axis=(0, 1))
        return output

    def backprop(self, d_L_d_out):
        d_L_d_input = np.zeros(self.last_input.shape)
        for region, i, j in self.iterate(self.last_input):
            biggest = region.max(axis=(0, 1))
            for a in range(2):
                for b in range(2):
                    # if this pixel was the max value, copy the gradient to it
                    same = region[a, b] == biggest
                    d_L_d_input[i * 2 + a, j * 2 + b] = np.where(same, d_L_d_out[i, j], 0)
        return d_L_d_input


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, input):
        self.last_input_shape = input.shape
        self.last_input = input.flatten()
        self.last_totals = np.dot(self.last_input, self.weights) + self.biases
        exp = np.exp(self.last_totals - self.last_totals.max())
        return exp / exp.sum()

    def backprop(self, d_L_d_out, learn_rate):
        label = np.flatnonzero(d_L_d_out)[0]
        exp = np.exp(self.last_totals - self.last_totals.max())
        p = exp / exp.sum()
        d_L_d_t = -d_L_d_out[label] * p[label] * p
        d_L_d_t[label] += d_L_d_out[label] * p[label]
        d_L_d_inputs = self.weights @ d_L_d_t
        self.weights -= learn_rate * np.outer(self.last_input, d_L_d_t)
        self.biases -= learn_rate * d_L_d_t
        return d_L_d_inputs.reshape(self.last_input_shape)
