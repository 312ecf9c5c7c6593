"""One layer of the code, spoken to in the contract's layouts; which layouts those are is found by trying."""

import dataclasses
import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from compare.checking import layouts
from compare.contract import NotOfferedError
from numpy_cnn.layers import Layers

RATE = 4096.0  # a power of two, and large: the weights' own rounding must not drown a gradient read off as their move
FORWARDS = ("forward", "feedforward", "__call__", "forward_pass", "call")
BACKWARDS = ("backprop", "backward", "back", "bprop", "backward_pass", "backpropagation", "backpropagate")
UPDATES = ("update", "step", "apply", "update_params", "update_parameters", "update_weights", "apply_gradients")
WEIGHTS = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias"), "pool": (), "probabilities": ()}
WEIGHTS |= {"head": WEIGHTS["logits"], "whole": ("conv_weight", *WEIGHTS["logits"])}
STAGE_WORDS = {"conv": "the convolution", "pool": "the pooling", "logits": "the dense layer, which gives logits"}
STAGE_WORDS |= {"head": "dense layer and softmax in one", "probabilities": "the softmax", "whole": "the whole network"}
TAKEN_WORDS = {"d_probabilities": "the gradient of the probabilities", "d_logits": "the gradient of the logits"}
TAKEN_WORDS |= {"label": "the label", "one-hot": "the label as a one-hot row"}
# The call, as `observe.TASKS` has it, in which a layer is tried out.
FORWARD_TASK = {"head": "head", "whole": "activations"}
BACKWARD_TASK = {"head": "head", "whole": "gradients"}


def say_trying(task):
    """Told what comes before the code is run to find out its layouts; `cell` listens, should it never return."""


INPUT = {
    "conv": "images",
    "pool": "conv",
    "logits": "pool",
    "head": "pool",
    "probabilities": "logits",
    "whole": "images",
}


INPUT_GRADIENTS = {"dinputs", "dinput", "dx", "gradinput", "inputgrad", "dlinput", "dimage", "dimages"}


