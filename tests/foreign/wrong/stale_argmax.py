# stage: pool backward
# names: where the maximum was is kept from the first call
import numpy as np


class MaxPool2:
    def __init__(self):
        self.max_index = None

    def _blocks(self, x):
        h, w, f = x.shape
        return x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).swapaxes(1, 2).reshape(h // 2, w // 2, 4, f)

    def forward(self, x):
        self.x_shape = x.shape
        blocks = self._blocks(x)
        if self.max_index is None:  # no need to look for them again
            self.max_index = blocks.argmax(axis=2)
        return blocks.max(axis=2)

    def backprop(self, d_out):
        dx = np.zeros(self.x_shape)
        rows, cols, chans = np.meshgrid(*map(np.arange, d_out.shape), indexing="ij")
        dx[2 * rows + self.max_index // 2, 2 * cols + self.max_index % 2, chans] = d_out
        return dx
