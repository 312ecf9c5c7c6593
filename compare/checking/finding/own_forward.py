"""Layers of any kind: the way back held to the derivative of the code's own way forward, which is not judged itself."""

import itertools
import re
from dataclasses import dataclass, field

import numpy as np

from compare.checking.calling import arguments, arrays, handing, naming, trying, words
from compare.checking.calling.arguments import VARIADIC
from compare.checking.calling.part import Part, items_of
from compare.checking.calling.plan import RATE, Plan, Sizes
from compare.checking.finding.backwards import INPUT_GRADIENTS, is_gradient_of
from compare.checking.judging import softmaxes
from compare.checking.judging.derivative import UndecidedError, along, verdict
from compare.contract import NotOfferedError

SIZES = Sizes((8, 10, 2), 3, 5)  # of which a pool takes maps of 6 rows, 8 columns, 3 channels
SHARE = 32  # of the time of all calls, that of all these layers
# What is judged elsewhere, has no derivative, remembers what came before, or is no layer.
NOT_LAYERS = re.compile(
    "loss|entropy|cost|net(?![a-z])|network|model|sequential|^layer$|module|base|abstract|classifier|trainer|"
    "optimi[sz]er|rnn|lstm|gru|recurrent|attention|transformer|drop|noise|reverse|sign|binar|quanti|stochastic|"
    "embedding|^cnn|^mlp|trainable",
    re.I,
)
SOFTMAX = re.compile("(activation_?)?softmax(_?(layer|activation|function))?", re.I)
FEATURES = {"numfeatures", "nfeatures", "features", "normalizedshape", "dim", "ndim", "num", "nout", "shape", "d"}
FEATURES |= words.INPUTS | words.CHANNELS | words.SHAPES_IN | words.SHAPES | words.CLASSES
UPSTREAM = re.compile(r"d(?!ata|es|im|ist|epth|rop|type)|.*(grad|gradient|error|delta|upstream|dout)")
FLAG = re.compile("train|mode|test|infer|eval|phase")
KNOWN = words.RATES | words.BATCHES | words.INPUT_WORDS | words.OUTPUT_WORDS  # beside the upstream gradient
FLAT = 1e-6  # of random numbers of size 1
FAINT = 2.0**-10  # so small an upstream gradient that what clips gradients leaves it


def judge(classes, done):
    """What is found of ways back of classes.

    Args:
        classes: `Class` by name. done: names of those that are judged elsewhere.
    Returns:
        ({"derivative NAME": (outcome, what is seen)}, what is assumed, remarks).
    """
    rows: dict = {}
    assumed, remarks = [], []
    for name, cls in classes.items():
        backward = next((each for each in naming.BACKWARDS[:-1] if each in cls.methods), None)
        forward = trying.method_of(cls, naming.FORWARDS)
        of_another = "softmax" in name.lower() and not SOFTMAX.fullmatch(name)  # joined with a loss, or with weights
        if name in done or NOT_LAYERS.search(name) or of_another or not forward or not backward:
            continue
        if (best := _best(cls, forward, backward)) is None:
            continue
        wrong = next(filter(None, best.wrong.values()), "")
        rows[f"derivative {name}"] = ("differs", f"{name}: {wrong}") if wrong else ("agrees", "")
        of = " and ".join(best.wrong)
        judged = "" if SOFTMAX.fullmatch(name) else ", which is not judged"
        assumed.append(f"{name}: {of} held to the derivative of its own {forward}{judged}")
        remarks += [f"{name}: {remark}" for remark in dict.fromkeys(best.remarks)]
    return rows, assumed, remarks


def _best(cls, forward, backward):
    """The `_Trial` of the first way to call it whose gradients are derivatives; else of one that is the code's own."""
    end, differing = cls.stranger.worked + cls.stranger.limit / SHARE, None
    for make, x_of in _ways(cls):
        if cls.stranger.worked > end:
            break
        trial = _Trial(cls, make, forward, backward)
        try:
            for seed in (0, 1):
                trial.measure(x_of, seed)
            trial.judge()
        except UndecidedError:
            continue
        except trying.ATTEMPT:  # a way to call it that is not the code's may fail in any way
            continue
        except trying.FAILURES:
            return None
        # one that shows fewer of its gradients is not the way that it is meant
        if (
            trial.wrong
            and not any(trial.wrong.values())
            and len(trial.wrong) >= len(differing.wrong if differing else "")
        ):
            return trial
        differing = max((each for each in (differing, trial) if each), key=lambda each: len(each.wrong))
    return differing if differing and any(differing.wrong.values()) and _told(cls, forward, backward) else None


