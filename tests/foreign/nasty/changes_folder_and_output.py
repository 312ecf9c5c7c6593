# status: right
import os
import sys
import tempfile

import numpy as np

os.chdir(tempfile.gettempdir())
sys.stdout = open(os.devnull, "w")
sys.argv = ["train.py", "--epochs", "3"]
sys.setrecursionlimit(500)
os.environ.clear()


def softmax(z):
    return np.exp(z - z.max(axis=1, keepdims=True)) / np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
