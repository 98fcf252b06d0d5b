"""Gene burden: in which genes cases carry a chosen allele more often than controls, by Fisher's test on the pooled table.

A site need not list a gene in which none of its people carries anything: the background row says how many cases and controls it
has, and those whom no row speaks for are people without. A row that is kept back (`Summary.without`) takes its people out of
that gene's table altogether.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import nan

import polars as pl

from nhsgen.errors import BadStudy
from nhsgen.estimates import Burden, BurdenRow
from nhsgen.fourfold import ALTERNATIVES, benjamini_hochberg, fisher, woolf
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts

__all__ = ["GENE_BURDEN_RD", "MEASURES", "Minimum", "estimate", "summarise"]

MEASURES = ("case_carriers", "cases", "control_carriers", "controls", "listed_cases", "listed_controls")


@dataclass(frozen=True)
class Minimum:
    """What a gene's table must hold to be tested at all; in people."""

    cases: int = 1
    carriers: int = 1
    case_carriers: int = 0


GENE_BURDEN_RD = Minimum(
    cases=5, carriers=4, case_carriers=1
)  # Cipriani et al., Nature 2025; whri-phenogenomics/geneBurdenRD
ANYBODY = Minimum()


def summarise(
    carriers: pl.DataFrame, cases: Collection[object], controls: Collection[object], genes: Sequence[str]
) -> Summary:
    """One site's fourfold table for each of `genes`.

    carriers: person_id and gene, a row for each allele somebody carries; each person counts once a gene.
    cases, controls: ids; BadStudy when somebody is both.
    """
    in_cases, in_controls = set(cases), set(controls)
    if in_cases & in_controls:
        raise BadStudy("comparing cases with controls", "somebody is both", "exclude the cases from the controls")
    n = [len(in_cases), len(in_controls)]
    rows = {label([gene]): [0, n[0], 0, n[1], *n] for gene in genes}
    for gene, person in carriers.select("gene", "person_id").unique().iter_rows():
        row = rows.get(label([gene]))
        if row is not None:
            row[0] += person in in_cases
            row[2] += person in in_controls
    return Summary.from_rows(MEASURES, rows | {BACKGROUND: [0, n[0], 0, n[1], *n]})


def estimate(total: Summary, alternative: str = "two-sided", minimum: Minimum = ANYBODY) -> Burden:
    """Genes by p, then by name. A gene below `minimum` is not tested: p and q are 1, and it is not among the tests q is about.

    When nobody carries anything there is no odds ratio: it is nan.
    """
    if alternative not in ALTERNATIVES:
        raise BadStudy("testing gene burden", f"'{alternative}' is no alternative", f"use {' or '.join(ALTERNATIVES)}")
    background = total.row(BACKGROUND)
    tested: list[tuple[str, tuple[int, int, int, int], float]] = []
    rows: list[BurdenRow] = []
    for name, row in total.rows():
        (gene,) = parts(name)
        table = (
            row["case_carriers"],
            row["cases"] + background["listed_cases"] - row["listed_cases"],
            row["control_carriers"],
            row["controls"] + background["listed_controls"] - row["listed_controls"],
        )
        carriers = table[0] + table[2]
        if table[1] >= minimum.cases and carriers >= minimum.carriers and table[0] >= minimum.case_carriers:
            tested.append((gene, table, fisher(*table, alternative)))
        else:
            rows.append(BurdenRow(gene, *table, *(woolf(*table) if carriers else (nan, nan, nan)), p=1.0, q=1.0))
    for (gene, table, p), q in zip(tested, benjamini_hochberg([p for *_, p in tested]), strict=True):
        rows.append(BurdenRow(gene, *table, *woolf(*table), p=p, q=q))
    return Burden(tuple(sorted(rows, key=lambda row: (row.p, row.gene))), background["cases"], background["controls"])
