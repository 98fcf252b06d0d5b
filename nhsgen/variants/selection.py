"""The rows that match a filter, and the columns of them that are asked for: the part of a question that is about alleles alone."""

from collections.abc import Sequence

import polars as pl

from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.genotypes import GENOTYPE_COLUMNS
from nhsgen.variants.schema import EFFECT

__all__ = ["KEY", "NOT_PLAIN", "NO_EFFECT", "columns_of", "effects_used", "select", "used"]

NOT_PLAIN = {"genes", *GENOTYPE_COLUMNS.names}


def used(filter: VariantFilter, columns: Sequence[str]) -> set[str]:
    """The columns that a filter looks at, or a key is made of; `pos`, for the number of rows."""
    used = {"pos"}
    used |= {"chrom", "end"} if filter.regions else set()
    used |= {"chrom", "ref", "alt", "normal"} if filter.keys is not None or "key" in columns else set()
    used |= {"filter"} if filter.filters else set()
    used |= {"gene"} if "gene" in columns else set()
    used |= {"af"} if filter.max_af is not None or filter.min_af is not None else set()
    return used


def effects_used(filter: VariantFilter, columns: Sequence[str], effects: Sequence[str]) -> list[str]:
    """The parts of an effect that must be read; all of them where `genes` is asked for."""
    if "genes" in columns:
        return list(EFFECT.names)
    used = {*effects, *(name for name in columns if name in EFFECT.names)}
    used |= {"impact"} if filter.impacts else set()
    used |= {"consequence"} if filter.consequences else set()
    used |= {"gene", "gene_id"} if filter.genes else set()
    return [name for name in EFFECT.names if name in used | ({"gene"} if used else set())]


KEY = pl.concat_str(
    pl.col("chrom"),
    pl.lit("-"),
    pl.when(pl.col("normal").is_null())
    .then(pl.concat_str("pos", "ref", "alt", separator="-"))
    .otherwise(pl.col("normal")),
)


def columns_of(found: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """These columns of the rows that `select` found; an effect's are those of the most severe that matches."""
    worst = pl.col("hits").list.first().struct
    made = {
        name: KEY if name == "key" else worst.field(name) if "hits" in found.columns else pl.lit(None, pl.String)
        for name in names
        if name == "key" or (name in EFFECT.names and ("hits" in found.columns or name not in found.columns))
    }
    if "genes" in names and "genes" not in found.columns:
        made["genes"] = NO_EFFECT
    return found.with_columns(**made).select(names)


NO_EFFECT = pl.lit([], dtype=pl.List(pl.Struct(dict.fromkeys(EFFECT.names, pl.String))))


def select(frame: pl.DataFrame, filter: VariantFilter) -> pl.DataFrame:
    """The rows that match, their number as `_row`, and `hits`: their effects that match; those on a gene, when there are any.

    Without `_row` all rows match; without `hits` no effects were read.
    """
    of_allele, of_effect = _of_allele(filter), _of_effect(filter)
    found = frame if of_allele is None and of_effect is None else frame.with_row_index("_row")
    if of_allele is not None:
        found = found.filter(of_allele)
    if "genes" not in frame.columns:
        return found if of_effect is None else found.clear()
    hits = pl.col("genes")
    if of_effect is not None:
        hits = hits.list.filter(of_effect)
    on_genes = hits.list.filter(pl.element().struct.field("gene").is_not_null())
    found = found.with_columns(pl.when(on_genes.list.len() > 0).then(on_genes).otherwise(hits).alias("hits"))
    return found if of_effect is None else found.filter(pl.col("hits").list.len() > 0)


def _of_allele(filter: VariantFilter) -> pl.Expr | None:
    """What must hold of one allele; None when nothing is asked of it."""
    asked = []
    if filter.regions:
        # pos and end are 1-based and closed, a region 0-based and half-open.
        asked.append(
            pl.any_horizontal(
                (pl.col("chrom") == region.chrom) & (pl.col("pos") <= region.end) & (pl.col("end") > region.start)
                for region in filter.regions
            )
        )
    if filter.keys is not None:
        asked.append(KEY.is_in(filter.keys))
    if filter.filters:
        values = pl.col("filter").fill_null(".").str.split(";")
        asked.append(values.list.eval(pl.element().is_in(filter.filters)).list.any())
    # A frequency that nobody knows counts as 0: never seen in a reference population.
    if filter.max_af is not None:
        asked.append(pl.col("af").fill_null(0.0) <= filter.max_af)
    if filter.min_af is not None:
        asked.append(pl.col("af").fill_null(0.0) >= filter.min_af)
    return pl.all_horizontal(asked) if asked else None


def _of_effect(filter: VariantFilter) -> pl.Expr | None:
    """What must hold of one effect; None when nothing is asked of it."""
    effect = pl.element().struct
    asked = [
        effect.field(name).is_in(values)
        for name, values in (("impact", filter.impacts), ("consequence", filter.consequences))
        if values
    ]
    if filter.genes:
        asked.append(effect.field("gene").is_in(filter.genes) | effect.field("gene_id").is_in(filter.genes))
    return pl.all_horizontal(asked) if asked else None
