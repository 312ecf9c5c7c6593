"""How the code's arrays lie: the order of their axes, and where in an object they are kept.

Letters, on top of the legend of the contract: I, J the rows and columns of a kernel. An activation is "NHWC" whatever
stage it comes from; the rows of the dense weights are "PQF".
"""

import inspect
import types
from dataclasses import dataclass

import numpy as np

from compare.contract import NotOfferedError

KERNEL = "IJCF"
IMAGES = "NHWC"
DENSE = "PQFK"

# The usual ones first: where data cannot tell, the first that fits is taken. I stands before J in all of them: to try
# the kernel's rows and columns in the other order would make a transposed convolution right.
KERNELS = ("FIJ", "IJF", "IJCF", "FCIJ", "FIJC", "CFIJ", "CIJF", "IJFC")
FLAT_KERNELS = (("F", "CIJ"), ("F", "IJC"), ("CIJ", "F"), ("IJC", "F"), ("F", "IJ"), ("IJ", "F"))
RATES = {"lr", "rate", "learnrate", "learningrate", "eta", "alpha", "stepsize"}
LABELS = {"y", "t", "label", "labels", "target", "targets", "ytrue", "truth", "onehot", "yonehot", "labs", "trueclass"}


@dataclass(frozen=True)
class Order:
    """The order of axes of one kind of array.

    house: its letters in the order of the contract.
    axes: the code's axes; one of several letters is those joined, one of none has size 1. A letter that is missing is
        an axis that the code does not have, so that its size must be 1.
    """

    house: str
    axes: tuple[str, ...]

    def __str__(self):
        return f"({', '.join('*'.join(axis) or '1' for axis in self.axes)})"

    @property
    def letters(self):
        """All letters that the code has, in its order."""
        return "".join(self.axes)

    def shape(self, house_shape):
        """The shape in the code of an array that is of `house_shape` in the contract; NotOfferedError if none."""
        sizes = dict(zip(self.house, house_shape, strict=True))
        for letter, size in sizes.items():
            if letter not in self.letters and size != 1:
                raise NotOfferedError(f"arrays {self} have no axis {letter}: {size} asked for, only 1 is possible")
        return tuple(int(np.prod([sizes[letter] for letter in axis])) for axis in self.axes)

    def native(self, x):
        """A fresh contiguous copy of x, of the contract's shape, as the code wants it."""
        shape = self.shape(x.shape)
        kept = [letter for letter in self.house if letter in self.letters]
        x = x.reshape([size for letter, size in zip(self.house, x.shape, strict=True) if letter in kept])
        return np.array(x.transpose([kept.index(letter) for letter in self.letters]).reshape(shape), order="C")

    def back(self, y, house_shape):
        """y of the code in the contract's order. Its sizes may differ from `house_shape` where no axes are joined.

        Raises:
            ValueError: another number of axes, or joined axes of another size.
        """
        if y.ndim != len(self.axes):
            raise ValueError(f"found an array of shape {y.shape}, wanted axes {self}")
        if any(len(axis) != 1 for axis in self.axes):
            sizes = dict(zip(self.house, house_shape, strict=True))
            y = y.reshape([sizes[letter] for letter in self.letters])
        y = y.transpose([self.letters.index(letter) for letter in self.house if letter in self.letters])
        missing = [number for number, letter in enumerate(self.house) if letter not in self.letters]
        return np.expand_dims(y, tuple(missing))


def kernel_orders(shape, channels, filters):
    """The `Order`s that a kernel array of this shape may have, the usual ones first."""
    orders = [Order(KERNEL, tuple(axes)) for axes in (*KERNELS, *FLAT_KERNELS)]
    return [order for order in orders if _fits(order, shape, (3, 3, channels, filters))]


def dense_orders(shape, rows, classes, channels_first):
    """The same for dense weights; `rows` is (P, Q, F). Any order of flattening is right in code that keeps to it."""
    rows_in = ("FPQ", "PQF") if channels_first else ("PQF", "FPQ")
    orders = [Order(DENSE, axes) for joined in rows_in for axes in ((joined, "K"), ("K", joined))]
    return [order for order in orders if _fits(order, shape, (*rows, classes))]


