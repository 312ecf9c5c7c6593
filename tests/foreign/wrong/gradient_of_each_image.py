# stage: dense backward
# names: none
# exit: 1 | 4
import numpy as np


class Dense:
    """The gradient of the weights is kept for each image, the sum over the batch is forgotten."""

    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) / n_in
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, dout):
        self.dW = np.einsum("ni,nk->nik", self.x, dout)
        self.db = dout
        return (dout @ self.W.T).reshape(self.shape)
