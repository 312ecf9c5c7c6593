"""Keras on TensorFlow: a model of one convolution, one pooling and one dense layer, made a subject. See `framework`."""

import contextlib
import json
import os

import keras
import numpy as np
import tensorflow as tf

from compare.checking.calling.orders import DENSE, IMAGES, KERNEL, Order
from compare.checking.frameworks import framework
from compare.contract import NotOfferedError

LAYERS = keras.layers
POOLS = (LAYERS.MaxPooling2D, LAYERS.AveragePooling2D, LAYERS.GlobalMaxPooling2D, LAYERS.GlobalAveragePooling2D)
MEANS = (LAYERS.AveragePooling2D, LAYERS.GlobalAveragePooling2D)
MODES = (LAYERS.Dropout, LAYERS.SpatialDropout2D, LAYERS.BatchNormalization, LAYERS.GaussianNoise)
ORDERS = tuple(sorted(framework.IMAGE_ORDERS, key=lambda order: order.axes[-1] != "C"))


def subject(candidate):
    """A subject class of a keras.Model subclass, a function that gives a model, or a model.

    Raises:
        NotOfferedError: it cannot be made, or holds another network; the message says what was found.
    """
    if keras.backend.backend() != "tensorflow":
        raise NotOfferedError(f"Keras runs on {keras.backend.backend()}, wanted tensorflow (KERAS_BACKEND)")
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    with contextlib.suppress(RuntimeError):  # too late: the code has computed something while it was imported
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if isinstance(candidate, keras.Model):
        return framework.subject([_copies(candidate)], _Net, ORDERS)
    makers = framework.makers_of(candidate, keras.Model)
    return framework.subject([_in_dtype(make) for make in makers], _Net, ORDERS)


def _in_dtype(make):
    """The same maker with Keras's default float type set: the dtype of layers that are given none."""

    def made(sizes, dtype):
        before = keras.config.floatx()
        keras.config.set_floatx(dtype)
        try:
            return make(sizes, dtype)
        finally:
            keras.config.set_floatx(before)

    return made


def _copies(model):
    """A maker of copies of a model, their dtype exchanged; its own weights are of no interest."""
    config = json.dumps(keras.saving.serialize_keras_object(model))
    own = {type(layer).__name__: type(layer) for layer in (model, *framework.every(model))}

    def made(sizes, dtype):
        exchanged = json.loads(config.replace('"float32"', f'"{dtype}"'))
        # the code under test runs anyway, so that a function within it is no more of a risk
        return keras.saving.deserialize_keras_object(exchanged, custom_objects=own, safe_mode=False)

    return made


