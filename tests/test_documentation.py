"""Every command and snippet of the documentation runs, and what it prints is what stands there."""

import configparser
import re

import pandas as pd
import pytest
from documentation import ROOT, blocks, comparable, run

PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.exists()]


printed: dict[str, str] = {}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder and a namespace for each page, shared by its blocks in their order."""
    made = {}
    return lambda page: made.setdefault(page, (tmp_path_factory.mktemp(page.stem), {"__name__": page.stem}))


def head(shown):
    """The first line of the table in an output."""
    return next(line for line in shown.splitlines() if line.startswith("|"))


@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param(page, number, id=f"{page.name}: {block.name}")
        for page in PAGES
        for number, block in enumerate(blocks(page.read_text()))
    ],
)
def test_block(page, number, workplace):
    block = blocks(page.read_text())[number]
    if block.long:
        from compare import output, timing

        frame = pd.DataFrame([dict.fromkeys(timing.COLUMNS, 1.0)]).assign(outcome="timed")
        assert output.table(output.speed_table(frame)).splitlines()[0].split() == head(block.shown).split()
        return
    # a command that stands on several pages is run once
    found = printed.get(block.code) or run(block, *workplace(page))
    if block.kind == "console":
        printed[block.code] = found
    assert comparable(found, block.exact) == comparable(block.shown, block.exact), found


def test_the_two_commands_are_those_of_tox_and_ci():
    readme = (ROOT / "README.md").read_text()
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    assert "tox run -e report" in readme
    assert "python -m compare report" in tox["testenv:report"]["commands"]
    assert re.search(r"^python3 -m pip install tox && python3 -m tox run +#", readme, re.M)
    assert re.search(r"tox run$", (ROOT / ".ci" / "run").read_text(), re.M)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
