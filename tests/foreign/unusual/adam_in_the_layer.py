import numpy as np


class Dense:
    """Its own Adam, whose running averages are no gradients."""

    def __init__(self, no_inputs, no_outputs):
        self.weights = 0.1 * np.random.randn(no_inputs, no_outputs)
        self.biases = np.zeros(no_outputs)
        self.avg_weight_grads = np.zeros((no_inputs, no_outputs))
        self.avg_squared_weight_grads = np.zeros((no_inputs, no_outputs))
        self.itr = 1

    def forward(self, input):
        self.input = input
        return input @ self.weights + self.biases

    def backward(self, grad_output, learning_rate):
        grad = self.input.T @ grad_output
        back = grad_output @ self.weights.T
        self.avg_weight_grads = 0.9 * self.avg_weight_grads + 0.1 * grad
        self.avg_squared_weight_grads = 0.99 * self.avg_squared_weight_grads + 0.01 * grad**2
        first = self.avg_weight_grads / (1 - 0.9**self.itr)
        second = self.avg_squared_weight_grads / (1 - 0.99**self.itr)
        self.weights -= learning_rate * first / (np.sqrt(second) + 1e-7)
        self.itr += 1
        return back
