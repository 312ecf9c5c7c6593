"""The project as a newcomer finds it: what is tracked, and the two commands of the README."""

import ast
import configparser
import re
import subprocess

import pytest
from documentation import ROOT


def test_nothing_that_git_ignores_is_tracked():
    """A file `.venv` once stood where the README's environment goes, since a link was committed with the rest."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked cannot be asked")
    git = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--ignored", "--exclude-per-directory=.gitignore"]
    done = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_two_commands_are_those_of_tox_and_ci():
    readme = (ROOT / "README.md").read_text()
    ci = (ROOT / ".ci" / "run").read_text()
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    assert "tox run -e report" in readme
    assert tox["testenv:report"]["commands"].startswith("tox run -e full -- python -m compare report")
    # tox writes a file `.venv` otherwise, and the README's second way begins with `python3 -m venv .venv`
    assert tox["tox"]["venv_redirect"] == "false"
    assert re.search(r"^python3 -m pip install tox && python3 -m tox run +#", readme, re.M)
    # in CI the report comes first, before anything has made an environment, and is looked at
    report, tests = (f"python3 -m pip install tox && python3 -m tox run{more}" for more in (" -e report", ""))
    assert report in readme and f"{tests} " in readme
    assert re.search(
        rf"^{re.escape(report)} -- --quick\n.*\n.*browser.py report/index.html\n{re.escape(tests)} \|", ci, re.M
    )


LONGEST = 300  # lines of a file of code
GROUND = ("numpy_cnn", "torch_cnn", "keras_cnn")
CHECKING = ("process", "calling", "judging", "finding", "frameworks", "saying")  # each uses those before it alone


def modules():
    """{dotted name: (path, names of modules of this project that it imports, in functions too)}."""
    files = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / line for line in files.stdout.splitlines() if line.startswith(("compare/", *GROUND))]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    found = {}
    for name, path in names.items():
        used = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                several = [f"{node.module}.{alias.name}" for alias in node.names]
                used |= {each if each in names else node.module for each in several}
        found[name] = (path, {each for each in used if each in names and each != name})
    return found


def test_no_file_is_long():
    long = {name: len(path.read_text().splitlines()) for name, (path, _) in modules().items() if name[:7] == "compare"}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_imports_go_one_way():
    uses = {name: used - {"compare"} for name, (_, used) in modules().items()}
    left = dict(uses)
    while free := [name for name, used in left.items() if not used & left.keys()]:
        left = {name: used for name, used in left.items() if name not in free}
    assert left == {}, "these import each other in a circle"
    for name, used in uses.items():
        rooms = {each.split(".")[0] for each in used}
        if name.startswith(GROUND):
            assert rooms <= {name.split(".")[0]}, name
        if name.startswith("compare.verdict"):
            assert not [each for each in used if each.startswith(("compare.checking", "compare.pages"))], name
        if name.startswith("compare.checking."):
            room = name.split(".")[2]
            beside = {each.split(".")[2] for each in used if each.startswith("compare.checking.")}
            assert room == "run" or beside <= set(CHECKING[: CHECKING.index(room) + 1]), name
            assert not [each for each in used if each.startswith(("compare.pages", "compare.cli"))], name
