"""Rows to what a page shows: tables, figures, commands. The templates only place it."""

import itertools
from collections import Counter

import pandas as pd
from markupsafe import Markup

from compare import output
from compare.clock import words as speed_words
from compare.graph import STAGE_OF
from compare.pages import again, drawn, pictures, plots
from compare.pages.words import FINE, in_full, listed, title, words
from compare.training import starts

SECTIONS = (
    ("checked", "What was checked"),
    ("parity", "Parity"),
    ("accuracy", "Accuracy"),
    ("drift", "Drift"),
    ("digit", "A digit's way"),
    ("filters", "Filters"),
    ("misread", "Misread digits"),
    ("speed", "Speed"),
    ("defects", "Known mistakes"),
    ("against", "Beside another"),
    ("environment", "Where it ran"),
    ("again", "The same again"),
)


def content(parity, accuracy, speed, defects, settings, shown, against):
    """What the templates show; see `report.render` for the arguments."""
    judged = parity[parity["implementation"] != "arbiter"]
    names = list(dict.fromkeys(name for frame in (judged, accuracy, speed) for name in frame["implementation"]))
    dtypes = [dtype for dtype in dict.fromkeys(judged["dtype"]) if dtype]
    quantities = [(stage, quantity) for quantity, stage in STAGE_OF.items() if quantity in set(judged["quantity"])]
    trained = starts.finished(accuracy)
    good, code = in_full(parity), output.exit_code(parity, accuracy, speed)
    failed = code in (1, 4) or "diverged" in set(accuracy["outcome"]) or not parity.attrs["arbiter_proven"]
    broken = [frame[frame["outcome"] != fine] for frame, fine in ((accuracy, "trained"), (speed, "timed"))]
    reference = accuracy.attrs["reference"]
    walk, misread = shown.get("walk", []), shown.get("misread", [])
    return {
        "verdict": words(parity, accuracy, speed),
        "state": "bad" if failed else "good" if len(good) > 1 else "unsure",
        "good": listed(good),
        "attrs": speed.attrs | parity.attrs,
        "training": accuracy.attrs["settings"],
        "reference": reference,
        "settings": settings,
        "commands": again.commands(judged, accuracy, speed, settings),
        "title": title,
        "sections": [each for each in SECTIONS if against or each[0] != "against"],
        "legend": plots.legend(names),
        "dtypes": dtypes,
        "probes": [probe for probe in dict.fromkeys(judged["probe"]) if probe != "all"],
        "counts": [_counts(name, rows) for name, rows in parity.groupby("implementation", sort=False)],
        "schema_version": output.SCHEMA_VERSION,
        "compared": f"{int(judged['outcome'].isin(['agrees', 'differs']).sum()):,}",
        "totals": _totals(judged, parity.attrs["unavailable"]),
        "own_is_same": listed(_unmoved(trained)),
        "share": output.percent(judged["allowance_used"].max()),
        "quantities": [quantity for _, quantity in quantities],
        "matrix": _matrix(judged, names, quantities),
        "parity": _grid(judged, names, dtypes, quantities, _share),
        "distance": _grid(judged[judged["probe"] == "digits"], names, dtypes, quantities, _distance),
        "trainings": [starts.accuracy_words(row) for row in starts.summary(accuracy).to_dict("records")],
        "drifts": [starts.drift_words(row) for row in starts.drifts(accuracy).to_dict("records")],
        "apart": _apart(trained[trained["start"] == "same"]),
        "speeds": output.speed_table(speed).to_dict("records"),
        "costs": speed_words.costs_table(speed.attrs["costs"]).to_dict("records"),
        "doubts": speed_words.lines(speed),
        "defects": output.defects_table(defects).to_dict("records") if defects is not None and len(defects) else [],
        "defect_settings": {} if defects is None else defects.attrs["settings"],
        "broken": [
            row for frame in broken for row in frame.drop_duplicates(["implementation", "note"]).to_dict("records")
        ],
        "strips": [Markup(plots.allowances(judged, dtype, names, quantities)) for dtype in dtypes],
        "rates": [Markup(drawn.rates(speed, task, names)) for task in dict.fromkeys(speed["task"])],
        "curves": {
            f"{start} {column}": Markup(drawn.curves(trained, start, column, names))
            for start in ("same", "own")
            for column in ("watched_accuracy", "watched_loss")
        },
        "drift": Markup(drawn.drift(trained, names, reference)),
        "forward": pictures.ways(shown.get("arrays", {}), reference, walk, pictures.FORWARD, title),
        "backward": pictures.ways(shown.get("arrays", {}), reference, walk, pictures.BACKWARD, title),
        "digit": shown.get("digit"),
        "way": _way(walk),
        "filters": pictures.filters(shown.get("arrays", {}), reference, walk, title),
        "misread": pictures.misread(misread, shown["digits"], title) if misread else [],
        "against": against,
    }


