"""The cells of a sweep, placed here or by a scheduler, until each has its row."""

import dataclasses
import hashlib
import json
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa

from compare import contract, environment, files
from compare.cells import cells, limits, placed
from compare.progress import progress_bar
from compare.sweeping.cell import NONE
from compare.sweeping.rows import SCHEMA, Rows

AGAIN = ("lost", "missing")  # of rows that say nothing of the training: such cells are done again

START = 30.0  # seconds that a process may take until it trains


def sweep(settings, out, jobs=2, progress=None):
    """Train every cell of a sweep that has no row yet, and give all rows.

    What a folder holds of the same sweep, in the same versions and on the same data, is not done again; a sweep that
    has more seeds, say, goes on with it.

    Args:
        settings: `settings.Settings`.
        out: a folder, for one command at a time.
        jobs: trainings at once on this machine; inside of `placing.on` the cluster decides.
        progress: a bar on stderr; None shows it where stderr is a terminal.
    Returns:
        (DataFrame with the columns of `rows.SCHEMA`, a row a cell in the order of `Settings.cells`; a dict of what the
        rows rest on: data, sha256, settings, environment, damaged).
    Raises:
        ValueError: the folder holds rows of another sweep, or is another command's; as for `compare.accuracy`.
        contract.UndecidedError: the cluster is gone; what has ended is kept.
    """
    dataset = limits.load(settings.data)
    limits.check_memory(dataset.name, limits.training_need(dataset, max(settings.batch_sizes)))
    with files.taken(out), tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        given = _write_data(Path(folder) / "data.npz", dataset, settings)
        sha256 = hashlib.sha256(Path(given["inputs"]).read_bytes()).hexdigest()
        keyed = {key_of(cell, settings, sha256): cell for cell in settings.cells()}
        rows = Rows(out)
        found = rows.read()
        if others := set(found["key"].to_pylist()) - keyed.keys():
            raise ValueError(
                f"{out}: found {len(others):,} rows of other settings, data or versions, wanted those of this sweep or "
                "none; name another folder with --out"
            )
        done = [status not in AGAIN for status in found["status"].to_pylist()]
        found = found.filter(pa.array(done, pa.bool_()))
        rows.replace(found)
        finished = set(found["key"].to_pylist())
        waiting = [(key, cell) for key, cell in keyed.items() if key not in finished]
        with progress_bar(len(keyed), "sweep", progress) as bar:
            bar.update(len(finished))
            while waiting:  # a training that takes its process with it leaves those behind it
                waiting = _train(waiting, settings, given, rows, jobs, bar)
        table = rows.read()
        rows.replace(table, whole=True)
    order = {key: place for place, key in enumerate(keyed)}
    frame = table.to_pandas().sort_values("key", key=lambda keys: keys.map(order)).reset_index(drop=True)
    about = {
        "data": dataset.description,
        "sha256": sha256,
        "settings": dataclasses.asdict(settings),
        "environment": environment.describe(settings.threads),
        "damaged": rows.damaged,
    }
    return frame, about


def _write_data(path, dataset, settings):
    """What all cells share: {"inputs": the path, "images", "tested": how many there are}."""
    parts = {"train": settings.images, "test": settings.tested}
    arrays = {
        f"{part}_{what}": getattr(dataset, f"{part}_{what}")[:most]
        for part, most in parts.items()
        for what in ("images", "labels")
    }
    cells.write_result(path, {}, arrays)
    return {
        "inputs": str(path),
        "images": len(arrays["train_labels"]),
        "tested": len(arrays["test_labels"]),
    }


