"""Functions, one layer at a time: each pair of forward and backward becomes a layer class, found like any other."""

import inspect
import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from compare.checking.calling import orders, trying, words
from compare.checking.calling.naming import stage_of
from compare.checking.calling.words import plain
from compare.checking.finding import layers
from compare.checking.finding.chain import chain
from compare.checking.finding.forwards import SHARE
from compare.checking.finding.losses import find_loss
from compare.checking.process.things import AbsentError, RaisedError

BIASES = {"conv": ((-1,), (1, 1, 1, -1), (-1, 1)), "logits": ((-1,), (1, -1), (-1, 1))}


def _named(functions, stage, backward=False):
    public_first = sorted(functions, key=lambda name: name[:1] == "_")
    return [functions[name] for name in public_first if stage_of(name) == (stage, backward)]


def _call(function, known, pool, order):
    """Call by the names of the arguments; those with unknown names get what `order` says, required ones only.

    Returns:
        (what it returns, by their kinds the arrays that it wrote into, as they are then).
    """
    keywords, rest, kinds = {}, [key for key in order if key in known], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = plain(parameter.name)
        required = parameter.default is parameter.empty
        kind = words.KIND_OF.get(name)
        kind = "x" if kind == "cache" and "cache" not in known else kind
        if name in words.WENT_IN and "shape" in known:
            keywords[parameter.name] = known["shape"]
            continue
        if kind == "b" and "b" not in known and not required:
            continue
        if name in ("stride", "strides") and isinstance(parameter.default, int):
            keywords[parameter.name] = 1 + pool  # whatever it is for others
            continue
        if kind == "rate" and "rate" in known:
            keywords[parameter.name] = known["rate"]
            continue
        if kind not in rest:
            if not required:
                continue
            if name in words.EXTRA or name in words.WINDOWS:
                keywords[parameter.name] = words.EXTRA.get(name, (3, 2))[pool]
                continue
            kind = rest[0] if rest else None
        if kind is None:
            raise TypeError(f"{function.__name__} wants {parameter.name}, which nothing is known for")
        keywords[parameter.name] = known[kind]
        kinds[parameter.name] = kind
        rest.remove(kind)
    value, changed = function.call(**keywords)
    return value, {kinds[name]: array for name, array in changed.items() if name in kinds}


_ONE = inspect.Signature([inspect.Parameter("x", inspect.Parameter.POSITIONAL_ONLY)])


class Joined:
    """Two functions spoken to as one layer: what `stranger.Thing` is for an object of the code."""

    from_sizes = True  # made of sizes, not of arguments whose names must be guessed
    stale = False  # what it holds is held here
    name = called = ""
    stranger: Any = None
    methods: dict = {}
    kept: dict = {}
    rated, rate = False, 0.0  # whether the way back takes a learning rate, and so moves the weights

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
        """Functions keep nothing under a name; a rate is handed to them each time."""
        taken = self.rated and "rate" in names
        self.rate = value if taken else self.rate
        return int(taken)


_BACK = ("dy", "cache", "x", "w", "b")
_WEIGHTS = (("weight", "w"), ("bias", "b"))


def _numbered(result):
    """What a function returned, each by its place."""
    return enumerate(result if isinstance(result, tuple | list) else [result])


def _biased(forward):
    return any(words.KIND_OF.get(plain(name)) == "b" for name in inspect.signature(forward).parameters)


def _same(one, other):
    return isinstance(one, np.ndarray) and one.shape == other.shape and np.array_equal(one, other)


def layer_class(stage, forward, backward, shape, bias_shape=(-1,)):
    """A layer class around two functions.

    Args:
        shape: (sizes) -> shape of the weights in the order tried; None without weights.
        bias_shape: one of BIASES.
    """
    biased = _biased(forward)
    back = set() if backward is None else {plain(name) for name in inspect.signature(backward).parameters}

    class Layer(Joined):
        rated = bool(back & words.RATES)

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
            self._last = known
            if isinstance(result, tuple):
                self._last["cache"] = result[1] if len(result) == 2 else result[1:]
            return result, "x" in changed

        def backward(self, dy):
            known = {"dy": dy, **self._last} | ({"rate": self.rate} if self.rated else {})
            if not self.rated or shape is None:
                result, changed = self._back(known)
                return result, "dy" in changed
            still = dict(_numbered(self._back(known | {"rate": 0.0})[0]))
            result, changed = self._back(known)
            left = []
            for place, each in _numbered(result):
                # what is a weight at a rate of 0 is that weight after the step
                own = [name for name, key in _WEIGHTS if key in known and _same(still.get(place), known[key])]
                self.kept |= dict.fromkeys(own[:1], each)
                left += [] if own else [each]
            self.kept |= {name: changed[key] for name, key in _WEIGHTS if key in changed}
            return tuple(left), "dy" in changed

        def _back(self, known):
            sizes = known["x"].shape
            shapes = (sizes, sizes[1:], sizes[1:3], sizes[2:])
            while True:
                try:
                    return _call(backward, known | {"shape": shapes[self._shape]}, stage == "pool", _BACK)
                except RaisedError:  # another shape of what went in may be meant
                    if not back & words.WENT_IN or self._shape == len(shapes) - 1:
                        raise
                    self._shape += 1

    Layer.name = Layer.called = forward.__name__
    Layer.stranger = forward.stranger
    Layer.methods = {"forward": _ONE} | ({"backward": _ONE} if backward is not None else {})
    return Layer


