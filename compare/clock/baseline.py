"""`speed --baseline`: ratios to a reference held against those of an earlier run, so that machines compare.

A row that cannot be held against its counterpart is undecided, and says why: nothing passes because it is missing.
"""

import json
import math
from typing import Any

from compare import contract, output, plain_files
from compare.clock.rounds import Ratio, change

LARGEST = 1 << 26  # bytes of a file of rows that are read
SLOWER = 1.2
PASSED, FAILED, UNDECIDED = "passed", "slower", "undecided"
KEYS = ("implementation", "task", "batch_size")
NEEDED = {"threads": int, "ratio": float, "rounds": int}


def read(path):
    """The speed rows of a file that `speed --json` or `report` wrote: a dict of what is needed here.

    Raises:
        contract.UndecidedError: there is no such file.
        ValueError: it holds something else; the message begins with the path.
    """
    try:
        text = plain_files.read_regular(path, LARGEST)
    except FileNotFoundError as error:
        raise contract.UndecidedError(f"{path}: found no baseline there, wanted the JSON of an earlier run") from error
    try:
        document = json.loads(text)
        rows = document["speed" if document["command"] == "report" else "rows"]
        if document["command"] not in ("speed", "report") or document["schema_version"] != output.SCHEMA_VERSION:
            raise ValueError(f"found command {document['command']!r}, schema version {document['schema_version']!r}")
        found = {
            "reference": document["reference"],
            "input_shape": list(document["input_shape"]),
            "versions": dict(document["environment"]["implementations"]),
            "rows": {tuple(row[key] for key in KEYS): _row(row) for row in rows if row["outcome"] == "timed"},
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wanted = f"wanted JSON of `speed --json` or `report`, schema version {output.SCHEMA_VERSION}"
        raise ValueError(f"{path}: found no rows of speed ({type(error).__name__}: {error}), {wanted}") from error
    if not found["rows"]:
        raise contract.UndecidedError(f"{path}: found no row that was timed, wanted one or more")
    return found


def _row(row):
    if not all(isinstance(row[name], int | kind) for name, kind in NEEDED.items()) or not 0 < row["ratio"] < math.inf:
        raise ValueError(f"found the row {row}")
    low, high = (math.nan if row[name] is None else float(row[name]) for name in ("ratio_low", "ratio_high"))
    return {"threads": row["threads"], "ratio": Ratio(float(row["ratio"]), low, high, row["rounds"])}


def hold(frame, then, slower=SLOWER):
    """(outcome, line) for each row of either: PASSED, FAILED or UNDECIDED.

    Args:
        frame: of `compare.speed`.
        then: what `read` gave.
        slower: how many times as long, in proportion to the reference, is too slow. FAILED where the whole 95% interval
            of the change lies above it, PASSED where the whole of it lies below.
    """
    now = _of(frame)
    if now["reference"] != then["reference"]:
        reason = f"the reference is {now['reference']}, of the baseline {then['reference']}: choose it with --reference"
        return [(UNDECIDED, reason)]
    if now["input_shape"] != then["input_shape"]:
        return [(UNDECIDED, f"images are {now['input_shape']}, of the baseline {then['input_shape']}")]
    keys = list(dict.fromkeys([*then["rows"], *now["rows"]]))
    return [_hold(key, now, then, slower) for key in keys]


def _of(frame):
    rows = {}
    for row in frame[frame["outcome"] == "timed"].itertuples():
        ratio = Ratio(row.ratio, row.ratio_low, row.ratio_high, int(row.rounds))
        rows[row.implementation, row.task, row.batch_size] = {"threads": row.threads, "ratio": ratio}
    attrs = frame.attrs
    versions = attrs["environment"]["implementations"]
    return {
        "reference": attrs["reference"],
        "input_shape": list(attrs["input_shape"]),
        "versions": versions,
        "rows": rows,
    }


def _hold(key, now, then, slower):
    name, task, size = key
    where = f"{name}, {task}, batch {size}"
    for rows, whose in ((now["rows"], "was not timed now"), (then["rows"], "is not in the baseline")):
        if key not in rows:
            return UNDECIDED, f"{where}: {whose}"
    mine, its = now["rows"][key], then["rows"][key]
    versions: list[Any] = [each["versions"].get(name) for each in (now, then)]
    if versions[0] != versions[1]:
        return UNDECIDED, f"{where}: version {versions[0]}, of the baseline {versions[1]}"
    if mine["threads"] != its["threads"]:
        return UNDECIDED, f"{where}: {mine['threads']} thread(s), of the baseline {its['threads']}"
    if name == now["reference"]:
        return PASSED, f"{where}: the reference, against which the others are held"
    if not mine["ratio"].value > 0:
        return UNDECIDED, f"{where}: no round in which the reference was timed too"
    found = change(mine["ratio"], its["ratio"])
    if math.isnan(found.low):
        return UNDECIDED, f"{where}: {found.value:.2f} times the baseline, from one round; wanted two or more in both"
    said = f"{where}: {found.value:.2f} times the baseline ({found.low:.2f} - {found.high:.2f}), limit {slower:g}"
    if found.low > slower:
        return FAILED, said
    return (PASSED, said) if found.high <= slower else (UNDECIDED, f"{said}; --budget SECONDS narrows it")


def exit_code(held):
    """1 where one is slower, else 3 where one is undecided or there is none, else 0."""
    outcomes = {outcome for outcome, _ in held}
    return 1 if FAILED in outcomes else 3 if UNDECIDED in outcomes or not held else 0
