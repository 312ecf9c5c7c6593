"""What Keras leaves to its backend, on PyTorch: threads and gradients."""

import torch


def configure(threads):
    """Set the threads within and between operations, before anything runs. Raises RuntimeError once it is too late."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def gradients(function, given, upstream):
    """Of sum(upstream * function(given)), with respect to each tensor of the dict `given`."""
    leaves = {name: value.detach().requires_grad_() for name, value in given.items()}
    found = torch.autograd.grad(function(leaves), list(leaves.values()), upstream)
    return dict(zip(given, found, strict=True))
