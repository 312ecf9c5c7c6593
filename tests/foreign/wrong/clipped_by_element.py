# stage: dense backward
# names: none
# says: the right numbers, cut off at 0.1 and -0.1
import numpy as np


class Dense:
    def __init__(self, n_inputs, n_units):
        self.weights = np.random.randn(n_inputs, n_units) / n_inputs
        self.bias = np.zeros(n_units)

    def forward(self, inputs):
        self.inputs = inputs.reshape(len(inputs), -1)
        self.shape = inputs.shape
        return self.inputs @ self.weights + self.bias

    def backward(self, delta):
        self.d_weights = np.clip(self.inputs.T @ delta, -0.1, 0.1)
        self.d_bias = delta.sum(axis=0)
        return (delta @ self.weights.T).reshape(self.shape)
