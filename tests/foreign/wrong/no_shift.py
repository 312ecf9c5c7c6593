# stage: softmax forward
# names: no shift in the softmax
import numpy as np


class Conv3x3:
    def __init__(self, n_filters):
        self.filters = np.random.randn(n_filters, 3, 3) / 9

    def forward(self, image):
        self.windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("hwij,fij->hwf", self.windows, self.filters)

    def backprop(self, grad, lr):
        self.filters -= lr * np.einsum("hwij,hwf->fij", self.windows, grad)


class MaxPool2:
    def forward(self, x):
        self.shape = x.shape
        h, w, f = x.shape
        cells = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 1, 3)
        cells = cells.reshape(h // 2, w // 2, f, 4)
        self.winner = cells.argmax(axis=3)
        return cells.max(axis=3)

    def backprop(self, grad):
        out = np.zeros(self.shape)
        i, j, k = np.indices(grad.shape)
        out[2 * i + self.winner // 2, 2 * j + self.winner % 2, k] = grad
        return out


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, input):
        self.last_input_shape = input.shape
        input = input.flatten()
        self.last_input = input
        totals = np.dot(input, self.weights) + self.biases
        self.last_totals = totals
        exp = np.exp(totals)
        return exp / np.sum(exp, axis=0)

    def backprop(self, d_L_d_out, learn_rate):
        for i, gradient in enumerate(d_L_d_out):
            if gradient == 0:
                continue
            t_exp = np.exp(self.last_totals)
            S = np.sum(t_exp)
            d_out_d_t = -t_exp[i] * t_exp / (S ** 2)
            d_out_d_t[i] = t_exp[i] * (S - t_exp[i]) / (S ** 2)
            d_L_d_t = gradient * d_out_d_t
            d_L_d_inputs = self.weights @ d_L_d_t
            self.weights -= learn_rate * self.last_input[:, np.newaxis] @ d_L_d_t[np.newaxis, :]
            self.biases -= learn_rate * d_L_d_t
            return d_L_d_inputs.reshape(self.last_input_shape)
