"""Who is timed when: rounds, in which every contender runs once, alone, in a process of its own.

In each round the reference runs once more than the others: what it seems to differ from itself is noise.
"""

import time
from pathlib import Path

import numpy as np

from compare.cells import cells, limits
from compare.cells.limits import BATCHES
from compare.clock.rounds import WIDEST, paired_ratio
from compare.contract import ENTRIES
from compare.progress import progress_bar
from compare.verdict.probes import scaled

LIMIT = 600  # seconds for one implementation in one round


def prepare(folder, dataset, batch_sizes, threads, samples, sample_seconds, seed):
    """Write the images that are timed into a folder, and return what is the same in every spec."""
    inputs = Path(folder) / "data.npz"
    count = min(len(dataset.train_images), max(batch_sizes) * BATCHES)
    images = scaled(dataset.train_images[:count]).astype(np.float32)
    cells.write_result(inputs, {}, {"images": images, "labels": dataset.train_labels[:count]})
    return {
        "task": "speed",
        "inputs": str(inputs),
        "batch_sizes": list(batch_sizes),
        "samples": samples,
        "sample_seconds": sample_seconds,
        "seed": seed,
        "threads": threads,
        "limit": LIMIT,
        # what was compiled before is of no use in the first round, and of use in the others
        "environment": {"TORCHINDUCTOR_CACHE_DIR": str(Path(folder) / "compiled")},
    }


def take_turns(spec, contenders, rounds, budget=0, progress=None):
    """Results of all rounds: one process at a time, in an order that is drawn anew for each.

    Args:
        spec: what `prepare` gave; a result's spec has its `round` and `copy` as well.
        contenders: (implementation, copy): copy 0 of the first is what all are held against, and its copy 1 the same
            once more.
        rounds, budget, progress: as for `compare.speed`.
    """
    results: list[cells.Result] = []
    begin, turn, going = time.monotonic(), 0, contenders
    with progress_bar(rounds * len(contenders), "speed", progress) as bar:
        while going:
            started = time.monotonic()
            order = np.random.default_rng((spec["seed"], turn)).permutation(len(going))
            specs = [
                {**spec, "implementation": name, "package": ENTRIES[name].package, "copy": copy, "round": turn}
                for name, copy in (going[i] for i in order)
            ]
            results += cells.run(specs, 1, lambda _: bar.update())
            turn, lasted = turn + 1, time.monotonic() - started
            if turn >= rounds:
                going = _unsure(contenders, results)
                if turn == limits.RUNS or time.monotonic() - begin + lasted > budget:
                    break
                bar.total += len(going)
    return results


def _unsure(contenders, results):
    """Those with an interval that is too wide, and what they are held against."""
    base = seconds_by_round(results, *contenders[0])
    wide = []
    for each in contenders[1:]:
        mine = seconds_by_round(results, *each)
        ratios = [paired_ratio(mine[key], base[key]) for key in mine.keys() & base.keys()]
        wide += [each] if any(not ratio.width <= WIDEST for ratio in ratios) else []
    return [contenders[0], *wide] if wide else []


def seconds_by_round(results, name, copy=0):
    """{(task, batch size): {round: seconds a call, the median of that process}} of the processes that gave a result."""
    found: dict[tuple, dict] = {}
    for result in results:
        if (result.spec["implementation"], result.spec["copy"], result.status) == (name, copy, "ok"):
            for key, values in result.arrays.items():
                what, task, size = key.split("|")
                if what == "seconds":
                    found.setdefault((task, int(size)), {})[result.spec["round"]] = float(np.median(values))
    return found


def noise_floor(results, reference):
    """{(task, batch size): `Ratio` of the reference to itself}."""
    again, base = seconds_by_round(results, reference, 1), seconds_by_round(results, reference)
    return {key: paired_ratio(again[key], base[key]) for key in base if key in again}
