"""Plain gradient descent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SGD:
    """parameter - rate * gradient (Robbins & Monro, "A stochastic approximation method", 1951)."""

    def start(self, parameter):
        """Nothing is remembered."""

    def update(self, parameter, gradient, state, rate):
        """(new parameter, None)."""
        return parameter - rate * gradient, None
