"""Subjects of whole models: a class that holds all of the network, or one that fulfils the contract as it stands."""

import dataclasses
import inspect
import itertools

import numpy as np

from compare.checking import layers, layouts
from compare.checking.chain import Subject, about, loss_of
from compare.checking.part import RATE, Part, Plan, Sizes, size_of
from compare.contract import NotOfferedError

DEFAULTS = {"input_shape": (28, 28, 1), "filters": 8, "classes": 10, "padding": "valid"}
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
        part.set(part.get())
        if self.gives == "logits":
            return float(self.right.forward_stage("loss", out, labels))
        return loss_of(out, labels)

    def _learn(self, images, labels, rate, keep):
        part = self.parts["whole"]
        found = part.learn(images, labels, rate, keep)
        if part.changed:
            self.changed_inputs.add("images")
        return found


def subject(classes, files):
    """A subject of the first class that holds a whole network; None without one."""
    for cls in classes.values():
        forward = layers.method_of(cls, METHODS)
        if forward is None:
            continue
        plan = _find(cls, forward, files)
        if plan is None:
            continue
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
    best = None
    makers = layouts.constructors(cls, "whole")
    everything = ("channels", "filters", "classes", "images")
    geometries = [(Sizes((10, 12, 2), 6, 7), ()), (Sizes((10, 12, 1), 6, 7), ("channels",)), (Sizes(), everything)]
    for make, (sizes, same) in itertools.product(makers, geometries):
        try:
            weights, zeros = layers.weights_of(make(sizes, np.dtype(np.float64)), "whole", sizes, None)
        except Exception:  # arguments that are not the code's
            continue
        if not all(weights.values()):
            continue
        plan = Plan("whole", make, cls.__name__, forward, zeros=zeros)
        plan = dataclasses.replace(plan, same={name: size_of(sizes, name) for name in same})
        tried = layers.settle(plan, layouts.whole_flows(), weights, sizes, files)
        best = tried if best is None or tried.score > best.score else best
        if best.agreed:
            break
    if best is None:
        return None
    found: list = []
    raising = None
    layers.say_trying(layers.BACKWARD_TASK["whole"])
    for name in dict.fromkeys((*BACKWARDS, *TRAINS)):
        for form in ("label", "one-hot") if callable(getattr(cls, name, None)) else ():
            plan = dataclasses.replace(best, backward=name, taken=form)
            network, parameters, inputs = plan.sizes.trial()
            part = Part(plan, plan.sizes, np.float64)
            part.set(parameters)
            x, labels = part.chunks(inputs["images"], inputs["labels"])[0]
            try:
                out = part.forward(x)
                plan = layers.places(part, lambda part=part, out=out, x=x, y=labels: part.call_learn(out, x, y))
                part = Part(plan, plan.sizes, np.float64)
                part.set(parameters)
                gradients = part.learn(x, labels)
            except Exception as error:  # another method of that name, or other labels
                if layers.progress(error, files) and _takes_labels(getattr(cls, name)):
                    raising = raising or dataclasses.replace(
                        plan, gradients=dict.fromkeys(plan.weights, ("moved", None))
                    )
                continue
            right = network.gradients(x, labels)
            agreed = sum(layers.close(gradients[key], right[key]) for key in gradients if key in right)
            if plan.gradients:
                found.append((-agreed, len(found), plan))
    if found:
        return layers.learn_dtypes(min(found, key=lambda each: each[:2])[2])
    # asked again, what raises with images and labels is noted against the code
    return dataclasses.replace(raising, dtypes=("float64",)) if raising else layers.learn_dtypes(best)


def _takes_labels(method):
    """Whether a method wants images and their labels, by the names of its arguments."""
    names = [layouts.plain(name) for name in inspect.signature(method).parameters if name != "self"]
    return len(names) >= 2 and bool(layouts.LABELS & set(names))


def as_contract(cls):
    """A class of the contract as it stands; wrapped where its constructor does not take all that the contract has."""
    parameters = inspect.signature(cls).parameters
    takes_all = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    missing = {*DEFAULTS, "dtype", "seed"} - set(parameters)
    if takes_all or not missing:
        return cls

    class Fixed(cls):  # type: ignore[misc, valid-type]
        def __init__(self, **asked):
            for name in missing & set(DEFAULTS):
                value = tuple(asked[name]) if name == "input_shape" and name in asked else asked.get(name)
                if value is not None and value != DEFAULTS[name]:
                    raise NotOfferedError(f"{cls.__name__} is for {name} {DEFAULTS[name]} only, not {value}")
            super().__init__(**{name: value for name, value in asked.items() if name not in missing})

    Fixed.__name__ = cls.__name__
    if "dtype" in missing and not hasattr(cls, "dtypes"):
        Fixed.dtypes = _contract_dtypes(Fixed)
    Fixed.assumptions = [f"the constructor does not take {', '.join(sorted(missing))}"]
    return Fixed


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
                else model.forward_stage("conv", inputs["images"].astype(dtype))
            )
        except Exception:  # fails again when asked for, and is noted there
            continue
        if np.asarray(out).dtype == dtype:
            found.append(dtype)
    return tuple(found) or ("float64",)
