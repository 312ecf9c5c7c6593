"""How the code's arrays lie: the order of their axes, and where in an object they are kept.

Letters, on top of the legend of the contract: I, J the rows and columns of a kernel. An activation is "NHWC" whatever
stage it comes from; the rows of the dense weights are "PQF".
"""

import inspect
from dataclasses import dataclass

import numpy as np

from compare.contract import NotOfferedError

KERNEL = "IJCF"
IMAGES = "NHWC"
DENSE = "PQFK"

# The usual ones first: where data cannot tell, the first that fits is taken. I stands before J in all of them: to try
# the kernel's rows and columns in the other order would make a transposed convolution right.
KERNELS = ("FIJ", "IJF", "IJCF", "FCIJ", "FIJC", "CFIJ", "CIJF", "IJFC", "IJC", "CIJ", "IJ")
FLAT_KERNELS = (("F", "CIJ"), ("F", "IJC"), ("CIJ", "F"), ("IJC", "F"), ("F", "IJ"), ("IJ", "F"))
RATES = {"lr", "rate", "learnrate", "learningrate", "eta", "alpha", "stepsize"}
CACHES = ("cache", "caches", "memory", "context", "ctx", "saved")
INPUT_WORDS = {"x", "input", "inputs", "image", "images", "img", "aprev", "prev", "lastinput", "features"}
OUTPUT_WORDS = {"out", "output", "pooled", "y", "z", "a", "result"}
UPSTREAM = {
    "d",
    "dy",
    "da",
    "dz",
    "dh",
    "dnext",
    "upstream",
    "error",
    "err",
    "gradients",
    "gradout",
    "loss",
    "lossgrad",
}
TRAINING = {"training", "train", "istraining", "istrain", "trainmode", "trainingmode"}
LABELS = {"y", "t", "label", "labels", "target", "targets", "ytrue", "truth", "onehot", "yonehot", "labs", "trueclass"}


VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


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
        maps = [_pairs(i, o, b) for i, o, b in (("NHWC", "NHW", False), ("NHW", "NHW", False), ("HW", "HW", True))]
        return [*batch, *(_pairs(i, o, True) for i, o in one), *mixed, *last, *maps, _pairs("HWC", "HW", True)]
    if stage == "pool":
        several = [("NHWC", False), ("NCHW", False), ("HWC", True), ("CHW", True), ("NHWC", True), ("NCHW", True)]
        several += [("HWCN", False), ("NHW", False), ("HW", True)]
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


def real(x):
    """An array as real numbers: the real part of complex ones, objects as floats (NaN where they are none)."""
    x = np.asarray(x)
    if x.dtype.kind != "O":
        return x.real
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError):
        return np.full(x.shape, np.nan)


def same(one, other):
    """Whether two arrays hold the same, NaN included, of whatever dtype."""
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc")


def arrays_of(code, kinds="f"):
    """{path: array} of what an object of the code keeps; the same array at two paths is the same object here.

    `kinds`: of NumPy's dtypes, floating-point alone.
    """
    same: dict = {}
    return {path: same.setdefault(which, array) for path, (array, which) in code.arrays(kinds).items()}


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
    names = [plain(str(step).lstrip("._")) for step in path]
    return any(name in INPUT_WORDS or any(word in name for word in words) for name in names)


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


def unknown(signature):
    """Names of required arguments of a backward that its words say nothing about."""
    known = dict.fromkeys(("rate", "labels", "x", "out", "cache"))
    required = [p for p in signature.parameters.values() if p.default is p.empty]
    return [p.name for p in required if p.kind not in VARIADIC and _kind(plain(p.name), known) is None]


