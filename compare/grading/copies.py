"""What a text says of where it comes from: what it imports, and which of its functions are those of this project."""

import ast
import copy
import functools
import hashlib
import json

from compare.cells.cells import ROOT

OURS = ("numpy_cnn", "torch_cnn", "keras_cnn", "compare")
LEAST = 60  # nodes of a function that is compared: two people may well write the same short one
SEVERAL = 2  # functions that are ours until it is called a copy


def trees(files):
    """The syntax trees of the code in {name: bytes}; what is no Python is left out."""
    found = []
    for name, content in files.items():
        try:
            texts = [content.decode()]
            if name.lower().endswith(".ipynb"):
                cells = [cell for cell in json.loads(content)["cells"] if cell["cell_type"] == "code"]
                texts = ["".join(cell["source"]) for cell in cells]
            elif not name.lower().endswith(".py"):
                continue
            found += [ast.parse("\n".join(_python(line) for line in text.splitlines())) for text in texts]
        except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):  # told where it is run
            continue
    return found


def _python(line):
    return "" if line.lstrip()[:1] in ("%", "!") else line


def imported(parsed):
    """The outermost names of all packages that the trees import, wherever the statement stands."""
    found = set()
    for node in (node for tree in parsed for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def copied(parsed):
    """Names of this project's functions that the trees have, by whatever names; none where fewer than SEVERAL."""
    found = {ours()[print_] for tree in parsed for print_ in _prints(tree) if print_ in ours()}
    return sorted(found) if len(found) >= SEVERAL else []


@functools.cache
def ours():
    """{print: name} of the functions of numpy_cnn that are long enough."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "numpy_cnn").glob("*.py")):
        if path.name != "plain_files.py":
            found |= {key: f"{path.stem}.{name}" for key, name in _prints(ast.parse(path.read_text())).items()}
    return found


def _prints(tree):
    """{print: name} of functions: equal where two differ in names of their own, comments and docstrings alone."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and sum(1 for _ in ast.walk(node)) >= LEAST:
            found[hashlib.sha256(ast.dump(_bare(copy.deepcopy(node))).encode()).hexdigest()] = node.name
    return found


def _bare(function):
    names: dict[str, str] = {}
    own = function.args.args[0].arg if function.args.args else ""
    function.name, function.returns, function.decorator_list = "", None, []
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            node.arg, node.annotation = names.setdefault(node.arg, f"v{len(names)}"), None
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == own:
            node.attr = names.setdefault(f".{node.attr}", f"a{len(names)}")
        elif isinstance(node, ast.Name):
            node.id = names.setdefault(node.id, f"v{len(names)}")
        elif isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None and len(node.body) > 1:
            del node.body[0]
    return function
