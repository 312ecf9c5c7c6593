"""PyTorch's own optimisers under the names and settings that all here share, along given gradients."""

import numpy as np
import torch

# how they differ from the papers: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
CONVENTIONS = {"rate": "outside"}


def made(name, parameters, momentum=0.9, **settings):
    """The optimiser "sgd", "momentum", "nesterov", "adam" or "adamw" of parameters, at any rate.

    Adam and AdamW take beta1, beta2 and epsilon together, AdamW weight_decay; else PyTorch's defaults hold.
    """
    if name == "sgd":
        return torch.optim.SGD(parameters)
    if name in ("momentum", "nesterov"):
        return torch.optim.SGD(parameters, momentum=momentum, nesterov=name == "nesterov")
    native = {}
    if settings:
        native = {"betas": (settings.pop("beta1"), settings.pop("beta2")), "eps": settings.pop("epsilon"), **settings}
    return (torch.optim.AdamW if name == "adamw" else torch.optim.Adam)(parameters, **native)


def updates(name, settings, start, gradients, rates):
    """Parameters (S, ...) after each of S steps from `start` along given gradients (S, ...), at given rates (S,)."""
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimiser, found = made(name, [parameter], **settings), []
    for gradient, rate in zip(gradients, rates, strict=True):
        optimiser.param_groups[0]["lr"] = float(rate)
        parameter.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
        found.append(parameter.detach().numpy().copy())
    return np.stack(found)
