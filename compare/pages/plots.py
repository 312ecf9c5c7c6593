"""Plots as SVG text that takes ink and grid from the page around it, so that it reads in light and in dark.

One narrow panel a picture: the page lays them side by side, or below each other on a phone. Bytes are stable: the same
rows give the same text.
"""

import io
import re

import matplotlib
import numpy as np
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from compare.starts import mean_interval

# Okabe & Ito's palette, made for all kinds of colour vision; its vermilion is kept for limits and failures.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
FAILURE = "#d55e00"
MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("P", "✚"))  # 6 beside 5 colours: 30 pairs
LINES = ("-", "--", ":", "-.")
# Placeholders, written by matplotlib and read by the page's style sheet.
INK, GRID = "#010203", "#040506"
STYLE = {
    "svg.hashsalt": "cnn-compare",
    "svg.fonttype": "none",
    "font.size": 11,
    "axes.titlesize": 12,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
WIDTH = 4.7  # inches of 72 points: reads on a phone without shrinking much
PAST = 1.27  # where a share above the allowance is drawn, whatever its size


def legend(names):
    """(name, colour, character) for each implementation, as all plots draw them."""
    return [(name, PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)][1]) for i, name in enumerate(names)]


def allowances(frame, dtype, names, quantities):
    """Every row's share of its rounding allowance, a line a quantity, a lane and colour an implementation.

    Args:
        frame: parity rows of one or more dtypes.
        dtype: the one to draw.
        names: implementations, in the order of their colours.
        quantities: (stage, quantity) from top to bottom.
    Returns:
        SVG text, "" where no row of that dtype holds a share.
    """
    judged = frame["outcome"].isin(["agrees", "differs"])  # what was not offered or not reached has no share
    rows = frame[(frame["dtype"] == dtype) & frame["implementation"].isin(names) & judged]
    if rows.empty:
        return ""
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(0.9 + 0.27 * len(quantities))
        place = {quantity: number for number, (_, quantity) in enumerate(quantities)}
        stages = list(dict.fromkeys(stage for stage, _ in quantities))
        for stage, quantity in quantities:
            if stages.index(stage) % 2 == 0:
                axes.axhspan(place[quantity] - 0.5, place[quantity] + 0.5, color=GRID, alpha=0.25, linewidth=0)
        axes.axvline(1, color=FAILURE, linewidth=1.6)
        for number, (name, colour, _) in enumerate(legend(names)):
            mine = rows[rows["implementation"] == name]
            lane = 0.7 * ((number + 0.5) / len(names) - 0.5)
            # points on top of each other are one: most rows are exact, and the page stays small
            points = {
                (place[q], round(min(used, PAST), 3), used <= 1)
                for q, used in zip(mine["quantity"], mine["allowance_used"], strict=True)
                if q in place
            }
            for good, size, edge in ((True, 3.5, "none"), (False, 6.5, FAILURE)):
                chosen = sorted((where, used) for where, used, fine in points if fine is good)
                y, x = np.array(chosen).reshape(-1, 2).T
                look = {"marker": MARKERS[number % len(MARKERS)][0], "color": colour, "markersize": size}
                axes.plot(x, y + lane, linestyle="none", markeredgecolor=edge, markeredgewidth=0 if good else 2, **look)
        axes.set(title=dtype, xlim=(-0.02, 1.37), ylim=(len(quantities) - 0.5, -0.5))
        axes.set_yticks(range(len(quantities)), [quantity for _, quantity in quantities], parse_math=False)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1, PAST], ["0%", "25%", "50%", "75%", "100%", "more"])
        axes.set_xlabel("share of the rounding allowance")
        axes.tick_params(length=0)
        axes.grid(axis="x")
        return _svg(
            figure,
            f"allowance-{dtype}",
            f"Share of the rounding allowance by quantity, {dtype}; the table above holds the worst of each.",
        )