def _shapes(stage):
    if stage == "conv":
        known = [orders.Order(orders.KERNEL, tuple(axes)) for axes in (*orders.KERNELS, *orders.FLAT_KERNELS)]
        return [lambda sizes, order=order: order.shape(sizes.shapes()["conv_weight"]) for order in known]
    if stage == "logits":
        return [lambda s: (int(np.prod(s.pool)), s.classes), lambda s: (s.classes, int(np.prod(s.pool)))]
    return [None]


def _way_back(forward, ways):
    """That which is named like the way forward; else the whole one, beside which may be some for one gradient each."""
    wanted = forward.__name__.replace("forward", "backward")
    return min(ways, key=lambda f: (f.__name__ != wanted, "back" not in f.__name__.lower()), default=None)


def find_function(functions, stage, files, first=False, after=None):
    """(`Plan` of a stage's functions, what is wrong with the way back), each or None. Arguments as of `find_layer`."""
    # what takes its weights from where nobody else can set them is not asked
    forwards = [
        f for f in _named(functions, stage) if stage not in ("conv", "logits") or len(f.__signature__.parameters) > 1
    ]
    ways_back = _named(functions, stage, backward=True)
    best: Any = None
    failure: Exception | None = None
    end = max((each.stranger.worked + each.stranger.limit / SHARE for each in forwards), default=0.0)
    settled = agreed = None
    complaints: dict = {}  # by function and shape of the weights, with the first shape of the bias
    for forward, shape, bias in itertools.product(forwards, _shapes(stage), BIASES.get(stage, ((-1,),))):
        if settled == (forward.name, shape):  # it runs at all sizes: its bias, if any, is of this shape
            continue
        if agreed and agreed != (forward.name, shape):  # of one filter any shape of the bias may be right
            break
        if forward.stranger.worked > end:
            if best is not None and best[0].agreed:  # else what was not tried may be the way
                break
            raise trying.NotConnectedError(stage, trying.NO_TIME)
        try:
            backward = _way_back(forward, ways_back)
            layer = layer_class(stage, forward, backward, shape, bias)
            before = complaints.get((forward.name, shape))
            found = layers.connect(layer, stage, files, first, after, before)
        except trying.TroubleError as error:
            failure = failure if isinstance(failure, trying.TroubleError) else error
            settled = (forward.name, shape)  # there may be another beside it
            continue
        except trying.NotConnectedError as error:
            complaints.setdefault((forward.name, shape), error.complaints)
            if isinstance(error.__cause__, AbsentError):
                raise
            failure = failure or error
            continue
        plan = found[0]
        whole = backward is None or set(plan.gradients) == set(plan.weights)
        if plan.agreed and whole:
            if "filters" not in plan.same or not _biased(forward):
                return found
            agreed = (forward.name, shape)
        settled = (forward.name, shape) if plan.score > 1 and whole and not plan.same else settled
        best = found if best is None or _rank(plan) > _rank(best[0]) else best
    if best is None and failure is not None:
        raise failure
    return best or (None, None)


def _rank(plan):
    return (plan.score, -len(plan.same), len(plan.gradients))


def before_softmax(plans):
    """The `Plan` of the dense layer, or None: for one image where the layers before take one, and it more by chance."""
    dense = plans.get("logits")
    if dense is None or not any(plans[stage].one_image for stage in ("conv", "pool") if stage in plans):
        return dense
    return dense if dense.one_image else replace(dense, one_image=True, outward=orders.Order("NK", ("K",)))


def find_softmax(functions, files, after=None):
    """The `Plan` of a softmax function; None without one."""
    return find_function(functions, "probabilities", files, after=after)[0]


def add(plans, stages, functions, files, problems, beside=False):
    """The plans with those of functions for these stages, where there is none yet. `problems` as of `subject`.

    Args:
        beside: whether they stand beside layer classes: then one of a single map that is no layer is a helper of these.
    """
    for stage in stages:
        if stage in plans or (stage == "logits" and "head" in plans):
            continue
        first = next((plans[key].channels_first() for key in ("pool", "conv") if key in plans), False)
        after = before_softmax(plans) if stage == "probabilities" else None
        with problems.of(next(iter(_named(functions, stage)), None)):
            plan, problem = find_function(functions, stage, files, first, after)
            if plan is not None and not (beside and not plan.agreed and {"channels", "filters"} <= plan.same.keys()):
                plans[plan.stage] = plan
                problems.add(plan.name, problem)
    return plans


def subject(functions, files, problems):
    """A subject of functions; None if none of their names is known or none could be called.

    Args:
        problems: `connecting.Problems`, which takes what is wrong with those that were not connected.
    """
    plans = add({}, ("conv", "pool", "logits", "probabilities"), functions, files, problems)
    loss = None
    with problems.of(None):
        loss = find_loss(functions)
    if not plans and loss is None:
        return None
    return chain(plans, loss, [])