class ReturnedNothingError(TypeError):
    """The code's forward returned None."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """One geometry: the arguments of the contract's constructor."""

    input_shape: tuple = (28, 28, 1)
    filters: int = 8
    classes: int = 10
    padding: str = "valid"

    @property
    def conv(self):
        """(H', W', F)."""
        border = 0 if self.padding == "same" else 2
        return (self.input_shape[0] - border, self.input_shape[1] - border, self.filters)

    @property
    def pool(self):
        """(P, Q, F)."""
        return (self.conv[0] // 2, self.conv[1] // 2, self.filters)

    def shapes(self):
        """The contract's parameters, the dense rows as three axes."""
        kernel = (3, 3, self.input_shape[2], self.filters)
        return {"conv_weight": kernel, "dense_weight": (*self.pool, self.classes), "dense_bias": (self.classes,)}

    def trial(self):
        """Random parameters, and what a right network makes of three random images: (network, parameters, inputs)."""
        rng = np.random.default_rng(5)
        network = Layers(self.input_shape, self.filters, self.classes, self.padding, np.float64)
        values = {name: 0.3 * rng.standard_normal(value.shape) for name, value in network.get_parameters().items()}
        network.set_parameters(values)
        inputs = {"images": rng.standard_normal((3, *self.input_shape)), "labels": np.arange(3) % self.classes}
        return network, values, inputs | network.activations(inputs["images"], inputs["labels"])


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is known of a layer: how it is made, called, and where its arrays lie.

    weights: by the contract's name, the paths at which the code keeps it (the same array may be at two), and its order.
    zeros: paths of what the network of the contract does not have.
    dx, gradients: where `backward` leaves a gradient: ("returned", key), ("stored", path) or ("moved", None).
    taken: what a head's `backward` is given: "d_probabilities", "d_logits", "label" or "one-hot".
    same: the sizes that cannot be chosen. gives: the quantity that comes out. sizes: those of the trial.
    score: 3, the trial gave what the right network gives; 2, the right shape; 1, another shape; 0, it raised.
    chosen: whether other layouts were possible too.
    """

    stage: str
    make: Callable[[Sizes, Any], Any]
    name: str
    forward: str
    backward: str | None = None
    one_image: bool = False
    inward: Any = None
    outward: Any = None
    weights: dict = dataclasses.field(default_factory=dict)
    zeros: tuple = ()
    dx: tuple | None = None
    gradients: dict = dataclasses.field(default_factory=dict)
    taken: str = "d_probabilities"
    paddings: tuple = ("valid",)
    same: dict = dataclasses.field(default_factory=dict)
    dtypes: tuple = ("float64",)
    gives: str = ""
    score: int = 0
    chosen: bool = False
    sizes: Sizes = Sizes()

    @property
    def agreed(self):
        """Whether the trial gave what the right network gives."""
        return self.score == 3

    @property
    def can_step(self):
        """Whether the code moves its weights by itself or has a method for it."""
        hows = {how for how, _ in self.gradients.values()}
        code = self.make(self.sizes, np.dtype(np.float64))
        return bool(hows) and (hows == {"moved"} or self.updates(code) is not None)

    @staticmethod
    def updates(code):
        """The method of the code that moves its weights, given a learning rate or nothing; None without one."""
        for name in UPDATES:
            if callable(getattr(code, name, None)):
                parameters = inspect.signature(getattr(code, name)).parameters
                if all(layouts.plain(each) in layouts.RATES for each in parameters):
                    return name
        return None

    def channels_first(self):
        """Whether what comes out has its channels before its rows."""
        letters = self.outward.letters
        return letters.index("C") < letters.index("H")

    def build(self, sizes, dtype):
        """A `Part` of other sizes; NotOfferedError where the code has only its own."""
        if self.stage in ("conv", "whole") and sizes.padding not in self.paddings:
            raise NotOfferedError(f"{self.name} knows padding {', '.join(self.paddings)} only, not {sizes.padding}")
        for name, value in self.same.items():
            if size_of(sizes, name) != value:
                raise NotOfferedError(f"{self.name} is for {name} {value} only, not {size_of(sizes, name)}")
        return Part(self, sizes, dtype)

    def described(self):
        """What was found out or assumed, in one line."""
        how = "one image at a time" if self.one_image else "a batch at a time"
        parts = [f"{self.name} is {STAGE_WORDS[self.stage]}, {how}, {self.inward} in, {self.outward} out"]
        if "HW" in self.inward.letters and "C" not in self.inward.letters:
            parts[0] += ", no channel axis"
        parts += [f"{layouts.named(paths[0])} is {name} {order}" for name, (paths, order) in self.weights.items()]
        if any("FPQ" in axis for _, order in self.weights.values() for axis in order.axes):
            parts.append("the rows of the dense weights are in (F, P, Q) order, channels first")
        if self.stage == "head" and self.backward:
            parts.append(f"{self.backward} is given {TAKEN_WORDS[self.taken]}")
        if not self.agreed and self.chosen:
            parts.append("layouts are the most usual ones, since none gave what a right network gives")
        parts += [f"{name} {value} only" for name, value in self.same.items()]
        return "; ".join(parts)

    def remarked(self):
        """What is not a mistake but worth saying, a line each."""
        lines = []
        for path in self.zeros:
            shape = layouts.get(self.make(self.sizes, np.dtype(np.float64)), path).shape
            each = "(F,)" if np.prod(shape) == self.sizes.filters else "one for each output pixel"
            lines.append(f"conv has a bias, {layouts.named(path)}, {each}: held at 0, its gradient is not checked")
        if self.stage in ("logits", "head", "whole") and "dense_bias" not in self.weights:
            lines.append(f"{self.name} has no bias that was found")
        return lines


def size_of(sizes, name):
    """One size by its name in messages."""
    h, w, c = sizes.input_shape
    known = {"images": (h, w), "channels": c, "filters": sizes.filters, "classes": sizes.classes}
    return known[name] if name in known else int(np.prod(sizes.pool))


class Part:
    """A layer of the code as it runs: NHWC in, NHWC out.

    Attributes:
        changed: whether a call wrote into the array that it was given.
        seen: dtypes of all that the code gave.
    """

    def __init__(self, plan, sizes, dtype):
        self.plan, self.sizes, self.dtype = plan, sizes, np.dtype(dtype)
        self.code = plan.make(sizes, self.dtype)
        self.shapes = {name: sizes.shapes()[name] for name in plan.weights}
        self.changed, self.seen = False, set()
        for name, (paths, order) in plan.weights.items():
            found = layouts.get(self.code, paths[0]).shape
            if found != order.shape(self.shapes[name]):
                raise NotOfferedError(f"{plan.name}: {layouts.named(paths[0])} keeps its shape {found}")

    def get(self):
        """Copies of the parameters by the contract's names."""
        found = {}
        for name, (paths, order) in self.plan.weights.items():
            value = order.back(np.asarray(layouts.get(self.code, paths[0])), self.shapes[name])
            found[name] = self._house(name, value)
        return found

    def set(self, parameters):
        """Take fresh copies; what the contract's network does not have becomes 0."""
        for name, (paths, order) in self.plan.weights.items():
            native = order.native(np.asarray(parameters[name], self.dtype).reshape(self.shapes[name]))
            for path in paths:
                layouts.put(self.code, path, native)
        for path in self.plan.zeros:
            layouts.put(self.code, path, np.zeros(layouts.get(self.code, path).shape, self.dtype))

    def chunks(self, *arrays):
        """The arrays as the code takes them: whole, or image by image."""
        count = len(arrays[0])
        steps = [slice(n, n + 1) for n in range(count)] if self.plan.one_image else [slice(None)]
        return [tuple(array[step] for array in arrays) for step in steps]

    def forward(self, x, labels=None):
        """One chunk through the layer."""
        self.x_shape = x.shape
        # a model may want labels for the loss that it returns beside what is asked for
        labels = np.zeros(len(x), int) if labels is None else labels
        known = {"labels": int(labels[0]) if self.plan.one_image else labels}
        y = self._call(self.plan.forward, self.plan.inward.native(np.asarray(x, self.dtype)), **known)
        y = getattr(self.code, "output", None) if y is None else y
        if y is None:
            raise ReturnedNothingError(f"{self.plan.forward} returned nothing: is a return missing?")
        y = np.asarray(y[0] if isinstance(y, tuple) else y)
        self.seen.add(y.dtype.name)
        return self.plan.outward.back(y, (len(x), *x.shape[1:]))

    def backward(self, given, rate=RATE, keep=False):
        """Gradients of the last chunk by name, "x" that of the input; parameters as before unless `keep`.

        Args:
            given: the upstream gradient in the contract's layout; whatever a head takes, as it takes it.
            rate: handed on to code that updates its weights itself.
        """
        before = self.get()
        found = self._read(self.call_backward(given, rate), before, rate)
        if not keep:
            self.set(before)
        return found

    def learn(self, images, labels, rate=RATE, keep=False):
        """The same of a whole model, from the images and their labels on."""
        out, before = self.forward(images), self.get()
        found = self._read(self.call_learn(out, images, labels, rate), before, rate)
        if not keep:
            self.set(before)
        return found

    def _set_rate(self, rate):
        """The learning rate of code that keeps it."""
        for name in vars(self.code) if hasattr(self.code, "__dict__") else ():
            if layouts.plain(name) in layouts.RATES:
                setattr(self.code, name, rate)

    def call_learn(self, out, images, labels, rate=RATE):
        """Whatever the model's own backward or training method returns."""
        plan = self.plan
        self._set_rate(rate)
        names = {layouts.plain(name) for name in inspect.signature(getattr(self.code, plan.backward)).parameters}
        if not names & layouts.LABELS:
            upstream = dataclasses.replace(plan, taken="d_logits" if plan.gives == "logits" else plan.taken)
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
        after = self.get()
        found = {}
        if self.plan.dx:
            how, where = self.plan.dx
            value = _items(result).get(where) if how == "returned" else np.asarray(layouts.get(self.code, where))
            if value is None:
                raise ReturnedNothingError(f"{self.plan.backward} gave nothing back: is a return missing?")
            native = self.plan.inward.shape(self.x_shape)
            found["x"] = self.plan.inward.back(_like(value, native), self.x_shape)
            self.seen.add(value.dtype.name)
        for name, (how, where) in self.plan.gradients.items():
            if how == "moved":
                found[name] = (before[name].astype(np.float64) - after[name]) / rate
                self.seen.add(layouts.get(self.code, self.plan.weights[name][0][0]).dtype.name)
                continue
            value = _items(result)[where] if how == "returned" else layouts.get(self.code, where)
            order = self.plan.weights[name][1]
            self.seen.add(np.asarray(value).dtype.name)
            value = _like(value, order.shape(self.shapes[name]))
            if value.shape != order.shape(self.shapes[name]):
                found[name] = np.array(value)  # as it is: that its shape is wrong is for the judge
                continue
            found[name] = self._house(name, order.back(value, self.shapes[name]))
        return found

    def call_backward(self, given, rate=RATE):
        """Whatever the code's own backward returns."""
        if hasattr(self.code, "zero_grad"):
            self.code.zero_grad()
        self._set_rate(rate)
        taken = self.plan.outward.native(np.asarray(given, self.dtype)) if self.plan.taken != "label" else given
        return self._call(self.plan.backward, taken, rate=rate)

    def update(self, rate):
        """Let the code follow the gradients that it stored, where it has a method for that."""
        method = self.plan.updates(self.code)
        if method is None:
            raise NotOfferedError(f"{self.plan.name} does not update its weights by a learning rate")
        self._set_rate(rate)
        if inspect.signature(getattr(self.code, method)).parameters:
            self._call(method, rate)
        else:
            getattr(self.code, method)()

    def _call(self, method, given, **known):
        function = getattr(self.code, method)
        kept = given.copy() if isinstance(given, np.ndarray) else given
        positional, keywords = layouts.fill(function, given, **known)
        try:
            result = function(*positional, **keywords)
        except SystemExit as error:
            raise RuntimeError(f"sys.exit({error.code}) in {method}") from error
        if isinstance(given, np.ndarray) and not np.array_equal(kept, given, equal_nan=True):
            self.changed = True
        return result

    def _house(self, name, value):
        value = np.array(value)
        return value.reshape(-1, value.shape[-1]) if name == "dense_weight" else value


def _items(result):
    """What a call returned as {key: array}."""
    items = dict(enumerate(result)) if isinstance(result, tuple | list) else result
    items = items if isinstance(items, dict) else {None: items}
    return {key: np.asarray(value) for key, value in items.items() if isinstance(value, np.ndarray | np.generic)}


def _like(value, shape):
    """An array in another shape of the same numbers, where only axes of 1 were added or all but the first joined."""
    value = np.asarray(value)
    bare = [size for size in value.shape if size != 1] == [size for size in shape if size != 1]
    flat = value.shape in ((int(np.prod(shape)),), (*shape[:1], int(np.prod(shape[1:]))))
    return value.reshape(shape) if bare or flat else value


def _matches(value, shape):
    return _like(value, shape).shape == tuple(shape)


def close(found, wanted):
    """Whether a trial gave what the right network gives; loose, since wrong layouts of random numbers are far off."""
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def progress(error, files):
    """The line of the code under test that was reached, or 0: of layouts that all fail, the one that got farthest.

    What cannot come from a wrong layout is farthest of all.
    """
    if isinstance(error, ReturnedNothingError | NameError) or "module 'numpy' has no attribute" in str(error):
        return sys.maxsize
    if "converted to Python scalars" in str(error):  # an old habit; but a wrong layout may give it too
        return sys.maxsize - 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return lines[0] or 0 if lines else 0


def settle(plan, flows, weights, sizes, files=()):
    """The plan with layouts that agree with the right network, or else run and give the right shape, or else get far.

    Args:
        plan: without layouts.
        flows: (one image at a time, order in, order out), the usual ones first.
        weights: by the contract's name, a list of (paths, order).
        sizes: a geometry of which the code can be made.
        files: of the code under test.
    """
    say_trying(FORWARD_TASK.get(plan.stage, f"{plan.stage} forward"))
    _, parameters, inputs = sizes.trial()
    x = inputs[INPUT[plan.stage]]
    outputs = {"head": ("probabilities", "logits"), "logits": ("logits", "probabilities")}
    outputs |= {"whole": outputs["head"]}
    wanted = outputs.get(plan.stage, (plan.stage,))
    best, reached, ran = dataclasses.replace(plan, score=-1), -1, 0
    batches: dict = {}
    for chosen in itertools.product(*weights.values()):
        for one_image, inward, outward in flows:
            tried = dataclasses.replace(plan, one_image=one_image, inward=inward, outward=outward, sizes=sizes, score=0)
            tried = dataclasses.replace(tried, weights=dict(zip(weights, chosen, strict=True)), gives=wanted[0])
            try:
                part = Part(tried, sizes, np.float64)
                part.set(parameters)
                with np.errstate(all="ignore"):
                    found = np.concatenate([part.forward(chunk).copy() for (chunk,) in part.chunks(x)])
            except Exception as error:  # a layout that is not the code's may fail in any way
                if best.score < 1 and progress(error, files) > reached:
                    best, reached = tried, progress(error, files)
                continue
            agreed = next((name for name in wanted if close(found, inputs[name])), None)
            if agreed:
                # right for batches of one, and wrong for those that it takes: it is judged as code for batches
                wrong = batches.get((inward, outward, str(chosen))) if one_image else None
                return _as_stage(dataclasses.replace(wrong or tried, score=3, gives=agreed))
            if not one_image and found.shape == inputs[wanted[0]].shape:
                batches[inward, outward, str(chosen)] = tried
            score = 2 if found.shape == inputs[wanted[0]].shape else 1
            ran += score == 2
            if score > best.score:
                sums = len(wanted) == 2 and np.allclose(found.sum(axis=-1), 1, atol=1e-3)
                gives = next(name for name in wanted if (name == "probabilities") == sums or len(wanted) == 1)
                best = _as_stage(dataclasses.replace(tried, score=score, gives=gives))
    return dataclasses.replace(best, chosen=ran > 1)


def _as_stage(plan):
    """A dense layer that gives probabilities is a head."""
    if plan.stage not in ("head", "logits"):
        return plan
    return dataclasses.replace(plan, stage="head" if plan.gives == "probabilities" else "logits")


def learn_backward(plan):
    """The plan with the places at which the code's backward leaves its gradients."""
    backward = next((name for name in BACKWARDS if hasattr(plan.make(plan.sizes, np.float64), name)), None)
    if backward is None:
        return plan
    say_trying(BACKWARD_TASK.get(plan.stage, f"{plan.stage} backward"))
    plan = dataclasses.replace(plan, backward=backward)
    network, parameters, inputs = plan.sizes.trial()
    forms = ("d_probabilities", "d_logits", "label", "one-hot") if plan.stage == "head" else ("",)
    found: list = []
    for form in forms:
        part = Part(plan, plan.sizes, np.float64)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT[plan.stage]], inputs["labels"])[0]
        try:
            y = part.forward(x)
            if plan.stage != "head":
                dy = np.random.default_rng(6).standard_normal(y.shape)
                return places(part, lambda part=part, dy=dy: part.call_backward(dy))
            part.plan = dataclasses.replace(plan, taken=form)
            given = head_upstream(part.plan, y, labels, len(x))
            learnt = places(part, lambda part=part, given=given: part.call_backward(given))
            single = network.backward_stage("loss", network.forward_stage("logits", x), np.float64(1), labels)["logits"]
            network.forward_stage("logits", x)
            right = network.backward_stage("logits", x, single)["dense_weight"]
            part = Part(learnt, plan.sizes, np.float64)
            part.set(parameters)
            part.forward(x)
            agrees = close(part.backward(given).get("dense_weight", np.zeros(0)), right)
            found.append((not agrees, len(found), learnt))
        except Exception:  # what fails here fails again when asked for, where it is noted against the code
            continue
    return min(found)[2] if found else plan


