"""Every number on a page is traced to a row of results.json, by ways of this file's own, not by those of the pages."""

import json
import re
from itertools import product
from statistics import mean

import pytest
from made_rows import SETTINGS, defects_frame, good, shown
from pages_read import Read

from compare.clock.targets import flops_per_image
from compare.graph import STAGE_OF
from compare.pages import report

NAMES = {"numpy-layers": "NumPy", "torch": "PyTorch", "keras-tensorflow": "Keras"}
NUMBER = re.compile(r"[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?%?")


@pytest.fixture(scope="module")
def written():
    parity, accuracy, speed = good()
    speed.attrs |= {"gemm_flops_per_second": 3e10, "input_shape": (28, 28, 1)}
    files = report.render(parity, accuracy, speed, SETTINGS, defects_frame(), shown())
    return Read(files["index.html"]), json.loads(files["results.json"]), files["report.md"]


def table(page, begins):
    (found,) = [rows for caption, rows in page.tables.items() if caption.startswith(begins)]
    return found[1:]


def share(used):
    return "exact" if used == 0 else f"{used:.0%}" if used >= 0.01 else "<1%"


def judged(document, **wanted):
    rows = [row for row in document["parity"] if row["implementation"] != "arbiter"]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def quantities(document):
    return [name for name in STAGE_OF if judged(document, quantity=name)]


def test_the_matrix_and_the_table_of_parity(written):
    page, document, _ = written
    matrix = [
        [
            NAMES[name],
            *(
                str(round(100 * max(r["allowance_used"] for r in judged(document, implementation=name, quantity=q))))
                for q in quantities(document)
            ),
        ]
        for name in NAMES
    ]
    assert table(page, "How much of its rounding allowance") == matrix
    for begins, column, form in (
        ("Worst share", "allowance_used", share),
        ("Distance", "distance", lambda value: f"{value:.1e}" if value else "0"),
    ):
        wanted = []
        for q in quantities(document):
            cells = [
                form(max(row[column] for row in judged(document, implementation=name, quantity=q, dtype=dtype)))
                for name, dtype in product(NAMES, ("float32", "float64"))
            ]
            wanted.append([STAGE_OF[q], q, *cells])
        assert table(page, begins) == wanted


def test_counts(written):
    page, document, _ = written
    wanted = []
    for name in ("arbiter", *NAMES):
        rows = [row for row in document["parity"] if row["implementation"] == name]
        counts = [
            sum(row["outcome"] == outcome for row in rows)
            for outcome in ("agrees", "differs", "not reached", "not offered")
        ]
        title = NAMES.get(name, "Arbiter, against plain loops")
        wanted.append([title, *map(str, [len(rows), *counts, 0]), share(max(row["allowance_used"] for row in rows))])
    assert table(page, "Quantities by what came of them") == wanted


def test_trainings_and_drift(written):
    page, document, _ = written
    ends: dict = {}
    for row in document["accuracy"]:
        if row["epoch"] == 2:
            ends.setdefault((row["start"], row["implementation"]), {})[row["seed"]] = row
    found = table(page, "After the last epoch")
    assert [(row[0], row[1]) for row in found] == [(start, NAMES[name]) for start, name in ends if start[:5] != "moved"]
    for row, (key, last) in zip(found, ends.items(), strict=False):
        accuracies = [last[seed]["test_accuracy"] for seed in (0, 1)]
        spread = abs(accuracies[0] - accuracies[1]) / 2**0.5  # the standard deviation of two
        beside = [
            100 * (last[seed]["test_accuracy"] - ends[key[0], "numpy-layers"][seed]["test_accuracy"]) for seed in (0, 1)
        ]
        half = 12.7062 * abs(beside[0] - beside[1]) / 2  # Student's t of one degree of freedom
        words = "–" if key[1] == "numpy-layers" else f"{mean(beside) + 0.0:+.2f} ± {half:.2f} points"
        mine = [r for r in document["accuracy"] if (r["start"], r["implementation"]) == key]
        seconds = sum(r["seconds"] for r in mine) / 2
        loss = mean(last[seed]["test_loss"] for seed in (0, 1))
        assert row[2:] == ["2", "2", f"{mean(accuracies):.2%}", f"{spread:.2%}", words, f"{loss:.4f}", f"{seconds:.1f}"]
    wanted = []
    for name in list(NAMES)[1:]:
        drift = {
            r["step"]: r["drift"] for r in document["accuracy"] if r["implementation"] == name and r["start"] == "same"
        }
        own = {r["step"]: r["drift"] for r in document["accuracy"] if r["start"] == "moved-1"}
        at = max((step for step in drift if step), key=lambda step: drift[step] / own[step] / step**0.5)
        cells = [
            f"{drift[16]:.1e}",
            f"{own[16]:.1e}",
            f"{drift[at] / own[at]:.3g}",
            f"{at**0.5:.3g}",
            "rounding",
            "never",
            "0",
        ]
        wanted.append([NAMES[name], *cells])
    assert table(page, "At the end of training") == wanted


