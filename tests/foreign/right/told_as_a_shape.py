# says: DenseLayer is the dense layer
import numpy as np


class DenseLayer:
    """A number of nodes that is called a shape, and may be left out."""

    def __init__(self, output_shape, input_shape=None):
        self.output_shape = output_shape
        self.weight = self.bias = None
        if input_shape is not None:
            self.weight = 0.1 * np.random.randn(output_shape, input_shape)
            self.bias = np.zeros((output_shape, 1))

    def forward_prop(self, input):
        self.input = input
        return self.weight @ input + self.bias

    def backward_prop(self, gradient, learning_rate):
        back = self.weight.T @ gradient
        self.weight -= learning_rate * gradient @ self.input.T
        self.bias -= learning_rate * gradient
        return back
