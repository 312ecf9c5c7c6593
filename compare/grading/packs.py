"""Ready packs: what Gradescope, GitHub Classroom, otter and nbgrader take, with a rubric's points.

Each follows a published format; a test holds it to that, with its source.
"""

import importlib.metadata
import io
import json
import zipfile
from pathlib import Path

from compare import contract, files, plain
from compare.cells.cells import ROOT
from compare.grading import rubric

KINDS = ("gradescope", "classroom", "otter", "nbgrader")
REQUIRED = ("numpy", "click", "cloudpickle", "jinja2", "markupsafe", "tqdm")  # of the command `grade`
PACKAGES = ("compare", "numpy_cnn")
ENDINGS = (".py", ".jinja", ".css", ".js", ".json")
DATE = (2020, 1, 1, 0, 0, 0)  # of all members: the same pack has the same bytes
THINGS = ("Conv3x3", "MaxPool2", "Softmax")

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, while it builds the image.
set -euo pipefail
cd "$(dirname "$0")"
for python in python3.13 python3.12 python3.11 python3 none; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
done
if [ "$python" = none ]; then
    apt-get update -qq && apt-get install -y -qq python3.11
    python=python3.11
fi
version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
"$python" -c 'import ensurepip' 2>/dev/null || apt-get install -y -qq "python$version-venv"
"$python" -m venv /autograder/venv
/autograder/venv/bin/python -m pip install --quiet -r requirements.txt
"""
RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for every submission. AUTOGRADER_ROOT and AUTOGRADER_PYTHON stand in for its places in a trial.
set -euo pipefail
root=${{AUTOGRADER_ROOT:-/autograder}}
python=${{AUTOGRADER_PYTHON:-$root/venv/bin/python}}
out=$(mktemp -d)
cd "$root/source"
"$python" -m compare grade "$root/submission" --single --out "$out" --rubric rubric.toml \\
    --feedback {feedback} --timeout {timeout:g} --no-progress
mkdir -p "$root/results"
cp "$out"/each/*/results.json "$root/results/results.json"
"""
WORKFLOW = """\
# For GitHub Classroom: every push is graded, a step for each part. The students' repository holds this file and all
# that it runs, so protect .github in the assignment's settings; the points of a step are given whole or not at all.
name: Autograding Tests
on:
  - push
  - workflow_dispatch
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - name: Checkout code
        uses: actions/checkout@v4
      - name: Set up Python
        uses: actions/setup-python@v5
        with:
          python-version: "3.12"
"""
STEP = """\
      - name: {name}
        id: {id}
        uses: classroom-resources/autograding-command-grader@v1
        with:
          test-name: {name}
          setup-command: python -m pip install --quiet -r .github/grading/requirements.txt
          command: >-
            cd .github/grading && python -m compare grade ../.. --single --resume --out /tmp/grades
            --rubric rubric.toml --feedback {feedback} --timeout {timeout:g} --part "{name}"
          timeout: 10
          max-score: {points}
"""
REPORT = """\
      - name: Autograding Reporter
        uses: classroom-resources/autograding-grading-reporter@v1
        env:
{environment}
        with:
          runners: {runners}
"""


def pack(kind, out, rubric_file=None, feedback="defect", timeout=15.0, things=THINGS):
    """Write one pack.

    Args:
        kind: of KINDS. out: a .zip file for Gradescope and Classroom, a folder of tests for otter, a notebook (.ipynb)
            for nbgrader.
        things: names, in the students' notebook, of what is checked: for otter and nbgrader.
    Raises:
        ValueError: no such kind, a rubric that is none, or points that the format does not take.
        OSError: it cannot be written.
    """
    if kind not in KINDS:
        raise ValueError(contract.unknown("pack", kind, KINDS))
    rules, out = rubric.read(rubric_file), Path(out)
    for name in things:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"things: found {plain.line(name)!r}, wanted names of classes and functions")
    text = rubric.TEMPLATE if rubric_file is None else Path(rubric_file).read_text()
    settings = {"feedback": feedback, "timeout": timeout}
    if kind == "gradescope":
        files.write_bytes(out, zipped({"setup.sh": SETUP, "run_autograder": RUN.format(**settings), **ours("", text)}))
    elif kind == "classroom":
        members = {".github/workflows/classroom.yml": workflow(rules, settings), **ours(".github/grading/", text)}
        files.write_bytes(out, zipped(members))
    elif kind == "otter":
        out.mkdir(parents=True, exist_ok=True)
        for name, points in rules.points.items():
            files.write_text(out / f"{_id(name, '_')}.py", otter_test(name, points, things))
    else:
        files.write_text(out, json.dumps(nbgrader_notebook(rules, things), indent=1) + "\n")