def key_of(cell, settings, sha256):
    """The cell, all that it depends on, and the versions, as 32 digits."""
    shared = {name: getattr(settings, name) for name in ("epochs", "threads")}
    text = json.dumps([cell, shared, sha256, placed.versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def specs_of(waiting, settings, inputs):
    """Specs of processes, `per_process` trainings of one implementation in each; `keys` are of their rows."""
    by_name: dict = {}
    specs: list[dict] = []
    for key, cell in waiting:
        spec = by_name.get(cell["implementation"])
        if spec is None or len(spec["runs"]) == settings.per_process:
            spec = {"task": "sweep", "implementation": cell["implementation"], "inputs": inputs, "runs": [], "keys": []}
            spec |= {"epochs": settings.epochs, "threads": settings.threads}
            by_name[cell["implementation"]] = spec
            specs.append(spec)
        spec["runs"].append(cell)
        spec["keys"].append(key)
        spec["limit"] = START + settings.limit * len(spec["runs"])
    return specs


def _train(waiting, settings, given, rows, jobs, bar):
    """Train these, add their rows as they come, and return those that were left behind."""
    left: list[tuple] = []

    def done(result):
        told = rows_of(result, given)
        rows.add(told)
        bar.update(len(told))
        left.extend(list(zip(result.spec["keys"], result.spec["runs"], strict=True))[len(told) :])
        result.meta.clear()  # of a million cells nobody reads it again

    cells.run(specs_of(waiting, settings, given["inputs"]), jobs, done, anywhere=True)
    return left


def rows_of(result, given):
    """Rows of what came of one process: of all its trainings, or, where one took it along, of those up to that one."""
    spec = result.spec
    found = [dict(row) for row in result.meta.get("rows", [])][: len(spec["runs"])]
    missing = len(spec["runs"]) - len(found)
    if missing:
        status = "crashed" if result.status == "ok" else result.status  # a result without this training
        ends = [{"status": status, "note": result.error[:500]}]
        found += ends if status in ("crashed", "hung") else ends * missing
    shared = {"images": given["images"], "tested": given["tested"], "version": result.meta.get("version")}
    shared |= {name: spec[name] for name in ("epochs", "threads")}
    blank = dict.fromkeys(SCHEMA.names)
    pairs = zip(spec["keys"], spec["runs"], found, strict=False)
    return [{**blank, **run, **shared, **row, "key": key} for key, run, row in pairs]


def estimate(settings, jobs=2):
    """Train one cell of each implementation, and say by name (cells, seconds of a start, seconds of all trainings).

    Starts and trainings are of one process after the other, so that `jobs` at once take a share of it.

    Raises:
        contract.UnavailableError, contract.BrokeDownError: an implementation cannot be trained.
    """
    dataset = limits.load(settings.data)
    found = {}
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        given = _write_data(Path(folder) / "data.npz", dataset, settings)
        for name in settings.implementations:
            mine = [cell for cell in settings.cells() if cell["implementation"] == name]
            begin = time.monotonic()
            (result,) = cells.run(specs_of([("", mine[0])], settings, given["inputs"]), anywhere=True)
            whole = time.monotonic() - begin
            contract.note_missing([result], by_name=True)
            contract.demand([result])
            (row,) = rows_of(result, given)
            each = (row["seconds"] or 0.0) / max(1, row["steps"])
            steps = sum(settings.epochs * -(-given["images"] // cell["batch_size"]) for cell in mine)
            starts = (whole - (row["seconds"] or 0.0)) / settings.per_process
            found[name] = (len(mine), starts, each * steps)
    return found


def estimate_table(found):
    """What `estimate` found, as text."""
    rows = [
        (name, f"{count:,}", f"{starts:.2f} s", f"{trainings / count:.2f} s")
        for name, (count, starts, trainings) in found.items()
    ]
    return pd.DataFrame(rows, columns=["implementation", "cells", "start of one", "training of one"])


def duration(seconds):
    """Seconds in words."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def exit_code(frame):
    """3 where a cell has no training for want of a framework or of machines; 4 where one broke; 0."""
    broke = ~frame["status"].isin(["trained", "diverged", "lost", "missing", "not offered"])
    if (broke & (frame["defect"] == NONE)).any():  # a network with a mistake in it may not run at all
        return 4
    return 3 if frame["status"].isin(["lost", "missing", "not offered"]).any() else 0
