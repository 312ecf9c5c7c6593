"""Activations that are layers or functions of their own, found by name and by trying, and held to their definitions."""

import itertools
import re

import numpy as np

from compare.checking.calling import arrays, naming, trying, words
from compare.checking.calling.arguments import VARIADIC
from compare.checking.calling.explaining import explain
from compare.checking.calling.part import items_of, like
from compare.checking.judging import activations as right
from compare.checking.process.things import Class, RaisedError, StrangersError
from compare.contract import NotOfferedError

KINDS = {"leakyrelu": "ReLU", "lrelu": "ReLU", "relu": "ReLU", "sigmoid": "sigmoid", "tanh": "tanh"}
KINDS |= dict.fromkeys(("logistic", "nonlinearity", "nonlin", "rectifier", "activate", "activation"), "")  # any
BACK = "backwards?|backprop|back|bprop|bp|gradient|grad|derivative|derivation|derivate|deriv|der|prime|delta|diff"
MORE = "layers?|module|activations?|act|function|func|fn|forward|fwd|for|apply|my|np|numpy|stable|simple"
NAME = re.compile(rf"((?:{BACK}|{MORE}|d)*?)({'|'.join(KINDS)})((?:{BACK}|{MORE}|ofx|d[txz]?)*)")
IS_BACK = re.compile(rf".*({BACK}).*|d .*|.* d[txz]?")
WAYS = (
    (*naming.FORWARDS, "f", "fn", "func", "activate", "activation", "compute", "evaluate", "relu", "sigmoid", "tanh"),
    (*naming.BACKWARDS, "grad", "derivative", "deriv", "derive", "prime", "f_prime", "df", "dfn", "diff"),
)
GIVEN = re.compile(r"d(?!ata)|(grad|error|upstream)|.*(grad|gradient|error|delta|d[axyz]|dout)$")
SLOPES = {"alpha", "slope", "negativeslope", "leak", "leakiness", "leakyslope", "leakrate"}
FLAGS = ("deriv", "grad", "prime", "back")  # of a function that goes back if it is told to
SLOPE = 0.125  # of a leaky ReLU that has to be told
SHAPES = ((3, 4, 5, 2), (4, 6), (5, 4, 3))  # a batch of maps, of vectors, one image
SAID = {"given": "the upstream gradient", "x": "the input", "out": "the output", "cache": "what forward hands on"}
HUGE = 2  # the last of three turns: the numbers are too large for exp
SHARE = 8  # of the time of all calls, that of all activations


def judge(things, unconnected):
    """What is found of activations among classes and functions.

    Args:
        things: `Class` and `Function` by name. unconnected: a list that takes (name, why).
    Returns:
        ({"activation NAME" or "d_activation NAME": (outcome, what is seen)}, what is assumed, remarks).
    """
    rows: dict = {}
    assumed, remarks = [], []
    named = {name: match for name in things if (match := NAME.fullmatch(words.plain(name)))}
    functions = [name for name in named if not isinstance(things[name], Class)]
    back = {name for name in functions if IS_BACK.fullmatch(f"{named[name][1]} {named[name][3]}")}
    end = max((things[name].stranger.worked + things[name].stranger.limit / SHARE for name in named), default=0)
    for name, match in named.items():
        pairs = [each for each in functions if name in back and each not in back and named[each][2] == match[2]]
        first = next((each for each in pairs if each.replace("forward", "backward") == name), *pairs[:1] or [None])
        aheads = [things[first], None] if first else [None]  # what does not go is not what goes before
        trials = [_Trial(name, things[name], KINDS[match[2]], name in back, ahead) for ahead in aheads]
        trial = next((each for each in trials if each.done(end)), trials[0])
        if trial.failure and KINDS[match[2]]:  # what is only called an activation may be anything
            why = explain(trial.failure) if isinstance(trial.failure, StrangersError) else str(trial.failure)
            unconnected.append((f"{name}, backward" if trial.rows else name, why))
        rows |= {f"{each} {name}": seen or ("agrees", "") for each, seen in trial.rows.items()}
        assumed += [f"{name} is {trial.said}"] if trial.rows else []
        remarks += [f"{name} {remark}" for remark in dict.fromkeys(trial.remarks)]
    return rows, assumed, remarks


