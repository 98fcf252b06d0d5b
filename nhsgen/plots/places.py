"""Where people are: in the space of ancestry, and in the country. Squares of a grid and whole sites are drawn, never a person."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nhsgen.errors import BadInput
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    MARKERS,
    PALETTE,
    by_name,
    frame_rows,
    is_number,
    label,
    name_points,
    need,
    number,
    page,
    records,
    say_why,
    why_hidden,
)
from nhsgen.results import Cell, Released, drawn_by

if TYPE_CHECKING:
    import polars as pl

__all__ = ["frequency_map", "structure"]

MOST_VARIANTS = 12
_LARGEST = 320.0  # the area of the largest bubble, in square points


@drawn_by("structure")
def structure(result: Released) -> Figure:
    """People by the first two principal components: a bubble for each square of the grid, its area the people in it, its colour and shape
    their ancestry. A suppressed square is a small grey cross."""
    rows = records(result, "ancestry", "pc1", "pc2", "people")
    names = list(dict.fromkeys(str(row["ancestry"]) for row in rows))
    colours, shapes = by_name(names, PALETTE), by_name(names, MARKERS, 1)
    why = why_hidden([row["people"] for row in rows])
    figure = page(result.title, 7.6, 5.4, why)
    axes = figure.add_subplot()
    shown = sorted((row for row in rows if is_number(row["people"])), key=lambda row: -number(row["people"]))
    most = number(shown[0]["people"]) if shown and number(shown[0]["people"]) else 1.0
    for row in shown:
        name = str(row["ancestry"])
        axes.scatter(
            number(row["pc1"]), number(row["pc2"]), s=_LARGEST * number(row["people"]) / most, color=colours[name], marker=shapes[name],
            alpha=0.7, edgecolor="white", linewidth=0.6,
        )  # fmt: skip
    hidden = [row for row in rows if not is_number(row["people"])]
    axes.plot(
        [number(row["pc1"]) for row in hidden], [number(row["pc2"]) for row in hidden], "x", color=GREY, markersize=4
    )
    for name in names:
        axes.scatter([], [], s=50, color=colours[name], marker=shapes[name], label=name)
    for people in _round_sizes(most) if shown else ():
        axes.scatter([], [], s=_LARGEST * people / most, color="white", edgecolor="black", label=f"{people:,} people")
    if rows:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, labelspacing=1.1)
    axes.margins(0.08)
    axes.set_xlabel("first principal component")
    axes.set_ylabel("second principal component")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def frequency_map(result: Released, places: "pl.DataFrame | None" = None) -> Figure:
    """How common each variant is at each site, or in each other group of people.

    Without `places`, a panel a group, all on one scale. places: site, longitude, latitude in degrees; then a panel a variant, with a
    bubble at each site, its area the people, its shade the frequency. BadInput when no site of the result has a place.
    """
    rows = records(result, "variant", "people", "allele frequency")
    variants = list(dict.fromkeys(str(row["variant"]) for row in rows))
    note = f"{len(variants) - MOST_VARIANTS:,} more variants in the table. " if len(variants) > MOST_VARIANTS else ""
    rows = [row for row in rows if str(row["variant"]) in variants[:MOST_VARIANTS]]
    if places is None:
        return _by_group(result, rows, variants[:MOST_VARIANTS], note)
    need(result, ("site",))
    return _by_place(result, rows, variants[:MOST_VARIANTS], places, note)


_NOT_A_GROUP = ("variant", "gene", "consequence", "people", "carriers", "allele frequency")


def _by_group(result: Released, rows: Sequence[dict[str, Cell]], variants: Sequence[str], note: str) -> Figure:
    by = [name for name in result.table.columns if name not in _NOT_A_GROUP]
    named = [(", ".join(str(row[name]) for name in by), row) for row in rows]
    told = {name for name, row in named if is_number(row["allele frequency"])}
    everybody = list(dict.fromkeys(name for name, _ in named))
    groups = [name for name in everybody if name in told] or everybody
    if len(groups) < len(everybody):
        note += f"Without a frequency to show: {'; '.join(name for name in everybody if name not in told)}. "
    across = min(max(len(groups), 1), 4)
    down = max(1, math.ceil(len(groups) / across))
    figure = page(result.title, max(6.0, 1.4 + 2.1 * across), 1.4 + down * (0.7 + 0.28 * len(variants)), note)
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, group in zip(panels, groups, strict=False):
        axes.set_title(group, fontsize=9, loc="left")
        for name, row in named:
            place, cell = variants.index(str(row["variant"])), row["allele frequency"]
            if name != group:
                continue
            if is_number(cell):
                axes.plot([0, number(cell)], [place, place], color=BLUE, linewidth=1)
                axes.plot(number(cell), place, "o", color=BLUE)
            else:
                say_why(axes, place, cell)
        axes.spines[["top", "right"]].set_visible(False)
        label(axes, variants, "")
    panels[0].set_xlim(left=0)
    panels[0].xaxis.set_major_locator(MaxNLocator(3))
    for axes in panels[len(groups) :]:
        axes.remove()
    for axes in panels[max(0, len(groups) - across) : len(groups)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("allele frequency")
    return figure


def _by_place(
    result: Released, rows: Sequence[dict[str, Cell]], variants: Sequence[str], places: "pl.DataFrame", note: str
) -> Figure:
    where = {
        str(row["site"]): (float(str(row["longitude"])), float(str(row["latitude"])))
        for row in frame_rows(places, "places of the sites", "site", "longitude", "latitude")
    }
    nowhere = list(dict.fromkeys(str(row["site"]) for row in rows if str(row["site"]) not in where))
    placed = [row for row in rows if str(row["site"]) in where]
    if not placed:
        raise BadInput(
            "drawing a map of frequencies", "no site of the result has a place", "name the sites as the result does"
        )
    note += "The larger a bubble, the more people. "
    note += f"Without a place: {', '.join(nowhere)}. " if nowhere else ""
    why = why_hidden([row["allele frequency"] for row in placed])
    across = min(len(variants), 4)
    down = math.ceil(len(variants) / across)
    figure = page(result.title, max(6.0, 1.2 + 2.6 * across), 0.9 + 3.2 * down, note + why)
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    shown = [number(row["allele frequency"]) for row in placed if is_number(row["allele frequency"])]
    shade = ScalarMappable(Normalize(0, max(shown, default=1.0) or 1.0), "cividis_r")
    most = max((number(row["people"]) for row in placed if is_number(row["people"])), default=1.0) or 1.0
    longitudes, latitudes = zip(*(where[str(row["site"])] for row in placed), strict=True)
    for axes in panels[: len(variants)]:
        axes.set_xlim(*_with_room(longitudes))
        axes.set_ylim(*_with_room(latitudes))
        axes.set_aspect(1 / max(math.cos(math.radians(sum(latitudes) / len(latitudes))), 0.1))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(variants) :]:
        axes.remove()
    for axes in panels[max(0, len(variants) - across) : len(variants)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("longitude")
    for axes in panels[: len(variants) : across]:
        axes.set_ylabel("latitude")
    figure.colorbar(shade, ax=list(panels[: len(variants)]), label="allele frequency", shrink=0.8)
    figure.draw_without_rendering()
    for axes, variant in zip(panels, variants, strict=False):
        here = [row for row in placed if str(row["variant"]) == variant]
        axes.set_title(variant, fontsize=9, loc="left")
        for row in here:
            _bubble(axes, row, where[str(row["site"])], shade, most)
        name_points(axes, [(*where[str(row["site"])], str(row["site"])) for row in here])
    return figure


def _with_room(degrees: Sequence[float]) -> tuple[float, float]:
    room = 0.3 * (max(degrees) - min(degrees)) + 0.5
    return min(degrees) - room, max(degrees) + room


def _bubble(axes: Axes, row: dict[str, Cell], place: tuple[float, float], shade: ScalarMappable, most: float) -> None:
    cell = row["allele frequency"]
    if is_number(cell):
        people = number(row["people"]) if is_number(row["people"]) else 0.0
        area = 30 + 0.6 * _LARGEST * people / most
        axes.scatter(*place, s=area, color=shade.to_rgba(np.array(number(cell))), edgecolor="black", linewidth=0.7)
    else:
        axes.plot(*place, "x", color=GREY, markersize=8)


def _round_sizes(most: float) -> list[int]:
    """Two or three round numbers up to the largest, for a legend of sizes.

    >>> _round_sizes(430), _round_sizes(9)
    ([20, 100, 400], [2, 9])
    """
    sizes = {int(float(f"{most * share:.0e}")) for share in (0.05, 0.25, 1.0)}
    return sorted(size if size <= most else int(most) for size in sizes if size)


drawn_by("frequencies_by_group")(frequency_map)
