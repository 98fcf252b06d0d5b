"""Phenotypes: how alike groups of people are, as a heat map; and which genes or diseases fit most people, as bars."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from nhsgen.plots.bars import rows_of
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    PALE,
    canvas,
    footnote,
    is_number,
    label,
    number,
    page,
    records,
    say_why,
)
from nhsgen.results import Released, drawn_by

__all__ = ["phenotype_match", "similarity"]

_MOST_BARS, _MOST_GROUPS = 25, 20
_DARK = 0.55
"""From this similarity on the squares are so dark that white letters are read better."""


@drawn_by("similarity")
def similarity(result: Released) -> Figure:
    """A square for every two groups, the darker the more alike they are, with the number in it; beside each group its people.

    A square without a number is grey and says why.
    """
    rows = records(result, "group", "other", "similarity", "people")
    people = {str(row["group"]): row["people"] for row in rows}
    names = list(people)[:_MOST_GROUPS]
    left_out = len(people) - len(names)
    note = f"{left_out:,} more groups in the table." if left_out else ""
    side = 0.62 * max(len(names), 3)
    figure = page(result.title, side + 3.4, side + 1.7, note)
    axes = figure.add_subplot()
    shades = np.full((max(len(names), 1),) * 2, np.nan)
    for row in rows:
        one, other, cell = str(row["group"]), str(row["other"]), row["similarity"]
        if one in names and other in names:
            place = names.index(one), names.index(other)
            shades[place] = number(cell)
            text, colour = (f"{number(cell):.2f}", "black") if is_number(cell) else (str(cell), GREY)
            colour = "white" if shades[place] >= _DARK else colour
            axes.annotate(text, place[::-1], ha="center", va="center", fontsize=9, color=colour)
    image = axes.imshow(shades, cmap=colormaps["cividis_r"].with_extremes(bad=PALE), vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), [f"{name} ({people[name]})" for name in names])
    axes.set_ylabel("group (people)")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="similarity of phenotypes", shrink=0.8)
    return figure


@drawn_by("phenotype_match")
def phenotype_match(result: Released) -> Figure:
    """Bars of people by the gene, or the disease, that is among the first to fit their phenotypes."""
    names, cells = rows_of(result, "people")
    names, cells = names[:_MOST_BARS], cells[:_MOST_BARS]
    figure, axes = canvas(result, len(names), 0)
    more = len(result.table.rows) - len(names)
    footnote(figure, f"{more:,} more in the table." if more else "")
    for place, cell in enumerate(cells):
        if is_number(cell):
            axes.barh(place, number(cell), color=BLUE, height=0.7)
            axes.annotate(f" {cell}", (number(cell), place), va="center", fontsize=9)
        else:
            say_why(axes, place, cell)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    label(axes, [name if len(name) <= 60 else f"{name[:57]}..." for name in names], "people whose phenotypes it fits")
    return figure
