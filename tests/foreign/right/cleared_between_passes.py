# says: MaxPool is the pooling

import numpy as np


class FullyConnected:
    """What several parents hand on is added up, and comes out of an attribute, until initGrad."""

    def __init__(self, inputSize, outputSize):
        self.parameters = np.random.uniform(-1, 1, (inputSize, outputSize))
        self.bias = np.zeros(outputSize)
        self.initGrad()

    def initGrad(self):
        self.output = None

    def forward(self, x):
        self.input = x
        y = x @ self.parameters + self.bias
        self.output = y if self.output is None else self.output + y

    def backward(self, previousGrad):
        self.gradient_parameters = self.input.T @ previousGrad
        self.gradient_bias = previousGrad.sum(axis=0)
        return previousGrad @ self.parameters.T


class MaxPool:
    """Is to be told how many maps there are."""

    def __init__(self, no_channels_in, filter_size, stride, padding):
        assert filter_size == stride and padding == 0
        self.no_channels_in, self.size = no_channels_in, filter_size

    def forward(self, x):
        n, c, h, w = x.shape
        k = self.size
        x = x[:, : self.no_channels_in, : h // k * k, : w // k * k]
        self.shape = n, c, h, w
        v = x.reshape(n, c, h // k, k, w // k, k).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // k, w // k, k * k)
        self.where = v.argmax(axis=-1)
        return v.max(axis=-1)

    def backward(self, grad_output):
        n, c, h, w = self.shape
        dx = np.zeros(self.shape)
        for number in range(self.size**2):
            i, j = divmod(number, self.size)
            cut = dx[:, :, i : h // self.size * self.size : self.size, j : w // self.size * self.size : self.size]
            cut += np.where(self.where == number, grad_output, 0)
        return dx
