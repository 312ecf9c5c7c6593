"""The judgement of optimisers: what people get wrong is caught, in both dtypes, and what is right is not."""

from types import SimpleNamespace

import numpy as np
import pytest

import compare
import numpy_cnn.optimisers as right
from compare import output
from compare.cells import limits
from compare.graph import OPTIMISERS
from compare.verdict import check_probes, probes, run
from compare.verdict.packing import Question, pack, unpack
from compare.verdict.updates import ask, judge_updates, make_updates

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(scope="module")
def given():
    return make_updates(probes.make_path(limits.load("sample")))


def outcomes(given, dtype, module, conventions=None):
    """{optimiser: its row} of a module's `updates`."""
    found, raised = ask(given, dtype, module)
    rows = judge_updates("it", given, dtype, found, raised, conventions or {})
    return {row["quantity"].removeprefix("update_"): row for row in rows}


# each gives (new parameter, new state); state is None at first


def momentum_outside(w, d, state, rate, s):
    v = s["momentum"] * (0 if state is None else state) + d
    return w - rate * v, v


def momentum_damped(w, d, state, rate, s):
    v = s["momentum"] * (0 if state is None else state) - (1 - s["momentum"]) * rate * d
    return w + v, v


def nesterov_outside(w, d, state, rate, s):
    v = s["momentum"] * (0 if state is None else state) + d
    return w - rate * (d + s["momentum"] * v), v


def nesterov_without_looking_ahead(w, d, state, rate, s):
    return momentum_inside(w, d, state, rate, s)


def nesterov_with_the_old_velocity(w, d, state, rate, s):
    old = np.zeros_like(w) if state is None else state
    v = s["momentum"] * old - rate * d
    return w + s["momentum"] * old - rate * d, v


def momentum_inside(w, d, state, rate, s):
    v = s["momentum"] * (0 if state is None else state) - rate * d
    return w + v, v


def adam(epsilon_in_root=False, hat=False, bias=(True, True), first=1, decay="none", root=True, fused=False):
    """Adam with one thing or another wrong."""

    def step(w, d, state, rate, s):
        t, m, v = (first - 1, 0, 0) if state is None else state
        t += 1
        if decay == "l2":
            d = d + s["weight_decay"] * w
        m = m + (1 - s["beta1"]) * (d - m) if fused else s["beta1"] * m + (1 - s["beta1"]) * d
        v = v + (1 - s["beta2"]) * (d * d - v) if fused else s["beta2"] * v + (1 - s["beta2"]) * d * d
        c1, c2 = (1 - s[f"beta{n}"] ** t if bias[n - 1] else 1 for n in (1, 2))
        if epsilon_in_root:
            below = np.sqrt(v / c2 + s["epsilon"])
        elif hat:
            below = (np.sqrt(v) + s["epsilon"]) / c2**0.5
        else:
            below = (np.sqrt(v / c2) if root else v / c2) + s["epsilon"]
        moved = w - rate * (m / c1) / below
        if decay == "decoupled":
            moved = moved - rate * s["weight_decay"] * w
        if decay == "without the rate":
            moved = moved - s["weight_decay"] * w
        if decay == "of the moved":
            moved = moved - rate * s["weight_decay"] * moved
        return moved, (t, m, v)

    return step


