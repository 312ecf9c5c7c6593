"""Gradient descent with momentum."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Momentum:
    """velocity' = momentum * velocity - rate * gradient, parameter' = parameter + velocity'.

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964, as equations 1 and 2 of Sutskever,
    Martens, Dahl & Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013, write it:
    the rate is inside the velocity, so that a change of the rate shows at once only in the newest gradient.
    """

    momentum: float = 0.9

    def start(self, parameter):
        """Velocity 0."""
        return np.zeros_like(parameter)

    def update(self, parameter, gradient, velocity, rate):
        """(new parameter, new velocity)."""
        velocity = self.momentum * velocity - rate * gradient
        return parameter + velocity, velocity
