"""What trainings from several starts say together: means, paired differences, and whether a drift is rounding."""

import math

import numpy as np
import pandas as pd
from scipy import stats

RUN = ["start", "seed", "implementation"]  # what tells one training from another
SUMMARY = [
    "start",
    "implementation",
    "starts",
    "epochs",
    "test_accuracy",
    "spread",
    "beside",
    "beside_half",
    "test_loss",
    "seconds",
]
DRIFTS = [
    "implementation",
    "starts",
    "steps",
    "drift",
    "reference_drift",
    "times",
    "at_step",
    "allowed",
    "says",
    "same_until",
    "apart_from",
    "apart",
]


def mean_interval(values):
    """Mean and half the width of Student's 95% interval of the mean; the half is NaN for fewer than two values.

    Student's t and not a bootstrap: with five values a nominal 95% bootstrap interval covers far less.
    """
    values = np.asarray(values, float)
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return float(values.mean()), float(half)


def finished(frame):
    """The rows of those trainings that came to their end: one that diverged has no result, whatever it passed."""
    if frame.empty:
        return frame
    good = frame["outcome"] == "trained"
    return frame[good.groupby([frame[key] for key in RUN]).transform("all")]


def last_epochs(frame):
    """The last row of each training: its result, or what became of it."""
    return frame.groupby(RUN, sort=False).tail(1)


def summary(frame):
    """A row for each kind of start and implementation, over its finished trainings, after the last epoch.

    Returns:
        DataFrame: start, implementation, starts (how many), epochs, test_accuracy and test_loss (means), spread
        (standard deviation of the accuracy), beside and beside_half: the mean of the differences of accuracy to the
        reference from the same seed and half of Student's 95% interval of that mean, seconds of training (mean). NaN
        where too few.
    """
    good = finished(frame)
    last = last_epochs(good)
    reference = frame.attrs.get("reference")
    rows = []
    for (start, name), group in last.groupby(["start", "implementation"], sort=False):
        if start.startswith("moved"):
            continue
        accuracy = group.set_index("seed")["test_accuracy"]
        other = last[(last["start"] == start) & (last["implementation"] == reference)].set_index("seed")
        pairs = (accuracy - other["test_accuracy"]).dropna()
        beside, half = mean_interval(pairs) if len(pairs) and name != reference else (math.nan, math.nan)
        mine = good[(good["start"] == start) & (good["implementation"] == name)]
        rows.append(
            {
                "start": start,
                "implementation": name,
                "starts": len(group),
                "epochs": int(group["epoch"].max()),
                "test_accuracy": accuracy.mean(),
                "spread": accuracy.std(ddof=1) if len(group) > 1 else math.nan,
                "beside": beside,
                "beside_half": half,
                "test_loss": group["test_loss"].mean(),
                "seconds": mine.groupby("seed")["seconds"].sum().mean(),
            }
        )
    return pd.DataFrame(rows, columns=SUMMARY)


