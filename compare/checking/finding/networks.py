"""A whole network that need not be ours, as it is called: its forward, its losses, and its way back."""

import re
from dataclasses import dataclass

import numpy as np

from compare.checking.calling import arrays, handing, trying, words
from compare.checking.calling.part import items_of, like
from compare.checking.judging.derivative import UndecidedError, along
from compare.checking.process.holding import INSIDE
from compare.contract import NotOfferedError

LOSSES = re.compile("_?(compute|calculate|calc|cal|get)?_?(loss|cost|cross_?entropy)(_?loss|_?function|_?fn)?", re.I)
RATES = words.RATES - {"alpha"}  # which may as well be the slope of a ReLU
FORMS = {  # of labels (N,) and the one-hot rows (N, K)
    "the label": lambda y, one_hot: y,
    "one-hot rows": lambda y, one_hot: one_hot,
    "one-hot columns": lambda y, one_hot: one_hot.T,
    "a column of labels": lambda y, one_hot: y[:, None],
}
OF_ONE = {
    "the label of one image": lambda y, one_hot: int(y[0]),
    "one one-hot row": lambda y, one_hot: one_hot[0],
    "one one-hot column": lambda y, one_hot: one_hot.T,
}
OWN, GIVEN = "the cross-entropy of its output", "its output times what the way back is given"


WEIGHT = re.compile(r"(w|weights?|filters?|kernels?|theta|b|bias(es)?|conv|fc)\d*([wb]|weights?|bias|filters?)?\d*")


class LateError(Exception):
    """The time for finding out is over."""


@dataclass(frozen=True)
class Flow:
    """A way to ask for gradients: the method, what of labels and of an upstream gradient it is given, by which loss."""

    method: str
    form: str = ""
    given: str = ""
    hands: tuple = ()


