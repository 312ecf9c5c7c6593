"""`compare.defects`: what accuracy says of known defects, and what parity says. Accuracy is not evidence."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from compare import cells, data, environment
from compare.progress import progress_bar
from compare.verdict import judge, probes
from compare.verdict.defects import DEFECTS
from compare.verdict.observe import observe, pack
from compare.verdict.probes import scaled
from compare.verdict.run import first_difference, judge_result
from numpy_cnn.layers import Layers

COLUMNS = ["defect", "implementation", "caught", "named", "stage", "seed", "accuracy", "accuracy_of_right", "advice"]
RIGHT = "none (the right network)"
IMAGES, EPOCHS, BATCH, RATE = 1000, 3, 4, 0.02
TESTED = 1000


def defects(data_source=None, seed=0, seeds=4, progress=None):
    """Put each known defect into the NumPy network, judge it by parity, and train it beside the right one.

    Args:
        data_source: as for `compare.parity`.
        seed, seeds: of start weights and batch order: `seeds` of them from `seed` on.
        progress: a bar on stderr; None shows it where stderr is a terminal.
    Returns:
        DataFrame of COLUMNS, a row per defect and seed: `caught`, whether parity differs anywhere (float64, small and
        special probes); `stage`, the first that differs; `named`, whether that is where the change was made; accuracy
        on test images after EPOCHS epochs of IMAGES images, batches of BATCH, learning rate RATE, and that of the right
        network from the same start in the same order. `.attrs` as for `compare.parity`, with `settings`.
    Raises:
        ValueError: an unknown data source.
    """
    dataset = data.load(data_source)
    cases = [case for case in probes.make_probes(dataset, seed) if case.name not in ("digits", "digits-same")]
    tried = [(RIGHT, None, Layers, "")] + [(d.name, d.stage, d.network(), d.advice) for d in DEFECTS]
    rows: list[dict] = []
    with (
        tempfile.TemporaryDirectory(prefix="cnn-compare-") as folder,
        progress_bar(len(tried), "defects", progress) as bar,
    ):
        inputs = Path(folder) / "probes.npz"
        arrays, meta = pack(cases, ["float64"])
        cells.write_result(inputs, meta, arrays)
        right: list[float] = []
        for name, stage, network, advice in tried:
            found, meta = observe({"inputs": str(inputs)}, network)
            result = cells.Result({"implementation": "numpy-layers"}, "ok", found, meta)
            judged = pd.DataFrame(judge_result(result, cases, None, ["float64"])).reindex(columns=judge.COLUMNS)
            first = first_difference(judged)
            at = first["stage"].iloc[0] if len(first) else ""
            accuracies = [_train(network, dataset, number) for number in range(seed, seed + seeds)]
            right = right or accuracies
            row = {
                "defect": name,
                "implementation": "numpy-layers",
                "caught": bool(at),
                "named": at == stage,
                "stage": at,
            }
            for number, accuracy, best in zip(range(seed, seed + seeds), accuracies, right, strict=True):
                rows.append({**row, "seed": number, "accuracy": accuracy, "accuracy_of_right": best, "advice": advice})
            bar.update()
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame.attrs = {
        "data": dataset.description,
        "environment": environment.describe(1),
        "unavailable": {},
        "settings": {"images": IMAGES, "epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE, "tested": TESTED},
    }
    return frame


def _train(implementation, dataset, seed):
    """Test accuracy of one short training in float32."""
    images = scaled(dataset.train_images[:IMAGES]).astype(np.float32)
    labels = dataset.train_labels[:IMAGES]
    model = implementation(tuple(images.shape[1:]), dtype=np.float32, seed=seed)
    for epoch in range(EPOCHS):
        order = np.random.default_rng([seed, epoch]).permutation(len(images))
        for first in range(0, len(images), BATCH):
            batch = order[first : first + BATCH]
            model.step(images[batch], labels[batch], RATE)
    tests = scaled(dataset.test_images[:TESTED]).astype(np.float32)
    # by the logits: a defect of the softmax alone must not hide behind NaN
    return float((model.logits(tests).argmax(axis=1) == dataset.test_labels[:TESTED]).mean())
