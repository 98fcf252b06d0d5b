"""Which alleles were called well? Call rate, Hardy-Weinberg proportions and heterozygosity, from genotype counts that add up over sites.

An analyst reads it before a scan: an allele called in few people, or with too few heterozygotes, is a spoilt assay. Of an autosome
everybody has two alleles. Of X outside its pseudo-autosomal regions men have one, and both women's genotypes and men's alleles
enter the test (hardy.exact_x). A site that does not list an allele has people who are reference, or of whom nothing is known.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from nhsgen.estimates import Genotypes, VariantQuality
from nhsgen.genome import Assembly
from nhsgen.statistics import frequencies, sample_qc
from nhsgen.statistics.summary import BACKGROUND, Summary

__all__ = ["MEASURES", "estimate", "summarise"]

MEASURES = ("het", "hom_alt", "paired", "hemizygous", "single")
"""People: with one copy beside another allele, with two copies, with two alleles called; of those with one allele, who have this one,
and who had it called."""


def summarise(
    counts: pl.DataFrame, people_by_sex: Mapping[Any, int], *, assembly: Assembly, absence: frequencies.Absence
) -> Summary:
    """One site's genotype counts; arguments as for `frequencies.summarise`, with the columns of `VariantStore.counts`.

    Who has two other alleles than this is no heterozygote of it (plink2 --hardy has multi-allelic records so); a half call is no call.
    """
    counted = counts.with_columns(
        paired=pl.sum_horizontal("hom_ref", "het", "hom_alt", "other"), single="haploid"
    ).with_columns(pl.col(MEASURES).cast(pl.Int64))
    return frequencies.summary_of(counted, MEASURES, people_by_sex, assembly=assembly, absence=absence)


def estimate(total: Summary) -> VariantQuality:
    """The genotypes of every allele in genome order. Who has one allele by sex and place, and is not listed, has REF once."""
    rows = []
    for allele in frequencies.alleles(total):
        pairs, singles = (
            sum(n for n, copies in zip(allele.absent, allele.copies, strict=True) if copies == each) for each in (2, 1)
        )
        sums = allele.sums
        rows.append(
            Genotypes(
                allele.key,
                allele.gene,
                allele.consequence,
                allele.people,
                sums["het"],
                sums["hom_alt"],
                sums["paired"] + pairs,
                sums["hemizygous"],
                sums["single"] + singles,
            )
        )
    kinds = sample_qc.ti_tv(_changes(row.variant for row in rows if row.copies))
    return VariantQuality(tuple(rows), total.row(BACKGROUND)["people"], kinds.transitions, kinds.transversions)


def _changes(keys: Iterable[str]) -> sample_qc.Copies:
    pairs = [tuple(key.split("-")[2:4]) for key in keys]
    return sample_qc.changes([ref for ref, _ in pairs], [alt for _, alt in pairs])
