"""Somebody else's code made into subjects: what a subject offers is what the right network gives."""

import contextlib
import textwrap

import numpy as np
import pytest
from strangers import BATCH, CONTRACT, CONV, FUNCTIONS, NETWORK, POOL, SOFTMAX, TRAINED

from compare.checking.finding import loading, subjects
from compare.contract import BACKWARD, PARAMETERS, NotOfferedError
from numpy_cnn.layers import Layers

OPEN = contextlib.ExitStack()
GEOMETRY = {"input_shape": (9, 8, 1), "filters": 4, "classes": 5}


@pytest.fixture
def written(tmp_path):
    """A function that writes a source text and returns its path."""

    def write(text, name="my_cnn.py"):
        path = tmp_path / name
        path.write_text("import numpy as np\n" + textwrap.dedent(text))
        return str(path)

    return write


@pytest.fixture(autouse=True)
def ended():
    """The processes of a test end with it."""
    yield
    OPEN.close()


def find(target):
    """The subject of what is found at a target, in a process that lasts as long as the test."""
    return subjects.find(target, OPEN.enter_context(loading.stranger_of(target, 1, 60))).subject


def compare(subject, geometry=None, channels=1):
    """Hold all that a subject offers against the right network; returns the names of what was compared."""
    geometry = dict(geometry or GEOMETRY)
    geometry["input_shape"] = (*geometry["input_shape"][:2], channels)
    rng = np.random.default_rng(1)
    right = Layers(**geometry, dtype="float64")
    parameters = {name: rng.standard_normal(value.shape) / 3 for name, value in right.get_parameters().items()}
    right.set_parameters(parameters)
    images, labels = rng.standard_normal((3, *geometry["input_shape"])), np.array([4, 0, 2])
    inside, seen = {"images": images, **right.activations(images, labels)}, []
    model = subject(**geometry, dtype="float64")
    model.set_parameters(parameters)

    def same(name, found, wanted):
        scale = max(np.abs(wanted).max(), 1e-300)
        assert np.shape(found) == np.shape(wanted), name
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10 * scale, err_msg=name)
        seen.append(name)

    before = {"conv": "images", "pool": "conv", "logits": "pool", "probabilities": "logits", "loss": "logits"}
    for stage, given in before.items():
        if hasattr(model, "forward_stage"):
            with contextlib.suppress(NotOfferedError):
                same(stage, model.forward_stage(stage, inside[given], labels), inside[stage])
        if hasattr(model, "backward_stage") and stage in BACKWARD:
            up = np.float64(1.5) if stage == "loss" else rng.standard_normal(inside[stage].shape)
            try:
                found = model.backward_stage(stage, inside[given], up, labels)
            except NotOfferedError:
                continue
            wanted = right.backward_stage(stage, inside[given], up, labels)
            for name, value in found.items():
                same(f"d_{name}", value, wanted[name])
    wanted = {f"d_{name}": value for name, value in right.gradients(images, labels).items()} | inside
    if hasattr(model, "head"):
        for name, value in model.head(inside["pool"], labels).items():
            same(f"head {name}", value, wanted[name])
    if hasattr(model, "activations"):
        for name, value in model.activations(images, labels).items():
            same(f"run {name}", value, wanted[name])
    if hasattr(model, "predict"):
        same("predict", model.predict(images), inside["probabilities"])
    if hasattr(model, "gradients"):
        given = model.gradients(images, labels)
        given.pop("given_logits", None)  # not of the code
        for name, value in given.items():
            same(f"run d_{name}", value, wanted[f"d_{name}"])
    for name, value in model.get_parameters().items():
        np.testing.assert_array_equal(value, parameters[name])
    if hasattr(model, "step"):
        count = 1 if subject.one_image else None
        same(
            "step loss",
            model.step(images[:count], labels[:count], 0.1),
            right.step(images[:count], labels[:count], 0.1),
        )
        for name, value in right.get_parameters().items():
            same(f"step {name}", model.get_parameters()[name], value)
    assert not subject.changed_inputs
    return set(seen)


