"""NumPy arrays <-> PyTorch tensors, and what is accepted on the way in: the only transposes on this side.

| here | PyTorch |
|---|---|
| images, activations (N, H, W, C) | (N, C, H, W) |
| conv_weight (3, 3, C, F) | conv.weight (F, C, 3, 3) |
| dense_weight (P*Q*F, K), rows in (P, Q, F) order | dense.weight (K, F*P*Q), columns in (F, P, Q) order |
| dense_bias (K,) | dense.bias (K,) |

Numbers are only moved, so all of it is exact to the bit both ways, for parameters and for their gradients.
"""

import numpy as np
import torch

NAMES = {"conv_weight": "conv.weight", "dense_weight": "dense.weight", "dense_bias": "dense.bias"}


def to_state_dict(parameters, pooled):
    """Parameters by name, (P, Q) -> what `CNN.load_state_dict` takes; tensors are copies."""
    conv, dense, bias = (np.asarray(parameters[name]) for name in NAMES)
    p, q = pooled
    filters, classes = conv.shape[3], bias.shape[0]
    dense = dense.reshape(p, q, filters, classes).transpose(3, 2, 0, 1).reshape(classes, -1)
    arrays = (conv.transpose(3, 2, 0, 1), dense, bias)
    return {native: torch.from_numpy(np.array(a, order="C")) for native, a in zip(NAMES.values(), arrays, strict=True)}


def from_state_dict(state_dict, pooled):
    """The way back: a state_dict, (P, Q) -> parameters by name; contiguous copies."""
    return {name: parameter_to_array(name, state_dict[native], pooled) for name, native in NAMES.items()}


def parameter_to_array(name, tensor, pooled):
    """One parameter, or its gradient: tensor in PyTorch's layout -> array in ours, a contiguous copy."""
    array = tensor.detach().numpy()
    if name == "conv_weight":
        array = array.transpose(2, 3, 1, 0)
    elif name == "dense_weight":
        classes = array.shape[0]
        array = array.reshape(classes, -1, *pooled).transpose(2, 3, 1, 0).reshape(-1, classes)
    return np.array(array, order="C")


def to_tensor(array, dtype):
    """Images or activations: (N, H, W, C) array -> (N, C, H, W) tensor; fewer axes stay in their order.

    The tensor looks at the array's own memory where that is safe, so it must not be written to. Its channels lie
    last in memory, which PyTorch's convolution likes as it is.
    """
    array = np.require(array, dtype, ("C", "W", "A"))
    if min(array.strides, default=0) < 0:
        array = array.copy()  # an axis of length 1 may run backwards in a contiguous array; PyTorch refuses it
    tensor = torch.from_numpy(array)
    return tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor


def to_array(tensor):
    """The way back: (N, C, H, W) tensor -> (N, H, W, C) array, a contiguous copy."""
    tensor = tensor.detach()
    return np.array((tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor).numpy(), order="C")


def to_labels(labels, count, classes):
    """(count,) whole numbers 0 .. classes-1 -> int64 tensor, a copy. Raises ValueError for anything else."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: found {labels.dtype} {labels.shape}, wanted whole numbers ({count},)")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: found {labels.min()} .. {labels.max()}, wanted 0 .. {classes - 1}")
    return torch.from_numpy(labels.astype(np.int64))


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


def check_state_dict(state, like):
    """Raise ValueError unless `state` is a dict of tensors with the names, shapes and dtypes of those of `like`."""

    def describe(value):
        if isinstance(value, dict):
            return {name: describe(part) for name, part in value.items()}
        return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__

    if describe(state) != describe(like):
        raise ValueError(f"state_dict: found {describe(state)}, wanted {describe(like)}")


def float_dtype(dtype):
    """np.dtype of float32 or float64. Raises ValueError for any other."""
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype: found {dtype!r}, wanted float32 or float64") from error
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype: found {found}, wanted float32 or float64")
    return found
