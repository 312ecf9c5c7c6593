"""What the tests call in a process with PyTorch or Keras in it, and problems for both."""

import importlib
import importlib.util
import inspect
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from numpy_cnn import CNN

SUFFIX = {"torch": ".pt", "keras": ".weights.h5"}
SINGLE = ("keras-torch",)  # no float64: see keras_cnn/on_torch.py
CASES = {
    "digits": {"input_shape": (28, 28, 1)},
    "odd, colours": {"input_shape": (9, 7, 3), "filters": 5, "classes": 4},
    "same": {"input_shape": (5, 8, 2), "filters": 3, "classes": 6, "padding": "same"},
    "same, odd": {"input_shape": (7, 9, 3), "filters": 2, "classes": 3, "padding": "same"},
    "smallest": {"input_shape": (4, 4, 1), "filters": 1, "classes": 2},
    "one class": {"input_shape": (3, 3, 1), "filters": 1, "classes": 1, "padding": "same"},
}
SMALL = CASES["odd, colours"]


class Child:
    """A process with one framework in it, always the same one.

    Called with a function and its arguments it gives the function's result there; a function of this file is told the
    name of the framework first.
    """

    def __init__(self, pool, framework):
        self.pool, self.framework, self.suffix = pool, framework, SUFFIX[framework.partition("-")[0]]

    def offered(self, dtype="float64"):
        """The dtype, or the widest that the framework computes in."""
        return "float32" if self.framework in SINGLE and dtype == "float64" else dtype

    def __call__(self, function, *arguments):
        told = (self.framework,) if function.__module__ == __name__ else ()
        return self.pool.submit(function, *told, *arguments).result(timeout=300)


@contextmanager
def child(framework, package, **pool):
    """A Child while the context lasts; the test is skipped where the package is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), **pool) as made:
        yield Child(made, framework)


def problem(case, n=4, seed=0):
    """A float64 reference with random parameters, and a batch."""
    rng = np.random.default_rng(seed)
    reference = CNN(**case, dtype="float64", way="layers")
    parameters = {name: rng.standard_normal(shape) / 2 for name, shape in reference.shapes.items()}
    reference.set_parameters(parameters)
    images = rng.standard_normal((n, *reference.input_shape))
    return reference, parameters, images, rng.integers(0, reference.classes, n)


# what runs in the other process


def adapter_of(framework):
    """The class Adapter of `torch_cnn` or `keras_cnn`; "keras-jax" is Keras on JAX."""
    room, _, backend = framework.partition("-")
    if room == "keras":
        os.environ["KERAS_BACKEND"] = backend or "tensorflow"  # Keras looks once, when it is imported
    return importlib.import_module(f"{room}_cnn.adapter").Adapter


def run(framework, arguments, *calls):
    """An Adapter, and the results of calls upon it, each (name, *arguments)."""
    adapter = adapter_of(framework)(**arguments)
    return [getattr(adapter, name)(*rest) for name, *rest in calls]


def public_methods(framework):
    """Names of the adapter's public methods, and of what each takes."""
    members = inspect.getmembers(adapter_of(framework), callable_by_name)
    return {name: list(inspect.signature(function).parameters) for name, function in members}


def callable_by_name(member):
    return inspect.isfunction(member) and (member.__name__ == "__init__" or not member.__name__.startswith("_"))


def awkward(framework, arguments, images, labels, upstream):
    """Results for plain arrays and for the same numbers laid out otherwise; whether all were left as they were."""

    def layouts(array):
        array.flags.writeable = False
        wide = np.repeat(array, 2, axis=-1)[..., ::2]
        backwards = [array[::-1].copy()[::-1], array[..., ::-1].copy()[..., ::-1]]
        return [array, np.asfortranarray(array), wide, *backwards, array.astype(array.dtype.newbyteorder())]

    results, kept = [], []
    for x, y, d in zip(layouts(images), layouts(labels), layouts(upstream), strict=True):
        before = x.tobytes(), y.tobytes(), d.tobytes()
        adapter = adapter_of(framework)(**arguments)
        result = adapter.gradients(x, y) | {"d_" + k: v for k, v in adapter.backward_stage("conv", x, d).items()}
        result |= {"p": adapter.predict(x), "loss of step": adapter.step(x, y, 0.5)} | adapter.activations(x, y)
        results.append(result)
        kept.append(before == (x.tobytes(), y.tobytes(), d.tobytes()))
    return results, kept


def independent(framework, arguments, parameters, images, labels):
    """Parameters before and after all that was handed out or in is overwritten by the caller."""
    adapter = adapter_of(framework)(**arguments)
    adapter.set_parameters(parameters)
    first = adapter.get_parameters()
    out = (adapter.get_parameters(), adapter.activations(images, labels), adapter.gradients(images, labels), parameters)
    for array in (adapter.predict(images), *(value for arrays in out for value in arrays.values())):
        array[...] = 7
    return first, adapter.get_parameters()
