# says: Nonlinearity is a tanh, and its way back is given the upstream gradient (delta)
# says: relu_grad is the way back of a ReLU, is given the input (x), and gives the derivative
import numpy as np


def relu(x):
    return (x + abs(x)) / 2


def relu_grad(x):
    return (np.sign(x) + 1) / 2  # 0.5 at 0, as good as any


def sigmoid(x):
    return (np.tanh(x / 2) + 1) / 2


class Nonlinearity:
    def func(self, x):
        return np.tanh(x)

    def forward(self, x):
        self.seen = x
        return self.func(x)

    def backward(self, delta):
        return delta * (1 - self.func(self.seen) ** 2)


class Activation:
    """Of whatever kind: nothing that is known here."""

    def forward(self, x):
        return x / (1 + np.abs(x))
