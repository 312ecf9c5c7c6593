# status: unconnected
# says: no_such_helpers is wanted: No module named 'no_such_helpers'
# never: RAISED
import numpy as np
from no_such_helpers import im2col


def conv_forward(x, w):
    return np.dot(im2col(x), w)
