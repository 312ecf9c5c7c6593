# status: import
# says: ModuleNotFoundError at python2_import.py:4
# says: Python 2: the module cPickle is gone
import cPickle
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
