"""In how many families is there a candidate? Families of a cohort's ill people, tiered as Genomics England does, counted by gene.

The candidates themselves are rows about single families and stay inside the site; it sends how many families each gene has.
"""

import numpy as np
import polars as pl

from nhsgen.cohorts import everyone
from nhsgen.cohorts.facts import relatives
from nhsgen.statistics import Summary, pedigrees, tiering, trios
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter
from nhsgen.variants.genotypes import HALF, MISSING

__all__ = ["candidates", "summarise_families"]


def summarise_families(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's families: by gene, tier and inheritance."""
    pedigree, found = candidates(study, data, variants)
    return tiering.summarise(found, len(pedigree.families))


def candidates(study: Study, data: SiteData, variants: VariantFilter) -> tuple[pedigrees.Pedigree, pl.DataFrame]:
    """The families looked at, and their tiered candidates (`key`, and `with` of a pair): rows about families, for inside a site only."""
    links = first_samples(data, data.people(everyone()))
    samples = links["person_id"].cast(pl.String).to_list()
    pedigree = pedigrees.Pedigree.from_rows(_families(study, data, set(samples)))
    store = data.variants()
    frames, states = [], []
    for listed, piece in store.genotypes(variants):
        frames.append(listed.select("key", "chrom", "pos", "gene", "impact", "af", "filter", "clinvar"))
        states.append(np.where(piece & HALF, MISSING, piece)[:, links["number"].to_numpy()])
    alleles, copies = pl.concat(frames), np.concatenate(states)
    rows = pedigrees.candidates(copies, trios.places(alleles, store.assembly), pedigree, samples, alleles["gene"])
    tiered = tiering.tier(rows, alleles, _panel(variants))
    return pedigree, tiered.with_columns(
        alleles["key"].gather(tiered["variant"]).alias("key"), alleles["key"].gather(tiered["partner"]).alias("with")
    )


def _families(study: Study, data: SiteData, sequenced: set[str]) -> pl.DataFrame:
    """person, father, mother, sex, affected, family: of families with somebody ill of the cohort who has a sequenced parent."""
    query = relatives(data.release.words)
    people = data.sandbox.query(query.sql, query.params).unique("person_id")
    sexes = data.groups(people["person_id"], ["sex"]).unique("person_id").select("person_id", "sex")
    ids = data.people(study.cohort).cast(pl.String).implode()
    rows = people.join(sexes, on="person_id", how="left").with_columns(
        pl.col("person_id").cast(pl.String).alias("person")
    )
    with_parent = pl.col("mother").is_in(sequenced) | pl.col("father").is_in(sequenced)
    wanted = rows.filter(pl.col("affected").fill_null(False), with_parent, pl.col("person").is_in(ids))[
        "family"
    ].implode()
    return (
        rows.filter(pl.col("family").is_in(wanted))
        .select("person", "father", "mother", "sex", "affected", "family")
        .sort("person")
    )


def _panel(variants: VariantFilter) -> pl.DataFrame:
    """The genes asked for as a panel of green genes; a study carries no modes of inheritance yet, and an unknown mode rules nothing out."""
    genes = sorted({name for names in variants.asked_genes for name in names})
    return pl.DataFrame(
        {"gene": genes, "confidence": ["green"] * len(genes), "inheritance": [""] * len(genes)},
        schema={"gene": pl.String, "confidence": pl.String, "inheritance": pl.String},
    )
