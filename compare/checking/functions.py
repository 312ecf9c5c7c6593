"""Functions, one layer at a time: each pair of forward and backward becomes a layer class, found like any other."""

import dataclasses
import inspect
import itertools
import re
from typing import Any

import numpy as np

from compare.checking import layers, layouts
from compare.checking.chain import chain
from compare.checking.layouts import plain
from compare.checking.stranger import RaisedError
from numpy_cnn.layers import Layers

_BACK = r"(back|grad|deriv|prime|^d_|bprop|^d[A-Z])"
_STEMS = {
    "conv": r"^(naive_|my_)?conv(3x3|2d|olve|olution)?(?!er|ent)",
    "pool": r"^(naive_|my_)?(max_?pool|avg_?pool|average_?pool|mean_?pool|pool)",
    "logits": r"^(naive_|my_)?(dense|linear|affine|fc|fully_?connected)",
    "probabilities": r"^(stable_)?softmax(?!.*(loss|entropy|cost|accura|score|predict|train))",
    "loss": r"^(softmax_(with_|and_)?)?(categorical_|sparse_|mean_)*"
    r"(cross_?e(ntropy)?|softmax_(loss|cost)|loss|nll|log_?loss|xent|ce_?loss)",
}
_KINDS = {
    "x": "x a image images input inputs aprev img imgs data xin features activations z logits h",
    "w": "w weight weights filter filters kernel kernels wt",
    "b": "b bias biases",
    "dy": "dy dout dloutput dlout dldout grad da dz doutput gradoutput dnext dh gradout upstream delta d dldy",
    "cache": "cache caches memory",
}
CLASS_COUNTS = {"numclass", "numclasses", "nclass", "nclasses", "classes", "noutputs", "outputsize", "k", "c"}
# Names for the shape of what went in: of the whole array, without the batch, of a map.
SHAPES = {"inputshape", "xshape", "shape", "originalshape", "inshape"}
BIASES = {"conv": ((-1,), (1, 1, 1, -1)), "logits": ((-1,), (1, -1), (-1, 1))}
KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
# Arguments that must be given, of a convolution and of pooling.
_EXTRA: dict = dict.fromkeys(("stride", "s"), (1, 2)) | dict.fromkeys(("pad", "padding"), (0, 0))
_EXTRA |= dict.fromkeys(("size", "poolsize", "f", "kernelsize"), (3, 2))
_EXTRA |= {"convparam": ({"stride": 1, "pad": 0},) * 2, "hparameters": ({"stride": 1, "pad": 0}, {"stride": 2, "f": 2})}
_EXTRA |= {"poolparam": ({}, {"pool_height": 2, "pool_width": 2, "stride": 2}), "hparams": _EXTRA["hparameters"]}


def _stage(name):
    """(stage, whether backward) that a function's name says; None if none."""
    backward = bool(re.search(_BACK, name))
    bare = re.sub(r"^(d_|backprop_|backward_|grad_|bprop_)", "", name)
    bare = re.sub(r"^d(?=[A-Z])", "", bare).lower()
    for stage in ("loss", "probabilities", "conv", "pool", "logits"):
        if re.match(_STEMS[stage], bare):
            return stage, backward
    return None, backward


def _named(functions, stage, backward=False):
    return [f for name, f in functions.items() if _stage(name) == (stage, backward)]


def _call(function, known, pool, order):
    """Call by the names of the arguments; those with unknown names get what `order` says, required ones only.

    Returns:
        (what it returns, whether it wrote into the first of `order`).
    """
    keywords, rest, first = {}, [key for key in order if key in known], ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = plain(parameter.name)
        required = parameter.default is parameter.empty
        kind = KIND_OF.get(name)
        if name in SHAPES and "shape" in known:
            keywords[parameter.name] = known["shape"]
            continue
        if kind == "b" and "b" not in known and not required:
            continue
        if kind not in rest:
            if not required:
                continue
            if name in _EXTRA:
                keywords[parameter.name] = _EXTRA[name][pool]
                continue
            kind = rest[0] if rest else None
        if kind is None:
            raise TypeError(f"{function.__name__} wants {parameter.name}, which nothing is known for")
        keywords[parameter.name] = known[kind]
        first = parameter.name if kind == order[0] else first
        rest.remove(kind)
    value, changed = function.call(**keywords)
    return value, first in changed


_ONE = inspect.Signature([inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY)])


