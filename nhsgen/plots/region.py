"""A scan from near: one region with its linkage to the strongest variant, and the genes below.

Who follows up a signal asks here whether it is one signal or two, and which genes lie under it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from nhsgen.errors import BadInput
from nhsgen.genome import Region, Variant, chromosome
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    VERMILION,
    frame_rows,
    is_number,
    left_out,
    legend_beside,
    number,
    page,
    records,
)
from nhsgen.plots.scan import GENOME_WIDE, read
from nhsgen.results import Released, drawn_by

if TYPE_CHECKING:
    import polars as pl

__all__ = ["linkage", "regional"]

_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8)
_SHADES = tuple(
    to_hex(colormaps["viridis_r"](share)) for share in (0.12, 0.35, 0.55, 0.75, 0.97)
)  # pale to dark, in grey too


def regional(
    result: Released,
    region: Region | str,
    ld: Released | None = None,
    genes: "pl.DataFrame | None" = None,
    *,
    trait: str | None = None,
) -> Figure:
    """-log10 p in a region (written 1-based, "16:2088708-2135898"); the strongest variant is a diamond.

    ld: a released result of kind "ld" (variant, other, r2): points are shaded by r2 with the strongest variant, grey where none is released.
    genes: gene, start, end (1-based, closed), strand ("+" or "-"), and chrom where the frame has several.
    BadInput when no variant of the region has a p.
    """
    place = Region.parse(region) if isinstance(region, str) else region
    scan = read(result, trait, place)
    if not len(scan.row):
        raise BadInput(f"drawing the region {place}", "no variant there has a p", "choose a region of the scan")
    pos, height = scan.pos / 1e6, scan.height
    column = result.table.columns.index("variant")
    names = [str(result.table.rows[row][column]) for row in scan.row]
    top = int(np.argmax(height))
    linked = _linkage(ld, names[top]) if ld else {}
    r2 = np.array([linked.get(name, np.nan) for name in names])
    left, right = max(place.start / 1e6, pos.min() - 0.01), min(place.end / 1e6, pos.max() + 0.01)

    note = f"No r² with {names[top]} is released." if ld and not linked else scan.note
    heights = (3, 1) if genes is not None else (1,)
    figure = page(f"{result.title} At {place}", 8, 1.4 + 3 * sum(heights) / heights[0] * 1.1, note)
    panels = figure.subplots(len(heights), squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    axes = panels[0]
    unknown = np.isnan(r2)
    axes.plot(
        pos[unknown],
        height[unknown],
        "o",
        color=GREY if ld else BLUE,
        markersize=4,
        alpha=0.8,
        markeredgewidth=0,
        rasterized=True,
    )
    band = np.where(unknown, -1, np.digitize(r2, _EDGES) - 1)
    for step, (low, shade) in reversed(list(enumerate(zip(_EDGES, _SHADES, strict=True)))):
        chosen = band == step
        axes.plot(
            pos[chosen], height[chosen], "o", color=shade, markeredgecolor="black", markeredgewidth=0.4, markersize=5.5, rasterized=True,
            label=f"{low:.1f} to {low + 0.2:.1f}" if ld else None,
        )  # fmt: skip
    axes.plot(pos[top], height[top], "D", color=VERMILION, markeredgecolor="black", markersize=8)
    axes.annotate(
        names[top], (pos[top], height[top]), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8
    )
    axes.axhline(-np.log10(GENOME_WIDE), color=GREY, linewidth=1, linestyle="--")
    axes.set_xlim(left, right)
    axes.set_ylim(0, max(8.0, 1.18 * height[top]))
    axes.set_ylabel("$-$log$_{10}$ p")
    axes.spines[["top", "right"]].set_visible(False)
    if ld:
        legend_beside(axes, "r² with the strongest")
    if genes is not None:
        _draw_genes(panels[1], genes, place.chrom, left, right)
    panels[-1].set_xlabel(f"place on chromosome {place.chrom}, megabases")
    return figure


@drawn_by("ld")
def linkage(result: Released) -> Figure:
    """How r2 falls with the distance between two alleles, in thousand bases."""
    rows = [row for row in records(result, "variant", "other", "r2") if is_number(row["r2"])]
    pairs = [(Variant.parse(str(row["variant"])), Variant.parse(str(row["other"]))) for row in rows]
    figure = page(result.title, 7, 4.2, left_out(result.table.column("r2"), "pair"))
    axes = figure.add_subplot()
    apart = [abs(one.pos - other.pos) / 1e3 for one, other in pairs]
    axes.plot(
        apart,
        [number(row["r2"]) for row in rows],
        "o",
        color=BLUE,
        markersize=4,
        alpha=0.6,
        markeredgewidth=0,
        rasterized=True,
    )
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(left=0)
    axes.set_xlabel("thousand bases between the two alleles")
    axes.set_ylabel("r²")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _linkage(ld: Released, lead: str) -> dict[str, float]:
    """r2 of each variant with the lead, whichever of the two columns either stands in."""
    found = {}
    for row in records(ld, "variant", "other", "r2"):
        pair = (str(row["variant"]), str(row["other"]))
        if lead in pair and is_number(row["r2"]):
            found[pair[0] if pair[1] == lead else pair[1]] = number(row["r2"])
    return found


def _draw_genes(axes: Axes, genes: "pl.DataFrame", chrom: str, left: float, right: float) -> None:
    """Genes as bars with their names and an arrow for the strand, in as few lines as hold them."""
    letter = 0.011 * (right - left)
    spans = []
    for row in frame_rows(genes, "genes of a region", "gene", "start", "end", "strand"):
        start, end = float(str(row["start"])) / 1e6, float(str(row["end"])) / 1e6
        if end >= left and start <= right and chromosome(str(row.get("chrom", chrom))) == chrom:
            start, end = max(start, left), min(end, right)
            name = f"{row['gene']} →" if row["strand"] in ("+", 1) else f"← {row['gene']}"
            half = letter * len(name) / 2
            spans.append((start, end, min(max((start + end) / 2, left + half), right - half), half, name))
    spans.sort()
    lines = _lines([(min(start, at - half), max(end, at + half) + letter) for start, end, at, half, _ in spans])
    for (start, end, at, _, name), line in zip(spans, lines, strict=True):
        axes.plot([start, end], [line, line], color=BLUE, linewidth=4, solid_capstyle="butt")
        axes.annotate(
            name, (at, line), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=7, style="italic"
        )
    axes.set_ylim(max(lines, default=0) + 0.5, -0.9)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _lines(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The first line on which each span, from left to right, touches no earlier one.

    >>> _lines([(0, 5), (1, 3), (4, 8), (6, 9)])
    [0, 1, 1, 0]
    """
    ends: list[float] = []
    lines = []
    for left, right in spans:
        line = next((i for i, taken in enumerate(ends) if taken <= left), len(ends))
        ends[line : line + 1] = [right]
        lines.append(line)
    return lines
