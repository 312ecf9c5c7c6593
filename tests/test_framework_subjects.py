"""`compare.check` on models of frameworks: the right are not accused, the wrong are named."""

import sys
import textwrap

import numpy as np
import pytest
from strangers import CONV, POOL, SOFTMAX

import compare
from compare.checking.finding import loading, subjects
from compare.contract import UnavailableError

ENDS = {
    "logits": "return self.dense(torch.flatten(x, 1))",
    "log_softmax": "return F.log_softmax(self.dense(x.flatten(1)), dim=1)",
    "softmax": "return torch.softmax(self.dense(x.permute(0, 2, 3, 1).flatten(1)), dim=-1)",
}
TORCH = """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self, input_shape=(28, 28, 1), filters=8, num_classes=10, padding=0):
        super().__init__()
        h, w, c = input_shape
        p, q = (h - 2 + 2 * padding) // 2, (w - 2 + 2 * padding) // 2
        self.conv = nn.Conv2d(c, filters, 3, padding=padding, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(filters * p * q, num_classes)

    def forward(self, x):
        x = self.pool(self.conv(x))
        END
"""
LOGITS = TORCH.replace("END", ENDS["logits"])
FIXED = """
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.fc1 = nn.Linear(13 * 13 * 8, 10)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 2)
        return F.log_softmax(self.fc1(x.view(-1, 1352)), dim=1)
"""
BY_HAND = """x = self.conv(x)
        n, f, h, w = x.shape
        x = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, f, h // 2, 2, w // 2, 2).amax((3, 5))"""
LAST = LOGITS.replace("self.conv(x)", "self.conv(x.permute(0, 3, 1, 2))")
LAZY = LOGITS.replace("nn.Linear(filters * p * q, ", "nn.LazyLinear(")
# source, how many quantities must have passed at least, a note that must be there
RIGHT = {
    "channels first flatten": (LOGITS, 24, "(F, P, Q) order, channels first, as a trial"),
    "fixed size, functional pooling, log_softmax, conv bias": (FIXED, 27, "held at 0"),
    "softmax, channels last flatten": (TORCH.replace("END", ENDS["softmax"]), 27, "(P, Q, F) order, channels last"),
    "images channels last": (LAST, 24, "takes images (N, H, W, C)"),
    "pooling by hand": (LOGITS.replace("x = self.pool(self.conv(x))", BY_HAND), 24, "share the gradient evenly"),
    "average pooling": (LOGITS.replace("MaxPool2d", "AvgPool2d"), 24, "average"),
    "lazy": (LAZY, 24, ""),
    "module made already": (FIXED + "\nmodel = Net()\ndel Net", 27, ""),
    "function": (FIXED.replace("class Net", "class _Net") + "\ndef build_model():\n    return _Net()", 27, ""),
}
TRANSPOSED = ("self.dense(torch.flatten(x, 1))", "self.dense(x.transpose(2, 3).flatten(1))")
SOFTMAX_TWICE = ("self.dense(torch.flatten(x, 1))", "F.softmax(F.softmax(self.dense(x.flatten(1)), dim=1), dim=1)")
OVER_BATCH = ("self.dense(torch.flatten(x, 1))", "F.log_softmax(self.dense(x.flatten(1)), dim=0)")
ONE_SIDE = (
    "x = self.pool(self.conv(x))",
    "x = self.pool(self.conv(F.pad(x, (0, 2, 0, 2)) if self.padded else x))",
)
UNPADDED = ("padding=padding, bias=False)", "bias=False)\n        self.padded = padding")
CEIL = ("nn.MaxPool2d(2)", "nn.MaxPool2d(2, ceil_mode=True)")
LAZILY = ("nn.Linear(filters * p * q, ", "nn.LazyLinear(")
RELU_NAME = "maximum starts at 0 + gradient only where the maximum is positive"
RELU = ("self.pool(self.conv(x))", "self.pool(F.relu(self.conv(x), inplace=True))")
# replacements in LOGITS, stage, name of the defect ("" where none is known; "a | b" where they cannot be told apart)
WRONG = {
    "rows and columns exchanged": ([TRANSPOSED], "dense forward", "flatten with rows and columns exchanged"),
    "softmax twice": ([SOFTMAX_TWICE], "softmax forward", "softmax applied twice"),
    "softmax over the batch": ([OVER_BATCH], "softmax forward", "softmax over the batch"),
    "padding on one side": ([UNPADDED, ONE_SIDE], "conv forward", None),
    "relu": ([RELU], "pool forward", RELU_NAME),
    "stride 1": ([("nn.MaxPool2d(2)", "nn.MaxPool2d(2, 1)"), LAZILY], "pool forward", None),
    "ceil": ([CEIL, LAZILY], "pool forward", "an odd last row or column is pooled"),
    "cut": (
        [("self.pool(self.conv(x))", "self.pool(self.conv(x)).detach()")],
        "conv backward",
        "the filters get no gradient | gradient of the pool dropped",
    ),
    "scaled again": ([("self.conv(x)", "self.conv(x / 255 - 0.5)")], "conv forward", "images scaled twice"),
    "dropout": (
        [("self.pool(self.conv(x))", "F.dropout(self.pool(self.conv(x)), training=self.training)")],
        "dense forward",
        None,
    ),
}
KERAS = """
import keras
from keras import layers

def build_model(input_shape=(28, 28, 1), filters=8, num_classes=10, padding="valid"):
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(filters, 3, use_bias=False, padding=padding)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))
"""
SEQUENTIAL = """
import keras
from keras import layers

model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(8, 3),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dropout(0.5),
    layers.Dense(10, activation="softmax"),
])
model.compile("sgd", "sparse_categorical_crossentropy")
"""
SUBCLASS = """
import keras
from keras import layers

class Net(keras.Model):
    def __init__(self, filters=8, num_classes=10):
        super().__init__()
        self.conv = layers.Conv2D(filters, 3)
        self.dense = layers.Dense(num_classes)

    def call(self, x):
        x = keras.ops.max_pool(self.conv(x), 2)
        return keras.ops.softmax(self.dense(keras.ops.reshape(x, (len(x), -1))))
"""
RIGHT_KERAS = {
    "sequential": (SEQUENTIAL, 27, "without training=True"),
    "functional": (KERAS, 24, "(P, Q, F) order"),
    "subclass": (SUBCLASS, 27, "held at 0"),
}
WRONG_KERAS = {
    "rows and columns exchanged": (
        "layers.Flatten()(x)",
        "layers.Flatten()(layers.Permute((2, 1, 3))(x))",
        "dense forward",
        "flatten with rows and columns exchanged",
    ),
    "softmax twice": (
        "layers.Dense(num_classes)(x)",
        "layers.Softmax()(layers.Dense(num_classes, activation='softmax')(x))",
        "softmax forward",
        "softmax applied twice",
    ),
    "relu": ("padding=padding)", "padding=padding, activation='relu')", "pool forward", RELU_NAME),
}


