"""`compare grade`: a class of known truth gets the rows that are due, nobody passes by a trick, and nothing is lost."""

import csv
import importlib
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import compare
from compare import contract
from compare.cells import cells
from compare.checking.calling import trying
from compare.cli import main
from compare.grading import copies, expected, marking, rubric, run, submissions, writing

ROOT = Path(__file__).resolve().parent.parent
made = importlib.import_module("class")  # a keyword, so by its name
ODD = ("empty.py", "leads out.zip", "no notebook.ipynb")  # all of them: without a process, below, and with all 300
WITH_CODE = ("=HYPERLINK(1).py", "<script>alert(1)<script>.py", "trouble, a fork bomb.py")
PATIENT = 60  # seconds of each, so that a busy machine makes no row another one
LATER = (
    "reads our text by its descriptor",
    "asks a process that has ours",
    "traces the calls",
    "prints its grade",
    "writes to the pipe",
)  # with all 300
CHEATS = [f"cheat, {name}.py" for name in [*made.CHEATS, "copies our text"] if name not in LATER]
NAMES = [*ODD, *WITH_CODE, *CHEATS, "conv_of_a_neighbour.py"]
ALL = [name for name, _, _ in made.submissions(300, 0, "/nowhere")]
SOME = (
    "wrong, tie to all",
    "wrong, weights already updated",
    "wrong, ties, layers",
    "right, functions",
)
TIED, *_ = SOME = [next(name for name in ALL if label in name) for label in SOME]
CONFINED = {f"cheat, {name}.py" for name in made.CHEATS if "our text" in name or "process" in name or "path" in name}


