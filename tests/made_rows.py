"""Rows made by hand, for the tests of pages: an agreement, failures of all kinds, and nothing at all."""

import numpy as np
import pandas as pd

from compare.clock import speed as timing
from compare.images import data
from compare.pages import pictures
from compare.training import accuracy as training
from compare.training import evidence
from compare.verdict import judge

DATA = "12 digits <made> by hand | 8 train / 4 test"
EVIL = "evil<script>alert(1)</script>"
NOTE = "raised $x^{2$ & <img src=http://example.org/a.png> | a pipe\nand a line"
SETTINGS = {"implementations": None, "data_source": "sample", "seed": 3, "threads": 1, "size": "full"}
ENVIRONMENT = {
    "python": "3.11.0",
    "system": "Linux",
    "processor": "a processor <fast>",
    "cores": 2,
    "memory_bytes": 8_000_000_000,
    "versions": {"numpy": "2.0.0", "torch": None},
    "implementations": {"numpy-layers": "2.0.0", "torch": "2.6.0"},
    "blas": [{"internal_api": "openblas", "version": "0.3", "architecture": "Haswell"}],
    "threads": 1,
    "settings": {"XLA_FLAGS": "--a=<b>"},
}
ATTRS = {"data": DATA, "environment": ENVIRONMENT, "unavailable": {}}


def parity_row(name, quantity, used=0.25, dtype="float32", outcome=None, **more):
    passed = used <= 1 and outcome is None
    return {
        "implementation": name,
        "quantity": quantity,
        "dtype": dtype,
        "probe": "digits",
        "mode": "run",
        "stage": judge.STAGE_OF.get(quantity, "not run"),
        "max_abs_error": 1e-8,
        "allowance_used": used,
        "passed": passed,
        "outcome": outcome or ("agrees" if passed else "differs"),
        "distance": 2.5e-7,
        "worst_index": "[0, 1]",
        "found": 1.0,
        "wanted": 1.0,
        "near_ties": np.nan,
        "note": "",
        **more,
    }


def not_offered(name, quantity, dtype="float32"):
    return parity_row(name, quantity, np.nan, dtype, "not offered") | {"passed": None, "distance": np.nan}


def ended(name, outcome="crashed"):
    row = parity_row(name, "all", np.inf, "", outcome, probe="all", note=NOTE)
    return row | {"max_abs_error": np.nan, "distance": np.nan, "found": np.nan, "wanted": np.nan, "worst_index": None}


def agreeing(*names):
    return [
        parity_row(name, quantity, used, dtype)
        for name in ("arbiter", *names)
        for dtype in ("float32", "float64")
        for quantity, used in (("conv", 0.11), ("pool", 0.0), ("d_conv_weight", 0.39))
    ]


def parity_frame(rows, **attrs):
    frame = pd.DataFrame(rows, columns=judge.COLUMNS)
    frame.attrs = {**ATTRS, "arbiter_proven": True, **attrs}
    return frame


def accuracy_frame(names, seeds=2, bad=()):
    """Trainings of two epochs, looked at in the middle of each; the first of the names is the reference."""
    kinds = ("same", "own", *["moved-1"] * bool(names))
    rows = [
        {
            "implementation": name,
            "start": start,
            "seed": seed,
            "step": 4 * half,
            "epoch": half / 2,
            "test_accuracy": 0.1 + 0.2 * half + 0.01 * seed if half % 2 == 0 else np.nan,
            "test_loss": 2.3 - half / 2 if half % 2 == 0 else np.nan,
            "watched_accuracy": 0.1 + 0.2 * half + 0.01 * seed,
            "watched_loss": 2.3 - half / 2,
            "apart": np.nan if start == "own" else 0,
            "drift": np.nan if start == "own" else half * 1e-8 * names.index(name) if start == "same" else 2e-7 * half,
            "seconds": 0.75 if half else 0.0,
            "train_loss": 2.0 - half / 2 if half else np.nan,
            "outcome": "trained",
            "note": "",
        }
        for start in kinds
        for seed in range(seeds)
        for name in (names[:1] if start == "moved-1" else names)
        for half in range(5)
    ]
    rows += [{"implementation": name, "start": "same", "seed": 0, "outcome": "hung", "note": NOTE} for name in bad]
    frame = pd.DataFrame(rows, columns=training.COLUMNS)
    settings = {"epochs": 2, "batch_size": 32, "learning_rate": 0.1, "dtype": "float32", "seeds": seeds, "watched": 4}
    settings["starts"] = ["same", "own"]
    frame.attrs = {**ATTRS, "settings": settings, "reference": names[0] if names else None}
    return frame


