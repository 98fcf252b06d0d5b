"""The de-identification report: what in an extract still points to a person, for the steward who decides on its release.

Every file of the folder is inspected: tables by `detectors`, VCF and BCF by `variant_headers`, all by their names, and how
easily people stand out by a GROUP BY over the declared quasi-identifiers. A finding says which column, how many rows and the
first of them; it never repeats what stands in a cell, and nothing that was written to identify somebody, be it a file name.
"""

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from nhsgen.contracts import Contract, Table
from nhsgen.extracts.detectors import DETECTORS, Cells, Level
from nhsgen.extracts.identifiers import identifier_in
from nhsgen.extracts.submitted_tables import SubmittedTable, footer_leaks, open_submitted, order_leaks
from nhsgen.extracts.variant_headers import Leak, compression_leaks, variant_leaks
from nhsgen.progress import track
from nhsgen.settings import Settings

__all__ = ["DeidentificationReport", "Finding", "Inspected", "Uniqueness", "inspect"]

MINIMUM_K = 8  # how many people must share every combination of quasi-identifiers in a release
_WORST = 10

_TABLES = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
_VARIANTS = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
_INDEXES = (".tbi", ".csi")  # never opened: a damaged one crashes its reader, and a release makes its own


# -- What is reported ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One thing in one column, header or file name.

    rows, share, first_row: how many rows, of how many, and the first of them (1 is the first row of data); for a variant file
    lines, samples or records. level: "blocks" stops a release until a steward lifts it, where it may be lifted.
    """

    id: str
    detector: str
    table: str
    column: str | None
    rows: int
    share: float
    level: Level
    says: str
    may_be_lifted: bool = True
    first_row: int | None = None

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}, {self.column}"
        rows = (
            f" {_many(self.rows, 'row')} ({_percent(self.share)})"
            if self.share
            else f" {self.rows:,} found"
            if self.rows
            else ""
        )
        first = f", first in row {self.first_row:,}" if self.first_row and self.share < 1 else ""
        return f"{place}: {self.says}.{rows}{first}{'.' if rows else ''}".rstrip()


@dataclass(frozen=True)
class Uniqueness:
    """How easily people stand out in one table by its quasi-identifiers together; sizes of groups, never who is in them.

    people, groups: how many people, in how many combinations. k: people in the smallest. alone, below: people in groups of one,
    in groups under `minimum_k`. diversity: sensitive column -> how many different values the least diverse group has (l).
    smallest: sizes of the ten smallest groups. without: column -> what k would be if it were left out.
    """

    table: str
    columns: tuple[str, ...]
    people: int
    groups: int
    k: int
    minimum_k: int
    alone: int
    below: int
    smallest: tuple[int, ...] = ()
    diversity: Mapping[str, int] = field(default_factory=dict)
    without: Mapping[str, int] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        return self.people == 0 or self.k >= self.minimum_k

    def __str__(self) -> str:
        together = " and ".join(filter(None, (", ".join(self.columns[:-1]), self.columns[-1])))
        lines = [
            f"{self.table}: by {together}, {self.people:,} people fall into {self.groups:,} groups; the smallest has {self.k:,} "
            f"(k = {self.k}, {self.minimum_k} wanted)."
        ]
        if not self.enough:
            lines.append(
                f"{self.alone:,} people ({_percent(self.alone / self.people)}) are alone in theirs; {self.below:,} "
                f"({_percent(self.below / self.people)}) share it with fewer than {self.minimum_k - 1} others."
            )
            better = {column: k for column, k in self.without.items() if k > self.k}
            lines += [
                f"Without {column} k would be {k}." for column, k in sorted(better.items(), key=lambda item: -item[1])
            ]
        lines += [
            f"{column} takes {least} different values in the least diverse group."
            for column, least in self.diversity.items()
        ]
        return " ".join(lines)


@dataclass(frozen=True)
class Inspected:
    """A file that was read, by the name it goes by in this report."""

    file: str
    rows: int
    columns: int


@dataclass(frozen=True)
class DeidentificationReport:
    findings: tuple[Finding, ...]
    uniqueness: tuple[Uniqueness, ...]
    inspected: tuple[Inspected, ...]
    minimum_k: int = MINIMUM_K

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "blocks")

    @property
    def to_look_at(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "look")

    @property
    def passed(self) -> bool:
        return not self.blocking

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "DeidentificationReport":
        return cls(
            findings=tuple(Finding(**finding) for finding in said["findings"]),
            uniqueness=tuple(
                Uniqueness(**{**each, "columns": tuple(each["columns"]), "smallest": tuple(each["smallest"])})
                for each in said["uniqueness"]
            ),
            inspected=tuple(Inspected(**each) for each in said["inspected"]),
            minimum_k=said["minimum_k"],
        )

    @property
    def verdict(self) -> str:
        """One sentence on top."""
        looked = f"{_many(len(self.inspected), 'file')} inspected"
        also = f"{_many(len(self.to_look_at), 'thing')} to look at" if self.to_look_at else "nothing else to look at"
        if self.passed:
            return f"{looked}: nothing stops a release; {also}."
        final = sum(not finding.may_be_lifted for finding in self.blocking)
        return (
            f"{looked}: {_many(len(self.blocking), 'thing')} {'stops' if len(self.blocking) == 1 else 'stop'} a release "
            f"({final} must be taken out, {len(self.blocking) - final} may be lifted with a reason); {also}."
        )

    def __str__(self) -> str:
        lines = [f"De-identification: {self.verdict}"]
        for title, findings in (("Stops a release", self.blocking), ("To look at", self.to_look_at)):
            lines += ["", title] if findings else []
            for finding in findings:
                lines += [f"  {finding}{_what_to_do(finding)}", f"      [{finding.id}]"]
        if self.uniqueness:
            lines += ["", "How easily people stand out", *(f"  {each}" for each in self.uniqueness)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'stops a release' if f.level == 'blocks' else 'to look at'}</td><td>{html.escape(f.table)}</td>"
            f"<td>{html.escape(f.column or '')}</td><td>{html.escape(f.says)}</td>"
            f"<td style='text-align:right'>{f.rows:,}</td><td>{html.escape(_what_to_do(f).strip())}</td></tr>"
            for f in (*self.blocking, *self.to_look_at)
        )
        table = (
            "<table><thead><tr><th></th><th>table</th><th>column</th><th>what was found</th><th>rows</th><th></th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
        people = "".join(f"<p>{html.escape(str(each))}</p>" for each in self.uniqueness)
        return f"<div><p><b>De-identification:</b> {html.escape(self.verdict)}</p>{table if rows else ''}{people}</div>"


def _what_to_do(finding: Finding) -> str:
    if finding.level == "look":
        return ""
    return " May be lifted with a reason." if finding.may_be_lifted else " Take it out of the extract."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


# -- The recipe ----------------------------------------------------------------------------------------------------------


def inspect(
    folder: Path,
    contracts: Sequence[Contract],
    *,
    settings: Settings,
    minimum_k: int = MINIMUM_K,
    today: date | None = None,
) -> DeidentificationReport:
    """Inspect every file of `folder`; `contracts` say which columns are keys, quasi-identifiers, or not released.

    A file that cannot be read, or is of a kind nobody here can read, is a finding that blocks: it is never passed over.
    """
    findings: list[Finding] = []
    uniqueness: list[Uniqueness] = []
    inspected: list[Inspected] = []
    declared = {table.file: (contract, table) for contract in contracts for table in contract.tables}
    not_taken = {file for contract in contracts for file in contract.not_taken}
    files = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    for number, path in enumerate(track(files, "inspecting files", len(files)), 1):
        name = path.relative_to(folder).as_posix()
        contract, table = declared.get(name, (None, None))
        label = _label(name, number)
        about: list[Finding] = [_file_name_finding(label, name)] if label != name else []
        if path.is_symlink():
            about.append(_unreadable(label, "is a link; submit the file itself"))
        elif name.endswith(_TABLES):
            title = table.name if table else label
            about += _leak_findings(label, compression_leaks(path))
            try:
                with open_submitted(path, table, contract, contracts, settings) as submitted:
                    about += _table_findings(submitted, title, minimum_k, today or date.today())
                    inspected.append(Inspected(label, submitted.rows, len(submitted.columns)))
                    if table is not None and (unique := _uniqueness(submitted, table, minimum_k)):
                        uniqueness.append(unique)
                        about += _uniqueness_finding(unique)
            except (duckdb.Error, OSError, EOFError, UnicodeError, ValueError):  # their texts quote cells
                about.append(_unreadable(label, "cannot be read as a table, so nobody knows what is in it"))
        elif name.endswith(_VARIANTS):
            about += _leak_findings(label, (*compression_leaks(path), *variant_leaks(path)))
            inspected.append(Inspected(label, 0, 0))
        elif not name.endswith(_INDEXES) and name not in not_taken:
            about.append(
                _unreadable(label, "is neither a table nor a variant file, and was not inspected", may_be_lifted=True)
            )
        if name in not_taken:  # of a file that stays behind only what may be nowhere
            about = [_not_released(finding) for finding in about if not finding.may_be_lifted]
        findings += about
    return DeidentificationReport(_distinct(findings), tuple(uniqueness), tuple(inspected), minimum_k)


def _label(name: str, number: int) -> str:
    """What the report calls a file: its name, unless that identifies somebody."""
    if identifier_in(name) is None:
        return name
    return f"file {number}{next((suffix for suffix in (*_TABLES, *_VARIANTS) if name.endswith(suffix)), '')}"


def _file_name_finding(label: str, name: str) -> Finding:
    says = f"has what may be {identifier_in(name)} in its name; rename it"
    return Finding(f"file_name:{label}", "file_name", label, None, 1, 0.0, "blocks", says, may_be_lifted=False)


def _unreadable(label: str, says: str, may_be_lifted: bool = False) -> Finding:
    return Finding(f"unreadable:{label}", "unreadable", label, None, 0, 0.0, "blocks", says, may_be_lifted)


def _leak_findings(label: str, leaks: Iterable[Leak]) -> list[Finding]:
    return [
        Finding(
            f"{leak.detector}:{label}.{leak.place}", leak.detector, label, leak.place, leak.count, 0.0,
            "blocks" if leak.blocks else "look", leak.says, leak.may_be_lifted,
        )
        for leak in leaks
    ]  # fmt: skip


def _not_released(finding: Finding) -> Finding:
    """What does not leave with the release stops nothing, and is still shown."""
    return Finding(**{**asdict(finding), "level": "look", "says": f"{finding.says} (declared as not released)"})


def _distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What a steward lifts is an id: two findings must not share one."""
    seen: Counter[str] = Counter()
    unique = []
    for finding in findings:
        seen[finding.id] += 1
        more = seen[finding.id]
        unique.append(finding if more == 1 else Finding(**{**asdict(finding), "id": f"{finding.id}#{more}"}))
    return tuple(unique)