def _way(walk):
    """The numbers of the digit's way, for people."""
    return [
        row
        | {
            "largest": f"{row['largest']:.3g}",
            "difference": f"{row['difference']:.1e}" if row["difference"] else "none",
        }
        for row in walk
    ]


def _matrix(judged, names, quantities):
    """(implementation, cells); a cell is (text, class, words): its worst share, over dtypes and probes."""
    found = dict(list(judged.groupby(["implementation", "quantity"])))
    ended = judged[judged["quantity"] == "all"].set_index("implementation")["outcome"].to_dict()
    matrix = []
    for name in names:
        cells = []
        for stage, quantity in quantities:
            rows = found.get((name, quantity))
            text, state = (ended.get(name, ""), "bad" if name in ended else "none") if rows is None else _share(rows)
            said = f"{title(name)}, {stage}, {quantity}: {text or 'not judged'}"
            if state in ("good", "lacking") and rows is not None and text not in ("not offered",):
                used = rows["allowance_used"].max()
                state += f" u{min(9, int(10 * used))}" if used > 0 else " u-exact"
            short = text.removesuffix("%") if text.endswith("%") else {"exact": "0", "not offered": "–"}.get(text, "✗")
            short = text.split("%")[0] + "·" if text.endswith("in part") else short
            cells.append((short if rows is not None or name in ended else "–", state, said))
        matrix.append((name, cells))
    return matrix


def _totals(judged, unavailable):
    """(what, how many) over all implementations: the whole of what was asked for, so that a thin check looks thin."""
    found = Counter(judged["outcome"])
    totals = [("quantities asked", len(judged)), ("agree", found["agrees"]), ("differ", found["differs"])]
    totals += [("not reached", found["not reached"]), ("not offered", found["not offered"])]
    totals += [("raised, crashed or hung", found["raised"] + found["crashed"] + found["hung"])]
    return [*totals, ("implementations not available", len(unavailable))]


def _unmoved(accuracy):
    """Implementations whose trainings from their own start are those from the same start."""
    names = []
    for name, rows in accuracy.groupby("implementation", sort=False):
        same, own = (rows.loc[rows["start"] == start, "watched_loss"].tolist() for start in ("same", "own"))
        names += [name] if same and same == own else []
    return names


def _counts(name, rows):
    """How many quantities of one implementation were asked for, and what came of each."""
    outcomes = Counter(rows["outcome"])
    missing = sum(outcomes[outcome] for outcome in ("raised", "crashed", "hung"))
    worst = rows.loc[rows["outcome"].isin(["agrees", "differs"]), "allowance_used"].max()
    return {"name": name, "asked": len(rows), "missing": missing, "outcomes": outcomes, "worst": _share_text(worst)}


def _grid(frame, names, dtypes, quantities, cell):
    """Rows of (stage, quantity, cells); a cell is (text, class), by implementation and dtype."""
    found = dict(list(frame.groupby(["implementation", "dtype", "quantity"])))
    ended = frame[frame["quantity"] == "all"].set_index("implementation")["outcome"].to_dict()
    grid = []
    for stage, quantity in quantities:
        cells = []
        for name, dtype in itertools.product(names, dtypes):
            rows = found.get((name, dtype, quantity))
            missing = (ended[name], "bad") if name in ended else ("", "none")
            cells.append(missing if rows is None else cell(rows))
        if any(text for text, _ in cells):
            grid.append((stage, quantity, cells))
    return grid


def _share(rows):
    failed = rows[~rows["outcome"].isin(FINE)]
    if failed.empty:
        used = output.percent(rows["allowance_used"].max())  # NaN where not offered, which max passes over
        lacking = "not offered" in set(rows["outcome"])
        return (f"{used}, in part" if used else "not offered", "lacking") if lacking else (used, "good")
    differs = failed[failed["outcome"] == "differs"]
    if differs.empty:
        return failed["outcome"].iloc[0], "bad"
    worst = differs["allowance_used"].max()
    return ("differs" if worst == float("inf") else _share_text(worst)), "bad"


def _share_text(used):
    return f"{used:.3g} times" if 1 < used < float("inf") else output.percent(used)


def _distance(rows):
    worst = rows["distance"].max()
    return ("" if pd.isna(worst) else "0" if worst == 0 else f"{worst:.1e}"), "plain"


def _apart(frame):
    """How far trainings lie apart at most at any point: (accuracy, loss) as text, None for fewer than two."""
    if frame["implementation"].nunique() < 2:
        return None
    groups = frame.groupby(["seed", "step"])[["watched_accuracy", "watched_loss"]]
    widest = (groups.max() - groups.min()).max()
    return f"{100 * widest['watched_accuracy']:.2f}", f"{widest['watched_loss']:.1e}"
