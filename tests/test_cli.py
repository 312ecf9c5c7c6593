"""The command line: what it prints, writes and answers; bad input is one clear line and exit code 2."""

import importlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mutants import ROOT

import compare
from compare import cli, contract, files, output
from compare.cells import cells
from compare.commands import failure
from compare.training import accuracy as training


def run(*arguments, cwd=ROOT, **environment):
    import os

    command = [sys.executable, "-m", "compare", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=600, env={**os.environ, **environment}
    )


def test_help_names_every_command_and_the_exit_codes():
    done = run("--help")
    assert done.returncode == 0
    for word in (
        "list",
        "parity",
        "accuracy",
        "speed",
        "report",
        "convert",
        "data",
        "Exit codes",
        "4 the code under test",
    ):
        assert word in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", ["list", "parity", "accuracy", "speed", "report", "convert", "data"])
def test_each_command_has_help(command):
    assert run(command, "--help").returncode == 0


BAD = {
    ("partiy",): "did you mean 'parity'",
    ("data", "fecth"): "did you mean 'fetch'",
    (): "Usage",
    ("parity", "--implementations", "pytorch"): "unknown implementation: found 'pytorch'",
    ("parity", "--implementations", "keras-tensorflw"): "did you mean 'keras-tensorflow'",
    ("parity", "--data", "mnits"): "did you mean 'mnist'",
    ("parity", "--data", "no/such/folder"): "no/such/folder",
    ("parity", "--seed", "-1"): "-1 is not in the range",
    ("parity", "--json", "no/such/folder/a.json"): "no/such/folder",
    ("parity", "--json", "README.md/a.json"): "README.md",
    ("parity", "--dtypes", "float32,float8"): "unknown dtype: found 'float8', wanted one of float32, float64, float16",
    ("parity", "--optimisers", "--dtypes", "float64,bfloat16"): "optimisers: found bfloat16, wanted float32 or float64",
    ("accuracy", "--epochs", "0"): "0 is not in the range",
    ("accuracy", "--learning-rate", "nan"): "learning_rate: found nan",
    ("accuracy", "--learning-rate", "-0.1"): "learning_rate: found -0.1",
    ("accuracy", "--start", "warm"): "'warm' is not one of",
    ("speed", "--batch-size", "0"): "0 is not in the range",
    ("speed", "--threads", "many"): "'many' is not a valid integer",
    ("defects", "--only", ""): "unknown defect: found ''",
    ("defects", "--only", "softmax,"): "unknown defect: found ''",
    ("report", "--output", "README.md/report"): "README.md",
    ("convert", "a.npz", "b.npz"): "a.npz",
    ("convert", "a.pkl", "b.npz"): ".pkl",
    ("convert", "a.npz", "b.npz", "--input-shape", "28"): "found '28', wanted three whole numbers",
    ("convert", "a.npz", "b.npz", "--input-shape", "\N{SUPERSCRIPT TWO},3,1"): "wanted three whole numbers",
    ("convert", "", "b.npz"): "found '', wanted a path",
    ("convert", "a.npz", ""): "found '', wanted a path",
    ("report", "--output", ""): "found '', wanted a path",
    ("list", "--json", ""): "found '', wanted a path",
    ("check", ""): "target: found ''",
    ("check", "a.py", "--save", ""): "found '', wanted a path",
    ("data", "fetch", "--folder", ""): "found '', wanted a path",
    ("parity", "--threads", "1000000000"): "1000000000 is not in the range",
    ("parity", "--seed", "99999999999999999999"): "99999999999999999999 is not in the range",
    ("accuracy", "--learning-rate", "1e300"): "learning_rate: found 1e+300",
    ("accuracy", "--seeds", "1000000000"): "1000000000 is not in the range",
    ("speed", "--batch-size", "1000000000", "--data", "sample"): "batch size 1,000,000,000: found a need of about",
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_usage_is_one_clear_error_with_exit_code_2(arguments, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    printed = capsys.readouterr()
    assert ended.value.code == 2, printed
    assert BAD[arguments] in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: {}["absent"],
        lambda: max([]),  # a ValueError, as those of bad input are, but nobody's words
        lambda: np.zeros(2) @ np.zeros(3),
        lambda: importlib.import_module("compare.no_such_room"),
        lambda: np.no_such_function,
    ],
    ids=["KeyError", "ValueError of Python", "ValueError of NumPy", "a module of our own", "AttributeError"],
)
@pytest.mark.parametrize("wanted", [False, True], ids=["one line", "traceback"])
def test_an_error_of_the_tools_own_is_one_line_and_no_verdict(mistake, wanted, monkeypatch, capsys):
    monkeypatch.setattr(files, "check_writable", lambda path: mistake())
    monkeypatch.setenv(failure.TRACEBACK, "1" if wanted else "")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", "my_cnn.py"])
    assert ended.value.code == 70
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *rest = printed.err.splitlines()
    assert re.match(r"Error of the tool's own, which is no verdict: \w+ at checking.py:\d+: ", first)
    assert "report this line" in first
    assert ("Traceback" in printed.err) == bool(rest) == wanted


