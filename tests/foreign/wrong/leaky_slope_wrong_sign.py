# stage: activation forward
# names: none
# says: below 0 it gives -0.01 times its input, a slope of the wrong sign
import numpy as np


class LeakyReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(x, -0.01 * x)

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1, -0.01)
