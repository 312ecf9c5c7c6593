# stage: activation backward
# names: none
# says: ReLU changes the array that it is given in place
import numpy as np


class ReLU:
    def forward(self, x):
        x[x < 0] = 0
        self.x = x
        return x

    def backward(self, dout):
        dout[self.x < 0] = 0
        return dout
