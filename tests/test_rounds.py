"""The statistics of rounds, held to simulated noise whose truth is known; baselines; the same against the same."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from compare import cli, contract
from compare.clock import baseline, campaign
from compare.clock import speed as timing
from compare.clock.rounds import FASTER, SAME, SLOWER, WIDEST, Ratio, change, difference, paired_ratio


def test_ratio_by_hand():
    """Logarithms of 2 and 8 times 0.5: mean log 2, deviation log 4 / sqrt(2), t(0.975, 1) = 12.7062."""
    found = paired_ratio({0: 2.0, 1: 8.0, 7: 1.0}, {0: 2.0, 1: 2.0, 5: 3.0})
    assert found.rounds == 2
    assert found.value == pytest.approx(2.0)
    half = 12.706205 * (math.log(4) / math.sqrt(2)) / math.sqrt(2)
    assert (found.low, found.high) == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)))


def test_what_one_round_or_none_can_tell():
    assert paired_ratio({0: 2.0}, {1: 1.0}).rounds == 0
    one = paired_ratio({0: 2.0}, {0: 1.0})
    assert (one.value, one.rounds) == (2.0, 1) and math.isnan(one.low)
    assert difference(one) == ""


@pytest.mark.parametrize(
    ("ratio", "floor", "wanted"),
    [
        ((1.2, 1.1, 1.3), 0.05, SLOWER),
        ((0.8, 0.7, 0.9), 0.05, FASTER),
        ((1.2, 0.9, 1.5), 0.05, SAME),  # the interval holds 1
        ((1.04, 1.02, 1.06), 0.05, SAME),  # no larger than what the same differs from itself
        ((0.96, 0.94, 0.98), 0.05, SAME),
        ((1.04, 1.02, 1.06), math.nan, SLOWER),  # nothing is known of the floor
    ],
)
def test_difference(ratio, floor, wanted):
    assert difference(Ratio(*ratio, 5), floor) == wanted


CAMPAIGNS = 2000


def simulated(noise, rounds=5, ratio=1.3, runs=CAMPAIGNS):
    """Of `runs` campaigns: how many intervals hold the true ratio. Times are `noise`, with a drift that both share."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(runs):
        drift = np.exp(rng.normal(0, 0.2, rounds))
        a, b = (dict(enumerate(drift * noise(rng, rounds))) for _ in range(2))
        found = paired_ratio({turn: ratio * seconds for turn, seconds in b.items()}, a)
        held += found.low <= ratio <= found.high
    return held / runs


@pytest.mark.parametrize(
    "noise",
    [lambda rng, n: np.exp(rng.normal(0, 0.05, n)), lambda rng, n: rng.normal(1, 0.03, n)],
    ids=["lognormal", "normal"],
)
def test_the_interval_holds_the_truth_in_95_of_100(noise):
    """Of 2,000 the share deviates by 0.5 points (one standard deviation); 1.5 points are three of them."""
    assert simulated(noise) == pytest.approx(0.95, abs=0.015)


def test_with_noise_that_only_slows_the_interval_is_on_the_safe_side():
    """Of two times that are now and then much too long the logarithms' difference has long tails on both sides, where
    Student's t is known to be conservative (Benjamini, 1983)."""
    assert simulated(lambda rng, n: 1 + rng.exponential(0.05, n)) > 0.95


def test_stopping_once_sure_costs_little():
    """Rounds added while the interval is wide: the share that holds the truth, from 5 rounds up to 30."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(CAMPAIGNS):
        a, b = {}, {}
        while len(a) < 30 and (len(a) < 5 or paired_ratio(b, a).width > WIDEST):
            a[len(a)], b[len(b)] = np.exp(rng.normal(0, 0.06, 2))
        found = paired_ratio(b, a)
        held += found.low <= 1 <= found.high
    assert 0.92 < held / CAMPAIGNS < 0.97


def test_the_same_against_the_same_is_called_different_in_less_than_5_of_100():
    """With the noise floor of a third; without it 5 of 100 are expected."""
    rng = np.random.default_rng(11)
    called = 0
    for _ in range(CAMPAIGNS):
        reference, again, contender = (dict(enumerate(np.exp(rng.normal(0, 0.05, 5)))) for _ in range(3))
        floor = paired_ratio(again, reference).floor
        called += difference(paired_ratio(contender, reference), floor) != SAME
    assert called / CAMPAIGNS < 0.05


def test_a_change_between_runs_by_simulation():
    """Two runs of the same truth: the interval of the change holds 1 in 95 of 100."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(CAMPAIGNS):
        runs = [paired_ratio(*(dict(enumerate(np.exp(rng.normal(0, s, 5)))) for s in (0.05, 0.02))) for _ in range(2)]
        found = change(*runs)
        held += found.low <= 1 <= found.high
    assert 0.94 < held / CAMPAIGNS < 0.975  # Welch's is a little wide where samples are few


def frame(ratios, threads=1, version="2", shape=(28, 28, 1), rounds=5):
    """Rows of speed: torch against numpy-fused, by batch size its (ratio, low, high)."""
    rows = [("numpy-fused", size, 1.0, math.nan, math.nan) for size in ratios]
    rows += [("torch", size, *ratio) for size, ratio in ratios.items()]
    columns = ["implementation", "batch_size", "ratio", "ratio_low", "ratio_high"]
    made = pd.DataFrame(rows, columns=columns)
    made = made.assign(task="train", threads=threads, outcome="timed", rounds=rounds, note="")
    made = made.reindex(columns=timing.COLUMNS)
    implementations = {"numpy-fused": "2", "torch": version}
    made.attrs = {"reference": "numpy-fused", "input_shape": shape, "environment": {"implementations": implementations}}
    return made


