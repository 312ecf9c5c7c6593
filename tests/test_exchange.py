"""Probes as files, and what programs in other languages make of them: judged as `check` judges."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from documentation import ROOT
from test_check import ABSENT, run_command

from compare.cells import cells
from compare.checking.judging.judgement import judge_subject
from compare.exchange.asking import write_probes
from compare.exchange.comparing import allowance
from compare.exchange.judging import judge
from compare.exchange.layout import SUFFIX, encoded
from compare.exchange.pairing import held, pair
from compare.exchange.reading import read
from compare.graph import QUANTITIES
from compare.verdict import check_probes, probes
from compare.verdict.allowances import Rounding, Stages
from compare.verdict.defects import DEFECTS
from compare.verdict.expected import Expected
from compare.verdict.inserted import inserted
from compare.verdict.observe import observe
from compare.verdict.packing import Question, pack_answer
from numpy_cnn.fused import Fused
from numpy_cnn.layers import Layers

EXAMPLES = ROOT / "docs" / "examples"
CASES, PATH = check_probes.cases(0)
OF_CHECK = Question.of(CASES, probes.DTYPES, PATH)


def found_by(implementation):
    """What `check` would see of an implementation, and what it notes of it."""
    found, noted = observe(OF_CHECK, implementation)
    assert not noted["raised"]
    return found, noted


def put(folder, found, form="npy"):
    """Write answers as a program would."""
    for (case, dtype, mode, quantity), array in found.items():
        (folder / f"{case}.{dtype}" / mode / f"{quantity}{SUFFIX[form]}").write_bytes(encoded(array, form))


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A folder of probes for each format, to copy."""
    place = tmp_path_factory.mktemp("asked")
    for form in SUFFIX:
        write_probes(place / form, form)
        write_probes(place / f"{form} float64", form, dtypes=("float64",))
    return place


@pytest.fixture
def folder(asked, tmp_path):
    """Copies a folder of probes."""

    def make(form="npy", name="answers", dtype=""):
        return Path(shutil.copytree(asked / f"{form} {dtype}".strip(), tmp_path / name))

    return make


@pytest.fixture(scope="module")
def right():
    """What the right network gives, by key."""
    return found_by(Layers)[0]


@pytest.fixture
def odd(folder, right):
    """Makes a folder in which one case is answered, by the right network."""

    def make(form="npy", name="answers"):
        place = folder(form, name, "float64")
        put(place, {key: value for key, value in right.items() if key[:2] == ("odd", "float64")}, form)
        return place

    return make


def defect(name):
    return next(each for each in DEFECTS if each.name == name)


SEARCHED = [("every tied maximum gets the gradient", "npy", True), ("momentum left in", "raw", False)]
COMPARED = ("stage", "quantity", "mode", "probe", "dtype", "outcome", "allowance_used", "max_abs_error", "note")