WRONG = {
    "rate outside the velocity": ("momentum", momentum_outside),
    "gradient times 1 - momentum": ("momentum", momentum_damped),
    "nesterov, rate outside": ("nesterov", nesterov_outside),
    "no look ahead": ("nesterov", nesterov_without_looking_ahead),
    "looks along the old velocity": ("nesterov", nesterov_with_the_old_velocity),
    "epsilon in the root": ("adam", adam(epsilon_in_root=True)),
    "epsilon beside the uncorrected root": ("adam", adam(hat=True)),
    "no bias correction": ("adam", adam(bias=(False, False))),
    "no bias correction of m": ("adam", adam(bias=(False, True))),
    "no bias correction of v": ("adam", adam(bias=(True, False))),
    "time begins at 2": ("adam", adam(first=2)),
    "no root": ("adam", adam(root=False)),
    "L2 for decay": ("adamw", adam(decay="l2")),
    "no decay": ("adamw", adam()),
    "decay without the rate": ("adamw", adam(decay="without the rate")),
    "decay of what has moved": ("adamw", adam(decay="of the moved")),
}
RIGHT = {
    "momentum": ("momentum", momentum_inside, {}),
    "rate outside, said so": ("momentum", momentum_outside, {"rate": "outside"}),
    "nesterov, rate outside, said so": ("nesterov", nesterov_outside, {"rate": "outside"}),
    "adam": ("adam", adam(), {}),
    "moments as interpolation": ("adam", adam(fused=True), {}),
    "epsilon beside the uncorrected root, said so": ("adam", adam(hat=True), {"epsilon": "uncorrected"}),
    "decoupled decay": ("adamw", adam(decay="decoupled", fused=True), {}),
}


def module_of(step):
    def updates(name, settings, start, gradients, rates):
        parameter, state, found = start, None, []
        for gradient, rate in zip(gradients, rates, strict=True):
            parameter, state = step(parameter, gradient, state, float(rate), settings)
            found.append(parameter)
        return np.stack(found)

    return SimpleNamespace(updates=updates)