class _Net:
    """A `framework.Net`."""

    kernel = Order(KERNEL, ("I", "J", "C", "F"))
    one_image = False
    denses = (Order(DENSE, ("PQF", "K")), Order(DENSE, ("FPQ", "K")))

    def __init__(self, model, dtype):
        if not isinstance(model, keras.Model):
            raise NotOfferedError(f"found {type(model).__name__}, wanted a keras.Model")
        self.name, self.averages = type(model).__name__, False
        self.model, self.dtype = model, dtype
        self.given: dict = {}
        self.seen: dict = {}
        self.layers = list({id(layer): layer for layer in framework.every(model)}.values())
        self.conv, pool, self.dense = self._found()
        first = self.conv.data_format == "channels_first"
        self.outward = Order(IMAGES, ("N", "C", "H", "W") if first else ("N", "H", "W", "C"))
        self._watch(self.conv, "conv")
        self._watch(self.dense, "dense")
        if pool is not None:
            self.averages = isinstance(pool, MEANS)
            call = pool.unwatched_call = _own(pool, "call")
            pool.call = lambda x: self.tap("pool", call(x))
        self.remarks = self._remarks()

    def _found(self):
        convs, denses, pools = (
            [layer for layer in self.layers if isinstance(layer, kinds)]
            for kinds in (LAYERS.Conv2D, LAYERS.Dense, POOLS)
        )
        if len(convs) != 1 or len(denses) != 1 or len(pools) > 1 or tuple(convs[0].kernel_size) != (3, 3):
            kinds = ([f"{type(layer).__name__} {layer.name}" for layer in kind] for kind in (convs, pools, denses))
            raise framework.found_instead(self.name, *kinds)
        return convs[0], (pools or [None])[0], denses[0]

    def _remarks(self):
        found = []
        if self.conv.use_bias:
            found.append("conv has a bias, bias, (F,): held at 0, its gradient is not checked")
        others = [each.name for each in self.layers if each.weights and each not in (self.conv, self.dense)]
        if others:
            found.append(f"other layers with weights are left as they are made: {', '.join(others)}")
        if any(isinstance(each, MODES) for each in self.layers):
            found.append("the model is called without training=True, so its dropout and the like are off")
        return found

    def _watch(self, layer, name):
        """Put taps where a layer begins and ends; an activation that is part of it comes after it."""
        call = layer.unwatched_call = _own(layer, "call")
        activation = layer.unwatched_activation = _own(layer, "activation")

        def watched(x, *arguments, **keywords):
            return call(self.tap(f"{name}_in", x), *arguments, **keywords)

        layer.call = watched
        layer.activation = lambda x: activation(self.tap(name, x))

    def tap(self, name, tensor):
        """Take down what passes and hand it on, or what is given in its place."""
        if not tf.is_tensor(tensor) or not tf.executing_eagerly():  # while a model is built, symbols pass
            return tensor
        if name in self.seen:
            raise NotOfferedError(f"{self.name} runs the same layer twice in one pass ({name})")
        self.seen[name] = tensor = self.given.get(name, tensor)
        return tensor

    def get(self):
        return {name: np.array(value) for name, value in self._variables().items()}

    def put(self, values):
        variables = self._variables()
        for name, value in values.items():
            if name in variables:
                variables[name].assign(value)
        if self.conv.use_bias:
            self.conv.bias.assign(tf.zeros_like(self.conv.bias))

    def _variables(self):
        found = {"conv_weight": self.conv.kernel, "dense_weight": self.dense.kernel}
        return found | ({"dense_bias": self.dense.bias} if self.dense.use_bias else {})

    def run(self, given, loss=None):
        seen = self._pass({name: tf.constant(value) for name, value in given.items()})
        if loss:
            seen["loss"] = _loss(seen, *loss)
        return {name: np.array(value) for name, value in seen.items()}

    def grad(self, given, target, upstream, sources):
        leaves = {name: tf.constant(value) for name, value in given.items()}
        with tf.GradientTape() as tape:
            for leaf in leaves.values():
                tape.watch(leaf)
            seen = self._pass(leaves)
            output = _loss(seen, *upstream) if target == "loss" else seen[target]
        known = {**seen, **{name: variable.value for name, variable in self._variables().items()}}
        seeds = None if target == "loss" else tf.constant(upstream)
        found = tape.gradient(output, [known[name] for name in sources], seeds)
        return {
            name: None if value is None else np.array(tf.convert_to_tensor(value))
            for name, value in zip(sources, found, strict=True)
        }

    def _pass(self, given):
        self.given, self.seen = given, {"images": given["images"]}
        out = self.model(given["images"])
        if not tf.is_tensor(out):
            raise NotOfferedError(f"{self.name} gives {type(out).__name__}, wanted one tensor of logits")
        missing = [name for name in ("conv", "dense") if name not in self.seen]
        if missing:
            raise NotOfferedError(f"{self.name} does not run its layer for {', '.join(missing)}")
        return {**self.seen, "out": out}


def _own(layer, name):
    """What a layer had before it was watched, by a `_Net` before."""
    return getattr(layer, f"unwatched_{name}", getattr(layer, name))


def _loss(seen, tap, kind, labels):
    """The mean cross-entropy of what is seen at a tap."""
    out, labels = seen[tap], tf.constant(np.array(labels, np.int64))
    if kind == "logits":
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=out))
    true = tf.gather(out, labels, axis=1, batch_dims=1)
    return -tf.reduce_mean(true if kind == "log-probabilities" else tf.math.log(true))
