"""Subjects of a framework's model: one convolution, one pooling, one dense layer, watched while it runs.

A framework's file holds a network of its own, which is asked through `Net`: its passes in native arrays, taken down and
replaced at taps between the layers. Here they become the contract's. A trial on random data chooses only what is free:
the axes of the images, the order of flattening, whether logits, log-probabilities or probabilities come out.
"""

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from compare.checking import layouts
from compare.checking.layers import Sizes, close
from compare.checking.layouts import IMAGES, Order
from compare.contract import PARAMETERS, NotOfferedError

TAPS = ("images", "conv_in", "conv", "pool", "dense_in", "dense", "out")
BEFORE = {"conv": "images", "pool": "conv", "logits": "pool", "probabilities": "logits"}
OWN = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias")}
KINDS = ("logits", "log-probabilities", "probabilities")
TRIALS = (
    Sizes((10, 12, 2), 6, 7),
    Sizes((10, 12, 2), 6, 7, "same"),
    Sizes((10, 12, 1), 6, 7),
    Sizes(),
    Sizes(padding="same"),
)
IMAGE_ORDERS = tuple(Order(IMAGES, axes) for axes in (("N", "C", "H", "W"), ("N", "H", "W", "C"), ("N", "H", "W")))
IMAGE_ORDERS += tuple(Order(IMAGES, ("N", joined)) for joined in ("CHW", "HWC"))


class Net(Protocol):
    """One model of a framework. Arrays are NumPy's, in the model's own layout.

    name: of the model, for people. outward: the axes of what the convolution and the pooling put out. kernel: those of
    the filters. denses: those that the dense weights may have, the usual one first. averages: whether the pooling that
    ran was an average. remarks: plain sentences.
    """

    name: str
    outward: Order
    kernel: Order
    denses: Sequence[Order]
    averages: bool
    remarks: list[str]

    def get(self) -> dict[str, Any]:
        """Copies of the parameters that it has, under the contract's names."""
        ...

    def put(self, values: dict[str, Any]) -> None:
        """Take copies; what the contract does not have, a bias of the convolution, becomes 0."""
        ...

    def run(self, given: dict[str, Any], loss: tuple[str, str, Any] | None = None) -> dict[str, Any]:
        """What is seen at TAPS in one pass, where `given` replaces it; and the loss of (tap, its kind, labels)."""
        ...

    def grad(self, given: dict[str, Any], target: str, upstream: Any, sources: Sequence[str]) -> dict[str, Any]:
        """Of a tap with an upstream gradient, or of "loss" with (tap, kind, labels); None for what has no path to it."""
        ...


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a trial settled. score: 3, the network agrees; 2, the dense layer does on what it is given; 1, it runs."""

    inward: Order
    rows: Order
    kind: str
    score: int
    cut: bool = False


def subject(makers, build, orders=IMAGE_ORDERS, backward=True):
    """A subject class of a model.

    Args:
        makers: functions (sizes, dtype) -> the framework's own object, any of which may raise.
        build: (object, dtype) -> `Net`; NotOfferedError where it is not such a network.
        orders: that the images may have, the usual first.
        backward: whether it has gradients.
    Raises:
        NotOfferedError: no such network could be made; the message says why.
    """
    reasons: list = []
    for sizes in TRIALS:
        for dtype in ("float64", "float32"):
            choices = []
            for inward in orders:
                try:
                    net = fitting(makers, build, sizes, dtype, inward)
                    choices += [_tried(net, sizes, dtype, inward, rows, backward) for rows in net.denses]
                except NotOfferedError as reason:
                    reasons.append(str(reason))
            if choices:
                best = max(choices, key=lambda choice: choice.score)
                net = fitting(makers, build, sizes, dtype, best.inward)
                if sizes == TRIALS[-1]:
                    raise NotOfferedError(
                        f"{net.name} pads its images and takes 28x28 only; found no probe of that size with padding "
                        "same: let its constructor take input_shape, filters and classes"
                    )
                net.run({"images": best.inward.native(np.zeros((1, *sizes.input_shape), dtype))})
                return _class(makers, build, best, net, backward, sizes, dtype)
    raise NotOfferedError(reasons[-1] if reasons else "no network could be made")


def fitting(makers, build, sizes, dtype, inward):
    """The `Net` of the first maker whose model runs on images of these sizes with filters of the contract's shape."""
    reason: Exception | None = None
    for make in makers:
        try:
            net = build(make(sizes, dtype), dtype)
        except NotOfferedError as error:
            raise error
        except Exception as error:  # arguments that are not the code's
            reason = reason or error
            continue
        try:
            seen = net.run({"images": inward.native(np.zeros((2, *sizes.input_shape), dtype))})
            _check(net, seen, sizes, dtype)
            return net
        except Exception as error:  # a model of other sizes fails in any way
            reason = error
    text = " ".join(str(reason).split())[:200]
    raise NotOfferedError(f"no model for {dataclasses.asdict(sizes)} could be made: {text}") from reason