def head_upstream(plan, probabilities, labels, count):
    """What the backward of a layer that ends in the softmax is given, for the mean loss over `count` images.

    Raises:
        NotOfferedError: it is the gradient of the probabilities, which is not finite here.
    """
    if plan.taken == "label":
        return int(labels[0]) if plan.one_image else labels
    one_hot = np.zeros_like(probabilities)
    one_hot[np.arange(len(labels)), labels] = 1
    if plan.taken == "one-hot":
        return one_hot
    if plan.taken == "d_logits":
        return (probabilities - one_hot) / count
    true = probabilities[np.arange(len(labels)), labels]
    if not (true > 0).all():
        raise NotOfferedError("the gradient -1 / p of the probabilities, which backward is given, needs p above 0")
    return np.where(one_hot == 1, -1 / true[:, None], 0) / count


def _is_gradient_of(path, weight):
    """Whether a name says that it is the gradient of a weight, whatever its shape: dW or grads[W] of W or weights."""
    name, wanted = (layouts.plain(str(each[-1]).lstrip("._")) for each in (path, weight))
    bare = re.sub(r"^(grad|delta|nabla|d)", "", name)
    return layouts.is_gradient(path) and any(each and wanted.startswith(each) for each in (bare, name))


def places(part, call):
    """The plan of a part whose forward has run, with where a call leaves gradients."""
    plan = part.plan
    before = {path: array.copy() for path, array in layouts.arrays_of(part.code).items()}
    items = _items(call())
    native = plan.inward.shape(part.x_shape)
    key = next((key for key, value in items.items() if _matches(value, native)), layouts)
    dx = None if key is layouts else ("returned", key)
    items.pop(key, None)
    gradients = {}
    signature = inspect.signature(getattr(part.code, plan.backward))
    takes_rate = any(layouts.plain(name) in layouts.RATES for name in signature.parameters)
    after = layouts.arrays_of(part.code)
    weights = {path for paths, _ in plan.weights.values() for path in paths}
    fresh = [
        path for path, a in after.items() if path not in before or not np.array_equal(a, before[path], equal_nan=True)
    ]
    for name, (paths, order) in plan.weights.items():
        shape = order.shape(part.shapes[name])
        keys = [key for key, value in items.items() if _matches(value, shape)]
        stored = [p for p in fresh if p not in weights and layouts.is_gradient(p) and _matches(after[p], shape)]
        if keys:
            gradients[name] = ("returned", keys[0])
            items.pop(keys[0])
        elif stored:
            gradients[name] = ("stored", stored[0])
        elif other := [p for p in fresh if p not in weights and _is_gradient_of(p, paths[0])]:
            gradients[name] = ("stored", other[0])
        elif other := [key for key in items if isinstance(key, str) and _is_gradient_of(("d", key), paths[0])]:
            gradients[name] = ("returned", other[0])
        elif paths[0] in fresh or takes_rate:  # given a rate, it is to move them: that it does not is a mistake
            gradients[name] = ("moved", None)
    missing, left = [name for name in plan.weights if name not in gradients], [k for k, v in items.items() if v.ndim]
    if len(missing) == len(left) == 1:  # one gradient is wanted and one is given: its shape is for the judge
        gradients[missing[0]] = ("returned", left[0])
    if dx is None:
        own = [path for path in fresh if path not in weights and _matches(after[path], native)]
        named = [path for path in own if layouts.plain(str(path[-1]).lstrip(".")) in INPUT_GRADIENTS]
        dx = ("stored", named[0]) if named else None
    if dx is None and plan.stage == "pool":  # there is nothing else that it could give
        dx = ("returned", None)
    return dataclasses.replace(plan, dx=dx, gradients=gradients)