def bias_orders(shape, size):
    """The same for a bias (size,), which may have axes of 1 beside."""
    return [order for axes in (("K",), ("", "K"), ("K", "")) if _fits(order := Order("K", axes), shape, (size,))]


def _fits(order, shape, house_shape):
    try:
        return order.shape(house_shape) == tuple(shape)
    except NotOfferedError:
        return False


def _pairs(letters_in, letters_out, one_image, house_in=IMAGES, house_out=IMAGES):
    return (one_image, Order(house_in, tuple(letters_in)), Order(house_out, tuple(letters_out)))


def flows(stage, channels_first=False):
    """(one image at a time, order of the input, order of the output) that a stage may have, the usual ones first."""
    if stage == "conv":
        batch = [_pairs(i, o, False) for i, o in (("NHWC", "NHWC"), ("NCHW", "NCHW"), ("NHW", "NHWC"), ("NHW", "NCHW"))]
        one = [("HW", "HWC"), ("HW", "CHW"), ("HWC", "HWC"), ("CHW", "CHW"), ("NHWC", "NHWC"), ("NCHW", "NCHW")]
        mixed = [_pairs(i, o, b) for i, o, b in (("NHWC", "NCHW", False), ("HWC", "CHW", True), ("CHW", "HWC", True))]
        last = [_pairs("HWCN", "HWCN", False)]
        return [*batch, *(_pairs(i, o, True) for i, o in one), *mixed, *last]
    if stage == "pool":
        several = [("NHWC", False), ("NCHW", False), ("HWC", True), ("CHW", True), ("NHWC", True), ("NCHW", True)]
        several.append(("HWCN", False))
        return [_pairs(axes, axes, one_image) for axes, one_image in several]
    logits: list = [(False, ("N",), ("N", "K")), (True, (), ("K",)), (True, ("N",), ("N", "K"))]
    if stage == "probabilities":
        found = [(one_image, Order("NK", out), Order("NK", out)) for one_image, _, out in logits]
        return [*found, *((one, Order("NK", ("K", "N")), Order("NK", ("K", "N"))) for one in (False, True))]
    rows = tuple("FPQ" if channels_first else "PQF")
    found = []
    for one_image, batch, out in logits:
        for axes in (rows, ("".join(rows),)):
            found.append((one_image, Order("NPQF", (*batch, *axes)), Order("NK", out)))
    columns = [(one, Order("NPQF", ("".join(rows), "N")), Order("NK", ("K", "N"))) for one in (False, True)]
    return [*found, *columns]


def whole_flows():
    """The same for a whole model: images in, (N, K) out."""
    ins = [("NHWC", False), ("NCHW", False), ("NHW", False), ("HW", True), ("HWC", True), ("CHW", True)]
    ins += [("NHWC", True), ("NCHW", True), ("NHW", True)]
    outs = (("N", "K"), ("K",), ("K", "N"))
    return [
        (one, Order(IMAGES, tuple(axes)), Order("NK", out)) for axes, one in ins for out in outs if one or out != ("K",)
    ]


def arrays_of(thing, depth=3):
    """{path: array} of the floating-point arrays in an object's attributes, its dicts, lists and nested objects.

    A path is a tuple of steps, attribute names as ".name" and keys or indices as they are.
    """
    found: dict = {}
    _walk(thing, (), depth, found, set())
    return found


def _walk(thing, path, depth, found, seen):
    if isinstance(thing, np.ndarray):
        if thing.dtype.kind == "f" and thing.ndim:
            found[path] = thing
        return
    if depth < 0 or id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        steps: list = list(thing.items())
    elif isinstance(thing, list):
        steps = list(enumerate(thing[:100]))  # a list of weights is short; a long one holds data
    elif hasattr(thing, "__dict__") and not isinstance(thing, type | types.ModuleType | types.FunctionType):
        steps = [(f".{name}", value) for name, value in vars(thing).items()]
    else:
        return
    for step, value in steps:
        # containers count as no level of their own: self.params["W"] is as near as self.W
        _walk(value, (*path, step), depth - (not isinstance(value, dict | list | np.ndarray)), found, seen)


