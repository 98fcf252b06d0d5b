"""What a person is shown: `Released`, and the typed cells of its table.

A cell of an answer is typed: a value, or suppressed (and by which rule), or a true zero, or not run (and why), or no such
column. Federated tools that write 0 for all of these have had their zeros published.
"""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nhsgen.durable import place_for, write_whole
from nhsgen.errors import BadInput

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

__all__ = [
    "PICTURES",
    "TABLES",
    "Cell",
    "NoSuchColumn",
    "NotRun",
    "Receipt",
    "Released",
    "Suppressed",
    "Table",
    "Value",
    "Zero",
    "drawn_by",
]

TABLES = (".csv", ".parquet", ".json", ".html")
PICTURES = (".png", ".svg", ".pdf")
MOST_SHOWN = 100
"""Rows of a table that are printed or laid out; all of them are saved."""

# -- Cells ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """Something to read: a rounded count, an estimate, a name."""

    value: int | float | str

    def __str__(self) -> str:
        if isinstance(self.value, float):
            return f"{self.value:.3g}" if abs(self.value) < 1000 else f"{self.value:,.0f}"
        return f"{self.value:,}" if isinstance(self.value, int) else self.value


@dataclass(frozen=True)
class Suppressed:
    """There is a number, and showing it would say too much about somebody; `rule` is a short plain sentence."""

    rule: str

    def __str__(self) -> str:
        return "suppressed"


@dataclass(frozen=True)
class Zero:
    """Nobody, and this was looked for and may be said."""

    def __str__(self) -> str:
        return "0"


@dataclass(frozen=True)
class NotRun:
    """The question was not asked here; `why` says what stood in the way."""

    why: str

    def __str__(self) -> str:
        return "not run"


@dataclass(frozen=True)
class NoSuchColumn:
    """The site's contract binds nothing to this word."""

    name: str

    def __str__(self) -> str:
        return "no such column"


Cell: TypeAlias = Value | Suppressed | Zero | NotRun | NoSuchColumn


# -- Released: outside the wall ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Named columns of typed cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("every row must have one cell a column")

    def column(self, name: str) -> tuple[Cell, ...]:
        place = self.columns.index(name)
        return tuple(row[place] for row in self.rows)


@dataclass(frozen=True)
class Receipt:
    """Which releases answered which question under which rules, and who did not answer, and why."""

    study: str
    policy: str
    answered: tuple[tuple[str, str], ...]
    silent: tuple[tuple[str, str], ...]
    asked_at: str

    def __str__(self) -> str:
        lines = [f"Question {self.study[:12]}, asked at {self.asked_at} under the rules '{self.policy}'."]
        lines += [f"{site} answered from its release {release[:12]}." for site, release in self.answered]
        lines += [f"{site} did not answer: {why}." for site, why in self.silent]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return "<br>".join(map(html.escape, str(self).splitlines()))


_DRAWERS: dict[str, Callable[["Released"], "Figure"]] = {}


def drawn_by(kind: str) -> Callable[[Callable[["Released"], "Figure"]], Callable[["Released"], "Figure"]]:
    """Say that the decorated function draws released results of `kind`; `nhsgen.plots` does."""

    def register(drawer: Callable[["Released"], "Figure"]) -> Callable[["Released"], "Figure"]:
        _DRAWERS[kind] = drawer
        return drawer

    return register


