"""A submitted table as the de-identification report sees it: every column as text, whatever the file says of itself.

Types, names and missing columns do not matter here: what breaks the contract must still be inspected. The rows stay in a
DuckDB that may read this one file and nothing else; each column comes out as its distinct values.
"""

import csv
import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import duckdb
import polars as pl
import pyarrow.parquet as pq

from nhsgen.contracts import Column, Contract, Event, Family, Measurement, Observation, People, Phenotype, Sample, Table
from nhsgen.contracts.submitted import identifier, literal, open_desk
from nhsgen.extracts.detectors import Cells
from nhsgen.extracts.identifiers import identifier_in
from nhsgen.extracts.variant_headers import Leak
from nhsgen.settings import Settings

__all__ = ["SubmittedTable", "footer_leaks", "open_submitted", "order_leaks"]

_Bound: TypeAlias = People | Event | Phenotype | Measurement | Observation | Family | Sample

_SAMPLE = 100_000  # rows in which the order of identifiers is compared with dates


@dataclass(frozen=True)
class SubmittedTable:
    """`relation` and `row` are SQL: where the rows are, and the number of a row, from 1. `columns` are the file's own names.

    keys: names that the contracts use for keys, people and samples, folded.
    """

    path: Path
    desk: duckdb.DuckDBPyConnection
    relation: str
    row: str
    columns: tuple[str, ...]
    rows: int
    declared: Mapping[str, Column]
    keys: frozenset[str]
    person: str | None
    one_row_a_person: bool

    @property
    def references(self) -> tuple[str, ...]:
        """How a reference to a key may end: preceding_visit_occurrence_id."""
        return tuple(f"_{key}" for key in self.keys if "_" in key)

    def label(self, name: str) -> str:
        """What the report calls a column: its name in the release, or its place when the name identifies somebody."""
        if identifier_in(name):
            return f"column {self.columns.index(name) + 1}"
        declared = self.declared.get(name.casefold())
        return declared.name if declared else name

    def cells(self, today: date, rare: int) -> Iterator[Cells]:
        for name in self.columns:
            declared = self.declared.get(name.casefold())
            called = {name.casefold(), declared.name.casefold() if declared else ""}
            key = any(each in self.keys or each.endswith(self.references) for each in called)
            yield Cells(name, self._values(name, declared), declared, key, self.one_row_a_person, today, rare)

    def _values(self, name: str, declared: Column | None) -> pl.DataFrame:
        """Grouped in the column's own type, which is faster, and turned into text afterwards."""
        query = (
            f"SELECT trim(CAST(cell AS VARCHAR)) AS value, rows, first FROM (SELECT {identifier(name)} AS cell, count(*) AS rows, "
            f"min({self.row}) AS first FROM {self.relation} GROUP BY ALL) WHERE cell IS NOT NULL"
        )
        values = self.desk.sql(query).pl().with_columns(pl.col("value").cast(pl.String))
        missing = ["", *(declared.missing_markers if declared else ())]
        return values.filter(~pl.col("value").is_in(missing))

    def groups(self, by: Sequence[Column], sensitive: Sequence[Column]) -> dict[tuple[int, ...], pl.DataFrame]:
        """Sizes of the groups by all of `by` under (), and by all but the n-th under (n,): people, and l0, l1 ... distinct values."""
        names = [f"q{n}" for n in range(len(by))]
        cells = [f"{_cell(column)} AS {name}" for column, name in zip(by, names, strict=True)]
        cells += [f"{_cell(column)} AS s{n}" for n, column in enumerate(sensitive)]
        cells += [f"CAST({identifier(self.person)} AS VARCHAR) AS person"] if self.person else []
        people = "count(DISTINCT person)" if self.person else "count(*)"
        counts = [
            f"{people} AS people",
            *(f"count(DISTINCT coalesce(s{n}, '')) AS l{n}" for n in range(len(sensitive))),
        ]
        sets = [names, *(([*names[:n], *names[n + 1 :]]) for n in range(len(names)) if len(names) > 1)]
        left_out = [(), *((n,) for n in range(len(names)) if len(names) > 1)]
        found = {}
        together = f"SELECT {', '.join(cells)} FROM {self.relation}"
        grouping = ", ".join(f"({', '.join(each)})" for each in sets)
        flags = " + ".join(f"grouping({name}) * {n + 1}" for n, name in enumerate(names))
        query = f"SELECT {flags} AS without, {', '.join(counts)} FROM ({together}) GROUP BY GROUPING SETS ({grouping})"
        sizes = self.desk.sql(query).pl().filter(pl.col("people") > 0)
        for without in left_out:
            found[without] = sizes.filter(pl.col("without") == (without[0] + 1 if without else 0))
        return found


@contextmanager
def open_submitted(
    path: Path, table: Table | None, contract: Contract | None, contracts: Sequence[Contract], settings: Settings
) -> Iterator[SubmittedTable]:
    """The file as a table; duckdb.Error, OSError or UnicodeError when it is none. Their messages quote cells: do not show them."""
    only = [Table(path.stem, path.name, ())]
    with tempfile.TemporaryDirectory() as scratch, open_desk(path.parent, only, settings, Path(scratch)) as desk:
        relation, row, columns = _parquet(desk, path) if path.suffix == ".parquet" else _text(desk, path)
        persons = _persons(contract, table)
        people = {binding.table for binding in contract.words.people} if contract else set()
        yield SubmittedTable(
            path=path,
            desk=desk,
            relation=relation,
            row=row,
            columns=columns,
            rows=int(desk.sql(f"SELECT count(*) FROM {relation}").pl().item()),
            declared={column.source.casefold(): column for column in table.columns} if table else {},
            keys=_keys(contracts),
            person=next((column.source for column in table.columns if column.name in persons), None) if table else None,
            one_row_a_person=table is not None and table.name in people,
        )