class Joined:
    """Two functions spoken to as one layer: what `stranger.Thing` is for an object of the code."""

    from_sizes = True  # made of sizes, not of arguments whose names must be guessed
    stale = False  # what it holds is held here
    name = called = ""
    methods: dict = {}
    kept: dict = {}

    def call(self, method, given):
        """(what the function returns, whether it wrote into what it was given)."""
        return getattr(self, method)(given)

    def arrays(self, kinds="f"):
        """{path: (array, which array it is)}; its weights are floats."""
        return {(f".{name}",): (array, name) for name, array in self.kept.items()}

    def read(self, *paths):
        """What is at each of the paths."""
        return [self.kept[path[0][1:]] for path in paths]

    def write(self, pairs):
        """Set values at paths: (path, value)."""
        self.kept |= {path[0][1:]: value for path, value in pairs}

    def set_named(self, names, value):
        """Functions keep nothing under a name."""
        return 0


def layer_class(stage, forward, backward, shape, bias_shape=(-1,)):
    """A layer class around two functions.

    Args:
        shape: (sizes) -> shape of the weights in the order tried; None without weights.
        bias_shape: one of BIASES.
    """

    biased = any(KIND_OF.get(plain(name)) == "b" for name in inspect.signature(forward).parameters)
    shaped = backward is not None and SHAPES & {plain(name) for name in inspect.signature(backward).parameters}

    class Layer(Joined):
        def __init__(self, sizes, dtype):
            self.kept: dict = {}
            if shape is not None:
                self.kept["weight"] = np.zeros(shape(sizes), dtype)
                if biased:
                    size = sizes.filters if stage == "conv" else sizes.classes
                    self.kept["bias"] = np.zeros(size, dtype).reshape(bias_shape)
            self._last: dict = {}
            self._shape = 0  # which of the shapes of what went in, where backward wants one

        def forward(self, x):
            known = {"x": x}
            if shape is not None:
                known |= {"w": self.kept["weight"], **({"b": self.kept["bias"]} if biased else {})}
            result, changed = _call(forward, known, stage == "pool", ("x", "w", "b"))
            cache = x
            if isinstance(result, tuple):
                cache = result[1] if len(result) == 2 else result[1:]
            self._last = {"cache": cache, **known}
            return result, changed

        def backward(self, dy):
            known, order = {"dy": dy, **self._last}, ("dy", "cache", "x", "w", "b")
            sizes = known["x"].shape
            shapes = (sizes, sizes[1:], sizes[1:3], sizes[2:])
            while True:
                try:
                    return _call(backward, known | {"shape": shapes[self._shape]}, stage == "pool", order)
                except RaisedError:  # another shape of what went in may be meant
                    if not shaped or self._shape == len(shapes) - 1:
                        raise
                    self._shape += 1

    Layer.name = Layer.called = forward.__name__
    Layer.methods = {"forward": _ONE} | ({"backward": _ONE} if backward is not None else {})
    return Layer


def _shapes(stage):
    if stage == "conv":
        orders = [layouts.Order(layouts.KERNEL, tuple(axes)) for axes in (*layouts.KERNELS, *layouts.FLAT_KERNELS)]
        return [lambda sizes, order=order: order.shape(sizes.shapes()["conv_weight"]) for order in orders]
    if stage == "logits":
        return [lambda s: (int(np.prod(s.pool)), s.classes), lambda s: (s.classes, int(np.prod(s.pool)))]
    return [None]


def _arguments(function):
    return len(inspect.signature(function).parameters)


def find_function(functions, stage, files, first=False, after=None):
    """(`Plan` of a stage's functions, what is wrong with the way back), each or None. Arguments as of `find_layer`."""
    # what takes its weights from where nobody else can set them is not asked
    forwards = [f for f in _named(functions, stage) if stage not in ("conv", "logits") or _arguments(f) > 1]
    backward = next(iter(_named(functions, stage, backward=True)), None)
    best, failure = None, None
    for forward, shape, bias in itertools.product(forwards, _shapes(stage), BIASES.get(stage, ((-1,),))):
        try:
            found = layers.connect(layer_class(stage, forward, backward, shape, bias), stage, files, first, after)
        except layers.NotConnectedError as error:
            failure = failure or error
            continue
        plan = found[0]
        if plan.agreed and (backward is None or set(plan.gradients) == set(plan.weights)):
            return found
        best = found if best is None or _rank(plan) > _rank(best[0]) else best
    if best is None and failure is not None:
        raise failure
    return best or (None, None)


def _rank(plan):
    return (plan.score, len(plan.gradients))