def idx(folder, name, array, axes):
    header = bytes([0, 0, 8, axes]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def tiny(tmp_path):
    """A folder of IDX files: 40 and 20 images of 6x5 pixels."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        idx(folder, f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 6, 5)), 3)
        idx(folder, f"{part}-labels-idx1-ubyte", np.arange(count) % 10, 1)
    return folder


def test_a_damaged_data_file_is_named(tiny):
    path = tiny / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    done = run("parity", "--data", tiny)
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_framework_that_cannot_be_imported(tiny, tmp_path):
    """Asked for by name it cannot be decided (3); else it is a failure beside the others, with its reason."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('libtorch.so: no such file')\n")
    reason = "cannot be imported: ImportError at torch.py:1: libtorch.so: no such file"
    named = run("parity", "--data", tiny, "--no-path", "--implementations", "torch", PYTHONPATH=str(broken))
    assert named.returncode == 3
    assert f"torch: {reason}; install: pip install" in named.stderr
    listed = run("list", "--implementations", "torch,numpy", PYTHONPATH=str(broken))
    assert listed.returncode == 0
    assert reason in listed.stdout and "pip install" in listed.stdout


def test_a_framework_that_is_broken_is_a_failure_where_nobody_named_it(monkeypatch):
    reason = "cannot be imported: ImportError at torch.py:1: libtorch.so: no such file"
    spec = {"implementation": "torch", "trainings": [["same", 0]]}
    broken = cells.Result(spec, "raised", {}, {"unusable": True}, reason)
    monkeypatch.setattr(cells, "run", lambda *_, **__: [broken])
    frame = training.accuracy(None, "sample", seeds=1, starts=["same"])
    assert output.exit_code(frame) == 4
    assert output.remarks(frame) == [f"torch: raised: {reason}"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (
            ("parity", "--dtype", "float64", "--no-path"),
            3,
            "onnxruntime: offers none of the 330 quantities (the graph predicts and no more; no float64: its "
            "convolution has none), so nothing was checked",
        ),
        (("accuracy", "--epochs", "1"), 3, "onnxruntime: not offered: it has no training step"),
        (("speed", "--rounds", "1", "--batch-size", "2"), 0, "predict"),
        (("defects", "--no-train", "--only", "softmax"), 3, "onnxruntime: nothing was checked: none of its stages can"),
        (("sharpness", "--cases", "2"), 0, "caught in float32: a relative error of "),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_pass_over_nothing_is_no_agreement(tiny, arguments, code, line):
    """ONNX Runtime offers no float64, no stage alone, no gradient and no step."""
    where = () if arguments[0] == "sharpness" else ("--data", tiny)
    done = run(*arguments, "--implementations", "onnxruntime", *where)
    assert done.returncode == code, done.stdout + done.stderr
    assert line in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_cases_of_which_none_can_tell_how_sharp_the_judgement_is():
    done = run("sharpness", "--cases", "1", "--seed", "8", "--implementations", "numpy-layers")
    assert done.returncode == 0, done.stderr
    assert "caught in float64: no case could tell" in done.stdout


def test_rows_of_nothing_are_no_agreement():
    empty = pd.DataFrame({"implementation": [], "outcome": []})
    only = pd.DataFrame({"implementation": ["arbiter"], "outcome": ["agrees"]})
    idle = pd.DataFrame({"implementation": ["a", "b", "b"], "outcome": ["not offered", "agrees", "not offered"]})
    good = idle[1:]
    assert [output.exit_code(frame) for frame in (empty, only, idle, good)] == [3, 3, 3, 0]
    assert output.exit_code(good, empty) == 3
    with pytest.raises(ValueError, match="implementations: found none"):
        contract.select([])


def test_an_implementation_that_breaks_down_under_a_whole_table_is_exit_code_4(monkeypatch, capsys):
    for command in ("defects", "sharpness"):
        crashed = cells.Result({"implementation": "torch"}, "crashed", error="signal SIGSEGV")
        monkeypatch.setattr(cells, "run", lambda *_, crashed=crashed, **__: [crashed])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            cli.main([command])
        assert ended.value.code == 4
        assert capsys.readouterr().err == "Error: torch: crashed: signal SIGSEGV\n"


COMMANDS = {
    "parity": (
        ("--no-path", "--dtype", "float64"),
        {"dtypes": ["float64"], "path": False},
        {"implementation", "quantity", "dtype", "probe", "max_abs_error", "allowance_used", "passed"},
    ),
    "accuracy": (
        ("--epochs", "1", "--batch-size", "16"),
        {"epochs": 1, "batch_size": 16},
        {"implementation", "start", "seed", "epoch", "test_accuracy", "test_loss", "seconds"},
    ),
}
BOTH = ("numpy-layers", "torch")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_rows_as_json_and_from_python(command, tiny, tmp_path):
    """On a folder of images that are not square, with NumPy and PyTorch; each run gives the same numbers."""
    options, settings, needed = COMMANDS[command]
    path = tmp_path / "rows.json"
    done = run(command, "--implementations", ",".join(BOTH), "--data", tiny, *options, "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", "no progress where it is piped"
    assert "40 train / 20 test" in done.stdout
    document = json.loads(path.read_text())
    rows_of_both(document, command, needed)
    again = output.records(getattr(compare, command)(",".join(BOTH), tiny, **settings))
    drop = ("seconds",)
    assert [without(row, drop) for row in again] == [without(row, drop) for row in document["rows"]]


def rows_of_both(document, command, needed):
    assert document["schema_version"] == output.SCHEMA_VERSION
    assert document["command"] == command
    assert document["environment"]["versions"]["torch"].startswith("2.")
    assert "40 train / 20 test" in document["data"]
    assert {row["implementation"] for row in document["rows"]} - {"arbiter"} == set(BOTH)
    assert needed <= set(document["rows"][0])


def test_speed_writes_the_rows_that_it_has_from_python(tiny, tmp_path, monkeypatch, capsys):
    """With both taken as proven: `test_timing` holds that nothing else is timed."""
    speed, frames = compare.speed, []

    def once(*arguments, **settings):
        frames.append(speed(*arguments, **settings, proven=list(BOTH)))
        return frames[-1]

    monkeypatch.setattr(compare, "speed", once)
    path = tmp_path / "rows.json"
    arguments = ("speed", "--implementations", ",".join(BOTH), "--data", tiny, "--batch-size", "4", "--rounds", "1")
    code = cli.cli.main([*map(str, arguments), "--json", str(path)], standalone_mode=False)
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert "40 train / 20 test" in printed.out
    document = json.loads(path.read_text())
    keys = {"implementation", "task", "batch_size", "threads"}
    rows_of_both(document, "speed", keys | {"seconds_per_image", "seconds_per_image_low", "seconds_per_image_high"})
    assert output.records(frames[0]) == document["rows"]
    assert {(row["task"], row["batch_size"], row["threads"]) for row in document["rows"]} == {
        ("train", 4, 1),
        ("predict", 4, 1),
    }


def without(row, keys):
    return {key: value for key, value in row.items() if key not in keys}


def test_convert_says_what_it_wrote(tmp_path):
    from numpy_cnn import CNN

    CNN((6, 5, 1), 2, 3).save(tmp_path / "a.npz")
    done = run("convert", tmp_path / "a.npz", tmp_path / "b.safetensors")
    assert done.returncode == 0, done.stderr
    assert "input_shape (6, 5, 1), filters 2, classes 3, padding valid, dtype float32" in done.stdout
    assert Path(tmp_path / "b.safetensors").exists()
