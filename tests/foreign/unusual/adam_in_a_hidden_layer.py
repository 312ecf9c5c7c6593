import numpy as np


class Hidden:
    """It ends in a sine, and moves its weights by Adam while it goes back."""

    def __init__(self, output_size, learning_rate=0.001):
        self.output_size, self.learning_rate = output_size, learning_rate
        self.W, self.mean, self.square, self.times = None, 0, 0, 0

    def forward(self, x):
        if self.W is None:
            self.W = np.random.randn(x.shape[-1], self.output_size) / np.sqrt(x.shape[-1])
        self.x, self.z = x, x @ self.W
        return np.sin(self.z)

    def backward(self, grad):
        d_sums = grad * np.cos(self.z)
        dx, d_weights = d_sums @ self.W.T, self.x.T @ d_sums
        self.times += 1
        self.mean = 0.9 * self.mean + 0.1 * d_weights
        self.square = 0.999 * self.square + 0.001 * d_weights**2
        step = self.mean / (1 - 0.9**self.times) / (np.sqrt(self.square / (1 - 0.999**self.times)) + 1e-8)
        self.W = self.W - self.learning_rate * step
        return dx
