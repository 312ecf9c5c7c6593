# says: relu is a ReLU
import numpy as np


def relu(feature_map):
    """(H, W, F) of one image: of a batch it would leave out most."""
    out = np.zeros(feature_map.shape)
    for channel in range(feature_map.shape[-1]):
        for row in range(feature_map.shape[0]):
            for column in range(feature_map.shape[1]):
                out[row, column, channel] = np.maximum(feature_map[row, column, channel], 0)
    return out
