"""Models of a framework in somebody's code: which there are, and the subject that can be made of one.

No framework is imported here but by a model that needs it: one is looked for only where the code has imported it.
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

from compare.contract import ENTRIES, NotOfferedError, UnavailableError

# By the module that is missing, whose entry says what installs it.
NEEDED = {"torch": "torch", "tensorflow": "keras-tensorflow", "keras": "keras-tensorflow"}
NEEDED |= {"onnx": "onnxruntime", "onnxruntime": "onnxruntime"}
BASES = {"torch": ("torch.nn", "Module"), "keras": ("keras", "Model")}
MAKERS = re.compile(r"^(build|make|create|define|get)_(\w+_)?(model|net|network|cnn)$", re.I)
LIBRARIES = re.compile(r"[/\\](site|dist)-packages[/\\](torch\w*|tensorflow|keras|onnx|onnxruntime|absl)[/\\]")


def unavailable(error):
    """The `UnavailableError` for a framework that could not be imported; None for another module."""
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or name not in NEEDED:
        return None
    return UnavailableError(f"{name}: {error}; install: {ENTRIES[NEEDED[name]].install}")


def from_framework(cls):
    """Whether a class derives from one of a framework: it is no layer in NumPy."""
    return any(base.__module__.partition(".")[0] in NEEDED for base in cls.__mro__)


def onnx(path):
    """The subject of an .onnx file.

    Raises:
        FileNotFoundError: there is none.
        UnavailableError: onnx or onnxruntime is not installed.
        NotOfferedError: the graph is not this network.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file or folder {path}")
    return _room("onnx").subject(path)


def candidates(found, classes, functions):
    """(name, framework, thing) of what may be a model: classes first, then functions that make one, then models.

    Args:
        found: everything by name; classes, functions: those of the code itself.
    """
    makers = {name: function for name, function in functions.items() if MAKERS.match(name)}
    things = {**classes, **makers, **{name: value for name, value in found.items() if not inspect.isclass(value)}}
    return [each for name, thing in things.items() for each in named(name, thing, name in makers)]


def named(name, thing, makes=True):
    """The same of one thing; `makes`: whether a function is taken for one that makes a model."""
    known = {each: getattr(sys.modules[place], base) for each, (place, base) in BASES.items() if place in sys.modules}
    if inspect.isclass(thing):
        return [(name, framework, thing) for framework, base in known.items() if issubclass(thing, base)]
    if inspect.isfunction(thing):
        return [(name, framework, thing) for framework in known if makes]
    return [(name, framework, thing) for framework, base in known.items() if isinstance(thing, base)]


def beside(plain, listed, failed):
    """(subject or None, why things were left out): what is written in NumPy, or else a framework's model.

    NumPy comes first where it has the convolution: a framework's model beside it is often what it is held against.

    Args:
        plain: the subject found without frameworks, or None. listed: of `candidates`. failed: reasons so far.
    """
    names = ", ".join(dict.fromkeys(name for name, _, _ in listed))
    if plain is not None and {"conv", "whole"} & set(getattr(plain, "plans", ["whole"])):
        if hasattr(plain, "plans"):
            plain.remarks = [*plain.remarks, f"not checked: {names}, of a framework; by its name, FILE:Name, it is"]
        return plain, failed
    found, reasons = _first(listed)
    if found is None and plain is not None:
        plain.remarks = [*plain.remarks, *(f"not checked: {reason}" for reason in reasons)]
    return found or plain, [*failed, *reasons]


def _first(listed):
    """(subject or None, why not): of the first candidate that is this network."""
    reasons = []
    for name, framework, thing in listed:
        try:
            chosen = _room(framework).subject(thing)
        except NotOfferedError as reason:
            reasons.append(f"{name}: {str(reason).removeprefix(f'{name}: ')}")
            continue
        others = dict.fromkeys(other for other, _, each in listed if each is not thing and not _same(each, thing))
        if others:
            chosen.assumptions = [*chosen.assumptions, f"{name} is what is to be checked, not {', '.join(others)}"]
        return chosen, []
    return None, reasons


def _same(other, thing):
    """Whether a model is one of the class that is checked anyway."""
    return inspect.isclass(thing) and isinstance(other, thing)


def _room(framework):
    try:
        return importlib.import_module(f"compare.checking.with_{framework}")
    except ModuleNotFoundError as error:
        raise unavailable(error) or error from error
