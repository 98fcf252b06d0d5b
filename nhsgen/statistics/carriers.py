"""How many of a cohort's people carry one of the chosen alleles, by gene, consequence or group of people."""

from collections.abc import Sequence

import polars as pl

from nhsgen.estimates import Carriers
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = ["MEASURES", "estimate", "summarise"]

MEASURES = ("carriers", "people")


def summarise(carriers: pl.DataFrame, people: int, by: Sequence[str]) -> Summary:
    """Distinct carriers by group, among `people`.

    `carriers`: person_id and the columns of `by`, a row for each allele somebody carries; somebody with three alleles in a gene
    counts once there, and once in every other gene they carry one in.

    >>> frame = pl.DataFrame({"person_id": [1, 1, 1], "gene": ["PKD1", "PKD1", "PKD2"]})
    >>> estimate(summarise(frame, 40, ["gene"]), ["gene"])
    Carriers(by=('gene',), cells={('PKD1',): 1, ('PKD2',): 1}, people=40)
    """
    if by:
        found = carriers.group_by(list(by)).agg(pl.col("person_id").n_unique().cast(pl.Int64))
        rows = {label(group): [number, people] for *group, number in found.iter_rows()}
    else:
        rows = {label(()): [carriers["person_id"].n_unique(), people]}
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, people]})


def estimate(total: Summary, by: Sequence[str]) -> Carriers:
    cells = {parts(name): row["carriers"] for name, row in total.rows()}
    return Carriers(tuple(by), cells, total.row(BACKGROUND)["people"])
