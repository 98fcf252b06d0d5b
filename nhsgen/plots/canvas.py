"""What every picture is made of: a page, colours that everybody can tell apart, and how the cells of a released table are read.

A cell that is not a number reads as nan, so that nothing suppressed can be drawn as zero; the drawers say in words why it is not there.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from nhsgen.errors import BadInput
from nhsgen.results import Cell, NoSuchColumn, NotRun, Released, Suppressed, Value, Zero

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "BLUE",
    "GREY",
    "HATCHES",
    "MARKERS",
    "MOST_ROWS",
    "ORANGE",
    "PALE",
    "PALETTE",
    "PURPLE",
    "SKY",
    "VERMILION",
    "Floats",
    "Ints",
    "Picture",
    "by_name",
    "canvas",
    "footnote",
    "frame_rows",
    "is_number",
    "label",
    "left_out",
    "legend_beside",
    "log_axis",
    "name_points",
    "need",
    "number",
    "numbers",
    "only_one",
    "page",
    "records",
    "say_why",
    "texts",
    "why_hidden",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLUE, VERMILION, GREY, PALE = "#0072B2", "#D55E00", "#767676", "#E4E4E4"
ORANGE, SKY, GREEN, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#CC79A7"

# Beside each other in this order they differ in greyscale too; shapes and hatches tell apart what is drawn in the same shade.
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "++", "oo")
MOST_ROWS = 40


class Picture(Figure):
    """A figure that a notebook shows by itself, whether or not it has loaded pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


# -- Cells ------------------------------------------------------------------------------------------------------------


def is_number(cell: Cell) -> bool:
    """Whether there is a finite number to draw."""
    return math.isfinite(number(cell))


def number(cell: Cell) -> float:
    """Its number; nan for a text and for whatever is not shown."""
    if isinstance(cell, Zero):
        return 0.0
    return float(cell.value) if isinstance(cell, Value) and not isinstance(cell.value, str) else math.nan


def records(result: Released, *needed: str) -> list[dict[str, Cell]]:
    """The rows by column name; BadInput when a needed column is not there."""
    need(result, needed)
    return [dict(zip(result.table.columns, row, strict=True)) for row in result.table.rows]


def numbers(result: Released, column: str) -> Floats:
    """A column as float64, nan where a cell is not a number; `number` for a million cells in a tenth of a second."""
    need(result, (column,))
    place = result.table.columns.index(column)
    cells = [row[place] for row in result.table.rows]
    return np.array(
        [cell.value if type(cell) is Value and type(cell.value) is not str else number(cell) for cell in cells],
        np.float64,
    )


def texts(result: Released, column: str) -> list[str]:
    """A column in words."""
    need(result, (column,))
    place = result.table.columns.index(column)
    cells = [row[place] for row in result.table.rows]
    return [cell.value if type(cell) is Value and type(cell.value) is str else str(cell) for cell in cells]


def need(result: Released, columns: Collection[str]) -> None:
    """BadInput when the table lacks one of these columns."""
    missing = [name for name in columns if name not in result.table.columns]
    if missing:
        raise BadInput(
            f"drawing a result of kind '{result.kind}'",
            f"its table has no column {', '.join(missing)}",
            "draw it with the picture made for its kind: result.plot()",
        )


def frame_rows(frame: "pl.DataFrame", what: str, *needed: str) -> list[dict[str, object]]:
    """The rows of a reader's own frame; BadInput when a needed column is not there."""
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise BadInput(f"reading the {what}", f"there is no column {', '.join(missing)}", f"give {', '.join(needed)}")
    return list(frame.iter_rows(named=True))


def only_one(result: Released, column: str, chosen: str | None) -> str:
    """The `chosen` text of a column, or the only one; BadInput when it is not there, or when one must be chosen."""
    there = list(dict.fromkeys(texts(result, column)))
    if chosen in there:
        return str(chosen)
    if chosen is None and len(there) == 1:
        return there[0]
    found = f"there are {len(there)}" if chosen is None else f"'{chosen}' is not among them"
    raise BadInput(f"choosing a {column} to draw", found, f"name one: {', '.join(there[:8]) or 'there is none'}")


def why_hidden(cells: Collection[Cell], sign: str = "×") -> str:
    """What the sign that stands for cells without a number means, for the foot of a picture; empty when every cell has one.

    >>> why_hidden([Value(8), Suppressed("fewer than 8 people"), NotRun("it has no release")])
    '× suppressed: fewer than 8 people; not run: it has no release.'
    """
    told = dict.fromkeys(
        f"{cell}: {next(iter(vars(cell).values()))}"
        for cell in cells
        if isinstance(cell, Suppressed | NotRun | NoSuchColumn)
    )
    return f"{sign} {'; '.join(list(told)[:3])}." if told else ""


