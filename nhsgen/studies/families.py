"""In how many families is there a candidate? Families of a cohort's ill people, tiered as Genomics England does, counted by gene.

A clinical scientist asks: of the children with seizures whose parents were sequenced too, how many have a candidate in SCN1A, is it
new in them, and is it in a gene that our panel trusts and in the way the panel expects (`in_panel`)? And would it have come first
on the desk, by its tier and by how well the children's phenotypes fit the gene (`ranked`)? Whether the families' genotypes are to be
trusted at all, `trio_quality` tells.

The candidates themselves are rows about single families and stay inside the site; it sends how many families each gene has.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.cohorts import everyone
from nhsgen.cohorts.facts import relatives, terms
from nhsgen.statistics import Summary, pedigrees, ranking, tiering, trio_quality, trios
from nhsgen.studies.design import first_samples
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter
from nhsgen.variants.genotypes import HALF, MISSING

__all__ = ["Calls", "Household", "among_the_first", "candidates", "summarise_families", "summarise_trio_quality"]

Copies = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Household:
    """A site's families with somebody ill of the cohort. samples: names of people by column; numbers: theirs in the store."""

    pedigree: pedigrees.Pedigree
    samples: list[str]
    numbers: npt.NDArray[np.int64]

    @classmethod
    def of(cls, study: Study, data: SiteData, *, of_parents: bool = True) -> "Household":
        """of_parents: only families in which a parent of somebody ill of the cohort was sequenced."""
        links = first_samples(data, data.people(everyone()))
        samples = links["person_id"].cast(pl.String).to_list()
        rows = _families(study, data, set(samples), of_parents)
        return cls(pedigrees.Pedigree.from_rows(rows), samples, links["number"].to_numpy())


@dataclass(frozen=True)
class Calls:
    """alleles: a row an allele. copies: alleles x people, 0 to 3; place: of each allele, as in trios.py."""

    alleles: pl.DataFrame
    copies: Copies
    place: Copies

    @classmethod
    def pieces(cls, data: SiteData, variants: VariantFilter, home: Household) -> Iterator["Calls"]:
        """A piece of the store at a time; what was called by half counts as not called."""
        store = data.variants()
        for listed, states in store.genotypes(variants):
            copies = np.where(states & HALF, MISSING, states)[:, home.numbers]
            yield cls(listed, copies, trios.places(listed, store.assembly))

    @classmethod
    def read(cls, data: SiteData, variants: VariantFilter, home: Household) -> "Calls":
        """All of them at once: choose rare and damaging alleles first."""
        pieces = list(cls.pieces(data, variants, home))
        return cls(
            pl.concat([piece.alleles for piece in pieces]),
            np.concatenate([piece.copies for piece in pieces]),
            np.concatenate([piece.place for piece in pieces]),
        )


def among_the_first(study: Study) -> int:
    """How many genes of each family are its first; 0 when the study does not rank them."""
    return int(study.options["first"]) if study.options["ranked"] == "phenotype" else 0


# -- Candidates -------------------------------------------------------------------------------------------------------


def summarise_families(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's families: by gene, tier and inheritance; and how many have the gene among their first, when these are ranked."""
    pedigree, found = candidates(study, data, variants)
    first = _the_first(study, data, pedigree, found) if among_the_first(study) else None
    return tiering.summarise(found, len(pedigree.families), first)


def candidates(study: Study, data: SiteData, variants: VariantFilter) -> tuple[pedigrees.Pedigree, pl.DataFrame]:
    """The families looked at, and their tiered candidates (`key`, and `with` of a pair): rows about families, for inside a site only."""
    home = Household.of(study, data)
    all_of = Calls.read(data, variants, home)
    genes, alleles = all_of.alleles["gene"], all_of.alleles
    rows = pedigrees.candidates(
        all_of.copies, all_of.place, home.pedigree, home.samples, genes, study.options["penetrance"]
    )
    tiered = tiering.tier(rows, alleles, _panel(variants), tiering.PRESETS[study.options["preset"]])
    return home.pedigree, tiered.with_columns(
        alleles["key"].gather(tiered["variant"]).alias("key"), alleles["key"].gather(tiered["partner"]).alias("with")
    )


def _the_first(study: Study, data: SiteData, pedigree: pedigrees.Pedigree, found: pl.DataFrame) -> pl.DataFrame:
    """family, gene: each family's first genes, of those with a tier, by tier and by the phenotypes of the cohort's ill children."""
    query = terms(data.release.words)
    known = data.sandbox.query(query.sql, query.params).with_columns(pl.col("person_id").cast(pl.String))
    cohort = set(data.people(study.cohort).cast(pl.String))
    ill = [
        (person, family)
        for person, family, affected in zip(pedigree.people, pedigree.family, pedigree.affected, strict=True)
        if affected == pedigrees.ILL and person in cohort
    ]
    whose = pl.DataFrame(ill, schema={"person_id": pl.String, "family": pl.String}, orient="row")
    of_family = known.join(whose, on="person_id").group_by("family").agg(pl.col("hpo").unique())
    ranked = ranking.rank(
        found.filter(pl.col("tier").is_not_null()), dict(zip(of_family["family"], of_family["hpo"], strict=True))
    )
    return ranked.filter(pl.col("rank") <= among_the_first(study))


def _families(study: Study, data: SiteData, sequenced: set[str], of_parents: bool) -> pl.DataFrame:
    """person, father, mother, sex, affected, family: of families with somebody ill of the cohort."""
    query = relatives(data.release.words)
    people = data.sandbox.query(query.sql, query.params).unique("person_id")
    sexes = data.groups(people["person_id"], ["sex"]).unique("person_id").select("person_id", "sex")
    ids = data.people(study.cohort).cast(pl.String).implode()
    rows = people.join(sexes, on="person_id", how="left").with_columns(
        pl.col("person_id").cast(pl.String).alias("person")
    )
    with_parent = pl.col("mother").is_in(sequenced) | pl.col("father").is_in(sequenced)
    ill = pl.col("affected").fill_null(False) & pl.col("person").is_in(ids)
    wanted = rows.filter(ill, with_parent if of_parents else pl.lit(True))["family"].implode()
    return (
        rows.filter(pl.col("family").is_in(wanted))
        .select("person", "father", "mother", "sex", "affected", "family")
        .sort("person")
    )


def _panel(variants: VariantFilter) -> pl.DataFrame:
    """gene, confidence, inheritance: the genes asked for, by all their names, as their panels rate them.

    A gene that was asked for by name, or by a list that rates nothing, is taken for green, and its unknown mode rules nothing out.
    """
    rows = []
    for names in variants.asked_genes:
        said = [rating for chosen in variants.panels for name in names if (rating := chosen.rating(name)) is not None]
        ratings = [(rating.confidence or "green", rating.inheritance) for rating in said] or [("green", "")]
        rows += [(name, *rating) for name in names for rating in ratings]
    schema = {"gene": pl.String, "confidence": pl.String, "inheritance": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


# -- Whether to trust them --------------------------------------------------------------------------------------------


def summarise_trio_quality(study: Study, data: SiteData, variants: VariantFilter) -> Summary:
    """One site's trios with both parents sequenced: how many of their genotypes break Mendel's law, how many alleles are new."""
    home = Household.of(study, data)
    whole = home.pedigree.trios(home.samples).whole
    counted = trio_quality.Counted.nothing(whole)
    for piece in Calls.pieces(data, variants, home):
        counted += trio_quality.count(piece.copies, piece.place, whole)
    return trio_quality.summarise(counted)
