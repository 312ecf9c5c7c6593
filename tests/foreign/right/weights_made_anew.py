# says: Conv2d is the convolution
# says: a batch at a time
import numpy as np


class Conv2d:
    """The first way forward makes its weights anew; calc_gradient adds up until backward, which is the update."""

    def __init__(self, in_channels, out_channels, kernel_size):
        self.shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = np.random.randn(*self.shape)
        self.weight_gradient, self.ready = 0, False

    def forward(self, x):
        if not self.ready:
            self.weight, self.ready = np.random.standard_normal(self.shape) / 10, True
        self.view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("bcyxij,fcij->bfyx", self.view, self.weight)

    def calc_gradient(self, error):
        self.weight_gradient += np.einsum("bcyxij,bfyx->fcij", self.view, error)
        _, _, h, w = error.shape
        back = np.zeros((len(error), self.shape[1], h + 2, w + 2))
        for i in range(3):
            for j in range(3):
                back[:, :, i : i + h, j : j + w] += np.einsum("bfyx,fc->bcyx", error, self.weight[:, :, i, j])
        return back

    def backward(self, lr=0.01, weight_decay=0.0004):
        self.weight -= lr * (self.weight_gradient + weight_decay * self.weight)
        self.weight_gradient = 0


class Min_Pool:
    def forward(self, x):
        n, c, h, w = x.shape
        return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).min(axis=(3, 5))


class Max_Pool:
    """Stands after another of its kind, which is not what is looked for."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
