"""Rows of `compare.speed` and what stands beside them, in words: ratios with their doubt, noise, costs, threads."""

import math

import pandas as pd

from compare.clock.rounds import SAME, WIDEST, Ratio


def against(row):
    """A row's ratio to the reference, with its doubt in the cell: "1.42x (1.32 - 1.53) ! 14%", or "no difference"."""
    if row.difference == "reference":
        return "reference"
    if pd.isna(row.ratio):
        return ""
    if pd.isna(row.ratio_low):
        return f"{row.ratio:.2f}x (one round)"
    ratio = Ratio(row.ratio, row.ratio_low, row.ratio_high, int(row.rounds))
    said = SAME if row.difference == SAME else f"{row.ratio:.2f}x"
    doubt = f" ! {ratio.width:.0%}" if ratio.width > WIDEST else ""
    return f"{said} ({row.ratio_low:.2f} - {row.ratio_high:.2f}){doubt}"


def unstable(frame):
    """How many intervals are too wide, and of how many."""
    rows = frame[frame["ratio_low"].notna()]
    wide = (rows["ratio_high"] - rows["ratio_low"]) / rows["ratio"] > WIDEST
    return int(wide.sum()), len(rows)


def lines(frame):
    """What to know before believing the table: reference, noise floor, doubt, load, threads; then compilation."""
    attrs = frame.attrs
    if frame.empty:
        return []
    found = [f"against the reference: the time of {attrs['reference']} in the same rounds is 1; 95% interval"]
    found += [_floor(noise, attrs["reference"]) for noise in attrs["noise"]]
    wide, of = unstable(frame)
    more = "--budget SECONDS adds rounds"
    found.append(f"{wide} of {of} intervals are wider than {WIDEST:.0%} of the ratio, and marked !: {more}")
    waited = frame.loc[frame["outcome"] == "timed", "waited"]
    begin, end = attrs["load_average"]
    load = "" if begin is None else f"; load average {begin:.1f} before, {end:.1f} after"
    cores = attrs["environment"]["cores"]
    found.append(
        f"others had the processor for {waited.min():.0%} to {waited.max():.0%} of the time, which is left out; "
        f"{cores} cores{load}"
    )
    found += attrs["thread_mismatches"] or [f"threads read back from each library: {attrs['environment']['threads']}"]
    return found + [_pays(row) for row in frame[frame["pays_after_calls"].notna()].itertuples()]


def _floor(noise, reference):
    where = f"noise floor, {noise['task']}, batch {noise['batch_size']}: {reference} against itself"
    if noise["rounds"] < 2:
        return f"{where} {noise['value']:.3f}, from one round, which cannot tell"
    floor = Ratio(noise["value"], noise["low"], noise["high"], noise["rounds"]).floor
    interval = f"{noise['value']:.3f} ({noise['low']:.3f} - {noise['high']:.3f})"
    return f"{where} {interval}: what lies within {floor:.1%} of 1 is no difference"


def _pays(row):
    where = f"{row.implementation}, {row.task}, batch {row.batch_size}: compiling ({row.first_seconds:.1f} s at first)"
    if math.isinf(row.pays_after_calls):
        return f"{where} does not pay: calls are no faster by it"
    return f"{where} has paid after {row.pays_after_calls:,.0f} calls"


def costs_table(costs):
    """Of `costs.costs`, for people: seconds, megabytes (1e6 bytes) and lines."""

    def cell(value, form, scale=1.0):
        return "" if value is None else form.format(value * scale)

    return pd.DataFrame(
        {
            "implementation": row["implementation"],
            "import, s": cell(row["import_seconds"], "{:.2f}"),
            "first prediction, s": cell(row["first_prediction_seconds"], "{:.4f}"),
            "first step, s": cell(row["first_step_seconds"], "{:.4f}"),
            "peak memory, MB": cell(row["peak_memory_bytes"], "{:,.0f}", 1e-6),
            "installed, MB": cell(row["installed_bytes"], "{:,.0f}", 1e-6),
            "packages": str(len(row["packages"])),
            "lines of code": str(row["code_lines"]),
        }
        for row in costs
    )
