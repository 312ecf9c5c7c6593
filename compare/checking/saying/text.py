"""The answer of `check` as lines for people."""

import textwrap
from html import escape

import numpy as np

from compare.checking.judging.judgement import BESIDE, beside
from compare.checking.judging.rows import FAILED
from compare.checking.saying.only import only_where
from compare.graph import STAGE_OF, STAGE_ORDER
from compare.verdict import check_probes

WIDTH = 110  # of a line of notes
LABEL = 19  # of a stage
WHAT = {
    "d_images": "conv backward to the images",
    "d_conv_weight": "conv backward to the filters",
    "d_conv_bias": "conv backward to its bias",
    "optimiser": "the optimiser",
    "d_pool": "dense backward to the pool",
    "d_dense_weight": "dense backward to its weights",
    "d_dense_bias": "dense backward to its bias",
    "d_conv": "pool backward",
    "d_logits": "loss backward",
    "kept_images": "that images are left as they were",
    "predict": "prediction",
}

SAID = {"d_conv_bias": "the gradient of the convolution's bias is ", "optimiser": "the optimiser is not plain SGD: "}
SAID |= {"activation": "an activation, ", "d_activation": "the gradient of an activation, "}
SAID |= {"layer": "a layer of another geometry, ", "d_layer": "the gradient of such a layer, "}
SAID |= {"derivative": "what goes back is not the derivative of what goes forward, "}
SAID |= {"gradient": "a gradient is not the derivative of its own loss, ", "training": "a training step, "}


def lines(result):
    """All of it: a line a stage, the diagnosis, what was not checked, what was assumed, the counts."""
    if not result.judgement.rows and not result.unconnected:
        return [f"{result.status.upper()} {result.when}: {result.error}", counted(result)]
    notes = []
    for line in [*_unconnected(result), *_not_checked(result), *result.notes]:
        notes += textwrap.wrap(line, WIDTH, subsequent_indent="    ")
    return [*_stages(result), *diagnosis(result), *notes, counted(result)]


def html(result):
    """The same for a notebook: a row for each stage, the diagnosis, and the rest folded away."""
    if not result.judgement.rows:
        return f"<pre>{escape(str(result))}</pre>"
    cells = [(line[:LABEL].strip(), *_state(line[LABEL:])) for line in _stages(result)]
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(stage)}</td>'
        f'<td style="text-align:left;color:{"inherit" if state == "agrees" else "#b00"}">{escape(state)}</td>'
        f'<td style="text-align:left">{escape(rest)}</td></tr>'
        for stage, state, rest in cells
    )
    named = "<br>".join(escape(line.strip()) for line in diagnosis(result))
    notes = "<br>".join(escape(line) for line in [*_unconnected(result), *_not_checked(result), *result.notes])
    return f"<table>{rows}</table><p>{named}</p><details><summary>{escape(counted(result))}</summary>{notes}</details>"


def _state(text):
    state, _, rest = text.strip().partition(" ")
    return state, rest.strip()


def _unconnected(result):
    found = [f"required, and not judged: {word} ({', '.join(stages)})" for word, stages in result.missing]
    found += [f"could not be connected: {name}: {why}" for name, why in result.unconnected]
    if result.ours:
        found.append(
            f"it opens {', '.join(result.ours)}, of this project: what it gives may be ours, and proves nothing"
        )
    return found


def counted(result):
    """The counts in one line."""
    counts = result.counts
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return (
        f"{counts['checked']} quantities checked: {counts['passed']} passed, {counts['differed']} differed{failed}; "
        f"{counts['not reached']} not reached, {counts['not offered']} not offered"
    )


def _stages(result):
    judgement = result.judgement
    by_stage: dict[str, list] = {}
    for row in judgement.rows:
        if row["outcome"] != "not offered":
            by_stage.setdefault(row["stage"], []).append(row)
    found = []
    for stage in sorted(by_stage, key=STAGE_ORDER.__getitem__):
        rows = by_stage[stage]
        failed = [row for row in rows if row["outcome"] in FAILED]
        first, _, way = stage.partition(" ")
        label = f"{first:<9} {way:<9}" if way in ("forward", "backward") else f"{stage:<{LABEL}}"
        if failed:
            found.append(label + failing(result, failed))
        elif any(row["outcome"] == "not reached" for row in rows):
            found.append(label + next(why(row) for row in rows if row["outcome"] == "not reached"))
        else:
            names = [row["quantity"].partition(" ")[2] for row in rows]  # of activations, each has its own
            found.append(f"{label}agrees   ({', '.join(names) if all(names) else _used(rows)})")
    return found


