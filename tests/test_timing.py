"""Speed: only equals are timed, in turns; what the rows hold."""

import json
import os
import subprocess
import sys
import time
import types

import numpy as np
import pandas as pd
import pytest

import compare
from compare import contract, output
from compare.cells import cells
from compare.clock import costs, stopwatch, targets, threads, turns
from compare.clock import speed as timing
from compare.clock import words as speed_words


@pytest.fixture(scope="module")
def frame():
    """Two ways of NumPy, two batch sizes, two rounds."""
    names = ["numpy-layers", "numpy-fused"]
    return compare.speed(names, "sample", batch_sizes=[1, 8], rounds=2, samples=4, proven=names)


def test_rows(frame):
    assert list(frame.columns) == timing.COLUMNS
    assert len(frame) == 8
    assert (frame["seconds_per_image_low"] <= frame["seconds_per_image"]).all()
    assert (frame["seconds_per_image"] <= frame["seconds_per_image_high"]).all()
    assert set(frame["samples"]) == {8}
    assert set(frame["rounds"]) == {2}
    assert frame["seconds_per_image"].between(1e-7, 1e-1).all()
    assert frame["waited"].between(0, 1).all()
    assert output.exit_code(frame) == 0


def test_ratios_are_to_the_reference_and_the_reference_has_none(frame):
    assert frame.attrs["reference"] == "numpy-fused"
    own = frame[frame["implementation"] == "numpy-fused"]
    assert set(own["difference"]) == {"reference"} and set(own["ratio"]) == {1.0} and own["ratio_low"].isna().all()
    other = frame[frame["implementation"] == "numpy-layers"]
    assert (other["ratio"] > 1).all()
    assert ((other["ratio_low"] <= other["ratio"]) & (other["ratio"] <= other["ratio_high"])).all()
    assert [(n["task"], n["batch_size"]) for n in frame.attrs["noise"]] == [
        (task, size) for task in ("train", "predict") for size in (1, 8)
    ]
    assert not frame["noise_floor"].isna().any()


def test_what_stands_beside_the_rows(frame):
    json.dumps(output.document("speed", frame), allow_nan=False)
    layers, fused = frame.attrs["costs"]
    assert (layers["implementation"], fused["code_files"]) == ("numpy-layers", ["numpy_cnn/fused.py"])
    assert layers["packages"] == ["numpy"] and layers["installed_bytes"] == fused["installed_bytes"] > 1e7
    assert 0 < fused["import_seconds"] < 60 and 1e7 < fused["peak_memory_bytes"] < 1e9
    assert fused["first_step_seconds"] > 0 and fused["first_prediction_seconds"] > 0
    assert set(frame.attrs["threads_seen"]["numpy-fused"].values()) == {1}
    assert frame.attrs["thread_mismatches"] == []
    said = "\n".join(speed_words.lines(frame))
    assert "noise floor, train, batch 8: numpy-fused against itself" in said
    assert "threads read back from each library: 1" in said
    flops = targets.flops_per_image((28, 28, 1), task="predict")
    row = frame[frame["task"] == "predict"].iloc[0]
    assert row["gemm_share"] == pytest.approx(
        flops / row["seconds_per_image"] / frame.attrs["gemm_flops_per_second"], rel=1e-9
    )


def test_one_round_tells_no_difference():
    frame = compare.speed(
        "numpy-layers,numpy-fused",
        "sample",
        batch_sizes=[1],
        rounds=1,
        samples=2,
        reference="numpy-layers",
        proven=["numpy-layers", "numpy-fused"],
    )
    fused = frame[frame["implementation"] == "numpy-fused"]
    assert set(fused["difference"]) == {""}
    assert all(cell.endswith("x (one round)") for cell in output.speed_table(fused)["against the reference"])
    assert "from one round, which cannot tell" in "\n".join(speed_words.lines(frame))


def test_what_did_not_pass_parity_is_not_timed_and_said_to_be_so():
    frame = compare.speed("numpy-layers,torch", "sample", batch_sizes=[1], rounds=1, samples=1, proven=["numpy-layers"])
    assert set(frame["implementation"]) == {"numpy-layers"}
    assert frame.attrs["not_timed"] == ["torch"]
    assert output.exit_code(frame) == 1
    assert "torch: not timed, since it did not pass parity" in output.remarks(frame)


