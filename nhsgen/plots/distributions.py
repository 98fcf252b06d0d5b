"""How people are spread over a scale, group by group: polygenic scores."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nhsgen.plots.canvas import (
    GREY,
    MOST_ROWS,
    PALETTE,
    by_name,
    footnote,
    is_number,
    left_out,
    legend_beside,
    number,
    page,
    records,
)
from nhsgen.results import Cell, Released, drawn_by

__all__ = ["polygenic"]

END = 1.0
"""How wide the outermost steps are drawn, which have no end: the people on them are somewhere beyond."""

TALL = 0.55
"""A share of this, of the people on a step as wide as a standard deviation, fills a row."""


@drawn_by("polygenic")
def polygenic(result: Released) -> Figure:
    """The share of each group on each step of the scale, as area, and its mean: cases over controls, other groups each in its own row.
    The outermost steps are hatched, for who is on them may lie far out."""
    rows = records(result, "group", "people", "mean", "from", "people there")
    groups: dict[str, list[dict[str, Cell]]] = {}
    for row in rows:
        if is_number(row["people there"]):
            groups.setdefault(str(row["group"]), []).append(row)
    drawn = dict(list(groups.items())[:MOST_ROWS])
    together = len(drawn) <= 2
    figure = page(result.title, 8, 4.6 if together else 1.7 + 0.8 * len(drawn))
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.axvline(0, color=GREY, linewidth=0.7, linestyle=":", zorder=0)
    colours = by_name(list(drawn), PALETTE)
    for place, (name, steps) in enumerate(drawn.items()):
        floor = 0.0 if together else (len(drawn) - 1 - place) * TALL
        _outline(axes, steps, floor, name, colours[name], dashed=together and place > 0)
    if together:
        axes.set_ylim(bottom=0)
        axes.set_ylabel("share of the group for each standard deviation")
        if drawn:
            legend_beside(axes)
    else:
        names = [f"{name}\n(about {steps[0]['people']})" for name, steps in reversed(drawn.items())]
        axes.set_yticks([place * TALL for place in range(len(names))], names)
        axes.set_ylim(-0.05, len(names) * TALL + 0.15)
    axes.set_xlabel("score, in the standard deviations that the alleles' frequencies let one expect; upright: the mean")
    hidden = [row["people there"] for row in rows if not is_number(row["people there"])]
    more = f" {len(groups) - len(drawn)} more groups are in the table." if len(groups) > len(drawn) else ""
    footnote(figure, f"Hatched: so far out, or farther. {left_out(hidden, 'group')}{more}".strip())
    return figure


def _outline(axes: Axes, steps: list[dict[str, Cell]], floor: float, name: str, colour: str, *, dashed: bool) -> None:
    inner = [number(step["from"]) for step in steps[1:]]
    edges = [inner[0] - END, *inner, inner[-1] + END]
    there = [number(step["people there"]) for step in steps]
    heights = [n / sum(there) / (high - low) for n, low, high in zip(there, edges[:-1], edges[1:], strict=True)]
    style = "--" if dashed else "-"
    tops = [floor + height for height in heights]
    axes.stairs(
        tops,
        edges,
        baseline=floor,
        color=colour,
        linewidth=2,
        linestyle=style,
        label=f"{name} (about {steps[0]['people']})",
    )
    axes.stairs(tops, edges, baseline=floor, color=colour, fill=True, alpha=0.12)
    for low, high, height in ((edges[0], edges[1], heights[0]), (edges[-2], edges[-1], heights[-1])):
        axes.bar(
            (low + high) / 2,
            height,
            high - low,
            floor,
            facecolor="none",
            edgecolor=colour,
            hatch="///",
            linewidth=0,
            alpha=0.6,
        )
    mean = number(steps[0]["mean"])
    axes.plot([mean, mean], [floor, floor + max(heights)], color=colour, linewidth=1.2, linestyle=style)
