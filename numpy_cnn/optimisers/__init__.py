"""How a parameter moves along its gradient: one optimiser a file, each from its published formula.

An optimiser is its settings and nothing else. What it remembers goes in and comes out, for one array at a time:

    state = optimiser.start(parameter)
    parameter, state = optimiser.update(parameter, gradient, state, learning_rate)

Arrays are of any shape, gradient and state shaped as the parameter; results are of its dtype, nothing is written to.
"""

import numpy as np

from numpy_cnn.optimisers.adam import Adam
from numpy_cnn.optimisers.adamw import AdamW
from numpy_cnn.optimisers.momentum import Momentum
from numpy_cnn.optimisers.nesterov import Nesterov
from numpy_cnn.optimisers.sgd import SGD

__all__ = ["OPTIMISERS", "SGD", "Adam", "AdamW", "Momentum", "Nesterov", "check_optimiser", "updates"]

CONVENTIONS: dict = {}  # those of the papers throughout
OPTIMISERS = {"sgd": SGD, "momentum": Momentum, "nesterov": Nesterov, "adam": Adam, "adamw": AdamW}


def check_optimiser(optimizer):
    """The optimiser of a name, with the settings of its paper; an optimiser itself as it is. Raises ValueError."""
    if isinstance(optimizer, str) and optimizer in OPTIMISERS:
        return OPTIMISERS[optimizer]()
    offers = all(callable(getattr(optimizer, name, None)) for name in ("start", "update"))
    if offers and not isinstance(optimizer, type):
        return optimizer
    names = ", ".join(OPTIMISERS)
    raise ValueError(f"optimizer: found {optimizer!r}, wanted one of {names}, or an object such as Adam(beta1=0.8)")


def updates(name, settings, start, gradients, rates):
    """Parameters (S, ...) after each of S steps from `start` along given gradients (S, ...), at given rates (S,).

    `settings` are the optimiser's own arguments by name; without them it has its defaults.
    """
    optimiser, parameter, found = OPTIMISERS[name](**settings), start, []
    state = optimiser.start(parameter)
    for gradient, rate in zip(gradients, rates, strict=True):
        parameter, state = optimiser.update(parameter, gradient, state, float(rate))
        found.append(parameter)
    return np.stack(found)
