"""Known defects, put into implementations: each is caught and named, and the right network is not accused."""

import itertools

import numpy as np
import pytest

import compare
from compare import output
from compare.graph import STAGE_ORDER
from compare.training import evidence
from compare.training.evidence import COLUMNS, RIGHT
from compare.verdict import arbiter, check_probes
from compare.verdict.defects import DEFECTS
from compare.verdict.defects.defect import gives
from compare.verdict.inserted import inserted
from compare.verdict.network import Network
from compare.verdict.observe import observe
from compare.verdict.packing import Question
from numpy_cnn.layers import Layers

# One of each room, so that each is caught whatever the arithmetic is; all of them, and their training, are `thorough`,
# and `python -m compare defects` tries all in all.
SOME = [
    "every tied maximum gets the gradient",
    "kernel flipped",
    "no shift in the softmax",
    "gradients added to those",
    "only the diagonal",
    "weights already updated",
    "labels off by one",
]


OTHERS = ["numpy-fused", "numpy-loops", "torch", "keras-tensorflow"]


def named_right(frame, defects):
    """Whether exactly these defects are in a frame, each caught and named, and the right network is not accused."""
    wrong = frame[frame["defect"] != RIGHT]
    assert list(wrong["defect"]) == [defect.name for defect in defects]
    assert list(wrong[~wrong["caught"]]["defect"]) == []
    assert list(wrong[~wrong["named"]]["defect"]) == []
    assert list(wrong["stage"]) == [defect.stage for defect in defects]
    assert not frame[frame["defect"] == RIGHT]["caught"].any()
    return True


@pytest.fixture(scope="module")
def frame():
    """SOME defects in NumPy, not trained."""
    return compare.defects("numpy-layers", "sample", only=SOME, train=False, progress=False)


@pytest.fixture(scope="module")
def whole():
    """All defects, trained from one start."""
    return compare.defects("numpy-layers", "sample", seeds=1, progress=False)


def test_some_are_caught_and_named(frame):
    assert list(frame.columns) == COLUMNS
    assert named_right(frame, evidence.select_defects(SOME))
    assert len(frame) > len(SOME)
    assert evidence.passed(frame.attrs["score"])
    assert frame["accuracy"].isna().all()


@pytest.mark.thorough
def test_all_are_caught_and_named(whole):
    assert named_right(whole, DEFECTS)
    assert evidence.passed(whole.attrs["score"])
    assert f"named right {len(DEFECTS)} (100.0%)" in output.defects_score(whole.attrs["score"])


@pytest.mark.thorough
def test_accuracy_tells_hardly_any_of_them_apart(whole):
    """The claim of the project, in one number that can fail: most of them train to within 2 points, or better."""
    wrong = whole[whole["defect"] != RIGHT]
    unnoticed = (wrong["accuracy"] > wrong["accuracy_of_right"] - 0.02).mean()
    assert unnoticed > 0.5
    right = whole[whole["defect"] == RIGHT]
    assert (right["accuracy"] == right["accuracy_of_right"]).all()


@pytest.mark.parametrize("only", [SOME[:2], pytest.param(SOME, marks=pytest.mark.thorough)], ids=["few", "some"])
@pytest.mark.parametrize(
    "implementation", [pytest.param(name, marks=pytest.mark.thorough) if "keras" in name else name for name in OTHERS]
)
def test_in_the_other_implementations_too(implementation, only):
    frame = compare.defects(implementation, "sample", only=only, train=False, progress=False)
    assert named_right(frame, evidence.select_defects(only))
    assert frame["accuracy"].isna().all()


def test_each_has_a_name_a_stage_and_advice():
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 140
    for defect in DEFECTS:
        assert defect.stage in STAGE_ORDER
        assert defect.advice
        assert defect.looks


def numbers(change):
    """All that a network with a change gives on the probes of `check`: what there is, and the numbers, in one row.

    Each number x stands as x / (1 + |x|), so that one tolerance is right for small and large; NaN as 2.
    """
    question = Question.of(
        check_probes.batches(geometry=check_probes.SMALL), ["float64"], check_probes.path(0, check_probes.SMALL)
    )
    found, noted = observe(question, inserted(Layers, change))
    there = tuple((key, value.shape) for key, value in found.items()), tuple(noted["raised"])
    x = np.concatenate([np.ravel(value) for value in found.values()])
    x = np.nan_to_num(x, nan=np.nan)  # infinity as the largest number
    return there, np.nan_to_num(x / (1 + np.abs(x)), nan=2)


def alike(one, other):
    """Whether two networks give the same numbers, but for rounding."""
    return one[0] == other[0] and np.abs(one[1] - other[1]).max() < 1e-12


@pytest.fixture(scope="module")
def by_name():
    """What each network gives, by the name of its defect."""
    with np.errstate(all="ignore"):
        changes = {RIGHT: lambda network: None} | {defect.name: defect.change for defect in DEFECTS}
        return {name: numbers(change) for name, change in changes.items()}


def test_no_two_names_mean_the_same_numbers(by_name):
    pairs = itertools.combinations(by_name, 2)
    assert [(one, other) for one, other in pairs if alike(by_name[one], by_name[other])] == []


def test_two_names_for_the_same_numbers_would_be_found(by_name):
    again = numbers(gives("d_conv_weight", lambda value, given: 0 - value))
    assert [name for name in by_name if alike(by_name[name], again)] == ["filter gradient with the wrong sign"]


def test_wrong_names_count_double():
    assert evidence.passed({"caught": 40, "tried": 40, "named": 0.98, "false_alarms": 0})
    for failing in ({"caught": 39}, {"named": 0.97}, {"false_alarms": 1}):
        assert not evidence.passed({"caught": 40, "tried": 40, "named": 1.0, "false_alarms": 0} | failing)


def test_score_of_a_frame(frame):
    some = frame.copy()
    assert len(some) == 9, "wanted the right network and eight defects"
    some.loc[some.index[1], ["named", "says"]] = [False, "another"]
    some.loc[some.index[2], ["named", "says"]] = [False, ""]
    some.loc[some.index[0], "caught"] = True
    found = evidence.score(some)
    assert (found["named_right"], found["named_wrong"], found["false_alarms"]) == (6, 1, 1)
    assert found["named"] == pytest.approx((6 - 1) / 8)


def test_the_table_of_the_command(frame):
    table = output.defects_table(frame)
    assert table["check says"].iloc[0] == "agrees"
    assert (table["check says"].iloc[1:] == "that it is this").all()
    assert f"named right {len(frame) - 1} (100.0%)" in output.defects_score(frame.attrs["score"])


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match="unknown defect"):
        compare.defects("numpy-layers", "sample", only=["no such thing"])


def test_two_that_remember_do_not_share_what_they_remember():
    """A check that tried momentum and Adam together ended in an error of its own."""
    by_name = {defect.name: defect for defect in DEFECTS}
    gradients, value = [np.array([2.0]), np.array([-1.0]), np.array([0.5])], np.array([3.0])
    network, memory = Network(arbiter), {}
    for name in ("Adam left in", "momentum left in"):  # what is put in last comes first
        by_name[name].change(network)
    parameters, sums, mean, square = {"dense_bias": value}, 0.0, 0.0, 0.0
    for count, gradient in enumerate(gradients, 1):
        parameters = network.update(parameters, {"dense_bias": gradient}, 0.1, memory)
        sums = 0.9 * sums + gradient
        mean, square = 0.9 * mean + 0.1 * sums, 0.999 * square + 0.001 * sums**2
        value = value - 0.1 * mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
        np.testing.assert_allclose(parameters["dense_bias"], value, rtol=1e-12)
