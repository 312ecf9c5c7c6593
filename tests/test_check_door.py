"""What is let in by `check`, and by whom it is seen: names, notebooks, files called like somebody else's."""

import json
import os
import subprocess
import sys

import pytest
from documentation import ROOT
from strangers import CONV, POOL, SOFTMAX

import compare
from compare.checking.calling import explaining
from compare.checking.saying.result import BrokenError

TUTORIAL = "import numpy as np\n" + CONV + POOL + SOFTMAX
WRONG = TUTORIAL.replace("d_filters[f] += d_out", "d_filters[f] = d_out")


def run(*arguments, cwd, module=("-m", "compare"), **environment):
    """A command typed in a folder: (exit code, all that it prints)."""
    done = subprocess.run(
        [sys.executable, *module, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("...", "no file or folder ..."),
        (".hidden", "no file or folder .hidden"),
        ("..", "has no .py files"),
        ("a..b", "no file or folder a..b"),
        ("a" * 300, "target: found 'aaa"),
        ("a" * 300 + ".py", "target: found 'aaa"),
        ("a" * 300 + ".py:Net", "target: found 'aaa"),
        ("a" * 300 + ".onnx", "target: found 'aaa"),
        ("a" * 300 + ".ipynb", "target: found 'aaa"),
        ("my_cnn", "found a file that ends in '', wanted .py, .ipynb or .onnx"),
        ("my_cnn:Conv3x3", "found a file that ends in '', wanted .py, .ipynb or .onnx"),
        ("notes.txt", "notes.txt: found a file that ends in '.txt', wanted .py, .ipynb or .onnx"),
        ("broken.ipynb", "broken.ipynb is no notebook"),
        ("list.ipynb", "list.ipynb is no notebook"),
        ("", "target: found ''"),
        ("a\tb\n", "target: found 'a\\tb\\n'"),
    ],
)
def test_targets_that_are_none(target, says, tmp_path):
    here = tmp_path / "empty" / "here"
    here.mkdir(parents=True)
    (here / "my_cnn").write_text(TUTORIAL)
    (here / "notes.txt").write_text("x = 1\n")
    (here / "broken.ipynb").write_text("{")
    (here / "list.ipynb").write_text("[]")
    code, text = run("check", target, cwd=here)
    assert code == 2, text
    assert text.startswith("Error: ") and text.count("\n") == 1 and len(text) < 300, text
    assert says in text


NO_SOURCES = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "20 GB": lambda path: path.touch() or os.truncate(path, 20 << 30),
}