def test_the_digits_way_filters_and_misread_digits(written):
    page, document, _ = written
    rows = [
        [
            NAMES[r["implementation"]],
            r["quantity"],
            f"{r['largest']:.3g}",
            f"{r['difference']:.1e}" if r["difference"] else "none",
            f"{r['amplified']:.0e}" if r["amplified"] else "–",
        ]
        for r in document["walk"]
    ]
    assert table(page, "The largest difference to NumPy") == rows
    known = {(r["implementation"], r["quantity"]): r for r in document["walk"]}
    for begins, names in (
        ("Forward", ("conv", "pool", "probabilities")),
        ("Backward", ("d_pool", "d_conv", "d_images", "d_conv_weight")),
    ):
        for who, *cells in table(page, begins):
            name = next(key for key, title in NAMES.items() if title == who)
            for cell, q in zip(cells, names, strict=True):
                row = known.get((name, q)) or known["torch", q]
                times = (
                    f"difference × {row['amplified']:.0e}, at most {row['difference']:.1e}"
                    if row["amplified"]
                    else "no difference"
                )
                assert cell == (f"up to {row['largest']:.3g}" if name == "numpy-layers" else times)
    assert any(row["amplified"] for row in document["walk"]) and any(not row["amplified"] for row in document["walk"])
    for who, _, after, beside in table(page, "The 8 filters"):
        row = known.get((next(key for key, title in NAMES.items() if title == who), "conv_weight"))
        assert after.startswith("up to ")
        times = (
            "the reference"
            if row is None
            else f"difference × {row['amplified']:.0e}, at most {row['difference']:.1e}"
            if row["amplified"]
            else "no difference"
        )
        assert beside == times
    text = " ".join(" ".join(page.words).split())
    for row in document["misread"]:
        assert f"a {row['label']} , image {row['image']}" in text
        assert re.search(
            rf"read as {row['read']} by {NAMES[row['implementation']]} \({100 * row['sure']:.0f}%\)", text
        ), row
    assert len(document["misread"]) == 3


def test_speed_and_defects(written):
    page, document, _ = written
    wanted = []
    for task, size in product(("train", "predict"), (1, 32)):
        rows = [r for r in document["speed"] if (r["task"], r["batch_size"]) == (task, size)]
        fastest = min(r["seconds_per_image"] for r in rows)
        for r in rows:
            micro, low, high = (1e6 * r[f"seconds_per_image{end}"] for end in ("", "_low", "_high"))
            cells = [
                f"{micro:.1f}",
                f"{low:.1f} - {high:.1f}",
                f"{1e6 / micro:,.0f}",
                f"{r['seconds_per_image'] / fastest:.2f}x",
            ]
            doubt = f" ! {(r['ratio_high'] - r['ratio_low']) / r['ratio']:.0%}" if r["implementation"][0] == "k" else ""
            said = {"reference": "reference", "no difference": "no difference (0.97 - 1.02)"}
            cells.append(said.get(r["difference"], f"{r['ratio']:.2f}x (1.37 - 1.62){doubt}"))
            cells += [f"{1e6 * r['conversion_seconds_per_image']:.1f}", f"{r['gemm_share']:.0%}"]
            wanted.append([task, str(size), NAMES[r["implementation"]], *cells])
    assert table(page, "Time by task") == wanted
    costs = [
        [
            NAMES[c["implementation"]],
            f"{c['import_seconds']:.2f}",
            f"{c['first_prediction_seconds']:.4f}",
            "",
            f"{c['peak_memory_bytes'] / 1e6:,.0f}",
            f"{c['installed_bytes'] / 1e6:,.0f}",
            str(len(c["packages"])),
            str(c["code_lines"]),
        ]
        for c in document["costs"]
    ]
    assert table(page, "What each costs") == costs and len(costs) == 3
    found = table(page, "What accuracy says of a mistake")
    for row, defect in zip(found, document["defects"], strict=True):
        beside = 100 * (defect["accuracy"] - defect["accuracy_of_right"])
        assert row[:3] == [defect["defect"], f"{defect['accuracy']:.1%}", f"{beside:+.1f} points"]