def learn_dtypes(plan):
    """The plan with the dtypes in which the code computes: fed with one, it gives nothing but that one."""
    _, parameters, inputs = plan.sizes.trial()
    dtypes = []
    for dtype in ("float32", "float64"):
        part = Part(plan, plan.sizes, dtype)
        part.set(parameters)
        x, labels = part.chunks(inputs[INPUT.get(plan.stage, "images")], inputs["labels"])[0]
        try:
            y = part.forward(x)
            if plan.backward and plan.stage == "whole":
                part.learn(x, labels)
            elif plan.backward:
                part.backward(head_upstream(plan, y, labels, len(x)) if plan.stage == "head" else np.ones_like(y))
        except Exception:  # fails again when asked for, and is noted there
            part.seen.discard("")
        if part.seen == {dtype}:
            dtypes.append(dtype)
    return dataclasses.replace(plan, dtypes=tuple(dtypes) or ("float64",))


def method_of(thing, names):
    """The first of the names that is a method of a class or object; None without one.

    `hasattr` will not do: a class is itself callable, so each seems to have `__call__`.
    """
    cls = thing if inspect.isclass(thing) else type(thing)
    return next((name for name in names if any(callable(vars(base).get(name)) for base in cls.__mro__)), None)


def find_layer(cls, stage, files=(), channels_first=False, after=None):
    """The `Plan` of a layer class: how it is made and called, found by trying.

    Args:
        cls: the class; `stage`: "conv", "pool", "logits" (also for a layer that ends in the softmax: the plan's stage
            is "head" then) or "probabilities".
        channels_first: whether the layer before hands on (F, P, Q), which is then the usual order of flattening.
        after: for a softmax, the `Plan` of the dense layer: what that one gives, this one takes, batches or columns.
    Raises:
        LookupError: no object of the class could be made, or it has no weights of a shape for this stage; the cause,
            if it is an error of the code, is the `__cause__`.
    """
    forward = method_of(cls, FORWARDS)
    if forward is None:
        raise LookupError(f"{cls.__name__} has no method {', '.join(FORWARDS[:3])}")
    makers = layouts.constructors(cls, stage)
    found: list = []
    failures: list = []
    for padding in ("valid", "same") if stage == "conv" else ("valid",):
        best = None
        for make, (sizes, same) in itertools.product(makers, _geometries(makers, stage, padding)):
            try:
                weights, zeros = weights_of(make(sizes, np.dtype(np.float64)), stage, sizes, channels_first)
            except Exception as error:  # arguments that are not the code's; the last error is told if none are
                failures.append(error)
                continue
            if not all(weights.values()):
                continue
            plan = Plan(stage, make, cls.__name__, forward, zeros=zeros, paddings=(padding,))
            plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
            flows = layouts.flows(stage, channels_first)
            if after is not None:
                flows = [flow for flow in flows if flow[:2] == (after.one_image, after.outward)] or flows
            tried = settle(plan, flows, weights, sizes, files)
            if tried.agreed and set(tried.same) == {"channels"} and best is not None and _runs(tried, best.sizes):
                tried = dataclasses.replace(tried, same={})  # right for one channel, and wrong for those it takes
            best = tried if best is None or tried.score > best.score else best
            if best.agreed:
                break
        found += [best] if best else []
    if not found:
        cause = failures[-1] if failures else None
        raise LookupError(f"no {cls.__name__} could be made with weights of a known shape") from cause
    plan = max(found, key=lambda best: best.score)
    paddings = tuple(each.paddings[0] for each in found if each.score >= 2 and each.make is plan.make)
    plan = learn_backward(dataclasses.replace(plan, paddings=paddings or plan.paddings))
    if plan.backward and plan.inward.axes[-1] == "N" and set(plan.gradients) != set(plan.weights):
        # columns are often meant for one image: then forward takes several by chance, and backward does not
        one = learn_backward(dataclasses.replace(plan, one_image=True))
        plan = one if len(one.gradients) > len(plan.gradients) else plan
    return learn_dtypes(plan)