RUN = {"run conv", "run pool", "run probabilities", "predict"}
RUN_GRADIENTS = {f"run d_{name}" for name in ("pool", "conv", *PARAMETERS)}
STEP = {"step loss", *(f"step {name}" for name in PARAMETERS)}
HEAD = {"head probabilities", "head d_pool", "head d_dense_weight", "head d_dense_bias"}
ALONE = {"conv", "pool", "logits", "d_images", "d_conv_weight", "d_conv", "d_pool", "d_dense_weight", "d_dense_bias"}
TUTORIAL = {"conv", "pool", "d_conv", "d_conv_weight"} | RUN | RUN_GRADIENTS | STEP | HEAD


def test_tutorial_file(written):
    subject = find(written(CONV + POOL + SOFTMAX))
    assert compare(subject) == TUTORIAL
    assert subject.one_image and subject.applied_rate == 4096.0 and subject.dtypes == ("float64",)
    assert any("(F, I, J)" in line for line in subject.assumptions)
    with pytest.raises(NotOfferedError, match="channels"):
        subject(input_shape=(9, 8, 2)).forward_stage("conv", np.zeros((1, 9, 8, 2)))
    with pytest.raises(NotOfferedError, match="padding"):
        subject(padding="same").forward_stage("conv", np.zeros((1, 28, 28, 1)))
    with pytest.raises(NotOfferedError, match="one image"):
        subject().step(np.zeros((2, 28, 28, 1)), np.array([1, 2]), 0.1)


def test_tutorial_folder(written, tmp_path):
    for name, text in (("conv.py", CONV), ("maxpool.py", POOL), ("softmax.py", SOFTMAX)):
        written(text, name)
    written("from conv import Conv3x3\nraise RuntimeError('trains when imported')", "cnn.py")
    assert compare(find(str(tmp_path))) == TUTORIAL


def test_channels_first_with_stored_gradients_bias_and_padding(written):
    subject = find(written(BATCH))
    for channels in (1, 2):
        names = compare(subject, channels=channels)
        assert names == ALONE | {"run conv", "run pool", "run logits", "run d_images"} | RUN_GRADIENTS
        compare(subject, {**GEOMETRY, "padding": "same"}, channels)
    assert not subject.one_image and subject.applied_rate is None and subject.dtypes == ("float32", "float64")
    assert any("(K, F*P*Q)" in line for line in subject.assumptions)
    assert any("bias" in line for line in subject.remarks)


def test_dense_of_classes_by_inputs_that_moves_its_weights(written):
    text = """
    class Linear:
        def __init__(self):
            self.w, self.b = np.zeros((10, 1352)), np.zeros((10, 1))

        def forward(self, x):
            self.inputs = x
            return self.w @ x + self.b

        def backward(self, d, lr):
            dx = self.w.T @ d
            self.w = self.w - lr * d @ self.inputs.T
            self.b = self.b - lr * d.sum(axis=1, keepdims=True)
            return dx
    """
    subject = find(written(text))
    names = compare(subject, {"input_shape": (28, 28, 1), "filters": 8, "classes": 10})
    assert names == {"logits", "d_pool", "d_dense_weight", "d_dense_bias"}
    with pytest.raises(NotOfferedError, match="inputs 1352"):
        subject(input_shape=(9, 8, 1))


def test_only_a_convolution_forward_with_a_bias(written):
    text = """
    class ConvLayer:
        def __init__(self, filters, channels):
            self.bias = np.ones(filters)
            self.kernels = np.random.randn(3, 3, channels, filters)

        def __call__(self, image):
            view = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
            return np.einsum("hwcij,ijcf->hwf", view, self.kernels) + self.bias
    """
    subject = find(written(text))
    assert compare(subject, channels=2) == {"conv"}
    assert subject.remarks == ["conv has a bias, bias, (F,): held at 0, its gradient is not checked"]


