"""What the arguments of a constructor, and of what prepares a layer, may mean, by their names."""

import inspect
import itertools
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.checking.calling import words
from compare.checking.calling.orders import KERNEL, Order
from compare.checking.calling.plan import Sizes
from compare.checking.process.things import Standing
from compare.contract import NotOfferedError

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
FILTERS_GIVEN = ("IJ", "FIJ", "FCIJ", "IJCF")
ENDS = words.ACTIVATION_WORDS | words.LAST | words.RELU
SIZES = words.FILTERS | words.CHANNELS | words.INPUTS | words.CLASSES


@dataclass(frozen=True)
class Meaning:
    """One way in which the arguments of a constructor may be meant.

    shape: which of the forms of an input's shape, two of which say how many images there are; what is only called a
        shape may be that of all weights.
    text: whether padding is "valid" or "same", and not 0 or 1.
    kernel: a window's size as one number, a pair, or the shape of all windows, channels last or first. pair: whether a
        stride is a pair.
    weights: which of the orders weights that are handed over have; past the last, none are, where they need not.
    activation: what is asked for; "object" is one that changes nothing, "default" nothing where nothing need be.
    roles: (name, what it is) of arguments whose names say nothing.
    """

    shape: int = 0
    text: bool = False
    kernel: str = "number"
    pair: bool = False
    weights: int = 0
    activation: str = "default"
    roles: tuple = ()


def meanings(signature, stage):
    """The `Meaning`s that a constructor's arguments may have, the most usual first."""
    parameters = {words.plain(p.name): p for p in signature.parameters.values()}
    shaped = parameters.keys() & (words.SHAPES_IN | words.DIMENSIONS)
    forms = 3 if not shaped else 4 if stage == "logits" else 5
    shapes: Any = range(forms) if shaped or parameters.keys() & words.MAPS else (0,)
    shapes = (2, 0, 1, 3, 4) if forms == 5 and parameters.keys() & words.DEPTHS else shapes  # of one map, first
    shapes = range(5) if "shape" in parameters else (0, 1) if "inchannels" in parameters and not shaped else shapes
    padding = next((p.default for name, p in parameters.items() if name in ("padding", "pad")), None)
    texts = (True, False) if isinstance(padding, str) else (False, True) if padding is not None else (False,)
    windows = parameters.keys() & words.WINDOWS
    if stage == "pool" and not windows and not shaped and {"height", "width"} <= parameters.keys():
        shapes = (5, *shapes)  # of the window itself
    kernels = ("number", "pair", *(("last",) if stage == "conv" else ()), "first") if windows else ("number",)
    pairs = (False, True) if parameters.keys() & words.STRIDES else (False,)
    kept = [p for name, p in parameters.items() if name in words.WEIGHTS]
    weights: tuple = (*([4] if kept[0].default is not kept[0].empty else []), *range(4)) if kept else (0,)
    if stage == "conv" and parameters.keys() & words.FILTER_ITSELF:
        weights = tuple(range(len(FILTERS_GIVEN) + 1))  # the filter itself, or how many, or how large
    required = [name for name, p in parameters.items() if p.default is p.empty]
    # a dense layer that ends in what was asked for here could not be told from one that should not
    ends = ("linear", "softmax" if stage == "logits" else "relu", "object")
    activations: tuple = ends if set(required) & words.ACTIVATION_WORDS else ("default",)
    if stage == "logits" and parameters.keys() & ENDS - set(required):
        activations = ("default", *ends)
    return [
        Meaning(shape, text, kernel, pair, order, activation)
        for activation in activations
        for order in weights
        for kernel in kernels
        for pair in (pairs if kernel == "number" else (True, False) if len(pairs) > 1 else (False,))
        for shape in shapes
        for text in texts
    ]


ROLES = {  # "off" before what a switch would take for on
    "conv": ("filters", "off", "channels", "kernel", "stride", "padding", "inputshape"),
    "pool": ("kernel", "off", "stride", "padding", "inputshape"),
    "logits": ("inputs", "off", "classes", "inputshape"),
}


def ends_as_told(cls):
    """Whether the constructor of a dense layer may be told what the layer ends in."""
    return bool({words.plain(name) for name in inspect.signature(cls).parameters} & ENDS)


def constructors(cls, stage):
    """Functions (sizes, dtype) -> an object of the class, one for each way in which its arguments may be meant."""
    return [cls] if getattr(cls, "from_sizes", False) else _makers(cls, stage, meanings(inspect.signature(cls), stage))


def guesses(cls, stage):
    """More of them, which give a role to each argument whose name says nothing: only what then agrees is evidence."""
    if getattr(cls, "from_sizes", False) or stage not in ROLES:
        return []
    signature = inspect.signature(cls)
    required = [p for p in signature.parameters.values() if p.default is p.empty and p.kind not in VARIADIC]
    names = [words.plain(p.name) for p in required]
    dumb = [name for name in names if _argument(name, stage, Sizes(), float, Meaning()) is None]
    if "shape" in map(words.plain, signature.parameters):
        return _makers(cls, stage, [replace(each, shape=n) for each in meanings(signature, stage) for n in (5, 6, 7)])
    if not 0 < len(dumb) < 4:
        return []
    several = itertools.permutations(ROLES[stage], len(dumb))
    shapes = dict.fromkeys(meaning.shape for meaning in meanings(signature, stage))
    pairs = [tuple(zip(dumb, roles, strict=True)) for roles in several]
    return _makers(cls, stage, [Meaning(shape=shape, roles=roles) for roles in pairs for shape in shapes])


