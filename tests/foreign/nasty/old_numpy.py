# stage: pool forward
# status: raised
# says: AttributeError at old_numpy.py:11
# says: NumPy removed this alias in 1.24
import numpy as np


class MaxPool2:
    def forward(self, x):
        h, w, f = x.shape
        out = np.zeros((h // 2, w // 2, f), dtype=np.float)
        for i in range(h // 2):
            for j in range(w // 2):
                out[i, j] = x[2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(0, 1))
        return out
