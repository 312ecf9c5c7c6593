"""The network by its layers: `Conv3x3`, `MaxPool2` and `Softmax` in order, forward and backward."""

import numpy as np

from numpy_cnn import checks
from numpy_cnn.checks import PARAMETERS, check_parameters, check_positive, float_dtype, generator, parameter_shapes
from numpy_cnn.conv import Conv3x3
from numpy_cnn.maxpool import MaxPool2
from numpy_cnn.softmax import Softmax, cross_entropy, cross_entropy_backward, softmax


class Layers:
    """The vectorised layers, a batch at a time. x is (N, H, W, C) floats, already scaled; labels (N,) ints, below K.

    Args, start values and parameters: those of `CNN`.
    Raises:
        ValueError: arguments out of range, or input of another shape.
    """

    dtypes, lacks = checks.DTYPES, checks.LACKS

    def __init__(self, input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype=np.float32, seed=0):
        filters, classes = check_positive("filters", filters), check_positive("classes", classes)
        self.shapes = parameter_shapes(input_shape, filters, classes, padding)
        self.dtype = float_dtype(dtype)
        rng = generator(seed)
        self.conv = Conv3x3(filters, input_shape[2], padding, self.dtype, rng)
        self.pool = MaxPool2()
        self.softmax = Softmax(self.shapes["dense_weight"][0], classes, self.dtype, rng)

    def get_parameters(self):
        """Copies: conv_weight (3, 3, C, F), dense_weight (P*Q*F, K) with rows in (P, Q, F) order, dense_bias (K,)."""
        return {
            "conv_weight": self.conv.weight.copy(),
            "dense_weight": self.softmax.weight.copy(),
            "dense_bias": self.softmax.bias.copy(),
        }

    def set_parameters(self, parameters):
        """Take copies of arrays named and shaped as in `get_parameters`, cast to `dtype`."""
        check_parameters(parameters, self.shapes, self.dtype)
        copies = {name: np.array(parameters[name], self.dtype, order="C") for name in PARAMETERS}
        self.conv.weight = copies["conv_weight"]
        self.softmax.weight = copies["dense_weight"]
        self.softmax.bias = copies["dense_bias"]

    def logits(self, x):
        """Logits (N, K)."""
        return self.softmax.logits(self.pool.forward(self.conv.forward(x)))

    def predict(self, x):
        """Probabilities (N, K)."""
        return softmax(self.logits(x))

    def activations(self, x, labels):
        """What each stage puts out: conv (N, H', W', F), pool (N, P, Q, F), logits, probabilities (N, K), loss ()."""
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

    def gradients(self, x, labels):
        """Of the mean loss, by logits, pool, conv, images, conv_weight, dense_weight, dense_bias; updates nothing."""
        d_logits = cross_entropy_backward(self.logits(x), labels)
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
        x = np.asarray(x, self.dtype)
        if stage == "conv":
            return self.conv.forward(x)
        if stage == "pool":
            return self.pool.forward(x)
        if stage == "logits":
            return self.softmax.logits(x)
        if stage == "probabilities":
            return softmax(x)
        if stage == "loss":
            return cross_entropy(x, labels)
        raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits, probabilities or loss")

    def backward_stage(self, stage, x, upstream, labels=None):
        """One stage alone, backwards: gradients by name, given its input x and the upstream gradient.

        "conv" gives images and conv_weight; "pool" gives conv; "logits" gives pool, dense_weight and dense_bias;
        "loss", with its scalar upstream gradient, gives logits.
        """
        upstream = np.asarray(upstream, self.dtype)
        if stage == "loss":
            return {"logits": cross_entropy_backward(np.asarray(x, self.dtype), labels) * upstream}
        if stage not in ("conv", "pool", "logits"):
            raise ValueError(f"stage: found {stage!r}, wanted conv, pool, logits or loss")
        self.forward_stage(stage, x)
        if stage == "conv":
            return {"images": self.conv.backward(upstream), "conv_weight": self.conv.d_weight}
        if stage == "pool":
            return {"conv": self.pool.backward(upstream)}
        d_pool = self.softmax.backward(upstream)
        return {"pool": d_pool, "dense_weight": self.softmax.d_weight, "dense_bias": self.softmax.d_bias}

    def step(self, x, labels, learning_rate):
        """One update, parameter -= learning_rate * gradient; returns the loss of the batch before it."""
        rate = self.dtype.type(learning_rate)
        return self.descend(x, labels, lambda name, parameter, gradient: parameter - rate * gradient)

    def descend(self, x, labels, update):
        """One update by update(name, parameter, gradient), the new parameter; returns the loss before it."""
        logits = self.logits(x)
        d_pool = self.softmax.backward(cross_entropy_backward(logits, labels))
        self.conv.backward(self.pool.backward(d_pool), need_dx=False)
        self.conv.weight = update("conv_weight", self.conv.weight, self.conv.d_weight)
        self.softmax.weight = update("dense_weight", self.softmax.weight, self.softmax.d_weight)
        self.softmax.bias = update("dense_bias", self.softmax.bias, self.softmax.d_bias)
        return float(cross_entropy(logits, labels))
