# stage: pool forward
# names: mean instead of maximum
import numpy as np


def max_pool(x):
    """x: (H, W, F), one image."""
    h, w, f = x.shape
    return x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, f).mean(axis=(1, 3))
