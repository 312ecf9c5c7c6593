# says: MaxPool is the pooling, one image at a time, (H, W, C)
# never: RAISED
import numpy as np


class MaxPool:
    """Told the rows and columns of a map, and beside them how many maps there are."""

    def __init__(self, input_shape, input_depth, kernel_size, stride):
        self.input_shape, self.input_depth = input_shape, input_depth
        self.kernel_size, self.stride = kernel_size, stride
        self.output_shape = tuple((size - kernel_size) // stride + 1 for size in input_shape)

    def forward(self, image):
        self.image = image
        out = np.zeros((*self.output_shape, self.input_depth))
        for i in range(self.output_shape[0]):
            for j in range(self.output_shape[1]):
                a, b = i * self.stride, j * self.stride
                out[i, j] = image[a : a + self.kernel_size, b : b + self.kernel_size].max(axis=(0, 1))
        return out

    def backward(self, dy):
        dx = np.zeros((*self.input_shape, self.input_depth))
        for i in range(self.output_shape[0]):
            for j in range(self.output_shape[1]):
                a, b = i * self.stride, j * self.stride
                for c in range(self.input_depth):
                    window = self.image[a : a + self.kernel_size, b : b + self.kernel_size, c]
                    row, column = np.unravel_index(window.argmax(), window.shape)
                    dx[a + row, b + column, c] += dy[i, j, c]
        return dx
