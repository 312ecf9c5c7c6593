"""Pages from rows made by hand: what is shown, what is escaped, what is never loaded, and what a folder keeps."""

import base64
import csv
import hashlib
import html
import inspect
import io
import json
import re
import shlex
import signal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from made_rows import (
    CASES,
    DATA,
    ENVIRONMENT,
    EVIL,
    SETTINGS,
    accuracy_frame,
    agreeing,
    broken,
    good,
    not_offered,
    nothing,
    parity_frame,
    parity_row,
    speed_frame,
)

from compare import cli, contract, output
from compare.clock import speed as timing
from compare.pages import again, content, drawn, plots, sealing, words
from compare.pages import report as pages
from compare.training import accuracy as training
from compare.training import evidence, starts
from compare.verdict import run as judging


def rendered(frames):
    return pages.render(*frames, SETTINGS)


@pytest.fixture(params=CASES)
def frames(request):
    return CASES[request.param]()


class Page(HTMLParser):
    """Tags with their attributes, and the text of everything but the style sheet."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self.inside and data.strip():
            self.words.append(" ".join(data.split()))

    def all(self, tag):
        return [attrs for found, attrs in self.tags if found == tag]


def test_every_case_gives_every_file(frames):
    assert sorted(pages.render(*frames, SETTINGS)) == sorted(pages.FILES)


def test_page_loads_nothing_and_runs_only_its_own_script(frames):
    text = rendered(frames)["index.html"]
    page = Page(text)
    assert not {"iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    for tag, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        assert tag == "img" or "src" not in attrs
        if tag != "a":
            assert not [v for name, v in attrs.items() if name.endswith("href") and not v.startswith(("#", "data:"))]
    assert all(attrs["src"].startswith("data:image/png;base64,") and attrs["alt"] for attrs in page.all("img"))
    style = re.search(r"<style>.*?</style>", text, re.DOTALL).group()
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    for kind in ("style", "script"):
        (own,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy


def test_a_seal_moves_styles_into_the_sheet_and_leaves_text_alone():
    page = '<meta content="POLICY"><style>a {}</style><b style="x: 1">say style="x: 1"</b><i style="x: 1"></i>'
    sealed = sealing.sealed(page)
    assert '<b class="s0">say style="x: 1"</b><i class="s0"></i>' in sealed
    assert "<style>a {}.s0 { x: 1 }\n</style>" in sealed
    assert "script-src 'none'" in sealed


def test_ids_are_unique_and_references_resolve(frames):
    text = pages.render(*frames, SETTINGS)["index.html"]
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]*)', text)) <= set(ids)


def test_verdict_comes_first():
    page = Page(pages.render(*good(), SETTINGS)["index.html"])
    body = page.words[page.words.index("NumPy, PyTorch and Keras are the same network") :]  # once in <title>
    assert body[1:3] == ["✓", "NumPy, PyTorch and Keras are the same network"]
    order = [attrs["id"] for attrs in page.all("h2")]
    assert order == [name for name, _ in content.SECTIONS if name != "against"]
    assert [attrs["href"] for attrs in page.all("a") if attrs["href"].startswith("#")][: len(order)] == [
        f"#{name}" for name in order
    ]


def test_headlines():
    assert words.headline(*good(["numpy-layers", "torch"])) == "NumPy and PyTorch are the same network"
    assert words.headline(*good(["torch"])) == "PyTorch agrees with the definition"
    said = words.headline(*broken())
    assert said.startswith(f"Keras differs at conv backward; {EVIL} crashed")
    assert said.endswith("PyTorch crashed in timing; NumPy and PyTorch are the same network")
    assert words.headline(*nothing()) == "PyTorch hung"
    assert words.headline(*CASES["empty"]()) == "Nothing was compared"


def test_unproven_arbiter_is_said_first_and_nobody_is_called_the_same():
    parity, accuracy, speed = good()
    parity.attrs["arbiter_proven"] = False
    files = pages.render(parity, accuracy, speed, SETTINGS)
    assert json.loads(files["results.json"])["verdict"][0].startswith("The arbiter is not proven")
    assert "are the same network" not in files["index.html"]
    assert '<header class="good">' not in files["index.html"]


def test_thin_check_does_not_look_full():
    parity, accuracy, speed = good(["numpy-layers", "torch"])
    parity.attrs["unavailable"] = {"keras-tensorflow": "No module named 'keras'"}
    text = " ".join(Page(pages.render(parity, accuracy, speed, SETTINGS)["index.html"]).words)
    assert "Keras was not checked: not available here. No module named 'keras'" in text
    assert "implementations not available 1" in text
    assert "quantities asked 12 agree 12 differ 0 not reached 0 not offered 0 raised, crashed or hung 0" in text
    text = " ".join(Page(pages.render(*broken(), SETTINGS)["index.html"]).words)
    assert "quantities asked 16 agree 13 differ 1 not reached 0 not offered 1 raised, crashed or hung 1" in text


def test_part_of_the_contract_is_not_the_same_network():
    parity = parity_frame([*agreeing("numpy-layers", "torch", "partial"), not_offered("partial", "conv")])
    rest = good(["numpy-layers", "torch"])[1:]
    said = "NumPy and PyTorch are the same network; partial agrees in the part that can be checked"
    assert words.headline(parity, *rest) == said
    text = pages.render(parity, *rest, SETTINGS)["index.html"]
    assert '<header class="good">' in text
    assert '<td class="lacking first">11%, in part</td>' in text
    assert "NumPy and PyTorch compute the same activations" in " ".join(text.split())
    mute = parity_frame([*agreeing("torch"), not_offered("mute", "conv")])
    assert words.headline(mute, *rest) == "mute offers nothing to check; PyTorch agrees with the definition"


def test_failures_are_marked_and_never_a_pass():
    text = pages.render(*broken(), SETTINGS)["index.html"]
    assert '<header class="bad">' in text
    assert '<td class="bad first">1.23 times</td>' in text
    assert '<td class="lacking first">not offered</td>' in text
    assert '<td class="bad first">crashed</td>' in text
    assert text.count('<td class="bad">hung</td>') == 1
    assert f'title="{html.escape(EVIL)}, conv forward, conv: crashed"' in text
    assert "Keras was not timed" in text
    assert "nothing was timed" in pages.render(*nothing(), SETTINGS)["index.html"]


def test_a_training_that_diverged_has_no_number_on_the_page():
    """Of both seeds at torch's first kind of start, after an epoch with numbers; at the other, of one seed."""
    parity, accuracy, speed = good(["numpy-layers", "torch"])
    gone = (accuracy["implementation"] == "torch") & ((accuracy["start"] == "same") | (accuracy["seed"] == 1))
    accuracy.loc[gone, "test_accuracy"] += 0.0777  # would be seen in any mean
    ended = gone & (accuracy["epoch"] == 2)
    accuracy.loc[ended, ["test_accuracy", "test_loss", "seconds", "train_loss"]] = np.nan
    accuracy.loc[ended, ["outcome", "note"]] = ["diverged", "the loss of step 7 of 125 in epoch 2 is nan"]
    assert words.headline(parity, accuracy, speed).startswith("PyTorch diverged in training")
    found = starts.summary(accuracy).set_index(["start", "implementation"])
    assert ("same", "torch") not in found.index
    assert found.loc[("own", "torch"), "starts"] == 1
    assert found.loc[("own", "torch"), "test_accuracy"] == pytest.approx(0.9)
    assert found.loc[("own", "numpy-layers"), "starts"] == 2
    files = pages.render(parity, accuracy, speed, SETTINGS)
    for name in ("index.html", "report.md"):
        assert "the loss of step 7 of 125 in epoch 2 is nan" in files[name]
        assert "97.77%" not in files[name]


