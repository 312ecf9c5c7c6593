"""The README's picture is drawn from the data beside it, and the data is what is measured."""

import json
import os
import runpy
import subprocess
import sys

import pytest
from documentation import ROOT

FOLDER = ROOT / "docs" / "pictures"
MADE = runpy.run_path(str(FOLDER / "make.py"))
ROWS = json.loads((FOLDER / "accuracy.json").read_text())
# How far another machine's rounding may carry what is drawn: of 1,000 test images eight, and a third of an error.
ACCURACY, ERROR = 0.008, 1 / 3


def assert_reproduced(found, wanted):
    assert [row["network"] for row in found] == [row["network"] for row in wanted]
    for row, shown in zip(found, wanted, strict=True):
        if not shown["right"]:  # of a right network it is rounding, which differs from machine to machine
            assert row["gradient_error"] == pytest.approx(shown["gradient_error"], rel=ERROR), row
        assert row["accuracies"] == pytest.approx(shown["accuracies"][: len(row["accuracies"])], abs=ACCURACY), row


def test_the_picture_is_drawn_from_its_data(tmp_path):
    MADE["draw"](ROWS, tmp_path / "accuracy.svg")
    same = (tmp_path / "accuracy.svg").read_bytes() == (FOLDER / "accuracy.svg").read_bytes()
    assert same, "docs/pictures/accuracy.svg differs: run python docs/pictures/make.py"


def test_the_picture_shows_what_the_readme_says():
    right, wrong = ([row for row in ROWS if row["right"] is kind] for kind in (True, False))
    assert (len(right), len(wrong)) == (3, 8)
    means = [sum(row["accuracies"]) / len(row["accuracies"]) for row in right + wrong]
    assert max(means) - min(means) < 0.03  # nobody could tell them apart
    assert all(row["gradient_error"] < 1 for row in right)
    assert all(row["gradient_error"] > 1000 for row in wrong)


def test_the_data_is_what_numpy_gives():
    """Of all gradients; of one training of the right network, and of one wrong one."""
    wanted = [row for row in ROWS if row["network"] not in ("PyTorch", "Keras")]
    assert_reproduced(MADE["measured"](right=["numpy-layers"], seeds=[]), wanted)
    assert_reproduced(MADE["measured"](right=["numpy-layers"], wrong=list(MADE["WRONG"])[:1], seeds=[0]), wanted[:2])


@pytest.mark.thorough
def test_the_data_is_what_is_measured(tmp_path):
    command = [sys.executable, str(FOLDER / "make.py"), "--measure", str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    assert_reproduced(json.loads((tmp_path / "accuracy.json").read_text()), ROWS)
