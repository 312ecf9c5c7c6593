"""Classes, functions and objects that are handed over as they are, of a notebook, say: sent by value."""

import copy
import inspect
import sys
from dataclasses import dataclass

import numpy as np

from compare.checking.process.messages import LARGEST
from compare.contract import UnavailableError


@dataclass(frozen=True)
class Given:
    """What was handed over: the names, and the pickled things by name as an array of bytes."""

    names: tuple[str, ...]
    data: np.ndarray


def by_name(things):
    """{name: thing} of what was handed over; an object becomes a class whose objects are copies of it.

    Raises:
        ValueError: two of one name, or something that is nothing of the user's.
    """
    found: dict = {}
    for thing in things:
        made = thing if inspect.isclass(thing) or inspect.isfunction(thing) else _of_copies(thing)
        name = made.__name__
        if name in found:
            raise ValueError(f"target: found {name} twice, wanted each part once")
        found[name] = made
    return found


def _of_copies(thing):
    cls = type(thing)
    if cls.__module__ == "builtins" or isinstance(thing, np.ndarray | np.generic):
        raise ValueError(f"target: found {thing!r}, wanted a path, a module's name, a class, a function or an object")

    def new(_):
        return copy.deepcopy(thing)

    return type(cls.__name__, (cls,), {"__new__": new, "__init__": lambda self: None, "__module__": cls.__module__})


def pickled(things):
    """The bytes of them, as an array of numbers; whatever module of the user's they are from goes along.

    Raises:
        UnavailableError: cloudpickle is not installed.
        ValueError: they hold what cannot be sent.
    """
    try:
        import cloudpickle
    except ImportError as error:
        raise UnavailableError("cloudpickle is needed for what has no file: pip install cloudpickle") from error
    modules = {sys.modules[thing.__module__] for thing in things.values() if thing.__module__ in sys.modules}
    for module in modules - {sys.modules["__main__"]}:
        cloudpickle.register_pickle_by_value(module)
    try:
        content = np.frombuffer(cloudpickle.dumps(things), np.uint8)
    except Exception as error:
        raise ValueError(f"target: {', '.join(things)} cannot be sent to a process of its own: {error}") from error
    finally:
        for module in modules - {sys.modules["__main__"]}:
            cloudpickle.unregister_pickle_by_value(module)
    if content.nbytes > LARGEST:
        found = f"found {content.nbytes} bytes with what they hold, wanted at most {LARGEST}"
        raise ValueError(f"target: {', '.join(things)} cannot be sent to a process of its own: {found}")
    return content