def written(tmp_path, made, **more):
    from compare import output

    path = tmp_path / "before.json"
    path.write_text(json.dumps(output.document("speed", made) | more))
    return path


SURE = (2.0, 1.98, 2.02)


@pytest.mark.parametrize(
    ("now", "outcome", "said"),
    [
        (frame({1: (2.0, 1.98, 2.02)}), 0, "1.00 times the baseline"),
        (frame({1: (3.0, 2.97, 3.03)}), 1, "1.50 times the baseline"),
        (frame({1: (2.4, 1.9, 3.0)}), 3, "--budget SECONDS narrows it"),
        (frame({1: (2.0, math.nan, math.nan)}, rounds=1), 3, "from one round"),
        (frame({32: SURE}), 3, "torch, train, batch 1: was not timed now"),
        (frame({1: SURE, 32: SURE}), 3, "torch, train, batch 32: is not in the baseline"),
        (frame({1: SURE}, threads=2), 3, "2 thread(s), of the baseline 1"),
        (frame({1: SURE}, version="3"), 3, "version 3, of the baseline 2"),
        (frame({1: SURE}, shape=(8, 8, 1)), 3, "images are [8, 8, 1]"),
        (frame({1: (3.0, 2.97, 3.03), 32: SURE}), 1, "is not in the baseline"),  # slower is worse than missing
    ],
)
def test_baseline(tmp_path, now, outcome, said):
    held = baseline.hold(now, baseline.read(written(tmp_path, frame({1: SURE}))))
    assert baseline.exit_code(held) == outcome
    assert said in "\n".join(line for _, line in held)


def test_a_crash_now_does_not_pass(tmp_path):
    now = frame({1: SURE})
    now.loc[now["implementation"] == "torch", "outcome"] = "crashed"
    assert baseline.exit_code(baseline.hold(now, baseline.read(written(tmp_path, frame({1: SURE}))))) == 3


@pytest.mark.parametrize(
    "more",
    [
        {"command": "parity"},
        {"schema_version": 99},
        {"reference": None, "rows": [{"outcome": "timed"}]},
        {"rows": 3},
        {"environment": {}},
        {"rows": [{"implementation": "a", "task": "b", "batch_size": 1, "outcome": "timed", "ratio": "2"}]},
    ],
)
def test_a_malformed_baseline_is_bad_input(tmp_path, more):
    with pytest.raises(ValueError, match="before.json: found no rows of speed .*, wanted JSON of `speed --json`"):
        baseline.read(written(tmp_path, frame({1: SURE}), **more))


def test_no_baseline_is_no_answer(tmp_path):
    with pytest.raises(contract.UndecidedError, match="found no baseline there"):
        baseline.read(tmp_path / "none.json")
    with pytest.raises(contract.UndecidedError, match="found no row that was timed"):
        baseline.read(written(tmp_path, frame({1: SURE}), rows=[]))
    (tmp_path / "text.json").write_bytes(b"\xff{")
    with pytest.raises(ValueError, match="text.json: found no rows"):
        baseline.read(tmp_path / "text.json")


def test_campaign_counts_what_was_called_different():
    found = campaign.campaign(2, "numpy-fused", "sample", batch_size=1, rounds=2, samples=5, progress=False)
    assert {task: counts["runs"] for task, counts in found.items()} == {"train": 2, "predict": 2}
    lines = campaign.lines({"train": {"runs": 200, "different": 3, "without_1": 9}})
    assert lines == [
        "train: 3 of 200 runs of the same against the same were called different (1.5%); "
        "the interval alone left out 1 in 9"
    ]


def test_speed_with_a_baseline_from_the_command_line(tmp_path, monkeypatch):
    """The reference is that of the baseline, and exit codes come through."""
    import compare

    before = frame({1: SURE})
    given = {}

    def speed(**settings):
        given.update(settings)
        made = frame({1: (3.0, 2.97, 3.03)})
        attrs = {"data": "", "unavailable": {}, "not_timed": [], "noise": [], "costs": [], "thread_mismatches": []}
        made.attrs |= attrs | {"load_average": (None, None), "gemm_flops_per_second": None}
        made.attrs["environment"] |= {"cores": 2, "threads": 1}
        return made.assign(seconds_per_image=1e-5, seconds_per_image_low=1e-5, seconds_per_image_high=1e-5, waited=0.0)

    monkeypatch.setattr(compare, "speed", speed)
    done = CliRunner().invoke(cli.cli, ["speed", "--baseline", str(written(tmp_path, before))], standalone_mode=False)
    assert done.return_value == 1, done.output
    assert given["reference"] == "numpy-fused"
    assert "slower: torch, train, batch 1: 1.50 times the baseline (1.48 - 1.52), limit 1.2" in done.output
    more = ["speed", "--slower", "2", "--baseline", str(written(tmp_path, before))]
    assert CliRunner().invoke(cli.cli, more, standalone_mode=False).return_value == 0