@pytest.mark.parametrize("what", NO_SOURCES)
def test_what_is_no_source_is_not_read(what, tmp_path):
    """Beside a layer it is left out, and said to be; alone, however deep inside, there is nothing to check."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "pool.py").write_text("import numpy as np\n" + POOL)
    NO_SOURCES[what](tmp_path / "beside" / "conv.py")
    result = compare.check(str(tmp_path / "beside"))
    assert result.exit_code == 0 and "conv.py was left out: found no file of at most 16 MiB" in str(result)
    (tmp_path / "alone" / "inside").mkdir(parents=True)
    NO_SOURCES[what](tmp_path / "alone" / "inside" / "conv.py")
    with pytest.raises(ValueError, match=r"has no \.py files"):
        compare.check(str(tmp_path / "alone"))


def test_layers_in_a_file_that_cannot_be_loaded(tmp_path):
    """They are not connected, and that is no agreement; a package that fails around a file takes nothing from it."""
    (tmp_path / "__init__.py").write_text("from .missing import everything\n")
    (tmp_path / "pool.py").write_text("import numpy as np\n" + POOL)
    assert compare.check(str(tmp_path)).exit_code == 0
    (tmp_path / "conv.py").write_text("class Conv3x3:\n  def forward(self, x:\n")
    result = compare.check(str(tmp_path))
    assert result.exit_code == 3 and "could not be connected: conv.py: SyntaxError" in str(result)


def test_a_name_with_a_null(tmp_path):
    with pytest.raises(ValueError, match="target"):
        compare.check("a\0b.py")


def notebook(path, *cells):
    kinds = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Mine"}, *kinds], "nbformat": 4}))
    return str(path)


def test_a_notebook_is_its_definitions(tmp_path):
    training = 'open("trained", "w")\nfor _ in range(3):\n    raise RuntimeError("trains")\n'
    cells = (
        "%matplotlib inline\n!pip install mnist\nimport numpy as np\nFILTERS = 8\n",
        CONV.replace("(self, num_filters)", "(self, num_filters=FILTERS)"),
        training,
        POOL + SOFTMAX,
        "this is no Python",
    )
    right = compare.check(notebook(tmp_path / "My net 2.ipynb", *cells))
    assert right.exit_code == 0 and right.counts["passed"] >= 25, f"\n{right}"
    (note,) = [note for note in right.notes if "imports, definitions and constants are taken" in note]
    assert note.startswith("remark: of My net 2.ipynb") and "cell 3: open('trained', 'w')" in note
    assert "cell 3: for _ in range(3):" in note and "cell 5, which is no Python (line 1" in note
    assert not (tmp_path / "trained").exists()
    wrong = compare.check(notebook(tmp_path / "wrong.ipynb", *(cell.replace("[f] +=", "[f] =") for cell in cells)))
    assert wrong.exit_code == 1 and wrong.judgement.stage == "conv backward", f"\n{wrong}"


def test_a_notebook_by_name_and_beside_others(tmp_path):
    (tmp_path / "utils.py").write_text("import numpy as np\nSCALE = 9\n")
    path = notebook(tmp_path / "net.ipynb", "from utils import np, SCALE\n", CONV.replace("/ 9", "/ SCALE"))
    result = compare.check(f"{path}:Conv3x3")
    assert result.exit_code == 0 and result.counts["passed"] == 2, f"\n{result}"


def test_an_error_in_a_notebook_has_its_line(tmp_path):
    result = compare.check(notebook(tmp_path / "net.ipynb", "import numpy as np\n", "x = 1\nclass A(B):\n    pass\n"))
    assert result.exit_code == 4
    assert "NameError at net.ipynb:3: name 'B' is not defined" in str(result)


ARGPARSE = """
import argparse, sys
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=3)
epochs = parser.parse_args().epochs
assert sys.argv == [__file__], sys.argv
"""


@pytest.mark.parametrize("target", ["my_cnn.py", "my_cnn.py:Conv3x3", "package", "package/conv.py"])
def test_code_sees_its_own_name_and_no_arguments(target, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    for name in ("my_cnn.py", "package/conv.py"):
        (tmp_path / name).write_text(ARGPARSE + TUTORIAL)
    code, text = run("check", target, "--timeout", "30", cwd=tmp_path)
    assert code == 0, text


# What each file in a folder does that must not be imported by anybody but the code in there.
SPY = """
with open({log!r}, "a") as log:
    log.write(__name__ + chr(10))
raise RuntimeError("not the real one")
"""
NAMES = """
    argparse ast click copy csv dataclasses datetime decimal difflib enum hashlib
    inspect itertools json logging math numbers numpy pathlib pickle platform random re secrets
    shutil signal site string struct subprocess sysconfig tempfile textwrap threading token traceback typing uuid
    weakref zipfile utils worker mnist cells contract cli numpy_cnn torch keras