class _Trial:
    """One class or function tried out, and judged.

    Args:
        kind: "ReLU", "sigmoid", "tanh", or "" where its name does not say it.
        ahead: of a way back the function that goes forward, or None.
    """

    def __init__(self, name, thing, kind, is_back, ahead):
        self.name, self.thing, self.kind, self.is_back = name, thing, kind, is_back
        self.ahead = ahead if is_back else thing
        self.slope, self.said = 0.0, ""
        self.roles: tuple = ()
        self.rows: dict = {}
        self.remarks: list = []
        self.failure: Exception | None = None

    def done(self, end):
        """Whether a way to call it was found, in the time until `end`: fills in the attributes."""
        try:
            if self.thing.stranger.worked > end:
                raise NotOfferedError(trying.NO_TIME)
            self._judge()
        except trying.FAILURES as error:
            self.failure = error
        return not self.failure

    def _judge(self):
        ahead = self._go_forward()
        faults = {"activation": {} if self.is_back else ahead, "d_activation": self._go_back(ahead)}
        # what is right for one shape is written for that: of others it may give anything
        fine = {name: [shape for shape, fault in each.items() if not fault] for name, each in faults.items() if each}
        rows = {n: None if fine[n] else min(faults[n].values(), key=lambda fault: "; " not in fault[1]) for n in fine}
        for shape, dtype in itertools.product(ahead, (np.float64, np.float32)):
            made, before = _Made(self, shape), None
            for turn in range(3):
                x, dy = _numbers(shape, dtype, turn)
                try:
                    y, fault = self._output(made, x)
                    seen = {"activation": fault}
                    if shape in fine.get("d_activation", ()):
                        seen["d_activation"] = self._gradient(made, self.roles, x, dy, y, before)
                except RaisedError as error:
                    if not turn:  # it is for double precision alone
                        break
                    seen = dict.fromkeys(rows, ("raised", f"{self.name}: {explain(error)}"))  # it went before
                if turn == HUGE:  # of what is right for smaller numbers it is said, and held against nobody
                    self.remarks += [fault[1].partition(": ")[2] for fault in seen.values() if fault]
                    break
                rows |= {name: seen[name] for name in rows if rows[name] is None and shape in fine[name]}
                before = x
        self.rows = rows

    def _go_forward(self):
        """{shape that it takes: what is wrong of it, or None}; sets the kind, where no name says it, and the slope."""
        took: dict = {}
        failure: Exception | None = None
        for shape in SHAPES:
            x, _ = _numbers(shape, np.float64)
            try:
                took[shape] = x, _Made(self, shape).forward(x) if self.ahead else []
            except trying.ATTEMPT as error:
                failure = failure or error
        if failure and not took:
            raise failure
        pairs = [(x, each) for x, found in took.values() for each in found]
        slopes = [slope for pair in pairs if (slope := right.slope_below(*pair)) is not None]
        self.slope = min(slopes, key=lambda slope: abs(slope) >= 1) if slopes and self.kind in ("", "ReLU") else 0.0
        for kind in right.FORMULA if not self.kind else ():
            if any(right.off(each, right.value(kind, x, self.slope % 1), x)[0] is None for x, each in pairs):
                self.kind = kind
        # as LeCun's is
        scaled = (np.allclose(each, 1.7159 * np.tanh(b * x), rtol=1e-3) for x, each in pairs for b in (1, 2 / 3))
        if not self.kind or any(scaled):
            raise NotOfferedError("it is none of ReLU, sigmoid and tanh, or one that is scaled on purpose")
        what = f"a leaky ReLU of slope {self.slope:.3g}" if self.slope else f"a {self.kind}"
        self.said = f"the way back of {what}" if self.is_back else what
        return {shape: self._output(_Made(self, shape), x)[1] for shape, (x, _) in took.items()}

    def _go_back(self, shapes):
        """The same of the way back; sets what its arguments stand for: what makes it right, or what their names say."""
        made, failure = _Made(self, next(iter(shapes))), None
        tried: dict = {}
        if made.back is None:
            return {}
        names, _ = _arguments(made.back[0])
        several = [_may_be(name, len(names) == 1, made.code) for name in names]
        several = [("x", "out", "given")] if made.derives and len(names) == 1 else several
        for roles, shape in itertools.product(itertools.product(*several), shapes):
            made, (x, dy) = _Made(self, shape), _numbers(shape, np.float64)
            try:
                y, _ = self._output(made, x)
                if len(set(roles)) == len(roles) and ("cache" not in roles or made.cache is not None):
                    tried.setdefault(roles, {})[shape] = self._gradient(made, roles, x, dy, y)
            except trying.ATTEMPT as error:
                failure = failure or error
        # of names that say nothing, and of a cache that is not there, no call is known to be the code's own
        known = len(names) == 1 or all(len(each) < len(SAID) for each in several)
        own = known and (made.cache is not None or not any(each[0] == "cache" for each in several))
        agreed = [roles for roles, faults in tried.items() if None in faults.values()]
        if not agreed and not (own and tried):
            self.failure = failure or NotOfferedError("no way to call it gave the derivative")
            return {}
        self.roles = (agreed or sorted(tried, key=lambda roles: "; " not in str(tried[roles])))[0]
        given = " and ".join(f"{SAID[role]} ({name})" for name, role in zip(names, self.roles, strict=True))
        what = "" if "given" in self.roles else ", and gives the derivative"
        self.said += f"{',' if self.is_back else ', and its way back'} is given {given or 'nothing'}{what}"
        return tried[self.roles]

    def _output(self, made, x):
        """(what comes out of a forward, what is wrong with it or None); by definition where the code has none."""
        if not self.ahead:
            return right.value(self.kind, x, self.slope), None
        found = made.forward(x)
        self.remarks += ["changes the array that it is given in place"] if made.changed and not self.is_back else []
        slope = self.slope if abs(self.slope) < 1 else 0.0
        self.remarks += [f"has a slope of {slope:.3g} below 0, which falls: it is held to that"] if slope < 0 else []
        wanted = right.value(self.kind, x.astype(np.float64), slope)
        return found[0], self._wrong(found, wanted, x, None, lambda each: right.mistake(self.kind, x, each))

    def _gradient(self, made, roles, x, dy, y, before=None):
        """What is wrong with one way back, or None."""
        told = self.slope if self.ahead and self.is_back else None
        found = made.backward(roles, told, {"given": dy, "x": x, "out": y, "cache": made.cache})
        dy = dy.astype(np.float64) if "given" in roles else np.ones(x.shape)
        if not self.ahead and self.kind == "ReLU":
            slopes = [right.slope_below(x, x * each / dy) for each in found]
            self.slope = next((slope for slope in slopes if slope is not None and abs(slope) < 1), self.slope)
        wanted = dy * right.derivative(self.kind, x.astype(np.float64), self.slope)

        def mistake(each):
            return right.mistake_back(self.kind, self.slope, x, dy, each, x if before is None else before)

        return self._wrong(found, wanted, x, dy if self.kind == "ReLU" else None, mistake)

    def _wrong(self, found, wanted, x, other, mistake):
        """What is wrong with all of several arrays, told of the first; None where one of them agrees."""
        places = [right.off(each, wanted, x, other) for each in found]
        for place, loose in places:
            if place is None:
                self.remarks += [f"is within {right.EPSILON:g} of its definition, not within rounding"] if loose else []
                return None
        place, said = places[0][0], mistake(found[0])
        seen = f"found {found[0][place]:.6g}, wanted {wanted[place] + 0.0:.6g} for an input of {x[place]:.6g}"
        return "differs", f"{self.name}: {seen}{': ' if said else ''}{said}"


