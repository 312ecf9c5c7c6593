"""What is taken of a text that computes: its imports, definitions and constants; a training is left out.

Of a notebook all code cells together are the text. What is left out becomes empty lines, so that line numbers stay, but
for the names that it gives a value: they stand for something that raises once it is used.
"""

import ast
import json

from compare.checking.process.beside import LEFT_OUT

DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
WORK = (ast.For, ast.While, ast.With)
# What a constant may be made of. A name is one that is there; a call may be all of the training.
PLAIN = (
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Name,
    ast.Attribute,
    ast.expr_context,
)


def cells(path):
    """The sources of a notebook's code cells; ValueError if it is no notebook."""
    try:
        found = json.loads(path.read_text())["cells"]
        return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path.name} is no notebook: {type(error).__name__}: {error}") from error


def computes(text):
    """Whether a text does more than to define, as a script that trains does; False of what is no Python."""
    try:
        return any(isinstance(node, WORK) for node in ast.parse(text).body)
    except (SyntaxError, ValueError):  # told by whoever runs it
        return False


def definitions(sources, name, unit="cell"):
    """(text, remark or None): the sources as one text, with nothing but imports, definitions and constants."""
    lines: list = []
    left: list = []
    gone: set = set()
    defined: set = set()  # a class stays, whatever the same name is given to afterwards
    for number, source in enumerate(sources, 1):
        plain = ["" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines()]
        where = f"{unit} {number}" if unit == "cell" else "it"
        try:
            body = ast.parse("\n".join(plain)).body
        except SyntaxError as error:
            body, plain = [], [""] * len(plain)
            left.append(f"{where}, which is no Python (line {error.lineno}: {error.msg})")
        for node in body:
            if isinstance(node, DEFINITIONS) or _is_constant(node, gone):
                defined |= {node.name} if isinstance(node, ast.FunctionDef | ast.ClassDef) else set()
                continue
            main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)  # it would not run either
            stored = (each for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
            names = [] if main else sorted({each.id for each in stored} - defined)
            gone |= set(names)
            last = node.end_lineno or node.lineno
            given = " = ".join(names) + f" = {LEFT_OUT}({', '.join(names)!r})" if names else ""
            plain[node.lineno - 1 : last] = [given] + [""] * (last - node.lineno)
            if not main and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                at = f"{where}: " if unit == "cell" else f"line {node.lineno}: "
                left.append(f"{at}{ast.unparse(node).splitlines()[0][:60]}")
        lines += plain
    more = f"; and {len(left) - 3} more" if len(left) > 3 else ""
    note = f"of {name} imports, definitions and constants are taken, left out: {'; '.join(left[:3])}{more}"
    return "\n".join(lines) + "\n", note if left else None


def _is_constant(node, gone):
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    parts = list(ast.walk(node.value))
    # of a target like x[i] as well
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    return isinstance(node.value, ast.Lambda) or not names & gone and all(isinstance(part, PLAIN) for part in parts)
