"""Rows to what a page says: verdict, tables, figures, commands. The templates only place it."""

import itertools
import os
import re
import shlex
from collections import Counter

import pandas as pd
from markupsafe import Markup, escape

from compare import output, plain, starts
from compare.contract import ENTRIES
from compare.graph import STAGE_OF, STAGE_ORDER
from compare.pages import plots
from compare.verdict.run import passed

SIZES = {
    "quick": {"accuracy": {"epochs": 1, "seeds": 2}, "speed": {"rounds": 1, "samples": 50}},
    "normal": {"accuracy": {"epochs": 3, "seeds": 5}, "speed": {"rounds": 3, "samples": 100}},
    "full": {"accuracy": {"epochs": 3, "seeds": 5}, "speed": {"rounds": 5, "samples": 100}},
}
TITLES = {
    "numpy-layers": "NumPy",
    "numpy-fused": "NumPy (fused)",
    "numpy-loops": "NumPy (loops)",
    "torch": "PyTorch",
    "keras-tensorflow": "Keras",
    "keras-jax": "Keras on JAX",
    "keras-torch": "Keras on PyTorch",
}
FINE = ("agrees", "not offered")  # outcomes that are no failure; what is not offered is no agreement either


def words(parity, accuracy, speed):
    """The verdict as lines: a headline, then one line an implementation, then what was not run."""
    lines = [headline(parity, accuracy, speed)]
    for line in output.verdict(parity) + output.remarks(accuracy) + output.remarks(speed):
        lines += [] if line in lines else [line]
    return lines


def headline(parity, accuracy, speed):
    """What came of it in one sentence, failures first."""
    judged = parity[parity["implementation"] != "arbiter"]
    good, full = passed(parity), in_full(parity)
    parts = [] if parity.attrs["arbiter_proven"] else ["The arbiter is not proven, so it may judge nobody"]
    for name, rows in judged[~judged["implementation"].isin(good)].groupby("implementation", sort=False):
        failed = rows[~rows["outcome"].isin(FINE)]
        if failed.empty:
            parts.append(f"{title(name)} offers nothing to check")
            continue
        failed = failed[failed["outcome"] == "differs"] if "differs" in set(failed["outcome"]) else failed
        stages = sorted(set(failed["stage"]), key=lambda stage: STAGE_ORDER[stage])
        where = ", ".join(stages[:3]) + (f" and {len(stages) - 3} more" if len(stages) > 3 else "")
        parts.append(
            f"{title(name)} {_verb(failed['outcome'].iloc[0])}" + (f" at {where}" if where != "not run" else "")
        )
    for frame, fine, what in ((accuracy, "trained", "training"), (speed, "timed", "timing")):
        for row in frame[~frame["outcome"].isin([fine, "not offered"])].drop_duplicates("implementation").itertuples():
            if row.implementation not in good:
                continue  # named above
            parts.append(f"{title(row.implementation)} {_verb(row.outcome)} in {what}")
    if len(full) > 1 and parity.attrs["arbiter_proven"]:
        parts.append(f"{listed(full)} are the same network")
    elif full:
        parts.append(f"{listed(full)} agree{'s' if len(full) == 1 else ''} with the definition")
    if partly := [name for name in good if name not in full]:
        parts.append(f"{listed(partly)} agree{'s' if len(partly) == 1 else ''} in the part that can be checked")
    return "; ".join(parts) or "Nothing was compared"


def _verb(outcome):
    return {"raised": "raised an error", "not reached": "was not judged"}.get(outcome, outcome)


def in_full(parity):
    """Those of `passed` that offer everything: only of them may it be said that they are the same network."""
    lacking = set(parity.loc[parity["outcome"] == "not offered", "implementation"])
    return [name for name in passed(parity) if name not in lacking]


def title(name):
    """What people call an implementation."""
    return TITLES.get(name, name)


def listed(names):
    """Names as a sentence holds them: "A, B and C"."""
    titles = [title(name) for name in names]
    return " and ".join(filter(None, [", ".join(titles[:-1]), titles[-1]])) if titles else ""


