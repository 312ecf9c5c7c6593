"""JAX: one jitted function for a step and one for a prediction."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from compare.verdict.precision import DTYPES, HALF, held
from numpy_cnn.checks import parameter_shapes

jax.config.update("jax_enable_x64", True)  # else float64 is silently float32


def configure(threads):
    """Leave XLA as many processors as it may use threads: it counts those it may run on when it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def forward(padding, parameters, images):
    """conv, pool, logits of images (N, H, W, C)."""
    layout = ("NHWC", "HWIO", "NHWC")
    conv = lax.conv_general_dilated(
        images, parameters["conv_weight"], (1, 1), padding.upper(), dimension_numbers=layout
    )
    pool = max_pool(conv)
    return conv, pool, dense(parameters, pool)


def max_pool(x):
    """2x2 maximum."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def dense(parameters, pool):
    """Logits (N, K)."""
    return pool.reshape(pool.shape[0], -1) @ parameters["dense_weight"] + parameters["dense_bias"]


def cross_entropy(logits, labels):
    """Mean over the batch, nats."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def loss_of(padding, parameters, images, labels):
    """The loss as a function of the parameters."""
    return cross_entropy(forward(padding, parameters, images)[2], labels)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def train_step(padding, parameters, images, labels, rate):
    """(updated parameters, loss before)."""
    loss, gradients = jax.value_and_grad(loss_of, argnums=1)(padding, parameters, images, labels)
    return jax.tree.map(lambda value, gradient: value - rate * gradient, parameters, gradients), loss


@functools.partial(jax.jit, static_argnums=0)
def probabilities(padding, parameters, images):
    """(N, K)."""
    return jax.nn.softmax(forward(padding, parameters, images)[2])


class Adapter:
    """The contract in JAX's terms; constructor and methods as there."""

    dtypes = (*DTYPES, *HALF)

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", seed=0):
        self.padding, self.dtype = padding, jnp.dtype(dtype)
        shapes = parameter_shapes(input_shape, filters, classes, padding)
        glorot = jax.nn.initializers.glorot_uniform()
        keys = jax.random.split(jax.random.key(seed), 2)
        self.parameters = {
            "conv_weight": glorot(keys[0], shapes["conv_weight"], self.dtype),
            "dense_weight": glorot(keys[1], shapes["dense_weight"], self.dtype),
            "dense_bias": jnp.zeros(shapes["dense_bias"], self.dtype),
        }

    def get_parameters(self):
        return _arrays(self.parameters)

    def set_parameters(self, parameters):
        self.parameters = {name: jnp.array(parameters[name], self.dtype) for name in self.parameters}

    def activations(self, images, labels):
        conv, pool, logits = forward(self.padding, self.parameters, jnp.asarray(images, self.dtype))
        found = {"conv": conv, "pool": pool, "logits": logits, "probabilities": jax.nn.softmax(logits)}
        return _arrays({**found, "loss": cross_entropy(logits, labels)})

    def gradients(self, images, labels):
        images = jnp.asarray(images, self.dtype)
        parameters, padding = self.parameters, self.padding
        conv, pull_conv = jax.vjp(lambda p, x: forward(padding, p, x)[0], parameters, images)
        pool, pull_pool = jax.vjp(max_pool, conv)
        logits, pull_dense = jax.vjp(dense, parameters, pool)
        d_logits = jax.grad(cross_entropy)(logits, labels)
        of_dense, d_pool = pull_dense(d_logits)
        (d_conv,) = pull_pool(d_pool)
        of_conv, d_images = pull_conv(d_conv)
        found = {"logits": d_logits, "pool": d_pool, "conv": d_conv, "images": d_images}
        weights = {"conv_weight": of_conv["conv_weight"], **{k: of_dense[k] for k in ("dense_weight", "dense_bias")}}
        return _arrays({**found, **weights})

    def forward_stage(self, stage, x, labels=None):
        x = jnp.asarray(x, self.dtype)
        stages = {
            "conv": lambda: forward(self.padding, self.parameters, x)[0],
            "pool": lambda: max_pool(x),
            "logits": lambda: dense(self.parameters, x),
            "probabilities": lambda: jax.nn.softmax(x),
            "loss": lambda: cross_entropy(x, labels),
        }
        return _array(stages[stage]())

    def backward_stage(self, stage, x, upstream, labels=None):
        x, upstream = jnp.asarray(x, self.dtype), jnp.asarray(upstream, self.dtype)
        if stage == "loss":
            return _arrays({"logits": jax.vjp(lambda z: cross_entropy(z, labels), x)[1](upstream)[0]})
        if stage == "pool":
            return _arrays({"conv": jax.vjp(max_pool, x)[1](upstream)[0]})
        if stage == "conv":
            of_conv, dx = jax.vjp(lambda p, z: forward(self.padding, p, z)[0], self.parameters, x)[1](upstream)
            return _arrays({"images": dx, "conv_weight": of_conv["conv_weight"]})
        of_dense, dx = jax.vjp(dense, self.parameters, x)[1](upstream)
        return _arrays({"pool": dx, "dense_weight": of_dense["dense_weight"], "dense_bias": of_dense["dense_bias"]})

    def step(self, images, labels, learning_rate):
        rate, images = self.dtype.type(learning_rate), np.asarray(images, self.dtype)
        self.parameters, loss = train_step(self.padding, self.parameters, images, labels, rate)
        return float(loss)

    def predict(self, images):
        return _array(probabilities(self.padding, self.parameters, np.asarray(images, self.dtype)))


def _arrays(found):
    return {name: _array(value) for name, value in found.items()}


def _array(value):
    return np.array(value, held(value.dtype.name))