@pytest.fixture
def written(tmp_path):
    def write(text, name="my_cnn.py", pairs=()):
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return str(path)

    return write


def agrees(result, floor, note):
    assert result.agrees, f"\n{result}"
    assert result.counts["passed"] >= floor, f"\n{result}"
    assert result.counts["differed"] == result.counts["failed"] == result.counts["not reached"] == 0
    assert note in " ".join(str(result).split())


def differs(result, stage, name):
    assert not result.agrees and result.exit_code == 1, f"\n{result}"
    assert result.judgement.stage == stage, f"\n{result}"
    if name is not None:
        found = {" + ".join(defect.name for defect in defects) for defects in result.judgement.diagnosis}
        assert found == set(filter(None, name.split(" | "))), f"\n{result}"


# Each takes 5 s or more: in the first, no known defect explains what differs, so all of them are tried.
SLOW = ("padding on one side", "scaled again", "rows and columns exchanged", "cut")
SLOW_RIGHT = ("average pooling", "channels first flatten", "pooling by hand")


def _quick(names, slow):
    return [pytest.param(name, marks=pytest.mark.thorough) if name in slow else name for name in names]


@pytest.mark.parametrize("style", _quick(RIGHT, SLOW_RIGHT))
def test_right_torch(style, written):
    pytest.importorskip("torch")
    text, floor, note = RIGHT[style]
    agrees(compare.check(written(text)), floor, note)


@pytest.mark.parametrize("mistake", _quick(WRONG, SLOW))
def test_wrong_torch(mistake, written):
    pytest.importorskip("torch")
    pairs, stage, name = WRONG[mistake]
    result = compare.check(written(LOGITS, pairs=pairs))
    differs(result, stage, name)
    if mistake == "dropout":
        assert any("something random" in note for note in result.notes)


def _first(names, first):
    """TensorFlow takes seconds to load, so one of each kind is for all days."""
    return [name if name == first else pytest.param(name, marks=pytest.mark.thorough) for name in names]


@pytest.mark.parametrize("style", _first(RIGHT_KERAS, "sequential"))
def test_right_keras(style, written):
    pytest.importorskip("tensorflow")
    text, floor, note = RIGHT_KERAS[style]
    agrees(compare.check(written(text)), floor, note)


