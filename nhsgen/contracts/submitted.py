"""Read a submitted file as the contract that describes it: the form, the columns, cleaned cells of the declared types.

What was checked and what is released come out of the same function, `typed`. DuckDB reads, in a process of ours that may open
the submitted files and nothing else; what it says of a file it cannot read is not passed on, because it quotes lines of it.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from nhsgen.contracts.contract import Column, Table
from nhsgen.settings import Settings

__all__ = [
    "SPREADSHEET_ERRORS",
    "Cleaned",
    "Finding",
    "Submitted",
    "cleaned_cells",
    "counted",
    "first_rows",
    "identifier",
    "literal",
    "load",
    "look_at_cells",
    "number",
    "open_desk",
    "typed",
    "unreadable",
    "write",
]

SPREADSHEET_ERRORS = ("#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!")
"""What a spreadsheet writes in place of a value it has lost; no column may hold one unless the contract declares it missing."""

_FIRST_ROWS = 3

# DuckDB type -> the texts that may be read as one. DuckDB alone would read 1.7 as the whole number 2 and accept 1_000.
_FORMS: Mapping[str, str] = {
    **dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT", "TINYINT"), r"\s*[+-]?\d+(\.0*)?\s*"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"),
    "DATE": r"\d{4}-\d{2}-\d{2}",
    "TIMESTAMP": r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?",
    "BOOLEAN": r"(?i)true|false|t|f|1|0",
}

# Declared type -> what a Parquet file may have instead, because every value of it fits.
_FITS: Mapping[str, frozenset[str]] = {
    "BIGINT": frozenset({"INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"}),
    "INTEGER": frozenset({"SMALLINT", "TINYINT", "USMALLINT", "UTINYINT"}),
    "SMALLINT": frozenset({"TINYINT", "UTINYINT"}),
    "DOUBLE": frozenset({"FLOAT", "INTEGER", "SMALLINT", "TINYINT"}),
    "TIMESTAMP": frozenset({"DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}),
}

# Also read as DOUBLE, although the last digits of a long one are lost: that is how databases export measured values.
_DECIMAL = re.compile(r"DECIMAL\(\d+,\d+\)")

# How a file of each form begins, and what we call it.
_BEGINNINGS: Mapping[bytes, str] = {
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
}


@dataclass(frozen=True)
class Finding:
    """One broken rule of one column or file: how many cells (or rows, or 0 when it is about the whole file) and the first rows."""

    file: str
    column: str | None
    rule: str
    says: str
    severity: Literal["error", "warning"] = "error"
    count: int = 0
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        place = self.file if self.column is None else f"{self.file}, column '{self.column}'"
        rows = f"; first rows {', '.join(map(str, self.rows))}" if self.rows else ""
        return f"{place}: {self.says}{rows}"


@dataclass(frozen=True)
class Cleaned:
    """How many cells of a column held a declared missing marker and were left out."""

    file: str
    column: str
    cells: int


@contextmanager
def open_desk(
    folder: Path, tables: Iterable[Table], settings: Settings, scratch: Path, out: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh DuckDB that may read the submitted tables and write to `scratch` and `out`: no other file, no network."""
    desk = duckdb.connect(
        ":memory:",
        config={
            "threads": settings.threads,
            "memory_limit": f"{settings.memory_mb}MB",
            "temp_directory": str(scratch.resolve() / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    files = [str(folder.resolve() / table.file) for table in tables]
    folders = [f"{place}/" for place in (scratch.resolve(), out) if place is not None]
    try:
        for setting, values in (("allowed_paths", files), ("allowed_directories", folders)):
            desk.cursor().execute(f"SET {setting} = [{', '.join(map(literal, values))}]")
        desk.cursor().execute("SET enable_external_access = false")
        yield desk
    finally:
        desk.close()


# -- Files: is it what its name says, has it the columns? ------------------------------------------------------------------


class _Unfit(Exception):
    """A file cannot be taken: the rule it breaks and a sentence. Becomes a `Finding`."""


def _check_form(path: Path) -> None:
    """Is the file what its name says? Asked before anything in it is parsed."""
    if path.is_symlink():
        raise _Unfit("link", "it is a link; submit the file itself")
    if not path.is_file():
        raise _Unfit("absent", "it is not in the extract")
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(path.stat().st_size - 4, 0))
        end = file.read()
    form = next((name for beginning, name in _BEGINNINGS.items() if start.startswith(beginning)), "plain text")
    meant = "Parquet" if path.suffix == ".parquet" else "gzip" if path.suffix == ".gz" else "plain text"
    if not start:
        raise _Unfit("file_form", "it is empty")
    if form != meant:
        raise _Unfit(
            "file_form", f"its name says {meant}, but it begins like {form}; export it again under the right name"
        )
    if form == "Parquet" and end != b"PAR1":
        raise _Unfit("file_form", "it is cut short: the end of a Parquet file is missing; copy it again")
    if form == "gzip" and not _gzip_is_whole(path):
        raise _Unfit("file_form", "it is cut short or damaged: it does not unpack to its checksum; copy it again")


def _gzip_is_whole(path: Path) -> bool:
    """DuckDB reads a gzip file that was cut without a word, as far as it goes."""
    try:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    except (EOFError, OSError, zlib.error):
        return False
    return True


@dataclass(frozen=True)
class Submitted:
    """A submitted file in DuckDB as it came; `types` are those of its columns, by the file's own names."""

    table: Table
    relation: str
    types: Mapping[str, str]
    findings: list[Finding]


def load(desk: duckdb.DuckDBPyConnection, folder: Path, table: Table) -> Submitted | Finding:
    """Take a file onto the desk, or say why it cannot be; differences between its columns and the contract's come with it."""
    try:
        return _load(desk, folder.resolve() / table.file, table)
    except _Unfit as unfit:
        return Finding(table.file, None, *unfit.args)
    except (UnicodeDecodeError, csv.Error):
        return Finding(table.file, None, "file_form", "it cannot be read as UTF-8 text; export it again")
    except duckdb.Error as error:
        return unreadable(error, table)


def _load(desk: duckdb.DuckDBPyConnection, path: Path, table: Table) -> Submitted:
    _check_form(path)
    header, source = _text(path) if table.is_text else _parquet(desk, path)
    if len({name.casefold() for name, _ in header}) < len(header):
        raise _Unfit("file_form", "two of its columns have the same name; export it again")
    types = {name: kind for name, kind in header if name in {column.source for column in table.columns}}
    if not types:  # perhaps a file without a header: its names would be somebody's values, and are not repeated
        raise _Unfit("file_form", "none of the contract's columns is in its header; export it with one")
    relation = f"submitted.{identifier(table.name)}"
    desk.cursor().execute("CREATE SCHEMA IF NOT EXISTS submitted")
    desk.cursor().execute(
        f"CREATE OR REPLACE TABLE {relation} AS SELECT {', '.join(map(identifier, types))} FROM {source}"
    )
    return Submitted(table, relation, types, _compare_columns(desk, table, relation, header))


def _parquet(desk: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[tuple[str, str]], str]:
    source = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
    rows = desk.cursor().execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    return [(str(row[0]), str(row[1])) for row in rows], source


def _text(path: Path) -> tuple[list[tuple[str, str]], str]:
    """A text file's columns are all text; the header is read here because DuckDB would mend or invent names."""
    delimiter = "\t" if path.suffixes[0] == ".tsv" else ","
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as lines:
        names = next(csv.reader(lines, delimiter=delimiter), [])
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in dict.fromkeys(names))
    source = (
        f"read_csv({literal(str(path))}, columns = {{{columns}}}, delim = {literal(delimiter)}, header = true, "
        "quote = '\"', escape = '\"', nullstr = '', auto_detect = false, strict_mode = true)"
    )
    return [(name, "VARCHAR") for name in names], source


def unreadable(error: duckdb.Error, table: Table) -> Finding:
    """DuckDB's own text quotes the line it could not read: only the line's number is taken from it."""
    line = re.search(r"CSV Error on Line: (\d+)", str(error))
    place = f"line {int(line[1]):,} does not fit the header or is not UTF-8" if line else "part of it is damaged"
    return Finding(table.file, None, "file_form", f"it cannot be read: {place}; copy or export it again")


def _compare_columns(
    desk: duckdb.DuckDBPyConnection, table: Table, relation: str, header: list[tuple[str, str]]
) -> list[Finding]:
    found, declared = dict(header), {column.source: column for column in table.columns}
    findings = []
    for name in found:
        if name not in declared:
            says = "the contract does not name it; take it out of the file, or name it in the contract"
            findings.append(Finding(table.file, name, "unexpected_column", says))
    for name, column in declared.items():
        if name not in found:
            alike = next((other for other in found if other.casefold() == name.casefold()), None)
            says = f"the file does not have it{f' (but it has {alike!r})' if alike else ''}"
            findings += [] if column.optional and not alike else [Finding(table.file, name, "missing_column", says)]
        elif not (found[name] == "VARCHAR" if table.is_text else _fits(found[name], column.duckdb_type)):
            cells = number(desk, f"SELECT count({identifier(name)}) FROM {relation}")
            if cells:  # a column without a single value has whatever type its writer gave it
                says = f"its type is {found[name]}, the contract says {column.duckdb_type}"
                findings.append(Finding(table.file, name, "type", says, count=cells))
    return findings


# -- Cells: cleaned, read as the declared type -----------------------------------------------------------------------------


def _cleaned(column: Column) -> str:
    name = identifier(column.source)
    return (
        f"CASE WHEN {name} NOT IN {literal(column.missing_markers)} THEN {name} END" if column.missing_markers else name
    )


def _fits(kind: str, declared: str) -> bool:
    decimal = declared == "DOUBLE" and _DECIMAL.fullmatch(kind) is not None
    return kind == declared or decimal or kind in _FITS.get(declared, ())


def _read_as(column: Column, kind: str | None) -> str:
    """The SQL of one cell of the typed table; NULL where the text is not of the declared type."""
    declared = column.duckdb_type
    if kind is None or not (kind == "VARCHAR" or _fits(kind, declared)):
        return f"CAST(NULL AS {declared})"
    if kind != "VARCHAR":
        return f"CAST({identifier(column.source)} AS {declared})"
    if declared == "VARCHAR":
        return _cleaned(column)
    text = f"({_cleaned(column)})"
    return f"CASE WHEN regexp_full_match({text}, {literal(_FORMS[declared])}) THEN TRY_CAST({text} AS {declared}) END"


def typed(loaded: Submitted, columns: Iterable[Column]) -> str:
    """The SQL of the typed, cleaned table: what is checked, what is released."""
    cells = (f"{_read_as(column, loaded.types.get(column.source))} AS {identifier(column.name)}" for column in columns)
    return f"SELECT {', '.join(cells)} FROM {loaded.relation}"


def write(desk: duckdb.DuckDBPyConnection, loaded: Submitted, columns: Iterable[Column], out: Path) -> int:
    """Write the typed table to a Parquet file and return its rows."""
    sql = f"COPY ({typed(loaded, columns)}) TO {literal(str(out))} (FORMAT parquet, COMPRESSION zstd)"
    return int(desk.cursor().execute(sql).fetchall()[0][0])


def look_at_cells(desk: duckdb.DuckDBPyConnection, loaded: Submitted) -> list[Finding]:
    """Cells that cannot be what the contract declares, whatever its rules say."""
    tests: list[tuple[Column, str, str, str]] = []
    suspect = {finding.column for finding in loaded.findings}
    for column in loaded.table.columns:
        if column.source in suspect:
            continue
        kind, declared = loaded.types.get(column.source), column.duckdb_type
        value = _read_as(column, kind)
        if kind == "VARCHAR":
            lost = f"{_cleaned(column)} IN {literal(SPREADSHEET_ERRORS)}"
            tests.append((column, "spreadsheet_error", lost, "cells where a spreadsheet lost the value"))
            if declared != "VARCHAR":
                wrong = f"({_cleaned(column)}) IS NOT NULL AND NOT coalesce({lost}, false) AND {value} IS NULL"
                tests.append((column, "type", wrong, f"cells that cannot be read as {declared}"))
        if kind is not None and declared in {"DOUBLE", "FLOAT"}:
            tests.append((column, "finite", f"NOT isfinite({value})", "cells that are infinite or not a number"))
    found = _places(desk, loaded.relation, [predicate for _, _, predicate, _ in tests])
    findings = []
    for (column, rule, predicate, says), (cells, rows) in zip(tests, found, strict=True):
        if cells and rule == "spreadsheet_error":
            sql = f"SELECT DISTINCT {identifier(column.source)} FROM {loaded.relation} WHERE {predicate} ORDER BY 1"
            which = ", ".join(str(row[0]) for row in desk.cursor().execute(sql).fetchall())  # ours, nobody's values
            says = f"{says} and wrote {which}; mend the export, or declare it in missing_markers"  # noqa: PLW2901
        if cells:
            findings.append(Finding(loaded.table.file, column.source, rule, counted(cells, says), "error", cells, rows))
    return findings


def cleaned_cells(desk: duckdb.DuckDBPyConnection, loaded: Submitted) -> list[Cleaned]:
    """How many cells of each column the contract's missing markers took out."""
    columns = [c for c in loaded.table.columns if c.missing_markers and loaded.types.get(c.source) == "VARCHAR"]
    marked = [f"{identifier(column.source)} IN {literal(column.missing_markers)}" for column in columns]
    counts = _places(desk, loaded.relation, marked)
    return [Cleaned(loaded.table.file, column.source, n) for column, (n, _) in zip(columns, counts, strict=True) if n]


def _places(desk: duckdb.DuckDBPyConnection, relation: str, predicates: list[str]) -> list[tuple[int, tuple[int, ...]]]:
    """How many rows satisfy each predicate, and the numbers of the first of them."""
    if not predicates:
        return []
    counts = ", ".join(f"count(*) FILTER ({predicate})" for predicate in predicates)
    row = desk.cursor().execute(f"SELECT {counts} FROM {relation}").fetchall()[0]
    return [
        (cells, first_rows(desk, relation, predicate) if cells else ())
        for cells, predicate in zip(map(int, row), predicates, strict=True)
    ]


def first_rows(desk: duckdb.DuckDBPyConnection, relation: str, predicate: str) -> tuple[int, ...]:
    """The numbers, from 1, of the first rows of a table that satisfy a predicate."""
    sql = f"SELECT rowid + 1 FROM {relation} WHERE {predicate} ORDER BY rowid LIMIT {_FIRST_ROWS}"
    return tuple(int(row[0]) for row in desk.cursor().execute(sql).fetchall())


# -- Sentences and SQL, in pieces --------------------------------------------------------------------------------------------------------------


def counted(many: int, what: str) -> str:
    """How many, and of what, in a sentence.

    >>> counted(1, "cells below 0"), counted(1200, "empty cells")
    ('1 cell below 0', '1,200 empty cells')
    """
    said = re.sub(r"(cell|row|value|error|warning|rule|table)s", r"\1", what, count=1) if many == 1 else what
    return f"{many:,} {said}"


def identifier(name: str) -> str:
    """A name as SQL.

    >>> identifier("Type of cancer: ICD10")
    '"Type of cancer: ICD10"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value of a contract as SQL.

    >>> literal("it's"), literal(7), literal(["a", "b"])
    ("'it''s'", '7', "('a', 'b')")
    """
    if isinstance(value, list | tuple):
        return f"({', '.join(map(literal, value))})"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def number(desk: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The one number a query answers with."""
    return int(desk.cursor().execute(sql).fetchall()[0][0])