def get(thing, path):
    """What is at a path of `arrays_of`."""
    for step in path:
        thing = getattr(thing, step[1:]) if isinstance(step, str) and step[:1] == "." else thing[step]
    return thing


def put(thing, path, value):
    """Set what is at a path of `arrays_of`."""
    thing, step = get(thing, path[:-1]), path[-1]
    if isinstance(step, str) and step[:1] == ".":
        setattr(thing, step[1:], value)
    else:
        thing[step] = value


def named(path):
    """A path as a reader would write it: "params[W]", "conv.filters"."""
    parts = [s if isinstance(s, str) and s[:1] == "." else f"[{s}]" for s in path]
    return "".join(parts).lstrip(".")


def is_gradient(path):
    """Whether the names on a path say that a gradient is kept there: d_filters, dW, grads[W]."""
    for step in path:
        name = str(step).lstrip("._").lower()
        if any(word in name for word in ("grad", "delta", "nabla")) and not is_memory((name,)):
            return True
        if name.startswith("d") and not name.startswith(("dense", "data", "decoder", "depth", "dim", "down")):
            return True
    return False


def is_memory(path):
    """Whether the names on a path say that it is neither a weight nor its gradient: last_input, cache, velocity."""
    words = ("veloc", "moment", "cache", "last", "prev", "input", "output", "image")
    return any(word in str(step).lower() for step in path for word in words)


def kernel_sizes(shape):
    """(C, F) of an array that can be nothing but a kernel of 3x3, axes in the usual order; None for another."""
    rest = [size for number, size in enumerate(shape) if number not in [n for n, s in enumerate(shape) if s == 3][-2:]]
    if len(shape) == 3 and len(rest) == 1:
        return (1, rest[0])
    if len(shape) == 4 and len(rest) == 2:
        return (rest[0], rest[1]) if shape[:2] == (3, 3) else (rest[1], rest[0])
    return None


def plain(name):
    """A name without case and underscores."""
    return name.lower().replace("_", "")


