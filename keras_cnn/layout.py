"""Parameters by name <-> Keras's weights, and what a file of weights must hold.

TensorFlow's layout is ours: conv kernel (3, 3, C, F), dense kernel (P*Q*F, K) with rows in (P, Q, F) order, so nothing
is transposed; only names and order are given here.
"""

import hashlib

import h5py
import numpy as np

from keras_cnn.checks import check_parameters

# in the order of Model.get_weights, with the place in a .weights.h5 file
NAMES = {
    "conv_weight": "layers/conv2d/vars/0",
    "dense_weight": "layers/dense/vars/0",
    "dense_bias": "layers/dense/vars/1",
}


def to_weights(parameters, dtype):
    """Parameters by name -> the list that `Model.set_weights` takes."""
    return [np.asarray(parameters[name], dtype) for name in NAMES]


def from_weights(weights):
    """What `Model.get_weights` gives -> parameters by name; contiguous copies."""
    return {name: np.array(value, order="C") for name, value in zip(NAMES, weights, strict=True)}


def variables(model):
    """The model's own trainable variables, by our names."""
    return dict(zip(NAMES, model.trainable_variables, strict=True))


def seal(path, parameters):
    """Add a checksum of the parameters to a .weights.h5 file; Keras reads the file as before."""
    with h5py.File(path, "r+") as file:
        file.attrs["sha256"] = _checksum(parameters)


def check_file(path, shapes, dtype):
    """Raise ValueError or OSError unless the .weights.h5 file holds just such parameters, all of them finite."""
    with h5py.File(path, "r") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        found = {name: item for name, item in found.items() if name.startswith("layers/")}
        described = {name: f"{item.dtype} {item.shape}" for name, item in found.items()}
        wanted = {NAMES[name]: f"{dtype} {shape}" for name, shape in shapes.items()}
        if described != wanted:
            raise ValueError(f"found {described}, wanted {wanted}")
        parameters = {name: found[place][()] for name, place in NAMES.items()}
        check_parameters(parameters, shapes)
        if file.attrs.get("sha256", _checksum(parameters)) != _checksum(parameters):
            raise ValueError("the numbers do not fit the checksum stored beside them")


def _checksum(parameters):
    return hashlib.sha256(b"".join(parameters[name].tobytes() for name in NAMES)).hexdigest()
