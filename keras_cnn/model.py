"""The network as a compiled Keras model."""

import operator
from contextlib import contextmanager

import keras


def build(
    input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", dtype="float32", learning_rate=0.1, seed=None
):
    """Conv 3x3 without bias, max-pool 2x2, dense: (N, H, W, C) images in, (N, K) logits out; ready for `fit`.

    Args:
        input_shape: (H, W, C) of one image; H, W >= 4 ("valid") or 3 ("same").
        filters: F.
        classes: K.
        padding: "valid" or "same".
        dtype: "float32" or "float64". `fit` and `evaluate` cast arrays to `keras.config.floatx()` before the model sees
            them (a tf.data.Dataset they leave alone); `train_on_batch` and `predict_on_batch` do not.
        learning_rate: of plain SGD.
        seed: of the start values; None draws from Keras's global generator.
    Returns:
        A functional keras.Model with layers "conv", "pool", "flatten" and "logits".
    Raises:
        ValueError: a shape, number or padding outside these.
    """
    pooled_size(input_shape, padding)
    check_positive("filters", filters)
    check_positive("classes", classes)
    seeds = None if seed is None else keras.random.SeedGenerator(seed)

    def start():
        return keras.initializers.GlorotUniform(seed=seeds)  # Keras's default for both layers

    options = {"dtype": dtype, "data_format": "channels_last"}  # the user's keras.json may say channels_first
    with _floatx(dtype):
        images = keras.Input(input_shape, dtype=dtype, name="images")
        conv = keras.layers.Conv2D(
            filters, 3, padding=padding, use_bias=False, kernel_initializer=start(), name="conv", **options
        )(images)
        pool = keras.layers.MaxPooling2D(2, name="pool", **options)(conv)
        flat = keras.layers.Flatten(name="flatten", **options)(pool)
        logits = keras.layers.Dense(classes, kernel_initializer=start(), dtype=dtype, name="logits")(flat)
        model = keras.Model(images, logits, name="cnn")
        model.compile(
            optimizer=keras.optimizers.SGD(float(learning_rate)),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy", dtype=dtype)],
        )
    return model


@contextmanager
def _floatx(dtype):
    """Keras's default float type, for as long as the model is built.

    Three things inside `compile` and SGD take no dtype: the wrapper around the loss, the mean that is reported as the
    loss, and the learning rate. Without this a float64 model has a float32 loss and steps by float32(0.1).
    """
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def pooled_size(input_shape, padding):
    """(P, Q), rows and columns after convolution and pool of an (H, W, C) image. Raises ValueError as `build`."""
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: found {padding!r}, wanted 'valid' or 'same'")
    try:
        h, w, c = (operator.index(size) for size in input_shape)
    except (TypeError, ValueError) as error:
        raise ValueError(f"input_shape: found {input_shape!r}, wanted (H, W, C)") from error
    border = 0 if padding == "same" else 2
    least = 3 if padding == "same" else 4
    if min(h, w) < least or c < 1:
        raise ValueError(f"input_shape: found {(h, w, c)}, wanted H, W >= {least} (padding {padding!r}) and C >= 1")
    return (h - border) // 2, (w - border) // 2


def check_positive(name, number):
    """Raise ValueError unless the number is whole and 1 or more."""
    try:
        good = operator.index(number) >= 1
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"{name}: found {number!r}, wanted a whole number, 1 or more")
