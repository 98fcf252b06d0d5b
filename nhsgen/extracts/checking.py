"""What stewards decide on: an extract checked against its contracts, and for what in it still points to a person."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nhsgen.contracts import Contract, merge_words
from nhsgen.errors import BadFile, NotAllowed
from nhsgen.extracts import links
from nhsgen.extracts.deidentification import DeidentificationReport, inspect
from nhsgen.extracts.publishing import variant_files
from nhsgen.extracts.validation import ContractReport, Finding, validate, write_typed
from nhsgen.settings import Settings
from nhsgen.variants import VariantStore, ingest

__all__ = ["CheckReport", "check_files"]


@dataclass(frozen=True)
class CheckReport:
    """What a check found: the contract's side, the people's side, and what a steward let pass, with the reason."""

    extract: str
    contract: ContractReport
    deidentification: DeidentificationReport
    lifted: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.contract.passed and not self.blocking

    @property
    def blocking(self) -> tuple[str, ...]:
        """Ids of the de-identification findings that stop it and that nobody let pass."""
        return tuple(finding.id for finding in self.deidentification.blocking if finding.id not in self.lifted)

    def summary(self) -> str:
        """Two lines for a person in a hurry."""
        lines = (str(part).splitlines()[0] for part in (self.contract, self.deidentification))
        return "\n".join(f"  {line}" for line in lines)

    def to_dict(self) -> dict[str, Any]:
        return {
            "extract": self.extract,
            "contract": self.contract.to_dict(),
            "deidentification": self.deidentification.to_dict(),
            "lifted": dict(self.lifted),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "CheckReport":
        return cls(
            said["extract"],
            ContractReport.from_dict(said["contract"]),
            DeidentificationReport.from_dict(said["deidentification"]),
            said["lifted"],
        )

    def __str__(self) -> str:
        lifted = [f"  lifted   {finding}: {reason}" for finding, reason in self.lifted.items()]
        verdict = f"{self.extract} {'may be approved' if self.passed else 'may not be approved'}."
        return "\n".join([str(self.contract), "", str(self.deidentification), *lifted, "", verdict])


def check_files(
    extract: str, files: Path, contracts: Sequence[Contract], settings: Settings, lift: Mapping[str, str]
) -> CheckReport:
    """Check the folder `files`; `lift` says which findings may pass, and why."""
    validated = validate(files, contracts, settings)
    if validated.passed:
        validated = replace(validated, findings=(*validated.findings, *_check_links(files, contracts, settings)))
    inspected = inspect(files, contracts, settings=settings)
    _check_lifted(inspected, lift)
    return CheckReport(extract, validated, inspected, dict(lift))


def _check_lifted(inspected: DeidentificationReport, lift: Mapping[str, str]) -> None:
    """NotAllowed when a finding that is to pass is not there, or is of a kind that may not."""
    known = {finding.id: finding for finding in inspected.blocking}
    for name in lift:
        if name not in known:
            raise NotAllowed(f"letting '{name}' pass", "no such finding stops this extract", "use an id of the report")
        if not known[name].may_be_lifted:
            raise NotAllowed(
                f"letting '{name}' pass", "this kind may never pass", "have the extract made again without it"
            )


def _check_links(files: Path, contracts: Sequence[Contract], settings: Settings) -> list[Finding]:
    """What is wrong in the variant files, or between samples and people, found before anybody is asked to approve it.

    Every record is read as a release reads it: a file that was cut short shows it at its end.
    """
    words = merge_words(contracts)
    bound = {everyone.table for everyone in words.people[:1]}
    bound |= {link.table for link in (*words.samples, *words.tumour_samples)}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            samples, tumours = (_samples(files, contracts, kind, Path(scratch)) for kind in ("germline", "tumours"))
        except _Unreadable as unreadable:
            return [unreadable.finding]
        if samples is None and tumours is None:
            return []
        tables = {}
        for table in (table for contract in contracts for table in contract.tables if table.name in bound):
            if (files / table.file).is_file():
                tables[table.name] = Path(scratch) / f"{table.name}.parquet"
                write_typed(files, table, tables[table.name], settings)
        problems = links.compare(words.only(tables), tables, samples, tumours).problems
    _, first = variant_files(files, contracts, "germline" if samples is not None else "tumours")
    return [Finding(first[0].name, None, "sample_link", problem) for problem in problems]


class _Unreadable(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


def _samples(files: Path, contracts: Sequence[Contract], kind: str, scratch: Path) -> Sequence[str] | None:
    """The samples of the germline's or the tumours' variant files; None when there are no such files."""
    said, variants = variant_files(files, contracts, kind)
    if said is None:
        return None
    try:
        ingest(variants, scratch / kind, assembly=said.assembly, annotation=said.annotation, absence=said.absence)
    except BadFile as bad:
        place = "" if bad.line is None else f"line {bad.line:,}: "
        finding = Finding(bad.file or variants[0].name, None, "unreadable", f"{place}{bad.found}; {bad.do_next}")
        raise _Unreadable(finding) from bad
    return VariantStore.open(scratch / kind).samples
