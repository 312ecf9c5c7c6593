"""Another report's results.json laid beside this one: what both have rows of."""

import json

from compare import plain_files
from compare.pages.words import title

LARGEST = 1 << 28  # bytes
LISTS = ("parity", "accuracy", "speed", "trainings")


def load(path):
    """The document of a results.json.

    Raises:
        ValueError: it is none; the message begins with the path.
        OSError: it cannot be read.
    """
    try:
        document = json.loads(plain_files.read_regular(path, LARGEST))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: found no JSON ({error}), wanted the results.json of a report") from error
    good = isinstance(document, dict) and document.get("command") == "report" and isinstance(document.get("data"), str)
    if not good or not all(isinstance(document.get(name), list) for name in LISTS):
        raise ValueError(f"{path}: found other JSON, wanted the results.json of a report of this version")
    if not all(isinstance(row, dict) for name in LISTS for row in document[name]):
        raise ValueError(f"{path}: found rows that are none, wanted the results.json of a report")
    return document


def rows(here, there):
    """For the template: `about` the other, and `rows` of what, implementation, here, there and ratio, as text."""
    found = []
    for (what, name), (mine, form) in _measured(here).items():
        other = _measured(there).get((what, name), (None, ""))[0]
        if isinstance(mine, int | float) and isinstance(other, int | float):
            row = {"what": what, "implementation": name, "here": form.format(mine), "there": form.format(other)}
            found.append(row | {"ratio": f"{mine / other:.2f}" if other else ""})
    names = [title(name) for name in dict.fromkeys(str(row.get("implementation")) for row in there["trainings"])]
    return {"about": f"{there['data']}; {', '.join(names)}", "rows": found}


def _measured(document):
    """{(what, implementation): (number, its form)}."""
    found: dict = {}
    for row in document["parity"]:
        used, key = row.get("allowance_used"), ("worst share of the rounding allowance", row.get("implementation"))
        if isinstance(used, int | float) and used >= found.get(key, (0,))[0]:
            found[key] = (used, "{:.0%}")
    for row in document["trainings"]:
        found[f"test accuracy, {row.get('start')} start", row.get("implementation")] = (
            row.get("test_accuracy"),
            "{:.2%}",
        )
    for row in document["speed"]:
        micro = row.get("seconds_per_image")
        what = f"µs an image, {row.get('task')}, batch {row.get('batch_size')}"
        found[what, row.get("implementation")] = (micro * 1e6 if isinstance(micro, int | float) else None, "{:.3g}")
    return found