class Network:
    """A network made and called in one way.

    Args:
        make: gives an object. forward: the name of its method. shape: of what goes in, with None for the batch.
        counts: how many images two batches have. form: of the labels that forward is given too, of FORMS or OF_ONE; ""
            for none. training: whether it is told that it is in training; None where it cannot be told. late: raises
            `LateError` after its time.
    Raises:
        UndecidedError: it computes in single precision, or two calls of forward give different numbers.
    """

    def __init__(self, make, forward, shape, counts, form, training, late):
        self.make, self.forward, self.form, self.training, self.late = make, forward, form, training, late
        self.eased = training is False  # its way back may be for training alone, as that of batch normalisation
        rng = np.random.default_rng(31)
        self.x = [rng.random([count if size is None else size for size in shape]) for count in counts]
        self.counts, self.lazy, self.values, self.memo = counts, False, {}, {}
        self.classes = 10
        self.y = [np.arange(count) * 2 + 1 + number for number, count in enumerate(counts)]
        code = make()
        kept = _unique(code)
        out, scalars, _ = self.ahead(code, 0)
        if out is None and not scalars:
            raise NotOfferedError(f"{forward} gives nothing of the shape (N, K)")
        self.classes = 10 if out is None else out.shape[1]
        self.y = [y % self.classes for y in self.y]
        self.proper = out is not None and bool((out >= 0).all() and np.allclose(out.sum(axis=1), 1))
        self.lazy = not any(array.ndim > 1 for array in kept.values())
        first = _unique(code) if self.lazy else kept
        self.ahead(code, 1)
        again = arrays.arrays_of(code)
        steady = {path: a for path, a in first.items() if path in again and arrays.same(a, again[path])}
        steady = {path: a for path, a in steady.items() if not arrays.is_gradient(path)}
        if not all(a.size for a in steady.values()):
            raise NotOfferedError("it holds weights without numbers")
        beside = {path[:-1] for path, a in steady.items() if a.any()}  # what is 0 altogether is no weights, but memory
        self.values = {path: _usual(a, is_weight(path) and path[:-1] in beside) for path, a in steady.items()}
        if not any(value.ndim > 1 for value in self.values.values()):
            raise NotOfferedError("it holds no weights")
        if any(value.dtype != np.float64 and value.ndim > 1 for value in self.values.values()):
            raise UndecidedError("it computes in single precision")
        code = self.fresh()
        found = [self.ahead(each, 0) for each in (code, code, self.fresh())]
        if len({str([each[0] if each[0] is None else each[0].tolist(), each[1]]) for each in found}) > 1:
            raise UndecidedError("two calls of its forward give different numbers: something random is in it")
        self.code = code
        self.losses = self._losses()

    def fresh(self):
        """An object with the weights of this network."""
        code = self.make()
        if self.lazy:
            self.ahead(code, 0)
        code.write([((*path, INSIDE), value) for path, value in self.values.items()])
        return code

    def call(self, code, method, given, hands=(), **known):
        """What a method of an object returns."""
        self.late()
        taken, named = handing.fill(code.methods[method], method, given, hands, **known)
        return code.call(method, *taken, **named)[0]

    def labels(self, form, number):
        """The labels of a batch in a form."""
        return {**FORMS, **OF_ONE}[form](self.y[number], np.eye(self.classes)[self.y[number]])

    def ahead(self, code, number):
        """(output (N, K) or None, scalars, all) of forward."""
        known = {"labels": self.labels(self.form, number)} if self.form else {}
        known |= {"training": True} if self.training else {}
        result = self.call(code, self.forward, self.x[number], **known)
        items = [each for each in items_of(result).values() if each.dtype.kind == "f"]
        outs = [rows for each in items if (rows := _rows(each, self.counts[number])) is not None]
        return (outs[0] if outs else None), [float(each) for each in items if each.ndim == 0], result

    def _losses(self):
        """(method, form) of what is a loss by its name, and gives one number."""
        found = []
        for method in self.code.methods:
            for form in (*FORMS, *OF_ONE) if LOSSES.fullmatch(method) and method != self.forward else ():
                try:
                    if np.isfinite(self._loss(self.code, method, form, 0, self.ahead(self.code, 0))):
                        found.append((method, form))
                except trying.ATTEMPT:  # labels in another form
                    continue
        return found

    def _loss(self, code, method, form, number, ahead):
        out = next(iter(items_of(ahead[2]).values()), None)
        known = {"x": self.x[number], "out": out, "labels": self.labels(form, number)}
        items = items_of(self.call(code, method, out, **known))
        scalars = [float(each) for each in items.values() if each.size == 1 and each.dtype.kind == "f"]
        if not scalars:
            raise NotOfferedError(f"{method} gives no number")
        return scalars[0]

    def measured(self, code, number):
        """{loss: its value} of a batch."""
        out, scalars, _ = ahead = self.ahead(code, number)
        found = {f"number {n} that {self.forward} gives": value for n, value in enumerate(scalars)}
        if out is not None:
            p = out if self.proper else _softmax(out)
            with np.errstate(divide="ignore"):
                found[OWN] = float(-np.log(p[np.arange(len(p)), self.y[number]]).mean())
            found[GIVEN] = float((self.upstream(number) * out).sum())
        for method, form in self.losses:
            found[f"{method}, given {form}"] = self._loss(code, method, form, number, ahead)
        return found

    def upstream(self, number):
        """A random upstream gradient (N, K)."""
        return np.random.default_rng(50 + number).standard_normal((self.counts[number], self.classes))

    def at(self, number, paths, t, flow=None):
        """`measured`, or the numbers that a flow returns, where these weights are moved by t along the directions."""
        key = (number, paths, t, flow)
        if key not in self.memo:
            kept, moved = self.values, {path: self.values[path] + t * self.direction(number, path) for path in paths}
            if flow:
                self.values = {**kept, **moved}
                try:
                    items = self.gone_back(flow, number, 1.0)[2]
                finally:
                    self.values = kept
                scalars = [float(each) for each in items.values() if each.ndim == 0 and each.dtype.kind == "f"]
                self.memo[key] = {f"number {n} that {flow.method} gives": each for n, each in enumerate(scalars)}
            else:
                self.code.write([((*path, INSIDE), value) for path, value in moved.items()])
                try:
                    self.memo[key] = self.measured(self.code, number)
                finally:
                    self.code.write([((*path, INSIDE), kept[path]) for path in paths])
        return self.memo[key]

    def derived(self, loss, flow):
        """(batch, weights) -> the derivative of a loss along their directions together, as `own_loss.Held` takes it."""
        flow = None if loss in self.at(0, (), 0.0) else flow

        def found(number, paths):
            key = (loss, number, paths, flow)
            if key not in self.memo:
                base = self.at(number, (), 0.0, flow)[loss]
                self.memo[key] = along(lambda t: self.at(number, paths, t, flow)[loss] - base if t else 0.0)
            return self.memo[key]

        return found

    def direction(self, number, path):
        """A random direction of a weight, of the size of what is in it."""
        value = self.values[path]
        rng = np.random.default_rng([number, *repr(path).encode()])
        return rng.standard_normal(value.shape) * (_size(value) or 0.1)

    def matters(self, path):
        """Whether a change of an array changes what comes out."""
        moved = self.at(0, (path,), 0.5)
        return any(not np.isclose(moved[name], value, rtol=1e-12) for name, value in self.at(0, (), 0.0).items())

    def gone_back(self, flow, number, rate):
        """(code, arrays before, arrays after, what it returns, whether it was told the rate) of one way back."""
        code = self.fresh()
        out, _, result = self.ahead(code, number)
        native = next(iter(items_of(result).values()), np.zeros(0))
        known = {"x": self.x[number], "out": native, "batch": self.counts[number], "rate": rate}
        known |= {"labels": self.labels(flow.form, number)} if flow.form else {}
        if isinstance(result, tuple) and len(result) > 1:
            known["cache"] = result[1] if len(result) == 2 else result[1:]
        if code.methods[flow.method].parameters and not flow.given and not flow.form:  # it takes the rate alone
            known = {"rate": rate}
        given = native
        if flow.given:
            if out is None:
                raise NotOfferedError("no output")
            p = out if self.proper else _softmax(out)
            d = (p - np.eye(self.classes)[self.y[number]]) / len(p)
            given = (self.upstream(number) if flow.given == "upstream" else d).reshape(np.shape(native))
            given = given if out.shape == np.shape(native) or 1 in out.shape else given.T
        told = bool(code.set_named(RATES, rate)) or handing.takes_rate(code.methods[flow.method])
        told = told or [*map(words.plain, code.methods[flow.method].parameters)][-1:] in [[r] for r in words.RATES]
        before = arrays.arrays_of(code)
        before = {path: array.copy() for path, array in before.items()}
        returned = self.call(code, flow.method, given, flow.hands, **known)
        return before, arrays.arrays_of(code), items_of(returned), told

    def gradients(self, flow, places, number, rate=1.0):
        """{path of a weight: its gradient}."""
        before, after, items, _ = self.gone_back(flow, number, rate)
        found = {}
        for path, (how, where) in places.items():
            shape = self.values[path].shape
            value = (before[path] - after[path]) / rate if how == "moved" else None
            found[path] = like({"stored": after, "returned": items}[how][where], shape) if value is None else value
        return found


