# says: MaxPoolLayer is the pooling
# never: is a return missing
import numpy as np


class MaxPoolLayer:
    """Nothing is returned: what goes on and what goes back lies in attributes of its own words."""

    def __init__(self):
        self.output = self.passback = None

    def forward(self, inp):
        n, c, h, w = inp.shape
        p, q = h // 2, w // 2
        self.shape = inp.shape
        blocks = inp[:, :, : 2 * p, : 2 * q].reshape(n, c, p, 2, q, 2).transpose(0, 1, 2, 4, 3, 5)
        blocks = blocks.reshape(n, c, p, q, 4)
        self.best, self.output = blocks.argmax(axis=4), blocks.max(axis=4)

    def backward(self, passback):
        found = np.zeros(self.shape)
        p, q = passback.shape[2:]
        for k in range(4):
            found[:, :, k // 2 : 2 * p : 2, k % 2 : 2 * q : 2] = passback * (self.best == k)
        self.passback = found
