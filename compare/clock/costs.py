"""What an implementation costs beside the time of a call: import, memory, room on disk, lines of code, compilation."""

import ast
import importlib.metadata
import io
import tokenize
from pathlib import Path

import numpy as np

from compare.cells import cells
from compare.contract import ENTRIES

IMPORTS = 3  # fresh processes that import each, fewer where there are fewer rounds
LIMIT = 300  # seconds for an import
UNCOMPILED = {"torch-compiled": "torch"}  # the same code as Python runs it, where that is timed as well
ROOT = Path(__file__).resolve().parent.parent.parent
# by module of the class: the files that hold network and training step, where that is not the module itself
CODE = {
    "numpy_cnn.one_by_one": ("numpy_cnn/loops.py", "numpy_cnn/one_by_one.py"),
    "numpy_cnn.layers": ("numpy_cnn/conv.py", "numpy_cnn/maxpool.py", "numpy_cnn/softmax.py", "numpy_cnn/layers.py"),
    "torch_cnn.adapter": ("torch_cnn/model.py",),
    "keras_cnn.adapter": ("keras_cnn/model.py",),
    "compare.contenders.with_torch_compile": ("torch_cnn/model.py", "compare/contenders/with_torch_compile.py"),
}


def costs(results, rows, threads, rounds=IMPORTS):
    """A dict an implementation: import, first results, memory, packages, lines.

    Args:
        results: of the cells that timed, by name.
        rows: of `compare.speed`; the first results are those of the first batch size, in which compilation falls.
        threads, rounds: as for `compare.speed`.
    """
    names = list(results)
    modules = {name: ENTRIES[name].target.partition(":")[0] for name in names}
    specs = [
        {"task": "importing", "implementation": name, "module": modules[name], "threads": threads, "limit": LIMIT}
        for _ in range(min(rounds, IMPORTS))
        for name in names
    ]
    imported = cells.run(specs, module="compare.clock.importing")
    found = []
    for name in names:
        seconds = [r.meta["seconds"] for r in imported if r.spec["implementation"] == name and r.status == "ok"]
        peaks = [r.meta["peak_bytes"] for r in results[name] if "peak_bytes" in r.meta]
        first: dict[str, float] = {}
        for row in rows:
            if row["implementation"] == name and row["outcome"] == "timed":
                first.setdefault(row["task"], row["first_seconds"])
        installed, packages = installed_bytes(ENTRIES[name])
        found.append(
            {
                "implementation": name,
                "import_seconds": float(np.median(seconds)) if seconds else None,
                "first_prediction_seconds": first.get("predict"),
                "first_step_seconds": first.get("train"),
                "peak_memory_bytes": max(peaks, default=None),
                "installed_bytes": installed,
                "packages": packages,
                "code_lines": code_lines(modules[name]),
                "code_files": list(_files(modules[name])),
            }
        )
    return found


def pays_after(rows):
    """Put into compiled rows after how many calls compiling has paid: `inf` where a call is not faster by it.

    That is when the time saved by all calls reaches what the first one took longer.
    """
    by_key = {(row["implementation"], row["task"], row["batch_size"]): row for row in rows if row["outcome"] == "timed"}
    for (name, task, size), row in by_key.items():
        plain = by_key.get((UNCOMPILED.get(name), task, size))
        if plain is not None:
            saved = size * (plain["seconds_per_image"] - row["seconds_per_image"])
            longer = max(0.0, row["first_seconds"] - plain["first_seconds"])
            row["pays_after_calls"] = longer / saved if saved > 0 else np.inf


def installed_bytes(entry):
    """(bytes, names): the files that the framework and all that it requires put on disk, as their metadata lists them.

    NumPy, which all of them need, is counted for the implementations in NumPy alone; extras are not.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    waiting, sizes = [entry.package, *entry.needs], {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in sizes or (name == "numpy" and entry.package != "numpy"):
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # required on other systems only, or under another name
            continue
        paths = {Path(str(file.locate())) for file in distribution.files or ()}
        sizes[name] = sum(path.stat().st_size for path in paths if path.is_file())
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return sum(sizes.values()), sorted(sizes)


def code_lines(module):
    """Lines of the files of an implementation that hold code: without empty ones, comments and docstrings."""
    return sum(_code_lines((ROOT / file).read_text()) for file in _files(module))


def _files(module):
    return CODE.get(module, (module.replace(".", "/") + ".py",))


def _code_lines(source):
    docs: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docs |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    empty = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in empty:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)
