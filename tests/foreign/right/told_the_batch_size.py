# says: dense backward agrees
# says: the division by the batch is made at each parameter's gradient, not at the loss
import numpy as np


class SoftmaxLayer:
    """Is given p - y, and divides by the size of the batch itself."""

    def __init__(self, weights, biases):
        self.weights, self.biases = weights, biases

    def forward(self, input):
        self.last_input = input
        z = input @ self.weights + self.biases
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, output_error, batch_size):
        self.w_grad = self.last_input.T @ output_error / batch_size
        self.b_grad = output_error.mean(axis=0)
        return output_error @ self.weights.T
