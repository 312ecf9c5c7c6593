"""Start values of the parameters, and their way from one implementation or file to any other."""

import numpy as np

from numpy_cnn import load_weights, save_weights
from numpy_cnn.checks import parameter_shapes

__all__ = ["copy_parameters", "load_weights", "random_parameters", "save_weights", "start_parameters"]


def start_parameters(input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", seed=0):
    """The start of DESIGN: filters randn / 9, dense weights randn / (P*Q*F), bias 0; float64, by name.

    Every number is representable in float32, so that both dtypes start at the same point.
    """
    shapes = parameter_shapes(input_shape, filters, classes, padding)
    rng = np.random.default_rng(seed)
    conv = rng.standard_normal(shapes["conv_weight"]) / 9
    dense = rng.standard_normal(shapes["dense_weight"]) / shapes["dense_weight"][0]
    parameters = {"conv_weight": conv, "dense_weight": dense, "dense_bias": np.zeros(classes)}
    return {name: value.astype(np.float32).astype(np.float64) for name, value in parameters.items()}


def random_parameters(input_shape, filters, classes, padding, rng):
    """Asymmetric weights large enough that every one of them matters, and a bias that is not 0; float64."""
    shapes = parameter_shapes(input_shape, filters, classes, padding)
    scale = {"conv_weight": 0.5, "dense_weight": 1 / np.sqrt(shapes["dense_weight"][0]), "dense_bias": 0.5}
    return {name: rng.standard_normal(shape) * scale[name] for name, shape in shapes.items()}


def copy_parameters(source, target):
    """Copy the parameters of one implementation into another, exact to the bit.

    Raises:
        ValueError: the shapes differ, or `target` does not hold what `source` held (its dtype is narrower, say).
    """
    wanted = source.get_parameters()
    target.set_parameters(wanted)
    found = target.get_parameters()
    for name, value in wanted.items():
        if found[name].dtype != value.dtype or found[name].tobytes() != value.tobytes():
            raise ValueError(
                f"{name}: found {found[name].dtype} that differs from the {value.dtype} copied, wanted the same bits"
            )