def test_every_table_and_figure_says_its_data():
    text = pages.render(*good(), SETTINGS)["index.html"]
    captions = re.findall(r"<(?:caption|figcaption)>.*?</(?:caption|figcaption)>", text, re.DOTALL)
    assert len(captions) == 12
    assert all("12 digits &lt;made&gt; by hand" in caption for caption in captions)
    assert text.count('<svg role="img" aria-label=') == 2 + 2 + 4 + 1  # dtypes, tasks, trainings, drift
    assert text.count("<table>") == text.count("<caption>")


def test_text_from_outside_is_escaped():
    files = pages.render(*broken(), SETTINGS)
    assert files["index.html"].count("<script") == 1
    assert "<img" not in files["index.html"]
    assert "$x^{2$ &amp; &lt;img" in files["index.html"]
    assert "<script" not in files["report.md"]
    assert "<img" not in files["report.md"]
    tables = [line for line in files["report.md"].splitlines() if line.startswith("|")]
    rows = [line.replace("\\|", "").count("|") for line in tables]
    widths = [count for before, count in zip([0, *rows], rows, strict=False) if count != before]
    assert widths == [9, 11, 10, 9, 11, 9], "a pipe or a line break in a note changed the number of columns"


def test_names_from_outside_are_text_in_charts():
    drawn_text = drawn.rates(speed_frame(["$\\frac{1$ <b>"]), "train", ["$\\frac{1$ <b>"])
    assert "<title>$\\frac{1$ &lt;b&gt;, batch 1: 10,000 images a second</title>" in drawn_text