def find_softmax(functions, files, after=None):
    """The `Plan` of a softmax function; None without one."""
    return find_function(functions, "probabilities", files, after=after)[0]


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss function as the code wants it called.

    takes: "probabilities" or "logits". labels: "index" or "one-hot". labels_first: their place in the call.
    batches_of_one: whether it stands behind layers that take one image at a time, and does as they do.
    gradient: a function that gives that of the logits.
    value_at, gradient_at: the places of value and gradient where the loss returns several things; None for a bare
        value, and where no gradient is among them.
    """

    function: Any
    takes: str
    labels: str
    labels_first: bool
    one_image: bool
    batches_of_one: bool = False
    gradient: Any = None
    value_at: int | None = None
    gradient_at: int | None = None

    @property
    def gives_gradient(self):
        """Whether there is a gradient of the logits."""
        return self.gradient_at is not None or self.gradient is not None

    def described(self):
        """What was found out, in one line."""
        how = "one image at a time" if self.one_image else "a batch at a time"
        name = self.function.__name__
        return f"{name} is taken as the loss: {how}, of {self.takes}, labels as {self.labels}"

    def _chunks(self, x, labels):
        given = np.eye(x.shape[1], dtype=x.dtype)[labels] if self.labels == "one-hot" else np.array(labels)
        if not self.one_image:
            size = 1 if self.batches_of_one else len(x)
            return [(x[n : n + size].copy(), given[n : n + size]) for n in range(0, len(x), size)]
        return [(row.copy(), y if self.labels == "one-hot" else int(y)) for row, y in zip(x, given, strict=True)]

    def _call(self, function, x, y):
        parameters = list(inspect.signature(function).parameters.values())
        first, second = (y, x) if self.labels_first else (x, y)
        if len(parameters) < 2:
            raise TypeError(f"{function.__name__} takes one argument, wanted a prediction and its labels")
        more = [plain(p.name) for p in parameters[2:] if p.default is p.empty and p.kind != p.VAR_KEYWORD]
        if more and not set(more) <= CLASS_COUNTS:
            raise TypeError(f"{function.__name__} wants {', '.join(more)}, which nothing is known for")
        return function(first, second, *(np.shape(x)[-1] for _ in more))

    def value(self, x, labels):
        """The loss of probabilities or logits (N, K), whichever it takes; the mean of what it gives for each image."""
        found = [self._call(self.function, *chunk) for chunk in self._chunks(x, labels)]
        found = [each if self.value_at is None else each[self.value_at] for each in found]
        return np.mean([np.mean(each) for each in found]).astype(np.asarray(found[0]).dtype)

    def d_logits(self, x, labels):
        """(N, K), of the mean over images where the code takes one at a time."""
        if self.gradient_at is not None:
            found = [self._call(self.function, *chunk)[self.gradient_at] for chunk in self._chunks(x, labels)]
        else:
            found = [self._call(self.gradient, *chunk) for chunk in self._chunks(x, labels)]
        if not self.one_image and not self.batches_of_one:
            return np.asarray(found[0])
        return np.stack([np.asarray(each).reshape(x.shape[1]) for each in found]) / x.dtype.type(len(x))


class OfClass:
    """A loss class spoken to as a function of prediction and labels: a fresh object, forward, backward on request."""

    def __init__(self, cls, forward, backward=None):
        self.cls, self.forward, self.backward = cls, forward, backward
        self.__name__ = cls.called
        self.__signature__ = cls.methods[forward]

    def __call__(self, first, second):
        """The loss; with a backward, the gradient that it leaves: returned, or in an attribute named like one."""
        code = self.cls()
        value, _ = code.call(self.forward, first, second)
        if self.backward is None:
            return value
        known = {"x": first, "labels": second, "out": value}
        signature = self.cls.methods[self.backward]
        required = [p for p in signature.parameters.values() if p.default is p.empty]
        arguments = [first, second] if len(required) == 2 else [layouts_given(required[0], known)] if required else []
        found, _ = code.call(self.backward, *arguments)
        if isinstance(found, np.ndarray):
            return found
        kept = {plain(str(path[-1]).lstrip("._")): array for path, array in layouts.arrays_of(code).items()}
        named = [kept[name] for name in layers.INPUT_GRADIENTS if name in kept]
        if not named:
            raise TypeError(f"{self.__name__}.{self.backward} gave no gradient")
        return named[0]


def layouts_given(parameter, known):
    """What the only argument of a loss's backward is: labels by their name, else an upstream gradient of 1."""
    return known["labels"] if plain(parameter.name) in layouts.LABELS else 1.0


def find_loss_class(classes):
    """(`Loss`, class) of the first class that is a loss; (None, None) without one."""
    for cls in classes:
        forward = layers.method_of(cls, layers.FORWARDS)
        if forward is None or len(cls.methods[forward].parameters) < 2:
            continue
        backward = layers.method_of(cls, layers.BACKWARDS)
        gradient = OfClass(cls, forward, backward) if backward is not None else None
        loss, agrees = _loss(OfClass(cls, forward), gradient)
        if agrees or (loss is not None and re.search("entropy|nll|softmax", cls.name, re.I)):
            return loss, cls
    return None, None


