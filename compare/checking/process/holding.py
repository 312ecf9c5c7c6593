"""What an object of the code holds, found by walking through it, and how its functions are called."""

import inspect
import types

import numpy as np

INSIDE = "[...]"  # as the last step of a path, what the array there holds: all who hold the array see a change


def walk(thing, kinds="f", tuples=False, depth=3):
    """{path: array} of the arrays in an object's attributes, its dicts, lists and nested objects.

    A path is a tuple of steps, attribute names as ".name" and keys or indices as they are. `kinds`: of NumPy's
    dtypes, floating-point alone. `tuples`: whether to look into these too, in which nothing can be replaced.
    """
    found: dict = {}
    _walk(thing, (), depth, found, set(), kinds, (list, tuple) if tuples else (list,))
    return found


def _walk(thing, path, depth, found, seen, kinds, lists):
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind in kinds and thing.ndim:
            found[path] = thing
        return
    if depth < 0 or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        steps: list = [(key, each) for key, each in thing.items() if isinstance(key, str | int)]
    elif isinstance(thing, lists):
        steps = list(enumerate(thing[:100]))  # a list of weights is short; a long one holds data
    else:
        steps = [(f".{name}", value) for name, value in attributes(thing).items()]
    for step, value in steps:
        # containers count as no level of their own: self.params["W"] is as near as self.W
        nearer = depth - (not isinstance(value, (dict, *lists, np.ndarray)))
        _walk(value, (*path, step), nearer, found, seen, kinds, lists)


def attributes(thing):
    """What an object keeps under names: its own dict, and its slots."""
    if isinstance(thing, type | types.ModuleType | types.FunctionType):
        return {}
    own = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    for cls in type(thing).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                own[name] = getattr(thing, name)
    return own


def get(thing, path):
    """What is at a path of `walk`."""
    for step in path:
        thing = getattr(thing, step[1:]) if isinstance(step, str) and step[:1] == "." else thing[step]
    return thing


def put(thing, path, value):
    """Set what is at a path of `walk`."""
    thing, step = get(thing, path[:-1]), path[-1]
    if step == INSIDE:
        thing[...] = value
    elif isinstance(step, str) and step[:1] == ".":
        setattr(thing, step[1:], value)
    else:
        thing[step] = value


def signature(function, bound=False):
    """[name, kind, default] of each argument; the default is ["?"] for none, and [value] where JSON can hold it."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin that tells nothing of its arguments
        return None
    found = []
    for each in parameters[1:] if bound else parameters:
        default: list = [each.default] if isinstance(each.default, bool | int | float | str | None) else []
        found.append([each.name, int(each.kind), ["?"] if each.default is each.empty else ["=", *default]])
    return found


def constructor(cls):
    """The `signature` of a class; where it hands **keywords on, with what its bases take by name."""
    found = signature(cls)
    if found is None or not any(kind == inspect.Parameter.VAR_KEYWORD for _, kind, _ in found):
        return found
    known = {name for name, _, _ in found}
    more = []
    for base in cls.__mro__[1:-1]:
        for name, kind, default in signature(vars(base).get("__init__", object.__init__), bound=True) or []:
            if kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY) and name not in known:
                known.add(name)
                more.append([name, int(inspect.Parameter.KEYWORD_ONLY), default])
    return [*found[:-1], *more, found[-1]]


def plain(name):
    """A name without case and underscores, as `words.plain`, which cannot be imported where this runs."""
    return name.lower().replace("_", "")


def is_constant(value):
    """Whether a value is plain: a number, a text, or several of them."""
    kinds = bool | int | float | str
    return isinstance(value, kinds) or (isinstance(value, tuple | list) and all(isinstance(v, kinds) for v in value))
