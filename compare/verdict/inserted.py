"""A known defect put into any implementation that offers its stages alone."""

import numpy as np

from compare.contract import ACTIVATIONS, GRADIENTS, PARAMETERS
from compare.verdict.network import Network


class StageFunctions:
    """The functions of `network.STAGE_FUNCTIONS`, computed by an implementation of the contract.

    Args:
        implementation: a class with `forward_stage` and `backward_stage`.
        dtype: of all arrays.
    """

    def __init__(self, implementation, dtype):
        self.implementation = implementation
        self.dtype = np.dtype(dtype)
        self._models: dict = {}

    def conv(self, x, w, padding):
        """(N, H', W', F)."""
        return self._convolving(x, w, padding).forward_stage("conv", x)

    def conv_backward(self, x, w, dy, padding):
        """(dx, dw)."""
        found = self._convolving(x, w, padding).backward_stage("conv", x, dy)
        return found["images"], found["conv_weight"]

    def pool(self, x):
        """(N, P, Q, F)."""
        return self._pooling(x).forward_stage("pool", x)

    def pool_backward(self, x, dy):
        """dx."""
        return self._pooling(x).backward_stage("pool", x, dy)["conv"]

    def dense(self, x, w, bias):
        """(N, K)."""
        return self._dense(x, w, bias).forward_stage("logits", x)

    def dense_backward(self, x, w, d):
        """(dx, dw, dbias)."""
        found = self._dense(x, w, np.zeros(w.shape[1], self.dtype)).backward_stage("logits", x, d)
        return found["pool"], found["dense_weight"], found["dense_bias"]

    def probabilities(self, logits):
        """(N, K)."""
        return self._with_classes(logits).forward_stage("probabilities", logits)

    def loss(self, logits, labels):
        """()."""
        return self._with_classes(logits).forward_stage("loss", logits, labels)

    def loss_backward(self, logits, labels):
        """(N, K)."""
        one = np.ones((), self.dtype)
        return self._with_classes(logits).backward_stage("loss", logits, one, labels)["logits"]

    def _convolving(self, x, w, padding):
        return self._model(tuple(x.shape[1:]), w.shape[3], 2, padding, conv_weight=w)

    def _pooling(self, x):
        return self._model((x.shape[1] + 2, x.shape[2] + 2, 1), x.shape[3], 2, "valid")

    def _dense(self, x, w, bias):
        shape = (2 * x.shape[1] + 2, 2 * x.shape[2] + 2, 1)
        return self._model(shape, x.shape[3], w.shape[1], "valid", dense_weight=w, dense_bias=bias)

    def _with_classes(self, logits):
        return self._model((4, 4, 1), 1, logits.shape[1], "valid")

    def _model(self, shape, filters, classes, padding, **parameters):
        """A model of this geometry, kept from call to call, with these parameters and whatever it has for the rest."""
        key = (shape, filters, classes, padding)
        if key not in self._models:
            model = self.implementation(shape, filters, classes, padding, self.dtype.name)
            self._models[key] = (model, model.get_parameters())
        model, rest = self._models[key]
        if parameters:
            model.set_parameters({**rest, **parameters})
        return model


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
            before = {"conv": "images", "pool": "conv", "logits": "pool", "probabilities": "logits", "loss": "logits"}
            self.network.before = self.alone.get(stage)
            self.alone[stage] = {before[stage]: x}
            network, held = self.network, self.parameters
            if stage == "conv":
                return network.conv(x, held["conv_weight"], self.padding)
            if stage == "pool":
                return network.pool(x)
            if stage == "logits":
                return network.dense(x, held["dense_weight"], held["dense_bias"])
            return network.probabilities(x) if stage == "probabilities" else network.loss(x, labels)

        def backward_stage(self, stage, x, upstream, labels=None):
            network, held = self.network, self.parameters
            names = {"conv": ("images", "d_conv"), "pool": ("conv", "d_pool"), "logits": ("pool", "d_logits")}
            if stage == "loss":
                return {"logits": network.loss_backward(x, labels) * upstream}
            network.before = self.alone.get(f"d_{stage}")
            self.alone[f"d_{stage}"] = dict(zip(names[stage], (x, upstream), strict=True))
            if stage == "pool":
                return {"conv": network.pool_backward(x, upstream)}
            if stage == "conv":
                found = network.conv_backward(x, held["conv_weight"], upstream, self.padding)
                return dict(zip(("images", "conv_weight"), found, strict=True))
            found = network.dense_backward(x, held["dense_weight"], upstream)
            return dict(zip(("pool", "dense_weight", "dense_bias"), found, strict=True))

    return Inserted
