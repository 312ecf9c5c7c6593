"""NumPy arrays <-> PyTorch tensors: the only transposes on this side.

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
    array = to_numpy(tensor.detach())
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
    return np.array(to_numpy(tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor), order="C")


def to_numpy(tensor):
    """A tensor as an array; of bfloat16, which NumPy lacks, in float32, which holds its numbers."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def check_state_dict(state, like):
    """Raise ValueError unless `state` is a dict of tensors with the names, shapes and dtypes of those of `like`."""

    def describe(value):
        if isinstance(value, dict):
            return {name: describe(part) for name, part in value.items()}
        return f"{value.dtype} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__

    if describe(state) != describe(like):
        raise ValueError(f"state_dict: found {describe(state)}, wanted {describe(like)}")
