"""Bars: people by group, families by gene, and how strongly each gene goes with a trait."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nhsgen.plots.canvas import (
    BLUE,
    GREY,
    HATCHES,
    MARKERS,
    MOST_ROWS,
    ORANGE,
    PALE,
    PALETTE,
    PURPLE,
    SKY,
    VERMILION,
    by_name,
    canvas,
    footnote,
    is_number,
    label,
    left_out,
    legend_beside,
    need,
    number,
    records,
    say_why,
)
from nhsgen.results import Cell, NotRun, Released, Value, Zero, drawn_by

__all__ = ["carriers", "counts", "families", "gene_tests", "rows_of", "stacked"]


@drawn_by("counts")
def counts(result: Released) -> Figure:
    """Horizontal bars of people by group."""
    return _bars(result, "people", "people")


@drawn_by("carriers")
def carriers(result: Released) -> Figure:
    """Horizontal bars of carriers by group."""
    return _bars(result, "carriers", "people who carry such a variant")


@drawn_by("families")
def families(result: Released) -> Figure:
    """Families with a candidate variant, by gene and inheritance; a shade for each tier."""
    rows = records(result, "gene", "inheritance", "tier", "families")
    parts = [(f"{row['gene']}, {row['inheritance']}", str(row["tier"]), row["families"]) for row in rows]
    names = list(dict.fromkeys(name for name, _, _ in parts))
    figure, axes = canvas(result, len(names[:MOST_ROWS]), len(names[MOST_ROWS:]))
    stacked(axes, names[:MOST_ROWS], parts)
    if rows:
        legend_beside(axes, "tier")
    label(axes, names[:MOST_ROWS], "families")
    return figure


ALL_MASKS = "all masks p"
_TESTS = (
    ("burden p", "burden", "o", ORANGE),
    ("SKAT p", "SKAT", "s", SKY),
    ("SKAT-O p", "SKAT-O", "^", "black"),
    ("ACAT-V p", "ACAT-V", "D", PURPLE),
)


@drawn_by("gene_tests")
def gene_tests(result: Released) -> Figure:
    """The strongest genes: a bar for ACAT-O, which joins the tests, and a mark for each test; orange-red beyond 0.05 / genes. Where
    there are masks, the bar is for all of them together, and there is a mark for each.

    Genes without a p for the bar are counted below, not drawn. Several traits are named beside the gene.
    """
    masked = "mask" in result.table.columns
    rows = _by_gene(result) if masked else records(result, "gene", "ACAT-O p", *(column for column, *_ in _TESTS[:3]))
    bar = ALL_MASKS if masked else "ACAT-O p"
    marks = _marks_of_masks(result) if masked else [test for test in _TESTS if test[0] in result.table.columns]
    traits = len({row["trait"] for row in rows if "trait" in row}) > 1
    tested = sorted((row for row in rows if is_number(row[bar])), key=lambda row: number(row[bar]))
    shown = tested[:MOST_ROWS]
    figure, axes = canvas(result, len(shown), 0)
    genes = sum(not isinstance(row[bar], NotRun) for row in rows)  # the suppressed ones were tested too
    strict = 0.05 / max(1, genes)
    for place, row in enumerate(shown):
        p = number(row[bar])
        axes.barh(place, _height(p), color=VERMILION if p < strict else BLUE, height=0.7, zorder=1)
        for column, _, marker, colour in marks:
            if column in row and is_number(row[column]):
                axes.plot(_height(number(row[column])), place, marker, color=colour, markeredgecolor="white", zorder=3)
    for _, name, marker, colour in marks:
        axes.plot([], [], marker, color=colour, markeredgecolor="white", label=name)
    axes.axvline(_height(strict), color="black", linewidth=1, linestyle="--", label=f"0.05 / {genes:,} genes")
    legend_beside(axes, "bar: all masks" if masked else "bar: ACAT-O")
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    label(axes, [f"{row['gene']}, {row['trait']}" if traits else str(row["gene"]) for row in shown], "$-$log$_{10}$ p")
    weaker = f"{len(tested) - len(shown):,} weaker genes are in the table. " if len(tested) > len(shown) else ""
    footnote(figure, weaker + left_out([row[bar] for row in rows], "gene"))
    return figure


def _by_gene(result: Released) -> list[dict[str, Cell]]:
    """One row a gene and trait, with each mask's ACAT-O p under its name."""
    genes: dict[tuple[str, str], dict[str, Cell]] = {}
    for row in records(result, "trait", "gene", "mask", "ACAT-O p", ALL_MASKS):
        gene = genes.setdefault((str(row["trait"]), str(row["gene"])), row)
        gene[f"mask {row['mask']}"] = row["ACAT-O p"]
    return list(genes.values())


