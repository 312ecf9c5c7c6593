"""What Keras leaves to its backend, on PyTorch: threads and gradients."""

import keras
import torch

LACKS: dict[str, str] = {}  # why it does not compute in a dtype, by its name
_ONE = torch.ones(1, 1, dtype=torch.float64)
if keras.ops.matmul(_ONE, _ONE).dtype != torch.float64:
    issue = "https://github.com/keras-team/keras/issues/23704"
    LACKS["float64"] = (
        f"no float64: Keras {keras.__version__} on PyTorch multiplies matrices of float64 in float32, {issue}"
    )


def configure(threads):
    """Set the threads within and between operations, before anything runs. Raises RuntimeError once it is too late."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def gradients(function, given, upstream):
    """Of sum(upstream * function(given)), with respect to each tensor of the dict `given`."""
    leaves = {name: value.detach().requires_grad_() for name, value in given.items()}
    found = torch.autograd.grad(function(leaves), list(leaves.values()), upstream)
    return dict(zip(given, found, strict=True))
