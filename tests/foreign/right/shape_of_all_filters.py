# says: conv backward agrees
import numpy as np
from scipy import signal


class Convolutional:
    def __init__(self, input_shape, filter_size):
        """Images (C, H, W); filters (F, C, 3, 3)."""
        self.input_depth, self.input_height, self.input_width = input_shape
        self.filter_shape = self.channels, self.depth, rows, columns = filter_size
        self.output_shape = (self.channels, self.input_height - rows + 1, self.input_width - columns + 1)
        self.filter = np.random.randn(*filter_size)
        self.bias = np.random.randn(*self.output_shape)

    def forward(self, input):
        self.input, output = input, self.bias.copy()
        for f in range(self.channels):
            for c in range(self.depth):
                output[f] += signal.correlate2d(input[c], self.filter[f, c], "valid")
        return output

    def backward(self, output_gradient, learning_rate):
        step = np.zeros(self.filter_shape)
        back = np.zeros((self.input_depth, self.input_height, self.input_width))
        for f in range(self.channels):
            for c in range(self.depth):
                step[f, c] = signal.correlate2d(self.input[c], output_gradient[f], "valid")
                back[c] += signal.convolve2d(output_gradient[f], self.filter[f, c], "full")
        self.filter -= learning_rate * step
        self.bias -= learning_rate * output_gradient
        return back
