# status: right
"""Its own module-level names hide what others rely on."""
import builtins

import numpy
import numpy as np

float = np.float32
sum = max = None
numpy.random.seed = None


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


builtins.print = lambda *args, **kwargs: None
