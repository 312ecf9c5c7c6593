"""PyTorch: an `nn.Module` of one convolution, one pooling and one dense layer, made a subject. See `framework`."""

import copy
import os

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch.overrides import TorchFunctionMode

from compare.checking.calling.orders import DENSE, IMAGES, KERNEL, Order
from compare.checking.frameworks import framework
from compare.contract import NotOfferedError

MAXIMA = (F.max_pool2d, F.max_pool2d_with_indices, F.adaptive_max_pool2d, torch.max_pool2d)
MEANS = (F.avg_pool2d, F.adaptive_avg_pool2d)
POOLS = (torch.nn.MaxPool2d, torch.nn.AvgPool2d, torch.nn.AdaptiveMaxPool2d, torch.nn.AdaptiveAvgPool2d)
MODES = (torch.nn.modules.dropout._DropoutNd, torch.nn.modules.batchnorm._NormBase)


def subject(candidate):
    """A subject class of an nn.Module subclass, a function that gives a module, or a module.

    Raises:
        NotOfferedError: it cannot be made, or holds another network; the message says what was found.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if isinstance(candidate, torch.nn.Module):
        makers = [lambda sizes, dtype: copy.deepcopy(candidate)]
    else:
        makers = framework.makers_of(candidate, torch.nn.Module)
    return framework.subject(makers, _Net)


class _Net:
    """A `framework.Net`."""

    outward = Order(IMAGES, ("N", "C", "H", "W"))
    kernel = Order(KERNEL, ("F", "C", "I", "J"))
    one_image = False
    denses = (Order(DENSE, ("K", "FPQ")), Order(DENSE, ("K", "PQF")))

    def __init__(self, module, dtype):
        if not isinstance(module, torch.nn.Module):
            raise NotOfferedError(f"found {type(module).__name__}, wanted a torch.nn.Module")
        self.name, self.averages = type(module).__name__, False
        self.module = module.to("cpu", getattr(torch, dtype))
        self.conv, self.dense = self._layers()
        self.given, self.seen = {}, {}
        self.conv.register_forward_pre_hook(lambda _, inputs: (self.tap("conv_in", inputs[0]),))
        self.conv.register_forward_hook(lambda _, inputs, output: self.tap("conv", output))
        self.dense.register_forward_pre_hook(lambda _, inputs: (self.tap("dense_in", inputs[0]),))
        self.dense.register_forward_hook(lambda _, inputs, output: self.tap("dense", output))
        self.remarks = self._remarks()

    def _layers(self):
        modules = list(self.module.modules())
        convs, denses = (
            [each for each in modules if isinstance(each, kind)] for kind in (torch.nn.Conv2d, torch.nn.Linear)
        )
        pools = [each for each in modules if isinstance(each, POOLS)]
        if len(convs) != 1 or len(denses) != 1 or len(pools) > 1 or convs[0].kernel_size != (3, 3):
            raise framework.found_instead(self.name, *([str(each) for each in kind] for kind in (convs, pools, denses)))
        return convs[0], denses[0]

    def _remarks(self):
        found = []
        if self.conv.bias is not None:
            found.append("conv has a bias, bias, (F,): held at 0, its gradient is not checked")
        own = {id(each) for layer in (self.conv, self.dense) for each in layer.parameters()}
        others = [name for name, each in self.module.named_parameters() if id(each) not in own]
        if others:
            found.append(f"other parameters are left as they are made: {', '.join(others)}")
        if any(isinstance(each, MODES) for each in self.module.modules()):
            mode = "training" if self.module.training else "evaluation"
            found.append(f"the module is left in the mode in which it is made, {mode}: eval() is not called")
        return found

    def tap(self, name, tensor):
        """Take down what passes and hand it on, or what is given in its place."""
        if name in self.seen:
            raise NotOfferedError(f"{self.name} runs the same layer twice in one pass ({name})")
        self.seen[name] = tensor = self.given.get(name, tensor)
        return tensor.clone()  # what comes next may write into it

    def get(self):
        parameters = {"conv_weight": self.conv.weight, "dense_weight": self.dense.weight, "dense_bias": self.dense.bias}
        return {name: _array(value).copy() for name, value in parameters.items() if value is not None}

    def put(self, values):
        places = {"conv_weight": self.conv.weight, "dense_weight": self.dense.weight, "dense_bias": self.dense.bias}
        with torch.no_grad():
            for name, value in values.items():
                if places[name] is not None:
                    places[name].copy_(torch.from_numpy(value))
            if self.conv.bias is not None:
                self.conv.bias.zero_()

    def run(self, given, loss=None):
        with torch.no_grad():
            seen = self._pass({name: torch.from_numpy(value) for name, value in given.items()})
            if loss:
                seen["loss"] = _loss(seen, *loss)
        return {name: _array(value) for name, value in seen.items()}

    def grad(self, given, target, upstream, sources):
        leaves = {name: torch.from_numpy(value).requires_grad_() for name, value in given.items()}
        seen = self._pass(leaves)
        output = _loss(seen, *upstream) if target == "loss" else seen[target]
        seeds = None if target == "loss" else torch.from_numpy(upstream)
        parameters = {"conv_weight": self.conv.weight, "dense_weight": self.dense.weight, "dense_bias": self.dense.bias}
        known = {**seen, **parameters}
        reached = [name for name in sources if known[name].requires_grad] if output.requires_grad else []
        found: dict = dict.fromkeys(sources)
        if reached:
            tensors = [known[name] for name in reached]
            grads = torch.autograd.grad(output, tensors, seeds, allow_unused=True)
            found |= {
                name: None if value is None else _array(value) for name, value in zip(reached, grads, strict=True)
            }
        return found

    def _pass(self, given):
        self.given, self.seen = given, {"images": given["images"]}
        with _Pooling(self):
            out = self.module(given["images"])
        if not isinstance(out, torch.Tensor):
            raise NotOfferedError(f"{self.name} gives {type(out).__name__}, wanted one tensor of logits")
        missing = [name for name in ("conv", "dense") if name not in self.seen]
        if missing:
            raise NotOfferedError(f"{self.name} does not run its layer for {', '.join(missing)}")
        return {**self.seen, "out": out}


class _Pooling(TorchFunctionMode):
    """While it is entered, what pooling functions give is tapped, by whom ever they are called."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def __torch_function__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        if function in MAXIMA + MEANS:
            self.net.averages = function in MEANS
            if isinstance(value, tuple):
                return (self.net.tap("pool", value[0]), *value[1:])
            return self.net.tap("pool", value)
        return value


def _loss(seen, tap, kind, labels):
    """The mean cross-entropy of what is seen at a tap."""
    out = seen[tap]
    labels = torch.from_numpy(np.array(labels, np.int64))
    if kind == "logits":
        return F.cross_entropy(out, labels)
    true = out[torch.arange(len(labels)), labels]  # before the logarithm, whose gradient has no end where others are 0
    return -(true if kind == "log-probabilities" else torch.log(true)).mean()


def _array(tensor):
    return tensor.detach().numpy()