def test_returned_gradients(written):
    text = BATCH.replace(
        "return (dout @ self.params",
        "return {'dW': self.grads.pop('W'), 'db': self.grads.pop('b'), 'dx': (dout @ self.params",
    )
    text = text.replace(".reshape(self.shape)", ".reshape(self.shape)}")
    subject = find(written(text) + ":Dense")
    assert compare(subject) == {"logits", "d_pool", "d_dense_weight", "d_dense_bias"}


def test_functions(written):
    subject = find(written(FUNCTIONS))
    run = RUN | {"run logits", "run loss", "run d_images", "run d_logits"} | RUN_GRADIENTS
    for channels in (1, 2):
        assert compare(subject, channels=channels) == ALONE | {"probabilities", "loss", "d_logits"} | run
    assert not subject.one_image


@pytest.mark.parametrize("text", [NETWORK, TRAINED])
def test_whole_models(written, text):
    subject = find(written(FUNCTIONS + text) + ":Network")
    wanted = {"run probabilities", "predict", *(f"run d_{name}" for name in PARAMETERS)}
    assert compare(subject, channels=2) == wanted | (STEP if text is TRAINED else set())


def test_contract_class(written):
    subject = find(written(CONTRACT))
    assert {"conv", "d_images", "run d_logits", "step loss"} <= compare_without_dtype(subject)
    assert subject.dtypes == ("float64",)
    with pytest.raises(NotOfferedError):
        subject(padding="same")


def compare_without_dtype(subject):
    subject.one_image, subject.changed_inputs = False, set()
    return compare(subject)


def test_a_transposed_kernel_is_not_made_right(written):
    text = CONV.replace("region * self.filters", "region.T * self.filters")
    subject = find(written(text))
    with pytest.raises(AssertionError, match="conv"):
        compare(subject)
    text = BATCH.replace('"nchwij,fcij->nfhw"', '"nchwji,fcij->nfhw"')
    with pytest.raises(AssertionError, match="conv"):
        compare(find(written(text, "other.py")))


def test_changed_inputs_are_noted(written):
    subject = find(written(CONV.replace("self.last_input = image", "image -= 0.5; self.last_input = image")))
    subject().forward_stage("conv", np.zeros((1, 28, 28, 1)))
    assert subject.changed_inputs == {"images"}


def test_average_pooling_by_its_name(written):
    subject = find(written(POOL.replace("MaxPool2", "AvgPool2").replace("x.max(", "x.mean(")))
    assert subject.conventions == ("average pooling",)


def test_python_2(written):
    with pytest.raises(loading.ImportFailedError, match=r"SyntaxError at my_cnn.py:2: .*Python 2: print needs paren"):
        find(written('print "hello"'))
    with pytest.raises(loading.ImportFailedError, match=r"NameError at my_cnn.py:2: .*Python 2: xrange is gone"):
        find(written("a = xrange(3)"))
    with pytest.raises(loading.ImportFailedError, match=r"AttributeError at my_cnn.py:2: .*1\.24"):
        find(written("a = np.float"))


def test_an_array_of_one_element(written):
    text = CONV.replace("out[i, j] = ", "float(np.array([[1.0]]))\n            out[i, j] = ")
    place = written(text)
    problems = subjects.find(place, OPEN.enter_context(loading.stranger_of(place, 1, 60))).problems
    line = text.split("\n").index(next(line for line in text.split("\n") if "float(" in line)) + 2
    ((name, why),) = problems.unconnected
    assert name == "Conv3x3" and f"TypeError at my_cnn.py:{line}: " in why
    assert "an array with one element stands where a number is wanted" in why


def test_absent(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        find(str(tmp_path / "no.py"))
    with pytest.raises(FileNotFoundError, match="no file, folder or module"):
        find("no_such_module_here")


def test_nothing_to_check(written):
    path = written("class Konv3x3:\n    pass\n\ndef helper():\n    return 1")
    with pytest.raises(loading.NothingFoundError, match=r"found Konv3x3, helper; Konv3x3 is near to Conv3x3"):
        find(path)
    with pytest.raises(loading.NothingFoundError, match="did you mean 'Konv3x3'"):
        find(path + ":Conv3x3")
