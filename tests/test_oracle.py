"""Three ways in float64 against 50 digits: every activation and every gradient is within its own rounding.

The expected values come from `oracle.py` alone. The allowances are the formulas of `compare.verdict.allowances`, filled
with the oracle's numbers, and with one unit roundoff where the verdict allows two: the oracle itself does not round.
"""

import functools
from dataclasses import dataclass

import numpy as np
import oracle
import pytest
from mpmath import mp, mpf
from mutants import MUTANTS, load_mutant

from compare.graph import STAGE_OF, STAGE_ORDER
from compare.verdict.allowances import Bounded, Rounding, Stages, near_ties
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.one_by_one import Loops

WAYS = {"layers": Layers, "loops": Loops, "fused": Fused}
EXACT = Rounding(2.0**-53, float(np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class Case:
    """A random network: images (N, H, W, C) and the rest of its geometry; `ties` makes flat regions, all exact."""

    seed: int
    shape: tuple
    filters: int
    classes: int
    padding: str
    ties: bool = False


CASES = [
    Case(0, (1, 4, 5, 1), 1, 2, "valid"),
    Case(1, (2, 7, 6, 2), 3, 4, "same"),
    Case(2, (3, 6, 9, 3), 2, 5, "valid"),
    Case(3, (1, 3, 8, 3), 4, 3, "same"),
    Case(4, (3, 8, 5, 1), 5, 10, "valid"),
    Case(5, (2, 5, 4, 3), 2, 6, "same"),
    Case(6, (2, 9, 7, 2), 3, 3, "valid"),
    Case(7, (3, 4, 6, 1), 3, 7, "same"),
    Case(8, (1, 10, 6, 1), 2, 4, "valid", ties=True),
    Case(9, (3, 5, 8, 2), 2, 3, "same", ties=True),
    Case(10, (2, 7, 9, 3), 3, 5, "valid", ties=True),
    Case(11, (2, 6, 3, 1), 4, 2, "same", ties=True),
]
by_seed = pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed{case.seed}")
by_way = pytest.mark.parametrize("way", WAYS)


class Reference:
    """The oracle's stages as `Stages` asks for them: float64 in, float64 out. Only allowances are made of these."""

    @staticmethod
    def _forward(stage, **given):
        return oracle.alone(stage, given)[0].astype(np.float64)

    @staticmethod
    def _backward(stage, upstream, **given):
        found = oracle.alone(stage, given, upstream)[1]
        return tuple(gradient.astype(np.float64) for gradient in found.values())

    def conv(self, x, w, padding):
        return self._forward("conv", x=x, w=w, padding=padding)

    def conv_backward(self, x, w, dy, padding, need_dx=True):
        return self._backward("conv", dy, x=x, w=w, padding=padding)

    def pool(self, x):
        return self._forward("pool", x=x)

    def pool_backward(self, x, dy):
        return self._backward("pool", dy, x=x)[0]

    def dense(self, x, w, bias):
        return self._forward("logits", x=x, w=w, bias=bias)

    def dense_backward(self, x, w, d):
        return self._backward("logits", d, x=x, w=w, bias=np.zeros(w.shape[1]))

    def probabilities(self, logits):
        return self._forward("probabilities", logits=logits)

    def loss(self, logits, labels):
        return self._forward("loss", logits=logits, labels=labels)

    def loss_backward(self, logits, labels):
        return self._backward("loss", np.array(1.0), logits=logits, labels=labels)[0]


def draw(case):
    """(images, labels, parameters), float64. Without ties every number is used to its last bit."""
    rng = np.random.default_rng(case.seed)
    images = rng.uniform(-0.5, 0.5, case.shape) * np.linspace(0.5, 2, case.shape[3])
    weights = {
        name: rng.standard_normal(value.shape) * {"conv_weight": 0.5, "dense_weight": 2.0, "dense_bias": 0.5}[name]
        for name, value in network(Layers, case).get_parameters().items()
    }
    if case.ties:
        # images and filters in multiples of 1/4: conv is exact in any order of sums, so a tie is a tie for everybody
        images = np.round(images * 4) / 4
        images[:, :, : case.shape[2] // 2] = 0.25
        weights["conv_weight"] = np.round(weights["conv_weight"] * 4) / 4
    return images, rng.integers(0, case.classes, case.shape[0]), weights


def network(way, case):
    return way(case.shape[1:], case.filters, case.classes, case.padding, np.float64)


@functools.cache
def expected_whole(case):
    """(value, allowance) by quantity of a whole pass; allowances are carried from stage to stage."""
    images, labels, weights = draw(case)
    w, dense_w, bias = weights.values()
    stages = Stages(Reference(), case.padding, EXACT)
    conv = stages.conv(images, w)
    if case.ties:
        assert (near_ties(conv).sum(axis=-1) > 1).any()
        conv = Bounded.exact(conv.value)
    else:
        assert (near_ties(conv).sum(axis=-1) == 1).all()  # no maximum that rounding could move
    pool = stages.pool(conv)
    logits = stages.dense(pool, dense_w, bias)
    d_logits = stages.loss_backward(logits, labels)
    back = stages.dense_backward(pool, dense_w, d_logits)
    d_conv = stages.pool_backward(conv, back["pool"])
    back |= stages.conv_backward(images, w, d_conv)
    allowed = {"conv": conv, "pool": pool, "logits": logits, "probabilities": stages.probabilities(logits)}
    allowed |= {"loss": stages.loss(logits, labels), "d_logits": d_logits, "d_conv": d_conv}
    allowed |= {f"d_{name}": bounded for name, bounded in back.items()}
    exact = oracle.whole(images, labels, weights, case.padding)
    assert set(allowed) == set(exact)
    return {name: (exact[name], allowed[name].allowance) for name in exact}


def observed_whole(way, case):
    images, labels, weights = draw(case)
    model = network(way, case)
    model.set_parameters(weights)
    found = model.activations(images, labels)
    return found | {f"d_{name}": value for name, value in model.gradients(images, labels).items()}


@functools.cache
def inputs_alone(case):
    """What each stage is given when it is asked alone: its arguments, and a random upstream gradient."""
    images, labels, weights = draw(case)
    w, dense_w, bias = weights.values()
    right = oracle.whole(images, labels, weights, case.padding)
    conv, pool, logits = (right[name].astype(np.float64) for name in ("conv", "pool", "logits"))
    rng = np.random.default_rng([case.seed, 1])
    return {
        "conv": ({"images": images, "conv_weight": w, "padding": case.padding}, rng.standard_normal(conv.shape)),
        "pool": ({"conv": conv}, rng.standard_normal(pool.shape)),
        "logits": ({"pool": pool, "dense_weight": dense_w, "dense_bias": bias}, rng.standard_normal(logits.shape)),
        "probabilities": ({"logits": logits}, None),
        "loss": ({"logits": logits, "labels": labels}, rng.standard_normal(())),
    }


@functools.cache
def expected_alone(case):
    """(value, allowance) by quantity of each stage alone, its input exact: only its own rounding is allowed."""
    stages = Stages(Reference(), case.padding, EXACT)
    inputs = inputs_alone(case)
    exact = {}
    for stage, (given, upstream) in inputs.items():
        exact[stage], gradients = oracle.alone(stage, given, upstream)
        exact |= {f"d_{name}": value for name, value in gradients.items()}
    (images, w), (conv,) = (list(inputs[stage][0].values())[:n] for stage, n in (("conv", 2), ("pool", 1)))
    pool, dense_w, bias = inputs["logits"][0].values()
    logits, labels = (Bounded.exact(inputs["loss"][0]["logits"]), inputs["loss"][0]["labels"])
    conv, pool = Bounded.exact(conv), Bounded.exact(pool)
    up = {stage: None if upstream is None else Bounded.exact(upstream) for stage, (_, upstream) in inputs.items()}
    allowed = {"conv": stages.conv(images, w), "pool": stages.pool(conv), "logits": stages.dense(pool, dense_w, bias)}
    allowed |= {"probabilities": stages.probabilities(logits), "loss": stages.loss(logits, labels)}
    back = {"logits": stages.loss_backward(logits, labels, float(up["loss"].value))}
    back |= {"conv": stages.pool_backward(conv, up["pool"]), **stages.dense_backward(pool, dense_w, up["logits"])}
    back |= stages.conv_backward(images, w, up["conv"])
    allowed |= {f"d_{name}": bounded for name, bounded in back.items()}
    assert set(allowed) == set(exact)
    return {name: (exact[name], allowed[name].allowance) for name in exact}


def observed_alone(way, case):
    model = network(way, case)
    model.set_parameters(draw(case)[2])
    found = {}
    for stage, (given, upstream) in inputs_alone(case).items():
        x, labels = next(iter(given.values())), given.get("labels")
        found[stage] = model.forward_stage(stage, x, labels)
        if upstream is not None:
            found |= {f"d_{name}": v for name, v in model.backward_stage(stage, x, upstream, labels).items()}
    return found


def allowance_used(found, expected):
    """The largest share of an allowance by quantity; the errors themselves are taken in 50 digits."""
    assert set(found) == set(expected)
    return {name: _share(found[name], *expected[name]) for name in expected}


def _share(found, exact, allowance):
    found = np.asarray(found)
    assert found.dtype == np.float64
    assert found.shape == exact.shape == allowance.shape
    if not np.isfinite(found).all():
        return np.inf
    worst = 0.0
    with mp.workdps(oracle.DIGITS):
        for index in np.ndindex(found.shape):
            error = abs(mpf(float(found[index])) - exact[index])
            share = 0.0 if error == 0 else float(error / allowance[index]) if allowance[index] else np.inf
            worst = max(worst, share)
    return worst


MODES = {"whole": (observed_whole, expected_whole), "alone": (observed_alone, expected_alone)}


@by_seed
@by_way
@pytest.mark.parametrize("mode", MODES)
def test_within_the_allowance_of_50_digits(mode, way, case, record_property):
    observed, expected = MODES[mode]
    used = allowance_used(observed(WAYS[way], case), expected(case))
    record_property("allowance_used", used)
    print(f"{mode}, {way}, seed {case.seed}:", ", ".join(f"{name} {share:.0%}" for name, share in used.items()))
    assert max(used.values()) <= 1, used


def test_the_cases_cover_what_can_go_wrong():
    assert {case.shape[0] for case in CASES} == {case.shape[3] for case in CASES} == {1, 2, 3}
    assert all(case.shape[1] != case.shape[2] for case in CASES)
    assert {(case.padding, case.ties) for case in CASES} == {(p, t) for p in ("valid", "same") for t in (True, False)}
    # an odd last row, and an odd last column, for the pool to drop
    borders = {"valid": 2, "same": 0}
    for axis in (1, 2):
        assert any((case.shape[axis] - borders[case.padding]) % 2 for case in CASES)


@pytest.mark.parametrize("case", [CASES[1], CASES[2]], ids=lambda case: f"seed{case.seed}")
def test_the_gradients_of_the_oracle_are_the_quotients_of_its_losses(case):
    """Central differences with h = 1e-15 in 50 digits: their own error is about h^2 plus 1e-50 / h, far below 1e-25."""
    images, labels, weights = draw(case)
    gradients = oracle.whole(images, labels, weights, case.padding)
    given = {"images": images, **weights}
    rng = np.random.default_rng(case.seed)
    with mp.workdps(oracle.DIGITS):
        h = mpf(10) ** -15
        for name, start in given.items():
            for flat in rng.choice(start.size, min(start.size, 6), replace=False):
                index = np.unravel_index(flat, start.shape)
                losses = []
                for sign in (1, -1):
                    moved = start.astype(object)
                    moved[index] = mpf(start[index]) + sign * h
                    changed = {**given, name: moved}
                    of_images = changed.pop("images")
                    losses.append(oracle.whole(of_images, labels, changed, case.padding)["loss"].item())
                quotient = (losses[0] - losses[1]) / (2 * h)
                assert abs(gradients[f"d_{name}"][index] - quotient) < mpf(10) ** -25, (name, index)


def test_the_oracle_knows_the_example_by_hand():
    image = np.array([[0.0, 50, 0, 29], [0, 80, 31, 2], [33, 90, 0, 75], [0, 9, 0, 95]])[None, :, :, None]
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[:, :, None, None]
    conv, _ = oracle.alone("conv", {"x": image, "w": sobel, "padding": "valid"})
    assert conv[0, :, :, 0].tolist() == [[29, -192], [-35, -22]]
    pool, gradients = oracle.alone("pool", {"x": np.full((1, 2, 2, 1), 7.0)}, np.full((1, 1, 1, 1), 3.0))
    assert pool.ravel().tolist() == [7]
    assert gradients["x"].ravel().tolist() == [3, 0, 0, 0]
    loss, gradients = oracle.alone("loss", {"z": np.array([[1e4, 0.0]]), "labels": np.array([1])}, np.array(1.0))
    assert loss.item() == 10000
    assert gradients["z"].astype(float).tolist() == [[1, -1]]


@pytest.mark.parametrize("name", MUTANTS)
def test_the_oracle_convicts_a_wrong_network(name, tmp_path, monkeypatch):
    mutant = load_mutant(tmp_path, name, monkeypatch)
    for mode, (observed, expected) in MODES.items():
        failed = set()
        for case in (CASES[2], CASES[9]):
            used = allowance_used(observed(mutant, case), expected(case))
            failed |= {quantity for quantity, share in used.items() if not share <= 1}
        first = min((STAGE_OF[quantity] for quantity in failed), key=STAGE_ORDER.get)
        assert first == MUTANTS[name][3], (mode, failed)


def test_the_oracle_convicts_arithmetic_in_float32():
    class Narrow(Layers):
        def forward_stage(self, stage, x, labels=None):
            return np.asarray(super().forward_stage(stage, np.asarray(x, np.float32), labels)).astype(np.float64)

    used = allowance_used(observed_alone(Narrow, CASES[1]), expected_alone(CASES[1]))
    assert min(used[name] for name in ("conv", "logits", "probabilities", "loss")) > 1e3


def test_an_error_in_the_13th_digit_is_convicted_in_every_quantity_of_a_stage_alone():
    """The smallest relative error that an allowance lets nobody have: printed, and below 1e-13 for each quantity."""
    caught = {}
    for case in CASES:
        for name, (exact, allowance) in expected_alone(case).items():
            allowed = allowance / np.maximum(np.abs(exact.astype(np.float64)), 1e-300)
            caught[name] = max(caught.get(name, 0.0), float(allowed.min()))
    print("smallest relative error caught in every case:", {name: f"{error:.1e}" for name, error in caught.items()})
    assert max(caught.values()) < 1e-13
