"""A sweep: what its file may say, what each row is; no row is lost, doubled, or believed where it is damaged."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import compare
from compare import cli, params
from compare.cells import cells, limits
from compare.sweeping import cell, page, rows, settings, sweep
from compare.training.cell import batch_order
from compare.verdict.defects import DEFECTS
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers
from numpy_cnn.optimisers import Adam

SMALL = settings.Settings(
    seeds=(0, 1),
    implementations=("numpy-layers", "numpy-fused"),
    learning_rates=(0.05, 100.0),
    optimisers=("sgd",),
    data="sample",
    images=200,
    tested=100,
    per_process=4,
)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A small sweep that is done: its folder, its rows and what they rest on."""
    folder = tmp_path_factory.mktemp("swept") / "out"
    return (folder, *sweep.sweep(SMALL, folder, progress=False))


@pytest.fixture
def started(monkeypatch):
    """Specs of the cells that were started."""
    found, run = [], cells.run
    monkeypatch.setattr(cells, "run", lambda specs, *more, **others: found.extend(specs) or run(specs, *more, **others))
    return found


def test_the_template_is_a_sweep_and_names_every_key(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(settings.TEMPLATE)
    found = settings.load(path)
    assert len(found) == len(found.cells()) == 72
    assert set(settings.READ) == {field.name for field in dataclasses.fields(settings.Settings)}
    for key in settings.READ:
        assert f"\n{key} = " in settings.TEMPLATE, key


FIRST = "seeds = 2\nimplementations = ['numpy-fused']\nlearning_rates = [0.1]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = ", "found no TOML"),
        ("seeds = 1", "found no key 'implementations', wanted one"),
        (FIRST + "learning_rate = [1]", "unknown key: found 'learning_rate', .*; did you mean 'learning_rates'"),
        (FIRST.replace("2", "0"), "seeds: found 0, wanted a whole number of 1 to 10,000"),
        (FIRST.replace("2", "true"), "seeds: found True, wanted a list of whole numbers"),
        (FIRST.replace("2", "[1, -1]"), "seeds: found -1, wanted whole numbers"),
        (FIRST.replace("2", "[1, 1]"), "seeds: found 1 twice, wanted each once"),
        (FIRST.replace("[0.1]", "[]"), "learning_rates: found \\[\\], wanted a list of numbers"),
        (FIRST.replace("[0.1]", "[nan]"), "learning_rates: .*found nan"),
        (FIRST.replace("numpy-fused", "numpi"), "unknown implementation: found 'numpi'.*did you mean"),
        (FIRST + "optimisers = ['lion']", "optimisers: found 'lion', wanted names out of sgd"),
        (FIRST + "batch_sizes = [0]", "batch_sizes: found 0, wanted whole numbers of 1 or more"),
        (FIRST + "epochs = 1.5", "epochs: found '1.5', wanted a whole number of 1 or more"),
        (FIRST + "limit = 'x'", "limit: found 'x', wanted seconds above 0"),
        (FIRST + "data = 3", "data: found 3, wanted sample, mnist or a folder"),
        (FIRST + "defects = ['of nothing']", "unknown defect: found 'of nothing'"),
    ],
)
def test_what_a_sweep_may_not_say_is_named(tmp_path, text, said):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{path}: {said}"):
        settings.load(path)


def test_a_mistake_in_plain_sgd_goes_with_plain_sgd(tmp_path):
    path = tmp_path / "sweep.toml"
    name = next(defect.name for defect in DEFECTS if defect.stage == "update")
    path.write_text(f"{FIRST}defects = [{name!r}]\n")
    assert settings.load(path).defects == (name,)
    path.write_text(f"{FIRST}defects = [{name!r}]\noptimisers = ['sgd', 'adam']\n")
    with pytest.raises(ValueError, match="a mistake in plain SGD, beside optimisers sgd, adam"):
        settings.load(path)


def test_each_cell_has_one_row_in_its_order(swept):
    folder, frame, about = swept
    assert sorted(path.name for path in folder.iterdir()) == ["sweep.parquet"]
    assert frame["key"].is_unique and list(frame.columns) == rows.SCHEMA.names
    wanted = pd.DataFrame(SMALL.cells())
    pd.testing.assert_frame_equal(frame[wanted.columns], wanted, check_dtype=False)
    by_rate = frame.groupby("learning_rate")["status"].agg(set).to_dict()
    assert by_rate == {0.05: {"trained"}, 100.0: {"diverged"}}
    assert set(frame["steps"]) == {7} and set(frame["images"]) == {200}
    assert about["damaged"] == [] and json.dumps(about)