# -- One table -------------------------------------------------------------------------------------------------------------


def _table_findings(submitted: SubmittedTable, title: str, minimum_k: int, today: date) -> Iterator[Finding]:
    for cells in submitted.cells(today, minimum_k):
        yield from _column_findings(cells, submitted, title)
    yield from _leak_findings(title, footer_leaks(submitted.path))
    yield from _leak_findings(title, order_leaks(submitted))


def _column_findings(cells: Cells, submitted: SubmittedTable, title: str) -> Iterator[Finding]:
    column = submitted.label(cells.name)
    if identifying := identifier_in(cells.name):
        says = f"has what may be {identifying} for its name; is the first row of the file not its header?"
        yield Finding(
            f"column_name:{title}.{column}", "column_name", title, column, 0, 0.0, "blocks", says, may_be_lifted=False
        )
    stopped = False
    for detector in DETECTORS if cells.filled else ():
        hit = None if stopped and detector.last_resort else detector.find(cells)
        if hit is None:
            continue
        level: Level = detector.level if hit.sure else "look"
        stopped = stopped or level == "blocks"
        rows = int(hit.values["rows"].sum())
        finding = Finding(
            id=f"{detector.name}:{title}.{column}",
            detector=detector.name,
            table=title,
            column=column,
            rows=rows,
            share=rows / submitted.rows,
            level=level,
            says=hit.says,
            may_be_lifted=detector.may_be_lifted or not hit.sure,
            first_row=int(hit.values["first"].min()),  # type: ignore[arg-type]
        )
        yield _not_released(finding) if cells.declared is not None and cells.declared.excluded else finding