def _parquet(desk: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, str, tuple[str, ...]]:
    relation = f"read_parquet({literal(str(path.resolve()))}, hive_partitioning = false, file_row_number = true)"
    named = desk.cursor().execute(f"DESCRIBE SELECT * EXCLUDE (file_row_number) FROM {relation}").fetchall()
    return relation, "file_row_number + 1", tuple(str(row[0]) for row in named)


def _text(desk: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, str, tuple[str, ...]]:
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines, delimiter=delimiter), [])
        if path.suffix == ".gz":  # DuckDB reads a gzip file that was cut without a word, as far as it goes
            while lines.read(1 << 20):
                pass
    names: list[str] = []
    for place, name in enumerate(header, 1):
        taken = {other.casefold() for other in names}
        names.append(name if name.strip() and name.casefold() not in taken else f"column {place}")
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    desk.cursor().execute(
        f"CREATE TABLE submitted AS SELECT * FROM read_csv({literal(str(path.resolve()))}, columns = {{{columns}}}, "
        f"delim = {literal(delimiter)}, header = true, quote = '\"', escape = '\"', nullstr = '', auto_detect = false, "
        "strict_mode = true)"
    )
    return "submitted", "rowid + 1", tuple(names)


def _cell(column: Column) -> str:
    """The column as text, its declared missing markers as NULL."""
    missing = ", ".join(map(literal, ("", *column.missing_markers)))
    text = f"trim(CAST({identifier(column.source)} AS VARCHAR))"
    return f"CASE WHEN {text} IN ({missing}) THEN NULL ELSE {text} END"


def _persons(contract: Contract | None, table: Table | None) -> set[str]:
    """The columns of this table that name the person a row is about."""
    if contract is None or table is None:
        return set()
    words = contract.words
    by_person: tuple[tuple[_Bound, ...], ...] = (
        words.people, words.events, words.phenotypes, words.measurements, words.observations, words.family, words.samples,
        words.tumour_samples,
    )  # fmt: skip
    return {binding.person for bindings in by_person for binding in bindings if binding.table == table.name}


def _keys(contracts: Sequence[Contract]) -> frozenset[str]:
    """Columns that are meant to tell rows or people apart; a key of one table is a reference in another."""
    names: set[str | None] = set()
    for contract in contracts:
        for table in contract.tables:
            persons = _persons(contract, table)
            names |= {
                n for c in table.columns if c.primary_key or c.unique or c.name in persons for n in (c.name, c.source)
            }
        for family in contract.words.family:
            names |= {family.family, family.father, family.mother}
        names |= {sample.sample for sample in (*contract.words.samples, *contract.words.tumour_samples)}
    return frozenset(name.casefold() for name in names if name)


# -- What the file says beside its cells -------------------------------------------------------------------------------------

_HARMLESS = ("ARROW:schema", "pandas", "org.apache.spark.", "parquet.avro.schema", "writer.model.name", "duckdb_schema")


def footer_leaks(path: Path) -> Iterator[Leak]:
    """Key/value metadata in a Parquet footer, and the index pandas keeps as a column that nobody sees."""
    if path.suffix != ".parquet":
        return
    said = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (pq.read_metadata(path).metadata or {}).items()
    }
    own = {key: value for key, value in said.items() if not key.startswith(_HARMLESS)}
    if named := {what for key, value in own.items() if (what := identifier_in(f"{key}={value}"))}:
        yield Leak(
            "parquet_metadata", "footer", len(named), f"holds what may be {' and '.join(sorted(named))}", True, False
        )
    elif own:
        yield Leak(
            "parquet_metadata", "footer", len(own), "has entries beside the table; write the file again without them"
        )
    try:
        indexes = [
            index for index in json.loads(said.get("pandas", "{}")).get("index_columns", []) if isinstance(index, str)
        ]
    except (ValueError, AttributeError):
        indexes = []
    if indexes:
        yield Leak(
            "pandas_index",
            "footer",
            len(indexes),
            "says that a pandas index is stored as a column; it often is a register's number",
        )


def order_leaks(submitted: SubmittedTable) -> Iterator[Leak]:
    """Numbers that were given out in the order of dates: who knows when somebody was admitted can guess theirs."""
    step = max(1, submitted.rows // _SAMPLE)
    frame = submitted.desk.sql(
        f"SELECT {', '.join(f'CAST({identifier(name)} AS VARCHAR) AS {identifier(name)}' for name in submitted.columns)} "
        f"FROM {submitted.relation} WHERE ({submitted.row}) % {step} = 0"
    ).pl()
    days = {}
    for name in frame.columns:
        found = frame[name].cast(pl.String).str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})").str.to_date(strict=False)
        if found.n_unique() > 20 and found.null_count() < 0.5 * len(found):
            days[name] = found
    if not days:
        return
    for name in (column for column in frame.columns if column not in days):
        digits = frame[name].cast(pl.String).str.extract(r"^[^0-9]{0,8}([0-9]{1,18})$").cast(pl.Int64, strict=False)
        if digits.n_unique() < max(50, 0.9 * len(digits)):
            continue
        for other, dates in days.items():
            both = pl.DataFrame({"number": digits, "day": dates}).drop_nulls()
            if len(both) >= 50 and abs(both.select(pl.corr("number", "day", method="spearman")).item()) > 0.95:
                says = f"was given out in the order of {submitted.label(other)}; shuffle or replace it"
                yield Leak("order", submitted.label(name), len(both), says)
                break
