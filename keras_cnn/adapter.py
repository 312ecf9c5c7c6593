"""The network with NumPy arrays at the border: activations, gradients, stages, steps, files.

Keras runs on the backend that KERAS_BACKEND names; what it leaves to that is in `on_tensorflow`, `on_jax`, `on_torch`.
"""

import importlib
import warnings
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_cnn import checks, layout
from keras_cnn.checks import STAGES
from keras_cnn.model import build, train_step
from keras_cnn.plain_files import one_line, regular_size, replacing

BACKENDS = ("tensorflow", "jax", "torch")
if keras.backend.backend() not in BACKENDS:
    raise RuntimeError(
        f"Keras backend: found {keras.backend.backend()!r}, wanted one of {', '.join(BACKENDS)} "
        "(environment variable KERAS_BACKEND, set before keras is imported)"
    )
backend = importlib.import_module(f"keras_cnn.on_{keras.backend.backend()}")


def configure(threads: int) -> None:
    """Set the threads that the backend uses within and between operations. Call it before anything runs.

    Raises:
        ValueError: threads below 1.
        RuntimeError: from TensorFlow and PyTorch, once it is too late.
    """
    checks.check_positive("threads", threads)
    backend.configure(threads)


class Adapter:
    """The compiled model of `build`. Images are (N, H, W, C) floats, already scaled; labels (N,) ints.

    Args:
        input_shape, filters, classes, padding: as for `build`.
        dtype: one of `dtypes`, of parameters and all arithmetic; NumPy has no bfloat16, arrays are of float32 there.
        seed: of Keras's own start values; the global generators are left as they were.
    Raises:
        ValueError: from every method, for input of another shape, dtype or range; the message says which, what was
            found and what was wanted.

    Attributes:
        dtypes: what it computes in.
        lacks: why it does not compute in others, by their names.
    """

    lacks = backend.LACKS
    dtypes = tuple(dtype for dtype in checks.DTYPES if dtype not in backend.LACKS)

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self._native_dtype, self.dtype = checks.float_dtype(dtype)
        if self._native_dtype in self.lacks:
            lacking = self.lacks[self._native_dtype]
            raise ValueError(f"dtype: found {self._native_dtype}, wanted {' or '.join(self.dtypes)}: {lacking}")
        # of one example; the upstream gradient of a stage has the shape of the next one's input
        self._inputs = checks.stage_inputs(input_shape, filters, classes, padding)
        self._outputs = {"conv": self._inputs["pool"], "pool": self._inputs["logits"], "logits": self._inputs["loss"]}
        with in_dtype(self._native_dtype):
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
        self._rate = None  # the one that the optimizer holds, once a step has set it
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
        conv, pool, logits = self.extractor(ops.convert_to_tensor(x))
        found = (conv, pool, logits, self._stages["probabilities"](logits), self._loss(logits, y))
        return {stage: _array(value) for stage, value in zip(STAGES, found, strict=True)}

    def gradients(self, images, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing."""
        x, y = self._batch(images, labels)
        # 0 is added to what a layer puts out: the gradient of the one is that of the other
        zeros = {name: np.zeros((len(x), *shape)) for name, shape in self._outputs.items()}

        def loss(given):
            conv = self._stages["conv"](given["images"]) + given["conv"]
            pool = self._stages["pool"](conv) + given["pool"]
            return self._loss(self._stages["logits"](pool) + given["logits"], y)

        return self._gradients(loss, {"images": x} | zeros | self.get_parameters(), 1)

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
        held = self.get_parameters()
        given = {before[stage]: x} | {name: held[name] for name in weights.get(stage, ())}
        return self._gradients(lambda given: self._stage(stage, given[before[stage]], y), given, upstream)

    def step(self, images, labels, learning_rate):
        """One update by plain SGD; returns the loss of the batch before it."""
        x, y = self._batch(images, labels)
        rate = checks.check_rate(learning_rate)
        if rate != self._rate:  # to assign it takes a fortieth of a step, and nobody does it in each
            self.model.optimizer.learning_rate.assign(rate)
            self._rate = rate
        return float(train_step(self.model, x, y))

    def predict(self, images):
        """Probabilities (N, K), all images at once."""
        return layout.to_numpy(self.predictor.predict_on_batch(self._images(images)))

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

    def _gradients(self, function, given, upstream):
        """Of a function of a dict of tensors, in which parameters go by their names and stand in for the model's."""
        variables = layout.variables(self.model)

        def stateless(tensors):
            with keras.StatelessScope([(variables[name], tensors[name]) for name in variables if name in tensors]):
                return function(tensors)

        tensors = {name: ops.convert_to_tensor(value, self._native_dtype) for name, value in given.items()}
        upstream = self._tensor(upstream)
        return {name: _array(value) for name, value in backend.gradients(stateless, tensors, upstream).items()}

    def _stage(self, stage, x, y):
        return self._loss(x, y) if stage == "loss" else self._stages[stage](x)

    def _loss(self, logits, labels):
        return self.model.compute_loss(y=labels, y_pred=logits)

    def _tensor(self, array):
        return ops.convert_to_tensor(np.asarray(array, self.dtype), self._native_dtype)

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
        x = self._tensor(x)
        return x, self._labels(labels, len(x)) if stage == "loss" else None


@contextmanager
def in_dtype(dtype):
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
    wide = keras.backend.standardize_dtype(tensor.dtype) == "bfloat16"
    return np.array(ops.convert_to_numpy(ops.cast(tensor, "float32") if wide else tensor), order="C")


def _weights_path(path):
    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise ValueError(f"{path}: found ending {path.suffix!r}, wanted .weights.h5")
    return path