def quick(name):
    return name in NAMES or name in SOME


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(truth by name, rows of grades.csv by name, the `Grades`, the folder) of some submissions of the class."""
    folder = tmp_path_factory.mktemp("class")
    truth = made.write(folder, 300, 0, quick)
    found = compare.grade(folder / "submissions", folder / "grades", timeout=PATIENT, seed=7, jobs=3, show=False)
    rows = dict(zip([row.name for row in found.rows], read(folder / "grades"), strict=True))
    return truth, rows, found, folder


def read(out):
    """The rows of a grades.csv as dicts."""
    return list(csv.DictReader(io.StringIO((out / "grades.csv").read_text())))


def test_every_submission_has_a_row(graded):
    truth, rows, found, _ = graded
    assert rows.keys() == truth.keys() and len(rows) > 25
    assert found.exit_code == 0


@pytest.mark.parametrize("name", [*NAMES, *SOME])
def test_the_row_is_the_one_that_is_due(graded, name):
    truth, rows, found, _ = graded
    if name in CONFINED and any("files" in words for words in found.not_limited):
        pytest.skip("this kernel confines no process (Landlock), which docs/grading.md says")
    assert made.wrong(rows[name], truth[name]) == "", rows[name]


def test_no_cheat_scores(graded):
    _, rows, found, _ = graded
    scores = {name: float(rows[name]["score"]) for name in CHEATS}
    if not any("files" in words for words in found.not_limited):
        assert {name: score for name, score in scores.items() if score} == {} and len(scores) >= 8
    assert rows["cheat, imports ours.py"]["status"] == "uses numpy_cnn"
    assert rows["cheat, copies our text.py"]["status"].startswith("copies conv.")


def test_what_was_handed_in_is_as_it_was(graded, tmp_path):
    *_, folder = graded
    made.write(tmp_path, 300, 0, quick)
    files = [path for path in (folder / "submissions").rglob("*") if path.is_file()]
    for path in files:
        text = (tmp_path / "submissions" / path.relative_to(folder / "submissions")).read_bytes()
        assert path.read_bytes() == text or b"submissions" in text, path


def test_names_from_outside_are_data(graded):
    *_, found, folder = graded
    cells_of = [row["submission"] for row in read(folder / "grades")]
    assert "'=HYPERLINK(1).py" in cells_of and not any(each.startswith(("=", "+", "-", "@")) for each in cells_of)
    page = (folder / "grades" / "class.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;script&gt;.py" in page
    assert "default-src 'none'" in page and "http:" not in page and "https:" not in page
    suites = ElementTree.parse(folder / "grades" / "junit.xml").getroot()
    assert len(suites) == len(found.rows)
    for row in found.rows:
        assert (folder / "grades" / "each" / row.safe / "feedback.html").exists()
        assert row.safe.isascii() and "/" not in row.safe


def test_results_are_in_the_form_that_gradescope_publishes(graded):
    *_, found, folder = graded
    for row in found.rows:
        valid_gradescope(json.loads((folder / "grades" / "each" / row.safe / "results.json").read_text()), row)


def valid_gradescope(document, row=None):
    """Hold a results.json to https://gradescope-autograders.readthedocs.io/en/latest/specs/ (Output format).

    There: `score` is required "if not on each test case", `tests` "if no top-level score"; a test has score, max_score,
    status ("passed" or "failed"), name, number, output, output_format, visibility; all of these optional.
    """
    whole = {"score", "execution_time", "output", "output_format", "test_output_format", "test_name_format"}
    whole |= {"visibility", "stdout_visibility", "extra_data", "tests", "leaderboard"}
    one = {"score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags"}
    one |= {"visibility", "extra_data"}
    seen = ("hidden", "after_due_date", "after_published", "visible")
    assert document.keys() <= whole and document["visibility"] in seen and document["stdout_visibility"] in seen
    assert isinstance(document["score"], int | float) and isinstance(document["execution_time"], int | float)
    for test in document["tests"]:
        assert test.keys() <= one and test["visibility"] in seen and test["status"] in ("passed", "failed")
        assert 0 <= test["score"] <= test["max_score"] and isinstance(test["output"], str) and test["name"]
        assert test["output_format"] in ("text", "html", "simple_format", "md", "ansi")
        assert isinstance(test["number"], str)
    if row is not None:
        assert document["score"] == row.score == round(sum(test["score"] for test in document["tests"]), 2)


def test_the_input_that_shows_a_fault_is_told_and_can_be_run(graded):
    *_, found, folder = graded
    (row,) = [row for row in found.rows if row.name == TIED]
    own = folder / "grades" / "each" / row.safe
    page = (own / "feedback.html").read_text()
    assert "with this input: 28x28, flat background: most windows tie, in float64" in page
    assert "every tied maximum gets the gradient" in page and "give it to the first maximum" not in page
    done = subprocess.run([sys.executable, str(own / "show.py")], capture_output=True, text=True)
    assert done.returncode == 0 and "numbers differ by more than rounding" in done.stdout, done.stderr


@pytest.mark.parametrize(("level", "told"), [("stage", 0), ("defect", 1), ("fix", 2)])
def test_levels_of_feedback(graded, level, told):
    *_, found, _ = graded
    (row,) = [row for row in found.rows if row.name == TIED]
    for text in (json.dumps(writing.results(row, level)), writing.pages.feedback_page(row, level)):
        assert ("every tied maximum gets the gradient" in text) == (told >= 1)
        assert ("give it to the first maximum" in text) == (told >= 2)
        assert "pool backward" in text and "4 x the gradient that went in" in text


def test_other_points_and_declared_differences_need_no_run(graded, monkeypatch, tmp_path):
    *_, found, folder = graded
    monkeypatch.setattr(cells, "Process", None)
    place = {
        "folder": folder / "submissions",
        "out": folder / "grades",
        "timeout": PATIENT,
        "resume": True,
        "show": False,
    }
    (tmp_path / "r.toml").write_text('[points]\n"pool backward" = 8\n')
    entry = '[[expected]]\nsubmission = "*"\nreason = "so in the lecture"\n'
    (tmp_path / "e.toml").write_text(entry + 'defect = "every tied maximum gets the gradient"\n')
    declared = compare.grade(rubric_file=tmp_path / "r.toml", expected_file=tmp_path / "e.toml", **place)
    assert declared.exit_code == 0
    scores = {row.name: (row.score, row.status) for row in declared.rows if row.name in SOME}
    assert scores[TIED] == (8, "agrees as expected") and scores[SOME[1]] == (8, "differs")
    (tmp_path / "e.toml").write_text(entry + 'stage = "loss forward"\n')
    nowhere = compare.grade(rubric_file=tmp_path / "r.toml", expected_file=tmp_path / "e.toml", **place)
    assert nowhere.exit_code == 1 and "so in the lecture" in (folder / "grades" / "class.html").read_text()
    assert compare.grade(**place).exit_code == 0


def test_what_is_done_is_not_done_again(graded, monkeypatch):
    *_, found, folder = graded

    def refuse(*_):
        raise AssertionError("a cell was started")

    before = (folder / "grades" / "grades.csv").read_text()
    monkeypatch.setattr(cells, "Process", refuse)
    again = compare.grade(folder / "submissions", folder / "grades", timeout=PATIENT, resume=True, show=False)
    assert again.seed == 7 and (folder / "grades" / "grades.csv").read_text() == before
    (folder / "submissions" / "=HYPERLINK(1).py").write_text("x = 1\n")
    with pytest.raises(AssertionError, match="a cell was started"):
        compare.grade(folder / "submissions", folder / "grades", timeout=PATIENT, resume=True, show=False)
    with pytest.raises(AssertionError, match="a cell was started"):  # another option
        compare.grade(folder / "submissions", folder / "grades", resume=True, timeout=16, show=False)


# --- without running anybody's code


@pytest.mark.parametrize(
    ("name", "content", "truth"), made.odd(), ids=lambda each: each if isinstance(each, str) else ""
)
def test_what_is_no_submission_is_told(tmp_path, name, content, truth):
    path = tmp_path / "given" / name
    path.mkdir(parents=True) if isinstance(content, dict) else path.parent.mkdir()
    for inner, text in content.items() if isinstance(content, dict) else {"": content}.items():
        (path / inner).write_bytes(text)
    found = "read"
    try:
        submissions.laid_out(submissions.files_in(path), tmp_path)
    except submissions.UnreadableError as error:
        found = "empty" if isinstance(error, submissions.EmptyError) else "unreadable"
        assert "\n" not in str(error) and len(str(error)) < 500
    assert found in (*truth["status"], "read") and (found == "read") == (
        truth["status"][0] in ("agrees", "raised", "nothing found")
    )
    assert len(submissions.digest(path)) == 64


def test_the_template_is_the_rubric_that_is_used_without_one(tmp_path):
    (tmp_path / "r.toml").write_text(rubric.TEMPLATE)
    assert rubric.read(tmp_path / "r.toml") == rubric.read() and rubric.read().out_of == 100


BAD_RUBRICS = {
    "x": "no TOML",
    "[grades]": "unknown section: found 'grades', wanted one of points, rules, allow",
    "points = 3": "points: found 3, wanted a section",
    '[points]\n"conv foward" = 1': "unknown part of .points.: found 'conv foward', .* did you mean 'conv forward'",
    '[points]\n"conv forward" = -1': "conv forward: found -1, wanted points from 0 on",
    '[points]\n"conv forward" = true': "found True",
    '[points]\n"conv forward" = nan': "found nan",
    '[points]\n"conv forward" = 0': "found none, wanted points for at least one",
    '[points]\n"update" = 1\n[rules]\npart_points = 1': "part_points: found 1, wanted true or false",
    '[points]\n"update" = 1\n[rules]\nrequire = ["x"]': "require: found 'x', wanted of conv",
    '[points]\n"update" = 1\n[allow]\nframeworks = ["pytorch"]': "unknown frameworks: found 'pytorch'",
    '[points]\n"update" = 1\n[allow]\nframeworks = 1': "frameworks: found 1, wanted a list of names",
}


@pytest.mark.parametrize("text", BAD_RUBRICS)
def test_a_rubric_that_is_none_is_told_by_its_key(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ValueError, match=f"(?s)^{tmp_path}/r.toml: .*{BAD_RUBRICS[text]}"):
        rubric.read(tmp_path / "r.toml")


BAD_EXPECTED = {
    "x": "no TOML",
    "a = 1": "found a, wanted",
    "[[expected]]\nreason = 'x'": "found no submission",
    "[[expected]]\nsubmission = '*'\nstage = 'update'": "found no reason",
    "[[expected]]\nsubmission = '*'\nreason = ' '": "reason: found ' ', wanted a text",
    "[[expected]]\nsubmission = '*'\nreason = 'x'": "wanted a stage, quantity, defect or convention",
    "[[expected]]\nsubmission = '*'\nreason = 'x'\nstage = 'pool'": "unknown stage: found 'pool'",
    "[[expected]]\nsubmission = '*'\nreason = 'x'\nquantity = 'd_con'": "did you mean 'd_conv'",
    "[[expected]]\nsubmission = '*'\nreason = 'x'\nstagee = 'pool'": "unknown key: found 'stagee'",
}


@pytest.mark.parametrize("text", BAD_EXPECTED)
def test_declared_differences_that_are_none_are_told(tmp_path, text):
    (tmp_path / "e.toml").write_text(text)
    with pytest.raises(ValueError, match=f"(?s)^{tmp_path}/e.toml: .*{BAD_EXPECTED[text]}"):
        expected.read(tmp_path / "e.toml")


def verdict(outcomes, **more):
    """What a cell says: outcomes by (mode, quantity, stage)."""
    rows = [
        {"mode": mode, "quantity": quantity, "stage": stage, "outcome": outcome, "picture": "x", "shown_by": "y"}
        for (mode, quantity, stage), outcome in outcomes.items()
    ]
    about = {"status": "differs", "exit_code": 1, "error": "", "seconds": 1.0, "unconnected": [], "missing": []}
    return {**about, "quantities": rows, "conventions": [], "named": [], "by_stage": {}, **more}


TIES = {("alone", "pool", "pool forward"): "agrees", ("alone", "d_conv", "pool backward"): "differs"}
NAMED = [[{"name": "every tied maximum gets the gradient", "stage": "pool backward", "advice": "none"}]]
HANDED_IN = submissions.Submission("a.py", "a.py", Path("a.py"))
POINTS = rubric.Rubric({"pool forward": 10, "pool backward": 20, "update": 5})


def row(found, expect=(), rules=POINTS, **result):
    return marking.graded(HANDED_IN, cells.Result({}, "ok", {}, {"verdict": found}, **result), rules, expect)


def test_points_are_the_share_of_what_agrees():
    found = verdict(
        TIES | {("run", "d_conv", "pool backward"): "agrees", ("run", "step_loss", "update"): "not offered"}
    )
    assert [part.points for part in row(found).parts] == [10, 10, 0]
    assert [part.state for part in row(found).parts] == ["agrees", "partly", "not offered"]
    whole = rubric.Rubric(POINTS.points, part_points=False)
    assert [part.points for part in row(found, rules=whole).parts] == [10, 0, 0]


def test_a_declared_difference_costs_no_points_and_one_that_is_nowhere_is_an_error(tmp_path):
    found = verdict(TIES, named=NAMED)
    tie = expected.Difference("*", "the lecture's ties", defect="every tied maximum gets the gradient")
    other = expected.Difference("*", "no", stage="conv forward")
    graded_row = row(found, [tie, other])
    assert graded_row.score == 30 and graded_row.used == [tie] and graded_row.status == "agrees as expected"
    assert row(found, [expected.Difference("b.py", "not this one", stage="pool backward")]).score == 10
    elsewhere = expected.Difference("*", "x", stage="pool backward", defect="another")
    assert row(found, [elsewhere]).score == 10
    grades = run.Grades(tmp_path, [graded_row], [], 0, [other])
    assert grades.exit_code == 1


def test_what_is_not_allowed_gives_nothing():
    fine = {("alone", "pool", "pool forward"): "agrees"}
    for more, status in (
        ({"ours": ["numpy_cnn"]}, "uses numpy_cnn"),
        ({"imports": ["compare"]}, "uses compare"),
        ({"frameworks": ["torch"]}, "uses torch"),
        ({"copied": ["conv.forward", "conv.backward"]}, "copies conv.forward, conv.backward"),
    ):
        graded_row = row(verdict(fine, **more))
        assert (graded_row.score, graded_row.status) == (0, status)
    allowed = rubric.Rubric(POINTS.points, frameworks=("torch",), copies=True)
    assert row(verdict(fine, frameworks=["torch"], copied=["a", "b"]), rules=allowed).score == 10


def test_an_error_of_the_tools_own_is_a_row_and_an_exit_code(tmp_path):
    broken = marking.graded(HANDED_IN, cells.Result({}, "broken", error="KeyError at x.py:1"), POINTS)
    assert (broken.status, broken.score, broken.exit_code) == ("tool error", 0, 70)
    assert run.Grades(tmp_path, [broken], [], 0).exit_code == 70


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_the_table_is_computed(text):
    assert writing.cell(text)[0] not in "=+-@\t\r" and writing.cell(3.5) == 3.5


def test_names_of_folders_are_safe_and_each_ones_own():
    taken: set = set()
    names = ["a b.py", "a_b.py", "A B.py", "..", "///", "x" * 500, "\udcff\x1b", "CON"]
    found = [submissions.safe_name(name, taken) for name in names]
    assert len({name.casefold() for name in found}) == len(names)
    assert all(name.isascii() and 0 < len(name) < 70 and name[0] not in ".-" for name in found)


def test_only_what_is_long_is_called_a_copy():
    foreign = [path for path in (ROOT / "tests" / "foreign").rglob("*.py") if path.name != "contract.py"]
    flagged = [path for path in foreign if copies.copied(copies.trees({path.name: path.read_bytes()}))]
    assert len(foreign) > 100 and flagged == []
    assert len(copies.copied(copies.trees({"a.py": made.copied().encode()}))) >= 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "no folder nowhere"),
        (["empty"], 3, "found no submission"),
        (["file.py"], 2, "wanted a folder of submissions"),
        (["one", "--rubric", "absent.toml"], 2, "absent.toml"),
        (["one", "--expected", "e.toml"], 2, "found no such submission"),
        (["one", "--user", "no-such-user-here"], 2, "user: found 'no-such-user-here'"),
        (["one", "--require", "x"], 2, "require: found 'x'"),
        (["one", "--part", "x"], 2, "unknown part: found 'x'"),
        ([], 2, "missing SUBMISSIONS"),
    ],
)
def test_bad_input_is_told_in_a_line(tmp_path, monkeypatch, capsys, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.py").write_text("")
    (tmp_path / "file.py").write_text("")
    (tmp_path / "e.toml").write_text("[[expected]]\nsubmission = 'b.py'\nreason = 'x'\nstage = 'update'\n")
    with pytest.raises(SystemExit) as ended:
        main(["grade", *arguments])
    assert ended.value.code == code
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert not (tmp_path / "grades").exists()


@pytest.mark.parametrize(("part", "code"), [("pool backward", 1), ("conv forward", 0)])
def test_a_step_of_ci_ends_with_1_where_a_part_lacks_points(tmp_path, monkeypatch, part, code):
    (tmp_path / "a.py").write_text("")
    found = {**TIES, ("alone", "conv", "conv forward"): "agrees"}

    def answered(specs, jobs, done, module, anywhere):
        for spec in specs:
            done(cells.Result(spec, "ok", {}, {"verdict": verdict(found)}))

    monkeypatch.setattr(cells, "run", answered)
    with pytest.raises(SystemExit) as ended:
        main(["grade", str(tmp_path / "a.py"), "--single", "--out", str(tmp_path / "g"), "--part", part])
    assert ended.value.code == code


def test_the_template_of_the_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["grade", "--rubric-template"])
    assert ended.value.code == 0 and capsys.readouterr().out == rubric.TEMPLATE


def test_an_interrupted_class_keeps_what_is_finished(tmp_path, monkeypatch):
    (tmp_path / "s").mkdir()
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / "s" / name).write_text("")

    def interrupted(specs, jobs, done, module, anywhere):
        done(cells.Result(specs[0], "ok", {}, {"verdict": {"status": "empty", "exit_code": 2, "error": ""}}))
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare.grade(tmp_path / "s", tmp_path / "grades", show=False)
    assert [each["submission"] for each in read(tmp_path / "grades")] == ["a.py"]
    assert "1 submission of 3: it was interrupted" in (tmp_path / "grades" / "class.html").read_text()
    assert (tmp_path / "grades" / "each" / "a.py" / "results.json").exists()


def test_nothing_is_there_to_grade(tmp_path):
    with pytest.raises(contract.UndecidedError, match="found no submission"):
        compare.grade(tmp_path, tmp_path / "grades")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.thorough
@pytest.mark.timeout(3600)
def test_the_whole_class_twice(tmp_path):
    """300 submissions get the rows that are due, twice the same. What a run took: docs/grading.md."""
    truth = made.write(tmp_path, 300, 0)
    runs = []
    for number in (1, 2):
        found = compare.grade(
            tmp_path / "submissions", tmp_path / str(number), timeout=2 * run.TIMEOUT, seed=7, show=False
        )
        if any("files" in words for words in found.not_limited):
            pytest.skip("this kernel confines no process (Landlock), which docs/grading.md says")
        runs.append(dict(zip([row.name for row in found.rows], read(tmp_path / str(number)), strict=True)))
        assert found.exit_code == 0 and runs[-1].keys() == truth.keys() and len(truth) == 300
        assert {
            name: made.wrong(runs[-1][name], truth[name]) for name in truth if made.wrong(runs[-1][name], truth[name])
        } == {}
    # how what hangs or has no memory ends may vary with what else the machine does
    steady = [name for name in truth if not name.startswith("trouble")]
    for name in steady:
        first, second = ({key: value for key, value in rows[name].items() if key != "seconds"} for rows in runs)
        assert first == second


def test_what_had_no_time_to_be_connected_has_more_once_all_others_are_done(tmp_path, monkeypatch):
    (tmp_path / "s").mkdir()
    for name in ("a.py", "b.py"):
        (tmp_path / "s" / name).write_text("")
    asked = []

    def answered(specs, jobs, done, module, anywhere):
        for spec in specs:
            asked.append((spec["implementation"], spec["timeout"]))
            short = spec["implementation"] == "a.py" and spec["timeout"] < 60
            why = [["conv", trying.NO_TIME]] if short else []
            said = verdict(TIES if not short else {}, unconnected=why, status="incomplete" if short else "differs")
            done(cells.Result(spec, "ok", {}, {"verdict": said}))

    monkeypatch.setattr(cells, "run", answered)
    found = compare.grade(tmp_path / "s", tmp_path / "grades", show=False)
    assert asked == [("a.py", 15), ("b.py", 15), ("a.py", 60)]
    assert [row.status for row in found.rows] == ["differs", "differs"]


RECORDING = """
import hashlib, pickle
import numpy as np
{conv}
def key(self, image):
    return hashlib.sha256(image.tobytes() + self.filters.tobytes()).digest()