def test_nothing_left_to_time():
    frame = compare.speed("numpy-layers", "sample", proven=[])
    assert len(frame) == 0
    assert output.table(output.speed_table(frame)) == "(no rows)"


def cell(name, turn=0, copy=0, status="ok", seconds=None, error=""):
    """A result of one process: `seconds` a call by task, of batch size 1."""
    found = {"seconds": 1.0, "first": 2.0, "waited": 0.0, "processors": 1.0}
    arrays = {
        f"{what}|{task}|1": np.atleast_1d(time if what == "seconds" else value)
        for task, time in (seconds or {}).items()
        for what, value in found.items()
    }
    spec = {"implementation": name, "round": turn, "copy": copy}
    return cells.Result(spec, status, arrays, {"threads": {"blas": 1}, "peak_bytes": 1}, error)


def test_a_process_that_crashed_is_a_row_that_says_so():
    good = cell("a", seconds={"train": 1.0, "predict": 1.0})
    rows = timing._rows(["a"], [1], 1, [good, cell("a", 1, status="crashed", error="signal SIGSEGV")], "a", {})
    assert {row["outcome"] for row in rows} == {"crashed"}


def test_processes_take_turns_in_an_order_drawn_anew(monkeypatch):
    started = []

    def run(specs, jobs=1, done=None, module="compare.cells.worker"):
        assert jobs == 1
        if specs and specs[0].get("task") == "speed":
            started.append([(spec["implementation"], spec["copy"]) for spec in specs])
        return [cells.Result(spec, "crashed", error="not run") for spec in specs]

    monkeypatch.setattr(cells, "run", run)
    for _ in range(2):
        compare.speed("numpy-layers,torch", "sample", rounds=6, proven=["numpy-layers", "torch"])
    assert started[:6] == started[6:], "the same seed draws the same orders"
    contenders = [("numpy-layers", 0), ("numpy-layers", 1), ("torch", 0)]
    assert all(sorted(order) == contenders for order in started)
    assert len(set(map(tuple, started))) > 1


def paired(times, monkeypatch, budget, clock=1.0):
    """Results of `take_turns` for contenders a (the reference), again and b; `times` gives b's seconds by round."""
    now = iter(np.arange(0, 10_000, clock))
    monkeypatch.setattr(turns.time, "monotonic", lambda: next(now))
    entry = types.SimpleNamespace(package="numpy")
    monkeypatch.setattr(turns, "ENTRIES", {"a": entry, "b": entry})

    def run(specs, jobs=1, done=None):
        made = []
        for spec in specs:
            seconds = 1.0 if spec["implementation"] == "a" else times(spec["round"])
            made.append(cell(spec["implementation"], spec["round"], spec["copy"], seconds={"train": seconds}))
        return made

    monkeypatch.setattr(cells, "run", run)
    return turns.take_turns({"seed": 0}, [("a", 0), ("b", 0), ("a", 1)], 3, budget, progress=False)


def test_rounds_are_added_within_the_budget_for_those_that_are_unsure(monkeypatch):
    """b is 1, 2 or 3 times the reference in turn, which no number of rounds of these makes sure."""
    results = paired(lambda turn: 1.0 + turn % 3, monkeypatch, budget=20)
    last = max(result.spec["round"] for result in results)
    assert 3 <= last < 20
    extra = [result.spec for result in results if result.spec["round"] > 2]
    assert {(spec["implementation"], spec["copy"]) for spec in extra} == {("a", 0), ("b", 0)}, "again is sure already"
    assert max(r.spec["round"] for r in paired(lambda turn: 1.0 + turn % 3, monkeypatch, budget=0)) == 2
    assert max(r.spec["round"] for r in paired(lambda turn: 2.0, monkeypatch, budget=1000)) == 2, "sure at once"


def test_samples_last_as_long_as_asked():
    calls = []
    timing = stopwatch.time_calls([lambda: calls.append(0)] * 3, 40, 0.001)
    assert timing.seconds.shape == (40,)
    assert (timing.seconds > 0).all() and timing.first > 0
    assert 0 <= timing.waited < 1
    assert len(calls) * np.median(timing.seconds) > 0.01, "warmed up for ten samples at least"


