"""Federations made of public data that nobody here wrote, for the stories."""

import csv
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import add
from pathlib import Path

import pysam

from nhsgen import extracts, studies
from nhsgen.estimates import Estimate
from nhsgen.settings import Settings
from nhsgen.studies import Study
from nhsgen.workspace import Site, Workspace

__all__ = ["SETTINGS", "estimate", "populations", "split_text", "split_vcf", "through_approval"]

SETTINGS = Settings(threads=2)

SUPERPOPULATION = {
    population: group
    for group, members in {
        "EUR": "CEU TSI FIN GBR IBS", "AFR": "YRI LWK GWD MSL ESN ASW ACB", "EAS": "CHB JPT CHS CDX KHV",
        "SAS": "GIH PJL BEB STU ITU", "AMR": "MXL PUR CLM PEL",
    }.items()
    for population in members.split()
}  # fmt: skip


def populations(pedigree: Path) -> Mapping[str, str]:
    """Sample -> superpopulation, from the 1000 Genomes Project's pedigree."""
    with pedigree.open(newline="") as rows:
        return {
            row["Individual ID"]: SUPERPOPULATION[row["Population"]] for row in csv.DictReader(rows, delimiter="\t")
        }


def split_text(source: Path, target: Path, belongs: Callable[[str], bool], column: int) -> None:
    """Write the header and those rows of a TSV whose `column` belongs."""
    header, *rows = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text(header + "".join(row for row in rows if belongs(row.split("\t")[column])), encoding="utf-8")


def split_vcf(source: Path, target: Path, belongs: Callable[[str], bool]) -> None:
    """Write those samples of a VCF that belong, under a header that names nobody and nothing of the original run; without INFO
    but for END, because AC and AN would be those of all people."""
    with pysam.BGZFile(str(source)) as lines, pysam.BGZFile(str(target), "wb") as out:
        keep: list[int] = []
        for line in lines:
            if line.startswith(b"##"):
                if line.startswith(
                    (b"##fileformat", b"##FILTER", b"##ALT", b"##FORMAT=<ID=GT", b"##contig", b"##INFO=<ID=END")
                ):
                    out.write(line + b"\n")
                continue
            fields = line.split(b"\t")
            keep = keep or [*range(9), *(i for i in range(9, len(fields)) if belongs(fields[i].decode()))]
            if not line.startswith(b"#"):
                fields[7] = next((part for part in fields[7].split(b";") if part.startswith(b"END=")), b".")
            out.write(b"\t".join(fields[i] for i in keep) + b"\n")


def through_approval(
    site: Site, folder: Path, contracts: Iterable[Path], lift: Mapping[str, str]
) -> extracts.CheckReport:
    """Submit, check, approve twice, release; `ann` founded the site."""
    for name, role in (("asha", "submitter"), ("ben", "steward"), ("carys", "steward")):
        site.enrol(name, role, "ann")
    extract = extracts.submit(site, folder, list(contracts), "asha")
    report = extracts.check(site, extract.id, "ben", SETTINGS, lift=lift)
    for steward in ("ben", "carys"):
        extracts.approve(site, extract.id, steward, "both reports read")
    extracts.release(site, extract.id, "ben", SETTINGS)
    return report


def estimate(study: Study, workspace: Workspace) -> Estimate:
    """What the sites' sums say together, exactly: inside the wall, before the gate."""
    answers = [studies.summarise(study, site, SETTINGS) for site in workspace.sites.values()]
    summaries = [reply.summary for reply in answers if reply.summary is not None]
    assert len(summaries) == len(answers)
    return studies.SUMS[study.method].estimate(study, reduce(add, summaries))