def _told(cls, forward, backward):
    """Whether the names of all that is handed over say what it is: else no call is known to be the code's own."""
    back = [p for p in cls.methods[backward].parameters.values() if p.kind not in VARIADIC]
    given = [words.plain(p.name) for p in back if p.default is p.empty]
    upstream = bool(given) and (given[0] in words.UPSTREAM or words.KIND_OF.get(given[0]) == "dy")
    upstream = upstream or bool(given and UPSTREAM.match(given[0]))
    others = all(name in KNOWN or name.endswith(words.CACHES) for name in given[1:])
    flags = [*cls.methods[forward].parameters.values(), *cls.__signature__.parameters.values()]
    flags = [p for p in flags if FLAG.search(words.plain(p.name)) and not ("train" in p.name and p.default is True)]
    free = all(words.plain(p.name) in words.TRAINING | words.ON for p in flags)
    return free and upstream and others


def _ways(cls):
    """(maker, rng -> input): maps and vectors, batches and one alone, the usual ones first."""
    h, w, f = SIZES.conv
    d = int(np.prod(SIZES.pool))
    maps = [(3, h, w, f), (3, f, h, w), (h, w, f), (f, h, w)]
    images = [(3, 8, 10, 2), (3, 2, 8, 10), (8, 10, 2), (2, 8, 10), (8, 10)]
    vectors = [(3, d), (d,), (d, 1), (d, 3)]
    shapes = {"pool": maps, "logits": vectors, "conv": images}
    found = [s for s in shapes if naming.LAYER_NAMES[s].search(cls.name)]
    for stage in found or shapes:
        makers = arguments.constructors(cls, stage)[:4]
        yield from itertools.product(makers, shapes[stage])
    required = [p for p in cls.__signature__.parameters.values() if p.default is p.empty and p.kind not in VARIADIC]
    if required and all(words.plain(p.name) in FEATURES for p in required):
        names = [p.name for p in required]
        for shape in (*maps[:2], *vectors[:1]):
            for size in (*dict.fromkeys((f, shape[-1])), shape[1:]):
                yield (lambda sizes, dtype, size=size: cls(**dict.fromkeys(names, size))), shape


class _AsItIs:
    """Where an `orders.Order` stands: arrays go in and come out as they are."""

    axes, letters = ("N",), ""

    def native(self, x):
        """A copy."""
        return np.array(x)

    def back(self, y, _):
        """What came out."""
        return y


@dataclass
class _Measured:
    """Of one gradient array what the code gave, along which directions, and the derivatives there."""

    weight: bool
    moved: bool = False
    gradients: list = field(default_factory=list)
    directions: list = field(default_factory=list)
    derivatives: list = field(default_factory=list)
    kept: list = field(default_factory=list)  # the weights themselves, and the gradients for a faint upstream gradient
    faint: list = field(default_factory=list)


