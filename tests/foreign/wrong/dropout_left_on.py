# stage: dense forward
# names: none
import numpy as np


class DenseLayer:
    def __init__(self, input_dim, output_dim, keep_prob=0.5):
        self.keep_prob = keep_prob
        self.weights = np.random.randn(input_dim, output_dim) / np.sqrt(input_dim)
        self.bias = np.zeros(output_dim)

    def forward(self, x):
        self.shape = x.shape
        x = x.reshape(len(x), -1)
        # dropout, also when nobody trains
        self.mask = (np.random.rand(*x.shape) < self.keep_prob) / self.keep_prob
        self.x = x * self.mask
        return self.x @ self.weights + self.bias

    def backward(self, dout):
        self.dweights = self.x.T @ dout
        self.dbias = dout.sum(axis=0)
        return ((dout @ self.weights.T) * self.mask).reshape(self.shape)
