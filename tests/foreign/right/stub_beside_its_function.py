# says: convolve is the convolution
# never: RAISED
import numpy as np


def convolve3d(image, kernel):
    """Left for later."""


def convolve(image, kernel):
    """The cross-correlation of an image (H, W) with kernels (3, 3, F): (H - 2, W - 2, F)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    return np.einsum("hwij,ijf->hwf", windows, kernel)
