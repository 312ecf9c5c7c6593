# says: max_pool is the pooling
import numpy as np


def convolution(image, kernel, stride=1, padding=0):
    """One map, one filter."""
    image = np.pad(image, padding)
    k = len(kernel)
    rows, cols = (image.shape[0] - k) // stride + 1, (image.shape[1] - k) // stride + 1
    out = np.zeros((rows, cols))
    for i in range(rows):
        for j in range(cols):
            out[i, j] = np.sum(image[i * stride : i * stride + k, j * stride : j * stride + k] * kernel)
    return out


def max_pool(image, kernel_size, stride=1):
    """Whoever calls it says that the windows do not overlap."""
    rows, cols = (image.shape[0] - kernel_size) // stride + 1, (image.shape[1] - kernel_size) // stride + 1
    out = np.zeros((rows, cols))
    for i in range(rows):
        for j in range(cols):
            y, x = i * stride, j * stride
            out[i, j] = np.amax(image[y : y + kernel_size, x : x + kernel_size])
    return out
