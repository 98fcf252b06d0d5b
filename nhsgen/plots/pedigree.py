"""Families: small pedigrees, one for each way a variant passes from parents to a child, with how many families show it; in how many a
gene goes with the illness; and how many trios break Mendel's law.

Who weighs up a candidate variant sees here at a glance whether it is new in the children, comes from both parents, or runs down one side.
"""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    MOST_ROWS,
    PALE,
    canvas,
    is_number,
    label,
    number,
    page,
    records,
    say_why,
)
from nhsgen.results import Cell, Released, drawn_by

__all__ = ["cosegregation", "pedigrees", "trio_quality"]

MOST_PEDIGREES = 24
_ACROSS = 6


@drawn_by("segregation")
def pedigrees(result: Released) -> Figure:
    """A father (square), a mother (circle) and a child (diamond, filled when affected) for each pattern of genotypes, and the number of
    families with it, the most frequent first.

    "child affected" ("yes" or "no") fills the child or not, where the table has that column; without it every child is an affected one.
    A dot marks a parent who carries the variant. Where the table has several genes or variants, each is named.
    """
    rows = records(result, "mother", "father", "child", "families")
    several = [name for name in ("gene", "variant") if len({str(row[name]) for row in rows if name in row}) > 1]
    rows.sort(
        key=lambda row: (not is_number(row["families"]), -number(row["families"]) if is_number(row["families"]) else 0)
    )
    shown = rows[:MOST_PEDIGREES]
    across = min(max(len(shown), 1), _ACROSS)
    down = max(1, math.ceil(len(shown) / across))
    note = "Filled: affected. A dot: a parent who carries the variant."
    more = f" {len(rows) - len(shown):,} further patterns are in the table." if len(rows) > len(shown) else ""
    figure = page(result.title, max(6.0, 1.7 * across), 0.9 + 1.9 * down, note + more)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, row in zip(panels, shown, strict=False):
        _pedigree(axes, row, [str(row[name]) for name in several])
    for axes in panels[len(shown) :]:
        axes.remove()
    return figure


def _pedigree(axes: Axes, row: dict[str, Cell], named: Sequence[str] = ()) -> None:
    mother, father, child = (str(row[who]) for who in ("mother", "father", "child"))
    affected = "child affected" not in row or str(row["child affected"]).lower() in ("yes", "true", "affected", "1")
    axes.plot([-1, 1], [1, 1], color="black", linewidth=1, zorder=0)
    axes.plot([0, 0], [1, -0.8], color="black", linewidth=1, zorder=0)
    axes.add_patch(Rectangle((-1.35, 0.65), 0.7, 0.7, facecolor="white", edgecolor="black", linewidth=1.3))
    axes.add_patch(Circle((1, 1), 0.37, facecolor="white", edgecolor="black", linewidth=1.3))
    diamond = [(0, -0.35), (0.45, -0.8), (0, -1.25), (-0.45, -0.8)]
    axes.add_patch(Polygon(diamond, facecolor="black" if affected else "white", edgecolor="black", linewidth=1.3))
    for x, genotype in ((-1, father), (1, mother)):
        if "1" in genotype:
            axes.plot(x, 1, "o", color="black", markersize=4)
        axes.annotate(genotype, (x, 0.55), ha="center", va="top", fontsize=9)
    axes.annotate(child, (0, -1.32), ha="center", va="top", fontsize=9)
    cell = row["families"]
    number_of = f"{cell} {'family' if number(cell) == 1 else 'families'}" if is_number(cell) else f"families: {cell}"
    heading = axes.set_title("\n".join([*named, number_of]), fontsize=10)
    if not is_number(cell):
        heading.set(color=GREY, style="italic")
    axes.set_xlim(-1.7, 1.7)
    axes.set_ylim(-1.9, 1.5)
    axes.set_aspect("equal")
    axes.set_axis_off()


@drawn_by("cosegregation")
def cosegregation(result: Released) -> Figure:
    """A bar for each gene and model: pale, the families in which somebody ill carries; blue, those in which it goes with the illness."""
    rows = records(result, "gene", "model", "families", "of")
    shown = rows[:MOST_ROWS]
    figure, axes = canvas(result, len(shown), len(rows) - len(shown))
    for place, row in enumerate(shown):
        axes.barh(place, number(row["of"]), color=PALE, height=0.7)
        if is_number(row["families"]):
            axes.barh(place, number(row["families"]), color=BLUE, height=0.7)
            axes.annotate(f" {row['families']} of {row['of']}", (number(row["of"]), place), va="center", fontsize=9)
        else:
            say_why(axes, place, row["families"])
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    label(
        axes,
        [f"{row['gene']}, {row['model']}" for row in shown],
        "families in which somebody ill carries such an allele",
    )
    return figure


@drawn_by("trio_quality")
def trio_quality(result: Released) -> Figure:
    """Bars of trios in each bin: a panel for each of what is counted of them."""
    rows = records(result, "what", "number", "trios")
    parts = list(dict.fromkeys(str(row["what"]) for row in rows))
    figure = page(result.title, 8.4, 1.3 + 0.36 * max((len(rows) + 1) // 2, 4))
    for axes, part in zip(figure.subplots(1, max(len(parts), 1), squeeze=False).ravel(), parts, strict=False):
        here = [row for row in rows if str(row["what"]) == part]
        for place, row in enumerate(here):
            if is_number(row["trios"]):
                axes.barh(place, number(row["trios"]), color=BLUE, height=0.7)
                axes.annotate(f" {row['trios']}", (number(row["trios"]), place), va="center", fontsize=9)
            else:
                say_why(axes, place, row["trios"])
        axes.set_title(part, fontsize=9, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.15)
        axes.set_xlim(left=0)
        label(axes, [str(row["number"]) for row in here], "trios")
    return figure
