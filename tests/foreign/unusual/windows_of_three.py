import numpy as np


class MaxPool3:
    """Windows of 3x3 that overlap: another layer than ours, and no mistake."""

    def forward(self, x):
        h, w, c = x.shape
        x = np.pad(x, ((0, 1), (0, 1), (0, 0)))
        out = np.zeros((h // 2, w // 2, c))
        for i in range(h // 2):
            for j in range(w // 2):
                out[i, j] = x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max(axis=(0, 1))
        return out
