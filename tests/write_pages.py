"""Code that the pages show out of the project's files: `python tests/write_pages.py` renews it; a test compares it.

`<!-- code: numpy_cnn/conv.py pad, Conv3x3.forward -->` before a ```` ```py ```` block: the block holds just these
functions, classes and methods of the file.
`<!-- code: torch_cnn/model.py CNN.__init__ "self.conv =" -->`: of one function, the statements that begin so.

Left out: docstrings, checks of arguments (an `if` that does nothing but raise) and what was computed for those alone.
"""

import ast
import re
import textwrap
from pathlib import Path

from documentation import ROOT

EXCERPT = re.compile(
    r'<!-- code: (?P<file>\S+) (?P<names>[\w., ]+?)(?: "(?P<start>[^"\n]+)")? -->\n```py\n(?P<code>.*?)```\n', re.DOTALL
)


def lines_of(node):
    """Numbers of a node's lines, from its first decorator on."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return range(first, node.end_lineno + 1)


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_check(node):
    return isinstance(node, ast.If) and not node.orelse and all(isinstance(each, ast.Raise) for each in node.body)


def names_in(node, context):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, context)}


def left_out(function):
    """The statements of a function that are not shown: see above."""
    gone = [node for node in ast.walk(function) if is_docstring(node) or is_check(node)]
    while True:
        used = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add((node.id, node.lineno))
        hidden = {line for node in gone for line in lines_of(node)}
        names = {name for name, line in used if line not in hidden}
        checked = {name for name, line in used if line in hidden}
        more = [
            node
            for node in function.body
            if isinstance(node, ast.Assign)
            and node not in gone
            and all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
            and not names_in(node, ast.Store) & names
            and names_in(node, ast.Store) & checked
        ]
        if not more:
            return gone
        gone += more


def find(tree, name):
    """A function, class or method of a module, and the class around it."""
    around = None
    for part in name.split("."):
        inside = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == part]
        if len(inside) != 1:
            raise ValueError(f"{name}: found {len(inside)} of that name, wanted one")
        around, tree = tree, inside[0]
    return tree, around if isinstance(around, ast.ClassDef) else None


def excerpt(file, names, start=None):
    """The code of these functions, classes and methods of a file (its path from the project's folder)."""
    text = (ROOT / file).read_text()
    lines, tree = text.splitlines(), ast.parse(text)
    shown, header = [], None
    for name in names.split(", "):
        node, around = find(tree, name)
        if start:
            parts = [each for each in ast.walk(node) if isinstance(each, ast.stmt)]
            parts = [each for each in parts if lines[each.lineno - 1].strip().startswith(start)]
            if not parts:
                raise ValueError(f"{file} {name}: found no statement that begins with {start!r}")
            wanted = [number for each in parts for number in lines_of(each)]
            shown.append(textwrap.dedent("\n".join(lines[number - 1] for number in wanted)))
            continue
        hidden = {number for each in left_out(node) for number in lines_of(each)}
        kept = [lines[number - 1] for number in lines_of(node) if number not in hidden]
        beside = around and around is header  # another method of the class above
        if around and not beside:
            kept.insert(0, lines[around.lineno - 1])
        header = around
        code = re.sub(r"\n{3,}", "\n\n", "\n".join(kept))
        code = re.sub(r"(:\n)\n+", r"\1", code)
        if beside:
            shown[-1] += f"\n\n{code}"
        else:
            shown.append(code)
    return "\n\n\n".join(shown) + "\n"  # as the formatter wants it, which looks into the pages as well


def renewed(page):
    """The page (its text) with the code of its excerpts as it stands in the files."""

    def renew(match):
        head = match[0][: match.start("code") - match.start()]
        return head + excerpt(match["file"], match["names"], match["start"]) + "```\n"

    made = EXCERPT.sub(renew, page)
    count = page.count("<!-- code:")
    if count != len(EXCERPT.findall(page)):
        raise ValueError(f"found {len(EXCERPT.findall(page))} of {count} `<!-- code: ... -->` with a py block below")
    return made


if __name__ == "__main__":
    for page in (Path(ROOT / "README.md"), *sorted((ROOT / "docs").glob("*.md"))):
        page.write_text(renewed(page.read_text()))