def why(row):
    """Why a row was not reached."""
    return row["note"] if row["note"].startswith("not reached") else "not reached: something before it fails"


def failing(result, rows):
    """One line about the most telling of rows that fail."""
    row = _telling([row for row in rows if row["outcome"] in FAILED])
    state = "DIFFERS" if row["outcome"] == "differs" else row["outcome"].upper()
    judgement = result.judgement
    where = only_where(row, judgement.rows, judgement.evidence.cases) if judgement.evidence else ""
    state += f" only {where}:" if where else ""
    return f"{state:<8} {_of(row)}{judgement.picture(row).removeprefix(f'{state}: ')}"


def _of(row):
    """Which quantity, where a stage has several."""
    several = [name for name, stage in STAGE_OF.items() if stage == row["stage"]]
    return f"{row['quantity']}, " if len(several) > 1 else ""


def _telling(rows):
    """The row to show of those that failed: of a stage alone rather than of a whole pass."""
    order = {"differs": 0, "crashed": 1, "hung": 2, "raised": 3}
    return min(rows, key=lambda row: (order[row["outcome"]], row["mode"] == "run", row["probe"] in check_probes.LARGE))


def _used(rows):
    used = [row["allowance_used"] for row in rows if not np.isnan(row["allowance_used"])]
    if not used:
        return "by the convention below"
    if max(used) == 0:
        return "exact"
    return f"{max(used):.0%} of the rounding allowance" if max(used) >= 0.01 else "<1% of the rounding allowance"


def diagnosis(result):
    """Lines that name the bug, or say that it is none that is known."""
    found = _diagnosis(result)
    for row in result.judgement.rows:
        if beside(row["quantity"]) and row["outcome"] == "differs":
            head = "     also: " if found else "diagnosis: "
            found.append(f"{head}{SAID[beside(row['quantity'])]}{row['note']}")
    return found


def _diagnosis(result):
    judgement = result.judgement
    of_network = [outcome for (_, quantity), outcome in result.quantities.items() if not beside(quantity)]
    total = sum(outcome != "not offered" for outcome in of_network)
    if not judgement.diagnosis and any(judgement.by_stage.values()):
        return _by_stage(judgement)
    if not judgement.diagnosis:
        if any(row["outcome"] == "differs" and not beside(row["quantity"]) for row in judgement.rows):
            return [f"diagnosis: no known defect explains it; {judgement.stage} is the first to differ"]
        return []
    if len(judgement.diagnosis) > 1:
        names = "; or ".join(" and ".join(d.name for d in defects) for defects in judgement.diagnosis)
        return [f"diagnosis: one of these, which cannot be told apart by what is offered: {names}"]
    (defects,) = judgement.diagnosis
    found = []
    for number, defect in enumerate(defects):
        head = "diagnosis: " if number == 0 else "     also: "
        found += [f"{head}{defect.name}; {defect.advice}."]
    change = "this one change" if len(defects) == 1 else "these two changes"
    return [*found, f"           With {change} the result agrees in all {total} quantities."]


def _by_stage(judgement):
    """A line for each stage that differs: the defect that explains all of it, or that none does."""
    found: list[str] = []
    for stage, defects in judgement.by_stage.items():
        head = "diagnosis: " if not found else "     also: "
        if len(defects) == 1:
            found.append(f"{head}{stage}: {defects[0].name}; {defects[0].advice}.")
        elif defects:
            found.append(f"{head}{stage}: one of these: {'; or '.join(defect.name for defect in defects)}")
        else:
            found.append(f"{head}{stage}: no known defect explains it")
    return found


def _not_checked(result):
    outcomes: dict[str, set] = {}
    for (_, quantity), outcome in result.quantities.items():
        outcomes.setdefault(quantity, set()).add(outcome)
    missing = [quantity for quantity, found in outcomes.items() if found == {"not offered"}]
    stages = {stage: [q for q in outcomes if STAGE_OF.get(q) == stage] for stage in STAGE_ORDER}
    names = []
    for stage, quantities in stages.items():
        if quantities and all(quantity in missing for quantity in quantities):
            if stage not in {BESIDE[beside(quantity)] for quantity in outcomes if beside(quantity)}:
                names.append(stage)
        else:
            names += [WHAT.get(quantity, quantity) for quantity in quantities if quantity in missing]
    found = [f"not checked: {', '.join(names)} (not offered)"] if names else []
    words = {case.name: case.why for case in check_probes.cases(0)[0]}
    by_reason: dict[str, list] = {}
    for name, reason in result.judgement.limits.items():
        by_reason.setdefault(reason, []).append(words.get(name, name))
    return found + [f"not checked with {'; '.join(cases)}: {reason}" for reason, cases in by_reason.items()]
