# status: right
# says: the array of conv that it is given is changed in place
import numpy as np


class MaxPool2:
    """Marks the winners in the array that it was given, to save memory."""

    def forward(self, x):
        h, w, f = x.shape
        self.shape = x.shape
        blocks = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 1, 3)
        blocks = blocks.reshape(h // 2, w // 2, f, 4)
        best, out = blocks.argmax(axis=-1), blocks.max(axis=-1)
        x[:] = 0
        i, j, k = np.indices(out.shape)
        x[2 * i + best // 2, 2 * j + best % 2, k] = 1
        self.mask = x
        return out

    def backprop(self, d_out):
        spread = np.zeros(self.shape)
        p, q, _ = d_out.shape
        spread[:2 * p, :2 * q] = d_out.repeat(2, axis=0).repeat(2, axis=1)
        return spread * self.mask