def _makers(cls, stage, meant):
    signature = inspect.signature(cls)

    def given(meaning, sizes, dtype):
        return arguments(signature, cls.__name__, stage, sizes, dtype, meaning)

    def told(meaning, sizes):
        """What sets a call apart from others."""
        try:
            return str([(name, np.shape(value), value) for name, value in given(meaning, sizes, np.float64).items()])
        except (TypeError, NotOfferedError) as error:
            return str(error)

    several, one = Sizes((10, 12, 2), 6, 7), Sizes((10, 12, 1), 1, 7)
    apart = {(told(meaning, several), told(meaning, one)): meaning for meaning in reversed(meant)}
    first = [*apart.values()][::-1]  # of those that come to the same

    def maker(meaning):
        making: Any = lambda sizes, dtype: cls(**given(meaning, sizes, dtype))  # noqa: E731
        making.of_batch = meaning.shape in (3, 4)
        return making

    return [maker(meaning) for meaning in first]


def arguments(signature, name, stage, sizes, dtype, meaning):
    """{name: value} of a call's arguments by what their names say.

    Raises:
        TypeError: an argument without default that nothing is known for. Numbers are given by their place only where
            no name says anything: a size that fits by chance would be a mistake of ours.
    """
    parameters = [p for p in signature.parameters.values() if p.kind not in VARIADIC]
    values, unknown = {}, []
    counts = [words.plain(p.name) for p in parameters if words.plain(p.name) in words.CLASSES]
    filters = [words.plain(p.name) for p in parameters if words.plain(p.name) in words.FILTERS]
    for parameter in parameters:
        plain = words.plain(parameter.name)
        if stage == "logits" and len(counts) == 2 and plain == counts[0]:  # the nodes before, and those after
            plain = "inputs"
        if stage == "conv" and len(filters) > 1 and plain == "f":  # as in "the filters are F x F"
            plain = "kernelsize"
        value = _argument(plain, stage, sizes, dtype, meaning, parameter.default)
        if value is not None:
            values[parameter.name] = value
        elif parameter.default is parameter.empty:
            unknown.append(parameter.name)
    if not unknown:
        return values
    window, step, _ = sizes.steps(stage)
    usual: tuple = {"conv": (sizes.input_shape[2], sizes.filters, window), "pool": (window, step)}.get(stage, ())
    usual = usual or (int(np.prod(sizes.pool)), sizes.classes)
    if stage == "conv" and len(unknown) == 1 and len(values) == 0:
        usual = (sizes.filters,)
    short = all(len(each) <= 2 for each in unknown)  # a letter names nothing: what stands at its place is meant
    named = {words.plain(p.name) for p in parameters if p.name in values}
    if (named & SIZES and not short) or len(unknown) > len(usual):
        raise TypeError(f"{name} wants {', '.join(unknown)}, which nothing is known for")
    required = [p.name for p in parameters if p.default is p.empty]
    places = [required.index(each) if named & SIZES else number for number, each in enumerate(unknown)]
    if max(places) >= len(usual):
        raise TypeError(f"{name} wants {', '.join(unknown)}, which nothing is known for")
    return values | {each: usual[place] for each, place in zip(unknown, places, strict=True)}


def wants_shape(signature):
    """Whether a method takes one thing without a default, by its name a shape."""
    required = [words.plain(p.name) for p in signature.parameters.values() if p.default is p.empty]
    return len(required) == 1 and required[0] in words.SHAPES | words.SHAPES_IN


def preparation(signature, stage, sizes, dtype, shape=0):
    """The arguments of a method that prepares a layer, in their order; 0 for a number that nothing is known of.

    Args:
        shape: which of the forms of an input's shape, as of `Meaning`.
    """
    found = []
    for parameter in signature.parameters.values():
        if parameter.default is not parameter.empty or parameter.kind in VARIADIC:
            break
        name = words.plain(parameter.name)
        name = "inputshape" if name in words.SHAPES else name  # there is no other here
        value = _argument(name, stage, sizes, dtype, Meaning(shape), parameter.default)
        found.append(0.0 if value is None else value)
    return found