def _marks_of_masks(result: Released) -> list[tuple[str, str, str, str]]:
    names = sorted(set(map(str, result.table.column("mask"))))
    colours = by_name(names, [colour for colour in PALETTE if colour not in {BLUE, VERMILION}])  # those are the bars'
    markers = by_name(names, MARKERS, 1)
    return [(f"mask {name}", name, markers[name], colours[name]) for name in names]


def _height(p: float) -> float:
    return float(-np.log10(max(p, 1e-300)))


def stacked(axes: Axes, names: Sequence[str], parts: Sequence[tuple[str, str, Cell]], rest: str = "") -> None:
    """Bars of several parts: each part is a bar's name, the part's own name, and a cell. Suppressed parts are told, not stacked.

    rest: the part that is whatever the others leave, in grey."""
    kinds = sorted(dict.fromkeys(kind for _, kind, _ in parts), key=lambda kind: kind == rest)
    colours = {**by_name(kinds, PALETTE), rest: PALE}
    hatches = {**by_name(kinds, HATCHES, 1), rest: ""}
    ends = dict.fromkeys(names, 0.0)
    untold: dict[str, list[str]] = {}
    for name, kind, cell in parts:
        if name not in ends:
            continue
        if not is_number(cell):
            untold.setdefault(name, []).append(kind)
            continue
        axes.barh(
            names.index(name), number(cell), left=ends[name], height=0.7,
            color=colours[kind], hatch=hatches[kind], edgecolor="white", linewidth=0.5,
        )  # fmt: skip
        ends[name] += number(cell)
    for kind in kinds:
        axes.bar(0, 0, color=colours[kind], hatch=hatches[kind], edgecolor="white", linewidth=0, label=kind)
    for name in set(names) - {name for name, _, _ in parts}:
        axes.annotate(" not in the table", (0, names.index(name)), va="center", color=GREY, style="italic", fontsize=8)
    for name, kept in untold.items():
        plus = f" + {', '.join(kept)} suppressed" if ends[name] else " suppressed"
        axes.annotate(plus, (ends[name], names.index(name)), va="center", color=GREY, style="italic", fontsize=8)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)


def _bars(result: Released, column: str, text: str) -> Figure:
    names, cells = rows_of(result, column)
    figure, axes = canvas(result, len(names), len(result.table.rows) - len(names))
    for place, cell in enumerate(cells):
        if isinstance(cell, Value | Zero):
            axes.barh(place, number(cell), color=BLUE, height=0.7)
            axes.annotate(f" {cell}", (number(cell), place), va="center", fontsize=9)
        else:
            say_why(axes, place, cell)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    label(axes, names, text)
    return figure


def rows_of(result: Released, column: str) -> tuple[list[str], list[Cell]]:
    """A name for each of the first rows, from the columns of text before `column`, and its cell there."""
    need(result, (column,))
    place = result.table.columns.index(column)
    labels = [i for i, name in enumerate(result.table.columns[:place]) if _holds_text(result.table.column(name))]
    rows = result.table.rows[:MOST_ROWS]
    return [", ".join(dict.fromkeys(str(row[i]) for i in labels)) or "everybody" for row in rows], [
        row[place] for row in rows
    ]


def _holds_text(cells: Sequence[Cell]) -> bool:
    return any(isinstance(cell, Value) and isinstance(cell.value, str) for cell in cells)
