"""Keras's own optimisers under the names and settings that all here share, along given gradients."""

import keras
import numpy as np
from keras import ops

from keras_cnn.adapter import in_dtype

# how they differ from the papers: https://keras.io/api/optimizers/adam/
CONVENTIONS = {"epsilon": "uncorrected"}


def made(name, momentum=0.9, **settings):
    """The optimiser "sgd", "momentum", "nesterov", "adam" or "adamw", at any rate.

    Adam and AdamW take beta1, beta2 and epsilon together, AdamW weight_decay; else Keras's defaults hold.
    """
    if name == "sgd":
        return keras.optimizers.SGD()
    if name in ("momentum", "nesterov"):
        return keras.optimizers.SGD(momentum=momentum, nesterov=name == "nesterov")
    native = {}
    if settings:
        native = {"beta_1": settings.pop("beta1"), "beta_2": settings.pop("beta2"), **settings}
    return (keras.optimizers.AdamW if name == "adamw" else keras.optimizers.Adam)(**native)


def updates(name, settings, start, gradients, rates):
    """Parameters (S, ...) after each of S steps from `start` along given gradients (S, ...), at given rates (S,)."""
    with in_dtype(start.dtype.name):
        parameter = keras.Variable(start)
        optimiser, found = made(name, **settings), []
        optimiser.build([parameter])
        for gradient, rate in zip(gradients, rates, strict=True):
            optimiser.learning_rate.assign(float(rate))
            optimiser.apply([ops.convert_to_tensor(gradient)], [parameter])
            found.append(np.array(ops.convert_to_numpy(parameter.value)))
    return np.stack(found)
