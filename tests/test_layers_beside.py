"""Layers that are no part of this network: a geometry's definition, and gradients held to a derivative."""

from pathlib import Path

import numpy as np
import pytest

import compare
from compare.checking.calling.windows import Window
from compare.checking.judging import derivative, own_loss, windows
from compare.checking.judging.derivative import UndecidedError, along, verdict

FOREIGN = Path(__file__).parent / "foreign"
X = np.array([[1.0, 2.0, 0.0], [4.0, 3.0, 1.0], [0.0, 5.0, 2.0]])[None, :, :, None]
RNG = np.random.default_rng(3)


def test_definition_of_a_convolution():
    """By hand: 2x2 windows at stride 2 of the 3x3 map with one zero around it; the kernel is [[1, 10], [100, 1000]]."""
    window, weight = Window("conv", 2, 2, 1), np.array([[1.0, 10.0], [100.0, 1000.0]])[:, :, None, None]
    assert window.forward(X, weight)[0, :, :, 0].tolist() == [[1000, 200], [40, 2513]]


def test_definition_of_a_pool():
    window = Window("pool", 2, 1)
    assert window.forward(X)[0, :, :, 0].tolist() == [[4, 3], [5, 5]]
    dx, none = window.backward(X, None, np.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None])
    assert dx[0, :, :, 0].tolist() == [[0, 0, 0], [1, 2, 0], [0, 7, 0]] and none is None


@pytest.mark.parametrize("window", [Window("conv", 3, 2, 1), Window("conv", 5, 1, 2), Window("pool", 3, 2)], ids=str)
def test_gradients_are_derivatives_of_the_definition(window):
    shape, size = (2, window.side(3), window.side(4), 2), window.size
    x, v = RNG.standard_normal((2, *shape))
    weight = RNG.standard_normal((size, size, 2, 3)) if window.stage == "conv" else None
    dy = RNG.standard_normal(window.forward(x, weight).shape)
    dx, d_weight = window.backward(x, weight, dy)
    assert np.sum(dx * v) == pytest.approx(along(lambda t: np.sum(dy * window.forward(x + t * v, weight))), rel=1e-6)
    if weight is not None:
        u = RNG.standard_normal(weight.shape)
        rise = along(lambda t: np.sum(dy * window.forward(x, weight + t * u)))
        assert np.sum(d_weight * u) == pytest.approx(rise, rel=1e-6)


def test_a_mistake_of_a_geometry_is_told():
    window, weight = Window("conv", 3, 2, 1), RNG.standard_normal((3, 3, 2, 4))
    x = RNG.standard_normal((2, 5, 7, 2))
    right = window.forward(x, weight)
    assert windows.forward(window, x, weight, right.astype(np.float32)) == ""
    assert "the kernel is turned round" in windows.forward(window, x, weight, window.forward(x, weight[::-1, ::-1]))
    assert "2 times as large" in windows.forward(window, x, weight, 2 * right)
    dy = RNG.standard_normal(right.shape)
    dx, d_weight = window.backward(x, weight, dy)
    assert windows.backward(window, x, weight, dy, {"x": dx, "conv_weight": d_weight / len(x)}) == ""
    decayed = {"x": dx, "conv_weight": d_weight + 0.01 * weight}
    assert windows.backward(window, x, weight, dy, decayed) == ""
    assert "its filters" in windows.backward(window, x, weight, dy, {"x": dx, "conv_weight": d_weight / 3})
    assert "has the shape" in windows.backward(window, x, weight, dy, {"x": dx[:, 1:]})


def test_along():
    """The derivative of exp(3 t) at 0 is 3."""
    assert along(lambda t: np.exp(3 * t)) == pytest.approx(3, rel=1e-9)


@pytest.mark.parametrize(
    "value",
    [lambda t: abs(t) * (1 + (abs(t) < derivative.STEP)) * np.sign(t), lambda t: RNG.random(), lambda t: np.nan],
    ids=["a kink", "random", "no number"],
)
def test_along_of_what_has_no_derivative(value):
    with pytest.raises(UndecidedError):
        along(value)