def fill(function, given, **known):
    """(args, kwargs) of a call: `rate` and `labels` by their names, what is `given` first; defaults are left alone."""
    parameters = [
        p for p in inspect.signature(function).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    positional, keywords, missing = [], {}, True
    for parameter in parameters:
        kind = "rate" if plain(parameter.name) in RATES else "labels" if plain(parameter.name) in LABELS else None
        if kind in known:
            value = known[kind]
        elif missing:
            value, missing = given, False
        elif parameter.default is not parameter.empty:
            continue
        elif "rate" in known and len(parameters) == 2:
            value = known["rate"]  # the second of two, whatever its name
        else:
            raise NotOfferedError(f"{function.__qualname__} wants {parameter.name}, which nothing is known for")
        if parameter.kind == parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    return ([given], keywords) if missing and not parameters else (positional, keywords)


_SHAPES = ("inputshape", "inshape", "imageshape", "inputdims")
_FILTERS = (
    "numfilters nfilters nbfilters filters outchannels outdepth depth f numkernels nkernels outputchannels nf cout"
)
_CHANNELS = "inchannels channels c indepth inputchannels inputdepth nchannels numchannels cin numinputchannels"
_INPUTS = "inputlen inputs infeatures fanin inputsize inputdim nin ninputs indim numinputs insize inputnodes ninput d"
_CLASSES = (
    "nodes classes outfeatures outputs outputsize outputdim nout noutputs fanout numclasses nclasses units nneurons"
)
_KERNEL = "kernelsize filtersize kernel size k ksize fsize poolsize pool kernelshape filtershape window windowsize"


def constructors(cls, stage):
    """Functions (sizes, dtype) -> an object of the class, one for each way in which its arguments may be meant."""
    if getattr(cls, "from_sizes", False):
        return [cls]
    parameters = [
        p for p in inspect.signature(cls).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    names = [plain(parameter.name) for parameter in parameters]
    shapes = [0, 1, 2] if any(name in _SHAPES for name in names) else [0]
    paddings = [False]
    if any(name in ("padding", "pad") for name in names):
        text = next(isinstance(p.default, str) for p in parameters if plain(p.name) in ("padding", "pad"))
        paddings = [True, False] if text else [False, True]
    pairs = [False, True] if set(names) & {*_KERNEL.split(), "stride", "strides"} else [False]
    # the usual first: most code takes one number for rows and columns
    variants = [(shape, text, pair) for pair in pairs for shape in shapes for text in paddings]

    def maker(variant):
        def make(sizes, dtype):
            values = {}
            unknown = []
            for parameter, name in zip(parameters, names, strict=True):
                value = _argument(name, stage, sizes, dtype, *variant)
                if value is not None:
                    values[parameter.name] = value
                elif parameter.default is parameter.empty:
                    unknown.append(parameter.name)
            usual = {"conv": (sizes.input_shape[2], sizes.filters, 3), "pool": (2, 2)}.get(stage)
            usual = usual or (int(np.prod(sizes.pool)), sizes.classes)
            if stage == "conv" and len(unknown) == 1:
                usual = (sizes.filters,) if not set(names) & set(_FILTERS.split()) else (sizes.input_shape[2],)
            if stage == "logits" and len(unknown) == 1 and set(names) & set(_INPUTS.split()):
                usual = (sizes.classes,)
            if len(unknown) > len(usual):
                raise TypeError(f"{cls.__name__} wants {', '.join(unknown)}, which nothing is known for")
            return cls(**values, **dict(zip(unknown, usual, strict=False)))

        return make

    return [maker(variant) for variant in variants]


def _argument(name, stage, sizes, dtype, shape_order, padding_text, pair):
    """The value of a constructor's argument by its plain name; None if the name is not known.

    Args:
        shape_order: which of the forms of an input's shape.
        padding_text: whether padding is "valid" or "same", and not 0 or 1.
        pair: whether sizes of windows are pairs.
    """
    h, w, c = sizes.input_shape if stage in ("conv", "whole") else sizes.conv
    p, q, f = sizes.pool
    if name in _SHAPES:
        if stage == "logits":
            return ((p, q, f), (f, p, q), (p * q * f,))[shape_order]
        return ((h, w, c), (c, h, w), (h, w))[shape_order]
    if name in ("padding", "pad"):
        same = sizes.padding == "same"
        return sizes.padding if padding_text else int(same)
    if name in ("stride", "strides"):
        size = 2 if stage == "pool" else 1
        return (size, size) if pair else size
    if name in ("seed", "randomstate"):
        return 0
    if name in RATES:
        return 1.0  # set anew before each call
    if name == "dtype":
        return np.dtype(dtype).type
    if stage in ("conv", "logits") and name in ("w", "weight", "weights"):
        return np.zeros((sizes.filters, c, 3, 3) if stage == "conv" else (p * q * f, sizes.classes), dtype)
    if stage in ("conv", "logits") and name in ("b", "bias", "biases"):
        return np.zeros(sizes.filters if stage == "conv" else sizes.classes, dtype)
    if stage in ("conv", "whole") and name in _FILTERS.split():
        return sizes.filters
    if stage in ("conv", "whole") and name in _CHANNELS.split():
        return c
    if stage in ("logits", "whole") and name in _CLASSES.split():
        return sizes.classes
    if stage == "logits" and name in _INPUTS.split():
        return p * q * f
    if stage in ("conv", "pool") and name in _KERNEL.split():
        size = 2 if stage == "pool" else 3
        return (size, size) if pair else size
    return None
