"""Layers found one by one, put into a network that can be asked as the contract asks."""

import contextlib
import dataclasses
from typing import Any

import numpy as np

from compare.checking.calling.arrays import real, same
from compare.checking.calling.part import build, head_upstream
from compare.checking.calling.plan import INPUT, Sizes, about
from compare.contract import PARAMETERS, NotOfferedError
from numpy_cnn.layers import Layers

TINY = 1e-11  # probabilities cut off at less than this are cut off where they round to 0, and nowhere else


class Subject:
    """What all subjects are made with, and what is said of them."""

    dtypes: tuple = ("float64",)
    one_image = False
    mixed = False
    of_probabilities = False
    applied_rate: float | None = None
    assumptions: list = []
    remarks: list = []
    conventions: tuple = ()
    beside: dict = {}
    changed_inputs: set = set()
    plans: dict = {}
    loss: Any = None
    gives = "probabilities"  # of a whole model: what comes out

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.dtype = np.dtype(dtype)
        sizes = Sizes(tuple(input_shape), filters, classes, padding)
        self.right = Layers(sizes.input_shape, filters, classes, padding, self.dtype)  # only for what the code lacks
        self.parts, self.refused = {}, {}  # one that refuses these sizes blocks no other
        for stage, plan in self.plans.items():
            try:
                self.parts[stage] = build(plan, sizes, dtype)
            except NotOfferedError as reason:
                self.refused[stage] = str(reason)
        if self.refused and not self.parts:
            raise NotOfferedError(next(iter(self.refused.values())))

    def get_parameters(self):
        """Copies of those of the contract's parameters that the code has."""
        return {name: value for part in self.parts.values() for name, value in part.get().items()}

    def set_parameters(self, parameters):
        """Take copies, exact to the bit."""
        for part in self.parts.values():
            part.set(parameters)

    def _part(self, stage):
        if stage not in self.parts:
            raise NotOfferedError(self.refused.get(stage, f"the code has no {stage} of its own"))
        return self.parts[stage]

    def _run(self, stage, *arguments):
        part = self._part(stage)
        value = part.forward(*arguments)
        if part.changed:
            self.changed_inputs.add(INPUT.get(stage, "images"))
        return np.array(self._rounded(value))  # in the dtype that it is of: another than was asked for is a finding

    def _back(self, stage, *arguments, **keywords):
        part = self._part(stage)
        found = part.backward(*arguments, **keywords)
        if part.changed:
            self.changed_inputs.add(INPUT.get(stage, "images"))
        return {name: self._rounded(value) for name, value in found.items()}

    def _rounded(self, value):
        return value.astype(np.float32) if self.mixed and value.dtype == np.float64 else value

    def _split(self, *arrays):
        """The arrays whole, or image by image."""
        if not self.one_image:
            return [arrays]
        return [tuple(array[n : n + 1] for array in arrays) for n in range(len(arrays[0]))]

    def _joined(self, found, count=1):
        """Dicts of gradients of chunks as one: those of parameters added up, the others stacked; divided by `count`."""
        joined = {}
        moved = {name for plan in self.plans.values() for name, (how, _) in plan.gradients.items() if how == "moved"}
        for name in found[0]:
            values = [each[name] for each in found]
            own, dtype = name.removeprefix("d_"), np.result_type(*values)
            if own in PARAMETERS:
                value = np.sum([value.astype(np.result_type(value, np.float64)) for value in values], axis=0)
            else:
                value = np.concatenate(values)
            if own in moved and dtype.kind == "f":  # a difference of weights, taken in double precision here
                dtype = self.dtype
            joined[name] = (value / count if count != 1 else value).astype(dtype)
        return joined