def _check(net, seen, sizes, dtype):
    """Raise NotOfferedError unless the convolution is of these sizes, padding and dtype."""
    kernel = net.kernel.shape((3, 3, sizes.input_shape[2], sizes.filters))
    found = net.get()["conv_weight"].shape
    if found != kernel:
        raise NotOfferedError(f"{net.name} has filters {found}, wanted {kernel}")
    if seen["out"].dtype != dtype:
        raise NotOfferedError(f"{net.name} computes in {seen['out'].dtype}, wanted {dtype}")
    conv = net.outward.back(seen["conv"], (2, *sizes.conv)).shape[1:3]
    padded = "same" if conv == sizes.input_shape[:2] else "valid"
    if padded != sizes.padding:
        raise NotOfferedError(f"{net.name} has padding {padded}, wanted {sizes.padding}")


def _whole(net, sizes):
    """Whether the dense layer has the contract's shape."""
    return any(net.get()["dense_weight"].shape == order.shape((*sizes.pool, sizes.classes)) for order in net.denses)


def _tried(net, sizes, dtype, inward, rows, backward):
    """The `Choice` that these two orders are."""
    if not _whole(net, sizes):
        return Choice(inward, rows, "logits", 0)
    right, parameters, inputs = sizes.trial()
    _put(net, parameters, rows, sizes, dtype)
    images = {"images": inward.native(inputs["images"].astype(dtype))}
    try:
        seen = net.run(images)
        out, wanted = seen["out"], inputs["probabilities"]
        forms = dict(zip(KINDS, (inputs["logits"], np.log(wanted), wanted), strict=True))
        kind = next((kind for kind, value in forms.items() if close(out, value)), None)
        score = 3 if kind else 1
        if kind is None:
            kind = _looks(out)
            own = net.outward.back(seen["conv"], (3, *sizes.conv))
            pool = _pool_of(net, seen, rows, sizes)
            pool = right.forward_stage("pool", own) if "pool" not in seen or pool is None else pool
            score += pool.shape[1:] == sizes.pool and close(seen["dense"], right.forward_stage("logits", pool))
        labels = inputs["labels"]
        sources = ("dense_weight", "conv_weight")
        cut = backward and net.grad(images, "loss", ("out", kind, labels), sources)["conv_weight"] is None
    except Exception as error:  # fails again when asked for, and is noted there
        raise NotOfferedError(f"{net.name} could not be run on random images: {error}") from error
    return Choice(inward, rows, kind, score, cut)


def _looks(out):
    """The kind of an output that agrees with nothing: by its sums."""
    if (out >= 0).all() and np.allclose(out.sum(axis=-1), 1, atol=1e-3):
        return "probabilities"
    return "log-probabilities" if np.allclose(np.exp(out).sum(axis=-1), 1, atol=1e-3) else "logits"


def _put(net, parameters, rows, sizes, dtype):
    """Parameters of the contract, cast to dtype, into a net; the dense layer's only where they fit."""
    values = {"conv_weight": net.kernel.native(np.asarray(parameters["conv_weight"], dtype))}
    if _whole(net, sizes):
        dense = np.asarray(parameters["dense_weight"], dtype).reshape(*sizes.pool, sizes.classes)
        values |= {"dense_weight": rows.native(dense), "dense_bias": np.array(parameters["dense_bias"], dtype)}
    net.put(values)


def _pool_of(net, seen, rows, sizes):
    """The pool's output (N, P, Q, F); None where it cannot be told from what goes into the dense layer."""
    if "pool" in seen:
        return np.ascontiguousarray(net.outward.back(seen["pool"], (len(seen["pool"]), *sizes.pool)))
    try:
        return np.ascontiguousarray(_flat(rows).back(seen["dense_in"], (len(seen["dense_in"]), *sizes.pool)))
    except ValueError:
        return None


def _flat(rows):
    """The order of what goes into a dense layer, whose weights have `rows`."""
    first = any("FPQ" in axis for axis in rows.axes)
    return Order(IMAGES, ("N", "CHW" if first else "HWC"))


