# stage: pool forward
# names: none
import numpy as np


def maxpool_forward(x):
    """(N, H, W, C); where H or W is odd, the windows begin at the second row or column."""
    n, h, w, c = x.shape
    x = x[:, h % 2:, w % 2:]
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
