"""Gradient descent with Nesterov's momentum."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Nesterov:
    """Gradient descent that looks ahead along its velocity.

        velocity' = momentum * velocity - rate * gradient
        parameter' = parameter + momentum * velocity' - rate * gradient

    Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983. Equations 3 and 4
    of Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, take the
    gradient where the velocity is about to lead, at theta + momentum * velocity. Here that place is the parameter
    itself (Bengio, Boulanger-Lewandowski & Pascanu, "Advances in optimizing recurrent networks", ICASSP 2013, equation
    7), so that the gradient is taken where the parameter stands, as with any other optimiser.
    """

    momentum: float = 0.9

    def start(self, parameter):
        """Velocity 0."""
        return np.zeros_like(parameter)

    def update(self, parameter, gradient, velocity, rate):
        """(new parameter, new velocity)."""
        velocity = self.momentum * velocity - rate * gradient
        return parameter + self.momentum * velocity - rate * gradient, velocity
