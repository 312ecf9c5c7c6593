"""One layer of the code as it runs, spoken to in the contract's layouts: what is known of it, and its calls."""

import dataclasses

import numpy as np

from compare.checking.calling import arrays, handing, naming, words
from compare.checking.calling.naming import INPUTS, OUTPUTS
from compare.checking.calling.plan import RATE, size_of
from compare.contract import NotOfferedError


class ReturnedNothingError(TypeError):
    """The code's forward returned None."""


class Part:
    """A layer of the code as it runs: NHWC in, NHWC out.

    Attributes:
        changed: whether a call wrote into the array that it was given.
        seen: dtypes of all that the code gave.
    """

    def __init__(self, plan, sizes, dtype):
        self.plan, self.sizes, self.dtype = plan, sizes, np.dtype(dtype)
        self.shapes = {name: sizes.shapes()[name] for name in plan.weights}
        self.changed, self.seen = False, set()
        self.held: dict = {}
        self.blank: list | None = None  # zeros in the shapes of what is held at 0
        self.rated = True  # until it turns out that it keeps no rate
        self.went_back = False
        self.made = plan.make(sizes, self.dtype)
        if sizes == plan.sizes:  # the orders of its weights were read off an object of just these sizes
            return
        for (name, (paths, order)), found in zip(plan.weights.items(), self._kept(self.made), strict=True):
            if found.shape != order.shape(self.shapes[name]):
                raise NotOfferedError(f"{plan.name}: {arrays.named(paths[0])} keeps its shape {found.shape}")

    @property
    def code(self):
        """The layer itself; made again, with the parameters that were set, where its process is no more."""
        if self.made.stale:
            self.made = self.plan.make(self.sizes, self.dtype)
            if self.held:
                self._write()
        return self.made

    def _kept(self, code):
        """What the code holds as each parameter, as it lies there."""
        paths = [paths[0] for paths, _ in self.plan.weights.values()]
        return [np.asarray(value) for value in code.read(*paths)] if paths else []

    def get(self):
        """Copies of the parameters by the contract's names."""
        return {
            name: self._house(name, order.back(value, self.shapes[name]))
            for (name, (_, order)), value in zip(self.plan.weights.items(), self._kept(self.code), strict=True)
        }

    def set(self, parameters):
        """Take fresh copies; what the contract's network does not have becomes 0."""
        if self.plan.weights or self.plan.zeros:
            given = {name: np.asarray(parameters[name]) for name in self.plan.weights}
            # what is no real number stays so
            self.held = {
                name: each.astype(self.dtype if each.dtype.kind == "f" else each.dtype) for name, each in given.items()
            }
            self.code  # noqa: B018 - made again where it has to be, before it is written to
            self._write()

    def _write(self):
        pairs = []
        for name, (paths, order) in self.plan.weights.items():
            native = order.native(self.held[name].reshape(self.shapes[name]))
            pairs += [(path, native) for path in paths]
        self.made.write(pairs)
        self.hold()

    def hold(self):
        """Put to 0 what the contract's network does not have."""
        if self.plan.zeros:
            zeros = self.made.read(*self.plan.zeros)
            self.made.write(
                [(p, np.zeros(np.shape(z), self.dtype)) for p, z in zip(self.plan.zeros, zeros, strict=True)]
            )

    def chunks(self, *arrays):
        """The arrays as the code takes them: whole, or image by image."""
        count = len(arrays[0])
        steps = [slice(n, n + 1) for n in range(count)] if self.plan.one_image else [slice(None)]
        return [tuple(array[step] for array in arrays) for step in steps]

    def forward(self, x, labels=None):
        """One chunk through the layer."""
        self.x_shape = x.shape
        if getattr(self.plan.make, "of_batch", False) and len(x) != self.sizes.batch:  # it is told how many there are
            kept, self.sizes = self.get(), dataclasses.replace(self.sizes, batch=len(x))
            self.made = self.plan.make(self.sizes, self.dtype)
            self.set(kept)
        # a model may want labels for the loss that it returns beside what is asked for
        labels = np.zeros(len(x), int) if labels is None else labels
        labels = int(labels[0]) if self.plan.one_image else labels
        known = {"labels": labels} | ({"training": True} if self.plan.training else {})
        native = self.plan.inward.native(self._real(x))
        self.last = {"x": native}
        if clearing := naming.clearing(self.code.methods):  # what it has collected of calls before is not of this pass
            self.code.call(clearing)
        result = self._call(self.plan.forward, native, **known)
        y = self._output(result)
        self.last |= {"out": y}
        if isinstance(result, tuple) and len(result) > 1:  # what the caller is to hand back on the way back
            self.last["cache"] = result[1] if len(result) == 2 else result[1:]
        self.seen.add(y.dtype.name)
        return self.plan.outward.back(y, (len(x), *x.shape[1:]))

    def _real(self, x):
        return np.asarray(arrays.real(x), self.dtype)

    def _output(self, result):
        """The array that came out: returned, alone or beside others, or left in an attribute named like an output."""
        if result is None:
            found = arrays.arrays_of(self.code)
            names = {path: words.plain(str(path[-1]).lstrip("._")) for path in found}
            named = [path for path in found if names[path] in OUTPUTS]
            if not named:
                raise ReturnedNothingError(f"{self.plan.forward} returned nothing: is a return missing?")
            return found[min(named, key=lambda path: OUTPUTS.index(names[path]))]
        found = list(items_of(result).values())
        if not found:
            kind = ValueError if isinstance(result, list) else ReturnedNothingError  # an empty one is of our making
            raise kind(f"{self.plan.forward} returned {type(result).__name__}, wanted an array")
        return found[0]

    def backward(self, given, rate=RATE, keep=False):
        """Gradients of the last chunk by name, "x" that of the input; parameters as before unless `keep`.

        Args:
            given: the upstream gradient in the contract's layout; whatever a head takes, as it takes it.
            rate: handed on to code that updates its weights itself.
        """
        before = self.get() if self.plan.moves else {}
        found = self._read(self.call_backward(given, rate), before, rate)
        if not keep and (self.held or not self.plan.weights):
            self._write()
        return found

    def learn(self, images, labels, rate=RATE, keep=False):
        """The same of a whole model, from the images and their labels on."""
        out, before = self.forward(images), self.get() if self.plan.moves else {}
        found = self._read(self.call_learn(out, images, labels, rate), before, rate)
        if not keep and (self.held or not self.plan.weights):
            self._write()
        return found

    def _set_rate(self, rate):
        """The learning rate of code that keeps it."""
        if self.rated:
            self.rated = bool(self.code.set_named(words.RATES, rate))

    def call_learn(self, out, images, labels, rate=RATE):
        """Whatever the model's own backward or training method returns."""
        plan = self.plan
        self._set_rate(rate)
        names = {words.plain(name) for name in self.code.methods[plan.backward].parameters}
        if not names & words.LABELS:
            upstream = dataclasses.replace(plan, taken="d_logits" if plan.gives == "logits" else plan.taken)
            out = arrays.real(out)
            if plan.gives == "logits":
                out = np.exp(out - out.max(axis=-1, keepdims=True))
                out /= out.sum(axis=-1, keepdims=True)
            given = plan.outward.native(head_upstream(upstream, out, labels, len(labels)))
            return self._call(plan.backward, given, rate=rate)
        wanted = head_upstream(plan, out, labels, len(labels))
        if isinstance(wanted, np.ndarray) and wanted.ndim == 2:
            wanted = plan.outward.native(wanted)
        given = plan.inward.native(np.asarray(images, self.dtype))
        return self._call(plan.backward, given, labels=wanted, rate=rate)

    def _read(self, result, before, rate):
        rate = self.plan.own_rate or rate
        after = self.get() if self.plan.moves else {}
        found = {}
        if self.plan.dx:
            how, where = self.plan.dx
            value = items_of(result).get(where) if how == "returned" else np.asarray(self.code.read(where)[0])
            if value is None:
                raise ReturnedNothingError(f"{self.plan.backward} gave nothing back: is a return missing?")
            native = self.plan.inward.shape(self.x_shape)
            found["x"] = self.plan.inward.back(like(value, native), self.x_shape)
            self.seen.add(value.dtype.name)
        for name, (how, where) in self.plan.gradients.items():
            if how == "moved":
                found[name] = (before[name].astype(np.result_type(before[name], np.float64)) - after[name]) / rate
                self.seen.add(np.asarray(self.code.read(self.plan.weights[name][0][0])[0]).dtype.name)
                continue
            value = items_of(result)[where] if how == "returned" else self.code.read(where)[0]
            order = self.plan.weights[name][1]
            self.seen.add(np.asarray(value).dtype.name)
            value = like(value, order.shape(self.shapes[name]))
            if value.shape != order.shape(self.shapes[name]):
                found[name] = np.array(value)  # as it is: that its shape is wrong is for the judge
                continue
            found[name] = self._house(name, order.back(value, self.shapes[name]))
        return found

    def call_backward(self, given, rate=RATE):
        """Whatever the code's own backward returns."""
        if self.plan.clears == "update" and self.went_back:
            self.update(0.0)
        elif self.plan.clears == "here":
            paths = [path for how, path in self.plan.gradients.values() if how == "stored"]
            zeros = zip(paths, self.code.read(*paths), strict=True)
            self.code.write([(path, np.zeros_like(value)) for path, value in zeros])
        self.went_back = True
        self._set_rate(rate)
        taken = self.plan.outward.native(self._real(given)) if self.plan.taken != "label" else given
        more = {"labels": taken} if self.plan.taken in ("label", "one-hot") else {}
        return self._call(self.plan.backward, taken, rate=rate, hands=self.plan.hands, **self.last, **more)

    def update(self, rate):
        """Let the code follow the gradients that it stored, where it has a method for that."""
        method = self.plan.updates(self.code)
        if method is None:
            raise NotOfferedError(f"{self.plan.name} does not update its weights by a learning rate")
        self._set_rate(rate)
        taken = [*self.code.methods[method].parameters]  # the rate, and what is added to the gradients
        self.code.call(method, *[rate, *[0.0] * len(taken)][: len(taken)])

    def _call(self, method, given, **known):
        code = self.code
        known["batch"] = len(self.last["x"]) if self.plan.inward.axes[0] == "N" else 1
        if self.plan.stage in ("conv", "pool"):
            known |= dict(zip(("stride", "padding"), self.sizes.steps(self.plan.stage)[1:], strict=True))
        positional, keywords = handing.fill(code.methods[method], f"{self.plan.name}.{method}", given, **known)
        if not positional and not keywords:  # it takes its input from where it keeps it
            code.set_named(INPUTS, given)
        result, changed = code.call(method, *positional, **keywords)
        self.changed |= bool(changed)
        return arrays.joined(result, len(self.last["x"]) if self.plan.inward.axes[0] == "N" else 0)

    def _house(self, name, value):
        value = np.array(value)
        return value.reshape(-1, value.shape[-1]) if name == "dense_weight" else value


