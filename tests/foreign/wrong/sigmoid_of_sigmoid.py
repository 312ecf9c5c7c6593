# stage: activation backward
# names: none
# says: the sigmoid is taken once more, of what has been through it
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Sigmoid:
    def forward(self, x):
        self.out = sigmoid(x)
        return self.out

    def backward(self, dout):
        return dout * sigmoid(self.out) * (1 - sigmoid(self.out))
