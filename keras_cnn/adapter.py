"""The network with NumPy arrays at the border: activations, gradients, stages, steps, files. TensorFlow only."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_cnn import checks, layout
from keras_cnn.checks import STAGES
from keras_cnn.model import build, train_step
from keras_cnn.plain_files import one_line, regular_size, replacing


def configure(threads: int) -> None:
    """Set the threads TensorFlow uses within and between operations. Call it before anything runs.

    Raises:
        ValueError: threads below 1.
        RuntimeError: from TensorFlow, once it is too late.
    """
    checks.check_positive("threads", threads)
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
        self.dtype = checks.float_dtype(dtype)
        # of one example; the upstream gradient of a stage has the shape of the next one's input
        self._inputs = checks.stage_inputs(input_shape, filters, classes, padding)
        with _settings(self.dtype.name):
            self.model = build(input_shape, filters, classes, padding, seed=int(seed))
            softmax = keras.layers.Softmax(name="probabilities")
        layers = {name: self.model.get_layer(name) for name in ("conv", "pool", "flatten", "logits")}
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
        self._shapes = {name: value.shape for name, value in self.get_parameters().items()}

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return layout.from_weights(self.model.get_weights())

    def set_parameters(self, parameters):
        """Take copies of the same, cast to `dtype`."""
        checks.check_parameters(parameters, self._shapes)
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
        checks.check_choice("stage", stage, before)
        x, y = self._stage_input(stage, x, labels)
        after = () if stage == "loss" else (len(x), *self._inputs[STAGES[STAGES.index(stage) + 1]])
        checks.check_floats("upstream", upstream, after)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self._stage(stage, x, y)
        native = layout.variables(self.model)
        sources = {before[stage]: x} | {name: native[name] for name in weights.get(stage, ())}
        return _gradients(tape, y, sources, tf.convert_to_tensor(np.asarray(upstream, self.dtype)))

    def step(self, images, labels, learning_rate):
        """One update by plain SGD; returns the loss of the batch before it."""
        x, y = self._batch(images, labels)
        self.model.optimizer.learning_rate.value.assign(checks.check_rate(learning_rate))
        return train_step(self.model, x, y)

    def predict(self, images):
        """Probabilities (N, K), all images at once."""
        return self.predictor.predict_on_batch(self._images(images))

    def save(self, path):
        """Write a `.weights.h5` file with Keras's own `save_weights`, and a checksum; whole or not at all."""
        with replacing(_weights_path(path)) as temporary:
            self.model.save_weights(temporary)
            layout.seal(temporary, self.get_parameters())

    def load(self, path):
        """Take the parameters of a file that `save`, or `save_weights` of a model of `build`, wrote.

        HDF5 as Keras writes it holds no checksums: only in a file of `save` is an altered number sure to be noticed.

        Raises:
            ValueError: a damaged or truncated file, or no regular one, other names, shapes or dtype, numbers that are
                not finite; the message is one line that begins with the path, and the model is as it was.
            OSError: the file cannot be read.
        Warns:
            UserWarning: a file without a checksum.
        """
        path = _weights_path(path)
        regular_size(path)
        try:
            parameters, sealed = layout.read_file(path, self._shapes, self.dtype)
        except ValueError as error:
            raise ValueError(f"{path}: found no intact weights of such a model: {one_line(error, 600)}") from error
        self.set_parameters(parameters)
        if not sealed:
            unsealed = "found no checksum in it, so a number that was changed on the way could not be noticed"
            warnings.warn(f"{path}: {unsealed}", stacklevel=2)

    def _stage(self, stage, x, y):
        return self._loss(x, y) if stage == "loss" else self._stages[stage](x)

    def _loss(self, logits, labels):
        return self.model.compute_loss(y=labels, y_pred=logits)

    def _images(self, images):
        checks.check_floats("images", images, ("N", *self._inputs["conv"]))
        return np.asarray(images, self.dtype)

    def _batch(self, images, labels):
        x = self._images(images)
        return x, self._labels(labels, len(x))

    def _labels(self, labels, count):
        return checks.check_labels(labels, count, self._inputs["loss"][0])

    def _stage_input(self, stage, x, labels):
        checks.check_choice("stage", stage, STAGES)
        checks.check_floats(f"x of stage {stage}", x, ("N", *self._inputs[stage]))
        x = tf.convert_to_tensor(np.asarray(x, self.dtype))
        return x, self._labels(labels, len(x)) if stage == "loss" else None


@contextmanager
def _settings(dtype):
    """Keras's default float type and order of axes, for as long as a model is built: the layers remember them.

    The policy is for layers, losses and metrics. The wrapper around the loss, the mean that is reported as the loss and
    the learning rate look at floatx alone; without it a float64 model would step by float32(0.1). As to the order, the
    user's keras.json may say channels_first.
    """
    settings = keras.config
    before = settings.floatx(), settings.dtype_policy(), settings.image_data_format()
    settings.set_floatx(dtype)
    settings.set_dtype_policy(dtype)
    settings.set_image_data_format("channels_last")
    try:
        yield
    finally:
        settings.set_floatx(before[0])
        settings.set_dtype_policy(before[1])
        settings.set_image_data_format(before[2])


def _array(tensor):
    return np.array(tensor.numpy(), order="C")


def _gradients(tape, output, sources, upstream=None):
    return {name: _array(grad) for name, grad in tape.gradient(output, sources, upstream).items()}


def _weights_path(path):
    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"{path}: found ending {path.suffix!r}, wanted .weights.h5")
    return path
