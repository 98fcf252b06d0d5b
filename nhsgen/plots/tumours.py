"""Tumours: which genes drive them, which are mutated together, and how many mutations there are. No column is one tumour: each is a
pattern with its number."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nhsgen.plots.bars import stacked
from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    HATCHES,
    MOST_ROWS,
    PALE,
    PALETTE,
    by_name,
    canvas,
    is_number,
    label,
    legend_beside,
    number,
    page,
    records,
    why_hidden,
)
from nhsgen.results import Cell, Released, Value, drawn_by

__all__ = ["driver_genes", "oncoprint", "tumour_burden"]

MOST_GENES = 30
NONE = "none"
ALL = "all"
NOT_SHOWN = "consequence not shown"


@drawn_by("driver_genes")
def driver_genes(result: Released) -> Figure:
    """Tumours with a driver in each gene, a shade a consequence; what a gene's consequences leave of its total is a shade too."""
    parts = _parts(result)
    names = list(dict.fromkeys(name for name, _, _ in parts))
    figure, axes = canvas(result, len(names[:MOST_ROWS]), len(names[MOST_ROWS:]))
    stacked(axes, names[:MOST_ROWS], parts, NOT_SHOWN)
    if parts:
        legend_beside(axes, "consequence")
    label(axes, names[:MOST_ROWS], "tumours, by what the gravest mutation of the gene does")
    return figure