@pytest.mark.parametrize("mistake", _first(WRONG_KERAS, "softmax twice"))
def test_wrong_keras(mistake, written):
    pytest.importorskip("tensorflow")
    old, new, stage, name = WRONG_KERAS[mistake]
    differs(compare.check(written(KERAS, pairs=[(old, new)])), stage, name)


def graph(path, before=(), after=(), softmax=True, gemm=True, batch="N", images=("N", 1, 28, 28)):
    """Write a graph for 28x28 images; before and after: axes of a transposition of the images, and of the pool."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node = onnx.helper.make_node
    rng = np.random.default_rng(0)
    shapes = {"w": (8, 1, 3, 3), "b": (8,), "d": (1352, 10) if not gemm else (10, 1352), "e": (10,)}
    nodes, now = [], "images"
    if before:
        nodes, now = [node("Transpose", [now], ["turned"], perm=before)], "turned"
    nodes += [node("Conv", [now, "w", "b"], ["c"], kernel_shape=[3, 3])]
    nodes += [node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2])]
    if after:
        nodes += [node("Transpose", ["p"], ["moved"], perm=after)]
    nodes += [node("Flatten", ["moved" if after else "p"], ["flat"])]
    if gemm:
        nodes += [node("Gemm", ["flat", "d", "e"], ["z"], transB=1)]
    else:
        nodes += [node("MatMul", ["flat", "d"], ["m"]), node("Add", ["m", "e"], ["z"])]
    nodes += [node("Softmax", ["z"], ["s"], axis=1)] if softmax else []
    values = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    info = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_graph(
        nodes,
        "cnn",
        [info("images", 1, [batch, *images[1:]])],
        [info("s" if softmax else "z", 1, [batch, 10])],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return str(path)


def test_onnx(tmp_path):
    agrees(compare.check(graph(tmp_path / "cnn.onnx")), 10, "channels first, as a trial")


def test_onnx_of_one_image_channels_last(tmp_path):
    options = {"before": [0, 3, 1, 2], "after": [0, 2, 3, 1], "softmax": False, "gemm": False, "batch": 1}
    path = graph(tmp_path / "cnn.onnx", images=(1, 28, 28, 1), **options)
    result = compare.check(path)
    agrees(result, 7, "(P, Q, F) order, channels last")
    assert any("one image at a time" in note for note in result.notes)


def test_wrong_onnx(tmp_path):
    path = graph(tmp_path / "cnn.onnx", after=[0, 1, 3, 2])
    differs(compare.check(path), "dense forward", "flatten with rows and columns exchanged")


def test_no_onnx(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(FileNotFoundError, match="no file"):
        compare.check(str(tmp_path / "no.onnx"))
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(ValueError, match="no valid ONNX graph"):
        compare.check(str(tmp_path / "junk.onnx"))


def test_another_network(written):
    pytest.importorskip("torch")
    text = FIXED.replace("self.fc1 =", "self.conv2 = nn.Conv2d(8, 8, 3)\n        self.fc1 =")
    with pytest.raises(ValueError, match=r"Net: found 2 convolutions .*wanted one convolution 3x3"):
        compare.check(written(text))
    with pytest.raises(ValueError, match=r"Net.* pads its images and takes 28x28 only"):
        compare.check(
            written(
                FIXED.replace("(1, 8, 3)", "(1, 8, 3, padding=1)").replace("13 * 13", "14 * 14").replace("1352", "1568")
            )
        )


def test_numpy_comes_first_and_a_name_decides(written):
    pytest.importorskip("torch")
    path = written("import numpy as np\n" + CONV + POOL + SOFTMAX + FIXED)
    result = compare.check(path)
    assert result.agrees and any("not checked: Net, of a framework" in note for note in result.notes)
    result = compare.check(f"{path}:Net")
    assert result.agrees and any("Net takes images (N, C, H, W)" in note for note in result.notes)


@pytest.mark.parametrize("missing", ["torch", "tensorflow", "keras", "onnx"])
def test_a_framework_that_is_not_installed(missing, written):
    written(f"raise ModuleNotFoundError(\"No module named '{missing}'\", name='{missing}')", f"{missing}.py")
    with pytest.raises(UnavailableError, match=rf"No module named '{missing}'; install: pip install"):
        compare.check(written(f"import {missing}"))


def test_finding_loads_no_framework(written):
    before = set(sys.modules)
    place = written("import numpy as np\n" + CONV)
    with loading.stranger_of(place, 1, 60) as stranger:
        subjects.find(place, stranger)
    assert not {"torch", "tensorflow", "keras", "onnxruntime"} & (set(sys.modules) - before)
