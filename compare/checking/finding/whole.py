"""Subjects of whole models: a class that holds all of the network, or one that fulfils the contract as it stands."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from compare.checking.calling import arguments, arrays, orders, trying, words
from compare.checking.calling.keeping import weights_of
from compare.checking.calling.part import Part
from compare.checking.calling.plan import RATE, Plan, Sizes, about, size_of
from compare.checking.finding import backwards, layers, settling
from compare.checking.finding.chain import Subject, loss_of
from compare.checking.process.things import CrashedError, HungError, RaisedError, StrangersError
from compare.contract import NotOfferedError

CONTRACT = ("activations", "gradients", "forward_stage", "backward_stage", "predict", "step")
DEFAULTS: dict[str, Any] = {"input_shape": (28, 28, 1), "filters": 8, "classes": 10, "padding": "valid"}
METHODS = ("predict", "forward", "__call__", "predict_proba", "forward_pass", "feedforward")
BACKWARDS = (
    "gradients",
    "backward",
    "grad",
    "compute_gradients",
    "backprop",
    "compute_grads",
    "backward_pass",
    "grads",
)
TRAINS = ("train_step", "train", "step", "update", "fit_batch", "train_on_batch", "train_batch", "backprop", "backward")


class _Whole(Subject):
    """The methods that a whole model may have; its one part is called "whole"."""

    def activations(self, images, labels):
        """Logits or probabilities, whichever the model gives."""
        found = [self._run("whole", chunk) for (chunk,) in self._split(np.asarray(images, self.dtype))]
        return {self.gives: np.concatenate(found)}

    def predict(self, images):
        """Probabilities (N, K)."""
        return self.activations(images, None)["probabilities"]

    def gradients(self, images, labels):
        """Of the mean loss by the three parameters."""
        found = []
        for chunk, wanted in self._split(np.asarray(images, self.dtype), labels):
            found.append(self._learn(chunk, wanted, RATE, keep=False))
        return self._joined(found, len(images) if self.one_image else 1)

    def step(self, images, labels, learning_rate):
        """One update by the code's own training method; returns the loss before it."""
        if self.one_image and len(images) != 1:
            raise NotOfferedError("the code takes one image at a time")
        out = self._run("whole", np.asarray(images, self.dtype))
        self._learn(np.asarray(images, self.dtype), labels, learning_rate, keep=True)
        part = self.parts["whole"]
        part.hold()
        if self.gives == "logits":
            return float(self.right.forward_stage("loss", arrays.real(out), labels))
        return loss_of(out, labels)

    def _learn(self, images, labels, rate, keep):
        part = self.parts["whole"]
        found = part.learn(images, labels, rate, keep)
        if part.changed:
            self.changed_inputs.add("images")
        return found


def subject(classes, files, problems):
    """A subject of the first class that holds a whole network; None without one. `problems`: `connecting.Problems`."""
    for cls in classes.values():
        forward = trying.method_of(cls, METHODS)
        if forward is None:
            continue
        found = None
        with problems.of(cls):
            found = _find(cls, forward, files)
        if found is None:
            continue
        plan, raising = found
        problems.add(cls.name, raising)
        names = ["activations"]
        names += ["predict"] if plan.gives == "probabilities" else []
        names += ["gradients"] if plan.gradients else []
        names += ["step"] if any(how == "moved" for how, _ in plan.gradients.values()) else []
        body = {name: vars(_Whole)[name] for name in (*names, "_learn")}
        body |= {**about({"whole": plan}, []), "plans": {"whole": plan}, "gives": plan.gives}
        body |= {"one_image": plan.one_image, "dtypes": plan.dtypes}
        body |= {"of_probabilities": plan.gives == "probabilities"}
        return type("Subject", (Subject,), body)
    return None


def _find(cls, forward, files):
    """The `Plan` of a whole model; None if it could not be made, or holds no weights of the network's shapes.

    Args:
        forward: its method from images to logits or probabilities.
        files: of the code under test.
    """
    best, refusal = None, None
    makers = arguments.constructors(cls, "whole")
    everything = ("channels", "filters", "classes", "images")
    geometries = [(Sizes((10, 12, 2), 6, 7), ()), (Sizes((10, 12, 1), 6, 7), ("channels",)), (Sizes(), everything)]
    for make, (sizes, same) in itertools.product(makers, geometries):
        try:
            weights, zeros = weights_of(make(sizes, np.dtype(np.float64)), "whole", sizes, None)
        except StrangersError:  # arguments that are not the code's
            continue
        except TypeError:  # nor are known to be
            continue
        if not all(weights.values()):
            continue
        plan = Plan("whole", make, cls.name, forward, zeros=zeros)
        plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
        try:
            tried = settling.settle(plan, orders.whole_flows(), weights, sizes, files)
        except trying.NotConnectedError as error:
            refusal = refusal or error
            continue
        best = tried if best is None or tried.score > best.score else best
        if best.agreed:
            break
    if best is None and refusal is not None:
        raise refusal
    if best is None:
        return None
    found: list = []
    raising = None
    for name in dict.fromkeys((*BACKWARDS, *TRAINS)):
        for form in ("label", "one-hot") if name in cls.methods else ():
            plan = dataclasses.replace(best, backward=name, taken=form)
            network, parameters, inputs = plan.sizes.trial()
            part = Part(plan, plan.sizes, np.float64)
            part.set(parameters)
            x, labels = part.chunks(inputs["images"], inputs["labels"])[0]
            try:
                out = part.forward(x)
                plan = backwards.places(part, lambda part=part, out=out, x=x, y=labels: part.call_learn(out, x, y))
                part = Part(plan, plan.sizes, np.float64)
                part.set(parameters)
                gradients = part.learn(x, labels)
            except (CrashedError, HungError) as error:
                raise trying.trouble("whole", backwards.BACKWARD_TASK["whole"], error) from error
            except trying.ATTEMPT as error:  # another method of that name, or other labels
                if trying.progress(error, files) and _takes_labels(cls.methods[name]):
                    raising = raising or error
                continue
            right = network.gradients(x, labels)
            agreed = sum(trying.close(gradients[key], right[key]) for key in gradients if key in right)
            if plan.gradients:
                found.append((-agreed, len(found), plan))
    if found:
        return layers.learn_dtypes(min(found, key=lambda each: each[:2])[2]), None
    problem = trying.NotConnectedError("whole way back", str(raising)) if raising else None
    if problem is not None:
        problem.__cause__ = raising
    return layers.learn_dtypes(best), problem