def fill(signature, name, given, hands=(), **known):
    """(args, kwargs) of a call, by the names of the arguments; defaults are left alone.

    Args:
        hands: (name, kind) of arguments of which it was found out what they are to be handed.
        given: for the first argument whose name does not say that it is something else.
        known: what else can be handed over, by kind: `rate`, `labels`, and of the way back `x` and `out`, what went
            into forward and what came out, and `cache`, what forward gave beside it.
    Raises:
        NotOfferedError: an argument without default for which nothing is known.
    """
    parameters = [p for p in signature.parameters.values() if p.kind not in VARIADIC]
    kinds = [dict(hands).get(p.name) or _kind(plain(p.name), known) for p in parameters]
    required = [p.default is p.empty for p in parameters]
    if "given" in kinds:
        first = kinds.index("given")
    else:
        free = [n for n, kind in enumerate(kinds) if kind is None] or [
            n for n, kind in enumerate(kinds) if kind in ("x", "out", "cache")
        ]
        first = free[0] if free else -1
    positional, keywords = [], {}
    for number, (parameter, kind) in enumerate(zip(parameters, kinds, strict=True)):
        if number == first:
            value = given
        elif kind in known and (required[number] or kind in ("rate", "labels")):
            value = known[kind]
        elif not required[number]:
            continue
        elif kind == "training":
            value = False
        elif "rate" in known and sum(required) == 2:
            value = known["rate"]  # the second of two, whatever its name
        else:
            raise NotOfferedError(f"{name} wants {parameter.name}, which nothing is known for")
        if parameter.kind == parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    any_arguments = [p for p in signature.parameters.values() if p.kind == p.VAR_POSITIONAL]
    return ([given], keywords) if first < 0 and any_arguments else (positional, keywords)


def _kind(name, known):
    """What an argument stands for by its plain name: one of `known`, "training", "given" (an upstream gradient)."""
    if name in RATES:
        return "rate"
    if name in LABELS and "labels" in known:
        return "labels"
    if name in TRAINING:
        return "training"
    if "x" not in known:  # on the way forward there is nothing else
        return None
    if name in UPSTREAM or name.startswith(("dl", "dout", "grad", "delta")) or name.endswith(("grad", "gradient")):
        return "given"
    if name.endswith(CACHES):
        return "cache" if "cache" in known else None
    words = {"x": INPUT_WORDS, "out": OUTPUT_WORDS}
    return next((kind for kind, names in words.items() if name in names and kind in known), None)


_SHAPES = ("inputshape", "inshape", "imageshape", "inputdims")
_FILTERS = (
    "numfilters nfilters nbfilters filters outchannels outdepth depth f numkernels nkernels outputchannels nf cout "
    "nout nfilter numfilter filternum filtersnum nooffilters filtercount outc outch outputdepth noutchannels nc nk"
)
_CHANNELS = (
    "inchannels channels c indepth inputchannels inputdepth nchannels numchannels cin numinputchannels nin inc inch "
    "channel imagechannels inchannel ninchannels"
)
_INPUTS = (
    "inputlen inputs infeatures fanin inputsize inputdim nin ninputs indim numinputs insize inputnodes ninput d "
    "inputlength inputunits inunits prev nprev sizein inputneurons inneurons numin unitsprev"
)
_CLASSES = (
    "nodes classes outfeatures outputs outputsize outputdim nout noutputs fanout numclasses nclasses units nneurons "
    "outsize outdim outunits outputunits numunits neurons numneurons outputnodes noutput numoutputs numout unitscurr "
    "sizeout "
    "k outputlen outputlength hiddenunits outneurons outputneurons"
)
_KERNEL = (
    "kernelsize filtersize kernel size k ksize fsize poolsize pool kernelshape filtershape window windowsize "
    "kerneldim filterdim filterheight filterwidth kernelheight kernelwidth kh kw poolheight poolwidth poolh poolw "
    "fh fw "
    "kernelh kernelw filterh filterw hh ww poolingsize dim"
)


FILTER_ITSELF = {"f", "filter", "filters", "kernel", "kernels"}
FILTERS_GIVEN = ("IJ", "FIJ", "FCIJ", "IJCF")
_SIZES = {*_FILTERS.split(), *_CHANNELS.split(), *_INPUTS.split(), *_CLASSES.split()}
NEUTRAL = {
    "beta",
    "momentum",
    "reg",
    "l2",
    "l1",
    "lambda",
    "lambd",
    "regularization",
    "weightdecay",
    "decay",
    "dropout",
}
_ACTIVATIONS = {"activation", "activationfunction", "act", "nonlinearity"}


