"""Quality at a glance: alleles called badly or out of proportion, people's genotypes on public scales, and relatives."""

import numpy as np
from matplotlib.figure import Figure

from nhsgen.plots.bars import stacked
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    VERMILION,
    canvas,
    footnote,
    is_number,
    label,
    left_out,
    number,
    numbers,
    page,
    records,
    why_hidden,
)
from nhsgen.results import Released, drawn_by

__all__ = ["relatedness", "sample_quality", "variant_quality"]

DEVIATING = 1e-6


@drawn_by("variant_quality")
def variant_quality(result: Released) -> Figure:
    """Left, Hardy-Weinberg p against what chance would give; right, against the call rate. Beyond 1e-6 orange-red."""
    p, rate = numbers(result, "HWE p"), numbers(result, "call rate")
    tested = np.sort(p[np.isfinite(p)])
    note = left_out([row["HWE p"] for row in records(result, "HWE p")], "allele")
    figure = page(result.title, 9, 4, note)
    chance, called = figure.subplots(1, 2, sharey=True)
    expected = -np.log10((np.arange(len(tested)) + 0.5) / max(1, len(tested)))
    found = _height(tested)
    chance.plot(expected, found, "o", color=BLUE, markersize=4, markeredgewidth=0, rasterized=True)
    most = max(1.0, float(expected.max(initial=1.0)))
    chance.plot([0, most], [0, most], color="black", linewidth=1, linestyle="--")
    chance.set_xlabel("$-$log$_{10}$ p expected by chance")
    chance.set_ylabel("$-$log$_{10}$ Hardy-Weinberg p")
    height = _height(p)
    for chosen, colour, marker in ((p >= DEVIATING, BLUE, "o"), (p < DEVIATING, VERMILION, "D")):
        called.plot(
            rate[chosen],
            height[chosen],
            marker,
            color=colour,
            markersize=4,
            alpha=0.7,
            markeredgewidth=0,
            rasterized=True,
        )
    called.axhline(-np.log10(DEVIATING), color=GREY, linewidth=1, linestyle=":")
    known = rate[np.isfinite(rate)]
    called.set_xlim(min(0.945, float(known.min(initial=1.0)) - 0.01), 1.005)
    called.set_xlabel("call rate")
    for axes in (chance, called):
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _height(
    p: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    return -np.log10(np.maximum(p, 1e-300))


@drawn_by("sample_quality")
def sample_quality(result: Released) -> Figure:
    """A histogram a measure. A step with too few people to show is a grey cross on the axis: it is there, and not said."""
    rows = records(result, "measure", "from", "to", "people")
    measures = list(dict.fromkeys(str(row["measure"]) for row in rows))
    across = min(max(len(measures), 1), 3)
    down = -(-max(len(measures), 1) // across)
    figure = page(result.title, 1.2 + 2.9 * across, 0.9 + 2.5 * down, why_hidden([row["people"] for row in rows]))
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, measure in zip(panels, measures, strict=False):
        here = [row for row in rows if str(row["measure"]) == measure]
        # Steps that widen tenfold are drawn alike, named by where they begin.
        widths = [number(row["to"]) - number(row["from"]) for row in here]
        even = max(widths) <= 1.5 * min(widths)
        lefts = [number(row["from"]) if even else float(place) for place, row in enumerate(here)]
        for left, width, row in zip(lefts, widths, here, strict=True):
            wide = width if even else 1.0
            if is_number(row["people"]):
                axes.bar(left, number(row["people"]), wide, align="edge", color=BLUE, edgecolor="white", linewidth=0.5)
            else:
                axes.plot(left + wide / 2, 0, "x", color=GREY, markersize=5, clip_on=False, zorder=3)
        if not even:
            axes.set_xticks([left + 0.5 for left in lefts], [_step(number(row["from"]), number(row["to"])) for row in here],
                            rotation=45, ha="right", fontsize=7)  # fmt: skip
        axes.set_xlabel(measure)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(measures) :]:
        axes.remove()
    for axes in panels[: len(measures) : across]:
        axes.set_ylabel("people")
    return figure


def _step(low: float, high: float) -> str:
    """The whole numbers from low up to, but not including, high.

    >>> _step(0, 1), _step(5, 10), _step(100, 200)
    ('0', '5 to 9', '100 to 199')
    """
    return f"{low:,.0f}" if high - low <= 1 else f"{low:,.0f} to {high - 1:,.0f}"


@drawn_by("relatedness")
def relatedness(result: Released) -> Figure:
    """Pairs of relatives by degree; a shade for each site, where they are told by site."""
    rows = records(result, "degree", "pairs")
    rows = [row for row in rows if str(row["degree"]) != "all"]  # a site that did not answer
    degrees = list(dict.fromkeys(str(row["degree"]) for row in rows))
    figure, axes = canvas(result, len(degrees), 0)
    stacked(axes, degrees, [(str(row["degree"]), str(row.get("site", "pairs")), row["pairs"]) for row in rows])
    if any("site" in row for row in rows):
        axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    label(axes, degrees, "pairs of people")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    footnote(figure, "Relatives at two sites cannot be seen.")
    return figure
