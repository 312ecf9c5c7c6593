# says: dense backward agrees
# says: pool backward agrees

import numpy as np


class MaxPooling2D:
    """What goes back is called SGD here, and what moves the weights backward."""

    def __init__(self, kernel_size=2, stride=2):
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x):
        n, h, w, c = x.shape
        v = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)
        v = v.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4, c)
        self.shape, self.where = x.shape, v.argmax(axis=3)
        return v.max(axis=3)

    def SGD(self, error):
        n, h, w, c = self.shape
        d = np.zeros(self.shape)
        for k in range(4):
            d[:, k // 2 : h // 2 * 2 : 2, k % 2 : w // 2 * 2 : 2] = np.where(self.where == k, error, 0)
        return d

    def backward(self, lr=0.00001, weight_decay=0.0004):
        pass


class Linear:
    def __init__(self, in_features, out_features):
        self.weights = np.random.randn(in_features, out_features) * 0.1
        self.bias = np.zeros(out_features)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def SGD(self, error):
        self.weights_gradient = self.x.T @ error
        self.bias_gradient = error.sum(axis=0)
        return error @ self.weights.T

    def backward(self, lr=0.00001, weight_decay=0.0004):
        self.weights -= lr * self.weights_gradient
        self.bias -= lr * self.bias_gradient
