"""What is known of a layer of the code, and the sizes in which it is tried."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from compare.checking.calling import arrays, windows, words
from compare.checking.process.things import Standing, Thing
from numpy_cnn.layers import Layers

RATE = 4096.0  # a power of two, and large: the weights' own rounding must not drown a gradient read off as their move
UPDATES: tuple = ("update", "step", "apply", "update_params", "update_parameters", "update_weights", "apply_gradients")
UPDATES += ("calculate_update", "weight_update", "optimize")
STAGE_WORDS = {"conv": "the convolution", "pool": "the pooling", "logits": "the dense layer, which gives logits"}

STAGE_WORDS |= {"head": "dense layer and softmax in one", "probabilities": "the softmax", "whole": "the whole network"}

TAKEN_WORDS = {"d_probabilities": "the gradient of the probabilities", "d_logits": "the gradient of the logits"}

TAKEN_WORDS |= {"label": "the label", "one-hot": "the label as a one-hot row"}

INPUT = {
    "conv": "images",
    "pool": "conv",
    "logits": "pool",
    "head": "pool",
    "probabilities": "logits",
    "whole": "images",
}


@dataclasses.dataclass(frozen=True)
class Sizes:
    """One geometry: the arguments of the contract's constructor; and how many images, for code that must be told.

    window: a `windows.Window` of a layer that is not of this network's.
    """

    input_shape: tuple = (28, 28, 1)
    filters: int = 8
    classes: int = 10
    padding: str = "valid"
    batch: int = 3
    window: Any = None

    @property
    def conv(self):
        """(H', W', F)."""
        if self.window and self.window.stage == "conv":
            return (*self.window.counts(self.input_shape), self.filters)
        border = 0 if self.padding == "same" else 2
        return (self.input_shape[0] - border, self.input_shape[1] - border, self.filters)

    @property
    def pool(self):
        """(P, Q, F)."""
        return (self.conv[0] // 2, self.conv[1] // 2, self.filters)

    def shapes(self):
        """The contract's parameters, the dense rows as three axes."""
        size, _, _ = self.steps("conv")
        kernel = (size, size, self.input_shape[2], self.filters)
        return {"conv_weight": kernel, "dense_weight": (*self.pool, self.classes), "dense_bias": (self.classes,)}

    def steps(self, stage):
        """(size of a window, stride, padding) of a stage."""
        if self.window:
            return self.window.size, self.window.stride, self.window.border
        return (2, 2, 0) if stage == "pool" else (3, 1, int(self.padding == "same"))

    def trial(self):
        """Random parameters, and what a right network makes of three random images: (network, parameters, inputs)."""
        if self.window:
            shape = self.conv if self.window.stage == "pool" else self.input_shape
            return windows.trial(self.window, shape, self.filters)
        rng = np.random.default_rng(5)
        network = Layers(self.input_shape, self.filters, self.classes, self.padding, np.float64)
        values = {name: 0.3 * rng.standard_normal(value.shape) for name, value in network.get_parameters().items()}
        # logits of about 1: where the label's probability is tiny, an epsilon in a quotient changes the whole gradient
        values["dense_weight"] /= 0.3 * np.sqrt(len(values["dense_weight"]))
        values["dense_bias"] *= 0  # there are layers without one
        network.set_parameters(values)
        inputs = {"images": rng.standard_normal((3, *self.input_shape)), "labels": np.arange(3) % self.classes}
        return network, values, inputs | network.activations(inputs["images"], inputs["labels"])


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is known of a layer: how it is made, called, and where its arrays lie.

    weights: by the contract's name, the paths at which the code keeps it (the same array may be at two), and its order.
    zeros: paths of what the network of the contract does not have.
    bias: what `bias.judge` says of the gradient of one of these.
    dx, gradients: where `backward` leaves a gradient: ("returned", key), ("stored", path) or ("moved", None).
    hands: (name, kind) of arguments of `backward` that were found by trying: "given", "x", "out" or "cache".
    training: whether forward is told that it is in training, without which it keeps nothing for the way back.
    divides: whether `backward` divides the gradients of its weights by the size of the batch.
    clears: who puts gradients to 0 that add up from call to call: "update", the code's own, or "here", where they are
        those of a parameter's object, which is somebody else's affair; "" where they do not.
    own_rate: at which `backward` moves the weights, whatever it is told; None where it is told, or moves nothing.
    taken: what a head's `backward` is given: "d_probabilities", "d_logits", "label" or "one-hot".
    same: the sizes that cannot be chosen. gives: the quantity that comes out. sizes: those of the trial.
    score: 3, the trial gave what the right network gives; 2, the right shape; 1, another shape; 0, it raised.
    chosen: whether other layouts were possible too. activation: that the layer ends in, of `conventions.ACTIVATIONS`.
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
    bias: tuple | None = None
    dx: tuple | None = None
    gradients: dict = dataclasses.field(default_factory=dict)
    hands: tuple = ()
    training: bool = False
    divides: bool = False
    clears: str = ""
    own_rate: float | None = None
    taken: str = "d_probabilities"
    paddings: tuple = ("valid",)
    same: dict = dataclasses.field(default_factory=dict)
    dtypes: tuple = ("float64",)
    gives: str = ""
    score: int = 0
    chosen: bool = False
    activation: str = ""
    sizes: Sizes = Sizes()

    @property
    def moves(self):
        """Whether a gradient is read off as what the weights moved by."""
        return any(how == "moved" for how, _ in self.gradients.values())

    @property
    def agreed(self):
        """Whether the trial gave what the right network gives."""
        return self.score == 3

    @property
    def can_step(self):
        """Whether the code moves its weights by itself or has a method for it."""
        hows = {how for how, _ in self.gradients.values()}
        code = self.make(self.sizes, np.dtype(np.float64))
        return bool(hows) and not self.own_rate and (hows == {"moved"} or self.updates(code) is not None)

    def updates(self, code):
        """The method of the code that moves its weights, given a learning rate or nothing; None without one."""
        names = [name for name in (*UPDATES, "backward", "gradient") if name != self.backward]
        for name in [name for name in names if name in code.methods]:
            taken = [words.plain(each) for each in code.methods[name].parameters]
            if all(each in words.RATES for each in taken[:1]) and all(map(words.neutral, taken[1:])):
                return name
        return None

    def channels_first(self):
        """Whether what comes out has its channels before its rows."""
        letters = self.outward.letters
        return "C" in letters and letters.index("C") < letters.index("H")

    def described(self):
        """What was found out or assumed, in one line."""
        how = "one image at a time" if self.one_image else "a batch at a time"
        parts = [f"{self.name} is {STAGE_WORDS[self.stage]}, {how}, {self.inward} in, {self.outward} out"]
        if "HW" in self.inward.letters and "C" not in self.inward.letters:
            parts[0] += ", no channel axis"
        parts += [f"{arrays.named(paths[0])} is {name} {order}" for name, (paths, order) in self.weights.items()]
        if any("FPQ" in axis for _, order in self.weights.values() for axis in order.axes):
            parts.append("the rows of the dense weights are in (F, P, Q) order, channels first")
        if self.stage == "head" and self.backward:
            parts.append(f"{self.backward} is given {TAKEN_WORDS[self.taken]}")
        if not self.agreed and self.chosen:
            parts.append("layouts are the most usual ones, since none gave what a right network gives")
        parts += [f"{self.forward} is told that it is in training"] if self.training else []
        parts += [f"{self.backward} moves the weights at a rate of its own, {self.own_rate:g}"] if self.own_rate else []
        if self.clears:
            way = {"update": "the code's own update, which is called between", "here": "they are put to 0, here"}
            parts.append(f"gradients add up until {way[self.clears]}")
        made = self.make(self.sizes, np.dtype(np.float64))
        handed = made.stranger.handed.get(made.number, ()) if isinstance(made, Thing) else ()
        parts += [f"it is handed {' and '.join(Standing.WORDS[kind] for kind in sorted(handed))}"] if handed else []
        parts += [f"{name} {value} only" for name, value in self.same.items()]
        return "; ".join(parts)

    def remarked(self):
        """What is not a mistake but worth saying, a line each."""
        lines = []
        for path in self.zeros:
            shape = self.make(self.sizes, np.dtype(np.float64)).read(path)[0].shape
            size = int(np.prod(shape))
            of_pixels = "one for each output pixel" if size == int(np.prod(self.sizes.conv)) else f"of shape {shape}"
            each = "(F,)" if size == self.sizes.filters else of_pixels
            judged = "its gradient is judged by itself" if self.bias else "its gradient is not checked"
            stage = "pool" if self.stage == "pool" else "conv"
            lines.append(f"{stage} has a bias, {arrays.named(path)}, {each}: held at 0, {judged}")
        return lines

    @property
    def lacks_bias(self):
        """Whether it is, or holds, a dense layer without a bias."""
        return self.stage in ("logits", "head", "whole") and "dense_bias" not in self.weights


