"""forward and backward return nothing: results are kept in output, dinputs, dweights, dbiases."""
import numpy as np


class Layer_Conv:
    def __init__(self, n_channels, n_filters):
        self.weights = 0.01 * np.random.randn(n_filters, n_channels, 3, 3)

    def forward(self, inputs):
        self.inputs = inputs
        self.view = np.lib.stride_tricks.sliding_window_view(inputs, (3, 3), axis=(2, 3))
        self.output = np.einsum("nchwij,fcij->nfhw", self.view, self.weights)

    def backward(self, dvalues):
        self.dweights = np.einsum("nchwij,nfhw->fcij", self.view, dvalues)
        self.dinputs = np.zeros_like(self.inputs)
        h, w = dvalues.shape[2:]
        for i in range(3):
            for j in range(3):
                self.dinputs[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", dvalues, self.weights[:, :, i, j])


class Layer_MaxPool:
    def forward(self, inputs):
        n, c, h, w = inputs.shape
        self.shape = inputs.shape
        blocks = inputs[:, :, :h // 2 * 2, :w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5)
        blocks = blocks.reshape(n, c, h // 2, w // 2, 4)
        self.best = blocks.argmax(axis=4)
        self.output = blocks.max(axis=4)

    def backward(self, dvalues):
        self.dinputs = np.zeros(self.shape, dvalues.dtype)
        h, w = 2 * dvalues.shape[2], 2 * dvalues.shape[3]
        for k in range(4):
            self.dinputs[:, :, k // 2:h:2, k % 2:w:2] = dvalues * (self.best == k)


class Layer_Dense:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.shape = inputs.shape
        self.inputs = inputs.reshape(inputs.shape[0], -1)
        self.output = np.dot(self.inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T).reshape(self.shape)


class Activation_Softmax:
    def forward(self, inputs):
        exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exp_values / np.sum(exp_values, axis=1, keepdims=True)


class Loss_CategoricalCrossentropy:
    def forward(self, y_pred, y_true):
        return -np.log(y_pred[range(len(y_pred)), y_true])
