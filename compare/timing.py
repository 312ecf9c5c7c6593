"""`compare.speed`: training step and prediction timed side by side, rows out. Only equals are timed."""

import functools
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from compare import cells, contract, environment, limits
from compare.limits import BATCHES
from compare.progress import progress_bar
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
]
TASKS = ("train", "predict")
BATCH_SIZES = (1, 32, 256)
LIMIT = 600  # seconds for one implementation in one round


def speed(
    implementations=None,
    data_source=None,
    seed=0,
    batch_sizes=BATCH_SIZES,
    threads=1,
    rounds=3,
    samples=5,
    sample_seconds=0.1,
    proven=None,
    progress=None,
):
    """Time a training step and a prediction of every implementation that passes parity.

    Float32, from a NumPy array of images to updated weights ("train") or to probabilities ("predict"). In each round
    every implementation runs alone, in a fresh process of its own, warmed up; the order turns from round to round, so
    that a drift of the machine's speed meets them all.

    Args:
        implementations, data_source, seed, threads, progress: as for `compare.parity`.
        batch_sizes: images a call.
        rounds: processes for each implementation.
        samples: timings of each kind in a process; each repeats the call for at least `sample_seconds`.
        proven: names that passed parity already; None runs it here first (float32, few probes, no training path).
    Returns:
        DataFrame of COLUMNS, a row per implementation, task and batch size: the median over all samples of all
        rounds, in seconds an image, and their quartiles (low, high). One that gave no result has rows whose outcome
        says why.
        `.attrs` as for `compare.parity`, with `not_timed` (names that failed parity),
        `input_shape` and `gemm_flops_per_second` (of a square float32 matrix product, in the same run).
    Raises:
        ValueError: an unknown implementation or data source, or a setting out of range.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    names = contract.select(implementations, "speed")
    limits.check_whole("seed", seed, 0, limits.SEED)
    limits.check_whole("threads", threads, most=limits.THREADS)
    limits.check_whole("rounds", rounds, most=limits.RUNS)
    limits.check_whole("samples", samples, most=limits.RUNS)
    for size in batch_sizes:
        limits.check_whole("batch_size", size)
    dataset = limits.load(data_source)
    most = max(batch_sizes)
    limits.check_memory(f"{dataset.name}, batch size {most:,}", limits.timing_need(dataset, most))
    not_timed, unavailable = [], {}
    if proven is None:
        from compare.verdict.run import parity, passed

        judged = parity(
            names,
            data_source,
            seed,
            threads,
            ["float32"],
            path=False,
            few=True,
            strict=implementations is not None,
            progress=progress,
        )
        proven, unavailable = passed(judged), judged.attrs["unavailable"]
    not_timed = [name for name in names if name not in proven and name not in unavailable]
    names = [name for name in names if name in proven]
    results: list[cells.Result] = []
    limit: list[cells.Result] = []
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "data.npz"
        count = min(len(dataset.train_images), most * BATCHES)
        cells.write_result(inputs, {}, {"images": dataset.train_images[:count], "labels": dataset.train_labels[:count]})
        spec = {
            "task": "speed",
            "inputs": str(inputs),
            "batch_sizes": list(batch_sizes),
            "samples": samples,
            "sample_seconds": sample_seconds,
            "seed": seed,
            "threads": threads,
            "limit": LIMIT,
        }
        with progress_bar(rounds * len(names), "speed", progress) as bar:
            for turn in range(rounds):
                turned = names[turn % len(names) :] + names[: turn % len(names)] if names else []
                results += cells.run([{**spec, "implementation": name} for name in turned], 1, lambda _: bar.update())
                limit += cells.run([{**spec, "task": "gemm", "implementation": "numpy-layers"}]) if names else []
    unavailable |= contract.note_missing(results, by_name=implementations is not None)
    frame = pd.DataFrame(_rows(names, batch_sizes, threads, results)).reindex(columns=COLUMNS)
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(threads, results),
        "unavailable": unavailable,
        "not_timed": not_timed,
        "input_shape": tuple(map(int, scaled(dataset.train_images[:1]).shape[1:])),
        "gemm_flops_per_second": float(np.median([r.arrays["rate"] for r in limit if r.status == "ok"] or np.nan)),
    }
    return frame


def _rows(names, batch_sizes, threads, results):
    rows = []
    for name in names:
        mine = [result for result in results if result.spec["implementation"] == name]
        bad = [result for result in mine if result.status not in ("ok", "missing")]
        for task in TASKS:
            for size in batch_sizes:
                row = {"implementation": name, "task": task, "batch_size": size, "threads": threads}
                if bad:
                    rows.append({**row, "outcome": bad[0].status, "note": bad[0].error})
                    continue
                times = np.concatenate([r.arrays.get(f"{task}|{size}", []) for r in mine if r.status == "ok"] or [[]])
                if len(times) == 0:
                    continue
                low, middle, high = np.percentile(times, [25, 50, 75]) / size
                row |= {"seconds_per_image": middle, "seconds_per_image_low": low, "seconds_per_image_high": high}
                rows.append({**row, "samples": len(times), "outcome": "timed", "note": ""})
    return rows


def measure(spec, implementation):
    """All timings of one process, inside a cell: seconds a call, (samples,) by "task|batch size"."""
    given, _ = cells.read_arrays(spec["inputs"])
    images = scaled(given["images"]).astype(np.float32)
    labels = given["labels"]
    arrays = {}
    for size in spec["batch_sizes"]:
        model = implementation(tuple(map(int, images.shape[1:])), dtype="float32", seed=spec["seed"])
        picked = [np.arange(first, first + size) % len(images) for first in range(0, BATCHES * size, size)]
        batches = [(np.ascontiguousarray(images[p]), labels[p]) for p in picked]
        calls = {"predict": [functools.partial(model.predict, batch[0]) for batch in batches]}
        if hasattr(model, "step"):
            # a small rate: thousands of steps on few images must not drive the numbers to where arithmetic is slow
            calls["train"] = [functools.partial(model.step, *batch, 1e-3) for batch in batches]
        for task, functions in calls.items():
            arrays[f"{task}|{size}"] = time_samples(functions, spec["samples"], spec["sample_seconds"])
    return arrays, {}


def time_samples(functions, samples, seconds):
    """Seconds a call, (samples,): each the mean over whole rounds of the functions that last `seconds` or more.

    A call that takes 20 times as long, the first (which may compile) apart, is not repeated: one sample, one function.
    """
    slow = 20 * seconds
    if _time(functions[:1], 1) > slow and (once := _time(functions[:1], 1)) > slow:
        return np.array([once])
    rounds, elapsed = 1, 0.0
    while elapsed < seconds:  # this is also the warm-up: compilation, caches, clock
        elapsed = _time(functions, rounds)
        if elapsed < seconds:
            rounds = max(rounds + 1, int(rounds * min(10.0, 1.2 * seconds / max(elapsed, 1e-9))))
    return np.array([_time(functions, rounds) / (rounds * len(functions)) for _ in range(samples)])


def _time(functions, rounds):
    begin = time.perf_counter()
    for _ in range(rounds):
        for function in functions:
            function()
    return time.perf_counter() - begin
