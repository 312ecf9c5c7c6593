"""One test per quantity: the decorator, and `pytest --cnn`."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from documentation import ROOT

from compare import pytest_plugin
from compare.checking.judging.judgement import Judgement
from compare.checking.saying.result import CheckResult

TUTORIAL = ROOT / "docs" / "examples" / "my_cnn.py"


def run_pytest(folder, *arguments):
    """The last lines of a run of pytest in a folder of its own, the plugin loaded by hand: it need not be installed."""
    plugin = [] if "compare.pytest_plugin" in _installed() else ["-p", "compare.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rfs", "-p", "no:cacheprovider", *plugin, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def _installed():
    from importlib.metadata import entry_points

    return {point.value for point in entry_points(group="pytest11")}


def test_option(tmp_path):
    (tmp_path / "test_other.py").write_text("raise RuntimeError('is not collected')\n")
    code, text = run_pytest(tmp_path, "--cnn", str(TUTORIAL))
    assert code == 1, text
    assert "DIFFERS" in text
    assert "every tied maximum gets the gradient" in text
    assert "run-d_conv" in text
    assert "not offered" in text
    assert "RuntimeError" not in text


def test_a_target_that_is_not_there(tmp_path):
    code, text = run_pytest(tmp_path, "--cnn", "nowhere.py", "-x")
    assert code == 1
    assert "FileNotFoundError: no file or folder nowhere.py" in text
    assert "Traceback" not in text


def test_a_target_of_which_nothing_can_be_checked_fails(monkeypatch):
    rows = [{"mode": "run", "quantity": "conv", "stage": "conv forward", "outcome": "not offered", "note": ""}]
    nothing = CheckResult("mine.py", "ok", "", Judgement(rows))
    monkeypatch.setattr(pytest_plugin, "_result", lambda target: nothing)
    with pytest.raises(pytest.fail.Exception, match="0 quantities checked"):
        pytest_plugin.QuantityCheck("run", "conv")("mine.py")


def test_decorator(tmp_path):
    (tmp_path / "network.py").write_text("from numpy_cnn.layers import Layers as Mine\n")
    (tmp_path / "test_mine.py").write_text(
        "from compare import parametrize_with_checks\n\n\n"
        f"@parametrize_with_checks([{str(TUTORIAL)!r}, 'network.py:Mine'])\n"
        "def test_network(implementation, check):\n    check(implementation)\n"
    )
    code, text = run_pytest(tmp_path, "-v")
    assert code == 1, text
    mine = [line for line in text.splitlines() if "network.py:Mine-" in line and "::" in line]
    assert len(mine) >= 20
    assert not any("FAILED" in line for line in mine)
    assert "[network.py:Mine-run-d_conv_weight] PASSED" in text


@pytest.mark.parametrize("arguments", [["--help"], ["--collect-only", "-q"]])
def test_without_the_option_nothing_changes(tmp_path, arguments):
    code, text = run_pytest(tmp_path, *arguments)
    assert code == (0 if arguments == ["--help"] else 5)
    assert ("--cnn" in text) == (arguments == ["--help"])


@pytest.mark.thorough
def test_marks_and_points(tmp_path):
    """JUnit's XML: the part is in the name of the class; points are properties, and add up to those of the rubric."""
    code, text = run_pytest(tmp_path, "--cnn", str(TUTORIAL), "--junitxml", "junit.xml", "--strict-markers")
    assert code == 1, text
    cases = list(ElementTree.parse(tmp_path / "junit.xml").iter("testcase"))
    held = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert sum(float(each["out_of"]) for each in held) == pytest.approx(100, abs=0.01)
    assert sum(float(each["points"]) for each in held) == pytest.approx(83.75, abs=0.01)
    assert {case.get("classname").rpartition(".")[2] for case in cases} >= {"conv forward", "pool backward", "update"}
    code, text = run_pytest(tmp_path, "--cnn", str(TUTORIAL), "-m", "cnn_conv_forward", "--strict-markers")
    assert code == 0 and "2 passed" in text, text
    code, text = run_pytest(tmp_path, "--cnn", str(TUTORIAL), "-m", "cnn_pool_backward", "--strict-markers")
    assert code == 1 and "2 failed" in text, text
