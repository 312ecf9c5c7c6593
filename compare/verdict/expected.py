"""What each quantity of a probe should be, given what the implementation itself computed before it.

A pass ("run" from the images, "head" from the pool's output on) judges each quantity on the implementation's own
predecessor, so that an early error is not blamed on what comes after; a predecessor that is not offered is computed
from the one before it, its allowance carried on. "alone" gives every stage exact inputs and a random upstream gradient,
so that an error there can only be the stage's own.
"""

from dataclasses import dataclass

import numpy as np

from compare.graph import PARAMETERS, STEP_OF, STEPS, follow
from compare.verdict.allowances import Bounded, Stages, corners, near_tie_filters, near_ties, whole_pass
from compare.verdict.probes import LEARNING_RATE


class NotReached(Exception):  # noqa: N818 - not an error of ours: the stage before gave nothing to judge this one on
    """The input of a stage is missing or unusable."""


@dataclass(frozen=True)
class Routed(Bounded):
    """Expected d_conv, with the number of windows in which another order of near ties was accepted or possible."""

    near_ties: int = 0


@dataclass(frozen=True)
class Manner:
    """How an implementation shows what it computes.

    applied_rate: the learning rate at which gradients were read off as what the weights moved by; None: they are given.
    step_images: how many images of a probe `step` was given; None: all. 1: it takes one image at a time throughout.
    of_probabilities: whether loss and d_logits are made from its own probabilities, not from the logits.
    """

    applied_rate: float | None = None
    step_images: int | None = None
    of_probabilities: bool = False


GIVEN = Manner()


def routed(expected, conv, d_pool, found):
    """d_conv where the order within near ties of `conv` is taken from what was found, as long as it is one of them."""
    candidates = near_ties(conv)
    open_windows = candidates.sum(axis=-1) > 1
    value = expected.value
    if found is not None and found.shape == value.shape and open_windows.any():
        theirs = np.where(candidates, np.abs(corners(np.asarray(found, np.float64))), -1.0).argmax(axis=-1)
        value = value.copy()
        p, q = open_windows.shape[1:3]
        for number, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            corner = value[:, i : 2 * p : 2, j : 2 * q : 2]
            corner[open_windows] = np.where(theirs == number, d_pool.value, 0.0)[open_windows]
    return Routed(value, expected.allowance, int(open_windows.sum()))