def _runs(plan, sizes):
    """Whether a plan gives the right shape at other sizes."""
    _, parameters, inputs = sizes.trial()
    try:
        part = Part(plan, sizes, np.float64)
        part.set(parameters)
        given = part.chunks(inputs[INPUT[plan.stage]])
        return np.concatenate([part.forward(chunk) for (chunk,) in given]).shape == inputs[plan.stage].shape
    except Exception:  # it cannot be run at these sizes, in whatever way it says so
        return False


def has_weights(cls):
    """Whether an object of the class that needs no arguments keeps arrays; True if it needs some."""
    try:
        return bool(layouts.arrays_of(cls()))
    except TypeError:
        return True


def _geometries(makers, stage, padding):
    """(sizes, names of those that cannot be chosen), the most general first."""
    if stage == "probabilities":
        return [(Sizes((10, 12, 1), 6, 7), ())]
    if stage == "pool":
        return [(Sizes((10, 12, 1), 6, 7), ()), (Sizes((28, 28, 1), 6, 7), ("images",))]
    found: list = [] if stage == "logits" else [(Sizes((10, 12, 2), 6, 7, padding), ())]
    found.append((Sizes((10, 12, 1), 6, 7, padding), ("channels",) if stage == "conv" else ()))
    for make in makers:
        try:
            arrays = layouts.arrays_of(make(Sizes(padding=padding), np.dtype(np.float64)))
        except Exception:  # its message is told by the caller, who makes the same object again
            continue
        shapes = [array.shape for path, array in arrays.items() if not layouts.is_gradient(path)]
        if stage == "conv":
            c, f = next((own for shape in shapes if (own := layouts.kernel_sizes(shape))), (1, 8))
            found.append((Sizes((10, 12, c), f, 7, padding), ("channels", "filters")))
            found.append((Sizes((28, 28, c), f, 7, padding), ("channels", "filters", "images")))
        else:
            for rows, k in [shape for shape in shapes if len(shape) == 2 and min(shape) > 1]:
                pair = (max(rows, k), min(rows, k))
                size = (28, 28, 1) if pair[0] == 1352 else (2 * pair[0] + 2, 4, 1)
                found.append((Sizes(size, 8 if pair[0] == 1352 else 1, pair[1]), ("inputs", "classes")))
        break
    return found