def test_a_row_is_what_accuracy_finds(swept, monkeypatch):
    _, frame, _ = swept
    load = limits.load

    def less(source):
        whole = load(source)
        few = {"train_images": 200, "train_labels": 200, "test_images": 100, "test_labels": 100}
        return dataclasses.replace(whole, **{name: getattr(whole, name)[:most] for name, most in few.items()})

    monkeypatch.setattr(limits, "load", less)
    more = {"epochs": 1, "seeds": 2, "starts": ["same"], "learning_rate": 0.05, "progress": False}
    wanted = compare.accuracy("numpy-fused", "sample", **more)
    wanted = wanted[(wanted["start"] == "same") & (wanted["epoch"] == 1)]
    found = frame[(frame["implementation"] == "numpy-fused") & (frame["learning_rate"] == 0.05)]
    for column in ("seed", "step", "test_accuracy", "test_loss"):
        assert wanted[column].tolist() == found[column.replace("step", "steps")].tolist(), column


def of(run, implementation, images=60, epochs=1, folder=None):
    """The row of one training in this process."""
    rng = np.random.default_rng(0)
    arrays = {"train_images": rng.integers(0, 256, (images, 8, 7), np.uint8), "train_labels": np.arange(images) % 10}
    arrays |= {"test_images": arrays["train_images"][:20], "test_labels": arrays["train_labels"][:20]}
    cells.write_result(folder / "data.npz", {}, arrays)
    full = {"optimiser": "sgd", "learning_rate": 0.1, "batch_size": 8, "seed": 0, "defect": "none", **run}
    spec = {"inputs": str(folder / "data.npz"), "runs": [full], "epochs": epochs, "partial": str(folder / "p.npz")}
    return cell.train(spec, implementation)[1]["rows"][0]


def test_each_optimiser_goes_its_way_and_a_defect_another(tmp_path):
    losses = {}
    for name in ("sgd", "momentum", "nesterov", "adam", "adamw"):
        row = of({"optimiser": name}, Fused, folder=tmp_path)
        other = of({"optimiser": name}, Layers, folder=tmp_path)
        assert row["status"] == "trained" and row["steps"] == 8
        assert row["test_loss"] == pytest.approx(other["test_loss"], rel=1e-4)
        losses[name] = row["test_loss"]
    assert len(set(losses.values())) == 5
    wrong = next(defect.name for defect in DEFECTS if defect.stage.startswith("dense backward"))
    for name in ("sgd", "adam"):
        same = of({"optimiser": name}, Layers, folder=tmp_path)["test_loss"]
        assert of({"optimiser": name, "defect": wrong}, Layers, folder=tmp_path).get("test_loss") != same
    assert of({"optimiser": "momentum", "learning_rate": 1e30}, Fused, folder=tmp_path)["status"] == "diverged"


def test_adam_is_that_of_the_numpy_network(tmp_path):
    found = of({"optimiser": "adam", "learning_rate": 0.01}, Fused, folder=tmp_path)
    given, _ = cells.read_arrays(tmp_path / "data.npz")
    images = (given["train_images"][..., None] / 255 - 0.5).astype(np.float32)
    model, adam, states = Fused((8, 7, 1), dtype="float32"), Adam(), {}
    model.set_parameters(params.start_parameters((8, 7, 1)))

    def update(name, parameter, gradient):
        state = states.get(name) or adam.start(parameter)
        parameter, states[name] = adam.update(parameter, gradient, state, 0.01)
        return parameter

    order = batch_order(0, 1, len(images))
    for first in range(0, len(order), 8):
        batch = order[first : first + 8]
        model.descend(images[batch], given["train_labels"][batch], update)
    p = model.predict(images[:20])
    loss = -np.log(p[np.arange(20), given["test_labels"]].astype(float)).mean()
    assert found["test_loss"] == pytest.approx(loss, rel=1e-6)


def test_nothing_is_done_again(swept, started, tmp_path):
    folder, frame, _ = swept
    shutil.copytree(folder, tmp_path / "out")
    again, _ = sweep.sweep(SMALL, tmp_path / "out", progress=False)
    pd.testing.assert_frame_equal(again, frame)
    assert started == []
    more = dataclasses.replace(SMALL, seeds=(0, 1, 2), implementations=("numpy-fused",) + SMALL.implementations[:1])
    longer, _ = sweep.sweep(more, tmp_path / "out", progress=False)
    assert {run["seed"] for spec in started for run in spec["runs"]} == {2}
    assert len(longer) == 12 and set(longer["key"]) > set(frame["key"])


def test_a_damaged_file_is_noticed_and_its_cells_are_done_again(swept, started, tmp_path):
    folder, frame, _ = swept
    (tmp_path / "out").mkdir()
    store = rows.Rows(tmp_path / "out")
    kept = pq.read_table(folder / "sweep.parquet").to_pylist()
    store.add(kept[:3])
    store.add(kept[3:6])
    store.add(kept[1:4])  # written twice, as by a command that was killed while it put files together
    path = tmp_path / "out" / "rows" / f"{kept[3]['key']}.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"numpy-fused") + 2] ^= 1  # one bit of a name
    path.write_bytes(damaged)
    (tmp_path / "out" / "rows" / "cut.parquet").write_bytes(path.read_bytes()[:100])
    again, about = sweep.sweep(SMALL, tmp_path / "out", progress=False)
    assert sorted(about["damaged"]) == sorted([path.name, "cut.parquet"])
    assert sorted(key for spec in started for key in spec["keys"]) == sorted(row["key"] for row in kept[4:])
    timed = ["seconds"]
    pd.testing.assert_frame_equal(again.drop(columns=timed), frame.drop(columns=timed))


