# stage: activation backward
# names: none
# says: the upstream gradient is left out
import numpy as np


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, grad_output, lr):
        return (self.x > 0).astype(float)