class _Chain(Subject):
    """The methods that a chain of layers may have."""

    def forward_stage(self, stage, x, labels=None):
        """One stage alone, of an input of its own; NotOfferedError where the code has no such stage."""
        if stage == "loss" and self.loss is not None:
            return self._loss(x, self._softmax(x) if self.loss.takes == "probabilities" else None, labels)
        if stage == "head":
            raise NotOfferedError(f"the code has no {stage} of its own")
        x = np.asarray(x, self.dtype)
        return np.concatenate([self._run(stage, chunk) for (chunk,) in self._part(stage).chunks(x)])

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards; only those gradients that the code gives."""
        x = np.asarray(x, self.dtype)
        if stage == "loss" and self.loss is not None and self.loss.gives_gradient:
            found = self._d_logits(x, labels)
            return {"logits": np.asarray(found * self.dtype.type(upstream), found.dtype)}
        if stage not in self.plans or not self.plans[stage].backward or stage == "probabilities":
            raise NotOfferedError(f"the code has no {stage} backward of its own")
        found = []
        for chunk, dy in self._part(stage).chunks(x, np.asarray(upstream, self.dtype)):
            self._run(stage, chunk)
            found.append(self._back(stage, dy))
        return {INPUT[stage] if name == "x" else name: value for name, value in self._joined(found).items()}

    def head(self, x, labels):
        """Dense layer and softmax in one: probabilities, and of the mean loss d_pool, d_dense_weight, d_dense_bias."""
        plan, out = self.plans["head"], []
        found: list | None = []
        for chunk, wanted in self._part("head").chunks(np.asarray(x, self.dtype), labels):
            out.append(self._run("head", chunk))
            if plan.backward and found is not None:
                try:
                    upstream = head_upstream(plan, out[-1], wanted, len(chunk))
                except NotOfferedError:  # no way back from these probabilities, which are judged all the same
                    found = None
                    continue
                gradients = self._back("head", upstream)
                found.append({"d_pool" if name == "x" else f"d_{name}": value for name, value in gradients.items()})
        joined = self._joined(found, len(x) if plan.one_image else 1) if found else {}
        return {"probabilities": np.concatenate(out), **joined}

    def activations(self, images, labels):
        """What the layers put out in one pass from the images on."""
        found = [self._pass(*chunk) for chunk in self._split(np.asarray(images, self.dtype), labels)]
        joined = {name: np.concatenate([each[name] for each in found]) for name in found[0] if name != "loss"}
        if all("loss" in each for each in found):
            joined["loss"] = np.mean([each["loss"] for each in found], dtype=found[0]["loss"].dtype)
        return joined

    def predict(self, images):
        """Probabilities (N, K)."""
        images = np.asarray(images, self.dtype)
        return np.concatenate([self._pass(chunk)["probabilities"] for (chunk,) in self._split(images)])

    def gradients(self, images, labels):
        """Of the mean loss, those that the code gives in one pass; the parameters stay as they are."""
        found = []
        for chunk, wanted in self._split(np.asarray(images, self.dtype), labels):
            found.append(self._return(self._pass(chunk, wanted), wanted))
        return self._joined(found, len(images) if self.one_image else 1)

    def step(self, images, labels, learning_rate):
        """One update by the code's own backward; returns the loss before it."""
        if self.one_image and len(images) != 1:
            raise NotOfferedError("the code takes one image at a time")
        passed, before = self._pass(np.asarray(images, self.dtype), labels), self.get_parameters()
        self._return(passed, labels, rate=learning_rate, keep=True)
        for part in self.parts.values():
            # a backward that is given the rate may have made the step, whether it keeps its gradients or not
            still = all(same(before[name], value) for name, value in part.get().items())
            if still and part.plan.gradients and all(how != "moved" for how, _ in part.plan.gradients.values()):
                part.update(learning_rate)
            part.hold()  # what the network does not have, a bias of the convolution, goes back to 0
        return passed["loss"] if "loss" in passed else self._own_loss(passed, labels)

    def _pass(self, images, labels=None):
        conv = self._run("conv", images)
        found = {"conv": conv, "pool": self._run("pool", conv)}
        if "head" in self.plans:
            found["probabilities"] = self._run("head", found["pool"])
        elif "logits" in self.plans:
            found["logits"] = self._run("logits", found["pool"])
            if "probabilities" in self.parts:
                chunks = self.parts["probabilities"].chunks(found["logits"])
                found["probabilities"] = np.concatenate([self._run("probabilities", chunk) for (chunk,) in chunks])
        if self.loss is not None and labels is not None and self.loss.takes in found:
            with contextlib.suppress(NotOfferedError):  # the rest of the pass is judged all the same
                found["loss"] = self._loss(found.get("logits"), found.get("probabilities"), labels)
        return found

    def _return(self, passed, labels, **keywords):
        """The way back through the layers that `_pass` has just gone through."""
        found = {}
        if "head" in self.plans:
            tail, upstream = (
                "head",
                head_upstream(self.plans["head"], passed["probabilities"], labels, len(labels)),
            )
        elif self.loss is not None and self.loss.gives_gradient:
            tail, upstream = "logits", self._d_logits(passed["logits"], labels, passed.get("probabilities"))
            found["logits"] = upstream
        else:
            logits = np.asarray(real(passed["logits"]), self.dtype)
            # the loss is averaged once: here, or by code that does it at its weights
            whole = self.dtype.type(len(labels) if self.plans["logits"].divides else 1)
            tail, upstream = "logits", self.right.backward_stage("loss", logits, whole, labels)["logits"]
            found["given_logits"] = upstream  # not the code's: what follows is computed from it, it is not judged
        for stage, given in ((tail, "pool"), ("pool", "conv"), ("conv", "images")):
            gradients = self._back(stage, upstream, **keywords)
            found |= {given if name == "x" else name: value for name, value in gradients.items()}
            if given not in found:
                break
            upstream = found[given]
        return found

    def _softmax(self, logits):
        """The code's own where it has one."""
        if "probabilities" in self.parts:
            return self.forward_stage("probabilities", logits)
        return self.right.forward_stage("probabilities", logits)

    def _loss(self, logits, probabilities, labels):
        given = real(probabilities if self.loss.takes == "probabilities" else logits)
        value = np.asarray(self.loss.value(given, labels))
        if self.loss.takes == "probabilities":
            zeros = np.count_nonzero(given[np.arange(len(labels)), labels] == 0)
            if zeros and real(value) * len(labels) > zeros * -np.log(TINY):
                raise NotOfferedError("a loss of probabilities cannot be right where they round to 0")
        return value

    def _d_logits(self, logits, labels, probabilities=None):
        if self.loss.takes == "probabilities":
            given = self._softmax(logits) if probabilities is None else probabilities
            return self.loss.d_logits(real(given), labels)
        return self.loss.d_logits(real(logits), labels)

    def _own_loss(self, passed, labels):
        if "probabilities" not in passed:
            return self.right.forward_stage("loss", real(passed["logits"]), labels)
        return loss_of(passed["probabilities"], labels)


