# stage: activation backward
# names: none
# says: it has the output of forward in place of the derivative
import numpy as np


def relu(x):
    return np.maximum(x, 0)


def relu_backward(dout, x):
    return dout * relu(x)
