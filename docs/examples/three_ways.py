"""What docs/three-ways.md says of NumPy, PyTorch and Keras, measured: `python docs/examples/three_ways.py`.

Each line of output is of the three, in this order, unless it says otherwise.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

# what an optimiser of PyTorch imports: in its builds for CUDA that is Triton, which crashes once TensorFlow is there
import torch._dynamo  # isort: skip

import keras
import numpy as np
import tensorflow as tf
import torch

import keras_cnn
import numpy_cnn
import torch_cnn
from keras_cnn.layout import from_weights, to_weights
from numpy_cnn.checks import scale
from numpy_cnn.softmax import cross_entropy
from torch_cnn.layout import from_state_dict, to_array, to_state_dict, to_tensor

SHAPE, CLASSES, POOLED = (9, 7, 3), 4, (3, 2)


def carry(parameters):
    """Weights from NumPy to PyTorch, on to Keras and back to NumPy; the three models that now hold them."""
    in_torch = torch_cnn.CNN(SHAPE, classes=CLASSES)
    in_torch.load_state_dict(to_state_dict(parameters, POOLED))

    in_keras = keras_cnn.build(SHAPE, classes=CLASSES)
    in_keras.set_weights(to_weights(from_state_dict(in_torch.state_dict(), POOLED), "float32"))

    in_numpy = numpy_cnn.CNN(SHAPE, classes=CLASSES)
    in_numpy.set_parameters(from_weights(in_keras.get_weights()))
    return in_numpy, in_torch, in_keras


def train(models, pixels, labels, epochs):
    """Each by its own `fit`, with the same settings; each draws an order of its own."""
    in_numpy, in_torch, in_keras = models
    in_numpy.fit(pixels, labels, epochs, batch_size=32, learning_rate=0.1)

    optimizer = torch.optim.SGD(in_torch.parameters(), lr=0.1)
    images = torch_cnn.scale(torch.from_numpy(pixels))
    torch_cnn.fit(in_torch, optimizer, images, torch.from_numpy(labels), epochs, batch_size=32)

    in_keras.fit(keras_cnn.scale(pixels), labels, epochs=epochs, batch_size=32, verbose=0)


def say(mark, name, *values):
    """A line: its letter, what was measured, and the three values."""
    print(f"({mark}) {name + ':':<46}", "   ".join(str(value) for value in values))


def yes(*values):
    """Words for truth values."""
    return ["yes" if value else "no" for value in values]


def refused(function, *arguments, **options):
    """What a call raises, by its name; or its result."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        return type(error).__name__


def of_weights(pixels, labels):
    """Shapes, the way round, scaling, three steps and `fit` from the same start."""
    parameters = numpy_cnn.CNN(SHAPE, classes=CLASSES, seed=3).get_parameters()
    models = in_numpy, in_torch, in_keras = carry(parameters)
    back = in_numpy.get_parameters()
    say("a", "filters", back["conv_weight"].shape, tuple(in_torch.conv.weight.shape), in_keras.weights[0].shape)
    say("b", "dense weights", back["dense_weight"].shape, tuple(in_torch.dense.weight.shape), in_keras.weights[1].shape)
    say(
        "c",
        "carried round, all bits the same",
        *yes(all(back[k].tobytes() == v.tobytes() for k, v in parameters.items())),
    )

    pixel = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    bits = scale(pixel, np.dtype("float32")).tobytes()
    others = to_array(torch_cnn.scale(torch.from_numpy(pixel))), keras_cnn.scale(pixel)
    say("d", "each pixel scaled to the bits of NumPy's", *yes(*(value.tobytes() == bits for value in others)))
    multiplied = np.asarray(keras.layers.Rescaling(1 / 255, -0.5)(pixel))
    say("e", "likewise by Keras's layer Rescaling", *yes(multiplied.tobytes() == bits))

    optimizer = torch.optim.SGD(in_torch.parameters(), lr=0.1)
    for number, batch in enumerate(np.split(np.arange(96), 3), 1):
        x, y = scale(pixels[batch], np.dtype("float32")), labels[batch]
        loss = in_numpy.step(x, y, 0.1)
        others = torch_cnn.train_step(in_torch, optimizer, to_tensor(x, "float32"), torch.from_numpy(y))
        say(
            "f",
            f"loss before step {number}",
            *(f"{float(v):.4f}" for v in (loss, others, keras_cnn.train_step(in_keras, x, y))),
        )

    train(models, pixels, labels, epochs=10)
    with torch.no_grad():
        logits = in_torch(torch_cnn.scale(torch.from_numpy(pixels))).numpy()
    outputs = in_numpy.predict(pixels), logits, in_keras.predict_on_batch(keras_cnn.scale(pixels))
    say("g", "right of 96 after `fit`", *((value.argmax(axis=1) == labels).sum() for value in outputs))


def of_the_pool():
    """Ties, an odd last row and column, NaN."""
    x = np.array([[1, 2, 7], [2, 2, 7], [7, 7, 7]], np.float32).reshape(1, 3, 3, 1)
    pool, in_keras = numpy_cnn.MaxPool2(), keras.layers.MaxPooling2D(2)
    y, dx = pool.forward(x), pool.backward(np.ones((1, 1, 1, 1), np.float32))
    leaf, variable = to_tensor(x, "float32").requires_grad_(), tf.Variable(x)
    torch.nn.MaxPool2d(2)(leaf).sum().backward()
    with tf.GradientTape() as tape:
        outputs = in_keras(variable)
    gradients = dx, to_array(leaf.grad), tape.gradient(outputs, variable).numpy()
    say("h", "gradient of the maximum of [[1, 2], [2, 2]]", *(g[0, :2, :2, 0].astype(int).tolist() for g in gradients))
    say("i", "shape of a 3x3 map after it", y.shape, tuple(torch.nn.MaxPool2d(2)(leaf).shape), tuple(outputs.shape))
    x[0, 0, 0] = np.nan
    seen = pool.forward(x), torch.nn.MaxPool2d(2)(to_tensor(x, "float32")), in_keras(x)
    say("j", "NaN in a window comes out", *yes(*(np.isnan(np.asarray(value)).any() for value in seen)))


