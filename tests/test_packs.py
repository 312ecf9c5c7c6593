"""Each pack is what its platform publishes that it takes, and does what it is for, tried without the platform."""

import doctest
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import nbformat
import pytest
from strangers import CONV, POOL, SOFTMAX
from test_grading import valid_gradescope

from compare.cli import main
from compare.grading import packs, rubric
from compare.grading.share import share

POINTS = rubric.read().points


def packed(tmp_path, kind, name, *more):
    with pytest.raises(SystemExit) as ended:
        main(["pack", kind, "--out", str(tmp_path / name), *more])
    assert ended.value.code == 0
    return tmp_path / name


def test_gradescope(tmp_path):
    """https://gradescope-autograders.readthedocs.io/en/latest/specs/

    "The file must contain at least two files in the root of the archive": setup.sh and run_autograder, "an executable
    script, in any language (with appropriate #! line)". /autograder/source "contains the extracted contents", the work
    is in /autograder/submission, and /autograder/results/results.json "must be produced as a result".
    """
    place = packed(tmp_path, "gradescope", "autograder.zip")
    root = tmp_path / "autograder"
    with zipfile.ZipFile(place) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        assert {"setup.sh", "run_autograder"} <= modes.keys() and modes["run_autograder"] & 0o111
        archive.extractall(root / "source")
    assert (root / "source" / "run_autograder").read_text().startswith("#!/")
    (root / "submission").mkdir()
    (root / "submission" / "cnn.py").write_text("import numpy as np\n" + CONV + POOL + SOFTMAX)
    subprocess.run(["bash", "-n", str(root / "source" / "setup.sh")], check=True)
    places = {"AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", str(root / "source" / "run_autograder")],
        env=environment | places,
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((root / "results" / "results.json").read_text())
    valid_gradescope(document)
    assert document["score"] == 100 and [test["name"] for test in document["tests"]] == list(POINTS)


