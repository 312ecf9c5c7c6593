# stage: activation backward
# names: none
# says: below 0 it gives the slope, not the gradient times the slope
import numpy as np


class LeakyReLU:
    def forward(self, x):
        self.low = x <= 0
        return np.where(self.low, 0.1 * x, x)

    def backward(self, dout):
        dout[self.low] = 0.1
        return dout