def left_out(cells: Sequence[Cell], thing: str) -> str:
    """How many of these have no number, and why, for the foot of a picture.

    >>> left_out([Value(0.1), Suppressed("too few"), Zero()], "gene")
    'Not drawn: 1 gene suppressed.'
    """
    why: dict[str, int] = {}
    for cell in cells:
        if not is_number(cell):
            word = str(cell) if not isinstance(cell, Value) else "without a number"
            why[word] = why.get(word, 0) + 1
    told = [f"{many:,} {thing}{'s' if many > 1 else ''} {word}" for word, many in why.items()]
    return f"Not drawn: {', '.join(told)}." if told else ""


# -- Pages ------------------------------------------------------------------------------------------------------------


def page(title: str, width: float, height: float, note: str = "") -> Picture:
    """An empty page of so many inches with its title, and a note in small letters at its foot."""
    figure = Picture(figsize=(width, height), layout="constrained", dpi=110)
    figure.suptitle("\n".join(wrap(title, int(10 * width))), x=0.01, ha="left", fontsize=11, parse_math=False)
    footnote(figure, note)
    return figure


def footnote(figure: Figure, note: str) -> None:
    """What the picture does not show, in small letters at its foot."""
    if note:
        lines = "\n".join(wrap(note, int(15 * figure.get_figwidth())))
        figure.supxlabel(lines, fontsize=8, color=GREY, x=0.99, ha="right")


def canvas(result: Released, rows: int, left_out: int) -> tuple[Figure, Axes]:
    """A page of one axes with room for so many rows; `left_out` are only counted."""
    figure = Picture(figsize=(8, 1.9 + 0.32 * max(rows, 2)), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    figure.suptitle("\n".join(wrap(result.title, 80)), x=0.01, ha="left", fontsize=11, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    if left_out:
        footnote(figure, f"{left_out} more in the table, with nothing to draw")
    return figure, axes


def label(axes: Axes, names: Sequence[str], text: str) -> None:
    """A name for each row from the top down, and what the horizontal axis means."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlabel(text)


def say_why(axes: Axes, place: float, cell: Cell) -> None:
    """In the row at `place`, why there is nothing to see."""
    axes.annotate(
        str(cell),
        (0, place),
        xycoords=("axes fraction", "data"),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=GREY,
        style="italic",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def legend_beside(axes: Axes, title: str = "") -> None:
    """The legend to the right of the axes, where it covers nothing."""
    axes.legend(title=title, fontsize=8, title_fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def log_axis(axes: Axes, ratios: Sequence[float]) -> None:
    """A logarithmic horizontal axis with plain numbers: 0.5, 1, 2 where ratios are close, 0.1, 1, 10 where they are far apart."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    span = max(ratios, default=1.0) / min(ratios, default=1.0)
    if span < 3:
        axes.xaxis.set_major_locator(FixedLocator([0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 1.8, 2, 2.5]))
    elif span < 20:
        axes.xaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15]))
    elif span < 200:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")


def name_points(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Names beside points, each on a side where it covers no earlier name; a name that finds no room is left out.

    The figure must have been laid out (`draw_without_rendering`), and its limits set.
    """
    taken: list[tuple[float, float, float, float]] = []
    for x, y, name in points:
        across, up = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
        wide = 5.0 * len(name)
        for side, dx, dy in (("left", 8, 0), ("right", -8, 0), ("center", 0, 12), ("center", 0, -12)):
            left = across + dx - {"left": 0.0, "right": wide, "center": wide / 2}[side]
            box = (left, up + dy - 5, left + wide, up + dy + 5)
            if all(box[0] > b[2] or b[0] > box[2] or box[1] > b[3] or b[1] > box[3] for b in taken):
                taken.append(box)
                axes.annotate(
                    name,
                    (x, y),
                    xytext=(dx, dy),
                    textcoords="offset points",
                    ha=side,
                    va="center",
                    fontsize=8,
                    style="italic",
                )
                break


def by_name(names: Sequence[str], choices: Sequence[str], turn: int = 0) -> Mapping[str, str]:
    """A colour, a shape or a hatch for each name, the same for the same names in the same order.

    turn: 1 for shapes and hatches, so that the eighth name, which has the first one's colour, does not have its shape too.
    """
    return {
        name: choices[(place + turn * (place // len(choices))) % len(choices)]
        for place, name in enumerate(dict.fromkeys(names))
    }
