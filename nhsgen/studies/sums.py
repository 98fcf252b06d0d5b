"""What a site sums for each method, and what the total then says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

from nhsgen.cohorts import everyone
from nhsgen.estimates import Estimate
from nhsgen.statistics import (
    Summary,
    carriers,
    counts,
    frequencies,
    segregation,
    tiering,
    trio_quality,
    tumours,
    variant_quality,
)
from nhsgen.studies.allele_counts import allele_counts, genotype_counts
from nhsgen.studies.ancestry import estimate_ancestry, summarise_ancestry
from nhsgen.studies.burden import estimate_burden, summarise_burden
from nhsgen.studies.families import among_the_first, summarise_families, summarise_trio_quality
from nhsgen.studies.phenotypes import (
    estimate_phenotype_match,
    estimate_similarity,
    summarise_phenotype_match,
    summarise_similarity,
)
from nhsgen.studies.question import Study
from nhsgen.studies.segregation import summarise_cosegregation, summarise_segregation
from nhsgen.studies.site import SiteData
from nhsgen.studies.tumours import (
    estimate_tumour_burden,
    summarise_drivers,
    summarise_patterns,
    summarise_tumour_burden,
)
from nhsgen.variants import VariantFilter

__all__ = ["SUMS", "Sum"]


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
    people = data.people(study.cohort)
    if not study.by:
        return allele_counts(data, people, variants, consequences=True)
    groups = data.groups(people, study.by).partition_by(study.by, as_dict=True)
    parts = [
        allele_counts(data, rows["person_id"], variants, group, consequences=True) for group, rows in groups.items()
    ]
    return reduce(add, parts, Summary.zero(frequencies.MEASURES))


def _estimate_frequencies(study: Study, total: Summary) -> Estimate:
    return frequencies.estimate_by_group(total, study.by) if study.by else frequencies.estimate(total)


def _summarise_variant_quality(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    return genotype_counts(data, data.people(study.cohort), variants)


SUMS: Mapping[str, Sum] = {
    "counts": Sum(_summarise_counts, lambda study, total: counts.estimate(total, study.by)),
    "ancestry": Sum(summarise_ancestry, estimate_ancestry),
    "carriers": Sum(_summarise_carriers, lambda study, total: carriers.estimate(total, study.by)),
    "frequencies": Sum(_summarise_frequencies, _estimate_frequencies),
    "variant_quality": Sum(_summarise_variant_quality, lambda _, total: variant_quality.estimate(total)),
    "burden": Sum(summarise_burden, estimate_burden),
    "families": Sum(summarise_families, lambda study, total: tiering.estimate(total, among_the_first(study))),
    "segregation": Sum(
        summarise_segregation, lambda study, total: segregation.estimate_patterns(total, str(study.options["each"]))
    ),
    "cosegregation": Sum(summarise_cosegregation, lambda _, total: segregation.estimate_models(total)),
    "trio_quality": Sum(summarise_trio_quality, lambda _, total: trio_quality.estimate(total)),
    "similarity": Sum(summarise_similarity, estimate_similarity),
    "phenotype_match": Sum(summarise_phenotype_match, estimate_phenotype_match),
    "drivers": Sum(summarise_drivers, lambda _, total: tumours.estimate_drivers(total)),
    "mutation_patterns": Sum(summarise_patterns, lambda _, total: tumours.estimate_patterns(total)),
    "tumour_burden": Sum(summarise_tumour_burden, estimate_tumour_burden),
}
