"""One site's counts of the chosen alleles, in one sample of each person: a second sample of somebody holds the same alleles again."""

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from nhsgen.statistics import Summary, frequencies, variant_quality
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["allele_counts", "genotype_counts"]


def allele_counts(
    data: SiteData,
    people: pl.Series,
    variants: VariantFilter,
    group: Sequence[str | None] = (),
    *,
    consequences: bool = False,
) -> Summary:
    """Copies and carriers of each allele (`frequencies.summarise`); consequences: the worst on any gene is told too."""
    store, (samples, by_sex) = data.variants(), _once(data, people)
    counts = store.counts(variants, samples)
    if consequences:
        worst = store.query(variants, ["key", "consequence"]).unique("key")
        counts = counts.join(worst, on="key", how="left", maintain_order="left")
    return frequencies.summarise(counts, by_sex, assembly=store.assembly, absence=store.absence, group=group)


def genotype_counts(data: SiteData, people: pl.Series, variants: VariantFilter) -> Summary:
    """People by genotype of each allele (`variant_quality.summarise`)."""
    store, (samples, by_sex) = data.variants(), _once(data, people)
    worst = store.query(variants, ["key", "consequence"]).unique("key")
    counts = store.counts(variants, samples).join(worst, on="key", how="left", maintain_order="left")
    return variant_quality.summarise(counts, by_sex, assembly=store.assembly, absence=store.absence)


def _once(data: SiteData, people: pl.Series) -> tuple[list[str], Mapping[str, int]]:
    """One sample a person, and how many of these people are of which sex."""
    links = data.samples(people).sort("sample").unique("person_id", keep="first")
    recorded = Counter(data.groups(links["person_id"], ["sex"])["sex"])
    by_sex = {sex: recorded[sex] for sex in frequencies.SEXES[:2]}
    return links["sample"].to_list(), by_sex | {"unknown": len(links) - sum(by_sex.values())}