class Watched:
    """The contract as far as a model offers it; what it lacks is refused with NotOfferedError. See `Net`."""

    makers: list
    build: Callable
    choice: Choice
    one_image = False
    conventions: tuple = ()
    changed_inputs: set = set()
    applied_rate = None

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.sizes, self.dtype = Sizes(tuple(input_shape), filters, classes, padding), np.dtype(dtype).name
        self.net = fitting(self.makers, self.build, self.sizes, self.dtype, self.choice.inward)
        self.whole = _whole(self.net, self.sizes)
        seen = self.net.run(self._images(1))
        # of a pooling that is no layer of its own only what goes into the dense layer is seen
        self.taps = {"pool": "pool" if "pool" in seen else "dense_in", "conv": "conv", "images": "images"}
        self.taps["logits"] = "out" if self.choice.kind == "logits" else "dense"
        # a softmax that is wrong is not blamed on the loss, which is no part of the model, nor on what lies before it
        self.own_loss = self.choice.kind == "logits" or self.choice.score == 3
        self.ends = ("out", self.choice.kind) if self.own_loss else ("dense", "logits")

    def get_parameters(self):
        """Copies of those that the model has, in the contract's layout."""
        values = self.net.get()
        return {name: self._back(name, value) for name, value in values.items() if self.whole or name == "conv_weight"}

    def set_parameters(self, parameters):
        """Take copies, cast to dtype."""
        _put(self.net, parameters, self.choice.rows, self.sizes, self.dtype)

    def activations(self, images, labels):
        """conv, pool and logits of one pass; probabilities where the model gives them; the loss of its output."""
        given = {"images": self._native("images", images)}
        seen = self.net.run(given, (*self.ends, labels) if self.whole else None)
        found = {"conv": self._back("conv", seen["conv"])}
        pool = _pool_of(self.net, seen, self.choice.rows, self.sizes)
        found |= {"pool": pool} if pool is not None else {}
        if self.whole:
            found["logits"] = seen[self.taps["logits"]]
            found |= {} if self.choice.kind == "logits" else {"probabilities": self._probabilities(seen["out"])}
            if "loss" in seen and self.own_loss and self._has_loss(seen["out"], labels):
                found["loss"] = seen["loss"]
        return found

    def predict(self, images):
        """Probabilities (N, K), if the model gives them."""
        if self.choice.kind == "logits" or not self.whole:
            raise NotOfferedError("the model gives no probabilities")
        return self._probabilities(self.net.run({"images": self._native("images", images)})["out"])

    def forward_stage(self, stage, x, labels=None):
        """One stage alone: what the model makes of x in the place of what comes before the stage."""
        seen = self.net.run(self._given(stage, x))
        if stage == "probabilities":
            return self._probabilities(seen["out"])
        return self._back(stage, seen[self.taps[stage]])

    def gradients(self, images, labels):
        """Of the mean loss of the model's output; what no gradient reaches is 0 for a parameter, else left out."""
        if not self.whole:
            raise NotOfferedError("the dense layer is of another shape")
        given = {"images": self._native("images", images)}
        if not self._has_loss(self.net.run(given)["out"], labels):
            raise NotOfferedError("a loss of probabilities is infinite where they round to 0; one of logits is not")
        parameters = self.net.get()
        sources = {name: self.taps[name] for name in ("logits", "pool", "conv", "images")[not self.own_loss :]}
        found = self.net.grad(given, "loss", (*self.ends, labels), [*sources.values(), *parameters])
        zeros = {name: np.zeros_like(value) for name, value in parameters.items() if found[name] is None}
        named = {name: found[tap] for name, tap in sources.items()} | {name: found[name] for name in parameters}
        return {name: self._back(name, value) for name, value in (named | zeros).items() if value is not None}

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards, given its input and the upstream gradient."""
        if stage == "probabilities":
            raise NotOfferedError("a softmax alone is not asked backwards")
        given = self._given(stage, x)
        if stage == "conv" and self.choice.cut:
            raise NotOfferedError("no gradient reaches the filters")
        own = [name for name in OWN.get(stage, ()) if name in self.net.get()]
        source = "conv_in" if stage == "conv" else self.taps[BEFORE[stage]]
        found = self.net.grad(given, self.taps[stage], self._native(stage, upstream), [source, *own])
        named = {BEFORE[stage]: found[source]} | {name: found[name] for name in own}
        return {name: self._back(name, value) for name, value in named.items() if value is not None}

    def _given(self, stage, x):
        """What a pass is given so that it goes through a stage with x: any images, and x in its place."""
        if stage not in BEFORE or (stage in ("logits", "probabilities") and not self.whole):
            raise NotOfferedError(f"the model has no {stage} of its own")
        if stage == "probabilities" and self.choice.kind == "logits":
            raise NotOfferedError("the model has no probabilities of its own")
        given = self._images(len(x))
        if stage == "conv":
            native = self.net.outward.native(np.asarray(x, self.dtype))
            if self.net.run(given)["conv_in"].shape != native.shape:
                raise NotOfferedError("the convolution is given images that were padded, or of another shape")
            return {**given, "conv_in": native}
        before = BEFORE[stage]
        return {**given, self.taps[before]: self._native(before, x)}

    def _images(self, count):
        return {"images": self.choice.inward.native(np.zeros((count, *self.sizes.input_shape), self.dtype))}

    def _order(self, name):
        orders = {"images": self.choice.inward, "conv": self.net.outward, "conv_weight": self.net.kernel}
        orders["pool"] = self.net.outward if self.taps["pool"] == "pool" else _flat(self.choice.rows)
        return orders.get(name)

    def _native(self, name, x):
        x, order = np.asarray(x, self.dtype), self._order(name)
        return order.native(x) if order else np.array(x)

    def _back(self, name, y):
        """An array of the model's, or a gradient with respect to it, in the contract's layout."""
        if name == "dense_weight":
            y = self.choice.rows.back(y, (*self.sizes.pool, self.sizes.classes))
            return np.array(y.reshape(-1, self.sizes.classes))
        shapes = {"images": self.sizes.input_shape, "conv": self.sizes.conv, "pool": self.sizes.pool}
        order = self._order(name)
        if order is None:
            return y
        house = (3, 3, 0, 0) if name == "conv_weight" else (len(y), *shapes[name])
        return np.array(order.back(y, house), order="C")

    def _probabilities(self, out):
        return np.exp(out) if self.choice.kind == "log-probabilities" else out

    def _has_loss(self, out, labels):
        if self.ends[1] != "probabilities" or out.shape != (len(labels), self.sizes.classes):
            return True
        return not (out[np.arange(len(labels)), labels] == 0).any()


def _class(makers, build, choice, net, backward, sizes, dtype):
    """The subject class, with what was found out said in plain words."""
    dtypes = [dtype]
    other = "float32" if dtype == "float64" else None
    if other:
        try:
            fitting(makers, build, sizes, other, choice.inward)
            dtypes.append(other)
        except NotOfferedError:  # it computes in one dtype only
            pass
    first = "FPQ" in "".join(choice.rows.axes)
    sure = {3: "as a trial on random data shows", 2: "as its dense layer shows"}
    lines = [
        f"{net.name} takes images {choice.inward} and gives {choice.kind}; the rows of its dense weights are in "
        f"{'(F, P, Q) order, channels first' if first else '(P, Q, F) order, channels last'}, "
        + sure.get(choice.score, "the usual order, since with none of them it agrees")
    ]
    remarks = [*net.remarks, f"its output is {choice.kind}: a loss that takes logits must not be given them"]
    remarks = [*remarks[: -1 if choice.kind == "logits" else None], *(["pooling is average, by its name"] if net.averages else [])]
    body = {
        "makers": makers,
        "build": staticmethod(build),
        "choice": choice,
        "dtypes": tuple(sorted(dtypes)),
        "assumptions": lines,
        "remarks": remarks,
        "conventions": ("average pooling",) if net.averages else (),
        "of_probabilities": choice.kind == "probabilities" and choice.score == 3,
        "changed_inputs": set(),
    }
    if backward:
        return type("Subject", (Watched,), body)
    kept = {name: value for name, value in vars(Watched).items() if name not in ("gradients", "backward_stage")}
    kept = {name: value for name, value in kept.items() if name not in ("__dict__", "__weakref__")}
    return type("Subject", (), {**kept, **body})


def makers_of(candidate, base):
    """Functions (sizes, dtype) -> an object, of a class or function: without arguments first, then by their names.

    Args:
        base: the framework's class whose constructor's arguments are of no interest.
    """
    code = candidate.__init__ if inspect.isclass(candidate) else candidate
    parameters = list(inspect.signature(code).parameters.values())[1 if inspect.isclass(candidate) else 0 :]
    if inspect.isclass(candidate) and code is base.__init__:
        parameters = []

    def named(**arguments):
        return candidate(**arguments)

    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    named.__name__ = candidate.__name__
    return [lambda sizes, dtype: candidate(), *layouts.constructors(named, "whole")]


def found_instead(name, convs, pools, denses):
    """NotOfferedError for a model that is another kind of network; each of the three is a list of descriptions."""
    kinds = (("convolutions", convs), ("poolings", pools), ("dense layers", denses))
    counted = [f"{len(found)} {what}" + (f" ({', '.join(found)})" if found else "") for what, found in kinds]
    return NotOfferedError(
        f"{name}: found {', '.join(counted)}; wanted one convolution 3x3, one pooling 2x2 and one dense layer"
    )


def scope(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the contract's parameters that are in `names`, in its order."""
    return tuple(name for name in PARAMETERS if name in names)


def every(layer) -> list:
    """A layer's own layers at any depth."""
    below = getattr(layer, "layers", [])
    return list(itertools.chain.from_iterable([each, *every(each)] for each in below))