@dataclass(frozen=True)
class Meaning:
    """One way in which the arguments of a constructor may be meant.

    shape: which of the forms of an input's shape. text: whether padding is "valid" or "same", and not 0 or 1.
    kernel: a window's size as one number, a pair, or the whole shape of the filters. pair: whether a stride is a pair.
    weights: which of the orders weights that are handed over have. activation: what is asked for where one has to be.
    """

    shape: int = 0
    text: bool = False
    kernel: str = "number"
    pair: bool = False
    weights: int = 0
    activation: str = "linear"


def meanings(signature, stage):
    """The `Meaning`s that a constructor's arguments may have, the most usual first."""
    parameters = {plain(p.name): p for p in signature.parameters.values()}
    shapes = range(3) if parameters.keys() & set(_SHAPES) else (0,)
    padding = next((p.default for name, p in parameters.items() if name in ("padding", "pad")), None)
    texts = (True, False) if isinstance(padding, str) else (False, True) if padding is not None else (False,)
    windows = parameters.keys() & set(_KERNEL.split())
    kernels = ("number", "pair", *(("filters",) if stage == "conv" else ())) if windows else ("number",)
    pairs = (False, True) if parameters.keys() & {"stride", "strides"} else (False,)
    weights = range(4) if parameters.keys() & {"w", "weight", "weights"} else (0,)
    if stage == "conv" and parameters.keys() & FILTER_ITSELF:
        weights = range(len(FILTERS_GIVEN) + 1)  # the filter itself, or how many, or how large
    required = [name for name, p in parameters.items() if p.default is p.empty]
    activations = ("linear", "relu") if set(required) & _ACTIVATIONS else ("linear",)
    return [
        Meaning(shape, text, kernel, pair, order, activation)
        for activation in activations
        for order in weights
        for kernel in kernels
        for pair in (pairs if kernel == "number" else (True, False) if len(pairs) > 1 else (False,))
        for shape in shapes
        for text in texts
    ]


def constructors(cls, stage):
    """Functions (sizes, dtype) -> an object of the class, one for each way in which its arguments may be meant."""
    if getattr(cls, "from_sizes", False):
        return [cls]
    signature = inspect.signature(cls)

    def maker(meaning):
        return lambda sizes, dtype: cls(**arguments(signature, cls.__name__, stage, sizes, dtype, meaning))

    return [maker(meaning) for meaning in meanings(signature, stage)]