"""
# pytest itself would break on the others, whatever comes after it
BESIDE_PYTEST = "numpy secrets hmac numbers utils worker mnist cells contract cli numpy_cnn torch keras"


@pytest.mark.parametrize("by", ["python -m", "cnn-compare", "pytest --cnn", "compare.check"])
def test_files_that_are_called_like_others_are_seen_by_nobody(by, tmp_path):
    """An honest file breaks nothing, since nobody imports it: neither the judge, nor NumPy inside the worker."""
    log = tmp_path / "log"
    folder = tmp_path / "course"
    folder.mkdir()
    for name in (BESIDE_PYTEST if "pytest" in by else NAMES).split():
        (folder / f"{name}.py").write_text(SPY.format(log=str(log)))
    (folder / "my_cnn.py").write_text(WRONG.replace("import numpy as np", "import sys; np = sys.modules['numpy']"))
    script = "from compare.cli import main; main()"
    if by == "compare.check":
        result = compare.check(folder / "my_cnn.py")
        code, text = result.exit_code, str(result)
    elif by == "python -m":
        code, text = run("check", "my_cnn.py", cwd=folder)
    elif by == "cnn-compare":
        (tmp_path / "cnn-compare").write_text(script)
        code, text = run("check", "my_cnn.py", cwd=folder, module=(str(tmp_path / "cnn-compare"),))
    else:
        (tmp_path / "pytest").write_text("import sys, pytest; sys.exit(pytest.main())")
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        plugins = ("-p", "no:cacheprovider", "-p", "compare.pytest_plugin")
        environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        code, text = run(*plugins, "--cnn", "my_cnn.py", cwd=folder, module=(str(tmp_path / "pytest"),), **environment)
    assert code == 1, text
    assert "filter gradient of the last window only" in text
    assert not log.exists(), log.read_text()


def test_code_is_given_its_own_files_and_numpy_pythons(tmp_path):
    """As when it is run alone; each is imported once, and what they import is theirs too."""
    (tmp_path / "random.py").write_text("import numpy as np\nimport utils\nSCALE = utils.SCALE\n")
    (tmp_path / "utils.py").write_text("SCALE = 9\n")
    (tmp_path / "numpy_cnn.py").write_text("import random\nprint('once')\nassert random.SCALE == 9\n" + SOFTMAX)
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare" / "__init__.py").write_text("from . import pools\n")
    (tmp_path / "compare" / "pools.py").write_text("import compare.more\nfrom compare.more import np\n" + POOL)
    (tmp_path / "compare" / "more.py").write_text("import numpy as np\n")
    mine = "import random\nimport compare.more\nfrom numpy_cnn import Softmax\nfrom compare.pools import MaxPool2\n"
    mine += "import numpy_cnn as again\nassert again.Softmax is Softmax and np.random.rand() < 1\n"
    softmax = "import numpy as np\n" + SOFTMAX
    (tmp_path / "numpy_cnn.py").write_text("import random\nprint('once')\nassert random.SCALE == 9\n" + softmax)
    (tmp_path / "my_cnn.py").write_text("import numpy as np\n" + mine + CONV.replace("/ 9", "/ random.SCALE"))
    result = compare.check(tmp_path / "my_cnn.py")
    assert result.exit_code == 0 and result.counts["passed"] >= 25, f"\n{result}"
    (tmp_path / "numpy_cnn.py").write_text(softmax.replace("totals - totals.max()", "totals"))
    result = compare.check(tmp_path / "my_cnn.py")
    assert result.judgement.named == "no shift in the softmax", f"\n{result}"


@pytest.mark.parametrize("name", ["numpy_cnn", "compare", "mnist", "utils", "worker", "random", "numpy", "my-cnn.v2"])
@pytest.mark.parametrize("kind", ["file", "package"])
def test_the_checked_file_itself_is_called_like_another(name, kind, tmp_path):
    """A file or package of that name is what is checked, not this project's."""
    file = tmp_path / f"{name}.py" if kind == "file" else tmp_path / name / "__init__.py"
    file.parent.mkdir(exist_ok=True)
    own = "import numpy as np\n" if name != "numpy" else "import sys\nnp = sys.modules['numpy']\n"
    file.write_text(own + WRONG.removeprefix("import numpy as np\n"))
    result = compare.check(file if kind == "file" else file.parent)
    assert result.judgement.named == "filter gradient of the last window only", f"\n{result}"


def test_a_copy_of_this_project_is_checked_and_not_this_one(tmp_path):
    package = tmp_path / "numpy_cnn"
    package.mkdir()
    (package / "__init__.py").write_text("from numpy_cnn.layers import *\n")
    (package / "layers.py").write_text(WRONG)
    result = compare.check(package / "layers.py")
    assert result.judgement.named == "filter gradient of the last window only", f"\n{result}"


def test_installed_code_is_the_users_where_it_lies_inside_the_library(tmp_path, monkeypatch):
    """Outside of a virtual environment site-packages is a folder of the standard library's."""
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    places = [tmp_path / "json.py", tmp_path / "site-packages" / "theirs.py", tmp_path / "dist-packages" / "theirs.py"]
    said = []
    for place in places:
        place.parent.mkdir(exist_ok=True)
        with pytest.raises(KeyError) as caught:
            exec(compile("x = 1\nraise KeyError(x)\n", str(place), "exec"))
        said.append(explaining.explain(caught.value))
    assert [line.partition(" at ")[2] for line in said[1:]] == ["theirs.py:2: 1"] * 2
    assert "json.py" not in said[0]


def test_an_error_of_our_own_is_none_of_the_code(tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("shapes (3,) and (4,)")

    (tmp_path / "my_cnn.py").write_text(TUTORIAL)
    monkeypatch.setattr("compare.checking.run.answer", fail)
    with pytest.raises(BrokenError, match=r"error of this tool's own.*my_cnn.py: ValueError at .*: shapes"):
        compare.check(tmp_path / "my_cnn.py")


def test_an_error_of_our_own_while_the_code_is_tried(tmp_path, monkeypatch):
    (tmp_path / "my_cnn.py").write_text(TUTORIAL)
    monkeypatch.delattr("numpy_cnn.layers.Layers.get_parameters")
    with pytest.raises(BrokenError, match=r"error of this tool's own.*AttributeError at plan.py:\d+"):
        compare.check(tmp_path / "my_cnn.py")