def _argument(name, stage, sizes, dtype, meaning, default=inspect.Parameter.empty):
    """The value of a constructor's argument by its plain name; None if it is not known, or the default will do."""
    name = dict(meaning.roles).get(name, name)
    h, w, c = sizes.input_shape if stage in ("conv", "whole") else sizes.conv
    p, q, f = sizes.pool
    window, step, border = sizes.steps(stage)
    if stage == "pool" and name in words.MODES and re.match("(?i)avg|average|mean", str(default)):
        return "max"  # a pool of both kinds
    if default is inspect.Parameter.empty and name in words.NAMES | words.MODES:
        return "max" if name in words.MODES and stage == "pool" else "layer" if name in words.NAMES else None
    if name in words.SHAPES_IN or (stage in ("conv", "pool") and name in words.DIMENSIONS):
        if stage == "logits":
            return ((p, q, f), (f, p, q), (p * q * f,), p * q * f)[meaning.shape]
        return ((h, w, c), (c, h, w), (h, w), (sizes.batch, h, w, c), (sizes.batch, c, h, w))[meaning.shape]
    if name == "shape" and default is inspect.Parameter.empty:
        n, k = sizes.batch, sizes.classes
        of_weights = [(p * q * f, k)] * 3 if stage == "logits" else _shapes(window, c, f)[2::-1]
        return [(h, w, c), (c, h, w), (h, w), (n, h, w, c), (n, c, h, w), *of_weights][meaning.shape]
    if stage in ("conv", "pool") and name in words.MAPS and default is inspect.Parameter.empty:
        h, w = (window, window) if meaning.shape == 5 else (h, w)
        size = h if name in words.ROWS else w if name in words.COLUMNS else h if h == w else None
        return size if name in words.ROWS | words.COLUMNS or meaning.shape == 0 else (h, w)
    if name in ("padding", "pad"):
        if stage != "conv" and stage != "whole":  # a pool has none, whatever the convolution has
            return "valid" if meaning.text else None if default is not inspect.Parameter.empty else 0
        text = "same" if border else "valid"
        return (text.upper() if isinstance(default, str) and default.isupper() else text) if meaning.text else border
    if name in words.STRIDES:
        return (step, step) if meaning.pair else step
    if stage in ("conv", "pool") and name == "inchannels" and meaning.shape == 1:  # with the rows and columns of each
        return (c, h, w)
    if name in ("seed", "randomstate"):
        return 0
    if name in words.RATES:
        return 1.0  # set anew before each call
    if name == "dtype":
        return np.dtype(dtype).type
    if words.neutral(name):
        # nothing is added to the gradients, nor kept from step to step, whatever the code would do if it were not told
        return 0.0 if default is inspect.Parameter.empty or isinstance(default, float) else None
    if name in words.OFF | words.ON and default is inspect.Parameter.empty:
        return name in words.ON
    if name in words.ACTIVATION_WORDS and (default is inspect.Parameter.empty or meaning.activation != "default"):
        asked = "linear" if meaning.activation == "default" else meaning.activation
        return Standing("activation") if asked == "object" else asked
    if stage == "logits" and isinstance(default, bool) and name in words.LAST | words.RELU:
        return None if meaning.activation == "default" else name in words.LAST and meaning.activation == "softmax"
    if name in words.OPTIMISERS and default is inspect.Parameter.empty:
        return Standing("optimiser")
    if stage == "conv" and name in words.FILTER_ITSELF and meaning.weights:
        order = Order(KERNEL, tuple(FILTERS_GIVEN[meaning.weights - 1]))
        return np.zeros(order.shape((window, window, c, sizes.filters)), dtype)
    if stage in ("conv", "logits") and name in words.WEIGHTS:
        if isinstance(default, str) or meaning.weights == 4:  # how they are to be made, or that they are
            return None
        return _weights(stage, sizes, dtype)[meaning.weights]
    if stage in ("conv", "logits") and name in ("b", "bias", "biases"):
        if isinstance(default, bool) or default is not inspect.Parameter.empty:
            return None  # a switch, or something that it makes by itself
        size = sizes.filters if stage == "conv" else sizes.classes
        of_matrix = stage == "logits" and meaning.weights > 1  # a column or a row, beside weights of either order
        return np.zeros(((size, 1) if meaning.weights == 3 else (1, size)) if of_matrix else size, dtype)
    if stage in ("conv", "whole") and name in words.FILTERS:
        return sizes.filters
    if stage == "pool" and default is inspect.Parameter.empty and name in words.MAPS_OF_POOL:
        return f
    if stage in ("conv", "whole") and name in words.CHANNELS:
        return c
    if stage in ("logits", "whole") and name in words.CLASSES:
        return sizes.classes
    if stage == "logits" and name in words.INPUTS:
        return p * q * f
    if stage in ("conv", "pool") and name in words.WINDOWS:
        pair = (window, window)
        first = (sizes.filters, c, *pair) if stage == "conv" else (sizes.filters, *pair)
        one = (c, *pair) if name == "convolutionshape" else window
        return {"number": one, "pair": pair, "last": (*pair, c, sizes.filters), "first": first}[meaning.kernel]
    return None


def _weights(stage, sizes, dtype):
    """Zeros in the orders that weights handed to a constructor may have."""
    c, f, rows, k = sizes.input_shape[2], sizes.filters, int(np.prod(sizes.pool)), sizes.classes
    shapes = _shapes(sizes.steps(stage)[0], c, f) if stage == "conv" else [(rows, k), (k, rows)] * 2
    return [np.zeros(shape, dtype) for shape in shapes]


def _shapes(size, c, f):
    """Those of filters in the orders that are usual."""
    return [(f, c, size, size), (size, size, c, f), (f, size, size, c), (f, size, size)]