def size_of(sizes, name):
    """One size by its name in messages."""
    h, w, c = sizes.input_shape
    known = {"images": (h, w), "channels": c, "filters": sizes.filters, "classes": sizes.classes}
    return known[name] if name in known else int(np.prod(sizes.pool))


def about(plans, remarks):
    """Class attributes that say what was found out."""
    rates = [plan.own_rate or RATE for plan in plans.values() if plan.moves]
    assumptions, remarks = [plan.described() for plan in plans.values()], list(remarks)
    if RATE in rates:
        assumptions.append(f"backward updates the weights; gradients are what the weights moved by at rate {RATE:g}")
    remarks += [line for plan in plans.values() for line in plan.remarked()]
    ended = [(plan.activation, "pooling" if stage == "pool" else "convolution") for stage, plan in plans.items()]
    ends = [f"{activation} in the {where}" for activation, where in ended if activation]
    average = "pool" in plans and plans["pool"].name.lower().replace("_", "").startswith(("avg", "average", "mean"))
    return {
        "assumptions": assumptions,
        "remarks": remarks,
        "applied_rate": min(rates, default=None),
        "conventions": (
            *(["average pooling"] if average else []),
            *(["no dense bias"] if any(plan.lacks_bias for plan in plans.values()) else []),
            *ends,
        ),
        "changed_inputs": set(),
        "beside": {"d_conv_bias": bias} if (bias := plans["conv"].bias if "conv" in plans else None) else {},
    }