def ours(inside, text):
    """{name: text} of this project's packages that the check needs, its requirements, and the rubric."""
    found = {f"{inside}rubric.toml": text, f"{inside}requirements.txt": requirements()}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in ENDINGS and "__pycache__" not in path.parts:
                found[f"{inside}{path.relative_to(ROOT).as_posix()}"] = path.read_text()
    return found


def requirements():
    """What the command `grade` needs, in the versions that are installed here."""
    return "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in REQUIRED)


def zipped(members):
    """The bytes of a zip file; scripts are executable in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
            info.external_attr = (0o100755 if text.startswith("#!") else 0o100644) << 16
            archive.writestr(info, text)
    return content.getvalue()


def workflow(rules, settings):
    """The workflow of GitHub Classroom.

    Source: action.yml of https://github.com/classroom-resources/autograding-command-grader and of
    https://github.com/classroom-resources/autograding-grading-reporter. max-score is read as a whole number there, and
    the results of a step are looked for under its id in capitals, with "_RESULTS" behind it.

    Raises:
        ValueError: points that are no whole number.
    """
    for name, points in rules.points.items():
        if points != int(points):
            raise ValueError(f"rubric: {name}: found {points} points, wanted a whole number, as GitHub Classroom does")
    steps = [
        STEP.format(name=name, id=_id(name), points=int(points), **settings) for name, points in rules.points.items()
    ]
    results = [f'          {_id(n).upper()}_RESULTS: "${{{{steps.{_id(n)}.outputs.result}}}}"' for n in rules.points]
    report = REPORT.format(environment="\n".join(results), runners=",".join(map(_id, rules.points)))
    return WORKFLOW + "".join(steps) + report


def otter_test(name, points, things):
    """A test file of otter-grader in OK format.

    Source: https://otter-grader.readthedocs.io/en/latest/test_files/ok_format.html
    """
    code = f">>> from compare.grading.share import share\n>>> share({name!r}, {', '.join(things)})\n1.0\n"
    case = {"code": code, "hidden": False, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": _id(name, "_"), "points": points, "suites": [suite]}
    return f"OK_FORMAT = True\n\ntest = {test!r}\n"


def nbgrader_notebook(rules, things):
    """A notebook with a cell for the students' code and a test cell of nbgrader for each part, which gives part points.

    Source: https://github.com/jupyter/nbgrader, nbgrader/nbgraderformat/v3.json; and determine_grade of
    nbgrader/utils.py, by which the value of a test cell's last line is its points where it is above 0.
    """
    cells = [_cell("# " + ", ".join(things) + "\n### BEGIN SOLUTION\n### END SOLUTION", "network", solution=True)]
    for name, points in rules.points.items():
        # a value of 0 would count as no value, and that as all points
        source = f"from compare.grading.share import share\npoints = {points:g} * share({name!r}, {', '.join(things)})"
        source += '\nassert points, "none of it agrees"\npoints'
        cells.append(_cell(source, _id(name, "_"), points=points, grade=True, locked=True))
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def _cell(source, name, **more):
    about = {"schema_version": 3, "grade": False, "locked": False, "solution": False, "task": False, "grade_id": name}
    cell = {"cell_type": "code", "id": name.replace("_", "-"), "execution_count": None, "outputs": [], "source": source}
    return {**cell, "metadata": {"nbgrader": {**about, **more}}}


def _id(name, between="-"):
    return name.replace(" ", between)
