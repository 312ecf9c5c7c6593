# stage: activation backward
# names: none
# says: the mask is of the gradient's sign, not of the input's
import numpy as np


class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        return np.where(dout > 0, dout, 0)


class MaxPool2:
    def forward(self, x):
        n, h, w, f = x.shape
        self.shape, self.cut = x.shape, x[:, : h // 2 * 2, : w // 2 * 2]
        self.windows = self.cut.reshape(n, h // 2, 2, w // 2, 2, f).transpose(0, 1, 3, 5, 2, 4)
        self.windows = self.windows.reshape(n, h // 2, w // 2, f, 4)
        return self.windows.max(axis=-1)

    def backward(self, dout):
        first = np.arange(4) == self.windows.argmax(axis=-1)[..., None]
        n, p, q, f, _ = first.shape
        spread = (first * dout[..., None]).reshape(n, p, q, f, 2, 2).transpose(0, 1, 4, 2, 5, 3)
        dx = np.zeros(self.shape)
        dx[:, : 2 * p, : 2 * q] = spread.reshape(n, 2 * p, 2 * q, f)
        return dx
