"""A known defect put into any implementation that offers its stages alone."""

import functools

import numpy as np

from compare.graph import ACTIVATIONS, BACK, FORWARD, GRADIENTS, PARAMETERS, STEPS
from compare.verdict.network import Network


class StageFunctions:
    """The functions of `graph.STEPS`, computed by an implementation of the contract.

    Args:
        implementation: a class with `forward_stage` and `backward_stage`.
        dtype: of all arrays.
    """

    def __init__(self, implementation, dtype):
        self.implementation = implementation
        self.dtype = np.dtype(dtype)
        self._models: dict = {}
        for step in STEPS:
            setattr(self, step.function, functools.partial(self._call, step))

    def _call(self, step, *given):
        known = dict(zip((*step.takes, "padding"), given, strict=False))
        model = self._model(_geometry(step, known), {name: known[name] for name in PARAMETERS if name in known})
        if not step.backward:
            return model.forward_stage(step.stage, given[0], known.get("labels"))
        upstream = known.get(f"d_{step.stage}", np.ones((), self.dtype))
        found = model.backward_stage(step.stage, given[0], upstream, known.get("labels"))
        values = tuple(found[name.removeprefix("d_")] for name in step.gives)
        return values if len(values) > 1 else values[0]

    def _model(self, geometry, parameters):
        """A model of this geometry, kept from call to call, with these parameters and whatever it has for the rest."""
        if geometry not in self._models:
            model = self.implementation(*geometry, self.dtype.name)
            self._models[geometry] = (model, model.get_parameters())
        model, rest = self._models[geometry]
        if parameters:
            model.set_parameters({**rest, **parameters})
        return model


def _geometry(step, known):
    """The smallest network in which a stage meets what it is given: (input_shape, filters, classes, padding)."""
    shape = known[step.takes[0]].shape
    if step.stage == "conv":
        return tuple(shape[1:]), known["conv_weight"].shape[3], 2, known["padding"]
    if step.stage == "pool":
        return (shape[1] + 2, shape[2] + 2, 1), shape[3], 2, "valid"
    if step.stage == "logits":
        return (2 * shape[1] + 2, 2 * shape[2] + 2, 1), shape[3], known["dense_weight"].shape[1], "valid"
    return (4, 4, 1), 1, shape[1], "valid"


def inserted(implementation, *changes):
    """The class of an implementation composed of its own stages, some of them changed.

    Args:
        implementation: as for `StageFunctions`.
        changes: of a `Network`, each made in turn; none: the same network, stage by stage.
    """
    functions: dict = {}

    class Inserted:
        dtypes = getattr(implementation, "dtypes", ("float32", "float64"))

        def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
            dtype = np.dtype(dtype)
            if dtype not in functions:
                functions[dtype] = StageFunctions(implementation, dtype)
            self.dtype, self.padding = dtype, padding
            self.network = Network(functions[dtype])
            for change in changes:
                change(self.network)
            self.parameters = implementation(input_shape, filters, classes, padding, dtype.name, seed).get_parameters()
            self.last: dict | None = None
            self.alone: dict = {}
            self.memory: dict = {}

        def get_parameters(self):
            return {name: value.copy() for name, value in self.parameters.items()}

        def set_parameters(self, parameters):
            self.parameters = {name: np.array(parameters[name], self.dtype) for name in PARAMETERS}

        def logits(self, images):
            return self._pass(images)["logits"]

        def predict(self, images):
            return self._pass(images)["probabilities"]

        def activations(self, images, labels):
            found = self._pass(images)
            found["loss"] = self.network.loss(found["logits"], labels)
            return {name: found[name] for name in ACTIVATIONS}

        def gradients(self, images, labels):
            found = self._pass(images, labels)
            return {name: found[f"d_{name}"] for name in GRADIENTS}

        def _pass(self, images, labels=None):
            self.network.before = self.last
            if labels is None:
                self.last = self.network.forward(images, self.parameters, self.padding)
            else:
                self.last = self.network.whole(images, labels, self.parameters, self.padding)
            images[...] = self.network.keep(images)
            return dict(self.last)

        def step(self, images, labels, learning_rate):
            self.network.rate = learning_rate
            found = self._pass(images, labels)
            self.network.rate = 0.0
            gradients = {name: found[f"d_{name}"] for name in PARAMETERS}
            self.parameters = self.network.update(self.parameters, gradients, learning_rate, self.memory)
            return float(found["loss"])

        def forward_stage(self, stage, x, labels=None):
            return self._alone(FORWARD[stage], x, labels)[0]

        def backward_stage(self, stage, x, upstream, labels=None):
            step = BACK[stage]
            found = self._alone(step, x, labels, upstream)
            if stage == "loss":
                found = (found[0] * upstream,)
            return dict(zip((name.removeprefix("d_") for name in step.gives), found, strict=True))

        def _alone(self, step, x, labels, upstream=None):
            given = {step.takes[0]: x, f"d_{step.stage}": upstream}
            self.network.before, self.alone[step] = self.alone.get(step), given
            known = {**self.parameters, **given, "labels": labels}
            return self.network.call(step, *(known[name] for name in step.takes), padding=self.padding)

    return Inserted
