"""`compare.defects`: what accuracy says of known defects, and what `check` says. Accuracy is not evidence."""

import difflib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from compare import contract, environment
from compare.cells import cells, limits
from compare.checking.judging.trial import RIGHT
from compare.progress import progress_bar
from compare.verdict.defects import DEFECTS
from compare.verdict.inserted import inserted
from compare.verdict.probes import scaled

COLUMNS = [
    "defect",
    "implementation",
    "caught",
    "named",
    "says",
    "stage",
    "blamed",
    "accuracy",
    "accuracy_spread",
    "diverged",
    "accuracy_of_right",
    "looks",
    "advice",
]
IMAGES, EPOCHS, BATCH, RATE = 1000, 3, 4, 0.02
TESTED = 1000
TRAINED = "numpy-layers"  # the one that trains with each defect: by `parity` the others would go the same way
LIMIT = 3600
CHUNK = 13  # defects that train in one process


def select_defects(names=None):
    """Defects whose names contain one of the texts, all for None.

    Raises:
        ValueError: a text that is in no name.
    """
    if names is None:
        return list(DEFECTS)
    for text in names:
        if not text.strip():
            raise ValueError(f"unknown defect: found {text!r}, wanted a part of the name of one")
        if not any(text in defect.name for defect in DEFECTS):
            near = difflib.get_close_matches(text, [defect.name for defect in DEFECTS], n=1, cutoff=0.3)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown defect: found {text!r}, wanted a part of the name of one{hint}")
    return [defect for defect in DEFECTS if any(text in defect.name for text in names)]


def defects(implementations=None, data_source=None, seed=0, seeds=4, only=None, train=True, jobs=2, progress=None):
    """Put each known defect into each implementation, judge it as `check` does, and train it beside the right network.

    Args:
        implementations: names or prefixes, None for all of `parity`; their stages are composed to a network, and the
            defect is made in one of them.
        data_source: as for `compare.parity`.
        seed, seeds: of start weights and batch order: `seeds` of them from `seed` on.
        only: texts; only defects whose name contains one of them.
        train: whether to train TRAINED with each defect.
        jobs: processes at once.
        progress: a bar on stderr; None shows it where stderr is a terminal.
    Returns:
        DataFrame of COLUMNS, a row per defect and implementation, the right network first: `caught`, whether anything
        differs (float64); `says`, the name that was given to it, and `named`, whether that is its own; `stage`, where
        it was said to be; `blamed`, whether that is another than its own, and no name was given. Accuracy on test
        images, mean and standard deviation over the seeds, after EPOCHS epochs of IMAGES images, batches of BATCH,
        learning rate RATE; not-a-number where it was not trained, cannot be, or diverged from all of the seeds;
        `diverged`, from how many. `.attrs` as for `compare.parity`, with `settings` and `score`.
    Raises:
        ValueError: an unknown implementation, defect or data source.
        contract.UnavailableError: an implementation asked for by name cannot be imported.
        contract.NothingCheckedError: an implementation offers nothing that could be judged.
        contract.BrokeDownError: an implementation raised, crashed or hung.
    """
    names = contract.select(implementations, "parity")
    chosen = select_defects(only)
    limits.check_whole("seed", seed, 0, limits.SEED)
    limits.check_whole("seeds", seeds, most=limits.RUNS)
    dataset = limits.load(data_source)
    limits.check_memory(dataset.name, limits.training_need(dataset, BATCH))
    common = {"threads": 1, "limit": LIMIT}
    specs = [{**common, "task": "trial", "implementation": name, "only": [d.name for d in chosen]} for name in names]
    with tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder:
        inputs = Path(folder) / "data.npz"
        arrays = {"images": dataset.train_images[:IMAGES], "labels": dataset.train_labels[:IMAGES]}
        arrays |= {"test_images": dataset.test_images[:TESTED], "test_labels": dataset.test_labels[:TESTED]}
        cells.write_result(inputs, {}, arrays)
        trained = [RIGHT, *(d.name for d in chosen)] if train else []
        more = {"task": "defect_training", "implementation": TRAINED, "inputs": str(inputs), "seed": seed}
        specs += [
            {**common, **more, "seeds": seeds, "names": trained[first : first + CHUNK]}
            for first in range(0, len(trained), CHUNK)
        ]
        with progress_bar(len(specs), "defects", progress) as bar:
            results = cells.run(specs, jobs, lambda _: bar.update(), anywhere=True)
    unavailable = contract.note_missing(results, by_name=implementations is not None)
    contract.demand(results)
    accuracies: dict = {}
    for result in results:
        accuracies |= result.meta.get("accuracies", {})
    about = {d.name: d for d in chosen}
    right = np.mean(accuracies[RIGHT]) if train else np.nan  # it does not diverge
    rows = []
    for result in results:
        for row in result.meta.get("rows", ()) if result.spec["task"] == "trial" else ():
            found = accuracies.get(row["defect"], []) if result.spec["implementation"] == TRAINED else []
            defect = about.get(row["defect"])
            row = row | {"implementation": result.spec["implementation"], "accuracy_of_right": right}
            row |= {"looks": defect.looks if defect else "", "advice": defect.advice if defect else ""}
            row |= {"named": row["says"] == row["defect"]}
            arrived = [value for value in found if value is not None]
            row |= {"diverged": len(found) - len(arrived), "accuracy": np.mean(arrived) if arrived else np.nan}
            rows.append(row | {"accuracy_spread": np.std(arrived, ddof=1) if len(arrived) > 1 else np.nan})
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(1, results),
        "unavailable": unavailable,
        "settings": {"images": IMAGES, "epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE, "tested": TESTED},
        "score": score(frame),
    }
    return frame


