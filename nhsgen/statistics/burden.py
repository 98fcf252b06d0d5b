"""Gene burden: in which genes cases carry a chosen allele more often than controls, by Fisher's test on the pooled table.

A site need not list a gene in which none of its people carries anything: the background row says how many cases and controls it
has, and those whom no row speaks for are people without. A row that is kept back (`Summary.without`) takes its people out of
that gene's table altogether. By site (`cmh`), such a site has nothing to compare, and adds nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import isnan, log, nan

import numpy as np
import polars as pl

from nhsgen.errors import BadStudy
from nhsgen.estimates import Burden, BurdenRow, BySite
from nhsgen.fourfold import ALTERNATIVES, benjamini_hochberg, fisher, woolf
from nhsgen.statistics import cmh
from nhsgen.statistics.summary import BACKGROUND, Summary, label, parts
from nhsgen.statistics.sums import Sums

__all__ = ["BY_SITE", "MEASURES", "Minimum", "estimate", "summarise"]

MEASURES = ("case_carriers", "cases", "control_carriers", "controls", "listed_cases", "listed_controls")
BY_SITE = ("strata", "variance", "r", "s", "pr", "ps_qr", "qs")
"""What `cmh` adds up, in whole numbers of 1 / _PARTS, which masks can cover as they do counts."""

_PARTS = 2**32

Fourfold = tuple[int, int, int, int]


@dataclass(frozen=True)
class Minimum:
    """What a gene's table must hold to be tested at all; in people."""

    cases: int = 1
    carriers: int = 1
    case_carriers: int = 0

    def met(self, table: Fourfold) -> bool:
        return table[1] >= self.cases and table[0] + table[2] >= self.carriers and table[0] >= self.case_carriers


def summarise(
    carriers: pl.DataFrame,
    cases: Collection[object],
    controls: Collection[object],
    genes: Sequence[str],
    *,
    by_site: bool = False,
) -> Summary:
    """One site's fourfold table for each of `genes`.

    carriers: person_id and gene, a row for each allele somebody carries; each person counts once a gene.
    cases, controls: ids; BadStudy when somebody is both. by_site: with the sums that compare each site's cases with its own controls.
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
    rows[BACKGROUND] = [0, n[0], 0, n[1], *n]
    if not by_site:
        return Summary.from_rows(MEASURES, rows)
    compared = cmh.summarise(*np.array([row[:4] for row in rows.values()]).T)
    scaled = np.column_stack([np.rint(compared[name] * _PARTS).astype(np.int64) for name in BY_SITE])
    return Summary.from_rows(
        (*MEASURES, *BY_SITE), {name: [*rows[name], *of] for name, of in zip(rows, scaled.tolist(), strict=True)}
    )


def estimate(total: Summary, alternative: str = "two-sided", minimum: Minimum | None = None) -> Burden:
    """Genes by p, then by name. A gene below `minimum` is not tested: p and q are 1, and it is not among the tests q is about.

    Where each site was compared with itself, p and the odds ratio are those of `cmh`; a gene of which it has no p is not tested.
    When nobody carries anything there is no odds ratio: it is nan.
    """
    if alternative not in ALTERNATIVES:
        raise BadStudy("testing gene burden", f"'{alternative}' is no alternative", f"use {' or '.join(ALTERNATIVES)}")
    least, background = minimum or Minimum(), total.row(BACKGROUND)
    tables = {}
    for name, row in total.rows():
        tables[parts(name)[0]] = (
            row["case_carriers"],
            row["cases"] + background["listed_cases"] - row["listed_cases"],
            row["control_carriers"],
            row["controls"] + background["listed_controls"] - row["listed_controls"],
        )
    rows = [_row(gene, table, alternative) for gene, table in tables.items()]
    if BY_SITE[0] in total.measures:
        rows = _by_site(rows, total, alternative)
    tested = [row for row in rows if least.met(tables[row.gene]) and not isnan(row.p)]
    q = dict(zip((row.gene for row in tested), benjamini_hochberg([row.p for row in tested]), strict=True))
    found = [replace(row, p=row.p if row.gene in q else 1.0, q=q.get(row.gene, 1.0)) for row in rows]
    return Burden(tuple(sorted(found, key=lambda row: (row.p, row.gene))), background["cases"], background["controls"])


def _row(gene: str, table: Fourfold, alternative: str) -> BurdenRow:
    return BurdenRow(
        gene, *table, *(woolf(*table) if table[0] + table[2] else (nan, nan, nan)), fisher(*table, alternative), 1.0
    )


def _by_site(rows: Sequence[BurdenRow], total: Summary, alternative: str) -> list[BurdenRow]:
    """The same rows with what comes of comparing each site's cases with its own controls."""
    sums = {name: np.array([row[name] / _PARTS for _, row in total.rows()]) for name in BY_SITE}
    carriers = [row.case_carriers + row.control_carriers for row in rows]
    found = cmh.estimate(Sums.of(carriers=carriers, **sums), alternative=alternative)
    return [
        replace(
            row,
            odds_ratio=float(found.odds_ratio[i]),
            low=float(found.low[i]),
            high=float(found.high[i]),
            p=float(found.p[i]),
            by_site=None
            if found.reason[i]
            else BySite(
                float(found.odds_ratio[i]) / row.odds_ratio,
                log(found.high[i] / found.low[i]) / log(row.high / row.low),
                round(float(sums["strata"][i])),
                float(found.fewest[i]),
            ),
        )
        for i, row in enumerate(rows)
    ]
