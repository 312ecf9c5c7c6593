"""A `pairing.Pair` as lines for people, and as what --json holds."""

import json

import numpy as np

from compare.checking.saying.text import LABEL
from compare.exchange.comparing import OUTCOMES
from compare.exchange.pairing import COLUMNS
from compare.graph import STAGE_OF, STAGE_ORDER

STAGES = tuple(dict.fromkeys(stage for name, stage in STAGE_OF.items() if not name.startswith("update_")))
WAYS = {"alone": "the stage by itself, on the same input", "head": "dense layer and softmax in one"}


def lines(result):
    """A line a stage, the first that differs, what was not held against each other, the counts."""
    found = []
    for stage in STAGE_ORDER:
        rows = [row for row in result.rows if row["stage"] == stage]
        if rows:
            first, _, way = stage.partition(" ")
            label = f"{first:<9} {way:<9}" if way in ("forward", "backward") else f"{stage:<{LABEL}}"
            found.append(label + _of_stage(rows))
    row = result.differing
    if row is not None:
        way = WAYS.get(row["mode"], "from where each stood" if row["stage"] == "training path" else "in a whole pass")
        found.append(f"the first to differ: {row['stage']}, {row['quantity']} ({way}; {row['probe']}, {row['dtype']})")
        found.append(f"which of the two is right: judge {result.first}, judge {result.second}")
    found += [f"only in {name}: {', '.join(names)}" for name, names in result.lonely.items() if names]
    compared = {row["stage"] for row in result.rows}
    if absent := [stage for stage in STAGES if stage not in compared]:
        found.append(f"not in both: {', '.join(absent)}")
    counts = result.counts
    found.append(
        f"{counts['agrees'] + counts['differs']} quantities held against each other: {counts['agrees']} agree, "
        f"{counts['differs']} differ; {counts['not reached']} not reached, "
        f"{counts['no numbers'] + counts['undecided'] + counts['distance only']} left open"
    )
    return found


def _of_stage(rows):
    """What came of a stage: its worst row, of the stage alone rather than of a whole pass."""
    reached = [row for row in rows if row["outcome"] != "not reached"]
    row = min(reached or rows, key=lambda row: (OUTCOMES.index(row["outcome"]), row["mode"] != "alone"))
    if row["outcome"] == "agrees":
        used = max(row["allowance_used"] for row in reached)
        most = f"{used:.0%} of what rounding allows" if used >= 0.01 else "<1%" if used else "exact"
        return f"agrees   ({most}{'; by itself' if len(reached) < len(rows) else ''})"
    if row["outcome"] == "distance only":
        most = max(each["distance"] for each in rows if each["outcome"] == "distance only")
        return f"agrees   (but for near ties of a whole pass: at most {most:.2g} apart)"
    if row["outcome"] == "differs":
        return f"DIFFERS  {row['quantity']}, {row['note']}"
    return f"{row['outcome']}: {row['note']}"


def document(result):
    """All rows, as JSON; infinity and what is no number as null."""
    about = {
        "schema_version": 1,
        "command": "pair",
        "first": result.first,
        "second": result.second,
        "agrees": result.exit_code == 0,
        "counts": result.counts,
        "stage": result.differing["stage"] if result.differing else "",
        "only_in": result.lonely,
        "rows": [{name: _plain(row.get(name)) for name in COLUMNS} for row in result.rows],
    }
    return json.dumps(about, indent=1, allow_nan=False) + "\n"


def _plain(value):
    return None if isinstance(value, float) and not np.isfinite(value) else value
