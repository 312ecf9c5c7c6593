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
from matplotlib.ticker import FuncFormatter, NullLocator

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


def lines(
    series, names, name, label, axes_labels, scales, limit=None, band=None, percent=False, wide=False, spreads=None
):
    """Curves of numbers against steps or batch sizes; every mark says its numbers where the pointer rests on it.

    Args:
        series: {implementation: (x, y, texts)}, texts for each mark.
        names: implementations, in the order of their colours.
        name: of the picture, for its ids.
        label: what a screen reader says of it.
        axes_labels: of x and y.
        scales: of x and y, "log", "symlog" or "linear".
        limit: (x, y, text) of a line that nobody passes, or None.
        band: (x, low, high, text) of an area behind the curves, or None.
        percent: whether y is a fraction, to be shown in percent.
        spreads: {implementation: (low, high)}, of an area around its curve, or None.
        wide: earlier curves wider than later ones: those that lie on each other are all seen.
    Returns:
        SVG text, "" for no series.
    """
    if not series:
        return ""
    tips: list[list[str]] = []
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(3.6)
        if band is not None:
            axes.fill_between(*band[:3], color=GRID, alpha=0.45, linewidth=0)
        for number, (who, colour, _) in enumerate(legend(names)):
            if who not in series:
                continue
            x, y, texts = series[who]
            width = 1.6 + (1.5 * (len(names) - 1 - number) if wide else 0)
            if spreads is not None:
                axes.fill_between(x, *spreads[who], color=colour, alpha=0.16, linewidth=0)
            axes.plot(x, y, LINES[number % len(LINES)], color=colour, linewidth=min(width, 9))
            tips.append(texts)
            look = {"marker": MARKERS[number % len(MARKERS)][0], "color": colour, "markersize": 5 + 0.6 * width}
            axes.plot(x, y, linestyle="none", mec=INK, mew=0.5, gid=f"tips{len(tips)}", **look)
        if limit is not None:
            x, y, text = limit
            axes.plot(x, y, color=FAILURE, linewidth=1.6)
            look = {"textcoords": "offset points", "ha": "right", "va": "bottom", "color": INK, "fontsize": 9}
            axes.annotate(text, (x[-1], y[-1]), (0, 3), **look)
            axes.margins(y=0.1)
        for axis, scale in zip((axes.xaxis, axes.yaxis), scales, strict=True):
            if scale != "linear":
                getattr(axes, f"set_{axis.axis_name}scale")(scale, **({"linthresh": 1} if scale == "symlog" else {}))
        if scales[0] == "log" and all(len(each[0]) < 8 for each in series.values()):
            ticks = sorted({across for each in series.values() for across in each[0]})
            axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.xaxis.set_minor_locator(NullLocator())
        elif scales[0] == "symlog":
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        if percent:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
        elif scales[1] == "log" and max(max(each[1]) for each in series.values()) > 100:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        if scales[1] == "linear" and axes.get_ylim()[0] < 0 <= min(min(each[1]) for each in series.values()):
            axes.set_ylim(bottom=0)
        axes.set_xlabel(axes_labels[0])
        axes.set_title(axes_labels[1], loc="left")
        axes.tick_params(length=0, which="both")
        axes.grid(axis="y")
        return _svg(figure, name, label, tips)


def _figure(height):
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _svg(figure, name, label, tips=()):
    """The figure as an element to stand in a page: ids of its own, the page's colours, a name for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    opening, body = text[text.index("<svg") :].split(">", 1)
    viewbox = opening.partition('viewBox="')[2].partition('"')[0]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    for number, texts in enumerate(tips, 1):
        before, mine = body.split(f'<g id="tips{number}">')
        for text in texts:  # each mark is a `use` of the same shape
            opened, mark, mine = mine.partition("<use ")
            attributes, _, mine = mine.partition("/>")
            before += f"{opened}{mark}{attributes}><title>{escape(text)}</title></use>"
        body = before + mine
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    for number, colour in enumerate(PALETTE):
        body = body.replace(colour, f"var(--series-{number})")
    for colour, variable in ((INK, "ink"), (GRID, "grid"), (FAILURE, "failure")):
        body = body.replace(colour, f"var(--{variable})")
    head = (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="{viewbox}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + re.sub(r"\n\s*", "\n", body).strip()
