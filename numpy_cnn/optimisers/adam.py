"""Adam: each number at its own rate."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Adam:
    """Algorithm 1 of Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.

        m' = beta1 * m + (1 - beta1) * gradient
        v' = beta2 * v + (1 - beta2) * gradient^2
        parameter' = parameter - rate * (m' / (1 - beta1^t)) / (sqrt(v' / (1 - beta2^t)) + epsilon)

    t counts the updates from 1. Epsilon comes after the root, and the root after the correction.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, parameter):
        """(t, m, v), all 0."""
        return 0, np.zeros_like(parameter), np.zeros_like(parameter)

    def update(self, parameter, gradient, state, rate):
        """(new parameter, new state)."""
        t, m, v = state
        t = t + 1
        m = self.beta1 * m + (1 - self.beta1) * gradient
        v = self.beta2 * v + (1 - self.beta2) * gradient**2
        corrected_m, corrected_v = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        return parameter - rate * corrected_m / (np.sqrt(corrected_v) + self.epsilon), (t, m, v)