def curves(frame, start, names):
    """Test accuracy and test loss by epoch of the trainings from one kind of start; of several seeds mean and interval.

    Args:
        frame: accuracy rows of the finished trainings from all starts, whose ranges the panels share.
        start: "same" or "own".
        names: implementations, in the order of their colours.
    Returns:
        SVG text, "" where nothing was trained from that start.
    """
    if frame[frame["start"] == start].empty:
        return ""
    # after one epoch the point before training is all there is to compare with; later it would hide every difference
    first = 0 if frame["epoch"].max() < 2 else 1
    shown = frame[(frame["epoch"] >= first) & (frame["epoch"] % 1 == 0)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, column, label in zip(
            panels, ("test_accuracy", "test_loss"), ("test accuracy", "test loss (nats)"), strict=True
        ):
            for number, (name, colour, _) in enumerate(legend(names)):
                rows = shown[(shown["start"] == start) & (shown["implementation"] == name)]
                spread = [(epoch, *mean_interval(values)) for epoch, values in rows.groupby("epoch")[column]]
                x, y, half = np.array(spread).reshape(-1, 3).T
                aside = 0.09 * (number - (len(names) - 1) / 2)
                look = {"linestyle": LINES[number % len(LINES)], "linewidth": 2, "color": colour, "capsize": 4}
                marks = {"marker": MARKERS[number % len(MARKERS)][0], "markersize": 7, "mec": INK, "mew": 0.6}
                axes.errorbar(x + aside, y, half if np.isfinite(half).any() else None, **look, **marks)
            axes.set_ylim(*_range(shown[column]))
            axes.set_ylabel(label)
            axes.grid(axis="y")
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
        panels[0].set_title({"same": "The same start for all", "own": "Each framework's own start"}[start])
        panels[1].set_xlabel("epochs of training" if first else "epochs of training (0: before)")
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[1].set_xlim(first - 0.4, frame["epoch"].max() + 0.4)
        return _svg(
            figure,
            f"accuracy-{start}",
            f"Test accuracy and test loss by epoch, {start} start; the table below holds the last epoch.",
        )


def _range(values):
    """Limits of an axis around all values, no narrower than 0.02: one digit must not look like a gulf."""
    low, high = float(values.min()), float(values.max())
    margin = max(0.15 * (high - low), (0.02 - (high - low)) / 2)
    return low - margin, high + margin


def bars(frame, task, names):
    """Microseconds an image by batch size, a bar an implementation, with quartile whiskers, on a logarithmic axis.

    Args:
        frame: speed rows of all tasks, whose range the panels share.
        task: "train" or "predict".
        names: (implementation, title), in the order of their colours.
    Returns:
        SVG text, "" where nothing was timed in that task.
    """
    timed = frame[frame["outcome"] == "timed"]
    rows = timed[timed["task"] == task]
    if rows.empty:
        return ""
    columns = ["seconds_per_image", "seconds_per_image_low", "seconds_per_image_high"]
    limits = timed[columns].astype(float) * 1e6
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(1.0 + 0.3 * (len(rows) + rows["batch_size"].nunique()))
        axes.set_xscale("log")
        left = 10.0 ** np.floor(np.log10(limits.min().min()) - 0.15)
        position, ticks = 0.0, []
        colours = {name: colour for name, colour, _ in legend([name for name, _ in names])}
        for size, group in rows.groupby("batch_size"):
            heading = "1 image a call" if size == 1 else f"{size} images a call"
            axes.text(left, position, f" {heading}", va="center", fontweight="bold")
            position += 0.95
            for name, title in names:
                for row in group[group["implementation"] == name].itertuples():
                    middle, low, high = (getattr(row, column) * 1e6 for column in columns)
                    axes.barh(position, middle - left, 0.72, left, color=colours[name])
                    axes.plot([low, high], [position] * 2, color=INK, linewidth=1.6, marker="|", markersize=7)
                    label = f"{middle:.3g}" if middle < 100 else f"{middle:,.0f}"
                    axes.annotate(label, (high, position), (7, 0), textcoords="offset points", va="center")
                    ticks.append((position, title))
                    position += 1
            position += 0.35
        axes.set(xlim=(left, limits.max().max() * 2.2), ylim=(position - 0.6, -0.6))
        axes.set_title({"train": "Training step", "predict": "Prediction"}.get(task, task), parse_math=False)
        axes.set_yticks([where for where, _ in ticks], [title for _, title in ticks], parse_math=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("microseconds an image, shorter is faster")
        axes.tick_params(length=0)
        axes.grid(axis="x")
        return _svg(
            figure,
            f"speed-{task}",
            f"Microseconds an image, task {task}, by batch size and implementation; the table below holds the numbers.",
        )


def _figure(height):
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure, name, label):
    """The figure as an element to stand in a page: ids of its own, the page's colours, a name for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    opening, body = text[text.index("<svg") :].split(">", 1)
    viewbox = opening.partition('viewBox="')[2].partition('"')[0]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    for number, colour in enumerate(PALETTE):
        body = body.replace(colour, f"var(--series-{number})")
    for colour, variable in ((INK, "ink"), (GRID, "grid"), (FAILURE, "failure")):
        body = body.replace(colour, f"var(--{variable})")
    head = (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="{viewbox}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + re.sub(r"\n\s*", "\n", body).strip()
