import numpy as np


class Softmax:
    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, input):
        self.last_input_shape = input.shape
        self.last_input = input.flatten()
        self.last_totals = self.last_input @ self.weights + self.biases
        return np.exp(self.last_totals) / np.sum(np.exp(self.last_totals))

    def backprop(self, d_L_d_out, learn_rate):
        i = np.argmax(d_L_d_out != 0)
        t_exp = np.exp(self.last_totals)
        S = t_exp.sum()
        d_out_d_t = -t_exp[i] * t_exp / S ** 2
        d_out_d_t[i] = t_exp[i] * (S - t_exp[i]) / S ** 2
        d_L_d_t = d_L_d_out[i] * d_out_d_t
        d_L_d_inputs = self.weights @ d_L_d_t
        self.weights -= learn_rate * np.outer(self.last_input, d_L_d_t)
        self.biases -= learn_rate * d_L_d_t
        return d_L_d_inputs.reshape(self.last_input_shape)