def weights_of(code, stage, sizes, channels_first):
    """({name: [(paths, order), ...]}, paths to hold at 0): where an object may keep the parameters of a stage."""
    kept: dict = {}
    for path, array in layouts.arrays_of(code).items():
        if not layouts.is_gradient(path) and not layouts.is_memory(path):
            kept.setdefault(id(array), ([], array))[0].append(path)
    found: dict = {name: [] for name in WEIGHTS[stage]}
    shapes = sizes.shapes()
    zeros: list = []
    for paths, array in kept.values():
        orders = {
            "conv_weight": lambda shape=array.shape: layouts.kernel_orders(shape, *shapes["conv_weight"][2:]),
            "dense_weight": lambda shape=array.shape: layouts.dense_orders(
                shape, sizes.pool, sizes.classes, channels_first
            ),
            "dense_bias": lambda shape=array.shape: layouts.bias_orders(shape, sizes.classes),
        }
        known = [(name, order) for name in found for order in orders[name]()]
        for name, order in known:
            found[name].append((paths, order))
        if not known and stage in ("conv", "whole") and array.size in (sizes.filters, int(np.prod(sizes.conv))):
            zeros += paths
    if "dense_bias" in found and not found["dense_bias"]:
        del found["dense_bias"]  # a layer without bias is judged as such
    return found, tuple(zeros)
