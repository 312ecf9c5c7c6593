"""The layers in order: parameters, activations, gradients, steps; fit, predict, evaluate, save and load."""

import sys
import time
from typing import NamedTuple

import numpy as np

from numpy_cnn.checks import (
    CHUNK,
    PARAMETERS,
    check_finite,
    check_images,
    check_labels,
    check_parameters,
    check_positive,
    check_rate,
    float_dtype,
    generator,
    parameter_shapes,
    scale,
)
from numpy_cnn.conv import Conv3x3
from numpy_cnn.maxpool import MaxPool2
from numpy_cnn.softmax import Softmax, cross_entropy, cross_entropy_backward, log_softmax, softmax
from numpy_cnn.weights import load_weights, save_weights


class Evaluation(NamedTuple):
    """Mean loss in nats, and the share of images whose most probable class is their label."""

    loss: float
    accuracy: float


class CNN:
    """Conv3x3, MaxPool2, Softmax: the whole network, trained by plain stochastic gradient descent.

    Images are uint8 pixels, scaled here to `image / 255 - 0.5`, or floats, which are taken as they are; (N, H, W, C),
    or (N, H, W) where C is 1. All arithmetic is in `dtype`.

    Args:
        input_shape: (H, W, C) of one image; H, W >= 4 ("valid") or 3 ("same").
        filters: F.
        classes: K.
        padding: "valid" or "same".
        dtype: float32 or float64.
        seed: of the start weights: filters randn / 9, dense weights randn / (P*Q*F), bias 0.

    Raises:
        ValueError: from every method, for input of another shape, dtype or range; the message says which, what was
            found and what was wanted.
    """

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype=np.float32, seed=0):
        filters, classes = check_positive("filters", filters), check_positive("classes", classes)
        self.shapes = parameter_shapes(input_shape, filters, classes, padding)
        self.input_shape = tuple(input_shape)
        self.padding = padding
        self.classes = classes
        self.dtype = float_dtype(dtype)
        rng = generator(seed)
        self.conv = Conv3x3(filters, self.input_shape[2], padding, self.dtype, rng)
        self.pool = MaxPool2()
        self.softmax = Softmax(self.shapes["dense_weight"][0], classes, self.dtype, rng)

    # parameters

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return {
            "conv_weight": self.conv.weight.copy(),
            "dense_weight": self.softmax.weight.copy(),
            "dense_bias": self.softmax.bias.copy(),
        }

    def set_parameters(self, parameters):
        """Take copies of arrays named and shaped as in `get_parameters`, cast to `dtype`."""
        check_parameters(parameters, self.shapes)
        copies = {name: np.array(parameters[name], self.dtype, order="C") for name in PARAMETERS}
        self.conv.weight = copies["conv_weight"]
        self.softmax.weight = copies["dense_weight"]
        self.softmax.bias = copies["dense_bias"]

    # one batch

    def activations(self, images, labels):
        """What each stage puts out, by name, for one batch.

        Returns:
            conv (N, H', W', F), pool (N, P, Q, F), logits (N, K), probabilities (N, K), loss ().
        """
        x, labels = self._batch(images, labels)
        conv = self.conv.forward(x)
        pool = self.pool.forward(conv)
        logits = self.softmax.logits(pool)
        return {
            "conv": conv,
            "pool": pool,
            "logits": logits,
            "probabilities": softmax(logits),
            "loss": cross_entropy(logits, labels),
        }

    def gradients(self, images, labels):
        """Gradient of the mean loss with respect to each of these, without updating anything.

        Returns:
            logits, pool, conv, images (N, H, W, C), conv_weight, dense_weight, dense_bias: each of the shape of what it
            is the gradient of.
        """
        x, labels = self._batch(images, labels)
        logits = self.softmax.logits(self.pool.forward(self.conv.forward(x)))
        d_logits = cross_entropy_backward(logits, labels)
        d_pool = self.softmax.backward(d_logits)
        d_conv = self.pool.backward(d_pool)
        d_images = self.conv.backward(d_conv)
        return {
            "logits": d_logits,
            "pool": d_pool,
            "conv": d_conv,
            "images": d_images,
            "conv_weight": self.conv.d_weight,
            "dense_weight": self.softmax.d_weight,
            "dense_bias": self.softmax.d_bias,
        }

    def forward_stage(self, stage, x, labels=None):
        """One stage alone: "conv", "pool", "logits", "probabilities" or "loss" of an input of its own."""
        if stage == "conv":
            return self.conv.forward(x)
        if stage == "pool":
            return self.pool.forward(np.asarray(x, self.dtype))
        if stage == "logits":
            return self.softmax.logits(x)
        if stage == "probabilities":
            return softmax(np.asarray(x, self.dtype))
        if stage == "loss":
            return cross_entropy(np.asarray(x, self.dtype), labels)
        raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits, probabilities or loss")

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards: gradients by name, given its input x and the upstream gradient.

        "conv" gives images and conv_weight; "pool" gives conv; "logits" gives pool, dense_weight and dense_bias;
        "loss", with its scalar upstream gradient, gives logits.
        """
        if stage == "loss":
            return {"logits": cross_entropy_backward(np.asarray(x, self.dtype), labels) * self.dtype.type(upstream)}
        self.forward_stage(stage, x)
        upstream = np.asarray(upstream, self.dtype)
        if stage == "conv":
            return {"images": self.conv.backward(upstream), "conv_weight": self.conv.d_weight}
        if stage == "pool":
            return {"conv": self.pool.backward(upstream)}
        d_pool = self.softmax.backward(upstream)
        return {"pool": d_pool, "dense_weight": self.softmax.d_weight, "dense_bias": self.softmax.d_bias}

    def step(self, images, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        x, labels = self._batch(images, labels)
        logits = self.softmax.logits(self.pool.forward(self.conv.forward(x)))
        return self._update(logits, labels, check_rate(learning_rate))

    def _update(self, logits, labels, learning_rate):
        rate = self.dtype.type(learning_rate)
        d_pool = self.softmax.backward(cross_entropy_backward(logits, labels))
        self.conv.backward(self.pool.backward(d_pool), need_dx=False)
        self.conv.weight -= rate * self.conv.d_weight
        self.softmax.weight -= rate * self.softmax.d_weight
        self.softmax.bias -= rate * self.softmax.d_bias
        return float(cross_entropy(logits, labels))

    def _batch(self, images, labels):
        images = check_images(images, self.input_shape)
        return scale(images, self.dtype), check_labels(labels, len(images), self.classes)

    # many images

    def fit(
        self,
        images,
        labels,
        epochs=3,
        batch_size=32,
        learning_rate=0.1,
        *,
        validation=None,
        seed=0,
        progress=None,
    ):
        """Train on all images, in an order drawn anew for each epoch.

        Args:
            images, labels: as for the class; (N,) whole numbers 0 .. K-1.
            validation: (images, labels) to evaluate after every epoch.
            seed: of the order; the same seed gives the same bits on the same machine and number of threads.
            progress: a bar on stderr (with tqdm, where installed); None shows it where stderr is a terminal.
        Returns:
            history: dict of lists, a value an epoch: loss and accuracy (running means while the weights move), seconds,
            and with `validation` also validation_loss and validation_accuracy.
        """
        images = check_images(images, self.input_shape)
        check_finite(images)
        labels = check_labels(labels, len(images), self.classes)
        epochs, batch_size = check_positive("epochs", epochs), check_positive("batch_size", batch_size)
        rate = check_rate(learning_rate)
        history: dict[str, list[float]] = {"loss": [], "accuracy": [], "seconds": []}
        for epoch in range(epochs):
            start = time.perf_counter()
            order = np.random.default_rng([seed, epoch]).permutation(len(images))
            loss, right = 0.0, 0
            for first in _bar(range(0, len(images), batch_size), f"epoch {epoch + 1}/{epochs}", progress):
                batch = order[first : first + batch_size]
                logits = self.softmax.logits(self.pool.forward(self.conv.forward(scale(images[batch], self.dtype))))
                right += int((logits.argmax(axis=1) == labels[batch]).sum())
                loss += self._update(logits, labels[batch], rate) * len(batch)
            history["loss"].append(loss / len(images))
            history["accuracy"].append(right / len(images))
            history["seconds"].append(time.perf_counter() - start)
            if validation is not None:
                result = self.evaluate(*validation)
                history.setdefault("validation_loss", []).append(result.loss)
                history.setdefault("validation_accuracy", []).append(result.accuracy)
        return history

    def predict(self, images):
        """Probabilities (N, K). CHUNK images at a time, so that memory stays flat beyond the result itself."""
        return np.concatenate([softmax(logits) for logits in self._logits(check_images(images, self.input_shape))])

    def evaluate(self, images, labels):
        """`Evaluation(loss, accuracy)` over all images; memory stays flat as in `predict`."""
        images = check_images(images, self.input_shape)
        labels = check_labels(labels, len(images), self.classes)
        loss, right, first = 0.0, 0, 0
        for logits in self._logits(images):
            wanted = labels[first : first + len(logits)]
            loss -= float(log_softmax(logits)[np.arange(len(wanted)), wanted].sum(dtype=np.float64))
            right += int((logits.argmax(axis=1) == wanted).sum())
            first += len(logits)
        return Evaluation(loss / len(images), right / len(images))

    def _logits(self, images):
        check_finite(images)
        for first in range(0, len(images), CHUNK):
            x = scale(images[first : first + CHUNK], self.dtype)
            yield self.softmax.logits(self.pool.forward(self.conv.forward(x)))

    # files and words

    def save(self, path):
        """Write parameters and geometry to a `.npz` or `.safetensors` file; see `save_weights`."""
        save_weights(path, self.get_parameters(), self.input_shape, self.padding)

    @classmethod
    def load(cls, path, input_shape=None, padding=None):
        """The network of a file that `save` wrote; of a file with parameters alone once its geometry is given.

        Raises:
            ValueError: as `load_weights`; no geometry in the file or the call, or one that does not fit.
        """
        parameters, geometry = load_weights(path)
        input_shape = geometry.get("input_shape") if input_shape is None else tuple(input_shape)
        padding = geometry.get("padding") if padding is None else padding
        if input_shape is None or padding is None:
            raise ValueError(f"{path}: found no geometry in the file, wanted CNN.load(path, input_shape, padding)")
        filters, classes = parameters["conv_weight"].shape[3], parameters["dense_bias"].shape[0]
        model = cls(input_shape, filters, classes, padding, parameters["dense_weight"].dtype)
        try:
            model.set_parameters(parameters)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return model

    def summary(self):
        """The stages with their output shapes and numbers of weights, as text."""
        h, w, c = self.input_shape
        border = 0 if self.padding == "same" else 2
        filters = self.conv.weight.shape[3]
        rows = [
            ("input", (h, w, c), 0),
            (f"conv 3x3, {self.padding}", (h - border, w - border, filters), self.conv.weight.size),
            ("max-pool 2x2", ((h - border) // 2, (w - border) // 2, filters), 0),
            ("dense, softmax", (self.classes,), self.softmax.weight.size + self.softmax.bias.size),
        ]
        lines = [f"{'stage':<20}{'output':<18}{'weights':>10}"]
        lines += [f"{name:<20}{shape!s:<18}{count:>10,}" for name, shape, count in rows]
        lines.append(f"{'total':<20}{str(self.dtype):<18}{sum(row[2] for row in rows):>10,}")
        return "\n".join(lines)


def _bar(steps, title, show):
    """The steps themselves, behind a progress bar where one is wanted and tqdm is installed."""
    if show is False or (show is None and not sys.stderr.isatty()):
        return steps
    try:
        from tqdm import tqdm
    except ImportError:
        print(title, file=sys.stderr)
        return steps
    return tqdm(steps, desc=title, unit="batch")
