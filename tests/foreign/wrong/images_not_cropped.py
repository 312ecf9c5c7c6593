# stage: conv backward
# names: none
import numpy as np


class Conv:
    """Padding same; the border of zeros is handed back with the gradient of the images."""

    def __init__(self, in_channels, out_channels, padding=1):
        self.padding = padding
        self.W = np.random.randn(out_channels, in_channels, 3, 3)

    def forward(self, x):
        p = self.padding
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.v = np.lib.stride_tricks.sliding_window_view(self.x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", self.v, self.W)

    def backward(self, dout):
        self.dW = np.einsum("nchwij,nfhw->fcij", self.v, dout)
        dx = np.zeros_like(self.x)
        h, w = dout.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i:i + h, j:j + w] += np.einsum("nfhw,fc->nchw", dout, self.W[:, :, i, j])
        return dx
