"""The judgement: it finds what is wrong, names where, and accuses nothing that is right."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from mutants import MUTANTS, ROOT, load_mutant, write_mutant

from compare.checking.judging import sharpness
from compare.graph import STAGE_OF
from compare.images import data
from compare.verdict import arbiter, definition, expected, judge, probes, run
from compare.verdict.allowances import Bounded, Rounding, Stages, near_tie_filters, near_ties, whole_pass
from compare.verdict.defects import DEFECTS
from compare.verdict.inserted import inserted
from compare.verdict.observe import observe
from compare.verdict.packing import Question
from numpy_cnn.layers import Layers


@pytest.fixture(scope="module")
def digits():
    return data.load("sample")


def rows_of(implementation, cases, path=None, dtypes=probes.DTYPES):
    """Judge an implementation in this process, by the real arbiter."""
    found, noted = observe(Question.of(cases, dtypes, path), implementation)
    rows = run.judge_answer("candidate", found, noted, Question.of(cases, dtypes, path))
    return pd.DataFrame(rows).reindex(columns=judge.COLUMNS)


def test_numpy_agrees_in_every_quantity(digits, tmp_path):
    frame = rows_of(Layers, probes.make_probes(digits), probes.make_path(digits, steps=10))
    assert frame["passed"].all(), run.first_difference(frame).to_dict("records")
    assert set(frame["quantity"]) == {name for name in STAGE_OF if not name.startswith("update_")}
    assert set(frame["dtype"]) == {"float32", "float64"}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_is_found_and_blamed_on_its_stage(digits, tmp_path, monkeypatch, name):
    frame = rows_of(load_mutant(tmp_path, name, monkeypatch), probes.make_probes(digits))
    first = run.first_difference(frame)
    assert first["stage"].tolist() == [MUTANTS[name][3]]
    # each stage alone: nothing else is blamed, but for what a wrong forward pass does to its own backward pass
    alone = frame[(frame["mode"] == "alone") & ~frame["passed"].astype(bool)]
    assert {stage.split()[0] for stage in alone["stage"]} == {MUTANTS[name][3].split()[0]}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_command_exits_1_and_names_the_stage_when_numpy_cnn_itself_is_wrong(tmp_path, name):
    """A copy of the project whose arbiter has the mistake: the definition convicts it before it judges anybody."""
    write_mutant(tmp_path, name)
    shutil.copytree(ROOT / "compare", tmp_path / "compare")
    done = parity_in(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"DIFFERS at {MUTANTS[name][3]}" in done.stdout
    assert "numpy_cnn differs from the definition" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_same_command_exits_0_for_an_unchanged_copy(tmp_path):
    write_mutant(tmp_path, None)
    shutil.copytree(ROOT / "compare", tmp_path / "compare")
    done = parity_in(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def parity_in(folder):
    command = [
        sys.executable,
        "-m",
        "compare",
        "parity",
        "--implementations",
        "numpy-layers",
        "--data",
        "sample",
        "--no-path",
    ]

    environment = {**os.environ, "PYTHONPATH": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


class Momentum(Layers):
    """Right in every gradient and in its first step; wrong from the second on."""

    def step(self, x, labels, learning_rate):
        before = self.get_parameters()
        loss = super().step(x, labels, learning_rate)
        now = self.get_parameters()
        velocity = getattr(self, "velocity", None)
        self.velocity = {name: now[name] - before[name] for name in now}
        if velocity is not None:
            self.set_parameters({name: now[name] + 0.01 * velocity[name] for name in now})
        return loss


def test_a_wrong_path_of_right_gradients_is_found(digits, tmp_path):
    path = probes.make_path(digits, steps=5)
    frame = rows_of(Momentum, probes.make_probes(digits)[:1], path)
    assert set(run.first_difference(frame)["stage"]) == {"training path"}
    failed = frame[~frame["passed"].astype(bool)]
    assert set(failed["quantity"]) == {f"path_{name}" for name in ("conv_weight", "dense_weight", "dense_bias")}


class Leaking(Layers):
    """Adds the bias gradient of the call before."""

    left = 0.0

    def gradients(self, images, labels):
        found = super().gradients(images, labels)
        now, self.left = (
            found["dense_bias"].copy(),
            found["dense_bias"].copy() if isinstance(self.left, float) else self.left,
        )
        found["dense_bias"] = now + (0 if self.left is now else self.left * 1e-3)
        return found


def test_state_that_leaks_into_the_second_call_is_found(digits, tmp_path):
    frame = rows_of(Leaking, probes.make_probes(digits)[:2])
    assert set(frame[~frame["passed"].astype(bool)]["quantity"]) == {"d_dense_bias"}


class Raising(Layers):
    """Cannot go backward through the pool."""

    def backward_stage(self, stage, x, upstream, labels=None):
        if stage == "pool":
            raise ArithmeticError("no way")
        return super().backward_stage(stage, x, upstream, labels)


def test_what_raises_fails_where_it_raised_and_the_rest_is_judged(digits, tmp_path):
    frame = rows_of(Raising, probes.make_probes(digits)[:1])
    failed = frame[~frame["passed"].astype(bool)]
    assert set(failed["quantity"]) == {"d_conv"}
    assert set(failed["outcome"]) == {"raised"}
    assert failed["note"].iloc[0] == "ArithmeticError: no way"


class Narrow(Layers):
    """Computes in float32 whatever it is asked for."""

    def predict(self, images):
        return super().predict(images).astype(np.float32)


def test_another_dtype_or_shape_is_a_difference(digits, tmp_path):
    frame = rows_of(Narrow, probes.make_probes(digits)[:1])
    failed = frame[~frame["passed"].astype(bool)]
    assert failed["note"].tolist() == ["found dtype float32, wanted float64"]


@pytest.mark.parametrize("name", ["definition", "definition-same", "definition-ties"])
def test_loops_and_arbiter_agree_on_every_function(digits, name):
    case = next(probe for probe in probes.make_probes(digits) if probe.name == name).rounded("float64")
    by_loops, by_arbiter = (
        whole_pass(Stages(module, case.padding, Rounding.of("float64")), case.images, case.labels, case.parameters)
        for module in (definition, arbiter)
    )
    for quantity, bounded in by_loops.items():
        assert judge.measure(by_arbiter[quantity].value, bounded).allowance_used <= 1
        assert by_arbiter[quantity].allowance == pytest.approx(bounded.allowance, rel=1e-9)


def test_measure_finds_the_worst_use_of_an_allowance_and_never_lets_nan_pass():
    expected = Bounded(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.0, 1.0]))
    error = judge.measure(np.array([1.05, 2.0, 3.2]), expected)
    assert error.worst_index == (0,)
    assert error.allowance_used == pytest.approx(0.5)
    assert error.max_abs_error == pytest.approx(0.2)
    assert judge.measure(np.array([1.0, 2.1, 3.0]), expected).allowance_used == np.inf
    assert judge.measure(np.array([1.0, 2.0, np.nan]), expected).allowance_used == np.inf
    nan = Bounded(np.array([np.nan]), np.array([1.0]))
    assert judge.measure(np.array([np.nan]), nan).allowance_used == np.inf


def test_near_ties_are_known_and_either_order_is_right():
    x = Bounded(np.array([[1.0, 1.0 + 1e-9], [0.5, 1.0]])[None, :, :, None], np.full((1, 2, 2, 1), 1e-8))
    assert near_ties(x).ravel().tolist() == [True, True, False, True]
    stages = Stages(arbiter, "valid", Rounding.of("float64"))
    upstream = Bounded.exact(np.array([3.0]).reshape(1, 1, 1, 1))
    right = stages.pool_backward(x, upstream)
    for corner, accepted in (((0, 0), True), ((0, 1), True), ((1, 0), False), ((1, 1), True)):
        found = np.zeros((1, 2, 2, 1))
        found[0, *corner, 0] = 3.0
        routed = expected.routed(right, x, upstream, found)
        assert routed.near_ties == 1
        assert (judge.measure(found, routed).allowance_used == 0) is accepted, corner
    twice = np.zeros((1, 2, 2, 1))
    twice[0, 0] = 3.0
    assert judge.measure(twice, expected.routed(right, x, upstream, twice)).allowance_used == np.inf


def test_a_near_tie_moves_the_filters_by_the_difference_of_the_patches_and_a_flat_one_not_at_all():
    rng = np.random.default_rng(0)
    d_pool = Bounded.exact(np.array([2.0]).reshape(1, 1, 1, 1))
    conv = Bounded(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)))
    flat = np.full((1, 4, 4, 1), 0.25)
    assert not near_tie_filters(flat, conv, d_pool, "valid").any()
    images = rng.standard_normal((1, 4, 4, 1))
    loose = near_tie_filters(images, conv, d_pool, "valid")
    patches = [images[0, i : i + 3, j : j + 3, 0] for i in (0, 1) for j in (0, 1)]
    for other in patches[1:]:
        assert (loose[:, :, 0, 0] >= 2 * np.abs(other - patches[0]) - 1e-12).all()


def test_the_allowance_in_float64_is_about_2_to_the_29_of_that_in_float32(digits):
    case = probes.make_probes(digits)[0].rounded("float32")
    wide, narrow = (
        whole_pass(
            Stages(arbiter, "valid", Rounding.of(dtype)),
            case.images.astype(float),
            case.labels,
            {name: value.astype(float) for name, value in case.parameters.items()},
        )
        for dtype in ("float64", "float32")
    )
    for quantity in ("conv", "logits", "loss", "d_logits", "d_dense_weight"):
        ratio = (narrow[quantity].allowance / wide[quantity].allowance).max()
        # half of it, since a float64 result is judged by a float64 arbiter whose own rounding counts as well
        assert ratio == pytest.approx(2**28, rel=0.1)


def test_nobody_is_accused_and_small_errors_are_caught():
    frame = sharpness.sharpness("numpy-layers,torch", cases=30, seed=5, threads=[1], progress=False)
    assert frame.attrs["accused"] == []
    assert (frame["quantities"] > 900).all()
    by_dtype = frame.groupby("dtype")["smallest_caught"].max()
    assert by_dtype["float64"] < 1e-9
    assert by_dtype["float32"] < 1e-4


def test_sharpness_accuses_a_wrong_network():
    defect = next(d for d in DEFECTS if d.name == "loss in bits")
    _, meta = sharpness.measure({"cases": 4, "seed": 0}, inserted(Layers, defect.change))
    for found in meta["found"].values():
        assert any("loss: differs" in line for line in found["accused"])


def test_a_smallest_error_is_caught_indeed():
    case = sharpness.random_case(1).rounded("float64")
    bounded = expected.Expected(case, judge.right_stages(case, "float64"), {}).of("alone", "logits")
    error = bounded.allowance.max() * 1.01
    for index in np.ndindex(bounded.value.shape):
        found = bounded.value.copy()
        found[index] += error
        assert judge.measure(found, bounded).allowance_used > 1