def score(frame):
    """Counts over all defects and implementations: tried, caught, named right, named wrong, and false alarms.

    `named` is the share named right, where a wrong name counts double: (right - wrong) / tried. A wrong label is worse
    than none.
    """
    wrong = frame[frame["defect"] != RIGHT]
    named, misnamed = int(wrong["named"].sum()), int((~wrong["named"] & (wrong["says"] != "")).sum())
    return {
        "tried": len(wrong),
        "caught": int(wrong["caught"].sum()),
        "named_right": named,
        "named_wrong": misnamed,
        "named": (named - misnamed) / max(1, len(wrong)),
        "false_alarms": int(frame[frame["defect"] == RIGHT]["caught"].sum()),
        "blamed_on_another_stage": int(wrong["blamed"].sum()),
    }


def passed(score):
    """Whether all were caught, at least 98% named right (a wrong name counts double), and nobody accused falsely."""
    return score["caught"] == score["tried"] and score["named"] >= 0.98 and not score["false_alarms"]


def train_defects(spec, implementation):
    """Inside a cell: (no arrays, {"accuracies": by defect, a list with one for each seed, None where it diverges}).

    The list is empty where the network cannot run at all.
    """
    given, _ = cells.read_arrays(spec["inputs"])
    changes = {defect.name: (defect.change,) for defect in DEFECTS} | {RIGHT: ()}
    found: dict = {}
    for name in spec["names"]:
        network = inserted(implementation, *changes[name])
        try:
            with np.errstate(all="ignore"):  # some of them diverge
                seeds = range(spec["seed"], spec["seed"] + spec["seeds"])
                found[name] = [train_once(network, given, seed) for seed in seeds]
        except ValueError:  # the shapes do not fit: such a network does not run at all
            found[name] = []
    return {}, {"accuracies": found}


def train_once(network, given, seed):
    """Test accuracy of one short training in float32; None where the parameters leave the finite numbers."""
    images, labels = scaled(given["images"]).astype(np.float32), given["labels"]
    model = network(tuple(images.shape[1:]), dtype=np.float32, seed=seed)
    for epoch in range(EPOCHS):
        order = np.random.default_rng([seed, epoch]).permutation(len(images))
        for first in range(0, len(images), BATCH):
            batch = order[first : first + BATCH]
            try:
                model.step(images[batch], labels[batch], RATE)
            except ValueError as error:
                if "wanted finite numbers" in str(error):
                    return None
                raise
            if not all(np.isfinite(value).all() for value in model.get_parameters().values()):
                return None
    tests = scaled(given["test_images"]).astype(np.float32)
    fresh = network(tuple(images.shape[1:]), dtype=np.float32)
    fresh.set_parameters(model.get_parameters())
    # by the logits: a defect of the softmax alone must not hide behind NaN
    return float((fresh.logits(tests).argmax(axis=1) == given["test_labels"]).mean())
