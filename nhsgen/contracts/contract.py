"""A contract as the house needs it: tables, their columns, variant files, and the words they are bound to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from open_data_contract_standard.model import OpenDataContractStandard

from nhsgen.contracts.words import Words
from nhsgen.genome import Assembly

__all__ = ["DUCKDB_TYPES", "Column", "Contract", "Table", "VariantFiles"]

# ODCS logical type -> the DuckDB types that may carry it; the first one is meant when a contract names none.
DUCKDB_TYPES: Mapping[str, tuple[str, ...]] = {
    "string": ("VARCHAR",),
    "integer": ("BIGINT", "INTEGER", "SMALLINT", "TINYINT"),
    "number": ("DOUBLE", "FLOAT"),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMP",),
    "boolean": ("BOOLEAN",),
}


@dataclass(frozen=True)
class Column:
    """One column: what it is called in the release, what the file calls it, and what may stand in it.

    source: its name in the submitted file; the same as `name` unless the contract gives a physicalName.
    physical_type: a DuckDB type, e.g. "BIGINT"; always set by `read`.
    missing_markers: the declared cleaning rule: cells with one of these texts become NULL, counted and reported.
    optional: the file may lack the column; the release then has it, empty.
    excluded: checked, but not taken into the release.
    identifying, quasi_identifier: what the contract's `classification` says of it.
    free_text_allowed: a steward has accepted sentences here.
    date_kind: what a date is the date of, where de-identification cares: "birth" or "death".
    severity: "warning" when breaking its minimum, maximum, length or pattern is reported but does not stop an extract.
    """

    name: str
    logical_type: str
    physical_type: str | None = None
    source: str = ""
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    optional: bool = False
    classification: str | None = None
    missing_markers: tuple[str, ...] = ()
    excluded: bool = False
    identifying: bool = False
    quasi_identifier: bool = False
    free_text_allowed: bool = False
    date_kind: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __post_init__(self) -> None:
        if not self.source:
            object.__setattr__(self, "source", self.name)

    @property
    def duckdb_type(self) -> str:
        return self.physical_type or DUCKDB_TYPES[self.logical_type][0]


@dataclass(frozen=True)
class Table:
    """One file of rows: `file` is its name in the extract ("person.parquet", "uk1.tsv", "PERSON.csv.gz")."""

    name: str
    file: str
    columns: tuple[Column, ...]
    required: bool = True

    @property
    def is_text(self) -> bool:
        """CSV or TSV, gzipped or not: its columns have no types of their own."""
        return not self.file.endswith(".parquet")

    @property
    def released(self) -> tuple[Column, ...]:
        """The columns that go into a release."""
        return tuple(column for column in self.columns if not column.excluded)

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary_key)

    def describe(self) -> str:
        """Its columns, one a line, for whoever prepares the file."""
        width = max(len(column.source) for column in self.columns)
        lines = [f"{self.file}{'' if self.required else ' (may be left out)'}"]
        for column in self.columns:
            facts = [column.duckdb_type]
            facts += ["key" if column.primary_key else "required" if column.required else "may be empty"]
            facts += [column.classification] if column.classification else []
            facts += ["checked but not released"] if column.excluded else []
            facts += [f"{' and '.join(column.missing_markers)} count as empty"] if column.missing_markers else []
            lines.append(f"  {column.source.ljust(width)}  {', '.join(facts)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class VariantFiles:
    """Files of variants. `absence`: what it means that a variant is not in the file: "reference" in a joint call set,
    "unknown" otherwise. `annotation`: the INFO field with consequences, CSQ (VEP), ANN (SnpEff) or BCSQ (bcftools). `samples`:
    whose they are; a file that tumours' files claim is no germline file, whatever other names match it."""

    name: str
    file: str
    assembly: Assembly
    absence: Literal["reference", "unknown"]
    annotation: Literal["CSQ", "ANN", "BCSQ"] | None = None
    required: bool = True
    samples: Literal["germline", "tumours"] = "germline"


@dataclass(frozen=True)
class Contract:
    """What an extract must satisfy. `sha256` is that of the contract file's bytes; `raw` is the ODCS model it was read into.

    not_taken: files that may lie in the extract and are neither read nor released (OMOP's vocabulary tables, say).
    """

    id: str
    version: str
    name: str
    sha256: str
    path: Path
    tables: tuple[Table, ...]
    variants: tuple[VariantFiles, ...]
    words: Words
    raw: OpenDataContractStandard = field(repr=False, compare=False)
    not_taken: tuple[str, ...] = ()

    @property
    def quasi_identifiers(self) -> tuple[tuple[str, str], ...]:
        """(table, column) of everything released that could single a person out together with other facts."""
        return tuple(
            (table.name, column.name) for table in self.tables for column in table.released if column.quasi_identifier
        )

    def describe(self) -> str:
        """What it asks for, in lines for a person: tables with their columns, variant files, and the words it binds."""
        files = [
            f"{files.file}: variants {'of tumours ' if files.samples == 'tumours' else ''}on {files.assembly}; "
            f"a variant that is not listed is {files.absence}"
            for files in self.variants
        ]
        bound = sorted({kind.name for kind in fields(self.words) if getattr(self.words, kind.name)})
        words = f"Words a cohort may use: {', '.join(bound) or 'none'}"
        return "\n\n".join([f"{self.name} {self.version}", *(table.describe() for table in self.tables), *files, words])