def find_loss(functions):
    """The `Loss` among functions; None if there is none.

    Raises:
        NotConnectedError: one is named like a loss, and gave nothing in any way to call it, or is no cross-entropy.
    """
    named = {name: function for name, function in functions.items() if _stage(name) == ("loss", False)}
    backward = next((function for name, function in functions.items() if _stage(name) == ("loss", True)), None)
    found = {name: _loss(function, backward) for name, function in named.items()}
    agreeing = [loss for loss, agrees in found.values() if agrees]
    if agreeing or not found:
        return agreeing[0] if agreeing else None
    for name, (loss, _) in found.items():
        if loss is not None and re.search("entropy|nll|xent|log_?loss|softmax", name, re.I):
            return loss  # it says what it is, so that what it gives instead is for the judge
    name, (loss, _) = next(iter(found.items()))
    reason = "no way to call it gave a number" if loss is None else "it is another loss than the cross-entropy"
    raise layers.NotConnectedError("loss", f"{name}: {reason}")


def _loss(function, backward):
    """(`Loss` or None, whether it gives the cross-entropy) of one function."""
    rng = np.random.default_rng(7)
    logits, labels = rng.standard_normal((3, 5)), np.array([4, 0, 2])
    right = Layers((6, 6, 1), 2, 5, dtype=np.float64)
    inputs = {"logits": logits, "probabilities": right.forward_stage("probabilities", logits)}
    wanted = right.forward_stage("loss", logits, labels)
    d_logits = right.backward_stage("loss", logits, np.float64(1), labels)["logits"]
    names = [plain(name) for name in inspect.signature(function).parameters]
    is_label = [name in layouts.LABELS for name in names[:2]]
    orders = (True,) if is_label == [True, False] else (False,) if is_label == [False, True] else (False, True)
    takes_logits = names[:1] in (["logits"], ["z"]) or "softmax" in function.__name__.lower()
    ran: list = []
    for first in orders:
        for takes in ("logits", "probabilities") if takes_logits else ("probabilities", "logits"):
            for form, one_image in (("index", False), ("one-hot", False), ("index", True), ("one-hot", True)):
                loss = Loss(function, takes, form, first, one_image)
                try:
                    x, y = loss._chunks(inputs[takes], labels)[0]
                    loss = dataclasses.replace(loss, **_places(loss._call(function, x, y), x, inputs["probabilities"]))
                    value = loss.value(inputs[takes], labels)
                    agrees = any(np.isclose(value, each, rtol=1e-3) for each in (wanted, 3 * wanted))
                except layers.ATTEMPT:  # a way to call it that is not the code's
                    continue
                if np.isfinite(value):
                    ran.append((not agrees, len(ran), loss))
    if not ran:
        return None, False
    differs, _, loss = min(ran, key=lambda each: each[:2])
    if loss.gives_gradient or backward is None:
        return loss, not differs
    for takes in ("logits", "probabilities"):
        trial = dataclasses.replace(loss, gradient=backward, takes=takes)
        try:
            found = trial.d_logits(inputs[takes], labels)
        except layers.ATTEMPT:  # its arguments are others
            continue
        # the gradient of the probabilities is another quantity, which the contract does not have
        d_out = np.where(np.eye(5)[labels] == 1, -1 / inputs["probabilities"], 0) / 3
        other = any(layers.close(found, each) for each in (d_out, 3 * d_out))
        if takes == loss.takes and found.shape == d_logits.shape and not other:
            return trial, not differs
    return loss, not differs


def _places(result, x, probabilities):
    """Where in what a loss returned its value stands, and a gradient: an array like the logits, not probabilities."""
    if not isinstance(result, tuple | list):
        return {}
    arrays = [np.asarray(each) if isinstance(each, np.ndarray | np.generic | float) else None for each in result]
    values = [place for place, a in enumerate(arrays) if a is not None and a.size in (1, len(np.atleast_2d(x)))]
    probabilities = probabilities[: len(np.atleast_2d(x))]
    gradients = [
        place
        for place, a in enumerate(arrays)
        if a is not None and a.shape == x.shape and not layers.close(a.reshape(probabilities.shape), probabilities)
    ]
    return {"value_at": next(iter(values), 0), "gradient_at": next(iter(gradients), None)}


def subject(functions, files, problems):
    """A subject of functions; None if none of their names is known or none could be called.

    Args:
        problems: `finding.Problems`, which takes what is wrong with those that were not connected.
    """
    plans: dict = {}
    for stage in ("conv", "pool", "logits", "probabilities"):
        first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
        after = plans.get("logits") if stage == "probabilities" else None
        with problems.of(next(iter(_named(functions, stage)), None)):
            plan, problem = find_function(functions, stage, files, first, after)
            if plan is not None:
                plans[plan.stage] = plan
                problems.add(plan.name, problem)
    loss = None
    with problems.of(None):
        loss = find_loss(functions)
    if not plans and loss is None:
        return None
    return chain(plans, loss, [])
