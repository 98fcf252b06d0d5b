"""Estimates with their uncertainty: odds ratios by gene, effects by site, hazard ratios by term."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    MOST_ROWS,
    VERMILION,
    canvas,
    footnote,
    is_number,
    label,
    left_out,
    log_axis,
    name_points,
    number,
    page,
    records,
    say_why,
)
from nhsgen.results import Cell, NotRun, Released, Value, drawn_by

__all__ = ["burden", "forest", "hazards", "volcano"]

ALL_SITES = "all sites"
MOST_NAMES = 10


@drawn_by("burden")
def burden(result: Released) -> Figure:
    """Odds ratios with 95 % intervals, a gene a line, on a logarithmic axis; filled when p is below 0.05 / genes. Genes with
    nothing to show are counted below, not drawn."""
    rows = records(result, "gene", "odds ratio", "95 % low", "95 % high", "p")
    shown = [row for row in rows if isinstance(row["p"], Value)][:MOST_ROWS]
    figure, axes = canvas(result, len(shown), len(rows) - len(shown))
    strict = 0.05 / _tested(rows)
    drawn: list[float] = [1.0]
    for place, row in enumerate(shown):
        ratio, low, high, p = (number(row[name]) for name in ("odds ratio", "95 % low", "95 % high", "p"))
        drawn += [x for x in (low, high) if x > 0]
        _interval(axes, place, ratio, low, high, filled=p < strict)
        _beside(axes, place, f"p = {row['p']}")
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
    log_axis(axes, drawn)
    label(axes, [str(row["gene"]) for row in shown], "odds ratio with 95 % interval (right of 1: more often in cases)")
    return figure


def _tested(rows: Sequence[dict[str, Cell]]) -> int:
    """How many genes were tested, those of which nothing is shown among them."""
    return max(1, sum(not isinstance(row["p"], NotRun) for row in rows))


def volcano(result: Released) -> Figure:
    """A burden result as odds ratio against p: what is far to a side is a strong effect, what is high is sure. The strongest are named."""
    rows = records(result, "gene", "odds ratio", "p")
    shown = [
        row for row in rows if is_number(row["odds ratio"]) and number(row["odds ratio"]) > 0 and is_number(row["p"])
    ]
    note = (
        f"Not drawn: {len(rows) - len(shown):,} genes without an odds ratio to show." if len(shown) < len(rows) else ""
    )
    figure = page(result.title, 8, 5.5, note)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    tested = _tested(rows)
    strict = 0.05 / tested
    points = [(number(row["odds ratio"]), -math.log10(max(number(row["p"]), 1e-300)), row) for row in shown]
    for strong in (False, True):
        chosen = [point for point in points if (number(point[2]["p"]) < strict) == strong]
        axes.plot(
            [x for x, _, _ in chosen], [y for _, y, _ in chosen], "o" if strong else ".", color=VERMILION if strong else BLUE,
            markeredgecolor="white" if strong else BLUE, markersize=8 if strong else 6,
        )  # fmt: skip
    axes.axhline(-math.log10(strict), color=GREY, linewidth=1, linestyle="--")
    axes.annotate(
        f"0.05 /\n{tested:,} gene{'' if tested == 1 else 's'}",
        (1.005, -math.log10(strict)),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
    )
    axes.axvline(1, color=GREY, linewidth=1, linestyle=":")
    log_axis(axes, [x for x, _, _ in points])
    axes.margins(x=0.12, y=0.1)
    axes.set_ylim(bottom=0)
    strongest = sorted(points, key=lambda point: -point[1])
    figure.draw_without_rendering()
    name_points(axes, [(x, y, str(row["gene"])) for x, y, row in strongest if number(row["p"]) < 0.05][:MOST_NAMES])
    axes.set_xlabel("odds ratio (right of 1: more often in cases)")
    axes.set_ylabel("$-$log$_{10}$ p")
    return figure


@drawn_by("meta")
def forest(result: Released) -> Figure:
    """An effect at each site and over all of them: squares as large as the site's weight, a diamond for all sites. Of several alleles
    the diamonds alone, the strongest first."""
    every = records(result, "site", "estimate", "low", "high", "weight")
    rows = every[:MOST_ROWS]
    alleles = len({str(row.get("variant", "")) + str(row.get("trait", "")) for row in every}) > 1
    whole = sum(number(row["weight"]) for row in rows if not _pooled(row) and is_number(row["weight"])) or 1.0
    figure, axes = canvas(result, len(rows), 0)
    for place, row in enumerate(rows):
        estimate, low, high = (number(row[name]) for name in ("estimate", "low", "high"))
        if not math.isfinite(estimate):
            say_why(axes, place, row["estimate"])
            continue
        share = 0.0
        if _pooled(row):
            axes.add_patch(
                Polygon(
                    [(low, place), (estimate, place - 0.3), (high, place), (estimate, place + 0.3)], color=VERMILION
                )
            )
        else:
            share = max(number(row["weight"]) / whole, 0.0) if is_number(row["weight"]) else 0.0
            axes.plot([low, high], [place, place], color=BLUE, linewidth=1.5)
            axes.plot(estimate, place, "s", color=BLUE, markersize=4 + 12 * math.sqrt(share))
        if _pooled(row) and not alleles:
            axes.axvline(estimate, color=VERMILION, linewidth=1, linestyle=":", zorder=0)
        _beside(axes, place, f"{_range(row, 'estimate')}{f'   {share:.0%}' if share else ''}")
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    axes.margins(x=0.05)
    names = [f"{row.get('gene', '')} {row.get('variant', '')}".strip() if alleles else str(row["site"]) for row in rows]
    weights = "" if alleles else ", and the site's weight"
    label(axes, names, f"effect with 95 % interval; right: the numbers{weights}")
    more = (
        f"{len(every) - len(rows):,} more alleles, with less to see, are in the table."
        if len(rows) < len(every)
        else ""
    )
    footnote(figure, more or left_out([row["estimate"] for row in rows], "site"))
    return figure


def _pooled(row: dict[str, Cell]) -> bool:
    return str(row["site"]) == ALL_SITES


@drawn_by("hazards")
def hazards(result: Released) -> Figure:
    """Hazard ratios with 95 % intervals, a term a line, on a logarithmic axis; filled when p is below 0.05. A ratio that is another
    early than late says so."""
    rows = records(result, "term", "hazard ratio", "low", "high", "p")[:MOST_ROWS]
    figure, axes = canvas(result, len(rows), len(result.table.rows) - len(rows))
    drawn: list[float] = [1.0]
    for place, row in enumerate(rows):
        ratio, low, high, p = (number(row[name]) for name in ("hazard ratio", "low", "high", "p"))
        if not math.isfinite(ratio):
            say_why(axes, place, row["hazard ratio"])
            continue
        drawn += [x for x in (low, ratio, high) if math.isfinite(x) and x > 0]
        _interval(axes, place, ratio, low, high, filled=p < 0.05)
        changes = number(row["proportional p"]) < 0.05 if "proportional p" in row else False
        _beside(
            axes, place, f"{_range(row, 'hazard ratio')}   p = {row['p']}{'; changes with time' if changes else ''}"
        )
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
    log_axis(axes, drawn)
    label(axes, [str(row["term"]) for row in rows], "hazard ratio with 95 % interval (right of 1: sooner)")
    return figure


def _interval(axes: Axes, place: float, middle: float, low: float, high: float, *, filled: bool) -> None:
    colour = VERMILION if filled else BLUE
    axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot(middle, place, "o", color=colour, markerfacecolor=colour if filled else "white", markersize=7)


def _beside(axes: Axes, place: float, text: str) -> None:
    axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)


def _range(row: dict[str, Cell], middle: str) -> str:
    return f"{row[middle]} ({row['low']} to {row['high']})"
