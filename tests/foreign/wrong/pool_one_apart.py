# stage: layer backward
# names: none
# says: layer forward agrees (MaxPooling 2x2 stride 1)
# says: where maxima are tied, 4 times the gradient that went in comes out
import numpy as np


class MaxPooling:
    """Windows of 2x2 that overlap: not this network's pool, and right as what it is, but for its ties."""

    def forward(self, maps):
        self.maps = maps
        n, c, h, w = maps.shape
        self.highest = np.empty((n, c, h - 1, w - 1))
        for i in range(h - 1):
            for j in range(w - 1):
                self.highest[:, :, i, j] = maps[:, :, i : i + 2, j : j + 2].max(axis=(2, 3))
        return self.highest

    def backward(self, upstream):
        d_maps = np.zeros(self.maps.shape)
        for i in range(upstream.shape[2]):
            for j in range(upstream.shape[3]):
                window = self.maps[:, :, i : i + 2, j : j + 2]
                mask = window == self.highest[:, :, i, j][:, :, None, None]
                d_maps[:, :, i : i + 2, j : j + 2] += mask * upstream[:, :, i, j][:, :, None, None]
        return d_maps