@dataclass(frozen=True)
class Released:
    """A result that has passed the disclosure gate: it may be shown, drawn, saved and sent. Only `disclosure` makes one.

    kind: what sort of answer it is ("counts", "burden", "gwas", "survival", ...): `plots` draws by it.
    notes: plain sentences: what was suppressed and by which rule, who did not answer.
    question: the study, as it was frozen; `receipt.study` is its hash.
    """

    kind: str
    title: str
    table: Table
    notes: tuple[str, ...]
    question: Mapping[str, Any]
    receipt: Receipt = field(repr=False)

    def plot(self) -> "Figure":
        """Draw it (matplotlib)."""
        if self.kind not in _DRAWERS:
            raise BadInput(f"drawing a result of kind '{self.kind}'", "there is no picture for it", "show its table")
        return _DRAWERS[self.kind](self)

    def to_polars(self) -> "pl.DataFrame":
        """A frame with a null wherever a cell is not a value; `status` says, for every row, what the nulls mean."""
        import polars as pl  # noqa: PLC0415  (half of the import time of this module, and only this needs it)

        columns: dict[str, list[int | float | str | None]] = {name: [] for name in self.table.columns}
        status = []
        for row in self.table.rows:
            reasons = []
            for name, cell in zip(self.table.columns, row, strict=True):
                columns[name].append(0 if isinstance(cell, Zero) else cell.value if isinstance(cell, Value) else None)
                if not isinstance(cell, Value | Zero):
                    reasons.append(f"{name}: {cell}")
            status.append("; ".join(reasons))
        return pl.DataFrame(columns | {"status": status}, strict=False)

    def to_json(self) -> str:
        """Everything, machine-readable: cells keep their type."""
        rows = [
            {
                name: {"type": type(cell).__name__, **asdict(cell)}
                for name, cell in zip(self.table.columns, row, strict=True)
            }
            for row in self.table.rows
        ]
        whole = {
            "kind": self.kind,
            "title": self.title,
            "columns": self.table.columns,
            "rows": rows,
            "notes": self.notes,
            "question": dict(self.question),
            "receipt": asdict(self.receipt),
        }
        return json.dumps(whole, ensure_ascii=False, indent=1)

    def save(self, path: str | Path) -> Path:
        """Write the table (.csv, .parquet, .json with typed cells, question and receipt, or .html) or its picture (.png, .svg, .pdf).

        The file is there whole or not at all. BadInput for another suffix, NotFound when there is no such folder.
        """
        target = place_for(path, (*TABLES, *PICTURES))
        data = BytesIO()
        match target.suffix:
            case ".csv":
                self.to_polars().write_csv(data)
            case ".parquet":
                self.to_polars().write_parquet(data)
            case ".json":
                data.write(f"{self.to_json()}\n".encode())
            case ".html":
                data.write(f"{self._html(self.table.rows)}\n".encode())
            case picture:
                self.plot().savefig(data, format=picture[1:])
        write_whole(target, data.getvalue())
        return target

    def __str__(self) -> str:
        cells = [self.table.columns, *(tuple(map(str, row)) for row in self.table.rows[:MOST_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        number = [
            all(not isinstance(c, Value) or not isinstance(c.value, str) for c in self.table.column(name))
            for name in self.table.columns
        ]
        lines = [
            "  ".join(
                t.rjust(w) if right else t.ljust(w) for t, w, right in zip(row, widths, number, strict=True)
            ).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * w for w in widths))
        notes = [*self._not_shown(), *self.notes]
        return "\n".join([self.title, "", *lines, *([""] if notes else []), *(f"* {note}" for note in notes)])

    def _not_shown(self) -> list[str]:
        more = len(self.table.rows) - MOST_SHOWN
        return [f"{more:,} more rows: save the result, or take to_polars(), to see them."] if more > 0 else []

    def _repr_html_(self) -> str:
        return self._html(self.table.rows[:MOST_SHOWN], self._not_shown())

    def _html(self, rows: Sequence[tuple[Cell, ...]], more: Sequence[str] = ()) -> str:
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in self.table.columns)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in rows)
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in (*more, *self.notes))
        answered = ", ".join(f"{html.escape(site)} ({release[:8]})" for site, release in self.receipt.answered)
        return (
            "<table><caption style='white-space:nowrap;text-align:left'>"
            f"<strong>{html.escape(self.title)}</strong></caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{f'<ul>{notes}</ul>' if notes else ''}"
            f"<p><small>Question {self.receipt.study[:12]}, answered by {answered or 'nobody'}; "
            f"rules: {html.escape(self.receipt.policy)}.</small></p>"
        )


def _html_cell(cell: Cell) -> str:
    reason = next(iter(asdict(cell).values()), "") if isinstance(cell, Suppressed | NotRun | NoSuchColumn) else ""
    title = f' title="{html.escape(str(reason))}"' if reason else ""
    number = isinstance(cell, Zero) or (isinstance(cell, Value) and not isinstance(cell.value, str))
    style = (
        "text-align:right"
        if number
        else "text-align:right;color:#595959;font-style:italic"
        if reason
        else "text-align:left"
    )
    return f'<td{title} style="{style}">{html.escape(str(cell))}</td>'
