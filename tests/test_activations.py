"""Activations on their own: the definitions they are held to, what is too far off, and where it is said."""

from pathlib import Path

import numpy as np
import pytest

import compare
from compare.checking.judging import activations
from compare.checking.saying.saving import save_case

WRONG = Path(__file__).parent / "foreign" / "wrong"
X = np.array([-2.0, -0.5, 0.0, 0.5, 2.0, activations.HUGE, -activations.HUGE])


@pytest.fixture(scope="module")
def masked_by_its_output():
    return compare.check(str(WRONG / "relu_masks_by_its_output.py"))


def test_definitions():
    """By hand: 1 / (1 + e^-2) = 0.8807970779778823, tanh 2 = 0.9640275800758169."""
    assert activations.value("ReLU", X, 0.25).tolist() == [-0.5, -0.125, 0, 0.5, 2, 1000, -250]
    assert activations.derivative("ReLU", X, 0.25).tolist() == [0.25, 0.25, 0.25, 1, 1, 1, 0.25]
    assert activations.value("sigmoid", X)[[2, 4, 5, 6]].tolist() == pytest.approx([0.5, 0.8807970779778823, 1, 0])
    assert activations.value("tanh", X)[[2, 4, 5, 6]].tolist() == pytest.approx([0, 0.9640275800758169, 1, -1])


@pytest.mark.parametrize("kind", ["ReLU", "sigmoid", "tanh"])
def test_derivatives_are_those_of_the_definitions(kind):
    x, step = np.linspace(-3, 3, 40), 1e-6
    rise = (activations.value(kind, x + step, 0.1) - activations.value(kind, x - step, 0.1)) / (2 * step)
    assert activations.derivative(kind, x, 0.1) == pytest.approx(rise, abs=1e-8)


@pytest.mark.parametrize("error, place, loose", [(1e-15, None, False), (1e-8, None, True), (1e-5, (3,), False)])
def test_what_is_too_far_off(error, place, loose):
    found = activations.value("sigmoid", X)
    found[3] += error
    assert activations.off(found, activations.value("sigmoid", X), X) == (place, loose)


@pytest.mark.parametrize("at_zero, place", [(1.0, None), (0.5, None), (0.0, None), (1.5, (2,)), (-0.1, (2,))])
def test_relu_has_a_derivative_between_those_of_both_sides(at_zero, place):
    found = activations.derivative("ReLU", X)
    found[2] = at_zero
    assert activations.off(found, activations.derivative("ReLU", X), X, np.ones_like(X)) == (place, False)


def test_rows_and_counts(masked_by_its_output):
    document = masked_by_its_output.document()
    rows = {row["quantity"]: row for row in document["rows"] if row["stage"].startswith("activation")}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "activation ReLU": "agrees",
        "d_activation ReLU": "differs",
    }
    assert "there is no mask and no derivative in it; multiply the upstream" in rows["d_activation ReLU"]["note"]
    assert document["counts"] | {"not offered": 0} == {
        "checked": 4, "passed": 3, "differed": 1, "failed": 0, "not reached": 0, "not offered": 0,
    }  # fmt: skip


def test_no_case_is_saved_of_what_is_beside_the_network(masked_by_its_output, tmp_path):
    assert save_case(masked_by_its_output, tmp_path / "case") is None


def test_one_class_by_its_name():
    result = compare.check(f"{WRONG / 'sigmoid_of_sigmoid.py'}:Sigmoid")
    assert result.exit_code == 1 and result.judgement.stage == "activation backward", f"\n{result}"
