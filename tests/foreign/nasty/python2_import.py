# status: right
# says: what uses it is not judged: No module named 'cPickle' (because: Python 2: the module cPickle is gone)
import cPickle
import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