class _Made:
    """An activation as it runs, an object or functions: its ways, each (signature, call) or None."""

    def __init__(self, trial, shape):
        self.code, self.cache, self.changed, thing = None, None, False, trial.thing
        self.derives = False  # whether its way back is named like a derivative, not like a gradient
        if isinstance(thing, Class):
            names, told = _arguments(thing.__signature__)
            if unknown := [name for name in names if words.plain(name) not in words.SHAPES | words.SHAPES_IN]:
                raise NotOfferedError(f"it is made with {', '.join(unknown)}, of which nothing is known")
            code = self.code = thing(**dict.fromkeys(names, shape), **told)
            ways = [trying.method_of(thing, methods) for methods in WAYS]
            self.derives = str(ways[1]).startswith(("deriv", "prime", "f_prime", "df", "diff"))
            ways = [way and (thing.methods[way], lambda w=way, **given: code.call(w, **given)) for way in ways]
        else:
            flag = next((p for p in thing.__signature__.parameters if words.plain(p).startswith(FLAGS)), None)
            told = {} if trial.is_back or not flag else {flag: True}
            ways = [trial.ahead and (trial.ahead.__signature__, trial.ahead.call)]
            goes_back = trial.is_back or flag
            ways += [(thing.__signature__, lambda **given: thing.call(**given, **told)) if goes_back else None]
        self.ahead, self.back = ways

    def forward(self, x):
        """Arrays of the shape of x that come out, one of which is the output."""
        names, told = _arguments(self.ahead[0]) if self.ahead else ([], {})
        if len(names) != 1:
            raise NotOfferedError(f"forward takes {', '.join(names) or 'nothing'}, wanted one array")
        value, changed = self.ahead[1](**{names[0]: x}, **told)
        self.changed = bool(changed)
        self.cache = (value[1] if len(value) == 2 else value[1:]) if isinstance(value, tuple) and value[1:] else None
        return self._of_shape(value, changed, x.shape, lambda name: words.plain(name.lstrip("._")) in naming.OUTPUTS)

    def backward(self, roles, slope, known):
        """The same of the way back, whose arguments stand for `roles`."""
        names, told = _arguments(self.back[0], slope)
        value, changed = self.back[1](**{n: known[role] for n, role in zip(names, roles, strict=True)}, **told)
        return self._of_shape(value, changed, known["x"].shape, lambda name: arrays.is_gradient((name,)))

    def _of_shape(self, value, changed, shape, stored):
        """Of a call the arrays that it returned, or else wrote into, or else left under such a name."""
        places = [items_of(value), items_of(changed)]
        if self.code is not None and not places[0]:
            places.append({path: array for path, array in arrays.arrays_of(self.code).items() if stored(str(path[-1]))})
        for place in places:
            found = [arrays.real(like(array, shape)) for array in place.values()]
            if found := [each for each in found if each.shape == shape]:
                return [each if each.dtype.kind == "f" else each.astype(np.float64) for each in found]
        raise NotOfferedError("no array of the shape that it is given comes out")


