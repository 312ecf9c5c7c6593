"""The network by the loops of `loops.py`: a batch, image by image."""

import numpy as np

from numpy_cnn import checks
from numpy_cnn.loops import Conv3x3, MaxPool2, Softmax, cross_entropy, cross_entropy_backward, softmax


class Loops:
    """The layers in order, a batch image by image. Arguments, methods, shapes and errors as of `numpy_cnn.CNN`."""

    dtypes, lacks = checks.DTYPES, checks.LACKS

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype=np.float32, seed=0):
        filters, classes = checks.check_positive("filters", filters), checks.check_positive("classes", classes)
        self.shapes = checks.parameter_shapes(input_shape, filters, classes, padding)
        self.input_shape, self.classes = tuple(input_shape), classes
        self.dtype, rng = checks.float_dtype(dtype), checks.generator(seed)
        self.conv = Conv3x3(filters, self.input_shape[2], padding, self.dtype, rng)
        self.pool = MaxPool2()
        self.softmax = Softmax(self.shapes["dense_weight"][0], classes, self.dtype, rng)

    def get_parameters(self):
        """Copies of conv_weight, dense_weight and dense_bias, by name."""
        held = (self.conv.weight, self.softmax.weight, self.softmax.bias)
        return {name: value.copy() for name, value in zip(checks.PARAMETERS, held, strict=True)}

    def set_parameters(self, parameters):
        """Take copies of arrays named and shaped as in `get_parameters`, cast to `dtype`."""
        checks.check_parameters(parameters, self.shapes, self.dtype)
        copies = [np.array(parameters[name], self.dtype, order="C") for name in checks.PARAMETERS]
        self.conv.weight, self.softmax.weight, self.softmax.bias = copies

    def activations(self, images, labels):
        """What each stage puts out: conv, pool, logits, probabilities, loss."""
        x, labels = self._batch(images, labels)
        found = {}
        for stage in ("conv", "pool", "logits"):
            found[stage] = x = self.forward_stage(stage, x)
        return found | {stage: self.forward_stage(stage, x, labels) for stage in ("probabilities", "loss")}

    def gradients(self, images, labels):
        """Of the mean loss, by logits, pool, conv, images and the three parameters; updates nothing."""
        return self._loss_and_gradients(images, labels)[1]

    def forward_stage(self, stage, x, labels=None):
        """One stage alone: "conv", "pool", "logits", "probabilities" or "loss" of an input of its own."""
        x = np.asarray(x, self.dtype)
        if stage == "loss":
            return np.mean([cross_entropy(logits, label) for logits, label in zip(x, labels, strict=True)])
        layers = {"conv": self.conv.forward, "pool": self.pool.forward, "logits": self.softmax.logits}
        layers["probabilities"] = softmax
        if stage not in layers:
            raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits, probabilities or loss")
        return np.stack([layers[stage](one) for one in x])

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards: gradients by name, given its input x and the upstream gradient."""
        x, upstream = np.asarray(x, self.dtype), np.asarray(upstream, self.dtype)
        if stage == "loss":
            each = [cross_entropy_backward(logits, label) for logits, label in zip(x, labels, strict=True)]
            return {"logits": np.stack(each) / self.dtype.type(len(x)) * upstream}
        found = []
        for one, dy in zip(x, upstream, strict=True):
            self.forward_stage(stage, one[None])
            found.append(self._backward(stage, dy))
        return _gathered(found)

    def step(self, images, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        rate = self.dtype.type(checks.check_rate(learning_rate, self.dtype))
        return self.descend(images, labels, lambda name, parameter, gradient: parameter - rate * gradient)

    def descend(self, images, labels, update):
        """One update by update(name, parameter, gradient), the new parameter; returns the loss before it."""
        loss, gradients = self._loss_and_gradients(images, labels, need_images=False)
        self.conv.weight = update("conv_weight", self.conv.weight, gradients["conv_weight"])
        self.softmax.weight = update("dense_weight", self.softmax.weight, gradients["dense_weight"])
        self.softmax.bias = update("dense_bias", self.softmax.bias, gradients["dense_bias"])
        return float(loss)

    def logits(self, images):
        """Logits (N, K)."""
        images = checks.check_images(images, self.input_shape)
        checks.check_finite(images, self.dtype)
        pooled = (self.pool.forward(self.conv.forward(checks.scale(image, self.dtype))) for image in images)
        return np.stack([self.softmax.logits(x) for x in pooled])

    def predict(self, images):
        """Probabilities (N, K)."""
        return self.forward_stage("probabilities", self.logits(images))

    def _batch(self, images, labels):
        images = checks.check_images(images, self.input_shape)
        return checks.scale(images, self.dtype), checks.check_labels(labels, len(images), self.classes)

    def _loss_and_gradients(self, images, labels, need_images=True):
        x, labels = self._batch(images, labels)
        losses, found = [], []
        for image, label in zip(x, labels, strict=True):
            logits = self.softmax.logits(self.pool.forward(self.conv.forward(image)))
            losses.append(cross_entropy(logits, label))
            # an image has the N-th part in the mean loss, and so in every gradient that follows from this one
            one = {"logits": cross_entropy_backward(logits, label) / self.dtype.type(len(x))}
            for stage in ("logits", "pool", "conv"):
                one |= self._backward(stage, one[stage], need_images)
            found.append(one)
        return np.mean(losses), _gathered(found)

    def _backward(self, stage, dy, need_images=True):
        if stage == "conv":
            dx = self.conv.backward(dy, need_images)
            return ({"images": dx} if need_images else {}) | {"conv_weight": self.conv.d_weight}
        if stage == "pool":
            return {"conv": self.pool.backward(dy)}
        dx = self.softmax.backward(dy)
        return {"pool": dx, "dense_weight": self.softmax.d_weight, "dense_bias": self.softmax.d_bias}


def _gathered(found):
    """The dicts of all images as one for the batch: gradients of parameters added up, all others stacked."""
    of_all = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return {name: value.sum(axis=0) if name in checks.PARAMETERS else value for name, value in of_all.items()}
