"""The network as a compiled Keras model, and one training step."""

import keras
from keras import layers


def scale(pixels):
    """uint8 pixels (N, H, W, C) -> images of the same shape, image / 255 - 0.5 in `keras.config.floatx()`."""
    return pixels.astype(keras.config.floatx()) / 255 - 0.5


def build(input_shape=(28, 28, 1), filters=8, classes=10, padding="valid", learning_rate=0.1, seed=None):
    """Conv 3x3 without bias, max-pool 2x2, dense: (N, H, W, C) images in, (N, K) logits out; ready for `fit`.

    All of it is in Keras's default float type. For float64 call `keras.config.set_floatx` and `set_dtype_policy` first,
    and leave them so for `fit` and `evaluate`, which cast arrays before the model sees them.
    """
    start = keras.initializers.GlorotUniform(keras.random.SeedGenerator(seed))  # Keras's default, but for the seed
    images = keras.Input(input_shape, name="images")
    conv = layers.Conv2D(filters, 3, padding=padding, use_bias=False, kernel_initializer=start, name="conv")(images)
    pool = layers.MaxPooling2D(2, name="pool")(conv)
    flat = layers.Flatten(name="flatten")(pool)
    logits = layers.Dense(classes, kernel_initializer=start, name="logits")(flat)
    model = keras.Model(images, logits, name="cnn")
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def train_step(model, images, labels):
    """One update. Labels are (N,) whole numbers; returns the loss before it: mean cross-entropy of the batch."""
    return model.train_on_batch(images, labels, return_dict=True)["loss"]  # Keras resets its running mean first