def of_padding():
    """Where the zeros of padding `same` lie."""
    x, options = np.ones((1, 4, 4, 1), np.float32), {"padding": "same", "use_bias": False, "kernel_initializer": "ones"}
    conv = numpy_cnn.Conv3x3(1, padding="same")
    conv.weight[:] = 1
    in_torch = torch.nn.Conv2d(1, 1, 3, padding="same", bias=False)
    torch.nn.init.ones_(in_torch.weight)
    seen = conv.forward(x), in_torch(to_tensor(x, "float32")).detach(), keras.layers.Conv2D(1, 3, **options)(x)
    say("k", "pixels under the first window", *(int(np.ravel(value)[0]) for value in seen))
    strided = keras.layers.Conv2D(1, 3, strides=2, **options)(x)
    say(
        "l",
        "at stride 2, PyTorch and Keras",
        refused(torch.nn.Conv2d, 1, 1, 3, stride=2, padding="same"),
        int(np.ravel(strided)[0]),
    )


def of_start_values():
    """Each framework's own, against the bounds that it documents."""
    conv, dense = numpy_cnn.Conv3x3(100, 3, seed=0), numpy_cnn.Softmax(1352, seed=0)
    say("m", "NumPy: deviation x 9, x inputs", f"{conv.weight.std() * 9:.1f}", f"{dense.weight.std() * 1352:.1f}")
    conv, dense = torch.nn.Conv2d(3, 100, 3), torch.nn.Linear(1352, 10)
    sizes = (conv.weight, 27**-0.5), (dense.weight, 1352**-0.5)
    say(
        "n", "PyTorch: largest / (1 / root of fan-in)", *(f"{w.detach().abs().max() / bound:.2f}" for w, bound in sizes)
    )
    biases = [numpy_cnn.Softmax(1352).bias, dense.bias.detach().numpy()]
    conv, dense = keras.layers.Conv2D(100, 3), keras.layers.Dense(10)
    conv.build((None, 9, 9, 3)), dense.build((None, 1352))
    sizes = (conv.kernel, (6 / (27 + 900)) ** 0.5), (dense.kernel, (6 / 1362) ** 0.5)
    say("o", "Keras: largest / root of 6 / (in + out)", *(f"{np.abs(w).max() / bound:.2f}" for w, bound in sizes))
    say(
        "p", "biases of the dense layer other than 0", *(np.count_nonzero(b) for b in (*biases, np.asarray(dense.bias)))
    )


def of_the_loss():
    """Logits beside probabilities, and what a second backward pass does to a gradient."""
    logits, label = np.array([[1000.0, 0.0]], np.float32), np.array([1])
    in_torch, in_keras = torch.nn.functional.cross_entropy, keras.losses.SparseCategoricalCrossentropy
    found = in_torch(torch.from_numpy(logits), torch.from_numpy(label)), in_keras(from_logits=True)(label, logits)
    say("q", "loss of logits 1000 and 0, right is 0", cross_entropy(logits, label), *map(float, found))
    p = np.array([[1.0, 1e-30]], np.float32)
    found = in_torch(torch.from_numpy(p), torch.from_numpy(label)), in_keras()(label, p)
    say("r", "of probabilities 1 and 1e-30: the last two", *(f"{float(value):.3f}" for value in found))
    layer, x = numpy_cnn.Softmax(1, 1), np.ones((1, 1), np.float32)
    weight, variable = torch.ones((), requires_grad=True), tf.Variable(1.0)
    for _ in range(2):
        layer.logits(x)
        layer.backward(x)
        (1 * weight).backward()
        with tf.GradientTape() as tape:
            y = 1 * variable
    found = layer.d_weight.item(), weight.grad.item(), tape.gradient(y, variable).numpy().item()
    say("s", "gradient 1 after two backward passes", *found)


def of_dtypes():
    """Images of another dtype than the weights, and how float64 is asked for."""
    x = np.zeros((2, *SHAPE))
    models = in_numpy, in_torch, in_keras = carry(numpy_cnn.CNN(SHAPE, classes=CLASSES).get_parameters())
    found = in_numpy.predict(x), refused(in_torch, to_tensor(x, "float64")), in_keras(x)
    say("t", "float64 images, float32 weights", *(getattr(value, "dtype", value) for value in found))
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    models = numpy_cnn.CNN(SHAPE, dtype="float64").predict, torch_cnn.CNN(SHAPE).double(), keras_cnn.build(SHAPE)
    found = models[0](x), models[1](to_tensor(x, "float64")), models[2](x)
    say("u", "float64 asked for", *(value.dtype for value in found))


if __name__ == "__main__":
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 96)
    pixels = rng.integers(0, 100, (96, *SHAPE), dtype=np.uint8)
    for pixel, label in zip(pixels, labels, strict=True):
        pixel[2 * label : 2 * label + 2] += 150  # a bright bar, whose height is the label
    of_weights(pixels, labels)
    of_the_pool()
    of_padding()
    of_start_values()
    of_the_loss()
    of_dtypes()
