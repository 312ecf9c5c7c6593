"""`compare.accuracy`: every implementation trained side by side on the same batches, rows out."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from compare import cells, contract, environment, limits, params
from compare.progress import progress_bar
from compare.verdict.probes import scaled
from numpy_cnn.checks import check_rate

COLUMNS = [
    "implementation",
    "start",
    "seed",
    "epoch",
    "test_accuracy",
    "test_loss",
    "seconds",
    "train_loss",
    "outcome",
    "note",
]
STARTS = ("same", "own")
LIMIT = 3600  # seconds for one training


def accuracy(
    implementations=None,
    data_source=None,
    seed=0,
    seeds=1,
    epochs=3,
    batch_size=32,
    learning_rate=0.1,
    starts=STARTS,
    threads=1,
    progress=None,
    strict=None,
):
    """Train every implementation and evaluate it on the test images after each epoch.

    All of them see the same batches in the same order, in float32, one after the other, so that their times compare.

    Args:
        implementations, data_source, threads, progress, strict: as for `compare.parity`.
        seed, seeds: of start weights and batch order: `seeds` of them from `seed` on.
        epochs, batch_size, learning_rate: of plain SGD.
        starts: "same": the same start weights for all; "own": each draws its own as its framework does by default.
    Returns:
        DataFrame of COLUMNS, one row per implementation, start, seed and epoch (0: before training): test_accuracy as
        a fraction, test_loss and train_loss in nats (train_loss a running mean while the weights move), seconds of
        training in that epoch. A training that diverged ends with a row without numbers, outcome "diverged", whose note
        says where; one that gave no result has a single row, whose outcome and note say why. `.attrs` as for
        `compare.parity`, with `settings`.
    Raises:
        ValueError: an unknown implementation, data source or start, or a setting out of range.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
    """
    names = contract.select(implementations, "accuracy")
    limits.check_whole("seed", seed, 0, limits.SEED)
    limits.check_whole("threads", threads, most=limits.THREADS)
    limits.check_whole("seeds", seeds, most=limits.RUNS)
    limits.check_whole("epochs", epochs)
    limits.check_whole("batch_size", batch_size)
    check_rate(learning_rate, "float32")
    for start in starts:
        if start not in STARTS:
            raise ValueError(contract.unknown("start", start, STARTS))
    dataset = limits.load(data_source)
    limits.check_memory(f"{dataset.name}, batch size {batch_size:,}", limits.training_need(dataset, batch_size))
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "data.npz"
        cells.write_result(
            inputs,
            {},
            {name: getattr(dataset, name) for name in ("train_images", "train_labels", "test_images", "test_labels")},
        )
        common = {
            "task": "accuracy",
            "inputs": str(inputs),
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "threads": threads,
            "limit": LIMIT,
        }
        specs = [
            {**common, "implementation": name, "start": start, "seed": number}
            for start in starts
            for number in range(seed, seed + seeds)
            for name in names
        ]
        with progress_bar(len(specs), "accuracy", progress) as bar:
            results = cells.run(specs, 1, lambda _: bar.update())
    unavailable = contract.note_missing(results, by_name=implementations is not None if strict is None else strict)
    rows = [row for result in results if result.status != "missing" for row in _rows(result)]
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(threads, results),
        "unavailable": unavailable,
        "settings": {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "dtype": "float32"},
    }
    return frame


def _rows(result):
    identity = {name: result.spec[name] for name in ("implementation", "start", "seed")}
    if result.status != "ok":
        return [{**identity, "outcome": result.status, "note": result.error}]
    rows = [{**identity, "outcome": "trained", "note": "", **row} for row in result.meta["epochs"]]
    if result.meta["diverged"]:
        rows.append({**identity, **result.meta["diverged"], "outcome": "diverged"})
    return rows


def batch_order(seed, epoch, count):
    """The order of the training images in one epoch: the same for every implementation, (count,) int64."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def train(spec, implementation):
    """One training, inside a cell: (no arrays, {"epochs": rows, "diverged": {} or the epoch and a note of where})."""
    given, _ = cells.read_arrays(spec["inputs"])
    images = scaled(given["train_images"]).astype(np.float32)
    labels = given["train_labels"]
    shape = tuple(map(int, images.shape[1:]))
    model = implementation(shape, dtype="float32", seed=spec["seed"])
    if not hasattr(model, "step"):
        raise contract.NotOfferedError("it has no training step")
    if spec["start"] == "same":
        start = params.start_parameters(shape, seed=spec["seed"])
        model.set_parameters({name: value.astype(np.float32) for name, value in start.items()})
    epochs = [{"epoch": 0, **_evaluate(model, given)[0], "seconds": 0.0, "train_loss": float("nan")}]
    steps = range(0, len(images), spec["batch_size"])
    for epoch in range(1, spec["epochs"] + 1):
        order = batch_order(spec["seed"], epoch, len(images))
        total = 0.0
        begin = time.perf_counter()
        for number, first in enumerate(steps, 1):
            batch = order[first : first + spec["batch_size"]]
            loss = model.step(images[batch], labels[batch], spec["learning_rate"])
            if not np.isfinite(loss):
                why = f"the loss of step {number} of {len(steps)} in epoch {epoch} is {loss}"
                return {}, {"epochs": epochs, "diverged": {"epoch": epoch, "note": why}}
            total += loss * len(batch)
        seconds = time.perf_counter() - begin
        found, lost = _evaluate(model, given)
        if lost > 0.5:
            why = f"after epoch {epoch} the right class has probability 0 or NaN in {lost:.0%} of the test images"
            return {}, {"epochs": epochs, "diverged": {"epoch": epoch, "note": why}}
        epochs.append({"epoch": epoch, **found, "seconds": seconds, "train_loss": total / len(images)})
    return {}, {"epochs": epochs, "diverged": {}}


def _evaluate(model, given):
    """(test_accuracy and test_loss by name, the share of images whose loss is beyond float32).

    The loss is the mean of -ln p of the right class, p no smaller than float32's smallest normal number. Where that
    stands in for most of the p, the mean is no loss any more.
    """
    right, loss, lost = 0, 0.0, 0
    labels = given["test_labels"]
    tiny = np.finfo(np.float32).tiny
    for first in range(0, len(labels), limits.PREDICTED):
        wanted = labels[first : first + limits.PREDICTED]
        p = model.predict(scaled(given["test_images"][first : first + limits.PREDICTED]).astype(np.float32))
        right += int((p.argmax(axis=1) == wanted).sum())
        chosen = p[np.arange(len(wanted)), wanted].astype(np.float64)
        lost += int((~(chosen >= tiny)).sum())
        loss -= float(np.log(np.maximum(chosen, tiny)).sum())
    return {"test_accuracy": right / len(labels), "test_loss": loss / len(labels)}, lost / len(labels)
