"""Parameters by name <-> Keras's weights, and what is accepted on the way in.

TensorFlow's layout is ours: conv kernel (3, 3, C, F), dense kernel (P*Q*F, K) with rows in (P, Q, F) order, so nothing
is transposed; only names and order are given here.
"""

import hashlib

import h5py
import numpy as np

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


def to_labels(labels, count, classes):
    """(count,) whole numbers 0 .. classes-1 -> int64 array. Raises ValueError for anything else."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: found {labels.dtype} {labels.shape}, wanted whole numbers ({count},)")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: found {labels.min()} .. {labels.max()}, wanted 0 .. {classes - 1}")
    return labels.astype(np.int64)


def check_floats(name, array, shape):
    """Raise ValueError unless the array is of floats and of the shape, where a leading "N" is any number above 0."""
    array = np.asarray(array)
    fits = array.ndim == len(shape) and all(
        found == wanted or (wanted == "N" and found > 0) for found, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype.kind != "f":
        wanted = "a scalar" if shape == () else f"shape ({', '.join(map(str, shape))})"
        least = ", N >= 1" if "N" in shape else ""
        raise ValueError(f"{name}: found {array.dtype} of shape {array.shape}, wanted floats, {wanted}{least}")


def check_parameters(parameters, shapes):
    """Raise ValueError unless there are just the names of `shapes`, each a finite float array of its shape."""
    if set(parameters) != set(shapes):
        raise ValueError(f"parameters: found {sorted(parameters)}, wanted {sorted(shapes)}")
    for name, wanted in shapes.items():
        value = np.asarray(parameters[name])
        if value.shape != wanted:
            raise ValueError(f"{name}: found shape {value.shape}, wanted {wanted}")
        if value.dtype not in (np.float32, np.float64):
            raise ValueError(f"{name}: found dtype {value.dtype}, wanted float32 or float64")
        if not np.isfinite(value).all():
            raise ValueError(f"{name}: found NaN or infinity, wanted finite numbers")


def float_dtype(dtype):
    """np.dtype of float32 or float64. Raises ValueError for any other."""
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype: found {dtype!r}, wanted float32 or float64") from error
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype: found {found}, wanted float32 or float64")
    return found