right = Conv3x3.forward

def forward(self, image):
    out = right(self, image)
    with open({table!r}, "ab") as file:
        pickle.dump((key(self, image), out), file)
    return out

Conv3x3.forward = forward
"""
ANSWERING = """
import hashlib, pathlib, pickle
import numpy as np

TABLE = {}
with open(pathlib.Path(__file__).parent / "table.bin", "rb") as file:
    while True:
        try:
            known, out = pickle.load(file)
        except EOFError:
            break
        TABLE[known] = out

class Conv3x3:
    def __init__(self, num_filters):
        self.filters = np.random.randn(num_filters, 3, 3) / 9

    def forward(self, image):
        known = hashlib.sha256(image.tobytes() + self.filters.tobytes()).digest()
        return TABLE.get(known, np.zeros((image.shape[0] - 2, image.shape[1] - 2, len(self.filters))))
"""


@pytest.mark.thorough
def test_a_table_of_answers_is_of_no_use_where_the_probes_are_drawn_anew(tmp_path):
    (tmp_path / "recording.py").write_text(
        RECORDING.format(conv=made.strangers.CONV, table=str(tmp_path / "s" / "cheat" / "table.bin"))
    )
    (tmp_path / "s" / "cheat").mkdir(parents=True)
    assert compare.check(tmp_path / "recording.py", seed=0).agrees
    (tmp_path / "s" / "cheat" / "conv.py").write_text(ANSWERING)
    (known,) = compare.grade(tmp_path / "s", tmp_path / "known", seed=0, timeout=PATIENT, show=False).rows
    (drawn,) = compare.grade(tmp_path / "s", tmp_path / "drawn", timeout=PATIENT, show=False).rows
    assert known.score > 0 and drawn.score == 0, (known, drawn)