def speed_frame(names, bad=(), not_timed=()):
    """Timings with the first of the names as reference: the second as fast as that, the third slower, in doubt."""
    rows = [
        (name, task, size, 1, 1e-4 / size, 0.9e-4 / size, 1.2e-4 / size, 5, "timed", "")
        for name in names
        for task in ("train", "predict")
        for size in (1, 32)
    ]
    rows += [(name, "train", 1, 1, *[np.nan] * 4, "crashed", NOTE) for name in bad]
    frame = pd.DataFrame(rows, columns=timing.COLUMNS[:10]).reindex(columns=timing.COLUMNS)
    for place, row in enumerate(frame[frame["outcome"] == "timed"].to_dict("records")):
        number = names.index(row["implementation"])
        ratio = {"ratio": 1.0 + 0.5 * max(0, number - 1), "ratio_low": 0.97 + 0.4 * max(0, number - 1)}
        ratio |= {"ratio_high": 1.02 + 0.6 * max(0, number - 1), "noise_floor": 0.03, "rounds": 5}
        ratio["difference"] = "reference" if number == 0 else "no difference" if number == 1 else "slower"
        more = {"first_seconds": 0.25 + number, "conversion_seconds_per_image": 1e-6 * (number + 1) / row["batch_size"]}
        more |= {"gemm_share": 0.11 + 0.1 * number, "waited": 0.02, "processors": 1.0}
        more |= {"pays_after_calls": 1234.0} if number == 2 else {}
        for column, value in (ratio | more).items():
            frame[column] = frame[column].astype(object)
            frame.loc[place, column] = value
    frame = frame.astype({name: float for name in timing.COLUMNS[10:] if name != "difference"})
    frame.attrs = {
        **ATTRS,
        "not_timed": list(not_timed),
        "reference": names[0] if names else None,
        "noise": [{"task": "train", "batch_size": 1, "value": 1.01, "low": 0.98, "high": 1.04, "rounds": 5}],
        "costs": [
            {
                "implementation": name,
                "import_seconds": 0.25,
                "first_prediction_seconds": 0.0321,
                "first_step_seconds": None,
                "peak_memory_bytes": 123_456_789,
                "installed_bytes": 987_654_321,
                "packages": ["numpy", "torch"],
                "code_lines": 77,
            }
            for name in names
        ],
        "thread_mismatches": [],
        "load_average": (0.5, 1.5),
    }
    return frame


def good(names=("numpy-layers", "torch", "keras-tensorflow")):
    return parity_frame(agreeing(*names)), accuracy_frame(names), speed_frame(names)


def broken():
    rows = agreeing("numpy-layers", "torch")
    rows += [parity_row("keras-tensorflow", "conv", 0.1), parity_row("keras-tensorflow", "d_conv_weight", 1.234)]
    rows += [not_offered("keras-tensorflow", "d_images")]
    parity = parity_frame([*rows, ended(EVIL)], unavailable={})
    timed = speed_frame(["numpy-layers"], bad=["torch"], not_timed=["keras-tensorflow", EVIL])
    return parity, accuracy_frame(["numpy-layers", "torch"], bad=[EVIL]), timed


def nothing():
    speed = speed_frame([])
    return parity_frame([ended("torch", "hung")]), accuracy_frame([], bad=["torch"]), speed


CASES = {
    "good": good,
    "broken": broken,
    "nothing": nothing,
    "empty": lambda: (parity_frame([]), accuracy_frame([]), speed_frame([])),
}


def defects_frame():
    right = {"defect": "none (the right network)", "caught": False, "named": False, "says": "", "stage": ""}
    wrong = {"defect": "<b>half</b> the gradient", "caught": True, "named": True, "says": "<b>half</b> the gradient"}
    common = {"implementation": "numpy-layers", "accuracy_of_right": 0.8, "diverged": 0, "blamed": False}
    rows = [right | common | {"accuracy": 0.8}, wrong | common | {"accuracy": 0.81, "stage": "loss backward"}]
    frame = pd.DataFrame(rows).reindex(columns=evidence.COLUMNS)
    frame.attrs = {"settings": {"images": 1000, "epochs": 3, "batch_size": 4, "learning_rate": 0.02}}
    return frame


def shown(names=("numpy-layers", "torch", "keras-tensorflow")):
    """What pages show besides rows, of 6x8 images: the last of the names is apart from the first by a little."""
    rng = np.random.default_rng(0)
    shapes = {"conv": (1, 4, 6, 8), "pool": (1, 2, 3, 8), "probabilities": (1, 10), "d_pool": (1, 2, 3, 8)}
    shapes |= {"d_conv": (1, 4, 6, 8), "d_images": (1, 6, 8, 1), "d_conv_weight": (3, 3, 1, 8)}
    walk = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    before, after = rng.standard_normal((2, 3, 3, 1, 8)).astype(np.float32)
    arrays = {}
    for number, name in enumerate(names):
        apart = 1 + (number == len(names) - 1) * 1e-6
        predicted = np.array([0, 1, 2, 5 + number])
        arrays[name] = {
            "walk": {quantity: (value * apart).astype(np.float32) for quantity, value in walk.items()},
            "before": {"conv_weight": before},
            "after": {"conv_weight": (after * apart).astype(np.float32)},
            "predicted": predicted,
            "sure": np.float32([0.9, 0.8, 0.7, 0.61 + 0.1 * number]),
        }
    images = rng.integers(0, 256, (4, 6, 8)).astype(np.uint8)
    fields = {"train_images": images, "train_labels": np.arange(4), "test_images": images, "test_labels": np.arange(4)}
    dataset = data.Dataset(**fields, **{n: "" for n in data.Dataset.__dataclass_fields__ if n not in fields})
    return pictures.gathered(arrays, names[0], dataset)
