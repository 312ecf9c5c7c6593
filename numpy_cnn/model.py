"""`CNN`: the network as one uses it. Validation at the border; fit, predict, evaluate, save and load."""

import sys
import time
from typing import Any, NamedTuple

import numpy as np

from numpy_cnn.checks import (
    CHUNK,
    check_finite,
    check_images,
    check_labels,
    check_positive,
    check_rate,
    parameter_shapes,
    scale,
)
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.one_by_one import Loops
from numpy_cnn.optimisers import SGD, check_optimiser
from numpy_cnn.softmax import log_softmax, softmax
from numpy_cnn.weights import load_weights, save_weights

WAYS: dict[str, Any] = {"fused": Fused, "layers": Layers, "loops": Loops}


class Evaluation(NamedTuple):
    """Mean loss in nats, and the share of images whose most probable class is their label."""

    loss: float
    accuracy: float


class CNN:
    """3x3 convolution, 2x2 maximum, dense layer, softmax: trained by gradient descent, plain or by `optimisers`.

    Images are uint8 pixels, scaled here to `image / 255 - 0.5`, or floats, which are taken as they are; (N, H, W, C),
    or (N, H, W) where C is 1. All arithmetic is in `dtype`.

    Args:
        input_shape: (H, W, C) of one image; H, W >= 4 ("valid") or 3 ("same").
        filters: F.
        classes: K.
        padding: "valid" or "same".
        dtype: float32 or float64; float16 too, in which NumPy is slow, and which no file of weights holds.
        seed: of the start weights: filters randn / 9, dense weights randn / (P*Q*F), bias 0.
        way: how it is computed: "fused" (fast), "layers" (`Conv3x3`, `MaxPool2`, `Softmax`) or "loops" (slow, by the
            definition). All agree within rounding.

    Raises:
        ValueError: from every method, for input of another shape, dtype or range; the message says which, what was
            found and what was wanted.
    """

    def __init__(
        self,
        input_shape=(28, 28, 1),
        filters=8,
        classes=10,
        padding="valid",
        dtype=np.float32,
        seed=0,
        way="fused",
    ):
        filters, classes = check_positive("filters", filters), check_positive("classes", classes)
        self.shapes = parameter_shapes(input_shape, filters, classes, padding)
        if way not in WAYS:
            raise ValueError(f"way: found {way!r}, wanted one of {', '.join(WAYS)}")
        self.input_shape = tuple(input_shape)
        self.padding = padding
        self.classes = classes
        self.network: Any = WAYS[way](self.input_shape, filters, classes, padding, dtype, seed)
        self.dtype = self.network.dtype

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return self.network.get_parameters()

    def set_parameters(self, parameters):
        """Take copies of arrays named and shaped as in `get_parameters`, cast to `dtype`."""
        self.network.set_parameters(parameters)

    # one batch

    def activations(self, images, labels):
        """What each stage puts out, by name, for one batch.

        Returns:
            conv (N, H', W', F), pool (N, P, Q, F), logits (N, K), probabilities (N, K), loss ().
        """
        return self.network.activations(*self._batch(images, labels))

    def gradients(self, images, labels):
        """Gradient of the mean loss with respect to each of these, without updating anything.

        Returns:
            logits, pool, conv, images (N, H, W, C), conv_weight, dense_weight, dense_bias: each of the shape of what it
            is the gradient of.
        """
        return self.network.gradients(*self._batch(images, labels))

    def step(self, images, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        return self.network.step(*self._batch(images, labels), check_rate(learning_rate, self.dtype))

    def _batch(self, images, labels):
        images = check_images(images, self.input_shape)
        check_finite(images, self.dtype)
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
        optimizer="sgd",
        validation=None,
        seed=0,
        progress=None,
    ):
        """Train on all images, in an order drawn anew for each epoch.

        Args:
            images, labels: as for the class; (N,) whole numbers 0 .. K-1.
            optimizer: "sgd", "momentum", "nesterov", "adam", "adamw", or one with other settings, such as
                `numpy_cnn.optimisers.Adam(beta1=0.8)`. What it remembers begins anew with each call.
            validation: (images, labels) to evaluate after every epoch.
            seed: of the order; the same seed gives the same bits on the same machine and number of threads.
            progress: a bar on stderr (with tqdm, where installed); None shows it where stderr is a terminal.
        Returns:
            history: dict of lists, a value an epoch: loss (a running mean while the weights move), seconds, and with
            `validation` also validation_loss and validation_accuracy.
        """
        images = check_images(images, self.input_shape)
        check_finite(images, self.dtype)
        labels = check_labels(labels, len(images), self.classes)
        epochs, batch_size = check_positive("epochs", epochs), check_positive("batch_size", batch_size)
        step = self._step_of(check_optimiser(optimizer), check_rate(learning_rate, self.dtype))
        if validation is not None:
            if len(validation) != 2:
                raise ValueError(f"validation: found {len(validation)} parts, wanted (images, labels)")
            tests = check_images(validation[0], self.input_shape)
            check_finite(tests, self.dtype)
            check_labels(validation[1], len(tests), self.classes)
        history: dict[str, list[float]] = {"loss": [], "seconds": []}
        for epoch in range(epochs):
            start, loss = time.perf_counter(), 0.0
            order = np.random.default_rng([seed, epoch]).permutation(len(images))
            for first in _bar(range(0, len(images), batch_size), f"epoch {epoch + 1}/{epochs}", progress):
                batch = order[first : first + batch_size]
                x = scale(images[batch], self.dtype)
                loss += step(x, labels[batch]) * len(batch)
            history["loss"].append(loss / len(images))
            history["seconds"].append(time.perf_counter() - start)
            if validation is not None:
                result = self.evaluate(*validation)
                history.setdefault("validation_loss", []).append(result.loss)
                history.setdefault("validation_accuracy", []).append(result.accuracy)
        return history

    def _step_of(self, optimiser, rate):
        """A function that makes one step on (images, labels) and returns the loss before it."""
        if isinstance(optimiser, SGD):
            return lambda x, labels: self.network.step(x, labels, rate)
        states: dict[str, Any] = {}

        def update(name, parameter, gradient):
            state = states[name] if name in states else optimiser.start(parameter)
            parameter, states[name] = optimiser.update(parameter, gradient, state, rate)
            return parameter

        return lambda x, labels: self.network.descend(x, labels, update)

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
        check_finite(images, self.dtype)
        for first in range(0, len(images), CHUNK):
            x = scale(images[first : first + CHUNK], self.dtype)
            yield self.network.logits(x)

    # files and words

    def save(self, path):
        """Write parameters and geometry to a `.npz` or `.safetensors` file; see `save_weights`."""
        save_weights(path, self.get_parameters(), self.input_shape, self.padding)

    @classmethod
    def load(cls, path, input_shape=None, padding=None, way="fused"):
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
        model = cls(input_shape, filters, classes, padding, parameters["dense_weight"].dtype, way=way)
        try:
            model.set_parameters(parameters)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return model

    def summary(self):
        """The stages with their output shapes and numbers of weights, as text."""
        h, w, c = self.input_shape
        border = 0 if self.padding == "same" else 2
        filters = self.shapes["conv_weight"][3]
        count = {name: int(np.prod(shape)) for name, shape in self.shapes.items()}
        rows = [
            ("input", (h, w, c), 0),
            (f"conv 3x3, {self.padding}", (h - border, w - border, filters), count["conv_weight"]),
            ("max-pool 2x2", ((h - border) // 2, (w - border) // 2, filters), 0),
            ("dense, softmax", (self.classes,), count["dense_weight"] + count["dense_bias"]),
        ]
        lines = [f"{'stage':<20}{'output':<18}{'weights':>10}"]
        lines += [f"{name:<20}{shape!s:<18}{weights:>10,}" for name, shape, weights in rows]
        lines.append(f"{'total':<20}{str(self.dtype):<18}{sum(count.values()):>10,}")
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
