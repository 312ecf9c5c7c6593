"""What stands for an object that a layer wants to be handed: it does the least that such a thing can do.

It runs in the process of the code, beside `caller`, and is asked for by its kind.
"""

import numpy as np


class PlainSteps:
    """An optimiser: the parameter less the rate times its gradient."""

    def __init__(self):
        self.learning_rate = 1.0

    def update(self, parameter, gradient, *_):
        """The parameter after the step, in an array of its own."""
        return parameter - self.learning_rate * gradient

    step = apply = __call__ = update


class Identity:
    """An activation that changes nothing, whether it is called itself or by a method."""

    def __call__(self, *x, **_):
        """What it is given; itself where a layer makes one of what it was handed."""
        return x[0] if x else self

    forward = feedforward = forward_pass = activate = apply = compute = function = __call__

    def derivative(self, x, *_):
        """1 everywhere."""
        return np.ones_like(x)

    gradient = prime = deriv = grad = backward_derivative = derivative

    def backward(self, dy, *_):
        """The upstream gradient, as it came."""
        return dy

    backprop = backward_pass = back = backward


KINDS = {"optimiser": PlainSteps, "activation": Identity}