def build(plan, sizes, dtype):
    """A `Part` of other sizes; NotOfferedError where the code has only its own."""
    if plan.stage in ("conv", "whole") and sizes.padding not in plan.paddings:
        raise NotOfferedError(f"{plan.name} knows padding {', '.join(plan.paddings)} only, not {sizes.padding}")
    for name, value in plan.same.items():
        if size_of(sizes, name) != value:
            raise NotOfferedError(f"{plan.name} is for {name} {value} only, not {size_of(sizes, name)}")
    return Part(plan, sizes, dtype)


def items_of(result):
    """What a call returned as {key: array}: of nested tuples and dicts each array under its own key or place."""
    if isinstance(result, tuple | list | dict):
        items = result.items() if isinstance(result, dict) else enumerate(result)
        found: dict = {}
        for key, value in items:
            inner = items_of(value)
            flat = list(inner) == [None]
            found |= {(key if flat else (key, step)): array for step, array in inner.items()}
        return found
    if isinstance(result, np.ndarray | np.generic | float):
        return {None: np.asarray(result)}
    return {}


def like(value, shape):
    """An array in another shape of the same numbers, where only axes of 1 were added or all but the first joined."""
    value = np.asarray(value)
    bare = [size for size in value.shape if size != 1] == [size for size in shape if size != 1]
    flat = value.shape in ((int(np.prod(shape)),), (*shape[:1], int(np.prod(shape[1:]))))
    return value.reshape(shape) if bare or flat else value


def head_upstream(plan, probabilities, labels, count):
    """What the backward of a layer that ends in the softmax is given, for the mean loss over `count` images.

    Raises:
        NotOfferedError: it is the gradient of the probabilities, which is not finite here.
    """
    if plan.taken == "label":
        return int(labels[0]) if plan.one_image else labels
    probabilities = arrays.real(probabilities)
    one_hot = np.zeros_like(probabilities)
    one_hot[np.arange(len(labels)), labels] = 1
    if plan.taken == "one-hot":
        return one_hot
    count = 1 if plan.divides else count  # by whichever of the two does it
    if plan.taken == "d_logits":
        return (probabilities - one_hot) / count
    true = probabilities[np.arange(len(labels)), labels]
    if not (true > 0).all():
        raise NotOfferedError("the gradient -1 / p of the probabilities, which backward is given, needs p above 0")
    return np.where(one_hot == 1, -1 / true[:, None], 0) / count
