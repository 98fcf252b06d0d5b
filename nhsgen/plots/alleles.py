"""Alleles: how common each one is, and where in its gene it lies."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nhsgen.errors import BadInput
from nhsgen.genome import Variant
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    MARKERS,
    MOST_ROWS,
    PALETTE,
    by_name,
    canvas,
    is_number,
    label,
    legend_beside,
    number,
    only_one,
    page,
    records,
    say_why,
    why_hidden,
)
from nhsgen.results import Released, Value, Zero, drawn_by

__all__ = ["frequencies", "lollipop"]


@drawn_by("frequencies")
def frequencies(result: Released) -> Figure:
    """Allele frequency by variant, as dots."""
    rows = records(result, "variant", "allele frequency")
    shown = rows[:MOST_ROWS]
    names = [", ".join(str(row[name]) for name in ("variant", "gene") if name in row) for row in shown]
    figure, axes = canvas(result, len(shown), len(rows) - len(shown))
    for place, cell in enumerate(row["allele frequency"] for row in shown):
        if isinstance(cell, Value | Zero):
            axes.plot(number(cell), place, "o", color=BLUE)
        else:
            say_why(axes, place, cell)
    label(axes, names, "allele frequency in the cohort")
    return figure


def lollipop(result: Released, gene: str | None = None) -> Figure:
    """Carriers of each variant along one gene, from a result of kind "frequencies"; coloured by consequence where that is a column.

    A suppressed variant is a grey cross below the line: it is there, and how many carry it is not said.
    BadInput when the result holds several genes and none is named, or a variant without a place.
    """
    chosen = only_one(result, "gene", gene)
    rows = [row for row in records(result, "variant", "gene", "carriers") if str(row["gene"]) == chosen]
    kinds = [str(row.get("consequence", "")).replace("_", " ") for row in rows]
    colours, shapes = by_name(kinds, PALETTE), by_name(kinds, MARKERS, 1)
    places = [Variant.parse(str(row["variant"])) for row in rows]
    if len({place.chrom for place in places}) > 1:
        raise BadInput(f"drawing the gene {chosen}", "its variants lie on several chromosomes", "name one gene")
    hidden = [i for i, row in enumerate(rows) if not is_number(row["carriers"])]
    why = why_hidden([row["carriers"] for row in rows])
    axes = (figure := page(f"{result.title} {chosen}", 9, 4.2, why)).add_subplot()
    most = max((number(row["carriers"]) for row in rows if is_number(row["carriers"])), default=1.0) or 1.0
    for row, place, kind in zip(rows, places, kinds, strict=True):
        if is_number(row["carriers"]):
            axes.plot([place.pos, place.pos], [0, number(row["carriers"])], color=GREY, linewidth=1, zorder=1)
            axes.plot(
                place.pos,
                number(row["carriers"]),
                shapes[kind],
                color=colours[kind],
                markersize=8,
                markeredgecolor="white",
            )
    axes.plot([places[i].pos for i in hidden], [-0.07 * most] * len(hidden), "x", color=GREY, markersize=5)
    axes.axhline(0, color="black", linewidth=3, zorder=0)
    for kind in colours if any(kinds) else ():
        axes.plot([], [], shapes[kind], color=colours[kind], label=kind)
    if any(kinds):
        legend_beside(axes)
    axes.set_ylim(-0.14 * most, 1.12 * most)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.margins(x=0.04)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"place on chromosome {places[0].chrom}, bases")
    axes.set_ylabel("carriers")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    return figure
