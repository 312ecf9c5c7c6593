"""Rows of a verdict that say more, or less, than what was measured: cut short, withdrawn, not reached."""

from compare.graph import STAGE_OF, STAGE_ORDER, TASKS, task_of
from compare.verdict import check_probes, judge
from compare.verdict.packing import PATH

LATE = ("update", "training path", "prediction")
FAILED = ("differs", "raised", "hung", "crashed")
FIRST_PROBE = "mnist-size"  # what all code can take: where only another probe raises, that is a limit of the code


def cut_short(rows, result):
    """Mark what a crash or an endless loop hit, and what comes after it."""
    at = result.meta.get("at", "")
    order = [*TASKS, "path"]
    reached = order.index(at) if at in order else -1
    for row in rows:
        task = "path" if row["stage"] == "training path" else task_of(row["mode"], row["quantity"])
        if row["outcome"] != "not offered" or (task not in result.meta.get("offers", order) and task != "path"):
            continue
        if order.index(task) == reached:
            row |= judge.failure(result.status, result.error)
        elif order.index(task) > reached:
            row |= judge.failure("not reached", f"not reached: the code {result.status} before")


def gone(rows, outcomes):
    """Of what is said to have raised, tell what took its process with it, and what no time was left for."""
    for row in rows:
        key = (row["probe"], row["dtype"], row["mode"], task_of(row["mode"], row["quantity"]))
        outcome = outcomes.get((PATH, row["dtype"], "path") if row["stage"] == "training path" else key)
        if outcome and row["outcome"] == "raised":
            row |= judge.NOT_OFFERED if outcome == "spent" else {"outcome": outcome}


# Where what went wrong while the ways to call something were tried is shown: mode and quantity.
SHOWN_AT = {
    "conv forward": ("alone", "conv"),
    "pool forward": ("alone", "pool"),
    "logits forward": ("alone", "logits"),
    "probabilities forward": ("alone", "probabilities"),
    "conv backward": ("alone", "d_conv_weight"),
    "pool backward": ("alone", "d_conv"),
    "logits backward": ("alone", "d_dense_weight"),
    "head": ("head", "probabilities"),
    "head backward": ("head", "d_dense_weight"),
    "activations": ("run", "probabilities"),
    "gradients": ("run", "d_conv_weight"),
}


def troubled(rows, troubles, offered):
    """A row for each trouble, in the place of what could not be asked because of it."""
    for task, outcome, error in troubles:
        mode, quantity = SHOWN_AT[task]
        rows[:] = [
            row for row in rows if (row["mode"], row["quantity"]) != (mode, quantity) or row["outcome"] == "agrees"
        ]
        row = {"implementation": "", "quantity": quantity, "dtype": offered[0], "probe": FIRST_PROBE, "mode": mode}
        rows.append({**row, "stage": STAGE_OF[quantity], **judge.failure(outcome, error)})


def limits_of(rows, refused):
    """Sizes that the code does not take, by probe: said, and not held against it."""
    limits: dict[str, str] = {}
    lacking = {tuple(call) for probe, _, *call in refused if probe == FIRST_PROBE}
    for (probe, _, *call), reason in refused.items():
        if tuple(call) not in lacking:  # else the code has no such thing at any size
            limits.setdefault(probe, reason)
    fine = {
        (row["mode"], row["quantity"]) for row in rows if row["probe"] == FIRST_PROBE and row["outcome"] != "raised"
    }
    for row in rows:
        optional = row["probe"] not in (FIRST_PROBE, *check_probes.LARGE) and row["stage"] != "training path"
        if optional and row["outcome"] == "raised" and (row["mode"], row["quantity"]) in fine:
            limits.setdefault(row["probe"], row["note"])
            row |= judge.NOT_OFFERED
    return limits


def larger_odd_maps(rows, limits, rounded, observed):
    """Withdraw what was asked of odd maps where a pool that is right for even ones makes an odd one larger, its way.

    Returns:
        Whether there was any. A pool that does it in the way of a known defect has been named by then.
    """
    pools = {(r["probe"], r["dtype"]): r["outcome"] for r in rows if (r["mode"], r["quantity"]) == ("alone", "pool")}
    odd = set()
    for key, outcome in pools.items():
        n, h, w, f = rounded[key].shape_of("conv")
        found = observed[key].get(("alone", "pool"))
        larger = (n, -(-h // 2), -(-w // 2), f)
        if outcome == "differs" and found is not None and found.shape == larger != rounded[key].shape_of("pool"):
            odd.add(key)
    if not odd or "agrees" not in pools.values():
        return False
    for row in rows:
        if (row["probe"], row["dtype"]) in odd and (row["mode"] == "run" or row["quantity"] in ("pool", "d_conv")):
            row |= judge.NOT_OFFERED
    limits.update(
        {probe: "the pool makes an odd map larger, ours leaves its last row or column out" for probe, _ in odd}
    )
    return True


def settle_rows(rows, varies=()):
    """Say of what fails only because something before it failed that it was not reached.

    So it is with all that one pass gives, if another pass, of which it was not computed, `varies`.
    """
    order = STAGE_ORDER
    failed = [row for row in rows if row["outcome"] in FAILED]
    alone = [row for row in failed if row["mode"] != "run"]
    first = min((order[row["stage"]] for row in failed), default=len(order))
    for row in failed:
        late = (row["stage"] in LATE or (varies and row["mode"] == "run")) and first < order[row["stage"]]
        if late or (alone and row["mode"] == "run" and row["outcome"] == "raised"):
            row |= {"outcome": "not reached", "note": row["note"] or "something before it differs"}
