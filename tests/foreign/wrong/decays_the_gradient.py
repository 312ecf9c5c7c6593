# stage: dense backward
# names: none
# says: 1.00001 times what it should be, everywhere
import numpy as np


class FullyConnected:
    def __init__(self, d_in, d_out):
        self.weight, self.bias = np.random.randn(d_in, d_out) / d_in, np.zeros((1, d_out))

    def forward(self, x):
        self.x = x.reshape(len(x), -1)
        return self.x @ self.weight + self.bias

    def backward(self, dy, learning_rate, alpha=1e-5):
        dW = self.x.T @ dy
        dX = dy @ self.weight.T
        dW += alpha * dW  # meant for the weights
        self.weight -= learning_rate * dW
        self.bias -= learning_rate * dy.sum(axis=0, keepdims=True)
        return dX
