# stage: dense forward
# names: none
# says: a ReLU on the logits
# says: the division by the batch is made at each parameter's gradient, not at the loss
"""Each gradient of a weight is a mean, which is right; the dense layer ends in a ReLU, which is not."""
import numpy as np


class ConvLayer:
    def __init__(self, num_channels, num_filters):
        self.filters = np.random.randn(3, 3, num_channels, num_filters) / 9

    def forward(self, x):
        self.x = x
        h, w = x.shape[1] - 2, x.shape[2] - 2
        return sum(x[:, i : i + h, j : j + w] @ self.filters[i, j] for i in range(3) for j in range(3))

    def backward(self, dy, learning_rate):
        h, w = dy.shape[1:3]
        dx, d = np.zeros_like(self.x), np.zeros_like(self.filters)
        for i in range(3):
            for j in range(3):
                d[i, j] = np.tensordot(self.x[:, i : i + h, j : j + w], dy, axes=((0, 1, 2), (0, 1, 2)))
                dx[:, i : i + h, j : j + w] += dy @ self.filters[i, j].T
        self.filters -= learning_rate * d / len(dy)
        return dx


class PoolLayer:
    def forward(self, x):
        n, h, w, c = x.shape
        self.shape = x.shape
        t = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4)
        t = t.reshape(*t.shape[:4], 4)
        self.winner = t.argmax(axis=-1)
        return t.max(axis=-1)

    def backward(self, dy):
        dx = np.zeros(self.shape)
        n, i, j, c = np.indices(dy.shape)
        dx[n, 2 * i + self.winner // 2, 2 * j + self.winner % 2, c] = dy
        return dx


class DenseLayer:
    def __init__(self, input_size, output_size):
        self.weights, self.biases = np.random.randn(input_size, output_size) / input_size, np.zeros(output_size)

    def forward(self, x):
        self.x, self.z = x, x @ self.weights + self.biases
        return np.maximum(self.z, 0)

    def backward(self, dy, learning_rate):
        dz = dy * (self.z > 0)
        dx = dz @ self.weights.T
        self.weights -= learning_rate * self.x.T @ dz / len(dy)
        self.biases -= learning_rate * dz.mean(axis=0)
        return dx