# -- How easily people stand out ---------------------------------------------------------------------------------------------


def _uniqueness(submitted: SubmittedTable, table: Table, minimum_k: int) -> Uniqueness | None:
    """k-anonymity and l-diversity in one GROUP BY, which also tells what k would be without each column."""
    by = [column for column in table.released if column.quasi_identifier and column.source in submitted.columns]
    sensitive = [
        column
        for column in table.released
        if column.classification == "sensitive" and column.source in submitted.columns
    ]
    if not by or not submitted.rows:
        return None
    groups = submitted.groups(by, sensitive)
    whole = groups[()]
    return Uniqueness(
        table=table.name,
        columns=tuple(column.name for column in by),
        people=int(whole["people"].sum()),
        groups=len(whole),
        k=int(whole["people"].min()),  # type: ignore[arg-type]
        minimum_k=minimum_k,
        alone=int((whole["people"] == 1).sum()),
        below=int(whole["people"].filter(whole["people"] < minimum_k).sum()),
        smallest=tuple(whole["people"].sort().head(_WORST).to_list()),
        diversity={column.name: int(whole[f"l{n}"].min()) for n, column in enumerate(sensitive)},  # type: ignore[arg-type]
        without={column.name: int(groups[(n,)]["people"].min()) for n, column in enumerate(by) if len(by) > 1},  # type: ignore[arg-type]
    )


def _uniqueness_finding(unique: Uniqueness) -> Iterator[Finding]:
    if not unique.enough:
        together, share = " + ".join(unique.columns), unique.below / unique.people
        says = (
            f"lets people stand out: the smallest group of people alike has {unique.k}, {unique.minimum_k} are wanted"
        )
        yield Finding(
            f"k_anonymity:{unique.table}", "k_anonymity", unique.table, together, unique.below, share, "blocks", says
        )
