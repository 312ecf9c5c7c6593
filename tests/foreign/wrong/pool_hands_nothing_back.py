# stage: pool backward
# names: none
# exit: 1 | 4
import numpy as np


class MaxPool2:
    def forward(self, x):
        h, w, f = x.shape
        self.shape = x.shape
        q = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).transpose(0, 2, 4, 1, 3).reshape(h // 2, w // 2, f, 4)
        self.a = q.argmax(-1)
        return q.max(-1)

    def backprop(self, d):
        out = np.zeros(self.shape)
        i, j, k = np.indices(d.shape)
        out[2 * i + self.a // 2, 2 * j + self.a % 2, k] = d
