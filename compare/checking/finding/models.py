"""Models of a framework in somebody's code: which there are, and the subject that can be made of one.

No framework is imported here but by a model that needs it: one is looked for only where the code has imported it.
"""

import importlib
import inspect
import re
from pathlib import Path

from compare.checking.process.things import Class, Function, Other
from compare.contract import ENTRIES, NotOfferedError, UnavailableError

# By the module that is missing, whose entry says what installs it.
NEEDED = {"torch": "torch", "tensorflow": "keras-tensorflow", "keras": "keras-tensorflow"}
NEEDED |= {"onnx": "onnxruntime", "onnxruntime": "onnxruntime"}
BASES = {"torch": ("torch.nn", "Module"), "keras": ("keras", "Model")}
MAKERS = re.compile(r"^(build|make|create|define|get)_(\w+_)?(model|net|network|cnn)$", re.I)


def unavailable(name, message):
    """The `UnavailableError` for a framework that could not be imported; None for another module."""
    name = name.partition(".")[0]
    if name not in NEEDED:
        return None
    return UnavailableError(f"{name}: ModuleNotFoundError: {message}; install: {ENTRIES[NEEDED[name]].install}")


def from_framework(cls):
    """Whether a class derives from one of a framework: it is no layer in NumPy."""
    return any(module.partition(".")[0] in NEEDED for module, _ in cls.bases)


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


def candidates(found, classes, functions, loaded):
    """(name, framework, whether it is a class) of what may be a model: classes, functions that make one, models.

    Args:
        found: everything by name, as `stranger.inventory` gives it; classes, functions: those of the code itself.
        loaded: the frameworks that the code has imported.
    """
    makers = {name: function for name, function in functions.items() if MAKERS.match(name)}
    things = {**classes, **makers, **{name: value for name, value in found.items() if isinstance(value, Other)}}
    return [each for thing in things.values() for each in named(thing, loaded)]


def named(thing, loaded):
    """The same of one thing."""
    if isinstance(thing, Function):
        return [(thing.name, framework) for framework in BASES if framework in loaded]
    if isinstance(thing, Class | Other):
        return [(thing.name, framework) for framework in BASES if _derives(thing, framework)]
    return []


def _derives(thing, framework):
    place, base = BASES[framework]
    top = place.partition(".")[0]
    return any(module.partition(".")[0] == top and name == base for module, name in thing.bases)


def first(listed):
    """(subject or None, why not): of the first candidate that is this network.

    Args:
        listed: (name, framework, the class, function or model itself).
    """
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
        return importlib.import_module(f"compare.checking.frameworks.with_{framework}")
    except ModuleNotFoundError as error:
        raise unavailable(error.name or "", str(error)) or error from error
