# status: import
# says: ModuleNotFoundError at import_error.py:5
# says: no_such_helpers
import numpy as np
from no_such_helpers import im2col


def conv_forward(x, w):
    return np.dot(im2col(x), w)
