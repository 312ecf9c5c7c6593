# says: gradients add up until the code's own update
import numpy as np


class FullyConnected:
    """What moves the weights, and puts the gradients to 0, is called gradient."""

    def __init__(self, input_num, output_num):
        self.weights = np.random.standard_normal((input_num, output_num)) / 100
        self.bias = np.zeros(output_num)
        self.w_gradient, self.b_gradient = np.zeros(self.weights.shape), np.zeros(output_num)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, eta):
        for x, e in zip(self.x, eta):
            self.w_gradient += np.outer(x, e)
            self.b_gradient += e
        return eta @ self.weights.T

    def gradient(self, alpha=0.00001, weight_decay=0.0004):
        self.weights *= 1 - weight_decay
        self.weights -= alpha * self.w_gradient
        self.bias -= alpha * self.b_gradient
        self.w_gradient, self.b_gradient = np.zeros(self.weights.shape), np.zeros(self.bias.shape)