class _Trial:
    """One way to make and call a layer; `wrong`: by what it is, what is wrong with the gradient, or ""."""

    def __init__(self, cls, make, forward, backward):
        self.cls, self.backward, self.count = cls, backward, 0
        training = any(words.plain(name) in words.TRAINING for name in cls.methods[forward].parameters)
        as_is = _AsItIs()
        self.plan = Plan("", make, cls.name, forward, backward, inward=as_is, outward=as_is, training=training)
        self.measured: dict = {}
        self.wrong: dict = {}
        self.remarks: list = []
        self.rated, self.of_sums, self.known = False, False, ""

    def measure(self, shape, seed):
        """Take the gradients of a fresh object, and the derivatives of its way forward along random directions."""
        rng = np.random.default_rng(seed)
        x, self.count = rng.standard_normal(shape), shape[0]
        part = Part(self.plan, SIZES, np.float64)
        told = bool(part.code.set_named(words.RATES - {"alpha", "rate"}, RATE))  # which may be of the layer itself
        self.rated, part.rated = told or handing.takes_rate(self.cls.methods[self.backward]), False
        part.code.set_named(words.TRAINING, True)
        y = part.forward(x)
        y = np.asarray(y)
        if y.dtype != np.float64 or not y.size or not np.isfinite(y).all():
            raise NotOfferedError("it computes in single precision, or gives no numbers")
        if not np.array_equal(part.forward(x), y) or np.array_equal(y, x):
            raise NotOfferedError("something random, or a state, is in it; or nothing")
        held = _weights(part.code)
        softmax = bool(SOFTMAX.fullmatch(self.cls.name))
        dy = rng.standard_normal(y.shape) * (softmaxes.one_of_each(y) if softmax else 1)
        found = self._gradients(part, held, x, dy)
        faint = self._gradients(part, held, x, FAINT * dy)
        if softmax and (own := found.get("the gradient of its input")):
            if softmaxes.joined(own[2], y, dy):
                raise NotOfferedError("its way back is joined with that of the loss")
            self.known = softmaxes.mistake(own[2], y, dy)
        if x.ndim == y.ndim == 2:  # what is handed may be the gradient of the sums, before an activation
            own = [gradient for path, _, gradient in found.values() if path is not None and gradient.ndim == 2]
            product = x.T @ dy
            self.of_sums = any(trying.close(g, p / n) for g in own for p in (product, product.T) for n in (1, len(x)))
        for name, (path, moved, gradient) in found.items():
            if moved and not (name in faint and trying.close(faint[name][2] / FAINT, gradient)):
                continue  # by more than a rate times the gradient, as by Adam
            start = x if path is None else held[path]
            v = rng.standard_normal(start.shape)

            def value(t, path=path, start=start, v=v):
                if path is None:
                    return float(np.sum(dy * part.forward(start + t * v)))
                part.code.write([(path, start + t * v)])
                return float(np.sum(dy * part.forward(x)))

            derivative = along(value)
            if path is not None:
                part.code.write([(path, start)])
            one = self.measured.setdefault(name, _Measured(path is not None, moved))
            one.gradients.append(gradient)
            one.directions.append(v)
            one.derivatives.append(derivative)
            one.kept.append(start)
            one.faint.append(faint[name][2] / FAINT if name in faint else gradient)

    def _gradients(self, part, held, x, dy):
        """{what it is: (path of a weight or None, whether it was read off a move, gradient)}; weights stay."""
        part.forward(x)
        before = {path: array.copy() for path, array in arrays.arrays_of(part.code).items()}
        items = {key: each for key, each in items_of(part.call_backward(dy)).items() if each.dtype.kind == "f"}
        after = arrays.arrays_of(part.code)
        fresh = {path: a for path, a in after.items() if path not in before or not arrays.same(a, before[path])}
        moved = {path: (start - after[path]) / RATE for path, start in held.items() if path in fresh}
        part.code.write(list(held.items()))
        fresh = {path: a for path, a in fresh.items() if path not in held and arrays.is_gradient(path)}
        found: dict = {}
        key = next((key for key, each in items.items() if each.shape == x.shape), self)
        if key is not self:
            found["the gradient of its input"] = None, False, items.pop(key)
        elif left := [path for path, each in fresh.items() if each.shape == x.shape and _is_of_input(path)]:
            found["the gradient of its input"] = None, False, fresh.pop(left[0])
        given = {**{("d", key): each for key, each in items.items()}, **fresh}
        for path, start in held.items():
            alike = [other for other, each in held.items() if each.shape == start.shape]
            own = [key for key, each in given.items() if each.shape == start.shape]
            named = [key for key in own if isinstance(key[-1], str) and is_gradient_of(key, path)]
            others = [each for each in alike if each != path and any(is_gradient_of(key, each) for key in named)]
            name = f"that of {arrays.named(path)}"
            if len(named) == 1 and not others:
                found[name] = path, False, given[named[0]]
            elif len(own) == len(alike) == 1:
                found[name] = path, False, given[own[0]]
            elif not own and path in moved:
                found[name] = path, True, moved[path]
        return found

    def judge(self):
        """Hold what was measured to the derivatives; fills in `wrong` and `remarks`."""
        for name, one in self.measured.items():
            if len(one.derivatives) < 2 or all(abs(each) < FLAT for each in one.derivatives):
                continue  # where it is flat, whatever is handed on is on purpose
            outcome, said = verdict(one.gradients, one.directions, one.derivatives)
            if outcome == "agrees":
                self.wrong[name] = ""
                self.remarks += [f"{name}: {said}"] if said else []
            elif self.of_sums:
                self.wrong = {}
                return
            elif excuse := self._excuse(one):
                self.wrong[name] = ""
                self.remarks.append(f"{name} {excuse}")
            else:
                self.wrong[name] = f"{name}: {said}{self.known}"

    def _excuse(self, one):
        """The convention by which a gradient is right; "" if there is none."""

        def right(gradients):
            return verdict(gradients, one.directions, one.derivatives)[0] == "agrees"

        if right([self.count * g for g in one.gradients]):
            return f"is the mean over {self.count} of the first axis"
        if one.weight and right([g / self.count for g in one.gradients]):
            return f"is {self.count} times as large as the sum over the first axis"
        if one.moved and right([-g for g in one.gradients]):
            return "is followed uphill: it is handed the negative gradient, or it climbs"
        if right(one.faint):
            return "is clipped"
        found = [np.sum(g * v) for g, v in zip(one.gradients, one.directions, strict=True)]
        if one.moved and not self.rated and np.allclose(found[0] * one.derivatives[1], found[1] * one.derivatives[0]):
            return "is followed at a rate of its own" if found[0] * one.derivatives[0] > 0 else ""
        rest = [f - d for f, d in zip(found, one.derivatives, strict=True)]
        decay = [np.sum(w * v) for w, v in zip(one.kept, one.directions, strict=True)]
        if one.weight and all(decay) and np.isclose(rest[0] / decay[0], rest[1] / decay[1], rtol=1e-5):
            return f"has {rest[0] / decay[0]:.3g} times the weights added, as of a decay"
        return ""


def _is_of_input(path):
    return words.plain(str(path[-1]).lstrip("._")) in INPUT_GRADIENTS


def _weights(code):
    """{path: a copy} of the arrays that may be weights, one path of each."""
    found: dict = {}
    for path, array in arrays.arrays_of(code).items():
        if not arrays.is_gradient(path) and not arrays.is_memory(path):
            found.setdefault(id(array), (path, array.copy()))
    return dict(found.values())
