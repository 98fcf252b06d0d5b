"""Ranking: which candidate gene of a family to look at first, by its tier and by how well its phenotypes fit. For clinical scientists.

`rank` sorts candidates that tiering.py has tiered (or not): a gene's fit is the share of all genes that fit the person's terms
at least as well, which is what a gene drawn at random would reach by chance, so fits of people with few and many terms compare.
Rows are about single families and stay inside the wall. What leaves is `summarise`: for how many distinct families a gene is
among the first, which adds up over sites.
"""

from collections.abc import Collection, Mapping
from math import log10

import polars as pl

from nhsgen.errors import BadInput
from nhsgen.estimates import Carriers
from nhsgen.statistics import carriers, similarity
from nhsgen.statistics.summary import Summary

__all__ = ["MEASURES", "WEIGHTS", "estimate", "rank", "summarise"]

MEASURES = carriers.MEASURES

WEIGHTS: Mapping[int | None, float] = {1: 30.0, 2: 10.0, 3: 1.0, None: 0.1}
"""How much likelier a gene of a tier is taken to be the cause than one of tier 3, before phenotypes are looked at. A choice, not an
estimate: a tier 3 gene passes a tier 1 gene when its fit is rarer by a factor of 30."""


def rank(
    candidates: pl.DataFrame,
    terms: Mapping[object, Collection[str]],
    *,
    weights: Mapping[int | None, float] = WEIGHTS,
    measure: str = "resnik",
    combine: str = "query",
) -> pl.DataFrame:
    """The distinct genes of each family, best first.

    candidates: family (or trio), gene and tier (1, 2, 3 or null), a row a candidate; a gene has its best tier, no gene no row.
    terms: HPO ids by family, or trio. weights: by tier. measure, combine: as for `similarity.alike`.

    A row a family and gene: family (or trio), rank (from 1; equal scores share one), gene, tier, similarity, fit (0..1, 1 where it
    cannot be known), score (log10 of weight / fit), reason ("", "no usable term" or "no phenotypes are known for this gene").
    """
    unit = "family" if "family" in candidates.columns else "trio"
    missing = sorted({unit, "gene", "tier"} - set(candidates.columns))
    if missing:
        raise BadInput("ranking genes", f"the candidates have no {', '.join(missing)}", "give them as `tier` does")
    genes = (
        candidates.filter(pl.col("gene").is_not_null()).group_by(unit, "gene").agg(pl.col("tier").cast(pl.Int64).min())
    )
    unknown = {tier for tier in genes["tier"].unique() if tier not in weights}
    if unknown:
        raise BadInput(
            "ranking genes", f"tier {min(unknown)} has no weight", "give a weight for each tier and for None"
        )
    whose = genes[unit].unique(maintain_order=True)
    ranked = genes["gene"].unique().implode()
    fits = pl.concat(  # nobody's are among them, so that no families are a table too
        _fits(terms.get(one, ()), measure, combine)
        .filter(pl.col("gene").is_in(ranked))
        .with_columns(pl.lit(one, dtype=whose.dtype).alias(unit))
        for one in [None, *whose]
    )
    weight = pl.col("tier").map_elements(lambda tier: log10(weights[tier]), return_dtype=pl.Float64, skip_nulls=False)
    return (
        genes.join(fits, on=[unit, "gene"], how="left")
        .with_columns(pl.col("reason").fill_null("no phenotypes are known for this gene"), pl.col("fit").fill_null(1.0))
        .with_columns((weight - pl.col("fit").log10()).alias("score"))
        .with_columns(pl.col("score").rank("min", descending=True).over(unit).cast(pl.Int64).alias("rank"))
        .select(unit, "rank", "gene", "tier", "similarity", "fit", "score", "reason")
        .sort(unit, "rank", "gene")
    )


def summarise(ranked: pl.DataFrame, families: int, first: int = 1) -> Summary:
    """One site's families by gene: how many distinct ones have it among their `first` genes, of all `families`.

    One person changes each row by at most 1; a family is in about `first` rows.
    """
    unit = "family" if "family" in ranked.columns else "trio"
    best = ranked.filter(pl.col("rank") <= first).select(pl.col(unit).alias("person_id"), "gene")
    return carriers.summarise(best, families, ["gene"])


def estimate(total: Summary) -> Carriers:
    """Families by gene; `people` is how many families were looked at."""
    return carriers.estimate(total, ["gene"])


def _fits(terms: Collection[str], measure: str, combine: str) -> pl.DataFrame:
    """gene, similarity, reason, fit: of every gene that HPO knows phenotypes of."""
    genes = similarity.to_genes(terms, measure=measure, combine=combine)
    at_least = pl.col("similarity").rank("max", descending=True) / pl.len()
    return genes.with_columns(at_least.alias("fit"))