@pytest.mark.parametrize(("name", "form", "search"), SEARCHED)
def test_a_judge_of_files_says_what_check_says(name, form, search, folder):
    found, noted = found_by(inserted(Layers, defect(name).change))
    arrays, meta = pack_answer(found, noted)
    of_check = judge_subject(cells.Result({}, "ok", arrays, meta), CASES, PATH, search=False)
    place = folder(form)
    put(place, found, form)
    result = judge(place, search)
    of_files = result.judgement
    assert result.exit_code == 1
    assert of_files.named == (name if search else "")
    rows = [[[str(row.get(column)) for column in COMPARED] for row in each.rows] for each in (of_check, of_files)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("form", list(SUFFIX))
def test_the_right_network_agrees_in_all(form, folder, right):
    place = folder(form)
    put(place, right, form)
    result = judge(place, require="all")
    assert result.exit_code == 0
    assert result.counts["passed"] == result.counts["checked"] == 37
    assert not result.judgement.limits and not result.notes


def test_the_page_names_everything_that_is_read(asked):
    for form, suffix in SUFFIX.items():
        text = (asked / form / "README.md").read_text()
        assert len(text.splitlines()) <= 50 and suffix in text
        names = {name for names in QUANTITIES.values() for name in names}
        given = {path.stem for path in (asked / form).glob("*/given/*")}
        for name in names | given:
            assert name in text.replace("`", " "), name
        lines = [line.split() for line in (asked / form / "cases.txt").read_text().splitlines()]
        listed = json.loads((asked / form / "manifest.json").read_text())["cases"]
        assert [[str(value) for value in case.values()] for case in listed] == lines
        assert len(lines) == 24


def test_what_is_left_out_is_said(folder, right):
    place = folder()
    part = {key: value for key, value in right.items() if key[1] == "float64" and key[0] not in ("odd", "path")}
    put(place, {key: value for key, value in part.items() if key != ("same", "float64", "alone", "d_pool")})
    (place / "random.float64" / "alone" / "convolution.npy").write_bytes(b"")
    (place / "random.float64" / "run" / "conv.npy\nconv  agrees").write_bytes(b"")
    result = judge(place)
    text = str(result)
    assert result.exit_code == 0 and "0 differed" in text
    assert "not checked: training path (not offered)" in text
    assert "not written, though other folders have it: float64 alone/conv and 32 more" in result.judgement.limits["odd"]
    assert "float64 alone/d_pool" in result.judgement.limits["same"]
    assert "remark: nothing is written in float32" in text
    assert "random.float64/alone/convolution.npy is not read: no such name; the nearest is conv.npy" in result.notes[1]
    assert "random.float64/run/conv.npy conv agrees is not read" in result.notes[2]


def test_nothing_written_is_no_agreement(folder):
    result = judge(folder(dtype="float64"))
    assert result.exit_code == 3 and result.counts["checked"] == 0


def wrong(place, change):
    """The row of alone/conv of "odd" in float64 after a change to the file, of which all else is right."""
    path = place / "odd.float64" / "alone" / "conv.npy"
    change(path)
    result = judge(place, search=False)
    (row,) = (
        row
        for row in result.judgement.rows
        if (row["probe"], row["dtype"], row["mode"], row["quantity"]) == ("odd", "float64", "alone", "conv")
    )
    return result, row


SHAPE = (3, 7, 11, 4)
FINDINGS = {
    "another shape": (lambda a: a[:, 1:], "found shape (3, 6, 11, 4), wanted (3, 7, 11, 4)"),
    "float32": (lambda a: a.astype("f4"), "found dtype float32, wanted float64"),
    "whole numbers": (lambda a: a.astype("i8"), "found dtype int64, wanted float64"),
    "nothing": (lambda a: a[:0], "found shape (0, 7, 11, 4), wanted (3, 7, 11, 4)"),
    "not a number": (lambda a: a * np.nan, ""),
}


@pytest.mark.parametrize("what", FINDINGS)
def test_a_wrong_array_is_a_finding(what, odd):
    change, note = FINDINGS[what]
    result, row = wrong(odd(), lambda path: np.save(path, change(np.load(path))))
    assert (result.exit_code, row["outcome"], row["note"]) == (1, "differs", note)


@pytest.mark.parametrize("turn", [np.asfortranarray, lambda a: a.astype(">f8")], ids=["Fortran's order", "big-endian"])
def test_what_a_header_says_of_the_bytes_is_followed(turn, odd):
    result, row = wrong(odd(), lambda path: np.save(path, turn(np.load(path))))
    assert (result.exit_code, row["outcome"]) == (0, "agrees")


def test_raw_numbers_of_another_size_are_a_finding(odd):
    for number, (change, note) in enumerate(
        ((lambda a: a[:, 1:], "found shape (792,), wanted"), (lambda a: a.astype("f4"), "found dtype float32, wanted"))
    ):
        place = odd("raw", str(number))
        path = place / "odd.float64" / "alone" / "conv.bin"
        change(np.fromfile(path).reshape(SHAPE)).tofile(path)
        result = judge(place, search=False)
        assert any(row["note"].startswith(note) for row in result.judgement.rows) and result.exit_code == 1


def test_a_training_path_of_another_length_is_a_finding(folder, right):
    place = folder(dtype="float64")
    put(place, {key: value for key, value in right.items() if key[1] == "float64"})
    path = place / "path.float64" / "path" / "dense_bias.npy"
    np.save(path, np.load(path)[:-1])
    result = judge(place)
    assert result.exit_code == 1
    assert "training path      DIFFERS  path_loss, dense_bias: found shape (6, 10), wanted (7, 10)" in str(result)


def _truncate(path, size):
    path.write_bytes(path.read_bytes()[:size])


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _folder(path):
    path.unlink()
    path.mkdir()


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


ANSWER = "odd.float64/alone/conv.npy"
PROBE = "odd.float64/given/conv.npy"
REFUSED = {
    "cut answer": (ANSWER, lambda path: _truncate(path, 1000), "declares float64 of shape"),
    "no header": (ANSWER, lambda path: path.write_bytes(b"1 2 3"), "no .npy header"),
    "pickle": (ANSWER, lambda path: np.save(path, np.array([None]), allow_pickle=True), "found dtype"),
    "complex": (ANSWER, lambda path: np.save(path, np.load(path) * 1j), "found dtype"),
    "huge": (ANSWER, lambda path: os.truncate(path, 1 << 33), "wanted at most"),
    "pipe": (ANSWER, _pipe, "no regular file"),
    "folder": (ANSWER, _folder, "no regular file"),
    "dead link": (ANSWER, lambda path: (path.unlink(), path.symlink_to("nowhere")), "No such file"),
    "changed probe": (PROBE, lambda path: np.save(path, np.load(path) + 1e-9), "found it changed"),
    "probe gone": (PROBE, Path.unlink, "No such file"),
    "probe a pipe": (PROBE, _pipe, "no regular file"),
    "no manifest": ("manifest.json", Path.unlink, "found no manifest.json in it"),
    "no JSON": ("manifest.json", lambda path: path.write_text("{"), "found no JSON"),
    "deep JSON": ("manifest.json", lambda path: path.write_text("[" * 100_000), "found no JSON"),
    "other JSON": ("manifest.json", lambda path: path.write_text("[]"), "found no manifest of probes"),
    "huge manifest": ("manifest.json", lambda path: os.truncate(path, 1 << 33), "wanted at most"),
    "version": ("manifest.json", lambda path: _edit(path, '"schema_version": 1', '"schema_version": 2'), "version 2"),
    "size": ("manifest.json", lambda path: _edit(path, '"H": 28', '"H": 29'), "found other probes"),
    "seed": ("manifest.json", lambda path: _edit(path, '"seed": 0', '"seed": 1'), "found another probe than that of"),
    "large seed": ("manifest.json", lambda path: _edit(path, '"seed": 0', '"seed": -1'), "found a damaged manifest"),
    "format": ("manifest.json", lambda path: _edit(path, '"npy"', '"csv"'), "found a damaged manifest"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_one_line_that_begins_with_the_path(what, odd):
    place = odd()
    name, damage, said = REFUSED[what]
    damage(place / name)
    with pytest.raises((ValueError, OSError), match=said) as error:
        read(place)
    text = str(error.value)
    assert "\n" not in text and str(place) in text.partition("]")[2] + text[: len(str(place))]


def test_a_forged_checksum_makes_no_probe(folder):
    import hashlib

    place = folder(dtype="float64")
    path = place / "odd.float64" / "given" / "conv.npy"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    np.save(path, np.load(path) * 1.01)
    _edit(place / "manifest.json", before, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="found another probe than that of seed 0"):
        read(place)


def test_probes_take_no_folder_that_holds_something(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(ValueError, match="wanted an empty folder or none"):
            write_probes(place)
    (tmp_path / "empty").mkdir()
    write_probes(tmp_path / "empty", dtypes=("float64",))
    assert len((tmp_path / "empty" / "cases.txt").read_text().splitlines()) == 12
    assert {path.name for path in tmp_path.iterdir()} == {"file", "empty"}
    assert read(tmp_path / "empty").asked == ["float64"]


def test_the_commands(tmp_path):
    done = run_command("probes", "mine", "--seed", "7", "--dtype", "float64", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "12 cases, 232,934 numbers; what to compute: mine/README.md\n")
    assert run_command("probes", "mine", cwd=tmp_path).returncode == 2
    place = tmp_path / "mine"
    flipped = inserted(Layers, defect("kernel flipped in the forward pass").change)
    cases, path = check_probes.cases(7)
    found, _ = observe(Question.of(cases, ["float64"], path), flipped)
    put(place, {key: value for key, value in found.items() if key[2] != "path"})
    arguments = ("judge", "mine", "--json", "rows.json", "--save", "case", "--require", "conv,update")
    done = run_command(*arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert (
        "conv      forward  DIFFERS" in done.stdout and "diagnosis: kernel flipped in the forward pass" in done.stdout
    )
    document = json.loads((tmp_path / "rows.json").read_text())
    assert document["diagnosis"][0][0]["name"] == "kernel flipped in the forward pass" and not document["agrees"]
    assert (tmp_path / "case" / "show.py").exists()
    (place / "manifest.json").unlink()
    done = run_command("judge", "mine", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: mine: found no manifest.json") and done.stderr.count("\n") == 1


def test_numpy_and_click_are_enough(tmp_path):
    absent = (
        f"import sys; sys.modules.update(dict.fromkeys({ABSENT})); from compare.cli import main; main(sys.argv[1:])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments, code in ((["probes", "mine"], 0), (["judge", "mine"], 3), (["pair", "mine", "mine"], 3)):
        command = [sys.executable, "-c", absent, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == code and not done.stderr, done.stderr


def compiler():
    """A C compiler; the tests need one."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None) or pytest.skip("no C compiler")


def build(source, *more):
    """Compile the C example in a folder; gives the command that answers probes."""
    strict = ("-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror", *more)
    program = source / f"answer{len(more)}"
    subprocess.run([compiler(), *strict, "-o", program, "answer.c", "cnn.c", "-lm"], cwd=source, check=True)
    return program


def answer_in_c(source, place):
    for more in ((), ("-DREAL=float",)):
        subprocess.run([build(source, *more), place], check=True)


def answer_in_javascript(source, place):
    node = shutil.which("node") or pytest.skip("no Node")
    subprocess.run([node, source / "answer.mjs", place], check=True)


ANSWERS = {"c": answer_in_c, "js": answer_in_javascript}


@pytest.fixture(scope="module")
def answered(asked, tmp_path_factory):
    """The raw probes, answered by an example; with a mistake in float64: file, what stands there, and what not."""
    made = {}

    def answer(language, file="", old="", new=""):
        key = (language, file, old, new)
        if key not in made:
            place = tmp_path_factory.mktemp(language)
            source = Path(shutil.copytree(EXAMPLES / language, place / "source"))
            if file:
                assert (source / file).read_text().count(old) == 1
                _edit(source / file, old, new)
            made[key] = Path(shutil.copytree(asked / ("raw float64" if file else "raw"), place / "answers"))
            ANSWERS[language](source, made[key])
        return made[key]

    return answer


@pytest.mark.parametrize(("language", "quantities"), [("c", 33), ("js", 37)])
def test_the_examples_are_this_network(language, quantities, answered):
    result = judge(answered(language), require="all")
    assert result.exit_code == 0, str(result)
    assert result.counts["passed"] == result.counts["checked"] == quantities
    assert not result.judgement.limits and not result.notes
    assert {row["dtype"] for row in result.judgement.rows} == set(probes.DTYPES)


MISTAKES = {
    "a tie goes to the last maximum": ("c", "cnn.c", "conv[corners[i]] > conv[best]", "conv[corners[i]] >= conv[best]"),
    "kernel transposed, forward and backward": ("js", "cnn.mjs", "(i * 3 + j) * channels", "(j * 3 + i) * channels"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_an_example_is_named(name, answered):
    result = judge(answered(*MISTAKES[name]))
    assert result.exit_code == 1
    assert result.judgement.named == name


def recorded(asked, found, form="npy"):
    """A `Recording` of the probes with these answers."""
    return dataclasses.replace(read(asked / form), found=found)


def test_the_two_examples_agree_with_each_other(answered):
    done = run_command("pair", str(answered("c")), str(answered("js")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(
        "only in " + str(answered("js")) + ": kept_conv_weight, kept_dense_bias, kept_dense_weight, kept_images\n"
        "not in both: input, parameters\n"
        "33 quantities held against each other: 33 agree, 0 differ; 0 not reached, 0 left open\n"
    )


def test_a_right_and_a_mistaken_program_part_where_the_mistake_is(answered, tmp_path):
    mistaken = answered(*MISTAKES["a tie goes to the last maximum"])
    done = run_command("pair", str(answered("js")), str(mistaken), "--json", str(tmp_path / "rows.json"))
    assert done.returncode == 1
    assert (
        "the first to differ: pool backward, d_conv (the stage by itself, on the same input; mnist-size, float64)"
        in (done.stdout)
    )
    document = json.loads((tmp_path / "rows.json").read_text())
    assert (document["stage"], document["agrees"]) == ("pool backward", False)
    assert {row["stage"] for row in document["rows"] if row["outcome"] == "differs"} == {"pool backward"}


def test_two_that_share_a_mistake_agree(answered, asked):
    """JavaScript and NumPy, which round otherwise, with the same kernel transposed."""
    name = "kernel transposed, forward and backward"
    second = recorded(asked, found_by(inserted(Layers, defect(name).change))[0])
    result = held(read(answered(*MISTAKES[name])), second)
    assert result.exit_code == 0 and result.counts["agrees"] == 37
    assert held(read(answered("js")), second).differing["stage"] == "conv forward"


def test_the_larger_unit_roundoff_counts(asked, right):
    """Numbers of one dtype's rounding apart: fine where one of the two was computed in it."""
    single = {key: value for key, value in right.items() if key[1] == "float32" and key[2] == "alone"}
    wider = {key: value.astype("f8") * (1 + 1e-7) for key, value in single.items()}
    assert held(recorded(asked, single), recorded(asked, wider)).exit_code == 0
    double = {key: value for key, value in right.items() if key[1] == "float64" and key[2] == "alone"}
    moved = {key: value * (1 + 1e-7) for key, value in double.items()}
    assert held(recorded(asked, double), recorded(asked, moved)).counts["differs"] == 12
    result = held(recorded(asked, double), recorded(asked, single, "raw"))
    assert result.exit_code == 3 and list(result.lonely.values()) == [["all of float64"], ["all of float32"]]


def test_what_holds_no_numbers_in_both_is_left_open(asked, right):
    key = ("odd", "float64", "alone", "conv")
    void = {key: right[key].copy()}
    void[key][0] = np.nan
    result = held(recorded(asked, void), recorded(asked, void))
    assert result.exit_code == 3 and result.rows[0]["note"] == "NaN or infinity in both at 308 places"
    assert held(recorded(asked, void), recorded(asked, {key: right[key]})).exit_code == 1
    empty = {key: right[key][:0]}
    assert held(recorded(asked, empty), recorded(asked, empty)).exit_code == 3
    flat = {key: right[key].ravel()}
    assert held(recorded(asked, flat), recorded(asked, flat)).exit_code == 0  # neither is held to our shape
    assert held(recorded(asked, flat), recorded(asked, {key: right[key]})).rows[0]["note"].startswith("shape (924,) ")


def test_training_paths_beside_each_other(asked, right):
    def path(found):
        return recorded(asked, {key: value for key, value in found.items() if key[2] == "path"})

    left_in, _ = found_by(inserted(Layers, defect("momentum left in").change))
    other, _ = found_by(inserted(Fused, defect("momentum left in").change))
    assert held(path(right), path(left_in)).differing["note"].startswith("they part by 0.0")
    assert held(path(left_in), path(other)).exit_code == 0
    adam = [found_by(inserted(one, defect("Adam left in").change))[0] for one in (Layers, Fused)]
    assert held(path(right), path(adam[0])).exit_code == 1
    assert held(path(adam[0]), path(adam[1])).exit_code in (0, 3)
    shorter = {key: value[:-1] for key, value in right.items() if key[2] == "path"}
    assert held(path(right), path(shorter)).exit_code == 1


def test_pairs_of_other_probes_are_refused(asked, tmp_path):
    write_probes(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match="found other probes than in"):
        pair(asked / "npy", tmp_path / "other")
    assert pair(asked / "npy", asked / "raw").exit_code == 3


def test_a_known_implementation_is_recorded(tmp_path):
    done = run_command("record", "ours", "--implementation", "numpy-fused", "--format", "raw", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "ours: 734 arrays of numpy-fused\n"), done.stderr
    assert judge(tmp_path / "ours", require="all").exit_code == 0
    again = run_command("record", "ours", "--implementation", "numpy-fused", cwd=tmp_path)
    assert again.returncode == 2 and "found answers in it" in again.stderr
    unknown = run_command("record", "more", "--implementation", "numpy-fusd", cwd=tmp_path)
    assert unknown.returncode == 2 and "did you mean 'numpy-fused'?" in unknown.stderr
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(("dtype", "smallest"), [("float32", 2e-5), ("float64", 1e-13)])
def test_how_small_a_difference_shows(dtype, smallest):
    """Beside the largest number of an image, or of an array: in some probe, in everything that a stage alone gives."""
    rounding = Rounding.of(dtype)
    shows: dict = {}
    for case in (each.rounded(dtype) for each in CASES):
        expected = Expected(case, Stages(case.reference, case.padding, rounding), {})
        for quantity in QUANTITIES["alone"]:
            wanted = expected.of("alone", quantity)
            if not wanted.value.any():  # a gradient, where the label has probability 1
                continue
            allowed = allowance(quantity, wanted.value, wanted.value, wanted, rounding)
            share = np.min(allowed) / np.abs(wanted.value).max()
            shows[quantity] = min(share, shows.get(quantity, np.inf))
    assert len(shows) == 12 and max(shows.values()) < smallest


@pytest.mark.thorough
@pytest.mark.timeout(3600)
def test_no_shared_defect_is_held_against_anybody(asked):
    """Every known defect in two implementations that round otherwise: they agree, and each differs from a right one."""
    question = Question.of(CASES, ["float64"], PATH)  # precision that is lost to float32 shows in no other
    accused, missed = [], []
    right = recorded(asked, observe(question, Layers)[0])
    other = recorded(asked, observe(question, Fused)[0])
    agreeing = held(right, other)
    apart = {row["stage"] for row in agreeing.rows if row["distance"]}
    assert agreeing.exit_code == 0 and {"loss backward", "dense backward", "conv backward", "training path"} <= apart
    for each in DEFECTS:
        first, second = (recorded(asked, observe(question, inserted(one, each.change))[0]) for one in (Layers, Fused))
        if held(first, second).exit_code == 1:
            accused.append(each.name)
        if held(right, second).exit_code != 1:
            missed.append(each.name)
    assert (accused, missed) == ([], [])
