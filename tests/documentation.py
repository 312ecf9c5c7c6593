"""Code blocks of the documentation: run them, and compare or renew the output that stands below each.

`python tests/documentation.py README.md` puts in the output as it comes out now; the tests compare it.

- ```` ```python ```` : executed, one namespace a page; its output is the ```` ```text ```` block that follows, if any.
- ```` ```console ```` : `$ command` is run by a shell; its output follows. One on several pages is run once, also
  where one of them shows a part of its output: `$ command | tail -n 3`.
- ```` ```sh ```` : commands for the reader's machine, not run here.
- ```` ```py ```` : code that stands in a file of the project, put here by `write_pages.py`; not run here.

`<!-- numbers vary -->` before a block: its numbers depend on the machine, so digits are not compared, words are.
`<!-- takes minutes -->`: as that, and run by the tests marked `thorough`; the others compare its table's head.
`<!-- exits with 1 -->`: and that is right there.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?P<vary><!-- (?:numbers vary|takes minutes) -->\n)?(?P<fails><!-- exits with 1 -->\n)?"
    r"```(?P<kind>python|console)\n(?P<body>.*?)```\n"
    r"(?:```text\n(?P<text>.*?)```\n)?",
    re.DOTALL,
)


printed: dict[str, str] = {}  # by command


@dataclass
class Block:
    """One code block: where it stands, what is run, what output it shows, and whether digits count."""

    match: re.Match
    kind: str
    code: str
    shown: str
    exact: bool
    long: bool
    code_wanted: int = 0

    @property
    def name(self):
        return self.code.strip().splitlines()[0]


def blocks(page):
    """The blocks of a page (its text) that are run."""
    found = []
    for match in BLOCK.finditer(page):
        body = match["body"]
        long = "takes minutes" in (match["vary"] or "")
        if match["kind"] == "console":
            first, _, shown = body.partition("\n")
            assert first.startswith("$ "), f"a console block begins with {first!r}, wanted '$ command'"
            code = 1 if match["fails"] else 0
            found.append(Block(match, "console", first[2:], shown, match["vary"] is None, long, code))
        else:
            found.append(Block(match, "python", body, match["text"] or "", match["vary"] is None, long))
    return found


def workplace(folder):
    """The folder, with `docs` in it as in a checkout: what is written beside it does not litter the project."""
    (folder / "docs").symlink_to(ROOT / "docs")
    return folder


def run(block, folder, namespace):
    """The output of a block, run in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    if block.kind == "console":
        command, _, part = block.code.partition(" | ")
        if command not in printed:
            words = re.sub(r"^python ", f"{sys.executable} ", command)
            done = subprocess.run(words, shell=True, capture_output=True, text=True, cwd=folder, env=environment)
            assert done.returncode == block.code_wanted, done.stdout + done.stderr
            printed[command] = done.stdout
        if not part:
            return printed[command]
        whole = printed[command]
        return subprocess.run(part, shell=True, stdout=subprocess.PIPE, text=True, input=whole, check=True).stdout
    output = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output):
        exec(compile(block.code, block.name, "exec"), namespace)
    return output.getvalue()


def comparable(text, exact):
    """The text itself, or with numbers as 0, brackets emptied, and all space and rules of tables folded."""
    if exact:
        return text.rstrip()
    text = re.sub(r"[+<]?-?\d[\d,]*(\.\d+)?(e[+-]?\d+)?(\+cpu)?", "0", text)
    text = re.sub(r"\bexact\b", "0%", text)
    text = re.sub(r"\bmissed by 0%", "met", text)  # a target of speed
    text = re.sub(r"\([^()]*\)", "()", text)  # which quantity was the worst
    text = re.sub(r"\bno difference (?=\()", "0x ", text)  # a ratio of speed
    text = re.sub(r" ! 0%", "", text)  # and that its interval is wide
    text = re.sub(r"does not pay: calls are no faster by it|has paid after 0 calls", "", text)
    return re.sub(r"[\s|:-]+", " ", text).strip()


def renew(path, folder):
    """Write the page with the output of every block as it comes out now."""
    page = Path(path).read_text()
    namespace = {"__name__": "documentation"}
    parts, end = [], 0
    for block in blocks(page):
        print(f"running {block.name}", file=sys.stderr)
        output = "\n".join(line.rstrip() for line in run(block, folder, namespace).splitlines()).strip("\n") + "\n"
        vary = (block.match["vary"] or "") + (block.match["fails"] or "")
        parts.append(page[end : block.match.start()])
        if block.kind == "console":
            parts.append(f"{vary}```console\n$ {block.code}\n{output}```\n")
        elif block.match["text"] is None and output == "\n":
            parts.append(block.match[0])
        else:
            parts.append(f"{vary}```python\n{block.code}```\n```text\n{output}```\n")
        end = block.match.end()
    Path(path).write_text("".join(parts) + page[end:])


if __name__ == "__main__":
    import tempfile

    sys.path.insert(0, str(ROOT))
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            renew(name, workplace(Path(scratch)))
