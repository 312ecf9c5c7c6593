"""PyTorch through `torch.compile`: the module of `torch_cnn`, its whole step and its prediction one graph each."""

import shutil

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's own documentation uses
from torch.func import functional_call, grad_and_value

from compare.contract import UnavailableError
from torch_cnn import layout
from torch_cnn.adapter import Adapter as Eager
from torch_cnn.adapter import configure as set_threads


def configure(threads):
    """Set the threads. Raises UnavailableError where there is no C++ compiler, which Inductor calls at run time."""
    if not any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        raise UnavailableError("torch.compile needs a C++ compiler (g++ or clang++), found none")
    set_threads(threads)


class Adapter(Eager):
    """`torch_cnn.adapter.Adapter` with step and prediction compiled: those are what is timed, and proven by parity.

    Gradients come from `torch.func`, since `loss.backward()` would break the graph in two.
    """

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        torch.compiler.reset()  # what earlier networks left counts against the limit of graphs for one function
        self._weights = {name: value.detach() for name, value in self.model.named_parameters()}  # the same memory
        self._compiled_step = torch.compile(self._step, dynamic=False, fullgraph=True)
        self._compiled_forward = torch.compile(self._probabilities, dynamic=False, fullgraph=True)

    def _step(self, weights, images, labels, rate):
        def loss_of(values):
            return F.cross_entropy(functional_call(self.model, values, (images,)), labels)

        gradients, loss = grad_and_value(loss_of)(weights)
        for name, gradient in gradients.items():
            weights[name].sub_(rate * gradient)
        return loss

    def _probabilities(self, images):
        return torch.softmax(self.model(images), dim=1)

    def step(self, images, labels, learning_rate):
        x, y = self._tensor(images), torch.from_numpy(labels).long()
        rate = torch.tensor(learning_rate, dtype=x.dtype)
        with torch.no_grad():
            return self._compiled_step(self._weights, x, y, rate).item()

    def predict(self, images):
        with torch.inference_mode():
            return layout.to_numpy(self._compiled_forward(self._tensor(images)))