@drawn_by("tumour_burden")
def tumour_burden(result: Released) -> Figure:
    """Tumours by step of mutations by megabase: bars, side by side where there are groups; what is suppressed is a cross."""
    rows = [row for row in records(result, "tumours") if all(str(cell) != ALL for cell in row.values())]
    step, *by = result.table.columns[:-1]
    steps = list(dict.fromkeys(str(row[step]) for row in rows))
    group = [", ".join(str(row[name]) for name in by) for row in rows]
    groups = list(dict.fromkeys(group))
    colours, hatches = by_name(groups, PALETTE), by_name(groups, HATCHES, 1)
    figure = page(
        result.title,
        2.5 + max(len(steps), 4) * max(0.9, 0.35 * len(groups)),
        4.2,
        why_hidden([row["tumours"] for row in rows]),
    )
    axes = figure.add_subplot()
    wide = 0.84 / max(len(groups), 1)
    for name, row in zip(group, rows, strict=True):
        place = steps.index(str(row[step])) + (groups.index(name) - (len(groups) - 1) / 2) * wide
        if is_number(row["tumours"]):
            high = number(row["tumours"])
            axes.bar(
                place, high, color=colours[name], hatch=hatches[name], edgecolor="white", linewidth=0.5, width=wide
            )
            axes.annotate(
                f"{high:g}", (place, high), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8
            )
        else:
            axes.annotate("×", (place, 0), xytext=(0, 2), textcoords="offset points", ha="center", color=GREY)
    for name in groups[: len(groups) * bool(by)]:
        axes.bar(0, 0, color=colours[name], hatch=hatches[name], edgecolor="white", linewidth=0, label=name)
    if by:
        legend_beside(axes, ", ".join(by))
    axes.set_xlim(-0.6, max(len(steps), 1) - 0.4)
    axes.set_xticks(range(len(steps)), steps)
    axes.set_xlabel(step)
    axes.set_ylabel("tumours")
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def oncoprint(result: Released, genes: Released | None = None) -> Figure:
    """Genes by patterns of genes mutated together ("TP53+KRAS"), most frequent first; above, how many tumours have each pattern.

    genes: a released result of kind "driver_genes"; its tumours by consequence stand on the right. Without it, the sums of the
        shown patterns do.
    A suppressed pattern keeps its column, hatched, without a bar.
    """
    rows = sorted(
        records(result, "pattern", "tumours"), key=lambda row: (not is_number(row["tumours"]), -_size(row["tumours"]))
    )
    patterns = [(_genes_of(str(row["pattern"])), row["tumours"]) for row in rows[:MOST_ROWS]]
    totals: dict[str, float] = {}
    for names, cell in patterns:
        for name in names:
            totals[name] = totals.get(name, 0.0) + _size(cell)
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    order = ranked[:MOST_GENES]
    why = why_hidden([cell for _, cell in patterns], "Hatched:")
    more = f"{len(rows) - len(patterns):,} further patterns are in the table. " if len(rows) > len(patterns) else ""
    more += "" if rows else "No pattern may be shown. "
    more += f"{len(ranked) - len(order):,} rarer genes are not drawn. " if len(ranked) > len(order) else ""
    figure = page(
        result.title,
        3.6 + 0.3 * max(len(patterns), 12),
        3.0 + 0.28 * max(len(order), 4),
        more + why,
    )
    grid = figure.subplots(
        2,
        2,
        squeeze=False,
        width_ratios=(max(len(patterns), 12), 7),
        height_ratios=(4, max(len(order), 4)),
        sharex="col",
        sharey="row",
    )
    above, corner, middle, right = grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1]
    corner.set_axis_off()
    _matrix(middle, order, patterns)
    for place, (_, cell) in enumerate(patterns):
        if is_number(cell):
            above.bar(place, number(cell), color=BLUE, width=0.8)
            above.annotate(
                str(cell), (place, number(cell)), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7
            )
        else:
            above.annotate(str(cell), (place, 0), xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", rotation=90,
                           fontsize=7, color=GREY, style="italic")  # fmt: skip
    above.set_ylabel("tumours")
    above.margins(y=0.15)
    above.tick_params(labelbottom=False, bottom=False)
    if genes is None:
        right.barh(range(len(order)), [totals[name] for name in order], color=BLUE, height=0.7)
        right.set_xlabel("tumours in\nthe shown patterns")
    else:
        stacked(right, order, _parts(genes), NOT_SHOWN)
        corner.legend(*right.get_legend_handles_labels(), fontsize=7, loc="lower left", frameon=False)
        right.set_xlabel("tumours by\nconsequence")
    label(middle, order, "patterns, the most frequent first")
    for axes in (above, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _matrix(axes: Axes, order: Sequence[str], patterns: Sequence[tuple[Sequence[str], Cell]]) -> None:
    for column, (names, cell) in enumerate(patterns):
        for line, name in enumerate(order):
            mutated, shown = name in names, is_number(cell)
            axes.add_patch(Rectangle(
                (column - 0.42, line - 0.42), 0.84, 0.84, linewidth=0, edgecolor="white",
                facecolor=(BLUE if shown else GREY) if mutated else PALE, hatch="///" if mutated and not shown else "",
            ))  # fmt: skip
    axes.set_xlim(-0.6, max(len(patterns), 1) - 0.4)
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)


def _parts(result: Released) -> list[tuple[str, str, Cell]]:
    """Gene, consequence and tumours; of a gene whose consequences are not all shown also what they leave of its total."""
    rows = [
        (str(row["gene"]), str(row["consequence"]).replace("_", " "), row["tumours"])
        for row in records(result, "gene", "consequence", "tumours")
    ]
    parts = [part for part in rows if part[1] != ALL]
    for gene, _, total in (part for part in rows if part[1] == ALL):
        rest = _size(total) - sum(_size(cell) for name, _, cell in parts if name == gene)
        if rest > 0:
            parts.append((gene, NOT_SHOWN, Value(rest)))
    in_order = {name: place for place, (name, _, _) in enumerate(rows)}
    return sorted(parts, key=lambda part: in_order[part[0]])


def _genes_of(pattern: str) -> list[str]:
    return [] if pattern in ("", NONE) else pattern.split("+")


def _size(cell: Cell) -> float:
    return number(cell) if is_number(cell) else 0.0


drawn_by("drivers")(oncoprint)
