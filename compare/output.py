"""Rows to text and JSON: what the command line prints and writes."""

import json
import math

import pandas as pd

from compare.clock.words import against
from compare.files import write_text
from compare.graph import OPTIMISERS

SCHEMA_VERSION = 2
ENDS = ["equal settings", "own defaults"]  # distances after 100 steps


def document(command, frame):
    """What --json holds: schema_version, command, all of `frame.attrs`, rows. Not-a-number and infinity become null."""
    return {"schema_version": SCHEMA_VERSION, "command": command, **frame.attrs, "rows": records(frame)}


def records(frame):
    """The rows as dicts that JSON can hold."""
    return [{key: _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path, command, frame):
    """Write `document` to a file; None writes nothing."""
    if path is not None:
        write_text(path, json.dumps(document(command, frame), indent=1, allow_nan=False) + "\n")


def table(frame):
    """A DataFrame as an aligned table that is also Markdown."""
    return frame.to_markdown(index=False, disable_numparse=True) if len(frame) else "(no rows)"


def percent(value):
    """A fraction of an allowance, for people: 0.123 -> "12%", 0 -> "exact"."""
    if pd.isna(value):
        return ""
    if value == 0:
        return "exact"
    if math.isinf(value):
        return "DIFFERS"
    if value > 1:
        return f"DIFFERS, {value:.4g} times"
    return f"{value:.0%}" if value >= 0.01 else "<1%"


def parity_summary(frame):
    """By quantity: the worst share of its allowance that each implementation used in each dtype, over all probes."""
    frame = frame[frame["implementation"] != "arbiter"]
    worst = frame.groupby(["quantity", "implementation", "dtype"], sort=False)["allowance_used"].max()
    wide = worst.unstack(["implementation", "dtype"])
    wide.columns = [" ".join(filter(None, column)) for column in wide.columns]
    return wide.map(percent).reset_index()


def optimisers_table(frame):
    """By optimiser and implementation: shares of the allowance, its definition, where it ends beside the paper's."""
    rows = []
    for (quantity, name), group in frame[frame["quantity"].str.startswith("update_")].groupby(
        ["quantity", "implementation"], sort=False
    ):
        used = {row.dtype: percent(row.allowance_used) or row.outcome for row in group.itertuples()}
        widest = group[group["distance"].notna()].tail(1)
        ends = [f"{value:.1e}" if value else "0" for column in ("distance", "own_defaults") for value in widest[column]]
        note = next(iter(widest["note"]), "")
        rows.append((quantity.removeprefix("update_"), name, *used.values(), note, *(ends or ["", ""])))
    dtypes = frame["dtype"].unique()
    return pd.DataFrame(rows, columns=["optimiser", "implementation", *dtypes, "definition", *ENDS]).sort_values(
        "optimiser", key=lambda names: names.map(OPTIMISERS.index), kind="stable"
    )


def verdict(frame):
    """A line an implementation: how much agrees, or where it differs first; then remarks."""
    from compare.verdict.judge import NOT_JUDGED
    from compare.verdict.run import first_difference

    differing = first_difference(frame).set_index("implementation")
    lines = []
    for name, rows in frame.groupby("implementation", sort=False):
        offered = rows[~rows["outcome"].isin(NOT_JUDGED)]
        good = int((offered["outcome"] == "agrees").sum())
        why = " ".join(f"({note})" for note in rows[rows["outcome"] == "not offered"]["note"].unique() if note)
        outcomes = rows["outcome"].value_counts()
        less = f", {outcomes['not offered']} not offered {why}".rstrip() if "not offered" in outcomes else ""
        less += f", {outcomes['hidden']} that rounding may hide not judged" if "hidden" in outcomes else ""
        if name not in differing.index:
            if offered.empty:
                none = f"offers none of the {len(rows)} quantities {why}".rstrip()
                lines.append(f"{name}: {none}, so nothing was checked")
            elif name != "arbiter":
                worst = offered.loc[offered["allowance_used"].idxmax()]
                where = f"{worst['quantity']}, {worst['dtype']}, probe {worst['probe']}"
                most = f"at most {percent(worst['allowance_used'])} of a rounding allowance ({where})"
                lines.append(f"{name}: agrees in {good} of {len(offered)} quantities{less}, {most}")
            continue
        lines.append(f"{name}: {_difference(differing.loc[name])} ({good} of {len(offered)} quantities agree{less})")
    if not frame.attrs["arbiter_proven"]:
        lines.append(
            "numpy_cnn differs from the definition of the network, so it judged nobody: only the small probes were run"
        )
    return lines + _sharpness_in_half(frame) + remarks(frame)


def _sharpness_in_half(frame):
    """A line for each half precision: the smallest relative error that no quantity, alone, would have hidden."""
    if "smallest_caught" not in frame:
        return []
    alone = frame[frame["mode"] == "alone"].dropna(subset="smallest_caught")
    least = alone.groupby(["dtype", "quantity"], sort=False)["smallest_caught"].min().groupby("dtype", sort=False).max()
    return [f"caught in {dtype}: a relative error of {x:.1%} in any output or gradient" for dtype, x in least.items()]


def _difference(row):
    if row["outcome"] != "differs" or row["note"]:
        if row["quantity"] == "all":
            return f"{row['outcome'].upper()}: {row['note']}"
        where = f"{row['stage']}, {row['quantity']} {row['dtype']}, probe {row['probe']}"
        return f"{row['outcome'].upper()} at {where}: {row['note']}"
    times = (
        "no error is allowed"
        if math.isinf(row["allowance_used"])
        else f"{row['allowance_used']:.3g} times its allowance"
    )
    return (
        f"DIFFERS at {row['stage']}, {row['quantity']}{row['worst_index']} {row['dtype']}, probe {row['probe']} "
        f"({'stage alone' if row['mode'] == 'alone' else 'whole pass'}): found {row['found']:.9g}, "
        f"wanted {row['wanted']:.9g}, {times}"
    )


def remarks(frame):
    """Lines about what is not in the rows: implementations that are not available, or not timed."""
    from compare.contract import ENTRIES

    lines = [
        f"{name}: not available ({reason}); install: {ENTRIES[name].install}"
        for name, reason in frame.attrs["unavailable"].items()
    ]
    lines += [f"{name}: not timed, since it did not pass parity" for name in frame.attrs.get("not_timed", [])]
    if "outcome" in frame and "test_accuracy" in frame or "seconds_per_image" in frame:
        bad = frame[frame["note"] != ""].drop_duplicates("implementation")
        lines += [f"{row.implementation}: {row.outcome}: {row.note}" for row in bad.itertuples()]
    return lines


def defects_table(frame):
    """By defect: what `check` says, in how many implementations it says so, and the test accuracy."""
    rows = []
    for name, group in frame.groupby("defect", sort=False):
        trained = group[group["accuracy"].notna()]
        accuracy, beside = "does not run" if frame["accuracy"].notna().any() else "", ""
        if len(trained):
            row = trained.iloc[0]
            spread = "" if pd.isna(row["accuracy_spread"]) else f" +- {row['accuracy_spread']:.1%}"
            difference = round(100 * (row["accuracy"] - row["accuracy_of_right"]), 1) + 0.0  # no minus zero
            accuracy, beside = f"{row['accuracy']:.1%}{spread}", f"{difference:+.1f} points"
        if group["diverged"].any():
            accuracy = f"{accuracy}, diverges from {group['diverged'].max()}" if len(trained) else "diverges"
        rows.append((name, accuracy, beside, *_said(group)))
    return pd.DataFrame(rows, columns=["defect", "test accuracy", "beside the right one", "check says", "at", "named"])


def _said(group):
    if not group["caught"].any():
        return "agrees", "", f"{len(group)} of {len(group)} agree"
    says = group["says"].mode().iloc[0] or "differs"
    same = group["named"].sum()
    says = "that it is this" if same == len(group) else says
    return says, group["stage"].mode().iloc[0], f"{same} of {len(group)}"


def defects_score(score):
    """The counts of `evidence.score` in one line."""
    tried = score["tried"]
    return (
        f"{tried} defects in implementations: caught {score['caught']} ({score['caught'] / max(1, tried):.0%}), "
        f"named right {score['named_right']} ({score['named_right'] / max(1, tried):.1%}), wrong "
        f"{score['named_wrong']}, blamed on another stage {score['blamed_on_another_stage']}, "
        f"false alarms {score['false_alarms']}"
    )


def sharpness_table(frame):
    """By implementation, threads and dtype: how much was judged, who was accused, what would have been caught."""
    table = frame[["implementation", "threads", "dtype", "cases", "quantities", "accused"]].copy()
    for title, prefix in (("smallest error caught", ""), ("in an update", "step_")):
        pairs = zip(frame[f"{prefix}smallest_caught"], frame[f"{prefix}quantity"], strict=True)
        table[title] = [f"{smallest:.1e} ({quantity})" if quantity else "" for smallest, quantity in pairs]
    return table


def sharpness_summary(frame):
    """The counts over all, and by dtype the largest of the smallest errors caught."""
    columns = ["smallest_caught", "step_smallest_caught"]
    largest = frame.groupby("dtype")[columns].max()
    lines = []
    for dtype, row in largest.iterrows():
        words = zip(row[columns], ("in any output or gradient", "in an update"), strict=True)
        caught = ", ".join(f"of {smallest:.1e} {where}" for smallest, where in words if pd.notna(smallest))
        lines.append(f"caught in {dtype}: " + (f"a relative error {caught}" if caught else "no case could tell"))
    head = f"{frame['quantities'].sum():,} quantities of right networks: {frame['accused'].sum()} accused"
    return "\n".join([head, *lines])


def speed_table(frame):
    """Microseconds an image with quartiles, images a second, ratios; conversion in us; share of a product's rate."""
    timed = frame[frame["outcome"] == "timed"]
    if timed.empty:
        return timed
    micro = {
        name: timed[name] * 1e6 for name in ("seconds_per_image", "seconds_per_image_low", "seconds_per_image_high")
    }
    fastest = timed.groupby(["task", "batch_size"])["seconds_per_image"].transform("min")
    return pd.DataFrame(
        {
            "task": timed["task"],
            "batch size": timed["batch_size"],
            "implementation": timed["implementation"],
            "us an image": micro["seconds_per_image"].map("{:.1f}".format),
            "quartiles": micro["seconds_per_image_low"].map("{:.1f}".format)
            + " - "
            + micro["seconds_per_image_high"].map("{:.1f}".format),
            "images a second": (1 / timed["seconds_per_image"]).map("{:,.0f}".format),
            "slower than the fastest": (timed["seconds_per_image"] / fastest).map("{:.2f}x".format),
            "against the reference": [against(row) for row in timed.itertuples()],
            "conversion": (timed["conversion_seconds_per_image"] * 1e6).map("{:.1f}".format).replace("nan", ""),
            "of the limit": timed["gemm_share"].map("{:.0%}".format).replace("nan%", ""),
        }
    ).sort_values(["task", "batch size"], ascending=[False, True], kind="stable")


def target_lines(rows):
    """A line for each row of `targets.targets`: what was reached, of what, and whether that is enough."""
    lines = []
    for row in rows.itertuples():
        share = row.measure.startswith("share")
        reached, target = (f"{value:.0%}" if share else f"{value:.2f}" for value in (row.reached, row.target))
        what = row.measure if share else f"{row.measure} ({row.against})"
        verdict = "met" if row.met else f"missed by {1 - row.reached / row.target:.0%}"
        lines.append(f"{row.task}, batch {row.batch_size}: {reached} {what}; target {target}: {verdict}")
    return lines


def exit_code(*frames):
    """The exit code of rows, of the first of these that holds.

    1 where something differs; 4 where something crashed, hung or raised; 1 where one was not timed, since it failed a
    parity whose rows are not among these; 3 where a training diverged, a cell
    was lost with the machines that it was placed on, or nothing came of an implementation; 0.
    """
    outcomes = {outcome for frame in frames for outcome in frame["outcome"]}
    if "differs" in outcomes:
        return 1
    if outcomes - {"agrees", "not offered", "hidden", "trained", "timed", "diverged", "lost"}:
        return 4
    if any(frame.attrs.get("not_timed") for frame in frames):
        return 1
    return 3 if outcomes & {"diverged", "lost"} or _idle(frames) else 0


def _idle(frames):
    """Whether the rows are no answer: a frame has none but the arbiter's, or an implementation offers nothing."""
    frames = [frame[frame["implementation"] != "arbiter"] for frame in frames]
    rows = pd.concat([frame[["implementation", "outcome"]] for frame in frames])
    silent = (rows["outcome"] == "not offered").groupby(rows["implementation"]).all()
    return any(frame.empty for frame in frames) or bool(silent.any())
