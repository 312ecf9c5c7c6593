# says: MaxPool is the pooling
# never: relu_activation
import numpy as np


class MaxPool:
    def forward(self, x):
        n, h, w, c = x.shape
        return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def relu_activation(train_x, train_y, test_x, test_y):
    """Trains with it, and is none."""
    return np.maximum(train_x, 0), train_y, test_x, test_y
