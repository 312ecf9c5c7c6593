"""The network with NumPy arrays at the border: activations, gradients, stages, steps, files. TensorFlow only."""

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_cnn import layout
from keras_cnn.model import build, check_positive, pooled_size

STAGES = ("conv", "pool", "logits", "probabilities", "loss")


def configure(threads: int) -> None:
    """Set the threads TensorFlow uses within and between operations. Call it before anything runs.

    Raises:
        ValueError: threads below 1.
        RuntimeError: from TensorFlow, once it is too late.
    """
    check_positive("threads", threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


class Adapter:
    """The compiled model of `build`. Images are (N, H, W, C) floats, already scaled; labels (N,) ints.

    Args:
        input_shape, filters, classes, padding: as for `build`.
        dtype: float32 or float64, of parameters and all arithmetic.
        seed: of Keras's own start values; the global generators are left as they were.
    Raises:
        ValueError: from every method, for input of another shape, dtype or range; the message says which, what was
            found and what was wanted.
        RuntimeError: Keras runs on another backend than TensorFlow.
    """

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"Keras backend: found {keras.backend.backend()!r}, wanted 'tensorflow' "
                "(environment variable KERAS_BACKEND, set before keras is imported)"
            )
        self.dtype = layout.float_dtype(dtype)
        self.model = build(input_shape, filters, classes, padding, self.dtype.name, seed=int(seed))
        layers = {name: self.model.get_layer(name) for name in ("conv", "pool", "flatten", "logits")}
        softmax = keras.layers.Softmax(dtype=self.dtype.name, name="probabilities")
        # both share the model's layers, and so its weights
        outputs = [layers[name].output for name in ("conv", "pool", "logits")]
        self.extractor = keras.Model(self.model.inputs, outputs, name="extractor")
        self.predictor = keras.Model(self.model.inputs, softmax(self.model.output), name="predictor")
        self._stages = {
            "conv": layers["conv"],
            "pool": layers["pool"],
            "logits": lambda x: layers["logits"](layers["flatten"](x)),
            "probabilities": softmax,
        }
        p, q = pooled_size(input_shape, padding)
        h, w, c = input_shape
        border = 0 if padding == "same" else 2
        # what one example brings to each stage; the upstream gradient of a stage has the shape of the next one's input
        shapes = ((h, w, c), (h - border, w - border, filters), (p, q, filters), (classes,), (classes,))
        self._inputs = dict(zip(STAGES, shapes, strict=True))
        self._shapes = {name: value.shape for name, value in self.get_parameters().items()}

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return layout.from_weights(self.model.get_weights())

    def set_parameters(self, parameters):
        """Take copies of the same, cast to `dtype`."""
        layout.check_parameters(parameters, self._shapes)
        self.model.set_weights(layout.to_weights(parameters, self.dtype))

    def activations(self, images, labels):
        """Of one batch: conv (N, H', W', F), pool (N, P, Q, F), logits and probabilities (N, K), loss ()."""
        x, y = self._batch(images, labels)
        conv, pool, logits = self.extractor(tf.convert_to_tensor(x))
        found = (conv, pool, logits, self._stages["probabilities"](logits), self._loss(logits, y))
        return {stage: _array(value) for stage, value in zip(STAGES, found, strict=True)}

    def gradients(self, images, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing."""
        x, y = self._batch(images, labels)
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            conv, pool, logits = self.extractor(x)
            loss = self._loss(logits, y)
        sources = {"logits": logits, "pool": pool, "conv": conv, "images": x} | layout.variables(self.model)
        return _gradients(tape, loss, sources)

    def forward_stage(self, stage, x, labels=None):
        """One of `STAGES` alone, of an input of its own; "loss" needs labels."""
        x, y = self._stage_input(stage, x, labels)
        return _array(self._stage(stage, x, y))

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards, given its input and the upstream gradient (a scalar for "loss").

        "conv" gives images and conv_weight; "pool" gives conv; "logits" gives pool, dense_weight and dense_bias;
        "loss" gives logits.
        """
        before = {"loss": "logits", "logits": "pool", "pool": "conv", "conv": "images"}
        weights = {"logits": ("dense_weight", "dense_bias"), "conv": ("conv_weight",)}
        if stage not in before:
            raise ValueError(f"stage: found {stage!r}, wanted one of {', '.join(before)}")
        x, y = self._stage_input(stage, x, labels)
        after = () if stage == "loss" else (len(x), *self._inputs[STAGES[STAGES.index(stage) + 1]])
        layout.check_floats("upstream", upstream, after)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self._stage(stage, x, y)
        native = layout.variables(self.model)
        sources = {before[stage]: x} | {name: native[name] for name in weights.get(stage, ())}
        return _gradients(tape, y, sources, tf.convert_to_tensor(np.asarray(upstream, self.dtype)))

    def step(self, images, labels, learning_rate):
        """One update by plain SGD; returns the loss of the batch before it."""
        x, y = self._batch(images, labels)
        rate = float(learning_rate)
        if not (np.isfinite(rate) and rate > 0):
            raise ValueError(f"learning_rate: found {learning_rate!r}, wanted a finite number above 0")
        self.model.optimizer.learning_rate.value.assign(rate)
        # train_on_batch resets the metrics first, so what it reports is of this batch
        return self.model.train_on_batch(x, y, return_dict=True)["loss"]

    def predict(self, images):
        """Probabilities (N, K), all images at once."""
        return self.predictor.predict_on_batch(self._images(images))

    def save(self, path):
        """Write a `.weights.h5` file with Keras's own `save_weights`, and a checksum; whole or not at all."""
        path = _weights_path(path)
        temporary = path.with_name(f".{os.getpid()}.{path.name}")
        try:
            self.model.save_weights(temporary)
            layout.seal(temporary, self.get_parameters())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def load(self, path):
        """Take the parameters of a file that `save`, or `save_weights` of a model of `build`, wrote.

        HDF5 as Keras writes it holds no checksums: only in a file of `save` is an altered number sure to be noticed.

        Raises:
            ValueError: a damaged or truncated file, other names, shapes or dtype, numbers that are not finite; the
                message begins with the path, and the model is as it was.
            OSError: the file cannot be read.
        """
        path = _weights_path(path)
        with path.open("rb"):
            pass  # a file that is not there or not ours to read is no damaged one
        try:
            layout.check_file(path, self._shapes, self.dtype)
            self.extractor.load_weights(path)  # not compiled: leaves an optimizer's state in the file alone
        except Exception as error:  # whatever a damaged file provokes in HDF5 or Keras
            raise ValueError(f"{path}: found no intact weights of such a model: {error}") from error

    def _stage(self, stage, x, y):
        return self._loss(x, y) if stage == "loss" else self._stages[stage](x)

    def _loss(self, logits, labels):
        return self.model.compute_loss(y=labels, y_pred=logits)

    def _images(self, images):
        layout.check_floats("images", images, ("N", *self._inputs["conv"]))
        return np.asarray(images, self.dtype)

    def _batch(self, images, labels):
        x = self._images(images)
        return x, layout.to_labels(labels, len(x), self._inputs["loss"][0])

    def _stage_input(self, stage, x, labels):
        if stage not in STAGES:
            raise ValueError(f"stage: found {stage!r}, wanted one of {', '.join(STAGES)}")
        layout.check_floats(f"x of stage {stage}", x, ("N", *self._inputs[stage]))
        x = tf.convert_to_tensor(np.asarray(x, self.dtype))
        return x, layout.to_labels(labels, len(x), x.shape[1]) if stage == "loss" else None


def _array(tensor):
    return np.array(tensor.numpy(), order="C")


def _gradients(tape, output, sources, upstream=None):
    return {name: _array(grad) for name, grad in tape.gradient(output, sources, upstream).items()}


def _weights_path(path):
    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"{path}: found ending {path.suffix!r}, wanted .weights.h5")
    return path
