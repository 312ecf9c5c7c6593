# says: activation forward agrees
# says: activation backward agrees
# says: LeakyReLU is a leaky ReLU of slope 0.2
import numpy as np


class Layer:
    def __call__(self, inputs):
        return self.forward(inputs)


class ReLU(Layer):
    def forward(self, inputs):
        self.mask = inputs > 0
        return inputs * self.mask

    def backward(self, grad):
        return grad * self.mask


class LeakyReLU(Layer):
    def __init__(self, negative_slope=0.2):
        self.negative_slope = negative_slope

    def forward(self, inputs):
        self.inputs = inputs
        return np.where(inputs >= 0, inputs, self.negative_slope * inputs)

    def backward(self, grad, learning_rate):
        return grad * np.where(self.inputs >= 0, 1, self.negative_slope)


class Sigmoid(Layer):
    def forward(self, inputs):
        self.out = 1 / (1 + np.exp(-inputs))
        return self.out

    def backward(self, grad):
        return grad * self.out * (1 - self.out)


class Tanh(Layer):
    def forward(self, inputs):
        self.out = np.tanh(inputs)
        return self.out

    def backward(self, grad):
        return grad * (1 - self.out**2), []
