"""What came of it, in words."""

from compare import output
from compare.graph import STAGE_ORDER
from compare.verdict.run import passed

TITLES = {
    "numpy-layers": "NumPy",
    "numpy-fused": "NumPy (fused)",
    "numpy-loops": "NumPy (loops)",
    "torch": "PyTorch",
    "keras-tensorflow": "Keras",
    "keras-jax": "Keras on JAX",
    "keras-torch": "Keras on PyTorch",
}
FINE = ("agrees", "not offered", "hidden")  # outcomes that are no failure; the last two are no agreement either


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
