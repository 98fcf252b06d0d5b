"""What a site sums for each method, and what the total then says."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from nhsgen.cohorts import everyone
from nhsgen.estimates import Estimate
from nhsgen.statistics import Summary, burden, carriers, counts, frequencies, tiering
from nhsgen.studies.families import summarise_families
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["SUMS", "Sum", "allele_counts"]


@dataclass(frozen=True)
class Sum:
    """`summarise` runs at every site, `estimate` once, on the total."""

    summarise: Callable[[Study, SiteData, VariantFilter], Summary]
    estimate: Callable[[Study, Summary], Estimate]


def _summarise_counts(study: Study, data: SiteData, _: VariantFilter) -> Summary:
    everybody = None if study.cohort == everyone() else data.groups(data.people(everyone()), study.by)
    return counts.summarise(data.groups(data.people(study.cohort), study.by), study.by, everybody)


def _summarise_carriers(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    people = data.sequenced(study.cohort)
    found = data.carriers(people, variants).join(data.groups(people, study.by), on="person_id")
    return carriers.summarise(found, len(people), study.by)


def _summarise_frequencies(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    return allele_counts(data, data.people(study.cohort), variants)


def _summarise_burden(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    assert study.controls is not None  # a burden study always has them
    cases, controls = data.sequenced(study.cohort), data.sequenced(study.controls)
    found = data.carriers(pl.concat([cases, controls]), variants)
    # Who is both is a case. To refuse instead would tell whether anybody is both, and two narrow cohorts make that one person.
    return burden.summarise(found, set(cases), set(controls) - set(cases), data.variants().genes(variants))


def allele_counts(data: SiteData, people: pl.Series, variants: VariantFilter) -> Summary:
    """Each chosen allele, in one sample of each of `people`: a person's second sample holds the same alleles again."""
    store, links = data.variants(), data.samples(people).sort("sample").unique("person_id", keep="first")
    recorded = Counter(data.groups(links["person_id"], ["sex"])["sex"])
    by_sex = {sex: recorded[sex] for sex in ("female", "male")}
    return frequencies.summarise(
        store.counts(variants, links["sample"].to_list()),
        by_sex | {"unknown": len(links) - sum(by_sex.values())},
        assembly=store.assembly,
        absence=store.absence,
    )


SUMS: Mapping[str, Sum] = {
    "counts": Sum(_summarise_counts, lambda study, total: counts.estimate(total, study.by)),
    "carriers": Sum(_summarise_carriers, lambda study, total: carriers.estimate(total, study.by)),
    "frequencies": Sum(_summarise_frequencies, lambda _, total: frequencies.estimate(total)),
    "burden": Sum(_summarise_burden, lambda study, total: burden.estimate(total, study.alternative)),
    "families": Sum(summarise_families, lambda _, total: tiering.estimate(total)),
}