def _takes_labels(signature):
    """Whether a method wants images and their labels, by the names of its arguments."""
    names = [words.plain(name) for name in signature.parameters]
    return len(names) >= 2 and bool(words.LABELS & set(names))


class _Contract:
    """A class of the code that fulfils the contract as it stands, asked through its process."""

    cls: Any
    missing: set = set()
    assumptions: list = []
    changed_inputs: set = set()
    refusals: dict = {}  # by method, of the network's usual sizes: what is refused of others is a limit

    def __init__(self, **asked):
        for name in self.missing & set(DEFAULTS):
            value = tuple(asked[name]) if name == "input_shape" and name in asked else asked.get(name)
            if value is not None and value != DEFAULTS[name]:
                raise NotOfferedError(f"{self.cls.name} is for {name} {DEFAULTS[name]} only, not {value}")
        self.asked = {name: value for name, value in asked.items() if name not in self.missing}
        self.held: dict = {}
        self.usual = all(
            tuple(np.atleast_1d(asked.get(key, v))) == tuple(np.atleast_1d(v)) for key, v in DEFAULTS.items()
        )
        self.made = self._ask(lambda: self.cls(**self.asked))

    def _call(self, method, *arguments):
        if self.made.stale:
            self.made = self._ask(lambda: self.cls(**self.asked))
            if self.held:
                self._ask(lambda: self.made.call("set_parameters", self.held))
        if method == "set_parameters":
            self.held = arguments[0]
        try:
            value, changed = self._ask(lambda: self.made.call(method, *arguments))
        except NotOfferedError as reason:
            if self.usual:
                self.refusals[method] = str(reason)
            raise
        for number, array in changed.items():
            arguments[number][...] = array  # whoever handed it over sees it, as in one process
        if changed and method in ("activations", "gradients", "predict", "step"):
            self.changed_inputs.add("images")
        return value

    @staticmethod
    def _ask(call):
        """What a call gives; NotImplementedError is how an adapter says that it does not offer something."""
        try:
            return call()
        except RaisedError as error:
            if "NotImplementedError" in error.raised["bases"]:
                raise NotOfferedError(error.raised["texts"][0] or "not implemented") from error
            raise


def as_contract(cls):
    """A subject of a class of the contract, with those methods that it has."""
    parameters = cls.__signature__.parameters
    takes_all = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    missing = set() if takes_all else {*DEFAULTS, "dtype", "seed"} - set(parameters)
    methods = {
        name: (lambda self, *arguments, name=name: self._call(name, *arguments))
        for name in (*CONTRACT, "head", "get_parameters", "set_parameters")
        if name in cls.methods
    }
    found: Any = type(
        "Contract", (_Contract,), {**methods, "cls": cls, "missing": missing, "changed_inputs": set(), "refusals": {}}
    )
    for name in ("dtypes", "one_image", "applied_rate", "of_probabilities", "assumptions", "remarks", "conventions"):
        if name in cls.constants:
            setattr(found, name, cls.constants[name])
    if "dtype" in missing and not hasattr(found, "dtypes"):
        found.dtypes = _contract_dtypes(found)
    if missing:
        found.assumptions = [f"the constructor does not take {', '.join(sorted(missing))}"]
    return found


def _contract_dtypes(cls):
    """The dtypes in which a class of the contract without the argument computes."""
    sizes, found = Sizes(), []
    _, parameters, inputs = sizes.trial()
    for dtype in ("float32", "float64"):
        try:
            model = cls()
            model.set_parameters({name: value.astype(dtype) for name, value in parameters.items()})
            out = (
                model.predict(inputs["images"].astype(dtype))
                if hasattr(model, "predict")
                else model.forward_stage("conv", inputs["images"].astype(dtype), None)
            )
        except Exception:  # fails again when asked for, and is noted there
            continue
        if np.asarray(out).dtype == dtype:
            found.append(dtype)
    return tuple(found) or ("float64",)