class Expected:
    """`of(mode, quantity)` for one probe.

    Args:
        case: a `Probe`, rounded to the dtype judged.
        stages: `Stages` of the right network, or `ChangedStages`.
        observed: arrays by (mode, quantity).
        manner: a `Manner`.
        same: a dict that keeps, from one implementation to the next, what follows from the probe and `stages` alone.
    """

    def __init__(self, case, stages, observed, manner=GIVEN, same=None):
        self.case, self.stages, self.observed, self.manner = case, stages, observed, manner
        self._same = {} if same is None or manner != GIVEN else same
        self.right = isinstance(stages, Stages)
        self.parameters = {name: value.astype(np.float64) for name, value in case.parameters.items()}
        self.images = case.images.astype(np.float64)
        self.rate = manner.applied_rate or 0.0
        self._known: dict = {}

    def of(self, mode, quantity):
        """The `Bounded` that a quantity is judged by.

        Raises:
            NotReached: what it would be computed from is missing, of another shape, or not finite.
        """
        known = self._same if mode == "alone" else self._known
        if (mode, quantity) not in known:
            known[mode, quantity] = self._made(known, mode, quantity)
        return known[mode, quantity]

    def _made(self, known, mode, quantity):
        if mode == "head" and quantity == "pool":
            return Bounded.exact(self.case.inputs["pool"])
        if quantity == "predict":
            return self._again(mode, "probabilities")
        if quantity == "kept_images":
            return self.stages.keep(self.images)
        if quantity.startswith("kept_"):
            return Bounded.exact(self.parameters[quantity.removeprefix("kept_")])
        if quantity.startswith("step_"):
            return self._stepped(mode, quantity)
        step = STEP_OF[quantity]
        if (mode, step) not in known:
            given = [self._given(mode, step, name) for name in step.takes]
            if mode == "alone" and step.function == "loss_backward":
                given.append(float(self.case.inputs["up_loss"]))
            self.stages.at(self._before(mode), self.rate, mode != "alone")
            known[mode, step] = dict(zip(step.gives, self.stages.call(step, *given), strict=True))
        found = known[mode, step][quantity]
        if mode != "alone" and quantity == "d_conv":
            return self._routed(mode, found)
        if mode != "alone" and quantity == "d_conv_weight" and (mode, "d_conv") not in self.observed:
            found = self._loosened(mode, found)
        return self._moved(quantity, found)

    def _given(self, mode, step, name):
        """What a step is given under a name: alone by the probe, in a pass by what was observed before it."""
        if name == "labels":
            return self.case.labels
        if name in PARAMETERS:
            return self.parameters[name]
        if name == "images":
            return self.images if mode == "alone" else self.stages.scale(self.images)
        # what a pass goes by on its way back, another call of the implementation may have computed
        own = self._again if mode != "alone" and step.backward and not name.startswith("d_") else self._own
        of_probabilities = self.right and self.manner.of_probabilities and (mode, "probabilities") in self.observed
        if step.stage == "loss" and of_probabilities:
            return self._logarithms(own(mode, "probabilities"))
        return Bounded.exact(self.case.inputs[name.replace("d_", "up_")]) if mode == "alone" else own(mode, name)

    def whole(self):
        """A whole pass with nothing observed in between, as of `whole_pass`."""
        if "whole" not in self._same:
            self._same["whole"] = whole_pass(self.stages, self.images, self.case.labels, self.parameters)
        return self._same["whole"]

    def _before(self, mode):
        if self.right:
            return None
        key = ("before", mode == "run")
        if key not in self._known:
            if mode == "run":
                images, labels = self.case.earlier_batch()
                self.stages.at(None, self.rate)
                images, network = images.astype(np.float64), self.stages.network
                try:
                    self._known[key] = network.whole(images, labels, self.parameters, self.case.padding)
                except (ValueError, IndexError):  # its way back cannot be gone: there is what went forward
                    self._known[key] = network.forward(images, self.parameters, self.case.padding)
            else:
                self._known[key] = self.case.earlier_stages()
        return self._known[key]

    def _own(self, mode, quantity):
        """The implementation's own result as the exact input of the next stage; where it gave none, the expected."""
        value = self.observed.get((mode, quantity))
        if value is None:  # code without a loss of its own is given the gradient of the logits
            value = self.observed.get((mode, quantity.replace("d_", "d_given_", 1)))
        if value is None:
            return self.of(mode, quantity)
        if self.right and value.shape != self.case.shape_of(quantity):
            raise NotReached(f"not reached: {quantity} is of another shape")
        if self.right and not np.isfinite(value).all():
            raise NotReached(f"not reached: {quantity} is not finite")
        return Bounded.exact(value)

    def _again(self, mode, quantity):
        """As `_own`, where another call may have computed it anew and rounded otherwise."""
        own = self._own(mode, quantity)
        if not self.right or (self.case.exact and quantity in ("conv", "pool", "logits")):
            return Bounded.exact(own.value)
        return Bounded(own.value, self.of(mode, quantity).allowance)

    def _logarithms(self, given):
        """The logits that these probabilities stand for."""
        positive = given.value > 0
        value = np.where(positive, np.log(np.where(positive, given.value, 1)), -1e4)  # exp of which is 0
        allowance = np.where(positive, given.allowance / np.where(positive, given.value, 1), 0)
        return Bounded(value, allowance + 2 * self.stages.rounding.unit * np.abs(value) * positive)

    def _routed(self, mode, expected):
        """Expected d_conv; where near ties leave the order open, it is taken from what was found, if it is one."""
        if not self.right or self.case.exact:
            return expected
        conv, d_pool = self._again(mode, "conv"), self._own(mode, "d_pool")
        return routed(expected, conv, d_pool, self.observed.get((mode, "d_conv")))

    def _loosened(self, mode, filters):
        """A gradient of the filters where near ties may have been routed otherwise than in what was observed."""
        if not self.right or self.case.exact:
            return filters
        conv, d_pool = self._again(mode, "conv"), self._own(mode, "d_pool")
        loose = near_tie_filters(self.images, conv, d_pool, self.case.padding)
        return Bounded(filters.value, filters.allowance + loose)

    def _moved(self, quantity, gradient):
        """A gradient that was read off as (weight before - weight after) / rate, each image by itself."""
        name = quantity.removeprefix("d_")
        if self.manner.applied_rate is None or name not in PARAMETERS:
            return gradient
        before = self.parameters[name]
        after = self.stages.update({name: before}, {name: gradient}, self.rate, {})[name]
        more = 2 * len(self.images) * self.stages.rounding.unit * np.abs(before) / self.rate
        return Bounded((before - after.value) / self.rate, gradient.allowance + after.allowance / self.rate + more)

    def _stepped(self, mode, quantity):
        """Loss and parameters of one step from the probe's parameters.

        The step is right if it follows the implementation's own gradients, or the right ones: a wrong gradient is not
        blamed on the update too, nor a right step on a gradient that was wrong when asked for.
        """
        name = quantity.removeprefix("step_")
        count = self.manner.step_images
        images, labels = self.images[:count], self.case.labels[:count]
        if name == "loss":
            self.stages.at(None, LEARNING_RATE)
            loss = _loss_of_pass(self.stages, images, labels, self.parameters)
            followed = self.right and count is None
            return self._nearest(mode, quantity, loss, self._again(mode, "loss") if followed else None)
        if "step" not in self._same:
            self.stages.at(None, LEARNING_RATE)
            exact = self.case.exact and np.array_equal(self.stages.scale(images), images)
            self._same["step"] = whole_pass(self.stages, images, labels, self.parameters, exact)
        whole = self._same["step"]
        gradients = {each: whole[f"d_{each}"] for each in PARAMETERS}
        expected = self.stages.update(self.parameters, gradients, LEARNING_RATE, {})[name]
        if not self.right or self.manner.step_images is not None:
            return expected
        own = self._again(mode, f"d_{name}")
        if name == "conv_weight":
            own = self._loosened(mode, own)
        return self._nearest(
            mode,
            quantity,
            expected,
            self.stages.update({name: self.parameters[name]}, {name: own}, LEARNING_RATE, {})[name],
        )

    def _nearest(self, mode, quantity, expected, other):
        found = self.observed.get((mode, quantity))
        if other is None or found is None or found.shape != expected.value.shape:
            return expected
        return min((expected, other), key=lambda bounded: np.abs(found - bounded.value).max())


def _loss_of_pass(stages, images, labels, parameters):
    """The loss of `whole_pass` alone, without the way back."""
    known = {name: np.asarray(parameters[name], np.float64) for name in PARAMETERS}
    known |= {"images": stages.scale(images), "labels": labels}
    forward = STEPS[: 1 + next(number for number, step in enumerate(STEPS) if "loss" in step.gives)]
    return follow(stages.call, forward, known)["loss"]
