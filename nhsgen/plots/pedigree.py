"""Families: small pedigrees, one for each way a variant passes from parents to a child, with how many families show it.

Who weighs up a candidate variant sees here at a glance whether it is new in the children, comes from both parents, or runs down one side.
"""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle

from nhsgen.plots.canvas import GREY, is_number, number, page, records
from nhsgen.results import Cell, Released, drawn_by

__all__ = ["pedigrees"]

MOST_PEDIGREES = 24
_ACROSS = 6


@drawn_by("segregation")
def pedigrees(result: Released) -> Figure:
    """A father (square), a mother (circle) and a child (diamond, filled when affected) for each pattern of genotypes, and the number of
    families with it, the most frequent first.

    "child affected" ("yes" or "no") fills the child or not, where the table has that column; without it every child is an affected one.
    A dot marks a parent who carries the variant.
    """
    rows = records(result, "mother", "father", "child", "families")
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
        _pedigree(axes, row)
    for axes in panels[len(shown) :]:
        axes.remove()
    return figure


def _pedigree(axes: Axes, row: dict[str, Cell]) -> None:
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
    heading = axes.set_title(number_of, fontsize=10)
    if not is_number(cell):
        heading.set(color=GREY, style="italic")
    axes.set_xlim(-1.7, 1.7)
    axes.set_ylim(-1.9, 1.5)
    axes.set_aspect("equal")
    axes.set_axis_off()