def _unique(code):
    """{path: array} of an object, each array once."""
    found = {id(array): (path, array) for path, array in reversed(arrays.arrays_of(code).items())}
    return dict(reversed(found.values()))


def _usual(value, is_bias):
    """An array of weights, larger where it is so small that its gradients would drown in rounding; a bias is not 0.

    A ReLU of nothing but a bias of 0 is at its kink.
    """
    rng = np.random.default_rng(7)
    size, wanted = _size(value), (value.size / min(value.shape)) ** -0.5
    if size == 0 and is_bias:
        return 0.1 * rng.standard_normal(value.shape)
    return value * (wanted / size) if 0 < size < 0.3 * wanted else value.copy()


def _size(value):
    """The root of the mean square; 0 of what is too large for that, as memory that nobody has written to may be."""
    size = float(np.sqrt(np.mean(value**2)))
    return size if np.isfinite(size) else 0.0


def _rows(array, count):
    """An output as (N, K); None where it is none."""
    if array.ndim == 2 and array.shape[0] == count and array.shape[1] > 1:
        return array
    if array.ndim == 2 and array.shape[1] == count and array.shape[0] > 1:
        return array.T
    flat = array.reshape(-1)
    return flat[None] if count == 1 and array.ndim and len(flat) == max(array.shape) > 1 else None


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def is_weight(path):
    """Whether a path's last name says that it is a weight, which is to be trained."""
    name = words.plain(str(path[-1]).lstrip("._"))
    if isinstance(path[-1], int):
        return len(path) > 1 and is_weight(path[:-1])
    return bool(WEIGHT.fullmatch(name))