def test_rows_survive_csv_and_json(frames):
    files = pages.render(*frames, SETTINGS)
    document = json.loads(files["results.json"], parse_constant=lambda name: pytest.fail(f"{name} in results.json"))
    assert document["schema_version"] == output.SCHEMA_VERSION
    assert document["command"] == "report"
    assert document["data"] == DATA
    assert document["environment"] == ENVIRONMENT
    for name, frame in zip(("parity", "accuracy", "speed"), frames, strict=True):
        back = list(csv.DictReader(io.StringIO(files[f"{name}.csv"], newline="")))
        assert len(back) == len(frame)
        for found, wanted in zip(back, frame.to_dict("records"), strict=True):
            assert list(found) == list(wanted)
            for column, value in wanted.items():
                text = "" if pd.isna(value) else str(value)
                assert found[column] == text or float(found[column]) == value
        assert len(document[name]) == len(frame)
        assert all(list(row) == list(frame.columns) for row in document[name])


def test_same_rows_same_bytes(frames):
    assert pages.render(*frames, SETTINGS) == pages.render(*frames, SETTINGS)


def test_least_excess_is_drawn_as_a_failure():
    frame = parity_frame([parity_row("torch", "conv", 1.0001), parity_row("torch", "pool", 1.0)])
    drawn = plots.allowances(frame, "float32", ["torch"], [("conv forward", "conv"), ("pool forward", "pool")])
    assert drawn.count("stroke: var(--failure); stroke-width: 2") == 2  # one mark: its definition and its use


def test_student_interval():
    # 1..5: mean 3, standard deviation sqrt(2.5), t(0.975, 4) = 2.776445
    middle, half = starts.mean_interval([1, 2, 3, 4, 5])
    assert middle == 3
    assert half == pytest.approx(2.776445 * (2.5 / 5) ** 0.5, rel=1e-6)
    assert np.isnan(starts.mean_interval([0.5])[1])


def test_commands_quote_what_a_shell_would_split():
    settings = {**SETTINGS, "data_source": "my digits; rm", "size": "quick"}
    text = pages.render(*good(["numpy-layers", "torch"]), settings)["report.md"]
    common = "--seed 3 --data 'my digits; rm' --threads 1 --implementations numpy-layers,torch"
    assert f"python -m compare report {common} --quick\n" in text