def _numbers(shape, dtype, turn=0):
    """(what goes in, the upstream gradient): of both signs, exactly 0, and at the turn HUGE too large for exp."""
    rng = np.random.default_rng(21 + turn)
    x, dy = (scale * rng.standard_normal(shape).astype(np.float32) for scale in (2, 1))
    x.flat[:2], dy.flat[:2] = 0, (1.5, -0.5)
    if turn == HUGE:
        x.flat[2:4] = right.HUGE, -right.HUGE
    return x.astype(dtype), dy.astype(dtype)


def _arguments(signature, slope=None):
    """(names of the arguments that must be given, what others are given: a rate, a slope, that it is training)."""
    names, told = [], {}
    for parameter in signature.parameters.values():
        name, required = words.plain(parameter.name), parameter.default is parameter.empty
        if name in SLOPES and (required or slope is not None):
            told[parameter.name] = SLOPE if slope is None else slope
        elif name in words.TRAINING:
            told[parameter.name] = True
        elif required and name in words.RATES and len(signature.parameters) > 1:
            told[parameter.name] = SLOPE
        elif required and parameter.kind not in VARIADIC:
            names.append(parameter.name)
    return names, told


def _may_be(name, lone, of_object):
    """What an argument of a way back may stand for, of SAID; all four of a name that says nothing."""
    name = words.plain(name)
    kind = words.KIND_OF.get(name)
    if lone and not of_object:
        return ("x", "out")
    if kind == "dy" or name in words.UPSTREAM or GIVEN.match(name):
        return ("given",)
    if kind == "cache" or name.endswith(words.CACHES):
        return ("cache", "x", "out")
    if kind == "x" or name in words.INPUT_WORDS | words.OUTPUT_WORDS:
        return ("x", "out", *(("given",) if lone else ()))
    return tuple(SAID)
