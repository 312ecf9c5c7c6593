"""A report that is interrupted goes on where it stopped, and ends as if it had not been; rows in their schema."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from compare import output
from compare.cells import cells, kept
from compare.pages import beside, report

SCHEMA = json.loads((Path(report.__file__).parent / "results.schema.json").read_text())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder of IDX files: 40 and 20 images of 7x6 pixels."""
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        arrays = {"images-idx3": rng.integers(0, 256, (count, 7, 6)), "labels-idx1": np.arange(count) % 10}
        for name, array in arrays.items():
            header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / f"{part}-{name}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())
    return folder


def without_time(document):
    """What is the same in every run: all but the times, and what was made of them."""
    rows = {
        name: document[name] for name in ("parity", "accuracy", "drifts", "trainings", "walk", "misread", "verdict")
    }
    timed = ("seconds",)
    return {
        name: [{k: v for k, v in row.items() if k not in timed} if isinstance(row, dict) else row for row in found]
        for name, found in rows.items()
    }


@pytest.mark.thorough
def test_killed_in_the_middle_it_goes_on(tiny, tmp_path, monkeypatch):
    common = ["report", "--quick", "--data", str(tiny), "--implementations", "numpy-fused"]
    command = [sys.executable, "-m", "compare", *common, "--output", str(tmp_path / "report")]
    folder = tmp_path / "report" / report.KEPT
    environment = {**os.environ, "PYTHONPATH": str(cells.ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    try:
        end = time.monotonic() + 300
        while not (folder.is_dir() and len(list(folder.glob("*.npz"))) >= 2):
            assert process.poll() is None and time.monotonic() < end, "it kept nothing"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    assert not (tmp_path / "report" / "index.html").exists()

    began = []
    start = cells.Process.__init__
    monkeypatch.setattr(cells.Process, "__init__", lambda *given: began.append(given[1]["task"]) or start(*given))
    resumed = report.report(tmp_path / "report", "numpy-fused", str(tiny), size="quick", progress=False, resume=True)
    went_on = list(began)
    began.clear()
    whole = report.report(tmp_path / "whole", "numpy-fused", str(tiny), size="quick", progress=False)
    assert len(went_on) == len(began) - len(before)
    assert resumed.exit_code == whole.exit_code == 0 and resumed.verdict == whole.verdict
    found = [json.loads((each.folder / "results.json").read_text()) for each in (resumed, whole)]
    assert without_time(found[0]) == without_time(found[1])
    assert sorted(path.name for path in resumed.folder.iterdir()) == sorted(report.FILES), "nothing is left behind"
    jsonschema.validate(found[1], SCHEMA)
    laid = beside.rows(*found)
    assert {row["implementation"] for row in laid["rows"]} >= {"numpy-fused"}
    accuracy = [row for row in laid["rows"] if row["what"] == "test accuracy, same start"]
    assert [row["ratio"] for row in accuracy] == ["1.00"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found[1] | {"drifts": [{"implementation": "torch"}]}, SCHEMA)


def test_a_kept_cell_is_known_by_its_spec_its_data_and_its_turn(tmp_path):
    given = tmp_path / "data.npz"
    given.write_bytes(b"one")
    spec = {"task": "speed", "inputs": str(given), "seed": 0}
    first, second = (kept.Kept(tmp_path / "kept") for _ in range(2))
    places = [first.place(spec), first.place(spec), first.place(spec | {"seed": 1})]
    assert len(set(places)) == 3
    assert [second.place(spec), second.place(spec)] == places[:2]
    moved = tmp_path / "elsewhere.npz"
    moved.write_bytes(b"one")
    assert kept.Kept(tmp_path / "kept").place(spec | {"inputs": str(moved)}) == places[0]
    moved.write_bytes(b"two")
    assert kept.Kept(tmp_path / "kept").place(spec | {"inputs": str(moved)}) not in places


def test_a_damaged_kept_cell_is_run_again(tmp_path):
    path = tmp_path / "x.npz"
    result = cells.Result({}, "ok", {"a": np.arange(3)}, {"version": "1"})
    cells.write_result(path, {"meta": result.meta, "status": "ok", "error": "", "log": ""}, result.arrays)
    found = cells._recalled(path, {"task": "x"})
    assert (found.status, found.meta, found.spec) == ("ok", {"version": "1"}, {"task": "x"})
    assert (found.arrays["a"] == np.arange(3)).all()
    path.write_bytes(path.read_bytes()[:-9])
    assert cells._recalled(path, {}) is None
    assert cells._recalled(tmp_path / "none.npz", {}) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "found no JSON"), ("[]", "found other JSON"), ('{"command": "report", "data": "x"}', "found other JSON")],
)
def test_what_is_no_report_is_not_laid_beside(tmp_path, text, said):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: {said}"):
        beside.load(path)


def test_the_schema_knows_its_version():
    assert SCHEMA["properties"]["schema_version"]["const"] == output.SCHEMA_VERSION
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
