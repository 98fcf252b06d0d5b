"""What have tumours acquired? The genes that drive them, the genes mutated together, and how many mutations there are.

A cancer doctor asks: "in how many of our patients' breast cancers is PIK3CA mutated, is it ever mutated together with TP53, and how
many tumours have so many mutations that immunotherapy is worth a thought?" The cohort says whose tumours, the variants which
mutations; only those that passed the caller's filters count where the question names no filters.

One tumour a person: of somebody with several, the first by name, for two tumours' mutations together are those of neither. So a
number of tumours is one of people, and every rule about people holds for it.
"""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from nhsgen.estimates import TumourBurden
from nhsgen.statistics import Summary, counts, tumours
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["estimate_tumour_burden", "summarise_drivers", "summarise_patterns", "summarise_tumour_burden"]

BURDEN = "mutations by megabase"
PASSED = ("PASS", ".")
_KEY = r"^(?<chrom>.+)-(?<pos>\d+)-(?<ref>[^-]+)-(?<alt>[^-]+)$"


def summarise_drivers(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's people by mutated gene: the genes asked for, or all."""
    links, found = _mutations(study, data, variants)
    genes = set(_first_names(variants).values()) or set(found["gene"].drop_nulls())
    return tumours.drivers(found, links["person_id"].to_list(), sorted(genes))


def summarise_patterns(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's people by exactly which of the genes asked for are mutated."""
    links, found = _mutations(study, data, variants)
    return tumours.patterns(found, links["person_id"].to_list(), sorted(set(_first_names(variants).values())))


def summarise_tumour_burden(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's people by step of mutations by megabase, and by group."""
    links, found = _mutations(study, data, variants)
    parts = pl.col("key").str.extract_groups(_KEY).struct.unnest()
    burden = tumours.burden(
        found.select("person_id", "consequence", parts),
        links["person_id"].to_list(),
        megabases=study.options["megabases"],
    )
    steps = burden.select("person_id", pl.col("per_megabase").alias(BURDEN)).with_columns(tumours.step(BURDEN))
    people = data.groups(links["person_id"], study.by).join(steps, on="person_id")
    return counts.summarise(people, (BURDEN, *study.by))


def estimate_tumour_burden(study: Study, total: Summary) -> TumourBurden:
    found = counts.estimate(total, (BURDEN, *study.by))
    return TumourBurden(found.by, found.cells)


def _mutations(study: Study, data: SiteData, variants: VariantFilter) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A tumour's sample for each person of the cohort, and its mutations: person_id, key, gene, impact, consequence."""
    passed = variants if variants.filters else replace(variants, filters=PASSED)
    links = (
        data.samples(data.people(study.cohort)).sort("sample").unique("person_id", keep="first", maintain_order=True)
    )
    found = data.variants().carriers(passed, links["sample"].to_list()).join(links, on="sample")
    names = _first_names(variants)
    return links, found.with_columns(pl.col("gene").replace(list(names), list(names.values())))


def _first_names(variants: VariantFilter) -> Mapping[str, str]:
    """By each name of a gene asked for the one that it is called here, so that it is one gene whatever a site calls it."""
    return {name: names[0] for names in variants.asked_genes for name in names}