def test_a_pack_holds_all_that_the_check_needs_and_is_the_same_twice(tmp_path):
    first, second = (packed(tmp_path, "gradescope", name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        wanted = archive.read("requirements.txt").decode()
    assert re.fullmatch(r"([a-z0-9_-]+==[0-9][\w.+]*\n)+", wanted) and "numpy==" in wanted


def test_classroom(tmp_path):
    """https://github.com/classroom-resources/autograding-command-grader, action.yml

    Inputs: test-name and command, required; setup-command, timeout ("in minutes"), max-score. main.js reads max-score
    by parseInt. The reporter takes `runners`, "comma-separated list of step ids", and for each the variable named by
    its id in capitals and "_RESULTS" (README: Environment Variables).
    """
    with zipfile.ZipFile(packed(tmp_path, "classroom", "classroom.zip")) as archive:
        text = archive.read(".github/workflows/classroom.yml").decode()
        assert {".github/grading/rubric.toml", ".github/grading/compare/cli.py"} <= set(archive.namelist())
    steps = re.split(r"^      - name: ", text, flags=re.M)[1:]
    graders = [step for step in steps if "uses: classroom-resources/autograding-command-grader@v1" in step]
    assert len(graders) == len(POINTS)
    ids = []
    for step, (name, points) in zip(graders, POINTS.items(), strict=True):
        inputs = dict(re.findall(r"^          ([a-z-]+): (.*)$", step, re.M))
        assert (
            {"test-name", "command"}
            <= inputs.keys()
            <= {"test-name", "setup-command", "command", "timeout", "max-score"}
        )
        assert inputs["test-name"] == name and inputs["max-score"] == str(points) and f'--part "{name}"' in step
        ids += re.findall(r"^        id: (\S+)$", step, re.M)
    assert len(set(ids)) == len(graders)
    (reporter,) = [step for step in steps if "uses: classroom-resources/autograding-grading-reporter@v1" in step]
    assert re.search(rf"^          runners: {','.join(ids)}$", reporter, re.M)
    for each in ids:
        assert f'          {each.upper()}_RESULTS: "${{{{steps.{each}.outputs.result}}}}"' in reporter
    assert not re.search(r"\t| $", text, re.M)


def test_points_that_a_platform_does_not_take_are_refused(tmp_path, capsys):
    (tmp_path / "r.toml").write_text('[points]\n"update" = 1.5\n')
    with pytest.raises(SystemExit) as ended:
        main(["pack", "classroom", "--out", str(tmp_path / "x.zip"), "--rubric", str(tmp_path / "r.toml")])
    assert ended.value.code == 2 and "update: found 1.5 points, wanted a whole number" in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()


@pytest.fixture(scope="module")
def network():
    """The classes of a right network but for one gradient, as they stand in a notebook."""
    import numpy as np

    names = {"np": np}
    wrong = POOL.replace("d_input[2 * i + a, 2 * j + b, k] = d_out", "d_input[2 * i + a, 2 * j + b, k] = 2 * d_out")
    exec(CONV + wrong + SOFTMAX, names)  # noqa: S102 - written above
    for name in packs.THINGS:
        names[name].__module__ = "notebook"
    return names


def test_otter(tmp_path, network):
    """https://otter-grader.readthedocs.io/en/latest/test_files/ok_format.html

    A file defines `test`: a name, points, and `suites`, "a list of length 1", whose cases hold `code`, "formatted for
    Python interpreter", hidden and locked; type: "only doctest allowed". OK_FORMAT says that it is such a file.
    """
    folder = packed(tmp_path, "otter", "tests")
    assert sorted(path.stem for path in folder.iterdir()) == sorted(name.replace(" ", "_") for name in POINTS)
    outcomes = {}
    for path in folder.iterdir():
        held: dict = {}
        exec(path.read_text(), held)  # noqa: S102 - made here
        test = held["test"]
        assert (
            held["OK_FORMAT"] is True
            and test["name"] == path.stem
            and test["points"] == POINTS[path.stem.replace("_", " ")]
        )
        (suite,) = test["suites"]
        assert suite["type"] == "doctest" and {"cases", "scored", "setup", "teardown"} <= suite.keys()
        (case,) = suite["cases"]
        assert case.keys() == {"code", "hidden", "locked"}
        parsed = doctest.DocTestParser().get_doctest(case["code"], dict(network), path.stem, str(path), 0)
        outcomes[path.stem] = doctest.DocTestRunner(verbose=False).run(parsed, out=lambda text: None).failed
    assert {name for name, failed in outcomes.items() if failed} == {"pool_backward", "update", "training_path"}


def test_nbgrader(tmp_path, network):
    """https://github.com/jupyter/nbgrader, nbgrader/nbgraderformat/v3.json and determine_grade in nbgrader/utils.py

    Metadata of a cell: schema_version 3, grade, locked, solution (required), task, grade_id of letters, digits, "_" and
    "-", points from 0 on where it is graded; nothing else but checksum and cell_type. A graded code cell that raises
    has no points; one whose value is a number above 0 has as many; any other, of the value 0 too, has all.
    """
    notebook = nbformat.read(packed(tmp_path, "nbgrader", "task.ipynb"), as_version=4)
    nbformat.validate(notebook)
    graded = {}
    for cell in notebook.cells:
        about = cell.metadata["nbgrader"]
        known = {"schema_version", "grade", "locked", "solution", "task", "grade_id", "points"}
        assert {"schema_version", "grade", "locked", "solution"} <= about.keys() <= known and about[
            "schema_version"
        ] == 3
        assert re.fullmatch(r"[a-zA-Z0-9_\-]*", about["grade_id"])
        if about["grade"]:
            assert about["locked"] and not about["solution"] and about["points"] > 0
            setup, last = cell.source.rsplit("\n", 1)
            held = dict(network)
            try:
                exec(setup, held)  # noqa: S102 - made here
            except AssertionError:
                graded[about["grade_id"]] = (about["points"], 0)
                continue
            value = eval(last, held)  # noqa: S307 - made here
            assert 0 < value <= about["points"]
            graded[about["grade_id"]] = (about["points"], value)
    assert (
        graded["conv_forward"] == (15, 15)
        and graded["update"] == (5, 3.75)
        and graded["pool_backward"] == (15, 0)
        and len(graded) == len(POINTS)
    )


def test_names_of_things_are_names(tmp_path):
    with pytest.raises(ValueError, match="found 'a\\(\\)', wanted names"):
        packs.pack("otter", tmp_path / "x", things=["a()"])
    with pytest.raises(ValueError, match="unknown part: found 'conv'"):
        share("conv")