def drifts(frame):
    """Whether each implementation drifts from the reference as far as rounding takes it, or further.

    What rounding does is seen of the reference itself, started from weights moved by one unit in the last place: that
    is one error of that size at the beginning. Another implementation rounds at every step, each time by at most about
    as much, and independent errors add up as the root of their number (Higham & Mary 2019). So after k steps sqrt(k)
    times the furthest of the reference's own drifts is what rounding explains. It is a difference where at any step the
    drifts from *all* starts lie above that: in a single one two nearly equal values of a pool window may change their
    order, a jump that the moved starts show as well.

    Returns:
        DataFrame of DRIFTS, a row for each implementation beside the reference: starts, steps of a training; drift and
        reference_drift, medians over the starts at the end; `times`, the smallest drift over all starts as a multiple
        of the reference's largest, at the step (`at_step`) where it is the largest share of `allowed`, sqrt(at_step);
        says "none", "rounding" or "difference". The watched images were predicted alike in all starts until step
        `same_until`, and not at step `apart_from` (NaN: never otherwise); `apart`: images predicted otherwise at the
        end, at most.
    """
    good = finished(frame)
    followed = good[good["drift"].notna() & (good["step"] > 0)]
    twins = followed[followed["start"].str.startswith("moved")]
    same = followed[followed["start"] == "same"]
    rows = []
    own = twins.groupby("step")["drift"].max()
    for name, group in same.groupby("implementation", sort=False):
        if name == frame.attrs.get("reference") or own.empty:
            continue
        least = group.groupby("step")["drift"].min()
        times = (least / own).dropna()
        share = times / np.sqrt(times.index)
        at, last = int(share.idxmax()), group["step"].max()
        looked = good[(good["start"] == "same") & (good["implementation"] == name)]
        apart = looked.groupby("step")["apart"].max()
        first = apart[apart > 0].index.min()
        rows.append(
            {
                "implementation": name,
                "starts": group["seed"].nunique(),
                "steps": int(last),
                "drift": group.loc[group["step"] == last, "drift"].median(),
                "reference_drift": twins.loc[twins["step"] == last, "drift"].median(),
                "times": times[at],
                "at_step": at,
                "allowed": math.sqrt(at),
                "says": "none" if not least.any() else "difference" if share[at] > 1 else "rounding",
                "same_until": int(apart.index.max() if pd.isna(first) else apart.index[apart.index < first].max()),
                "apart_from": first,
                "apart": int(apart.iloc[-1]),
            }
        )
    return pd.DataFrame(rows, columns=DRIFTS)


def accuracy_table(frame):
    """`summary` for people, and of the trainings without a result what became of them."""
    rows = [accuracy_words(row) for row in summary(frame).to_dict("records")]
    last = last_epochs(frame) if len(frame) else frame
    for row in last[last["outcome"] != "trained"].itertuples():
        rows.append({"start": row.start, "implementation": row.implementation, "starts": f"seed {row.seed:.0f}"})
        rows[-1]["test accuracy"] = row.outcome
    columns = ["start", "implementation", "starts", "epochs", "test accuracy", "spread", "beside the reference"]
    columns += ["test loss", "training seconds"]
    return pd.DataFrame([{name: row.get(name, "") for name in columns} for row in rows], columns=columns)


def accuracy_words(row):
    """The numbers of one row of `summary`, as text."""
    points = "" if math.isnan(row["beside"]) else f"{100 * row['beside'] + 0.0:+.2f}"
    points += "" if math.isnan(row["beside_half"]) else f" ± {100 * row['beside_half']:.2f}"
    return {
        "start": row["start"],
        "implementation": row["implementation"],
        "starts": f"{row['starts']}",
        "epochs": f"{row['epochs']}",
        "test accuracy": f"{row['test_accuracy']:.2%}",
        "spread": "" if math.isnan(row["spread"]) else f"{row['spread']:.2%}",
        "beside the reference": f"{points} points" if points else "",
        "test loss": f"{row['test_loss']:.4f}",
        "training seconds": f"{row['seconds']:.1f}",
    }


def drift_table(frame):
    """`drifts` for people."""
    rows = [drift_words(row) for row in drifts(frame).to_dict("records")]
    columns = ["implementation", "drift", "the reference moved by an ulp", "at most, times", "of", "that is"]
    return pd.DataFrame(rows, columns=[*columns, "first predicted otherwise", "images"])


def drift_words(row):
    """The numbers of one row of `drifts`, as text."""
    first = row["apart_from"]
    between = f"step {row['same_until'] + 1:,}" + (f" to {first:,.0f}" if first > row["same_until"] + 1 else "")
    return {
        "implementation": row["implementation"],
        "drift": f"{row['drift']:.1e}",
        "the reference moved by an ulp": f"{row['reference_drift']:.1e}",
        "at most, times": f"{row['times']:.3g}",
        "of": f"{row['allowed']:.3g}",
        "that is": row["says"],
        "first predicted otherwise": "never" if pd.isna(first) else between,
        "images": f"{row['apart']}",
    }