def test_many_parts_are_put_together(swept, tmp_path, monkeypatch):
    folder, _, _ = swept
    kept = pq.read_table(folder / "sweep.parquet").to_pylist()
    monkeypatch.setattr(rows, "PARTS", 3)
    store = rows.Rows(tmp_path)
    for row in kept:
        store.add([row])
    names = [path.name[:5] for path in (tmp_path / "rows").iterdir()]
    assert sorted(name == "BLOCK" for name in names) == [False, False, True, True]
    assert sorted(rows.Rows(tmp_path).read()["key"].to_pylist()) == sorted(row["key"] for row in kept)


def test_rows_of_another_sweep_are_left_alone(swept, tmp_path):
    folder, _, _ = swept
    before = (folder / "sweep.parquet").read_bytes()
    other = dataclasses.replace(SMALL, epochs=2)
    with pytest.raises(ValueError, match="found 8 rows of other settings, data or versions, wanted those of this"):
        sweep.sweep(other, folder, progress=False)
    assert (folder / "sweep.parquet").read_bytes() == before


def test_a_training_that_takes_its_process_along_leaves_the_others_to_the_next(tmp_path, monkeypatch):
    asked = []

    def run(specs, jobs, done, anywhere):
        assert anywhere
        for spec in specs:
            asked.append([run["seed"] for run in spec["runs"]])
            good = {"status": "trained", "note": "", "steps": 1, "seconds": 0.0}
            before = [good for run in spec["runs"] if run["seed"] < 1]
            bad = any(run["seed"] == 1 for run in spec["runs"])
            whole = [good] * len(spec["runs"])
            result = cells.Result(spec, "crashed", {}, {"rows": before}, "signal SIGSEGV")
            done(result if bad else cells.Result(spec, "ok", {}, {"rows": whole, "version": "1"}))

    monkeypatch.setattr(cells, "run", run)
    some = dataclasses.replace(SMALL, seeds=(0, 1, 2, 3), learning_rates=(0.1,), implementations=("numpy-fused",))
    frame, _ = sweep.sweep(some, tmp_path / "out", progress=False)
    assert asked == [[0, 1, 2, 3], [2, 3]]
    assert frame["status"].tolist() == ["trained", "crashed", "trained", "trained"]
    assert frame["note"].tolist() == ["", "signal SIGSEGV", "", ""]
    assert sweep.exit_code(frame) == 4


def test_what_was_lost_or_missing_is_done_again(tmp_path, monkeypatch):
    status = ["lost"]

    def run(specs, jobs, done, anywhere):
        for spec in specs:
            rows_ = [{"status": "trained", "note": "", "steps": 1}] * len(spec["runs"])
            done(cells.Result(spec, status[0], {}, {"rows": rows_} if status == ["ok"] else {}, "it went away"))

    monkeypatch.setattr(cells, "run", run)
    frame, _ = sweep.sweep(SMALL, tmp_path / "out", progress=False)
    assert set(frame["status"]) == {"lost"} and sweep.exit_code(frame) == 3
    status[0] = "ok"
    frame, _ = sweep.sweep(SMALL, tmp_path / "out", progress=False)
    assert set(frame["status"]) == {"trained"} and sweep.exit_code(frame) == 0


def test_where_implementations_part(swept):
    _, frame, about = swept
    far = page.apart(frame)
    assert far[["implementation", "learning_rate", "seeds"]].values.tolist() == [["numpy-layers", 0.05, 2]]
    assert far["most"].max() <= 0.02, "the same network"
    moved = frame.copy()
    moved.loc[moved["implementation"] == "numpy-layers", "test_accuracy"] += 0.25
    assert page.apart(moved)["most"].tolist() == pytest.approx([0.25 + far["most"][0]], abs=0.05)
    text = page.write(moved, about, SMALL)
    assert text.count("<svg") == 2 and "NumPy (fused)" in text and "POLICY" not in text
    best = page.best(frame)
    assert best["best rate"].tolist() == ["0.05", "0.05"] and best["diverged"].tolist() == ["2", "2"]


def test_the_command_writes_the_rows_and_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.toml").write_text(f"{FIRST}data = 'sample'\nimages = 100\ntested = 50\nper_process = 2\n")
    done = CliRunner().invoke(cli.cli, ["sweep", "sweep.toml", "--out", "out"], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.html", "sweep.json", "sweep.parquet"]
    assert "2 cells: 2 trained" in done.output
    dry = CliRunner().invoke(cli.cli, ["sweep", "sweep.toml", "--dry-run", "--out", "none"], standalone_mode=False)
    assert dry.return_value == 0 and "2 cells, about " in dry.output
    assert not (tmp_path / "none").exists()
    template = CliRunner().invoke(cli.cli, ["sweep", "--template"], standalone_mode=False)
    assert template.output == settings.TEMPLATE
