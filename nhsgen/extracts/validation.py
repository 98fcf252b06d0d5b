"""Check a submitted folder against its contracts, and write its files as the typed, cleaned tables that were checked.

Nothing in a report repeats what stands in a cell: a finding says which column, which rule, how many cells and the first row
numbers (1 is the first row of data). A file that cannot be opened is a finding, not a crash.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from nhsgen.contracts.contract import Column, Contract, Table
from nhsgen.contracts.reading import merge_words
from nhsgen.contracts.rules import execute, strangers
from nhsgen.contracts.submitted import (
    Cleaned,
    Finding,
    Submitted,
    cleaned_cells,
    counted,
    load,
    look_at_cells,
    open_desk,
    typed,
    unreadable,
    write,
)
from nhsgen.errors import BadContract, BadFile
from nhsgen.settings import Settings

__all__ = ["CheckedTable", "Cleaned", "ContractReport", "Finding", "typed_table", "validate", "write_typed"]


@dataclass(frozen=True)
class CheckedTable:
    """A table that was read: its rows, and the columns that are checked but not taken into a release."""

    name: str
    file: str
    rows: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContractReport:
    """What the check of an extract found; `passed` when nothing of severity "error" was.

    contracts: (id, version, sha256) of each; rules: how many of their rules were executed.
    """

    contracts: tuple[tuple[str, str, str], ...]
    tables: tuple[CheckedTable, ...]
    findings: tuple[Finding, ...]
    cleaned: tuple[Cleaned, ...]
    rules: int = 0

    @property
    def passed(self) -> bool:
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "ContractReport":
        return cls(
            contracts=tuple((c[0], c[1], c[2]) for c in said["contracts"]),
            tables=tuple(CheckedTable(**{**table, "left_out": tuple(table["left_out"])}) for table in said["tables"]),
            findings=tuple(Finding(**{**finding, "rows": tuple(finding["rows"])}) for finding in said["findings"]),
            cleaned=tuple(Cleaned(**cleaned) for cleaned in said["cleaned"]),
            rules=said["rules"],
        )

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        under = ", ".join(f"{name} {version}" for name, version, _ in self.contracts)
        lines = [
            f"Contract check {verdict}: {counted(len(self.errors), 'errors')}, {counted(len(self.warnings), 'warnings')} "
            f"({counted(self.rules, 'rules')} on {counted(len(self.tables), 'tables')}, under {under})."
        ]
        lines += [f"  error    {finding}" for finding in self.errors]
        lines += [f"  warning  {finding}" for finding in self.warnings]
        lines += [
            f"  cleaned  {c.file}, column '{c.column}': {counted(c.cells, 'cells with a declared missing marker')}"
            for c in self.cleaned
        ]
        for table in self.tables:
            left_out = f"; not taken: {', '.join(table.left_out)}" if table.left_out else ""
            lines.append(f"  read     {table.file}: {counted(table.rows, 'rows')}{left_out}")
        return "\n".join(lines)


# -- The recipe ----------------------------------------------------------------------------------------------------------


def validate(folder: Path, contracts: Sequence[Contract], settings: Settings) -> ContractReport:
    """Check every file of `folder` against `contracts`; BadContract when the contracts contradict each other."""
    tables = _all_tables(contracts)
    findings = _unexpected_files(folder, contracts) + _missing_variant_files(folder, contracts)
    checked: list[CheckedTable] = []
    cleaned: list[Cleaned] = []
    sound: dict[str, list[Column]] = {}
    with tempfile.TemporaryDirectory() as scratch, open_desk(folder, tables, settings, Path(scratch)) as desk:
        for table in tables:
            loaded = load(desk, folder, table)
            if isinstance(loaded, Finding):
                findings += [loaded] if loaded.rule != "absent" or table.required else []
                continue
            broken = loaded.findings + look_at_cells(desk, loaded)
            findings += broken
            cleaned += cleaned_cells(desk, loaded)
            sound[table.name] = [c for c in table.columns if c.source not in {finding.column for finding in broken}]
            try:
                rows = write(desk, loaded, table.columns, Path(scratch) / f"{table.name}.parquet")
            except duckdb.Error as error:
                findings.append(unreadable(error, table))
                del sound[table.name]
                continue
            left_out = tuple(column.source for column in table.columns if column.excluded)
            checked.append(CheckedTable(table.name, table.file, rows, left_out))
            desk.cursor().execute(f"DROP TABLE {loaded.relation}")
        broken_rules, rules = execute(desk, Path(scratch), contracts, sound)
        findings += broken_rules + strangers(desk, Path(scratch), contracts, sound)
    return ContractReport(
        contracts=tuple((contract.id, contract.version, contract.sha256) for contract in contracts),
        tables=tuple(checked),
        findings=tuple(findings),
        cleaned=tuple(cleaned),
        rules=rules,
    )


def typed_table(desk: duckdb.DuckDBPyConnection, folder: Path, table: Table) -> duckdb.DuckDBPyRelation:
    """The released columns of a submitted file, cleaned and of the declared types; BadFile when it does not have them.

    `desk` is any DuckDB that may read the file; the rows stay in it, in the schema "submitted".
    """
    return desk.sql(typed(_fit(desk, folder, table), table.released))


def write_typed(folder: Path, table: Table, out: Path, settings: Settings | None = None) -> int:
    """Write the typed, cleaned table as Parquet to `out` and return its rows; the caller makes the file durable."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_desk(folder, [table], settings or Settings(), Path(scratch), out.resolve().parent) as desk,
    ):
        return write(desk, _fit(desk, folder, table), table.released, out.resolve())


def _fit(desk: duckdb.DuckDBPyConnection, folder: Path, table: Table) -> "Submitted":
    loaded = load(desk, folder, table)
    found = [loaded] if isinstance(loaded, Finding) else loaded.findings + look_at_cells(desk, loaded)
    if isinstance(loaded, Finding) or found:
        raise BadFile(
            "reading a table under its contract",
            str(found[0]),
            "check the extract again before releasing it",
            file=table.file,
        )
    return loaded


def _all_tables(contracts: Sequence[Contract]) -> list[Table]:
    merge_words(contracts)  # complains when two contracts both list everyone
    seen: dict[str, Contract] = {}
    for contract in contracts:
        for name in {name.casefold() for table in contract.tables for name in (table.name, table.file)}:
            if seen.setdefault(name, contract) is not contract:
                raise BadContract(
                    f"checking under {seen[name].path.name} and {contract.path.name} together",
                    f"both describe '{name}'",
                    "submit the extract under one of them",
                )
    return [table for contract in contracts for table in contract.tables]


# -- The folder: nothing missing, nothing nobody named


def _unexpected_files(folder: Path, contracts: Sequence[Contract]) -> list[Finding]:
    """A file that no contract names may identify somebody: it is not passed over."""
    named = {table.file for contract in contracts for table in contract.tables}
    named |= {file for contract in contracts for file in contract.not_taken}
    patterns = [
        files.file + index for contract in contracts for files in contract.variants for index in ("", ".tbi", ".csi")
    ]
    return [
        Finding(
            path.name, None, "unexpected_file", "no contract names this file; take it out, or name it in the contract"
        )
        for path in sorted(folder.iterdir())
        if path.name not in named and not any(path.match(pattern) for pattern in patterns)
    ]


def _missing_variant_files(folder: Path, contracts: Sequence[Contract]) -> list[Finding]:
    return [
        Finding(files.file, None, "absent", "no such variant file is in the extract")
        for contract in contracts
        for files in contract.variants
        if files.required and not any(folder.glob(files.file))
    ]
