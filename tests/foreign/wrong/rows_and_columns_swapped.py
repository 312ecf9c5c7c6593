# stage: pool backward
# names: none
# says: DIFFERS only where H != W
import numpy as np


def maxpool_forward(X):
    n, c, h, w = X.shape
    windows = X[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4)
    windows = windows.reshape(n, c, h // 2, w // 2, 4)
    return windows.max(axis=-1), (X, windows.argmax(axis=-1))


def maxpool_backward(dout, cache):
    X, index = cache
    n, c, w, h = X.shape  # in the other order than above
    routed = (index[..., None] == np.arange(4)) * dout[..., None]
    routed = routed.reshape(n, c, h // 2, w // 2, 2, 2).swapaxes(3, 4)
    dX = np.zeros((n, c, h, w))
    dX[:, :, : h // 2 * 2, : w // 2 * 2] = routed.reshape(n, c, h // 2 * 2, w // 2 * 2)
    return dX.reshape(X.shape)
