# says: conv backward agrees
# says: pool backward agrees
import numpy as np


class Layer:
    def __init__(self, input_shape=None):
        self.input_shape = input_shape


class CNNLayer:
    """What comes in is told by asking what comes out; then the weights are made."""

    def __init__(self, out_channels, kernel_size):
        self.out_channels, self.kernel_size = out_channels, kernel_size

    def get_output_shape(self, input_shape):
        self.channels, h, w = input_shape
        self.rows, self.columns = h - self.kernel_size + 1, w - self.kernel_size + 1
        return self.out_channels, self.rows, self.columns

    def initialize_weights(self):
        self.weights = np.random.randn(self.out_channels, self.channels, self.kernel_size, self.kernel_size)

    def forward(self, x):
        self.x, out = x, np.zeros((len(x), self.out_channels, self.rows, self.columns))
        for i in range(self.kernel_size):
            for j in range(self.kernel_size):
                part = x[:, :, i : i + self.rows, j : j + self.columns]
                out += np.einsum("fc,nchw->nfhw", self.weights[:, :, i, j], part)
        return out

    def backward(self, grad):
        self.grad_weights, dx = np.zeros_like(self.weights), np.zeros_like(self.x)
        for i in range(self.kernel_size):
            for j in range(self.kernel_size):
                part = self.x[:, :, i : i + self.rows, j : j + self.columns]
                self.grad_weights[:, :, i, j] = np.einsum("nfhw,nchw->fc", grad, part)
                dx[:, :, i : i + self.rows, j : j + self.columns] += np.einsum(
                    "fc,nfhw->nchw", self.weights[:, :, i, j], grad
                )
        return dx


class MaxPoolLayer(Layer):
    """One image at a time; the shape goes to the base class, by keyword."""

    def __init__(self, kernel_size, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size

    def forward(self, x):
        k, (depth, h, w) = self.kernel_size, x.shape
        self.x = x[:, : h // k * k, : w // k * k].reshape(depth, h // k, k, w // k, k).swapaxes(2, 3)
        self.x = self.x.reshape(depth, h // k, w // k, k * k)
        return self.x.max(axis=-1)

    def backward(self, grad):
        depth, h, w = self.input_shape
        k = self.kernel_size
        assert grad.shape == (depth, h // k, w // k)
        first = self.x.argmax(axis=-1)[..., None] == np.arange(k * k)
        routed = (first * grad[..., None]).reshape(depth, h // k, w // k, k, k).swapaxes(2, 3)
        dx = np.zeros((depth, h, w))
        dx[:, : h // k * k, : w // k * k] = routed.reshape(depth, h // k * k, w // k * k)
        return dx
