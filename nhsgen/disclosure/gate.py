"""The only maker of a `Released`: estimates go in exact, tables come out safe.

For each kind of estimate, in this order: thresholds on n and on N - n; zeros and whole groups; rounding; totals from the rounded
cells; the audit of what can still be worked out (`recoverable`). Whatever is derived from counts (odds ratio, p) is derived from
the rounded ones, and so cannot say more than they do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nhsgen.disclosure import (
    alleles,
    combined,
    families,
    genes,
    people,
    phenotypes,
    quality,
    scores,
    structure,
    times,
    tumours,
)
from nhsgen.disclosure.cells import BACKGROUND, SEPARATOR, Asked, Written
from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe
from nhsgen.estimates import (
    Association,
    Burden,
    Carriers,
    Cosegregation,
    Counts,
    Drivers,
    Estimate,
    Families,
    Frequencies,
    FrequenciesByGroup,
    GeneTests,
    Hazards,
    Linkage,
    MetaAnalysis,
    Patterns,
    PhenotypeMatch,
    Relatedness,
    SampleQuality,
    Scores,
    Segregation,
    Similarity,
    Structure,
    Survival,
    TrioQuality,
    TumourBurden,
    VariantQuality,
)
from nhsgen.results import Receipt, Released

__all__ = ["WRITERS", "gate"]

EVERYONE: Mapping[str, Any] = {"everyone": {}}  # as a cohort says it

WRITERS: Mapping[type, tuple[str, Callable[[Any, Asked], Written]]] = {
    Counts: ("counts", people.counts),
    Carriers: ("carriers", people.carriers),
    Frequencies: ("frequencies", alleles.frequencies),
    FrequenciesByGroup: ("frequencies_by_group", alleles.frequencies_by_group),
    VariantQuality: ("variant_quality", quality.variant_quality),
    SampleQuality: ("sample_quality", quality.sample_quality),
    Linkage: ("ld", quality.linkage),
    Relatedness: ("relatedness", quality.relatedness),
    Burden: ("burden", genes.burden),
    Association: ("gwas", alleles.association),
    GeneTests: ("gene_tests", genes.gene_tests),
    Hazards: ("hazards", times.hazards),
    Survival: ("survival", times.survival),
    Families: ("families", families.families),
    Segregation: ("segregation", families.segregation),
    Cosegregation: ("cosegregation", families.cosegregation),
    TrioQuality: ("trio_quality", families.trio_quality),
    Similarity: ("similarity", phenotypes.similarity),
    PhenotypeMatch: ("phenotype_match", phenotypes.phenotype_match),
    Drivers: ("driver_genes", tumours.drivers),
    Patterns: ("drivers", tumours.patterns),
    TumourBurden: ("tumour_burden", tumours.tumour_burden),
    Structure: ("structure", structure.structure),
    Scores: ("polygenic", scores.scores),
    MetaAnalysis: ("meta", combined.meta_analysis),
}
"""By the estimate's type: the kind of the released result, and who writes its table and what is said below it."""


def gate(
    estimate: Estimate,
    *,
    policy: Policy,
    title: str,
    question: Mapping[str, Any],
    receipt: Receipt,
    sites: int,
    population: int | None = None,
    withheld: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
) -> Released:
    """Release what may be shown of `estimate`.

    sites: how many sites it is the sum of. population: how many people could have been counted in it, of all sites together.
    withheld: labels that sites kept back before adding, and how many sites did (see `withhold`).
    NotSafe when none of it may be shown, whatever is suppressed.
    """
    if policy.pooled and 1 < sites < policy.contributors:
        raise NotSafe(
            "pooling small counts",
            f"{sites} sites answered, and a site that knows its own counts would see the others'",
            f"ask at least {policy.contributors} sites, or have each apply its thresholds before adding",
        )
    # That everyone leaves out nobody is no news.
    whole = None if question.get("cohort") == EVERYONE else population
    silenced = BACKGROUND in (withheld or ())
    kept_back = {tuple(label.split(SEPARATOR)) if label else () for label in (withheld or ()) if label != BACKGROUND}
    kind, write = WRITERS[type(estimate)]
    table, said = write(estimate, Asked(policy, question, receipt, population, whole, kept_back, silenced))
    if silenced:
        said.append("Sites with too few people to say anything are not in these numbers.")
    return Released(kind, title, table, (policy.describe(), *said, *notes), dict(question), receipt)
