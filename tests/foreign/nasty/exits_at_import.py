# status: right
# says: as a whole it fails: SystemExit at exits_at_import.py:8
import sys

import numpy as np

if len(sys.argv) < 3:
    sys.exit("usage: cnn.py IMAGES LABELS")


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