@both_dtypes
@pytest.mark.parametrize(("name", "step"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_caught(given, dtype, name, step):
    row = outcomes(given, dtype, module_of(lambda *a: step(*a[:4], given.settings[name])))[name]
    assert row["outcome"] == "differs" and 10 < row["allowance_used"] < np.inf, row


@both_dtypes
@pytest.mark.parametrize(("name", "step", "conventions"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_not(given, dtype, name, step, conventions):
    row = outcomes(given, dtype, module_of(lambda *a: step(*a[:4], given.settings[name])), conventions)[name]
    assert row["outcome"] == "agrees", row


@both_dtypes
def test_the_settings_reach_the_optimiser(given, dtype):
    """Each of them changes what comes out: one that is left at its default is caught."""
    for name, settings in given.settings.items():
        for left_out in settings:

            def updates(optimiser, own, *rest, left_out=left_out):
                return right.updates(optimiser, {k: v for k, v in own.items() if k != left_out}, *rest)

            assert outcomes(given, dtype, SimpleNamespace(updates=updates))[name]["outcome"] == "differs", left_out


def flushing(name, settings, start, gradients, rates):
    """The optimisers where every number below the smallest normal one is 0, as on TensorFlow and XLA."""

    def f(x):
        return np.where(np.abs(x) < np.finfo(start.dtype).tiny, 0, x).astype(start.dtype)

    w, v, m, found = f(start), np.zeros_like(start), np.zeros_like(start), []
    for t, (d, rate) in enumerate(zip(map(f, gradients), map(float, rates), strict=True), 1):
        if name in ("sgd", "momentum", "nesterov"):
            momentum = settings.get("momentum", 0.0)
            v = f(f(momentum * v) - f(rate * d))
            w = f(w + f(f(momentum * v) - f(rate * d))) if name == "nesterov" else f(w + v)
        else:
            m = f(m + f(f(d - m) * (1 - settings["beta1"])))
            v = f(v + f(f(f(d * d) - v) * (1 - settings["beta2"])))
            c1, c2 = (1 - settings[beta] ** t for beta in ("beta1", "beta2"))
            decayed = f(w - f(f(w * settings.get("weight_decay", 0.0)) * rate))
            w = f(decayed - f(f(f(m * rate) / c1) / (f(np.sqrt(f(v / c2))) + settings["epsilon"])))
        found.append(w)
    return np.stack(found)


@both_dtypes
@pytest.mark.parametrize("module", [right, SimpleNamespace(updates=flushing)], ids=["numpy_cnn", "flushing"])
@pytest.mark.parametrize("seed", range(8))
def test_random_gradients_of_any_size_accuse_no_right_one(dtype, module, seed):
    """Gradients over 60 powers of ten, zeros, and parameters from 0 to 1e6: 8 x 5 x 100 steps of 50 numbers."""
    rng = np.random.default_rng(seed)
    gradients = rng.standard_normal((100, 50)) * 10.0 ** rng.integers(-45, 3, 50) * rng.integers(0, 2, (100, 50))
    start = rng.standard_normal(50) * 10.0 ** rng.integers(-6, 7, 50) * rng.integers(0, 2, 50)
    given = type(make_small())(start, gradients, rng.uniform(1e-4, 0.5, 100), make_small().settings)
    for row in outcomes(given, dtype, module).values():
        assert row["outcome"] == "agrees", row


def make_small():
    path = check_probes.path(0, check_probes.SMALL, 2)
    return make_updates(path)


def test_an_error_as_small_as_a_few_roundings_is_caught(given):
    """One number at one step off by 8 ulp of itself: the allowance of a step is that of about three roundings."""
    found, _ = ask(given, "float32", right)
    for name in OPTIMISERS:
        value = found["update", name].copy()
        value[60, 3] *= 1 + 8 * np.finfo("float32").eps
        rows = judge_updates("it", given, "float32", {("update", name): value}, {}, {})
        assert next(row for row in rows if row["quantity"] == f"update_{name}")["outcome"] == "differs", name


def test_what_raises_is_no_pass_and_what_is_missing_not_offered(given):
    def updates(name, *rest):
        if name == "adam":
            raise KeyError("beta1")
        return {"momentum": np.full(given.gradients.shape, np.nan), "sgd": np.zeros(3)}.get(name, np.zeros((2, 2), int))

    rows = outcomes(given, "float64", SimpleNamespace(updates=updates))
    assert rows["adam"]["outcome"] == "raised" and "beta1" in rows["adam"]["note"]
    assert rows["momentum"]["outcome"] == "not reached" and not rows["momentum"]["passed"]
    assert rows["sgd"]["outcome"] == rows["nesterov"]["outcome"] == "differs"
    nothing = judge_updates("it", given, "float64", {}, {}, {})
    assert [row["outcome"] for row in nothing] == ["not offered"] * 5


def test_a_question_with_updates_goes_into_a_file_and_out(given):
    question = unpack(*pack(Question([], ("float32",), None, given)))
    assert question.updates.settings == given.settings and question.dtypes == ("float32",)
    for name in ("start", "gradients", "rates"):
        assert (getattr(question.updates, name) == getattr(given, name)).all()


def test_the_optimisers_alone_by_command():
    frame = compare.parity("numpy-layers,numpy-fused", "sample", optimisers=True)
    assert len(frame) == 2 * 2 * len(OPTIMISERS) and (frame["outcome"] == "agrees").all()
    assert (frame["own_defaults"] < 1e-6).all()  # numpy_cnn's own are those of the papers
    table = output.optimisers_table(frame)
    assert list(table["optimiser"]) == [name for name in OPTIMISERS for _ in range(2)]
    assert output.exit_code(frame) == 0
    assert run.with_optimisers() == ["numpy-fused", "torch", "keras-tensorflow", "keras-jax", "keras-torch", "jax"]


def test_an_optimiser_with_another_definition_ends_elsewhere(given):
    """Rate outside the velocity: agrees where it is said, and its distance from the paper's is shown."""
    rows = outcomes(given, "float64", module_of(lambda *a: momentum_outside(*a[:4], given.settings["momentum"])))
    said = {"rate": "outside"}
    row = outcomes(given, "float64", module_of(lambda *a: momentum_outside(*a[:4], given.settings["momentum"])), said)
    assert rows["momentum"]["outcome"] == "differs" and row["momentum"]["outcome"] == "agrees"
    assert row["momentum"]["note"] == "rate outside the velocity" and 0.01 < row["momentum"]["distance"] < 0.1
