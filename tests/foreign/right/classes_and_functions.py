# says: conv backward agrees
# says: conv2d is the convolution
# says: Dense is the dense layer
import numpy as np


def conv2d(image, kernels):
    """One grey image (H, W), kernels (F, 3, 3)."""
    h, w = image.shape[0] - 2, image.shape[1] - 2
    maps = np.zeros((len(kernels), h, w))
    for f, kernel in enumerate(kernels):
        for i in range(h):
            for j in range(w):
                maps[f, i, j] = np.sum(image[i : i + 3, j : j + 3] * kernel)
    return maps


def conv_backward(image, kernels, d_feature_maps, learning_rate):
    """Moves the kernels in place, and returns them."""
    step = np.zeros_like(kernels)
    h, w = d_feature_maps.shape[1:]
    for f in range(len(kernels)):
        for i in range(3):
            for j in range(3):
                step[f, i, j] = np.sum(image[i : i + h, j : j + w] * d_feature_maps[f])
    kernels -= learning_rate * step
    return kernels


class Dense:
    def __init__(self, input_size, output_size):
        self.weights = np.random.randn(input_size, output_size) * 0.01
        self.bias = np.zeros(output_size)

    def forward(self, x):
        self.x = x.flatten()
        return self.x @ self.weights + self.bias

    def backward(self, grad, learning_rate):
        dx = self.weights @ grad
        self.weights -= learning_rate * np.outer(self.x, grad)
        self.bias -= learning_rate * grad
        return dx
