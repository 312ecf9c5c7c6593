"""Known defects: each is caught, and blamed on the stage that it is in; the right network is not accused."""

import pytest

import compare
from compare import output
from compare.evidence import COLUMNS, RIGHT
from compare.verdict.defects import DEFECTS
from compare.verdict.judge import STAGE_ORDER


@pytest.fixture(scope="module")
def frame():
    return compare.defects("sample", seeds=1, progress=False)


def test_all_are_caught_and_blamed_on_their_stage(frame):
    assert list(frame.columns) == COLUMNS
    wrong = frame[frame["defect"] != RIGHT].set_index("defect")
    assert list(wrong.index) == [defect.name for defect in DEFECTS]
    for defect in DEFECTS:
        assert wrong.loc[defect.name, "caught"]
        assert wrong.loc[defect.name, "stage"] == defect.stage


def test_the_right_network_is_not_accused(frame):
    right = frame[frame["defect"] == RIGHT]
    assert not right["caught"].any()
    assert (right["accuracy"] == right["accuracy_of_right"]).all()


def test_accuracy_tells_hardly_any_of_them_apart(frame):
    """The claim of the project, in one number that can fail: most of them train to within 2 points, or better."""
    wrong = frame[frame["defect"] != RIGHT]
    unnoticed = (wrong["accuracy"] > wrong["accuracy_of_right"] - 0.02).mean()
    assert unnoticed > 0.75


def test_each_has_a_name_a_stage_and_advice():
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    for defect in DEFECTS:
        assert defect.stage in STAGE_ORDER
        assert defect.advice


def test_the_table_of_the_command(frame):
    table = output.defects_table(frame)
    assert table["parity says"].iloc[0] == "agrees"
    assert table["parity says"].iloc[1] == "differs at pool backward"