def content(parity, accuracy, speed, settings):
    """What the templates show."""
    judged = parity[parity["implementation"] != "arbiter"]
    names = list(dict.fromkeys(name for frame in (judged, accuracy, speed) for name in frame["implementation"]))
    dtypes = [dtype for dtype in dict.fromkeys(judged["dtype"]) if dtype]
    quantities = [(stage, quantity) for quantity, stage in STAGE_OF.items() if quantity in set(judged["quantity"])]
    trained = starts.finished(accuracy)
    trained = trained[~trained["start"].str.startswith("moved") & (trained["epoch"] % 1 == 0)]
    good, code = in_full(parity), output.exit_code(parity, accuracy, speed)
    failed = code in (1, 4) or "diverged" in set(accuracy["outcome"]) or not parity.attrs["arbiter_proven"]
    broken = [frame[frame["outcome"] != fine] for frame, fine in ((accuracy, "trained"), (speed, "timed"))]
    return {
        "verdict": words(parity, accuracy, speed),
        "state": "bad" if failed else "good" if len(good) > 1 else "unsure",
        "good": listed(good),
        "attrs": speed.attrs | parity.attrs,
        "training": accuracy.attrs["settings"],
        "settings": settings,
        "commands": _commands(judged, accuracy, speed, settings),
        "title": title,
        "legend": plots.legend(names),
        "dtypes": dtypes,
        "probes": [probe for probe in dict.fromkeys(judged["probe"]) if probe != "all"],
        "counts": [_counts(name, rows) for name, rows in parity.groupby("implementation", sort=False)],
        "schema_version": output.SCHEMA_VERSION,
        "compared": f"{int(judged['outcome'].isin(['agrees', 'differs']).sum()):,}",
        "spread": trained.groupby(["start", "implementation"])["seed"].nunique().max() > 1,
        "totals": _totals(judged, parity.attrs["unavailable"]),
        "own_is_same": listed(_unmoved(trained)),
        "share": output.percent(judged["allowance_used"].max()),
        "parity": _grid(judged, names, dtypes, quantities, _share),
        "distance": _grid(judged[judged["probe"] == "digits"], names, dtypes, quantities, _distance),
        "trainings": _trainings(trained),
        "apart": _apart(trained[trained["start"] == "same"]),
        "speeds": output.speed_table(speed).to_dict("records"),
        "broken": [
            row for frame in broken for row in frame.drop_duplicates(["implementation", "note"]).to_dict("records")
        ],
        "strips": [Markup(plots.allowances(judged, dtype, names, quantities)) for dtype in dtypes],
        "curves": [Markup(plots.curves(trained, start, names)) for start in dict.fromkeys(trained["start"])],
        "bars": [
            Markup(plots.bars(speed, task, [(n, title(n)) for n in names])) for task in dict.fromkeys(speed["task"])
        ],
    }


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
        same, own = (rows.loc[rows["start"] == start, "test_loss"].tolist() for start in ("same", "own"))
        names += [name] if same and same == own else []
    return names


def _counts(name, rows):
    """How many quantities of one implementation were asked for, and what came of each."""
    outcomes = Counter(rows["outcome"])
    missing = sum(outcomes[outcome] for outcome in ("raised", "crashed", "hung"))
    worst = rows.loc[rows["outcome"].isin(["agrees", "differs"]), "allowance_used"].max()
    return {"name": name, "asked": len(rows), "missing": missing, "outcomes": outcomes, "worst": _share_text(worst)}


def _grid(frame, names, dtypes, quantities, cell):
    """(stage, rows of (stage, quantity, cells)); a cell is (text, class), by implementation and dtype."""
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
    return [(stage, list(rows)) for stage, rows in itertools.groupby(grid, key=lambda row: row[0])]


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


def _trainings(frame):
    """The last epoch by start and implementation, over seeds: mean and, of two or more, Student's 95% interval."""
    rows = []
    for (start, name), group in frame.groupby(["start", "implementation"], sort=False):
        last = starts.last_epochs(group)
        row = {"start": start, "implementation": name, "seeds": len(last), "epochs": int(last["epoch"].max())}
        for column, form in (("test_accuracy", "{:.2%}"), ("test_loss", "{:.4f}")):
            middle, half = starts.mean_interval(last[column])
            row[column] = form.format(middle) + (f" ± {form.format(half)}" if len(last) > 1 else "")
        rows.append(row | {"seconds": f"{group.groupby('seed')['seconds'].sum().mean():.1f}"})
    return rows


def _apart(frame):
    """How far trainings lie apart at most in any epoch: (accuracy, loss) as text, None for fewer than two."""
    if frame["implementation"].nunique() < 2:
        return None
    groups = frame.groupby(["seed", "epoch"])[["test_accuracy", "test_loss"]]
    widest = (groups.max() - groups.min()).max()
    return f"{100 * widest['test_accuracy']:.2f}", f"{widest['test_loss']:.1e}"


def _commands(judged, accuracy, speed, settings):
    """What makes this report again, and its three parts alone, each with the implementations that it ran."""
    size, training = SIZES[settings["size"]], accuracy.attrs["settings"]
    flag = "" if settings["size"] == "normal" else f"--{settings['size']}"
    trained = f"--epochs {training['epochs']} --batch-size {training['batch_size']}"
    timed = f"--rounds {size['speed']['rounds']} --samples {size['speed']['samples']}"
    lines = []
    for command, frame, options in (
        ("report", judged, flag),
        ("parity", judged, "--rows"),
        (
            "accuracy",
            accuracy,
            f"{trained} --learning-rate {training['learning_rate']} --seeds {size['accuracy']['seeds']}",
        ),
        ("speed", speed, timed),
    ):
        names = ",".join(name for name in dict.fromkeys(frame["implementation"]) if name in ENTRIES)
        data = f"--seed {settings['seed']} --data {quoted(settings['data_source'])}"
        words = (
            f"python -m compare {command} {data} --threads {settings['threads']} --implementations {names} {options}"
        )
        lines += [words.strip()] if len(frame) else []
    return lines


def quoted(text):
    """A word for a shell, on one line: of a name with signs that are not printed, as bash and zsh write its bytes."""
    if text.isprintable():
        return shlex.quote(text)
    plain_byte = {byte: chr(byte) for byte in range(32, 127) if chr(byte) not in "'\\"}
    return "$'" + "".join(plain_byte.get(byte, f"\\x{byte:02x}") for byte in os.fsencode(text)) + "'"


def markdown(text):
    """Text from outside in a table cell or a line of Markdown: no markup, one line."""
    escaped = str(escape(plain.line(text))).replace("`", "'")
    return re.sub(r"([|\[\]\\])", r"\\\1", escaped)
