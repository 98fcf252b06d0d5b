"""A released scan in the form that others read: GWAS-SSF, which the GWAS Catalog takes."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nhsgen.errors import BadInput
from nhsgen.genome import Assembly
from nhsgen.results import Released
from nhsgen.statistics import gwas_ssf as ssf

__all__ = ["gwas_ssf"]


def gwas_ssf(
    result: Released, path: str | Path, *, assembly: Assembly, ancestry: tuple[str, ...], trait: str | None = None
) -> ssf.Written:
    """Write one trait of a released association as `path` (.tsv or .tsv.gz) and its metadata beside it.

    ancestry: the categories of the people, in the Catalog's words. trait: which, when there are several.
    A row without an estimate, or without a frequency that may be shown, is left out and counted: the standard demands one. BadInput
    when the result is not an association.
    """
    if result.kind != "gwas":
        raise BadInput(
            "writing GWAS-SSF", f"a result of kind '{result.kind}' is no association", "ask for one: lab.gwas"
        )
    rows = result.to_polars()
    names = rows["trait"].unique(maintain_order=True).to_list()
    chosen = names[0] if trait is None and len(names) == 1 else trait
    if chosen is None or chosen not in names:
        raise BadInput("writing GWAS-SSF", "it is not said which trait", f"name one of {', '.join(names)}")
    table = rows.filter(pl.col("trait") == chosen).select(
        pl.col("chrom").alias("chromosome"),
        pl.col("pos").alias("base_pair_location"),
        pl.col("effect allele").alias("effect_allele"),
        pl.col("other allele").alias("other_allele"),
        pl.col("beta"),
        pl.col("se").alias("standard_error"),
        pl.col("frequency").cast(pl.Float64).alias("effect_allele_frequency"),
        pl.col("log10p").alias("neg_log_10_p_value"),
        pl.col("variant").str.replace_all("-", "_").alias("variant_id"),
        pl.col("people").alias("n"),
    )
    options = result.question.get("options", {})
    components = options.get("components", 0)
    people = int(table["n"].max() or 0)  # type: ignore[arg-type]
    cases, everybody = _cases(result.notes, chosen)
    about = ssf.Metadata(
        chosen,
        assembly,
        people,
        ancestry,
        cases=cases,
        controls=None if cases is None else everybody - cases,
        covariates=(
            *options.get("covariates", ()),
            *([f"first {components} principal components"] if components else []),
        ),
        notes="; ".join(result.notes),
    )
    return ssf.write(path, table, about)


def _cases(notes: Sequence[str], trait: str) -> tuple[int | None, int]:
    """How many cases of how many people, rounded, as the result says below its table; None of a measurement."""
    for note in notes:
        if found := _ABOUT.fullmatch(note.removeprefix(f"{trait}: ")):
            cases, people = (int(number.replace(",", "")) for number in found.groups())
            return cases, people
    return None, 0


_ABOUT = re.compile(r"[Aa]bout ([\d,]+) cases of ([\d,]+) people\.")
