# stage: dense backward
# names: only the diagonal of the softmax's derivative
import numpy as np


class Softmax:
    """Fully connected with softmax; the derivative of the softmax is taken as p (1 - p), element by element."""

    def __init__(self, input_len, nodes):
        self.weights = np.random.randn(input_len, nodes) / input_len
        self.biases = np.zeros(nodes)

    def forward(self, input):
        self.input_shape = input.shape
        self.flat = input.reshape(-1)
        totals = self.flat @ self.weights + self.biases
        totals = totals - totals.max()
        self.out = np.exp(totals) / np.exp(totals).sum()
        return self.out

    def backprop(self, d_L_d_out, learn_rate):
        d_L_d_totals = d_L_d_out * self.out * (1 - self.out)
        d_L_d_input = (self.weights @ d_L_d_totals).reshape(self.input_shape)
        self.weights -= learn_rate * np.outer(self.flat, d_L_d_totals)
        self.biases -= learn_rate * d_L_d_totals
        return d_L_d_input