@pytest.mark.parametrize("size", again.SIZES)
def test_commands_run_again_what_was_run(tmp_path, monkeypatch, size):
    """Of four implementations one is not installed, one is wrong, and so not timed: each command typed again."""
    calls: dict = {}

    def recorded(name, function, result):
        def call(*arguments, **keywords):
            given = inspect.signature(function).bind(*arguments, **keywords)
            given.apply_defaults()
            wanted = given.arguments | {"implementations": contract.select(given.arguments["implementations"])}
            # whether a framework may be missing, and what is proven already, is for the report's parts alone
            left = {k: v for k, v in wanted.items() if k not in ("progress", "strict", "proven")}
            calls.setdefault(name, []).append({k: list(v) if isinstance(v, tuple) else v for k, v in left.items()})
            return result

        return call

    names = ["numpy-layers", "numpy-fused", "torch"]
    rows = agreeing("numpy-layers", "torch") + [parity_row("numpy-fused", "conv", 2.0)]
    judged = parity_frame(rows, unavailable={"keras-tensorflow": "No module named 'keras'"})
    timed = speed_frame(["numpy-layers", "torch"], not_timed=["numpy-fused"])
    trained = accuracy_frame(names)
    trained.attrs["settings"] |= {name: again.SIZES[size]["accuracy"][name] for name in ("epochs", "seeds")}
    timed.attrs |= {"gemm_flops_per_second": 1e9, "input_shape": (28, 28, 1)}
    for name, module, function, result in (
        ("parity", judging, "parity", judged),
        ("accuracy", training, "trained", training.Trained(trained, {})),
        ("speed", timing, "speed", timed),
        ("defects", evidence, "defects", None),
    ):
        monkeypatch.setattr(module, function, recorded(name, getattr(module, function), result))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    result = pages.report(tmp_path, None, "sample", 3, 2, size)
    text = (tmp_path / "report.md").read_text()
    commands = [shlex.split(line)[3:] for line in text.splitlines() if line.startswith("python -m compare ")]
    assert [command[0] for command in commands] == ["report", "parity", "accuracy", "speed"]
    first = {name: found.pop() for name, found in calls.items()}
    assert first.pop("defects")["only"] == list(again.DEFECTS)
    first["parity"]["implementations"] = names  # all that is here
    first["speed"]["implementations"] = ["numpy-layers", "torch"]
    for command in commands[1:]:
        with pytest.raises(SystemExit):
            cli.main(command)
        assert calls[command[0]].pop() == first[command[0]]
    with pytest.raises(SystemExit) as ended:
        cli.main([*commands[0], "--output", str(tmp_path)])
    assert ended.value.code == result.exit_code
    second = {name: found.pop() for name, found in calls.items()}
    second.pop("defects")
    second["speed"]["implementations"] = ["numpy-layers", "torch"]
    assert second == first


def test_folder_keeps_what_is_not_ours(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "index.html").write_text("an earlier report")
    pages.write_files(tmp_path, {"index.html": "new", "parity.csv": "rows"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "notes.txt": "mine",
        "index.html": "new",
        "parity.csv": "rows",
    }


def test_folder_is_made_with_those_above_it(tmp_path):
    pages.write_files(tmp_path / "a" / "b", {"index.html": "new"})
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_nothing_moves_before_all_is_written(tmp_path):
    (tmp_path / "index.html").write_text("an earlier report")
    with pytest.raises(TypeError):
        pages.write_files(tmp_path, {"index.html": "new", "parity.csv": None})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"index.html": "an earlier report"}


@pytest.mark.parametrize("below", ["file", "file/deeper/report"])
def test_unwritable_folder_is_named_before_any_work(tmp_path, below):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=re.escape(str(tmp_path / below))):
        pages.report(tmp_path / below, size="quick")
    assert (tmp_path / "file").read_text() == "not a folder"


def test_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "index.html").mkdir()
    with pytest.raises(IsADirectoryError, match="index.html"):
        pages.check_folder(tmp_path)


def test_unknown_size_brings_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'quick'"):
        pages.report(size="quik")


@pytest.mark.thorough
def test_report_of_one_implementation(tmp_path, monkeypatch):
    monkeypatch.setattr(again, "DEFECTS", again.DEFECTS[:1])
    result = pages.report(tmp_path / "report", "numpy-layers", "sample", size="quick", progress=False)
    assert result.verdict[0] == "NumPy agrees with the definition"
    assert result.exit_code == 0
    assert sorted(path.name for path in result.folder.iterdir()) == sorted(pages.FILES)
    document = json.loads((result.folder / "results.json").read_text())
    assert {row["outcome"] for row in document["speed"]} == {"timed"}
    assert len(document["defects"]) == 1 + len(again.DEFECTS)
    assert document["walk"] == [] and {row["implementation"] for row in document["misread"]} == {"numpy-layers"}
    assert document["settings"]["data_source"] == "sample"


def test_another_report_is_laid_beside():
    parity, accuracy, speed = good()
    there = json.loads(pages.render(parity, accuracy, speed, SETTINGS)["results.json"])
    there["data"] = "other <digits>"
    for row in there["speed"]:
        row["seconds_per_image"] *= 2
    files = pages.render(parity, accuracy, speed, SETTINGS, other=there)
    page = " ".join(Page(files["index.html"]).words)
    assert "The other: other <digits>; NumPy, PyTorch, Keras." in page
    assert "µs an image, train, batch 32 PyTorch 3.12 6.25 0.50" in page
    assert "test accuracy, own start Keras 90.50% 90.50% 1.00" in page
    assert "| µs an image, train, batch 32 | PyTorch | 3.12 | 6.25 | 0.50 |" in files["report.md"]
    assert 'href="#against"' in files["index.html"]
