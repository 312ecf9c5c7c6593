"""What cannot work is refused before it runs, in one line with what was found and what is there."""

import os

import numpy as np
import psutil
import pytest
from test_cells import code, run_cell  # noqa: F401 - `code` is a fixture

import compare
from compare import files
from compare.cells import cells, limits
from compare.images import data
from compare.verdict import run


def images(h, w, count=40):
    """A dataset whose images take no memory here, however large they are said to be."""
    pixels = np.broadcast_to(np.uint8(0), (count, h, w))
    return data.Dataset("big", "big", pixels, np.arange(count) % 10, pixels[:2], np.arange(2))


ENTRANCES = {
    "parity": lambda **more: compare.parity("numpy-layers", "x", **more),
    "accuracy": lambda **more: compare.accuracy("numpy-layers", "x", **more),
    "speed": lambda **more: compare.speed("numpy-layers", "x", proven=["numpy-layers"], **more),
    "defects": lambda **more: compare.defects("numpy-layers", "x", **more),
}


@pytest.fixture
def nothing_runs(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a cell was started")

    monkeypatch.setattr(cells, "run", refuse)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (3, 100), (100, 3)])
@pytest.mark.parametrize("command", [*ENTRANCES, "report"])
def test_images_that_the_network_cannot_take(monkeypatch, nothing_runs, tmp_path, command, shape):
    monkeypatch.setattr(data, "load", lambda source: images(*shape))
    call = ENTRANCES.get(command, lambda: compare.report(tmp_path, "numpy-layers", "x"))
    h, w = shape
    with pytest.raises(ValueError, match=f"^big: found images of {h} x {w} pixels, wanted 4 x 4 or larger$"):
        call()


@pytest.mark.parametrize("command", [*ENTRANCES, "report"])
def test_images_that_do_not_fit_the_memory(monkeypatch, nothing_runs, tmp_path, command):
    monkeypatch.setattr(data, "load", lambda source: images(100_000, 100_000))
    call = ENTRANCES.get(command, lambda: compare.report(tmp_path, "numpy-layers", "x"))
    wanted = (
        r"^big.*: found a need of about [\d,]+\.\d GB of memory, wanted at most the [\d,]+\.\d GB that are free here$"
    )
    with pytest.raises(ValueError, match=wanted):
        call()
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_does_not_fit_is_refused_and_one_that_trains_on_all_images_is_not(nothing_runs):
    with pytest.raises(ValueError, match="^sample, batch size 1,000,000,000: found a need of about [0-9,.]+ GB"):
        compare.speed("numpy-layers", "sample", batch_sizes=[1, 10**9], proven=["numpy-layers"])
    with pytest.raises(AssertionError, match="a cell was started"):
        compare.accuracy("numpy-layers", "sample", batch_size=10**9)  # no more than there are images


def test_weights_that_do_not_fit(nothing_runs, tmp_path):
    with pytest.raises(ValueError, match="^weights of this network: found a need of about [0-9,.]+ GB"):
        compare.convert(tmp_path / "a.pt", tmp_path / "b.npz", (10**6, 10**6, 1), 8, 10)


def test_needs_are_near_what_is_held():
    """Of MNIST: 60,000 images of 784 pixels; a step on 32; timing four batches of 256."""
    mnist = images(28, 28, 60_000)
    assert limits.training_need(mnist, 32) == 13 * 784 * 60_000 + 4 * (32 * 784 * 33 + 2 * 196 * 80)
    assert limits.timing_need(mnist, 256) == 4 * 256 * (4 * 784 + 8) + 4 * (256 * 784 * 33 + 2 * 196 * 80)
    assert limits.weights_need((28, 28, 1), 8, 10, "valid", "float64") == 3 * 8 * (72 + 13_520 + 10)
    assert limits.parity_need(mnist, ["float32", "float64"]) == 784 * (3_000 * 32 * 2 + 3 * 8 * 800)
    assert limits.parity_need(mnist, ["float32"], cells=2) == 784 * (4_200 * 32 + 3 * 8 * 800)


def test_what_just_fits_is_let_through():
    here = psutil.virtual_memory().available
    limits.check_memory("it", here // 2)
    with pytest.raises(ValueError, match="^it: found a need"):
        limits.check_memory("it", 2 * here)


OUT_OF_RANGE = {
    "seed": {-1: "found -1, wanted a whole number of 0 to 2,147,483,647", 10**30: "found 1000000"},
    "threads": {0: "found 0, wanted a whole number of 1 to 1,024", 10**9: "found 1000000000"},
    "seeds": {10**9: "found 1000000000, wanted a whole number of 1 to 10,000"},
    "rounds": {10**9: "found 1000000000"},
    "samples": {10**9: "found 1000000000"},
}
TAKES = {
    "parity": ("seed", "threads"),
    "accuracy": ("seed", "threads", "seeds"),
    "speed": ("seed", "threads", "rounds", "samples"),
    "defects": ("seed", "seeds"),
}


@pytest.mark.parametrize(("command", "name"), [(command, name) for command in TAKES for name in TAKES[command]])
def test_settings_out_of_range(nothing_runs, command, name):
    for value, message in OUT_OF_RANGE[name].items():
        with pytest.raises(ValueError, match=f"^{name}: {message}"):
            ENTRANCES[command](**{name: value})


def test_an_empty_path_is_refused(nothing_runs):
    with pytest.raises(ValueError, match="folder: found '', wanted a path"):
        compare.report("", "numpy-layers", "sample")
    with pytest.raises(ValueError, match="file: found '', wanted a path"):
        files.check_writable("")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.check_writable(pipe)
    files.write_text(pipe, "rows\n")
    assert os.read(reader, 100) == b"rows\n"
    os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_cell_may_write_as_large_a_result_as_is_read_of_it(code, tmp_path):  # noqa: F811
    """Of images of 300 x 300 pixels an answer has 6 GB; of what is given to the cell ten times as much is read."""
    with (tmp_path / "given.npz").open("wb") as file:
        file.truncate(300 << 20)
    text = "import os\nfile = open('large', 'wb')\nos.remove('large')\nfile.truncate({})\nclass CNN: pass"
    for size, status in ((2 << 30, "ok"), (4 << 30, "raised")):
        name = code(f"writes_{size}", text.format(size))
        result = run_cell(name, tmp_path, inputs=str(tmp_path / "given.npz"))
        assert result.status == status, result
    assert result.error.endswith("(at the limit of 2.99 GB of one file)")


def test_answers_of_parity_are_held_until_they_are_judged(monkeypatch):
    monkeypatch.setattr(run, "judge_result", lambda result, question, same: [result.arrays["a"].sum()])
    result = cells.Result({}, "ok", {"a": np.ones(3)})
    assert run._judge_and_drop(result, None, {}) == [3] and result.arrays == {}
