"""Speed: only equals are timed, in turns; what the rows hold."""

import numpy as np
import pandas as pd
import pytest

import compare
from compare import cells, output, targets, timing


def test_rows():
    frame = compare.speed("numpy-layers", "sample", batch_sizes=[1, 8], rounds=2, samples=2, sample_seconds=0.01)
    assert list(frame.columns) == timing.COLUMNS
    assert len(frame) == 4
    assert (frame["seconds_per_image_low"] <= frame["seconds_per_image"]).all()
    assert (frame["seconds_per_image"] <= frame["seconds_per_image_high"]).all()
    assert set(frame["samples"]) == {4}
    assert frame["seconds_per_image"].between(1e-7, 1e-1).all()
    assert output.exit_code(frame) == 0


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


def test_a_process_that_crashed_is_a_row_that_says_so():
    good = cells.Result({"implementation": "a"}, "ok", {"train|1": np.ones(3), "predict|1": np.ones(3)})
    bad = cells.Result({"implementation": "a"}, "crashed", error="signal SIGSEGV")
    rows = timing._rows(["a"], [1], 1, [good, bad])
    assert {row["outcome"] for row in rows} == {"crashed"}


def test_processes_take_turns_and_the_order_turns(monkeypatch):
    started = []

    def run(specs, jobs=1, done=None):
        assert jobs == 1
        if specs[0]["task"] == "speed":
            started.append([spec["implementation"] for spec in specs])
        return [cells.Result(spec, "crashed", error="not run") for spec in specs]

    monkeypatch.setattr(cells, "run", run)
    compare.speed("numpy-layers,torch", "sample", rounds=3, proven=["numpy-layers", "torch"])
    assert started == [["numpy-layers", "torch"], ["torch", "numpy-layers"], ["numpy-layers", "torch"]]


def test_samples_last_as_long_as_asked():
    calls = []
    samples = timing.time_samples([lambda: calls.append(0)] * 3, 4, 0.005)
    assert samples.shape == (4,)
    assert (samples > 0).all()
    assert len(calls) % 3 == 1  # whole rounds, after the one call that tells how long it takes


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"samples": -1}, {"batch_sizes": [0]}, {"threads": 1.5}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="wanted a whole number of 1 "):
        compare.speed("numpy-layers", "sample", **settings)


def test_the_work_of_one_image_is_202800_operations():
    """conv 97,344, dense 27,040 forward and 54,080 back, filters 24,336."""
    assert targets.flops_per_image((28, 28, 1)) == 97_344 + 27_040 + 54_080 + 24_336 == 202_800


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
