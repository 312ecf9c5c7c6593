"""TensorFlow without Keras: a `tf.function` for a step and one for a prediction, concrete for each batch size."""

import numpy as np
import tensorflow as tf

from compare.verdict.precision import DTYPES, HALF, held
from numpy_cnn.checks import parameter_shapes


def configure(threads):
    """Set the threads within and between operations."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


class Adapter:
    """The contract in TensorFlow's terms; constructor and methods as there."""

    dtypes = (*DTYPES, *HALF)

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.padding, self.dtype = padding.upper(), tf.as_dtype(dtype)
        rng = np.random.default_rng(seed)
        self.variables = {}
        for name, shape in parameter_shapes(input_shape, filters, classes, padding).items():
            # Glorot & Bengio 2010, as tf.keras layers draw them; a bias starts at 0
            fan = sum(shape[-2:]) * int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / fan) if len(shape) > 1 else 0.0
            self.variables[name] = tf.Variable(rng.uniform(-limit, limit, shape), dtype=self.dtype)
        self._graphs = {}

    def get_parameters(self):
        return _arrays(self.variables)

    def set_parameters(self, parameters):
        for name, variable in self.variables.items():
            variable.assign(np.asarray(parameters[name], self.dtype.as_numpy_dtype))

    def _conv(self, x):
        return tf.nn.conv2d(x, self.variables["conv_weight"], 1, self.padding)

    def _dense(self, x):
        weight = self.variables["dense_weight"]
        return tf.reshape(x, (-1, weight.shape[0])) @ weight + self.variables["dense_bias"]

    def _forward(self, x):
        conv = self._conv(x)
        pool = tf.nn.max_pool2d(conv, 2, 2, "VALID")
        return conv, pool, self._dense(pool)

    def _loss(self, logits, labels):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    def _probabilities(self, images):
        return tf.nn.softmax(self._forward(images)[2])

    def _train_step(self, images, labels, rate):
        with tf.GradientTape() as tape:
            loss = self._loss(self._forward(images)[2], labels)
        variables = list(self.variables.values())
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)
        return loss

    def activations(self, images, labels):
        conv, pool, logits = self._forward(self._given(images))
        found = {"conv": conv, "pool": pool, "logits": logits, "probabilities": tf.nn.softmax(logits)}
        return _arrays({**found, "loss": self._loss(logits, labels)})

    def gradients(self, images, labels):
        images = self._given(images)
        with tf.GradientTape() as tape:
            tape.watch(images)
            conv, pool, logits = self._forward(images)
            loss = self._loss(logits, labels)
        wanted = {"logits": logits, "pool": pool, "conv": conv, "images": images, **self.variables}
        return _arrays(tape.gradient(loss, wanted))

    def _stage(self, stage, x, labels):
        if stage == "loss":
            return self._loss(x, labels)
        stages = {
            "conv": self._conv,
            "pool": lambda z: tf.nn.max_pool2d(z, 2, 2, "VALID"),
            "logits": self._dense,
            "probabilities": tf.nn.softmax,
        }
        return stages[stage](x)

    def forward_stage(self, stage, x, labels=None):
        return _array(self._stage(stage, self._given(x), labels))

    def backward_stage(self, stage, x, upstream, labels=None):
        x = self._given(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self._stage(stage, x, labels)
        before = {"loss": "logits", "logits": "pool", "pool": "conv", "conv": "images"}[stage]
        own = {"logits": ("dense_weight", "dense_bias"), "conv": ("conv_weight",)}.get(stage, ())
        wanted = {before: x, **{name: self.variables[name] for name in own}}
        return _arrays(tape.gradient(y, wanted, self._given(upstream)))

    def step(self, images, labels, learning_rate):
        given = self._given(images), tf.constant(labels), tf.constant(learning_rate, self.dtype)
        return float(self._graph(self._train_step, images.shape, given)(*given))

    def predict(self, images):
        given = (self._given(images),)
        return _array(self._graph(self._probabilities, images.shape, given)(*given))

    def _given(self, array):
        given = tf.constant(array)
        return given if given.dtype == self.dtype else tf.cast(given, self.dtype)

    def _graph(self, function, shape, given):
        """The concrete function for these shapes: `tf.function` would look for it anew in each call, in Python."""
        key = function.__name__, shape
        if key not in self._graphs:
            self._graphs[key] = tf.function(function).get_concrete_function(*given)
        return self._graphs[key]


def _arrays(found):
    return {name: _array(value) for name, value in found.items()}


def _array(value):
    return np.array(value, held(value.dtype.name))