def loss_of(probabilities, labels):
    """The loss that code without one has; None where a probability rounded to 0."""
    true = real(probabilities)[np.arange(len(labels)), labels]
    return -np.log(true).mean() if (true > 0).all() else None


def chain(plans, loss, remarks):
    """A subject class of the layers found.

    Args:
        plans: `part.Plan` by stage: "conv", "pool", "logits" or "head", "probabilities"; those that there are.
        loss: a `functions.Loss`, or None.
        remarks: to begin with.
    """
    tail = next((stage for stage in ("head", "logits") if stage in plans), None)
    offered = ["forward_stage"] if loss or set(plans) - {"head"} else []
    if loss or any(plan.backward for stage, plan in plans.items() if stage != "head"):
        offered.append("backward_stage")
    if "head" in plans:
        offered.append("head")
    if {"conv", "pool"} <= set(plans):
        offered += ["activations"]
        backwards = tail is not None and all(plans[stage].backward for stage in ("conv", "pool", tail))
        if tail == "head" or (tail and "probabilities" in plans):
            offered.append("predict")
        if backwards:
            offered.append("gradients")
        if backwards and all(plans[stage].can_step for stage in ("conv", tail)):
            offered.append("step")
    private = [name for name in vars(_Chain) if name.startswith("_") and not name.startswith("__")]
    body = {name: vars(_Chain)[name] for name in (*offered, *private)}
    kinds = [set(plan.dtypes) for plan in plans.values()]
    shared = set.intersection(*kinds) if kinds else {"float32", "float64"}
    mixed = not shared and any(plan.weights and plan.dtypes == ("float32",) for plan in plans.values())
    if mixed:  # weights in float32, and layers without any that make float64 of all: the former say what is computed
        wider = [plan.name for plan in plans.values() if "float32" not in plan.dtypes]
        remarks = [*remarks, f"{', '.join(wider)} gives float64, whatever it is given; it is rounded here"]
        shared = {"float32"}
    found = about(plans, remarks)
    # a softmax by rows goes with either: it has no parameters, whose gradients are added up over a batch
    one_image = any(plan.one_image for stage, plan in plans.items() if stage != "probabilities")
    if loss is not None:
        found["assumptions"] += [loss.described()]
        loss = dataclasses.replace(loss, batches_of_one=one_image)
    body |= {
        **found,
        "plans": dict(plans),
        "loss": loss,
        "one_image": one_image,
        "of_probabilities": loss is not None and loss.takes == "probabilities",
        "dtypes": tuple(sorted(shared)) or ("float64",),
        "mixed": mixed,
    }
    return type("Subject", (Subject,), body)
