"""`compare.speed`: training step and prediction timed side by side, rows out. Only equals are timed."""

import math
import os
import tempfile

import numpy as np
import pandas as pd

from compare import contract, environment
from compare.cells import cells, limits
from compare.clock import costs, targets
from compare.clock import threads as threads_
from compare.clock.rounds import Ratio, difference, paired_ratio
from compare.clock.turns import noise_floor, prepare, seconds_by_round, take_turns
from compare.verdict.probes import scaled

COLUMNS = [
    "implementation",
    "task",
    "batch_size",
    "threads",
    "seconds_per_image",
    "seconds_per_image_low",
    "seconds_per_image_high",
    "samples",
    "outcome",
    "note",
    "rounds",
    "ratio",
    "ratio_low",
    "ratio_high",
    "noise_floor",
    "difference",
    "first_seconds",
    "pays_after_calls",
    "conversion_seconds_per_image",
    "gemm_share",
    "waited",
    "processors",
]
TASKS = ("train", "predict")
BATCH_SIZES = (1, 32, 256)
ROUNDS, SAMPLES = 5, 100
SECONDS = 0.001  # a sample, shorter than a scheduler's slice: others who are at work meet few of them
FIRST = "numpy-fused"  # the reference, where it is timed and no other is named


def speed(
    implementations=None,
    data_source=None,
    seed=0,
    batch_sizes=BATCH_SIZES,
    threads=1,
    rounds=ROUNDS,
    samples=SAMPLES,
    sample_seconds=SECONDS,
    proven=None,
    reference=None,
    budget=0,
    progress=None,
):
    """Time a training step and a prediction of every implementation that passes parity.

    Float32, from a NumPy array of images to updated weights ("train") or to probabilities ("predict"). In each round
    every implementation runs alone, in a fresh process of its own, warmed up, and the reference once more; their order
    is drawn anew for each round, so that a drift of the machine's speed meets them all.

    Args:
        implementations, data_source, seed, threads, progress: as for `compare.parity`.
        batch_sizes: images a call.
        rounds: processes for each implementation.
        samples: timings of each kind in a process, fewer where a call lasts longer than `sample_seconds`, for which
            each timing repeats it.
        proven: names that passed parity already; None runs it here first (float32, few probes, no training path).
        reference: what ratios are to; None: `numpy-fused`, or else the first that is timed.
        budget: seconds of timing within which rounds are added, for those whose interval is still wider than
            `rounds.WIDEST`; 0 adds none.
    Returns:
        DataFrame of COLUMNS, a row per implementation, task and batch size: the median over all samples of all
        rounds, in seconds an image, and their quartiles (low, high); `ratio` to the reference's time with its 95%
        interval; `noise_floor`, a fraction, and `difference`, see `rounds`; `first_seconds`, of the first call, into
        which compilation falls, in the first round; `conversion_seconds_per_image`, the part of the time in which
        arrays go into the framework and come out; `gemm_share`, of the rate of a matrix product; `waited` and
        `processors`, see `stopwatch.Timing`. One that gave no result has rows whose outcome says why.
        `.attrs` as for `compare.parity`, with `not_timed` (names that failed parity), `reference`, `noise` (dicts: the
        reference against itself), `costs` (dicts, see `costs.costs`), `threads_seen`, `thread_mismatches` (lines),
        `load_average` (before and after), `input_shape` and `gemm_flops_per_second` (of a square float32 matrix
        product, in the same run; None where there is none).
    Raises:
        ValueError: an unknown implementation or data source, or a setting out of range.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    names = contract.select(implementations, "speed")
    check_settings(seed, threads, rounds, samples, batch_sizes, budget)
    if reference is not None and reference not in names:
        raise ValueError(f"reference: found {reference!r}, wanted one of those that are timed: {', '.join(names)}")
    dataset = limits.load(data_source)
    most = max(batch_sizes)
    limits.check_memory(f"{dataset.name}, batch size {most:,}", limits.timing_need(dataset, most))
    unavailable: dict[str, str] = {}
    if proven is None:
        proven, unavailable = _prove(names, data_source, seed, threads, implementations is not None, progress)
    not_timed = [name for name in names if name not in proven and name not in unavailable]
    names = [name for name in names if name in proven]
    reference = reference or (FIRST if FIRST in names else next(iter(names), None))
    others = [(name, 0) for name in names if name != reference]
    contenders = [(reference, 0), *others, (reference, 1)]
    load = _load_average()
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        spec = prepare(folder, dataset, batch_sizes, threads, samples, sample_seconds, seed)
        results = take_turns(spec, contenders, rounds, budget, progress) if names else []
        gemm = _gemm(spec, rounds) if names else None
    timed = [result for result in results if result.spec["copy"] == 0]
    unavailable |= contract.note_missing(timed, by_name=implementations is not None)
    noise = noise_floor(results, reference)
    shape = tuple(map(int, scaled(dataset.train_images[:1]).shape[1:]))
    rows = _rows(names, batch_sizes, threads, results, reference, noise)
    _share(rows, shape, gemm)
    costs.pays_after(rows)
    here = [name for name in names if name not in unavailable]
    by_name = {name: [result for result in timed if result.spec["implementation"] == name] for name in here}
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    seen = {name: found[-1].meta.get("threads", {}) for name, found in by_name.items()}
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(threads, timed),
        "unavailable": unavailable,
        "not_timed": not_timed,
        "reference": reference,
        "noise": [
            {"task": task, "batch_size": size, **_finite(noise[task, size])}
            for task in TASKS
            for size in batch_sizes
            if (task, size) in noise
        ],
        "costs": costs.costs(by_name, rows, threads, rounds),
        "threads_seen": seen,
        "thread_mismatches": threads_.mismatches(threads, seen, frame.groupby("implementation")["processors"].max()),
        "load_average": (load, _load_average()),
        "input_shape": shape,
        "gemm_flops_per_second": gemm,
    }
    return frame


def check_settings(seed, threads, rounds, samples, batch_sizes, budget):
    """Raise ValueError for a setting out of range."""
    limits.check_whole("seed", seed, 0, limits.SEED)
    limits.check_whole("threads", threads, most=limits.THREADS)
    limits.check_whole("rounds", rounds, most=limits.RUNS)
    limits.check_whole("samples", samples, most=limits.RUNS)
    for size in batch_sizes:
        limits.check_whole("batch_size", size)
    if not budget >= 0:
        raise ValueError(f"budget: found {budget!r}, wanted seconds, 0 or more")


def _prove(names, data_source, seed, threads, strict, progress):
    """(names that pass a short parity, reasons of those that are not available)."""
    from compare.verdict.run import parity, passed

    few = {"path": False, "few": True, "strict": strict, "progress": progress}
    judged = parity(names, data_source, seed, threads, ["float32"], **few)
    return passed(judged), judged.attrs["unavailable"]


def _rows(names, batch_sizes, threads, results, reference, noise):
    rows = []
    base = seconds_by_round(results, reference)
    for name in names:
        mine = [r for r in results if r.spec["implementation"] == name and r.spec["copy"] == 0]
        bad = [result for result in mine if result.status not in ("ok", "missing")]
        by_round = seconds_by_round(mine, name)
        for task in TASKS:
            for size in batch_sizes:
                row = {"implementation": name, "task": task, "batch_size": size, "threads": threads}
                if bad:
                    rows.append({**row, "outcome": bad[0].status, "note": bad[0].error})
                elif (task, size) in by_round:
                    row |= _measured([r for r in mine if r.status == "ok"], task, size)
                    ratio = paired_ratio(by_round[task, size], base.get((task, size), {}))
                    row |= _against(ratio, noise.get((task, size)), name == reference)
                    rows.append({**row, "outcome": "timed", "note": ""})
    return rows


def _measured(results, task, size):
    """What the processes of one implementation measured, of one task and batch size."""
    found = {
        what: [r.arrays[f"{what}|{task}|{size}"] for r in results if f"{what}|{task}|{size}" in r.arrays]
        for what in ("seconds", "first", "conversion", "waited", "processors")
    }
    times = np.concatenate(found["seconds"])
    low, middle, high = np.percentile(times, [25, 50, 75]) / size
    return {
        "seconds_per_image": middle,
        "seconds_per_image_low": low,
        "seconds_per_image_high": high,
        "samples": len(times),
        "rounds": len(found["seconds"]),
        "first_seconds": float(found["first"][0][0]),
        "conversion_seconds_per_image": float(np.median(np.concatenate(found["conversion"] or [[np.nan]]))) / size,
        "waited": float(np.median(found["waited"])),
        "processors": float(np.median(found["processors"])),
    }


def _against(ratio, noise, is_reference):
    """The columns about the reference: itself has the ratio 1, and no interval."""
    floor = math.nan if noise is None else noise.floor
    if is_reference:
        ratio, said = Ratio(1.0, math.nan, math.nan, ratio.rounds), "reference"
    else:
        said = difference(ratio, floor)
    values = {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
    return values | {"noise_floor": floor, "difference": said}


def _finite(ratio):
    """A `Ratio` as a dict for JSON, which knows no not-a-number."""
    return {name: None if math.isnan(value) else value for name, value in ratio._asdict().items()}


def _gemm(spec, rounds):
    """Operations a second of a matrix product, the median over as many processes as there are rounds."""
    found = cells.run([{**spec, "task": "gemm", "implementation": "numpy-layers"}] * rounds)
    rates = [result.arrays["rate"] for result in found if result.status == "ok"]
    return float(np.median(np.concatenate(rates))) if rates else None


def _share(rows, input_shape, gemm):
    for row in rows:
        if gemm and row["outcome"] == "timed":
            flops = targets.flops_per_image(input_shape, task=row["task"])
            row["gemm_share"] = flops / row["seconds_per_image"] / gemm


def _load_average():
    """Processes that were at work or waiting for a processor in the last minute; None where nobody counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
