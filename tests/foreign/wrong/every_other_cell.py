# stage: pool forward
# names: only every second output is filled
import numpy as np


def max_pool_one(x, pool_size, stride=2):
    """The loop goes by the stride, and the result is written where the window is."""
    height, width = (len(x) - pool_size) // stride + 1, (x.shape[1] - pool_size) // stride + 1
    result = np.zeros((height, width))
    for i in range(0, height, stride):
        for j in range(0, width, stride):
            result[i, j] = x[i : i + pool_size, j : j + pool_size].max()
    return result


def max_pool(x, pool_size, stride=2):
    return np.stack([max_pool_one(each, pool_size, stride) for each in x])
