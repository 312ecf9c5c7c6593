import numpy as np


class Conv:
    @staticmethod
    def forward(x, w):
        view = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        return np.einsum("nhwcij,ijcf->nhwf", view, w)


class MaxPool:
    @staticmethod
    def forward(x):
        n, h, w, f = x.shape
        return x[:, :h // 2 * 2, :w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, f).max(axis=(2, 4))