def arguments(signature, name, stage, sizes, dtype, meaning):
    """{name: value} of a call's arguments by what their names say.

    Raises:
        TypeError: an argument without default that nothing is known for. Numbers are given by their place only where
            no name says anything: a size that fits by chance would be a mistake of ours.
    """
    parameters = [p for p in signature.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    values, unknown = {}, []
    for parameter in parameters:
        value = _argument(plain(parameter.name), stage, sizes, dtype, meaning, parameter.default)
        if value is not None:
            values[parameter.name] = value
        elif parameter.default is parameter.empty:
            unknown.append(parameter.name)
    if not unknown:
        return values
    usual: tuple = {"conv": (sizes.input_shape[2], sizes.filters, 3), "pool": (2, 2)}.get(stage, ())
    usual = usual or (int(np.prod(sizes.pool)), sizes.classes)
    if stage == "conv" and len(unknown) == 1 and len(values) == 0:
        usual = (sizes.filters,)
    short = all(len(each) <= 2 for each in unknown)  # a letter names nothing: what stands at its place is meant
    named = {plain(p.name) for p in parameters if p.name in values}
    if (named & _SIZES and not short) or len(unknown) > len(usual):
        raise TypeError(f"{name} wants {', '.join(unknown)}, which nothing is known for")
    required = [p.name for p in parameters if p.default is p.empty]
    places = [required.index(each) if named & _SIZES else number for number, each in enumerate(unknown)]
    if max(places) >= len(usual):
        raise TypeError(f"{name} wants {', '.join(unknown)}, which nothing is known for")
    return values | {each: usual[place] for each, place in zip(unknown, places, strict=True)}


def preparation(signature, stage, sizes, dtype):
    """The arguments of a method that prepares a layer, in their order; 0 for a number that nothing is known of."""
    found = []
    for parameter in signature.parameters.values():
        if parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            break
        name = plain(parameter.name)
        value = _argument(name, stage, sizes, dtype, Meaning(), parameter.default)
        found.append(0.0 if value is None else value)
    return found


def unary(methods):
    """Public methods that take one argument, and might be the way forward."""
    return [
        name
        for name, signature in methods.items()
        if name[:1] != "_"
        and name.lower().startswith(
            ("forward", "feed", "conv", "pool", "maxpool", "activat", "process", "eval", "compute")
        )
        and sum(p.default is p.empty for p in signature.parameters.values()) == 1
    ]


def _argument(name, stage, sizes, dtype, meaning, default=inspect.Parameter.empty):
    """The value of a constructor's argument by its plain name; None if it is not known, or the default will do."""
    h, w, c = sizes.input_shape if stage in ("conv", "whole") else sizes.conv
    p, q, f = sizes.pool
    if name in _SHAPES:
        if stage == "logits":
            return ((p, q, f), (f, p, q), (p * q * f,))[meaning.shape]
        return ((h, w, c), (c, h, w), (h, w))[meaning.shape]
    if name in ("padding", "pad"):
        if stage != "conv" and stage != "whole":  # a pool has none, whatever the convolution has
            return None if default is not inspect.Parameter.empty else 0
        same = sizes.padding == "same"
        text = sizes.padding.upper() if isinstance(default, str) and default.isupper() else sizes.padding
        return text if meaning.text else int(same)
    if name in ("stride", "strides"):
        size = 2 if stage == "pool" else 1
        return (size, size) if meaning.pair else size
    if name in ("seed", "randomstate"):
        return 0
    if name in RATES:
        return 1.0  # set anew before each call
    if name == "dtype":
        return np.dtype(dtype).type
    if neutral(name):
        # nothing is added to the gradients, nor kept from step to step, whatever the code would do if it were not told
        return 0.0 if default is inspect.Parameter.empty or isinstance(default, float) else None
    if name in _ACTIVATIONS and default is inspect.Parameter.empty:
        return meaning.activation
    if stage == "conv" and name in FILTER_ITSELF and meaning.weights:
        order = Order(KERNEL, tuple(FILTERS_GIVEN[meaning.weights - 1]))
        return np.zeros(order.shape((3, 3, c, sizes.filters)), dtype)
    if stage in ("conv", "logits") and name in ("w", "weight", "weights"):
        return _weights(stage, sizes, dtype)[meaning.weights % 4]
    if stage in ("conv", "logits") and name in ("b", "bias", "biases"):
        if isinstance(default, bool) or default is not inspect.Parameter.empty:
            return None  # a switch, or something that it makes by itself
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
        whole = (3, 3, c, sizes.filters)
        return {"number": size, "pair": (size, size), "filters": whole}[meaning.kernel]
    return None


def neutral(name):
    """Whether an argument adds something to a gradient, or keeps something from step to step, unless it is 0."""
    return name in NEUTRAL or name.startswith(("lam", "reg", "weightdecay"))


def _weights(stage, sizes, dtype):
    """Zeros in the orders that weights handed to a constructor may have."""
    c, f, rows, k = sizes.input_shape[2], sizes.filters, int(np.prod(sizes.pool)), sizes.classes
    shapes = [(f, c, 3, 3), (3, 3, c, f), (f, 3, 3, c), (f, 3, 3)] if stage == "conv" else [(rows, k), (k, rows)] * 2
    return [np.zeros(shape, dtype) for shape in shapes]
