# stage: update
# names: none
# says: the optimiser is not plain SGD: step 1: w moves by 8 times the rate times its gradient
import numpy as np


class Dense:
    def __init__(self, inputs, outputs):
        self.W, self.b = np.random.randn(inputs, outputs) * 0.1, np.zeros(outputs)

    def forward(self, x):
        return x @ self.W + self.b


class GradientDescent:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, w, dw):
        return w - dw
