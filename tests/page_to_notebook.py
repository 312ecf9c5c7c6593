"""The walkthrough as a notebook: `python tests/page_to_notebook.py` writes docs/walkthrough.ipynb from the page.

Words become markdown cells, code blocks code cells with the output that the page shows, `$ command` becomes `!command`.
It also draws the page's pictures anew, into docs/pictures/. Renew the page itself first: tests/documentation.py.
"""

import contextlib
import io
import sys

import nbformat
from documentation import ROOT, blocks, run
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PAGE = ROOT / "docs" / "walkthrough.md"
NOTEBOOK = PAGE.with_suffix(".ipynb")
# The page says that it is also a notebook; the notebook says where the page is.
ITSELF = (
    "[the same page as a notebook](walkthrough.ipynb)",
    "this notebook, which is made from [the page](walkthrough.md)",
)


def notebook(page):
    """The notebook of a page (its text)."""
    cells, end = [], 0
    assert ITSELF[0] in page, f"found no {ITSELF[0]} in the page"

    def say(words):
        if words.strip():
            cells.append(new_markdown_cell(words.replace(*ITSELF).strip(), id=f"cell-{len(cells)}"))

    for number, block in enumerate(blocks(page), 1):
        say(page[end : block.match.start()])
        end = block.match.end()
        code = f"!{block.code}" if block.kind == "console" else block.code.strip("\n")
        shown = [new_output("stream", name="stdout", text=block.shown)] if block.shown else []
        cells.append(new_code_cell(code, id=f"cell-{len(cells)}", execution_count=number, outputs=shown))
    say(page[end:])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def draw(page, folder):
    """Write the page's pictures into folder/pictures, by running its code up to the last block that draws one."""
    found = [block for block in blocks(page) if block.kind == "python"]
    last = max(number for number, block in enumerate(found) if "draw(" in block.code)
    namespace = {"__name__": "pictures"}
    for block in found[: last + 1]:
        run(block, folder, namespace)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    text = PAGE.read_text()
    with contextlib.redirect_stdout(io.StringIO()):
        draw(text, PAGE.parent)
    NOTEBOOK.write_text(nbformat.writes(notebook(text)) + "\n")
