"""`speed --aa`: the same against the same, many times. How often it is called different tells what others are worth."""

import math
import tempfile

from compare.cells import limits
from compare.clock import turns
from compare.clock.rounds import FASTER, SLOWER, difference, paired_ratio
from compare.progress import progress_bar


def campaign(
    runs,
    implementation,
    data_source=None,
    seed=0,
    batch_size=32,
    threads=1,
    rounds=5,
    samples=100,
    sample_seconds=0.001,
    progress=None,
):
    """Compare an implementation with itself `runs` times, each as `compare.speed` compares two.

    A run has rounds of three processes of the same: as reference, as the reference once more, which gives the noise
    floor, and as the contender.

    Args:
        runs: how many.
        implementation: its name.
        batch_size: images a call.
        data_source, seed, threads, rounds, samples, sample_seconds, progress: as for `compare.speed`.
    Returns:
        By task a dict: `runs` that were decided, how many were called different (`different`), and of how many the
        interval alone did not hold 1 (`without_1`; 5% are expected).
    Raises:
        ValueError: a setting out of range.
    """
    limits.check_whole("aa", runs, most=limits.RUNS)
    dataset = limits.load(data_source)
    same = [(implementation, copy) for copy in range(3)]
    found: dict[str, dict] = {}
    with (
        tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder,
        progress_bar(runs, f"{implementation} against itself", progress) as bar,
    ):
        spec = turns.prepare(folder, dataset, [batch_size], threads, samples, sample_seconds, seed)
        for run in range(runs):
            results = turns.take_turns({**spec, "seed": seed + run}, same, rounds, progress=False)
            _count(results, implementation, found)
            bar.update()
    return found


def _count(results, implementation, found):
    """Add one run's answers to the counts by task."""
    floors = turns.noise_floor(results, implementation)
    base, contender = (turns.seconds_by_round(results, implementation, copy) for copy in (0, 2))
    for key in floors.keys() & contender.keys():
        ratio = paired_ratio(contender[key], base[key])
        counts = found.setdefault(key[0], {"runs": 0, "different": 0, "without_1": 0})
        if not math.isnan(ratio.low):
            counts["runs"] += 1
            counts["different"] += difference(ratio, floors[key].floor) in (SLOWER, FASTER)
            counts["without_1"] += not ratio.low <= 1 <= ratio.high


def lines(found):
    """The counts in words."""
    return [
        f"{task}: {counts['different']} of {counts['runs']} runs of the same against the same were called different "
        f"({counts['different'] / max(1, counts['runs']):.1%}); the interval alone left out 1 in {counts['without_1']}"
        for task, counts in sorted(found.items(), reverse=True)
    ]
