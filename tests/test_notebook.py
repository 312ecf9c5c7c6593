"""The walkthrough's notebook is its page, runs from top to bottom, and draws the pictures that the page shows."""

import os
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from documentation import ROOT, blocks, comparable
from matplotlib.image import imread
from nbclient import NotebookClient
from page_to_notebook import NOTEBOOK, PAGE, notebook

TEXT = PAGE.read_text()
# of the report a browser makes one, see docs/commands.md
PICTURES = sorted(path for path in (PAGE.parent / "pictures").glob("*.png") if path.name != "report.png")


def test_the_notebook_is_what_the_page_makes():
    made = nbformat.writes(notebook(TEXT)) + "\n"
    assert NOTEBOOK.read_text() == made, "docs/walkthrough.ipynb differs: run python tests/page_to_notebook.py"


def test_every_block_is_a_cell():
    cells = [cell for cell in notebook(TEXT).cells if cell.cell_type == "code"]
    assert len(cells) == len(blocks(TEXT)) > 20
    assert cells[-1].source.startswith("!python -m compare defects --data sample")
    assert [bool(cell.outputs) for cell in cells] == [bool(block.shown) for block in blocks(TEXT)]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run of its cells in a kernel of its own, and the folder in which it ran."""
    folder, home = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("home")
    book = nbformat.read(NOTEBOOK, as_version=4)
    # the last cell is a command of a minute that test_documentation.py runs as well: shown, but not run again
    book.cells.remove([cell for cell in book.cells if cell.cell_type == "code"][-1])
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))  # for !python
        patch.setenv("COLUMNS", "120")
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(home / name.lower()))
        client = NotebookClient(book, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
        return client.execute(), folder


def test_the_notebook_runs_and_prints_what_the_page_shows(executed):
    cells = [cell for cell in executed[0].cells if cell.cell_type == "code"]
    for cell, block in zip(cells, blocks(TEXT)[:-1], strict=True):
        others = [output for output in cell.outputs if output.get("name") != "stdout"]
        assert not others, f"{block.name}: {others}"
        found = "".join(output.text for output in cell.outputs).replace("\r\n", "\n")
        found = re.sub(r"[^\n]*\r", "", found)  # `!` runs in a terminal: a progress bar that has wiped itself out
        assert comparable(found, block.exact) == comparable(block.shown, block.exact), block.name


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_what_the_code_draws(executed, picture):
    # pixels, not bytes: two builds of zlib may pack the same pixels differently
    found = imread(executed[1] / "pictures" / picture.name)
    assert np.array_equal(found, imread(picture)), f"{picture.name} differs: run python tests/page_to_notebook.py"


def test_the_page_shows_every_picture_that_is_drawn(executed):
    drawn = {path.name for path in (executed[1] / "pictures").iterdir()}
    assert drawn == {path.name for path in PICTURES}
    assert all(f"](pictures/{name})" in TEXT for name in drawn)
