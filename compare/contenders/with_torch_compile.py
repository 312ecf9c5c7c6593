"""PyTorch through `torch.compile`: the same module and step as `torch_cnn`, compiled by Inductor."""

import shutil

import torch

from compare.contract import UnavailableError
from torch_cnn.adapter import Adapter as Eager
from torch_cnn.adapter import configure as set_threads
from torch_cnn.model import train_step


def configure(threads):
    """Set the threads. Raises UnavailableError where there is no C++ compiler, which Inductor calls at run time."""
    if not any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        raise UnavailableError("torch.compile needs a C++ compiler (g++ or clang++), found none")
    set_threads(threads)


class Adapter(Eager):
    """`torch_cnn.adapter.Adapter` with step and prediction compiled: those are what is timed, and proven by parity."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self._compiled_step = torch.compile(train_step, dynamic=False)
        self._compiled_forward = torch.compile(lambda images: torch.softmax(self.model(images), dim=1), dynamic=False)

    def step(self, images, labels, learning_rate):
        x, y = self._batch(images, labels)
        self.optimizer.param_groups[0]["lr"] = float(learning_rate)
        return self._compiled_step(self.model, self.optimizer, x, y).item()

    def predict(self, images):
        with torch.inference_mode():
            return self._compiled_forward(self._images(images)).numpy()
