"""To which group of a public panel do people's genomes come nearest? Each site places its own people beside the panel, and counts.

Who looks for a cohort that is genetically alike, or asks whether recorded and genetic ancestry agree, asks this (split by "ancestry").
Groups are a convenience, ancestry is continuous: who is near to none of the groups is "unassigned", and that is not a mistake.
"""

import polars as pl

from nhsgen.cohorts import NotBound
from nhsgen.estimates import Counts
from nhsgen.statistics import Summary, ancestry_groups, counts, frequencies, pca
from nhsgen.studies.alleles import Alleles
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["GENETIC", "estimate_ancestry", "summarise_ancestry"]

GENETIC, ENOUGH = "genetic ancestry", 8


def summarise_ancestry(study: Study, data: SiteData, _: VariantFilter) -> Summary:
    """One site's people by group of the panel, and by what else the study splits them."""
    assert study.reference is not None  # such a study always has one
    panel = study.reference
    if data.variants().assembly != panel.assembly:
        raise NotBound(f"variant files on {panel.assembly}")
    links = first_samples(data, data.people(study.cohort))
    alleles = Alleles(data, panel.variants, links["number"].to_numpy(), links["person_id"])
    if _seen(alleles) < len(panel.keys) / 2:
        raise NotBound("variant files with half of the panel's alleles")
    places = pca.project(alleles.blocks(panel.keys), panel.loadings)
    learned = ancestry_groups.learn(panel.places, panel.groups)
    assigned = ancestry_groups.assign(places, learned, least=study.options["least"])
    people = data.groups(links["person_id"], study.by).join(
        links.select("person_id").with_columns(pl.Series(GENETIC, assigned.group.tolist(), dtype=pl.String)),
        on="person_id",
    )
    return counts.summarise(people, (GENETIC, *study.by))


def _seen(alleles: Alleles) -> int:
    """Alleles of which there are copies enough: whether there are a few of one must not decide whether a site answers."""
    return sum(row.alternate >= ENOUGH for row in frequencies.estimate(alleles.summary).rows)


def estimate_ancestry(study: Study, total: Summary) -> Counts:
    """People of all sites by group."""
    return counts.estimate(total, (GENETIC, *study.by))
