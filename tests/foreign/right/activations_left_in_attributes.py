# says: ReLU changes the array that it is given in place
# says: Sigmoid is within 1e-06 of its definition, not within rounding
import numpy as np


class ReLU:
    """In place, both ways; single precision."""

    def forward(self, inputs, training):
        self.off = inputs <= 0
        inputs[self.off] = 0
        self.output = inputs

    def backward(self, dvalues):
        dvalues[self.off] = 0
        self.dinputs = dvalues


class Sigmoid:
    """An epsilon that nothing needs, and an argument that is clipped first."""

    def forward(self, inputs, training):
        self.output = 1 / (1 + np.exp(-np.clip(inputs, -20, 20)) + 1e-8)

    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output) * self.output


class Tanh:
    def forward(self, inputs, training):
        self.output = np.tanh(inputs.astype(np.float32))

    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output**2)
