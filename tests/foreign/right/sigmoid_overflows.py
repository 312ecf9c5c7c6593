# says: it is not finite at 1000 or -1000
import numpy as np


def sigmoid(z):
    return np.exp(z) / (1 + np.exp(z))
