"""Pictures of released results, and of nothing else.

Colours are Okabe and Ito's, told apart by every kind of colour vision; what is suppressed is drawn as suppressed, never as zero.
A result draws itself (`Released.plot`) through the drawer registered here for its kind.
"""

import math
from collections.abc import Sequence
from io import BytesIO
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nhsgen.results import Cell, Released, Value, Zero, drawn_by

__all__ = ["burden", "carriers", "counts", "frequencies"]

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#767676"
MOST_ROWS = 40


class Picture(Figure):
    """A figure that a notebook shows by itself, whether or not it has loaded pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


@drawn_by("counts")
def counts(result: Released) -> Figure:
    """Horizontal bars of people by group."""
    return _bars(result, "people", "people")


@drawn_by("carriers")
def carriers(result: Released) -> Figure:
    """Horizontal bars of carriers by group."""
    return _bars(result, "carriers", "people who carry such a variant")


@drawn_by("frequencies")
def frequencies(result: Released) -> Figure:
    """Allele frequency by variant, as dots."""
    names, cells = _rows(result, "allele frequency")
    figure, axes = _canvas(result, len(names), len(result.table.rows) - len(names))
    for place, cell in enumerate(cells):
        if isinstance(cell, Value | Zero):
            axes.plot(_number(cell), place, "o", color=BLUE)
        else:
            _say_why(axes, place, cell)
    _label(axes, names, "allele frequency in the cohort")
    return figure


@drawn_by("burden")
def burden(result: Released) -> Figure:
    """Odds ratios with 95 % intervals, a gene a line, on a logarithmic axis; filled when p is below 0.05 / genes. Genes with
    nothing to show are counted below, not drawn."""
    rows = [dict(zip(result.table.columns, row, strict=True)) for row in result.table.rows]
    shown = [row for row in rows if isinstance(row["p"], Value)][:MOST_ROWS]
    figure, axes = _canvas(result, len(shown), len(rows) - len(shown))
    strict = 0.05 / max(1, len(rows))
    for place, row in enumerate(shown):
        ratio, low, high, p = (_number(row[name]) for name in ("odds ratio", "95 % low", "95 % high", "p"))
        colour = VERMILION if p < strict else BLUE
        axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(ratio, place, "o", color=colour, markerfacecolor=colour if p < strict else "white", markersize=7)
        axes.annotate(f"p = {row['p']}", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.axvline(1, color=GREY, linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    _label(axes, [str(row["gene"]) for row in shown], "odds ratio with 95 % interval (right of 1: more often in cases)")
    return figure


def _bars(result: Released, column: str, label: str) -> Figure:
    names, cells = _rows(result, column)
    figure, axes = _canvas(result, len(names), len(result.table.rows) - len(names))
    for place, cell in enumerate(cells):
        if isinstance(cell, Value | Zero):
            axes.barh(place, _number(cell), color=BLUE, height=0.7)
            axes.annotate(f" {cell}", (_number(cell), place), va="center", fontsize=9)
        else:
            _say_why(axes, place, cell)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    _label(axes, names, label)
    return figure


def _rows(result: Released, column: str) -> tuple[list[str], list[Cell]]:
    """A name for each row, from the columns before `column`, and its cell there."""
    place = result.table.columns.index(column)
    labels = [i for i, name in enumerate(result.table.columns[:place]) if _holds_text(result.table.column(name))]
    rows = result.table.rows[:MOST_ROWS]
    return [", ".join(dict.fromkeys(str(row[i]) for i in labels)) or "everybody" for row in rows], [
        row[place] for row in rows
    ]


def _holds_text(cells: Sequence[Cell]) -> bool:
    return any(isinstance(cell, Value) and isinstance(cell.value, str) for cell in cells)


def _canvas(result: Released, rows: int, left_out: int) -> tuple[Figure, Axes]:
    figure = Picture(figsize=(8, 1.9 + 0.32 * max(rows, 2)), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    axes.set_title("\n".join([*wrap(result.title, 80), ""]), loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if left_out:
        figure.supxlabel(
            f"{left_out} more in the table, with nothing to draw", fontsize=8, color=GREY, x=0.99, ha="right"
        )
    return figure, axes


def _label(axes: Axes, names: Sequence[str], label: str) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlabel(label)


def _say_why(axes: Axes, place: int, cell: Cell) -> None:
    axes.annotate(
        str(cell),
        (0.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        color=GREY,
        style="italic",
        fontsize=9,
    )


def _number(cell: Cell) -> float:
    return (
        float(cell.value)
        if isinstance(cell, Value) and not isinstance(cell.value, str)
        else 0.0
        if isinstance(cell, Zero)
        else math.nan
    )
