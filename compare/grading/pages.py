"""The page of a class, and a page of feedback for one submission: each is one file, which needs no network."""

from collections import Counter
from pathlib import Path

from compare import plain
from compare.grading import marking, telling
from compare.graph import STAGE_OF
from compare.pages import sealing

MARKS = {  # of a state: a sign that is told apart without colour, and what it means
    "agrees": "✓",
    "expected": "≈",
    "differs": "✗",
    "raised": "!",
    "hung": "∞",
    "crashed": "†",
    "not reached": "·",
    "not offered": "–",
    "": "",
}
HERE = Path(__file__).parent
PARTS = HERE.parent / "pages"


def class_page(grades, rubric, total):
    """The page of all rows as text."""
    rows = grades.rows
    matrices = [marking.matrix(row) for row in rows]
    judged = {name for found in matrices for name, state in found.items() if state != "not offered"}
    quantities = [name for name in STAGE_OF if name in judged]
    lines = [
        (row, [(name, found.get(name, "")) for name in quantities]) for row, found in zip(rows, matrices, strict=True)
    ]
    shared: dict[str, list] = {}
    for row in rows:
        for name in row.defects:
            shared.setdefault(name, []).append(row.name)
    differing = Counter(name for row in rows for name in row.differing)
    content = {
        "rows": rows,
        "total": total,
        "lines": lines,
        "quantities": quantities,
        "shared": sorted(shared.items(), key=lambda each: (-len(each[1]), each[0])),
        "unnamed": [row.name for row in rows if row.differing and not row.defects],
        "differing": differing.most_common(),
        "statuses": Counter(row.status.partition(" ")[0] if _reason(row) else row.status for row in rows).most_common(),
        "parts": [(name, points, _mean(rows, name)) for name, points in rubric.points.items()],
        "mean": sum(row.score for row in rows) / len(rows) if rows else 0,
        "out_of": rubric.out_of,
        "marks": MARKS,
        "grades": grades,
    }
    return _render("class.html.jinja", content)


def feedback_page(row, feedback):
    """The page of one row as text, of what the level of feedback lets be told."""
    parts = [(part, telling.part_lines(row, part)) for part in row.parts]
    held = [each["remark"] for each in row.verdict.get("conventions", [])]
    content = {"row": row, "parts": parts, "summary": telling.summary(row, feedback), "remarks": held, "marks": MARKS}
    return _render("feedback.html.jinja", content)


def _reason(row):
    return row.status.startswith(("uses ", "copies "))


def _mean(rows, name):
    points = [part.points for row in rows for part in row.parts if part.name == name]
    return sum(points) / len(points) if points else 0


def _render(name, content):
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain.visible(value) if type(value) is str else value,  # what is Markup is our own
    )
    style = (PARTS / "style.css").read_text() + (HERE / "class.css").read_text()
    own = {"style": Markup(style), "script": Markup((PARTS / "script.js").read_text())}
    return sealing.sealed(environment.get_template(name).render({**content, **own}))
