# stage: activation backward
# names: none
# says: 1 - t**2 is of the input, not of the output
import numpy as np


class Tanh:
    def forward(self, x):
        self.x = x
        return np.tanh(x)

    def backward(self, dout):
        return dout * (1 - self.x**2)
