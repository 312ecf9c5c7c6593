"""`compare.accuracy`: every implementation trained side by side on the same batches, rows out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compare import contract, environment
from compare.cells import cells, limits
from compare.progress import progress_bar
from compare.training.cell import WATCHED, batch_order, train, unflat
from compare.verdict.probes import scaled
from numpy_cnn.checks import check_rate, parameter_shapes

__all__ = ["accuracy", "batch_order", "train", "trained"]
COLUMNS = [
    "implementation",
    "start",
    "seed",
    "step",
    "epoch",
    "test_accuracy",
    "test_loss",
    "watched_accuracy",
    "watched_loss",
    "apart",
    "drift",
    "seconds",
    "train_loss",
    "outcome",
    "note",
]
STARTS = ("same", "own")
LIMIT = 3600  # seconds for one training
IN_A_CELL = 10  # trainings: importing a framework costs seconds
REFERENCES = ("numpy-fused", "numpy-layers", "numpy-loops")  # the first of these that is there
MOVED = 8  # trainings of the reference from a start that is moved, at the least
PRESETS = {
    # of the well-known tutorial that writes this network from scratch
    "article": {"data_source": "mnist", "epochs": 3, "batch_size": 1, "learning_rate": 0.005},
}


@dataclass(frozen=True)
class Trained:
    """The rows of `accuracy`, and what pages show besides.

    shown: by implementation, of its first training from the same start: `before` and `after` (parameters by name),
        `predicted` and `sure` (test images,), its answer and how sure it is, and `walk`, activations and gradients of
        one test image with the reference's parameters, by name. Whatever is not there is left out.
    """

    frame: pd.DataFrame
    shown: dict


def accuracy(*arguments, **settings):
    """Train every implementation and evaluate it on the test images on the way. See `trained` for the arguments.

    Returns:
        DataFrame of COLUMNS, one row per implementation, start, seed and point at which the training was looked at.
        step and epoch count from 0, before training; epoch is a fraction between the ends of epochs. test_accuracy as
        a fraction and test_loss in nats of all test images at the end of each epoch; watched_accuracy and watched_loss
        at every point, of the first WATCHED of them. train_loss: the mean over the images since the row before, while
        the weights move; seconds of training since that row. apart: watched images that the reference, from the same
        start after as many steps, predicts otherwise. drift: the distance of all parameters from the reference's, as a
        share of their length. Reference is the first of REFERENCES among the implementations; it is trained from
        starts "moved-1", ... as well, where each weight is moved by one unit in its last place.
        A training that diverged ends with a row without numbers, outcome "diverged", whose note says where; one that
        gave no result has a single row, whose outcome and note say why. `.attrs` as for `compare.parity`, with
        `settings` and `reference` (a name, or None).
    """
    return trained(*arguments, **settings).frame


def trained(
    implementations=None,
    data_source=None,
    seed=0,
    seeds=5,
    epochs=3,
    batch_size=32,
    learning_rate=0.1,
    starts=STARTS,
    threads=1,
    progress=None,
    strict=None,
):
    """`accuracy` with what pages show besides, a `Trained`.

    All of them see the same batches in the same order, in float32, one after the other, so that their times compare.

    Args:
        implementations, data_source, threads, progress, strict: as for `compare.parity`.
        seed, seeds: of start weights and batch order: `seeds` of them from `seed` on.
        epochs, batch_size, learning_rate: of plain SGD.
        starts: "same": the same start weights for all; "own": each draws its own as its framework does by default.
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
    reference = next((name for name in REFERENCES if name in names and "same" in starts), None)
    shape = tuple(map(int, scaled(dataset.test_images[:1]).shape[1:]))
    shapes = parameter_shapes(shape, limits.FILTERS, limits.CLASSES, "valid")
    plan = [(start, number) for start in starts for number in range(seed, seed + seeds)]
    twins = [(f"moved-{1 + k}", number) for k in range(-(-MOVED // seeds)) for number in range(seed, seed + seeds)]
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "data.npz"
        fields = ("train_images", "train_labels", "test_images", "test_labels")
        cells.write_result(inputs, {}, {name: getattr(dataset, name) for name in fields})
        common = {
            "task": "accuracy",
            "inputs": str(inputs),
            "walk": None,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "threads": threads,
        }

        def specs(name, trainings, **more):
            parts = [trainings[first : first + IN_A_CELL] for first in range(0, len(trainings), IN_A_CELL)]
            own = {**common, "implementation": name, **more}
            return [{**own, "trainings": part, "limit": LIMIT * len(part)} for part in parts]

        first = specs(reference, plan + twins) if reference else []
        others = [name for name in names if name != reference]
        total = len(first) + len(others) * len(specs("", plan))
        with progress_bar(total, "accuracy", progress) as bar:
            results = cells.run(first, 1, lambda _: bar.update(), anywhere=True) if first else []
            walk = _write_walk(Path(folder) / "walk.npz", dataset, shapes, results)
            later = [spec for name in others for spec in specs(name, plan, walk=walk)]
            results += cells.run(later, 1, lambda _: bar.update(), anywhere=True) if later else []
    unavailable = contract.note_missing(results, by_name=implementations is not None if strict is None else strict)
    order = [(*key, name) for key in plan for name in names] + [(*key, reference) for key in twins]
    frame = pd.DataFrame(_rows(results, order, reference)).reindex(columns=COLUMNS)
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(threads, results),
        "unavailable": unavailable,
        "reference": reference,
        "settings": {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "dtype": "float32",
            "seeds": seeds,
            "starts": list(starts),
            "watched": min(WATCHED, len(dataset.test_labels)),
        },
    }
    return Trained(frame, _shown(results, f"same|{seed}", shapes))


def _write_walk(path, dataset, shapes, results):
    """The file with an image and the reference's parameters at the end of its first training; None without any."""
    for result in results:
        found = [value for name, value in result.arrays.items() if name.endswith("|parameters")]
        if result.status == "ok" and found:
            parameters = unflat(found[0][-1], shapes)
            image, label = dataset.test_images[0], dataset.test_labels[0]
            cells.write_result(path, {}, {**parameters, "image": image, "label": label})
            return str(path)
    return None


def _rows(results, order, reference):
    """Rows of the trainings in that order of (start, seed, implementation), with how far each is from the reference."""
    found = {}
    for result in results:
        for start, seed in result.spec["trainings"]:
            found[start, seed, result.spec["implementation"]] = result
    rows: list[dict] = []
    for start, seed, name in order:
        result, other = found.get((start, seed, name)), found.get(("same", seed, reference))
        if result is None or result.status == "missing":
            continue
        identity = {"implementation": name, "start": start, "seed": seed}
        if result.status != "ok":
            rows.append({**identity, "outcome": result.status, "note": result.error})
            continue
        mine = f"{start}|{seed}"
        run = result.meta["trainings"].get(mine)
        if run is None:
            rows.append({**identity, "outcome": "crashed", "note": "a result without this training"})
            continue
        steps = [row["step"] for row in run["rows"]]
        far = _apart(result.arrays, mine, other.arrays, f"same|{seed}", steps) if other else [{}] * len(steps)
        rows += [
            {**identity, "outcome": "trained", "note": "", **row, **more}
            for row, more in zip(run["rows"], far, strict=True)
        ]
        if run["diverged"]:
            rows.append({**identity, **run["diverged"], "outcome": "diverged"})
    return rows


def _apart(arrays, mine, others, theirs, steps):
    """How far a training is from another at each of the steps: dicts of `apart` and `drift`, where both are known."""
    names = ("predicted", "steps", "parameters")
    if any(f"{key}|{name}" not in found for key, found in ((mine, arrays), (theirs, others)) for name in names):
        return [{}] * len(steps)
    predicted, kept, parameters = (arrays[f"{mine}|{name}"] for name in names)
    others_predicted, others_kept, others_parameters = (others[f"{theirs}|{name}"] for name in names)
    if predicted.shape != others_predicted.shape or len(predicted) != len(steps):
        return [{}] * len(steps)  # one of them diverged
    apart = (predicted != others_predicted).sum(axis=1)
    here, there = ({int(step): place for place, step in enumerate(each)} for each in (kept, others_kept))
    far: list[dict] = []
    for number, step in enumerate(steps):
        far.append({"apart": int(apart[number])})
        if step in here and step in there:
            wanted = others_parameters[there[step]].astype(np.float64)
            difference = np.linalg.norm(parameters[here[step]] - wanted)
            far[-1]["drift"] = float(difference / np.linalg.norm(wanted))
    return far


def _shown(results, key, shapes):
    """What `Trained.shown` holds, out of the arrays of the cells."""
    shown: dict = {}
    for result in results:
        found = shown.setdefault(result.spec["implementation"], {})
        if f"{key}|parameters" in result.arrays:
            parameters = result.arrays[f"{key}|parameters"]
            found |= {"before": unflat(parameters[0], shapes), "after": unflat(parameters[-1], shapes)}
        found |= {
            name: result.arrays[f"last|{name}"] for name in ("predicted", "sure") if f"last|{name}" in result.arrays
        }
        walk = {name.removeprefix("walk|"): value for name, value in result.arrays.items() if name.startswith("walk|")}
        found |= {"walk": walk} if walk else {}
    return {name: found for name, found in shown.items() if found}
