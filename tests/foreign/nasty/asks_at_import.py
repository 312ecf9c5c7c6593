# status: right
# says: left out: line 5: epochs = int(input(
import numpy as np

epochs = int(input("How many epochs? "))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