def test_long_calls_have_few_samples():
    assert stopwatch.time_calls([lambda: time.sleep(0.02)], 100, 0.001).seconds.shape == (stopwatch.LEAST,)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread waited for a processor")
def test_what_others_had_of_the_processor_is_left_out():
    """Two processes on one processor: as time passes a call takes twice as long, of its own no longer than alone."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        a = np.ones((400, 400))
        timing = stopwatch.time_calls([lambda: [a.sum() for _ in range(1000)]], 20, 0.05)
    finally:
        other.kill()
        other.wait()
        os.sched_setaffinity(0, allowed)
    assert timing.waited > 0.2
    assert 0.8 < timing.processors < 1.1


def test_threads_that_are_not_as_asked_are_said():
    found = {"numpy-fused": {"openblas (blas)": 1}, "torch": {"torch, within operations": 2}}
    lines = threads.mismatches(1, found, {"numpy-fused": 1.0, "torch": 1.9})
    assert lines == [
        "torch: 1 thread(s) asked for, read back: torch, within operations 2",
        "torch: 1 thread(s) asked for, 1.90 processors kept busy",
    ]


def test_when_compiling_has_paid():
    row = {"task": "train", "batch_size": 2, "outcome": "timed"}
    rows = [
        {**row, "implementation": "torch", "seconds_per_image": 2.0, "first_seconds": 4.0},
        {**row, "implementation": "torch-compiled", "seconds_per_image": 1.5, "first_seconds": 14.0},
    ]
    costs.pays_after(rows)
    assert "pays_after_calls" not in rows[0]
    assert rows[1]["pays_after_calls"] == 10  # 10 s longer at first, 2 images x 0.5 s saved a call
    rows[1]["seconds_per_image"] = 2.5
    costs.pays_after(rows)
    assert rows[1]["pays_after_calls"] == float("inf")


def test_lines_of_code_are_those_that_do_something():
    source = '"""Module.\n\nmore\n"""\n# comment\n\ndef f(x):\n    """Doc."""\n    return (x +  # why\n            1)\n'
    assert costs._code_lines(source) == 3


def test_packages_are_the_framework_and_what_it_requires_without_numpy():
    size, names = costs.installed_bytes(contract.ENTRIES["torch"])
    assert "torch" in names and "sympy" in names and "mpmath" in names and "numpy" not in names
    assert size > costs.installed_bytes(contract.ENTRIES["numpy-fused"])[0]


@pytest.mark.parametrize("settings", [{"reference": "jax"}, {"budget": -1.0}, {"budget": float("nan")}])
def test_bad_reference_and_budget(settings):
    with pytest.raises(ValueError, match="found .* wanted"):
        compare.speed("numpy-layers", "sample", **settings)


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"samples": -1}, {"batch_sizes": [0]}, {"threads": 1.5}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="wanted a whole number of 1 "):
        compare.speed("numpy-layers", "sample", **settings)


def test_the_work_of_one_image_is_202800_operations():
    """conv 97,344, dense 27,040 forward and 54,080 back, filters 24,336."""
    assert targets.flops_per_image((28, 28, 1)) == 97_344 + 27_040 + 54_080 + 24_336 == 202_800
    assert targets.flops_per_image((28, 28, 1), task="predict") == 97_344 + 27_040


def test_targets_are_held_against_the_best_framework():
    rows = [("numpy-fused", "train", 32, 1e-5), ("torch", "train", 32, 2e-5), ("jax", "train", 32, 5e-5)]
    rows += [
        ("numpy-layers", "train", 32, 1e-4),
        ("numpy-fused", "predict", 1, 2e-5),
        ("onnxruntime", "predict", 1, 3e-5),
    ]
    frame = pd.DataFrame(rows, columns=["implementation", "task", "batch_size", "seconds_per_image"])
    frame["outcome"] = "timed"
    frame.attrs = {"gemm_flops_per_second": 40.56e9, "input_shape": (28, 28, 1)}
    found = targets.targets(frame)
    assert output.target_lines(found) == [
        "train, batch 32: 2.00 times as fast as the best framework (torch); target 3.00: missed by 33%",
        "train, batch 32: 50% share of the matrix-product rate; target 25%: met",
        "predict, batch 1: 1.50 times as fast as the best framework (onnxruntime); target 1.00: met",
    ]
