"""The README's picture: `python docs/pictures/make.py` draws accuracy.svg from accuracy.json, always the same bytes.

With `--measure`, or `--measure FOLDER` to write there, it makes accuracy.json anew first (a minute or two): each
network's accuracy after training, as `python -m compare defects --data sample` trains, and how far its gradients are
from the right ones.
"""

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

FOLDER = Path(__file__).resolve().parent
RIGHT = {"numpy-layers": "NumPy", "torch": "PyTorch", "keras-tensorflow": "Keras"}
WRONG = {
    "every tied maximum gets the gradient": "all tied maxima get the gradient",
    "gradient of a loss in bits": "gradient of a loss in bits",
    "kernel flipped in the forward pass": "kernel flipped going forward",
    "filter gradient transposed": "filter gradient transposed",
    "filter gradient turned by 180 degrees": "filter gradient turned",
    "one filter gradient for all filters": "one gradient for all filters",
    "filter gradient of the last image only": "filter gradient of one image",
    "(p - y) / 2": "half the gradient",
}
SEEDS, IMAGES = range(4), 64
COLOURS = {True: "#0072b2", False: "#d55e00"}  # Okabe & Ito


def gradient_error(network, images, labels):
    """Largest error of a gradient of filters, dense weights or bias, as a share of what rounding may make of it.

    In float32, at the start of training, from the images to the gradients with nothing looked at in between.
    """
    from compare.contract import PARAMETERS
    from compare.verdict import arbiter
    from compare.verdict.allowances import Rounding, Stages, whole_pass
    from compare.verdict.judge import measure
    from numpy_cnn import CNN

    parameters = CNN(images.shape[1:]).get_parameters()
    tested = network(images.shape[1:], dtype=np.float32)
    tested.set_parameters(parameters)
    found = tested.gradients(images, labels)
    wanted = whole_pass(Stages(arbiter, "valid", Rounding.of("float32")), images, labels, parameters)
    return max(measure(found[name], wanted[f"d_{name}"]).allowance_used for name in PARAMETERS)


def started_alike(implementation):
    """The class of an implementation, with the start weights `numpy_cnn` draws from the seed, and with `logits`."""
    from numpy_cnn import CNN

    class Started(implementation):
        def __init__(self, input_shape, dtype, seed=0):
            super().__init__(input_shape, dtype=np.dtype(dtype).name, seed=seed)
            self.set_parameters(CNN(input_shape, dtype=dtype, seed=seed).get_parameters())

        def logits(self, images):
            return self.activations(images, np.zeros(len(images), int))["logits"]

    return Started


def measured(right=tuple(RIGHT), wrong=tuple(WRONG), seeds=SEEDS):
    """Rows: label, right or not, accuracies by seed, gradient error. All start from the same weights."""
    from compare.cells import worker
    from compare.images import data
    from compare.training import evidence
    from compare.verdict.defects import DEFECTS
    from compare.verdict.inserted import inserted
    from compare.verdict.probes import scaled

    digits = data.load("sample")
    given = {
        "images": digits.train_images[: evidence.IMAGES], "labels": digits.train_labels[: evidence.IMAGES],
        "test_images": digits.test_images, "test_labels": digits.test_labels,
    }  # fmt: skip
    changes = {defect.name: defect.change for defect in DEFECTS}
    networks = [(RIGHT[name], True, started_alike(worker.load_class(name, 1))) for name in right]
    by_hand = worker.load_class(evidence.TRAINED, 1)
    networks += [(WRONG[name], False, inserted(by_hand, changes[name])) for name in wrong]
    images, labels = scaled(given["images"][:IMAGES]).astype(np.float32), given["labels"][:IMAGES]
    return [
        {
            "network": label,
            "right": is_right,
            "accuracies": [round(evidence.train_once(network, given, seed), 4) for seed in seeds],
            "gradient_error": float(f"{gradient_error(network, images, labels):.3g}"),
        }
        for label, is_right, network in networks
    ]


def draw(rows, path):
    """Two panels beside each other, a line for each network; a white background, for pages of any colour."""
    style = {"svg.hashsalt": "cnn-compare", "font.size": 10.5, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(9.2, 4.1), facecolor="white", layout="constrained")
        accuracy, gradient = figure.subplots(1, 2, sharey=True)
        places = [-number - (0 if row["right"] else 0.6) for number, row in enumerate(rows)]
        for place, row in zip(places, rows, strict=True):
            colour, marker = COLOURS[row["right"]], "o" if row["right"] else "X"
            values = 100 * np.array(row["accuracies"])
            accuracy.plot(values, [place] * len(values), ".", color=colour, alpha=0.45, markeredgewidth=0)
            accuracy.plot(values.mean(), place, marker, color=colour, markersize=8)
            gradient.plot(row["gradient_error"], place, marker, color=colour, markersize=8)
        accuracy.set_yticks(places, [row["network"] for row in rows])
        for label, row in zip(accuracy.get_yticklabels(), rows, strict=True):
            label.set_color(COLOURS[row["right"]])
        accuracy.set_xlim(50, 100)
        accuracy.set_xlabel("test accuracy, %: four starts and their mean")
        accuracy.set_title("Accuracy: who is wrong?", loc="left", fontweight="bold")
        gradient.set_xscale("log")
        gradient.set_xlim(1e-4, 1e6)
        gradient.axvspan(1e-4, 1, color="#eeeeee", zorder=0)
        gradient.text(1.6e-4, places[-1], "rounding explains it", color="#555555", fontsize=8.5)
        gradient.set_xlabel("error of a gradient / what rounding allows")
        gradient.set_title("Gradients: these are", loc="left", fontweight="bold")
        for axes in (accuracy, gradient):
            axes.grid(axis="y", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        FOLDER = Path(*sys.argv[2:3] or [FOLDER])
        (FOLDER / "accuracy.json").write_text(json.dumps(measured(), indent=1) + "\n")
    draw(json.loads((FOLDER / "accuracy.json").read_text()), FOLDER / "accuracy.svg")
