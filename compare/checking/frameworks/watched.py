"""A framework's model, watched while it runs: the contract, as far as the model offers it.

The framework's file holds a `Net`, which speaks in native arrays; here they are brought into the contract's layout.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from compare.checking.calling.orders import IMAGES, Order
from compare.checking.calling.plan import Sizes
from compare.contract import NotOfferedError

TAPS = ("images", "conv_in", "conv", "pool", "dense_in", "dense", "out")
BEFORE = {"conv": "images", "pool": "conv", "logits": "pool", "probabilities": "logits"}
OWN = {"conv": ("conv_weight",), "logits": ("dense_weight", "dense_bias")}


class Net(Protocol):
    """One model of a framework. Arrays are NumPy's, in the model's own layout.

    name: of the model, for people. outward: the axes of what the convolution and the pooling put out. kernel: those of
    the filters. denses: those that the dense weights may have, the usual one first. averages: whether the pooling that
    ran was an average. one_image: whether it takes batches of one only. remarks: plain sentences.
    """

    name: str
    outward: Order
    kernel: Order
    denses: Sequence[Order]
    averages: bool
    one_image: bool
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
        """Gradients of a tap, or of "loss" with (tap, kind, labels) as upstream; None for what has no path to it."""
        ...


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a trial settled. score: 3, the network agrees; 2, the dense layer does on what it is given; 1, it runs."""

    inward: Order
    rows: Order
    kind: str
    score: int
    cut: bool = False


def fitting(makers, build, sizes, dtype, inward):
    """The `Net` of the first maker whose model runs on images of these sizes with filters of the contract's shape."""
    reason: Exception | None = None
    for make in makers:
        try:
            net = build(make(sizes, dtype), dtype)
        except NotOfferedError:
            raise
        except Exception as error:  # arguments that are not the code's
            reason = reason or error
            continue
        try:
            seen = net.run({"images": inward.native(np.zeros((2, *sizes.input_shape), dtype))})
            _check(net, seen, sizes, dtype)
            return net
        except Exception as error:  # a model of other sizes fails in any way
            reason = error
    text = " ".join(re.sub(r"\x1b\[\d+m|Exception encountered when calling \S+", "", str(reason)).split())[:110]
    asked = f"images {sizes.input_shape}, {sizes.filters} filters, {sizes.classes} classes, padding {sizes.padding}"
    raise NotOfferedError(f"no model could be made for {asked} ({text})") from reason


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


def whole(net, sizes):
    """Whether the dense layer has the contract's shape."""
    return any(net.get()["dense_weight"].shape == order.shape((*sizes.pool, sizes.classes)) for order in net.denses)


def put(net, parameters, rows, sizes, dtype):
    """Parameters of the contract, cast to dtype, into a net; the dense layer's only where they fit."""
    values = {"conv_weight": net.kernel.native(np.asarray(parameters["conv_weight"], dtype))}
    if whole(net, sizes):
        dense = np.asarray(parameters["dense_weight"], dtype).reshape(*sizes.pool, sizes.classes)
        values |= {"dense_weight": rows.native(dense), "dense_bias": np.array(parameters["dense_bias"], dtype)}
    net.put(values)


def pool_of(net, seen, rows, sizes):
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


class Forward:
    """The contract as far as a model without gradients offers it; what it lacks is refused with NotOfferedError."""

    makers: list
    build: Callable
    choice: Choice
    name: str
    refused: set
    applied_rate = None

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.sizes, self.dtype = Sizes(tuple(input_shape), filters, classes, padding), np.dtype(dtype).name
        if self.sizes not in self.refused:  # to try in vain costs as much as to make one
            try:
                self.net = fitting(self.makers, self.build, self.sizes, self.dtype, self.choice.inward)
            except NotOfferedError:
                self.refused.add(self.sizes)
        if self.sizes in self.refused:
            asked = f"images {self.sizes.input_shape}, {filters} filters, {classes} classes, padding {padding}"
            raise NotOfferedError(f"{self.name} is not made for {asked}")
        self.whole = whole(self.net, self.sizes)
        seen = self.net.run(self._blank(1))
        # of a pooling that is no layer of its own only what goes into the dense layer is seen
        self.taps = {"pool": "pool" if "pool" in seen else "dense_in", "conv": "conv"}
        # images that the model scales are another input of the convolution, no other gradient
        padded = self.net.outward.shape((1, *self.sizes.input_shape)) != seen["conv_in"].shape
        self.taps["images"] = "images" if padded else "conv_in"
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
        put(self.net, parameters, self.choice.rows, self.sizes, self.dtype)

    def activations(self, images, labels):
        """conv, pool and logits of one pass; probabilities where the model gives them; the loss of its output."""
        given = self._images(images)
        if not self.whole and self.taps["pool"] == "pool":  # convolution and pooling are judged alone
            raise NotOfferedError(f"the dense weights are {self.net.get()['dense_weight'].shape}: no pass is compared")
        seen = self.net.run(given, (*self.ends, labels) if self.whole else None)
        found = {"conv": self._back("conv", seen["conv"])}
        pool = pool_of(self.net, seen, self.choice.rows, self.sizes)
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
        return self._probabilities(self.net.run(self._images(images))["out"])

    def forward_stage(self, stage, x, labels=None):
        """One stage alone: what the model makes of x in the place of what comes before the stage."""
        seen = self.net.run(self._given(stage, x))
        if stage == "probabilities":
            return self._probabilities(seen["out"])
        return self._back(stage, seen[self.taps[stage]])

    def _given(self, stage, x):
        """What a pass is given so that it goes through a stage with x: any images, and x in its place."""
        if stage not in BEFORE or (stage in ("logits", "probabilities") and not self.whole):
            raise NotOfferedError(f"the model has no {stage} of its own")
        if stage == "probabilities" and self.choice.kind == "logits":
            raise NotOfferedError("the model has no probabilities of its own")
        if stage == "conv" and self.taps["images"] == "images":
            raise NotOfferedError("the convolution is given images that were padded, or of another shape")
        before = BEFORE[stage]
        return {**self._blank(len(x)), self.taps[before]: self._native(before, x)}

    def _images(self, images):
        return {"images": self.choice.inward.native(np.asarray(images, self.dtype))}

    def _blank(self, count):
        return self._images(np.zeros((count, *self.sizes.input_shape)))

    def _order(self, name):
        images = self.net.outward if self.taps["images"] == "conv_in" else self.choice.inward
        orders = {"images": images, "conv": self.net.outward, "conv_weight": self.net.kernel}
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


class Watched(Forward):
    """The same of a model with gradients."""

    def gradients(self, images, labels):
        """Of the mean loss of the model's output; what no gradient reaches is 0 for a parameter, else left out."""
        if not self.whole:
            raise NotOfferedError("the dense layer is of another shape")
        given = self._images(images)
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
        native, out = self._native(stage, upstream), self.net.run(given)[self.taps[stage]].shape
        if native.shape != out:
            raise NotOfferedError(f"{stage} puts out {out}: there is no gradient {native.shape} of it")
        own = [name for name in OWN.get(stage, ()) if name in self.net.get()]
        source = self.taps[BEFORE[stage]]
        found = self.net.grad(given, self.taps[stage], native, [source, *own])
        named = {BEFORE[stage]: found[source]} | {name: found[name] for name in own}
        return {name: self._back(name, value) for name, value in named.items() if value is not None}
