"""How common each allele is in a cohort, when every site has a list of variants of its own.

A site lists the variants its people have. What it does not list means "reference" in a joint call set and "unknown" otherwise,
and the answer must be the one the pooled people would have given. For an allele v, and sites s:

    called(v) = sum of an(v, s) over the sites that list v
              + sum of people(s, sex) x copies(v, sex) over the sites that do not list v and whose absence means reference

Which sites list v is not known to the sum, but both of these are sums: how many people of each sex there are where absence
means reference (the background row), and how many of them are at sites that list v (the row of v). Their difference is the
second line. `copies` is the same everywhere (two on an autosome, one for a man's X), and so is part of v's label.
A cohort that is split into groups is as many such sums, one a group, whose labels end with the group's name.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from nhsgen.estimates import Frequencies, FrequenciesByGroup, FrequencyRow
from nhsgen.genome import Assembly, chromosome_order, ploidy
from nhsgen.statistics.summary import BACKGROUND, LISTED, NOT_RECORDED, Summary, background, label, parts

__all__ = ["MEASURES", "SEXES", "Allele", "alleles", "estimate", "estimate_by_group", "summarise", "summary_of"]

SEXES = ("female", "male", "unknown")
MEASURES = ("alternate", "called", "carriers", "homozygous", "people", *(f"{LISTED}{sex}" for sex in SEXES))

Group = tuple[str, ...]
Absence = Literal["reference", "unknown"]


def summarise(
    counts: pl.DataFrame,
    people_by_sex: Mapping[Any, int],
    *,
    assembly: Assembly,
    absence: Absence,
    group: Sequence[str | None] = (),
) -> Summary:
    """One site's alleles, of everybody asked about or of a group of them.

    counts: key, gene, chrom, pos, hom_alt, ac, an, carriers, and consequence where it is known, a row an allele, counted among the
        people of `people_by_sex`.
    people_by_sex: how many are "female" and "male"; everybody under another name, or none, is of unknown sex.
    absence: what it means that an allele is not listed here.
    """
    measured = counts.with_columns(alternate="ac", called="an", homozygous="hom_alt")
    return summary_of(measured, MEASURES[:4], people_by_sex, assembly=assembly, absence=absence, group=group)


def summary_of(
    counts: pl.DataFrame,
    measures: Sequence[str],
    people_by_sex: Mapping[Any, int],
    *,
    assembly: Assembly,
    absence: Absence,
    group: Sequence[str | None] = (),
) -> Summary:
    """As `summarise`, with these columns of `counts` as what is counted of each allele."""
    known = [int(people_by_sex.get(sex, 0)) for sex in SEXES[:2]]
    by_sex = [*known, sum(people_by_sex.values()) - sum(known)]
    listed = by_sex if absence == "reference" else [0] * len(SEXES)
    people = sum(by_sex)
    if "consequence" not in counts.columns:
        counts = counts.with_columns(consequence=pl.lit(""))
    columns = counts.select("key", "gene", "consequence", "chrom", "pos", *measures).unique("key", maintain_order=True)
    rows = {
        label([key, gene or "", consequence or "", _copies(chrom, pos, assembly), *group]): [*counted, people, *listed]
        for key, gene, consequence, chrom, pos, *counted in columns.iter_rows()
    }
    everybody = [0] * len(measures) + [people, *listed]
    names = (*measures, "people", *(f"{LISTED}{sex}" for sex in SEXES))
    return Summary.from_rows(names, rows | {background(group): everybody})


@dataclass(frozen=True)
class Allele:
    """One allele in one group, all sites together.

    sums: of each measure, over the sites that list it. absent: of each sex, the people of sites where it is not listed, and that means
    reference; copies: how many alleles each of them has there.
    """

    key: str
    group: Group
    copies: tuple[int, ...]
    sums: Mapping[str, int]
    absent: tuple[int, ...]
    genes: set[str] = field(default_factory=set)
    consequences: set[str] = field(default_factory=set)

    @property
    def gene(self) -> str:
        """As the sites name it; they may do so differently."""
        return ", ".join(sorted(self.genes))

    @property
    def consequence(self) -> str:
        return ", ".join(sorted(self.consequences))

    @property
    def people(self) -> int:
        """Who were asked about it."""
        return self.sums["people"] + sum(self.absent)


def alleles(total: Summary) -> Iterator[Allele]:
    """Every allele in genome order, each in every group there is."""
    everybody = {parts(name)[1:]: total.row(name) for name in total.labels if name.startswith(BACKGROUND)}
    sums: dict[tuple[str, Group], dict[str, int]] = defaultdict(lambda: dict.fromkeys(total.measures, 0))
    genes: dict[str, set[str]] = defaultdict(set)
    consequences: dict[str, set[str]] = defaultdict(set)
    copies: dict[str, str] = {}
    for name, row in total.rows():
        key, gene, consequence, copies[key], *its_group = parts(name)
        genes[key] |= {gene} - {"", NOT_RECORDED}
        consequences[key] |= {consequence} - {"", NOT_RECORDED}
        for measure, value in row.items():
            sums[key, tuple(its_group)][measure] += value
    groups = sorted({*everybody, *(group for _, group in sums)})
    nobody = dict.fromkeys(total.measures, 0)
    for key in sorted(copies, key=_genome_order):
        for group in groups:
            row, whole = sums[key, group], everybody.get(group, nobody)
            absent = tuple(whole[f"{LISTED}{sex}"] - row[f"{LISTED}{sex}"] for sex in SEXES)
            yield Allele(key, group, tuple(map(int, copies[key])), row, absent, genes[key], consequences[key])


def estimate(total: Summary) -> Frequencies:
    """Alleles in genome order, each among the people who were asked about it."""
    return Frequencies(tuple(map(_row, alleles(total))), total.row(BACKGROUND)["people"])


def estimate_by_group(total: Summary, by: Sequence[str]) -> FrequenciesByGroup:
    people = {parts(name)[1:]: total.row(name)["people"] for name in total.labels if name.startswith(BACKGROUND)}
    return FrequenciesByGroup(tuple(by), tuple(map(_row, alleles(total))), people)


def _row(allele: Allele) -> FrequencyRow:
    unlisted = sum(n * each for n, each in zip(allele.absent, allele.copies, strict=True))
    return FrequencyRow(
        variant=allele.key,
        gene=allele.gene,
        alternate=allele.sums["alternate"],
        called=allele.sums["called"] + unlisted,
        carriers=allele.sums["carriers"],
        homozygous=allele.sums["homozygous"],
        people=allele.people,
        consequence=allele.consequence,
        group=allele.group,
    )


def _copies(chrom: str, pos: int, assembly: Assembly) -> str:
    """How many copies a woman, a man and somebody of unknown sex have there, as three digits.

    >>> _copies("16", 2_103_000, Assembly.GRCh38), _copies("X", 50_000_000, Assembly.GRCh38)
    ('222', '212')
    """
    return "".join(str(ploidy(chrom, pos, sex, assembly)) for sex in SEXES)


def _genome_order(key: str) -> tuple[tuple[int, str], int, str]:
    chrom, pos, _ = key.split("-", 2)
    return chromosome_order(chrom), int(pos), key
