# stage: layer forward
# names: none
# says: Conv at 5x5 stride 2 padding 2
# says: the border is filled with its edge once more, not with zeros
import numpy as np


class Conv:
    """Channels last; every second place; the mean over the batch of the gradients of its weights, and a ReLU in it."""

    def __init__(self, channels, filters):
        self.kernel = np.random.randn(5, 5, channels, filters) * 0.1
        self.bias = np.zeros(filters)

    def forward(self, x):
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
        self.view = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))[:, ::2, ::2]
        self.shape = padded.shape
        self.out = np.maximum(np.einsum("nhwcij,ijcf->nhwf", self.view, self.kernel) + self.bias, 0)
        return self.out

    def backward(self, grad):
        grad = grad * (self.out > 0)
        self.grad_kernel = np.einsum("nhwcij,nhwf->ijcf", self.view, grad) / len(grad)
        self.grad_bias = grad.sum(axis=(0, 1, 2)) / len(grad)
        dx = np.zeros(self.shape)
        for i in range(5):
            for j in range(5):
                rows, columns = slice(i, i + 2 * grad.shape[1] - 1, 2), slice(j, j + 2 * grad.shape[2] - 1, 2)
                dx[:, rows, columns] += grad @ self.kernel[i, j].T
        return dx[:, 2:-2, 2:-2]


class MaxPool:
    """Windows that overlap, as in AlexNet."""

    def forward(self, x):
        self.x = x
        self.view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
        return self.view.max(axis=(4, 5))

    def backward(self, grad):
        dx = np.zeros(self.x.shape)
        first = self.view.reshape(*self.view.shape[:4], 9).argmax(axis=-1)
        for n, i, j, c in np.ndindex(grad.shape):
            row, column = divmod(first[n, i, j, c], 3)
            dx[n, 2 * i + row, 2 * j + column, c] += grad[n, i, j, c]
        return dx
