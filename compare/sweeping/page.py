"""A sweep as a page: what is best, accuracy against learning rate, and where implementations part."""

import itertools
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from compare import pages, plain
from compare.pages import plots, sealing
from compare.pages.words import title
from compare.sweeping.cell import NONE
from compare.training.accuracy import REFERENCES

PICTURES = 24  # panels that a page shows; the table and the file have the rest
FAILED = 50  # rows that are listed
SETTING = ["implementation", "defect", "optimiser", "batch_size", "learning_rate"]
PANEL = ["defect", "optimiser", "batch_size"]


def by_setting(frame):
    """A row for each setting, over its seeds.

    Returns:
        DataFrame of SETTING, seeds, trained, diverged, failed (counts), accuracy (the mean over those trained), spread
        (standard deviation), low and high.
    """
    groups = frame.groupby(SETTING, sort=False)
    status = frame["status"]
    table = groups.size().rename("seeds").to_frame()
    keys = [frame[name] for name in SETTING]
    table["trained"] = (status == "trained").groupby(keys).sum()
    table["diverged"] = (status == "diverged").groupby(keys).sum()
    table["failed"] = table["seeds"] - table["trained"] - table["diverged"]
    accuracy = groups["test_accuracy"]
    table["accuracy"], table["spread"] = accuracy.mean(), accuracy.std()
    table["low"], table["high"] = accuracy.min(), accuracy.max()
    return table.reset_index()


def best(frame):
    """The best learning rate, by mean accuracy, of each implementation, defect, optimiser and batch size, as text."""
    rows = []
    for key, group in by_setting(frame).groupby(SETTING[:-1], sort=False):
        counts = [f"{int(group[name].sum())}" for name in ("trained", "diverged", "failed")]
        if group["accuracy"].notna().any():
            row = group.loc[group["accuracy"].idxmax()]
            spread = "" if pd.isna(row["spread"]) else f" ± {100 * row['spread']:.1f}"
            counts = [f"{row['learning_rate']:g}", f"{100 * row['accuracy']:.1f}%{spread}", *counts]
        else:
            counts = ["", "", *counts]
        rows.append((*key, *counts))
    columns = ["implementation", "defect", "optimiser", "batch size", "best rate", "test accuracy"]
    return pd.DataFrame(rows, columns=[*columns, "trained", "diverged", "failed"])


def apart(frame):
    """Differences of the test accuracy to the reference's from the same start in the same setting.

    Returns:
        DataFrame of SETTING, seeds (how many both trained), most and mean (of the absolute differences, as fractions);
        of the implementations but the first of `training.REFERENCES` that is there. Empty without one.
    """
    columns = [*SETTING, "seeds", "most", "mean"]
    reference = next((name for name in REFERENCES if name in set(frame["implementation"])), None)
    trained = frame[frame["status"] == "trained"]
    same = [*PANEL, "learning_rate", "seed"]
    theirs = trained[trained["implementation"] == reference].set_index(same)["test_accuracy"]
    mine = trained[trained["implementation"] != reference]
    beside = mine.join(theirs.rename("reference"), on=same, how="inner")
    if beside.empty:
        return pd.DataFrame(columns=columns)
    difference = (beside["test_accuracy"] - beside["reference"]).abs()
    found = difference.groupby([beside[name] for name in SETTING], sort=False).agg(["size", "max", "mean"])
    return found.reset_index().set_axis(columns, axis=1)


def pictures(frame, names):
    """SVG texts: for each defect, optimiser and batch size accuracy against rate, and the difference to the reference.

    The band around a curve goes from the worst seed to the best.
    """
    settings, far = by_setting(frame), apart(frame)
    shown = []
    for number, (key, group) in enumerate(itertools.islice(settings.groupby(PANEL, sort=False), PICTURES)):
        defect, optimiser, batch = key
        what = f"{optimiser}, batch {batch:,}" + ("" if defect == NONE else f", {defect}")
        curves, bands = {}, {}
        for name, mine in group[group["accuracy"].notna()].sort_values("learning_rate").groupby("implementation"):
            x, y = mine["learning_rate"].tolist(), mine["accuracy"].tolist()
            bands[name] = (mine["low"].tolist(), mine["high"].tolist())
            texts = [
                f"{title(name)}, rate {row.learning_rate:g}: {row.accuracy:.1%}, {row.low:.1%} to {row.high:.1%}, "
                f"{row.trained} of {row.seeds} seeds"
                for row in mine.itertuples()
            ]
            curves[name] = (x, y, texts)
        label = f"Test accuracy by learning rate, {what}."
        axes = ("learning rate", f"Test accuracy: {what}")
        scales = ("log", "linear")
        more = {"percent": True, "wide": True, "spreads": bands}
        shown.append(plots.lines(curves, names, f"rate{number}", label, axes, scales, **more))
        curves = {}
        mine = far[(far[PANEL] == list(key)).all(axis=1)] if len(far) else far
        for name, rows in mine.sort_values("learning_rate").groupby("implementation"):
            texts = [
                f"{title(name)}, rate {row.learning_rate:g}: at most {100 * row.most:.2g} points apart, "
                f"{row.seeds} seeds"
                for row in rows.itertuples()
            ]
            curves[name] = (rows["learning_rate"].tolist(), rows["most"].tolist(), texts)
        label = f"Largest difference to the reference by learning rate, {what}."
        axes = ("learning rate", f"At most apart: {what}")
        shown.append(plots.lines(curves, names, f"apart{number}", label, axes, scales, percent=True, wide=True))
    return [Markup(picture) for picture in shown if picture]


def write(frame, about, settings):
    """The page as text: one file that asks for nothing."""
    names = [name for name in settings.implementations if (frame["implementation"] == name).any()]
    reference = next((name for name in REFERENCES if name in names), None)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain.visible(value) if type(value) is str else value,
    )
    failed = frame[~frame["status"].isin(["trained", "diverged"])]
    far = apart(frame)
    page = {
        "style": Markup((Path(pages.__file__).parent / "style.css").read_text()),
        "title": title,
        "frame": frame,
        "about": about,
        "counts": frame["status"].value_counts().to_dict(),
        "best": best(frame),
        "pictures": pictures(frame, names),
        "panels": len(frame[PANEL].drop_duplicates()),
        "most": PICTURES,
        "legend": plots.legend(names),
        "reference": reference,
        "far": far.sort_values("most", ascending=False).head(FAILED) if len(far) else far,
        "failed": failed.head(FAILED),
        "failures": len(failed),
    }
    return sealing.sealed(environment.get_template("page.html.jinja").render(page))
