"""The project as a newcomer finds it: what is tracked, and the two commands of the README."""

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
    assert re.search(r"^tox -e report -- --quick\n.*browser.py report/index.html\ntox$", ci, re.M)