def test_what_charts_say_of_their_marks(written):
    page, document, _ = written
    wanted = set()
    for r in document["speed"]:
        wanted.add(
            f"{NAMES[r['implementation']]}, batch {r['batch_size']}: {1 / r['seconds_per_image']:,.0f} images a second"
        )
    groups: dict = {}
    for r in document["accuracy"]:
        groups.setdefault((r["implementation"], r["start"], r["step"]), []).append(r)
    for (name, start, step), rows in groups.items():
        if not start.startswith("moved"):
            wanted.add(f"{NAMES[name]}, step {step}: {mean(r['watched_accuracy'] for r in rows):.2%}")
            wanted.add(f"{NAMES[name]}, step {step}: {mean(r['watched_loss'] for r in rows):.4f} nats")
        if start == "same" and rows[0]["drift"]:
            wanted.add(f"{NAMES[name]}, step {step}: {mean(r['drift'] for r in rows):.1e}")
    assert set(page.tips) == wanted


def test_numbers_in_sentences(written):
    """Each is a setting, a count, or a word of the method: none other."""
    page, document, _ = written
    rows = judged(document)
    worst = max(row["allowance_used"] for row in rows)
    settings, env = document["accuracy_settings"], document["environment"]
    allowed = {str(len(rows)), "0", f"{worst:.0%}", str(len({row["probe"] for row in rows})), str(SETTINGS["seed"])}
    allowed |= {str(value) for value in settings.values()} | {str(SETTINGS["threads"])}
    allowed |= {"1,000", "3", "4", "0.02"}  # of the defects
    allowed |= set(NUMBER.findall(json.dumps(env) + document["data"] + json.dumps(document["settings"])))
    allowed |= {str(env["cores"]), f"{env['memory_bytes'] / 1e9:.1f}", "2"}  # schema version
    allowed |= {"10", "40", "100"}  # of the scale beside the matrix
    apart = [
        max(values) - min(values)
        for column in ("watched_accuracy", "watched_loss")
        for values in [
            [r[column] for r in document["accuracy"] if (r["start"], r["seed"], r["step"]) == ("same", 0, 8)]
        ]
    ]
    allowed |= {f"{100 * apart[0]:.2f}", f"{apart[1]:.1e}"}
    allowed |= set(NUMBER.findall(" ".join(document["verdict"])))
    for row in document["misread"]:
        allowed |= {str(row["label"]), str(row["image"]), str(row["read"]), f"{100 * row['sure']:.0f}%"}
    # words of the method: sizes of the network, steps of the path, levels and powers, a year; of float32 and float64
    method = {"3", "2", "100%", "100", "95%", "10%", "2019", "10", "8", "32", "64", "128"}
    allowed |= {"1,000,000", f"{len(document['speed'])}"}  # of the megabytes; of the intervals
    wide = [r for r in document["speed"] if (r["ratio_high"] - r["ratio_low"]) / r["ratio"] > 0.1]
    allowed |= {str(len(wide)), *(f"{100 * r['waited']:.0f}%" for r in document["speed"])}
    allowed |= {f"{load:.1f}" for load in document["load_average"]} | {"1,234"}
    (noise,) = document["noise"]
    allowed |= {f"{noise[name]:.3f}" for name in ("value", "low", "high")} | {f"{100 * noise['high'] - 100:.1f}%"}
    allowed |= {text for r in document["speed"] for text in (f"{r['first_seconds']:.1f}", str(r["batch_size"]))}
    text = re.sub(r"python -m compare .*", "", "\n".join(page.words))  # the commands, which another test types again
    found = set(NUMBER.findall(text))
    assert found - allowed - method == set()


def test_the_report_as_text_says_the_same(written):
    page, _, text = written
    cells = {cell.strip().strip("`*") for line in text.splitlines() if line.startswith("|") for cell in line.split("|")}
    for begins in ("Worst share", "After the last epoch", "At the end of training", "Time by task", "What each costs"):
        for row in table(page, begins):
            assert {cell for cell in row if cell != "–"} <= cells, row


def test_the_limit_is_the_rate_over_the_work(written):
    page, document, _ = written
    most = document["gemm_flops_per_second"] / flops_per_image((28, 28, 1))
    assert flops_per_image((28, 28, 1)) == 202_800
    assert f"{most:,.0f}" == "147,929"
