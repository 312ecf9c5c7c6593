# stage: pool backward
# names: every tied maximum gets the gradient
# says: _conv_forward is the convolution
# exit: 1
import numpy as np


class Model:
    """A network of its own, whose layers are methods that only it calls."""

    def __init__(self):
        self.W1 = np.random.randn(4, 1, 5, 5)

    def _conv_forward(self, x, W, b, stride=1, pad=0):
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = np.lib.stride_tricks.sliding_window_view(x, W.shape[2:], axis=(2, 3))
        return np.einsum("nchwij,fcij->nfhw", windows, W) + b[None, :, None, None], {"windows": windows, "W": W}

    def _conv_backward(self, dout, cache):
        return np.einsum("nchwij,nfhw->fcij", cache["windows"], dout), np.sum(dout, axis=(0, 2, 3))

    def _max_pool_forward(self, x, pool=2, stride=2):
        n, c, h, w = x.shape
        blocks = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
        return blocks.max(axis=(3, 5)), {"x": x}

    def _max_pool_backward(self, dout, cache):
        x = cache["x"]
        dx = np.zeros_like(x)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                window = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                mask = window == window.max(axis=(2, 3), keepdims=True)
                dx[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = mask * dout[:, :, i, j][:, :, None, None]
        return dx

    def _softmax(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
