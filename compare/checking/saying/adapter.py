"""The draft of an adapter for what could not be connected: filled in with what was found, some lines left to write."""

import inspect
import textwrap
from pathlib import Path

from compare.checking.calling import naming, trying
from compare.checking.calling.naming import LAYER_NAMES
from compare.checking.finding.connecting import BESIDE

# By stage: what its class may be called and is made with, what goes in and comes out, forward and backward.
STAGES = {
    "conv": ("Conv", "num_filters, in_channels", "(N, H, W, C) -> (N, H', W', F)", "(N, H', W', F) -> (N, H, W, C)"),
    "pool": ("MaxPool", "", "(N, H, W, F) -> (N, H // 2, W // 2, F)", "(N, H // 2, W // 2, F) -> (N, H, W, F)"),
    "logits": ("Dense", "in_features, out_features", "(N, P * Q * F) -> (N, K)", "(N, K) -> (N, P * Q * F)"),
}
WIDTH = 100
DO = "  # complete"


def draft(target, found):
    """Python text: what was connected imported as it is, and a class to complete around each that was not.

    Args:
        target: of `check`, a file or a folder.
        found: a `subjects.Found`.
    Raises:
        ValueError: nothing that looks like a layer was left open.
    """
    left: dict = {}
    for name, why in found.problems.unconnected:
        part = found.parts.get(name.partition(", ")[0])
        stage = next((each for each, pattern in LAYER_NAMES.items() if pattern.search(name) and each in STAGES), None)
        if part is not None and part.file and stage is not None and not why.startswith(BESIDE):
            left.setdefault(stage, (part, why))
    if not left:
        raise ValueError("adapter: found nothing that looks like a layer and was left open, wanted something to adapt")
    names = {plan.name for plan in getattr(found.subject, "plans", {}).values()}
    names -= {part.name for part, _ in left.values()}
    as_they_are = [part for name, part in found.parts.items() if name in names and part.file]
    roots, imports = {str(Path(target).resolve().parent)}, []
    for part in [*as_they_are, *(part for part, _ in left.values())]:
        root, module = _module(Path(part.file))
        roots.add(root)
        imports.append(f"from {module} import {part.name}" if part in as_they_are else f"import {module}")
    lines = [
        f"# What `python -m compare check` did not connect by itself. Complete the lines with {DO.strip()!r},",
        "# and check this file: `python -m compare check FILE`.",
        "import sys",
        "",
        *(f"sys.path.append({root!r})" for root in sorted(roots)),
        *dict.fromkeys(imports),
    ]
    for stage, (part, why) in left.items():
        lines += ["", "", *_wrapper(stage, part, why)]
    return "\n".join(lines) + "\n"


def _module(file):
    """(folder for the search path, dotted name) by which a file can be imported."""
    folder, names = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():
        folder, names = folder.parent, [folder.name, *names]
    return str(folder), ".".join(names)


def _wrapper(stage, part, why):
    word, sizes, forward, backward = STAGES[stage]
    name = f"{_module(Path(part.file))[1]}.{part.name}"
    head = [f"class {word}Adapter:", *(f"    # {line}" for line in textwrap.wrap(f"{part.name}: {why}", WIDTH))]
    if not hasattr(part, "methods"):  # a function
        return [
            *head,
            f"    def forward(self, x):  # {forward}",
            f"        return {name}{_called(part.__signature__)}{DO}",
        ]
    way, back = trying.method_of(part, naming.FORWARDS), trying.method_of(part, naming.BACKWARDS)
    return [
        *head,
        f"    def __init__({', '.join(filter(None, ('self', sizes)))}):",
        f"        self.layer = {name}{_called(part.__signature__)}{DO}",
        *([f"        self.weight = self.layer.weight{DO}: the array itself, which is written to"] if sizes else []),
        "",
        f"    def forward(self, x):  # {forward}",
        f"        return self.layer.{way}(x){DO}" if way else f"        return x{DO}",
        *([f"\n    def backward(self, dy):  # {backward}"] if back else []),
        *([f"        return self.layer.{back}{_called(part.methods[back])}{DO}: dx, d_weight"] if back else []),
    ]


def _called(signature):
    """The arguments that a call must have, by their own names."""
    required = [p.name for p in signature.parameters.values() if p.default is inspect.Parameter.empty]
    return f"({', '.join(required)})"
