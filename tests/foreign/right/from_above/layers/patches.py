import numpy as np


def patches(image):
    return np.lib.stride_tricks.sliding_window_view(image, (3, 3))
