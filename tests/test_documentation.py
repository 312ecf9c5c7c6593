"""Every command and snippet of the documentation runs, and what it prints is what stands there."""

import re

import documentation
import pandas as pd
import pytest
from documentation import ROOT, blocks, comparable, run
from write_pages import excerpt, renewed

from compare import output
from compare.checking.judging import sharpness
from compare.clock import speed as timing
from compare.training import accuracy as training
from compare.training import evidence, starts
from compare.verdict.defects import DEFECTS

PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.exists()]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder and a namespace for each page, shared by its blocks in their order."""
    made = {}

    def make(page):
        if page not in made:
            made[page] = documentation.workplace(tmp_path_factory.mktemp(page.stem)), {"__name__": page.stem}
        return made[page]

    return make


def head(shown):
    """The first line of the table in an output."""
    return next(line for line in shown.splitlines() if line.startswith("|"))


def table_of(command):
    """What a command that takes minutes would print as table of one row."""
    if "accuracy" in command:
        frame = pd.DataFrame([dict.fromkeys(training.COLUMNS, 1.0) | {"outcome": "trained", "start": "same"}])
        return output.table(starts.accuracy_table(frame))
    if "sharpness" in command:
        frame = pd.DataFrame([dict.fromkeys(sharpness.COLUMNS, 1.0)])
        return output.table(output.sharpness_table(frame))
    if "defects" in command:
        row = {"named": True, "caught": True, "diverged": 0, "says": "", "defect": "x", "stage": "y"}
        frame = pd.DataFrame([dict.fromkeys(evidence.COLUMNS, 1.0) | row])
        return output.table(output.defects_table(frame))
    frame = pd.DataFrame([dict.fromkeys(timing.COLUMNS, 1.0)]).assign(outcome="timed")
    return output.table(output.speed_table(frame))


def of_all_pages(wanted):
    """Parametrizes a test over the wanted blocks of all pages, by page and number of the block."""
    found = [
        pytest.param(page, number, id=f"{page.name}: {block.name}")
        for page in PAGES
        for number, block in enumerate(blocks(page.read_text()))
        if wanted(block)
    ]
    return pytest.mark.parametrize(("page", "number"), found)


@of_all_pages(lambda block: not block.long)
def test_block(page, number, workplace):
    check(blocks(page.read_text())[number], *workplace(page))


def check(block, folder, namespace):
    found = run(block, folder, namespace)
    assert comparable(found, block.exact) == comparable(block.shown, block.exact), found


@of_all_pages(lambda block: block.long and "|" in block.shown)
def test_head_of_a_long_table(page, number):
    block = blocks(page.read_text())[number]
    assert head(table_of(block.code)).split() == head(block.shown).split()


@pytest.mark.thorough
@pytest.mark.timeout(3600)
@of_all_pages(lambda block: block.long)
def test_long_block(page, number, workplace):
    check(blocks(page.read_text())[number], *workplace(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_shown_is_that_of_the_files(page):
    assert page.read_text() == renewed(page.read_text()), f"{page.name} differs: run python tests/write_pages.py"


def test_the_code_shown_leaves_out_checks_and_nothing_else():
    shown = excerpt("numpy_cnn/conv.py", "Conv3x3.forward")
    assert shown == (
        "class Conv3x3:\n"
        "    def forward(self, x):\n"
        "        x = np.asarray(x, self.weight.dtype)\n"
        '        self._x = pad(x, 1) if self.padding == "same" else x\n'
        "        return np.tensordot(windows(self._x), self.weight, axes=3)\n"
    )
    with pytest.raises(ValueError, match="found 0 of that name"):
        excerpt("numpy_cnn/conv.py", "Conv3x3.gone")
    with pytest.raises(ValueError, match="found no statement"):
        excerpt("numpy_cnn/conv.py", "Conv3x3.forward", "z =")
    with pytest.raises(ValueError, match="found 0 of 1"):
        renewed("<!-- code: numpy_cnn/conv.py pad -->\n")


def test_every_line_measured_is_used_in_the_table_or_the_text():
    page = (ROOT / "docs" / "three-ways.md").read_text()
    text, measured = page.split("## Measured")
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    letters = set(re.findall(r"^\((\w)\)", measured, re.M))
    assert letters and letters == set(re.findall(r"\(([a-z])\)", text))


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_number_of_defects():
    readme = (ROOT / "README.md").read_text()
    assert f"{len(DEFECTS)} mistakes, in five implementations" in readme
    table, _ = blocks((ROOT / "docs" / "defects.md").read_text())
    assert all(f"| {defect.name} " in table.shown for defect in DEFECTS)
