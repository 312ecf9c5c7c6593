"""Rows to the curves of a page: rates by batch size, accuracy and drift by step."""

import numpy as np

from compare.clock.targets import flops_per_image
from compare.pages import plots
from compare.pages.words import title


def rates(frame, task, names):
    """Images a second against batch size of what was timed in a task, with the limit of the matrix-product rate."""
    rows = frame[(frame["outcome"] == "timed") & (frame["task"] == task)]
    series = {}
    for name, group in rows.sort_values("batch_size").groupby("implementation", sort=False):
        rate = (1 / group["seconds_per_image"].astype(float)).tolist()
        sizes = [int(size) for size in group["batch_size"]]
        said = [
            f"{title(name)}, batch {size:,}: {each:,.0f} images a second"
            for size, each in zip(sizes, rate, strict=True)
        ]
        series[name] = (sizes, rate, said)
    limit = frame.attrs.get("gemm_flops_per_second")
    if series and limit and np.isfinite(limit):
        most = limit / flops_per_image(frame.attrs["input_shape"], task=task)
        sizes = [size for each in series.values() for size in each[0]]
        limit = ([min(sizes), max(sizes)], [most, most], f"as fast as products of matrices: {most:,.0f}")
    else:
        limit = None
    words = {"train": "training steps", "predict": "predictions"}.get(task, task)
    label = f"Images a second by batch size, {words}, both on logarithmic axes; the table of speed holds the numbers."
    heading = f"{words.capitalize()}: images a second"
    return plots.lines(series, names, f"rates-{task}", label, ("images a call", heading), ("log", "log"), limit)


def curves(frame, start, column, names):
    """Accuracy or loss of the watched test images by step, means over the trainings from one kind of start."""
    series = {}
    what = column.removeprefix("watched_")
    for name, group in frame[frame["start"] == start].groupby("implementation", sort=False):
        middle = group.groupby("step")[column].mean()
        form = "{:.2%}" if what == "accuracy" else "{:.4f} nats"
        said = [f"{title(name)}, step {step:,}: {form.format(value)}" for step, value in middle.items()]
        series[name] = (middle.index.tolist(), middle.tolist(), said)
    heading = {"accuracy": "Test accuracy", "loss": "Test loss (nats)"}[what]
    heading += {"same": ", all from the same starts", "own": ", each from its own starts"}[start]
    label = f"{heading}, by step of training; the table of accuracy holds the ends."
    labels = ("steps of training", heading)
    return plots.lines(
        series, names, f"{what}-{start}", label, labels, ("symlog", "linear"), percent=what == "accuracy", wide=True
    )


def drift(frame, names, reference):
    """Distance of the parameters from the reference's by step, medians over starts; behind it the reference's own."""
    followed = frame[frame["drift"].notna() & (frame["step"] > 0)]
    own = followed[followed["start"].str.startswith("moved")].groupby("step")["drift"]
    series = {}
    for name, group in followed[followed["start"] == "same"].groupby("implementation", sort=False):
        middle = group.groupby("step")["drift"].median()
        middle = middle[middle > 0]
        if name == reference or middle.empty:
            continue
        said = [f"{title(name)}, step {step:,}: {value:.1e}" for step, value in middle.items()]
        series[name] = (middle.index.tolist(), middle.tolist(), said)
    if not series or not len(own):
        return ""
    steps = np.array(own.max().index)
    most = own.max().to_numpy()
    band = (steps, own.min().to_numpy(), most)
    limit = (steps.tolist(), (most * np.sqrt(steps)).tolist(), "beyond this, from every start, it is a difference")
    label = f"Drift of the parameters from {title(reference)} by step; the table of drift holds the ends."
    labels = ("steps of training", f"Drift from {title(reference)}, share of the parameters' length")
    return plots.lines(series, names, "drift", label, labels, ("log", "log"), limit, band)
