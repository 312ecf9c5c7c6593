# stage: conv forward
# names: only the last channel is seen
import numpy as np


class Convolutional:
    """Each channel of the image overwrites what the one before it gave."""

    def __init__(self, input_shape, kernel_size, depth):
        self.input_depth = input_shape[0]
        self.kernels = np.random.randn(depth, self.input_depth, kernel_size, kernel_size)

    def forward(self, input):
        h, w = input.shape[1] - 2, input.shape[2] - 2
        output = np.zeros((len(self.kernels), h, w))
        for f in range(len(self.kernels)):
            for c in range(self.input_depth):
                part = np.zeros((h, w))
                for i in range(3):
                    for j in range(3):
                        part += self.kernels[f, c, i, j] * input[c, i:i + h, j:j + w]
                output[f] = part
        return output
