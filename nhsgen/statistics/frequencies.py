"""How common each allele is in a cohort, when every site has a list of variants of its own.

A site lists the variants its people have. What it does not list means "reference" in a joint call set and "unknown" otherwise,
and the answer must be the one the pooled people would have given. For an allele v, and sites s:

    called(v) = sum of an(v, s) over the sites that list v
              + sum of people(s, sex) x copies(v, sex) over the sites that do not list v and whose absence means reference

Which sites list v is not known to the sum, but both of these are sums: how many people of each sex there are where absence
means reference (the background row), and how many of them are at sites that list v (the row of v). Their difference is the
second line. `copies` is the same everywhere (two on an autosome, one for a man's X), and so is part of v's label.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from nhsgen.estimates import Frequencies, FrequencyRow
from nhsgen.genome import Assembly, chromosome_order, ploidy
from nhsgen.statistics.summary import BACKGROUND, LISTED, NOT_RECORDED, Summary, label, parts

__all__ = ["MEASURES", "SEXES", "estimate", "summarise"]

SEXES = ("female", "male", "unknown")
MEASURES = ("alternate", "called", "carriers", "homozygous", "people", *(f"{LISTED}{sex}" for sex in SEXES))


def summarise(
    counts: pl.DataFrame,
    people_by_sex: Mapping[Any, int],
    *,
    assembly: Assembly,
    absence: Literal["reference", "unknown"],
) -> Summary:
    """One site's alleles.

    counts: key, gene, chrom, pos, hom_alt, ac, an, carriers, a row an allele, counted among the people of `people_by_sex`.
    people_by_sex: how many are "female" and "male"; everybody under another name, or none, is of unknown sex.
    absence: what it means that an allele is not listed here.
    """
    known = [int(people_by_sex.get(sex, 0)) for sex in SEXES[:2]]
    by_sex = [*known, sum(people_by_sex.values()) - sum(known)]
    listed = by_sex if absence == "reference" else [0] * len(SEXES)
    people = sum(by_sex)
    columns = counts.select("key", "gene", "chrom", "pos", "ac", "an", "carriers", "hom_alt").unique(
        "key", maintain_order=True
    )
    rows = {
        label([key, gene or "", _copies(chrom, pos, assembly)]): [ac, an, carriers, homozygous, people, *listed]
        for key, gene, chrom, pos, ac, an, carriers, homozygous in columns.iter_rows()
    }
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, 0, 0, 0, people, *listed]})


def estimate(total: Summary) -> Frequencies:
    """Alleles in genome order, each among the people who were asked about it; sites may name its gene differently."""
    background = total.row(BACKGROUND)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(MEASURES, 0))
    genes: dict[str, set[str]] = defaultdict(set)
    copies: dict[str, str] = {}
    for name, row in total.rows():
        key, gene, copies[key] = parts(name)
        genes[key] |= {gene} - {"", NOT_RECORDED}
        for measure, value in row.items():
            sums[key][measure] += value
    rows = []
    for key in sorted(sums, key=_genome_order):
        row = sums[key]
        absent = [background[f"{LISTED}{sex}"] - row[f"{LISTED}{sex}"] for sex in SEXES]
        rows.append(
            FrequencyRow(
                variant=key,
                gene=", ".join(sorted(genes[key])),
                alternate=row["alternate"],
                called=row["called"] + sum(n * int(each) for n, each in zip(absent, copies[key], strict=True)),
                carriers=row["carriers"],
                homozygous=row["homozygous"],
                people=row["people"] + sum(absent),
            )
        )
    return Frequencies(tuple(rows), background["people"])


def _copies(chrom: str, pos: int, assembly: Assembly) -> str:
    """How many copies a woman, a man and somebody of unknown sex have there, as three digits.

    >>> _copies("16", 2_103_000, Assembly.GRCh38), _copies("X", 50_000_000, Assembly.GRCh38)
    ('222', '212')
    """
    return "".join(str(ploidy(chrom, pos, sex, assembly)) for sex in SEXES)


def _genome_order(key: str) -> tuple[tuple[int, str], int, str]:
    chrom, pos, _ = key.split("-", 2)
    return chromosome_order(chrom), int(pos), key