@pytest.mark.parametrize(
    "wrong, outcome, said",
    [
        (lambda g: g, "agrees", ""),
        (lambda g: g * (1 + 1e-8), "agrees", ""),
        (lambda g: g * (1 + 2e-5), "agrees", "within 0.0001 only"),
        (lambda g: g / 4, "differs", "0.25 times as large as it should be"),
        (lambda g: g * 0, "differs", "it is zero"),
        (lambda g: g[::-1], "differs", "its change along a random direction is"),
        (lambda g: g * np.nan, "differs", "nan"),
    ],
    ids=["right", "rounded", "an epsilon", "a quarter", "zero", "turned round", "no numbers"],
)
def test_verdict(wrong, outcome, said):
    """Of x -> sum(x**3), whose gradient is 3 x**2, along two directions."""
    x, *directions = RNG.standard_normal((3, 20)) + 2
    derivatives = [along(lambda t, v=v: np.sum((x + t * v) ** 3)) for v in directions]
    found, seen = verdict([wrong(3 * x**2)] * 2, directions, derivatives)
    assert found == outcome and said in seen


@pytest.fixture(scope="module")
def batch_norm():
    return compare.check(str(FOREIGN / "wrong" / "batch_mean_held_constant.py"))


def test_rows_of_a_derivative(batch_norm):
    (row,) = [row for row in batch_norm.document()["rows"] if row["stage"] == "layer backward"]
    assert (row["quantity"], row["outcome"]) == ("derivative BatchNorm", "differs")
    assert "is not judged" in " ".join(batch_norm.notes)


def test_a_way_back_alone_is_not_agreement(tmp_path):
    """Its forward is not judged: with nothing else there the answer is 3, not 0."""
    text = (FOREIGN / "wrong" / "elu_without_its_exponent.py").read_text()
    (tmp_path / "elu.py").write_text(text.replace("self.alpha)\n", "self.alpha * np.exp(self.x))\n"))
    result = compare.check(str(tmp_path / "elu.py"))
    assert result.exit_code == 3 and result.counts["passed"] == 1, f"\n{result}"


def test_arguments_that_are_not_used_are_no_mistake():
    """Its pool takes a size and a stride, and is 2x2 whatever they are; its filters are 3x3."""
    result = compare.check(str(FOREIGN / "right" / "channels_last_flatten.py"))
    assert "remark: MaxPool refuses 3x3 stride 2: it gives the maxima of 2x2 stride 2" in " ".join(str(result).split())


def test_a_geometry_that_is_only_asked_for_is_a_remark(tmp_path):
    """What its maker may never have used is told, and held against nobody."""
    text = (FOREIGN / "wrong" / "overlapping_maxima_overwritten.py").read_text()
    (tmp_path / "layers.py").write_text(text.replace("pool_size=3, stride=2", "pool_size=2, stride=2"))
    result = compare.check(str(tmp_path / "layers.py"))
    said = " ".join(str(result).split())
    assert result.exit_code == 0 and "MaxPool2D at 3x3 stride 2, if asked for it: the gradient of its input" in said


def test_a_default_beside_a_size_that_must_be_told_is_no_geometry_of_its_own(tmp_path):
    text = (FOREIGN / "wrong" / "overlapping_maxima_overwritten.py").read_text()
    (tmp_path / "layers.py").write_text(text.replace("pool_size=3, stride=2", "pool_size, stride=1"))
    result = compare.check(str(tmp_path / "layers.py"))
    assert result.exit_code == 0 and "MaxPool2D at 2x2 stride 1, if asked for it" in " ".join(str(result).split())


def test_a_step_without_numbers():
    """A step that is no number is wrong; of a gradient that is none no step can be right, so nothing is said of it."""
    weights = {(".w",): np.ones((2, 3)), (".b",): np.ones(3)}
    gradients = {path: 2 * value for path, value in weights.items()}
    lost = {**gradients, (".b",): np.full(3, np.nan)}
    assert own_loss.step([gradients, gradients], gradients, weights, own_loss.RATES) == ("", "")
    assert "b is no number" in own_loss.step([lost, gradients], gradients, weights, own_loss.RATES)[0]
    assert own_loss.step([lost, lost], lost, weights, own_loss.RATES) == ("", "")
