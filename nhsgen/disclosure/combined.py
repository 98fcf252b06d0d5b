"""What may be shown of a meta-analysis: everything, for it is made of nothing but what each site has already released.

Each site's own answer passed this gate alone, with that site's policy: its estimates are of alleles with copies enough, in cases enough,
and have three figures. Combining them says nothing that a reader with a pocket calculator could not say. So nothing is hidden here, and
small counts are never pooled: a site too small to answer is silent, and named.

What remains, as for any question put to all sites and again to all but one: beside the pooled association, the answers of the other sites
leave by subtraction a blurred one of the silent site, blurred more the smaller it is (three figures of a sum it is a small part of).
Whether both may be asked is for its stewards, who approve each.
"""

import math
from collections.abc import Iterator

from nhsgen.disclosure.cells import Asked, Written, number
from nhsgen.estimates import Combined, MetaAnalysis
from nhsgen.results import Cell, NotRun, Receipt, Table, Value

__all__ = ["meta_analysis"]

ALL_SITES = "all sites"
COLUMNS = ("site", "trait", "variant", "chrom", "pos", "gene", "estimate", "low", "high", "se", "p", "log10p", "weight", "sites", "i2", "q p",
           "tau2", "reason")  # fmt: skip
REACH = 1.959963984540054
"""Standard errors to each side of a 95 % interval."""

MODELS = {
    "fixed": "one effect at all sites (fixed effect)",
    "dersimonian_laird": "effects that differ between sites (random effects, DerSimonian and Laird)",
    "reml": "effects that differ between sites (random effects, REML)",
}


def meta_analysis(estimate: MetaAnalysis, asked: Asked) -> Written:
    """Of one allele a site a row and all sites last; of several, all sites' row for each, the strongest first."""
    rows: list[tuple[Cell, ...]] = []
    for row in sorted(estimate.rows, key=lambda row: row.p if math.isfinite(row.p) else math.inf):
        if len(estimate.rows) == 1:
            rows += [*_sites(row), *_silent(row, asked.receipt)]
        rows.append(_all(row, estimate.model))
    scale = "as log odds ratios" if estimate.odds else "on the trait's scale"
    notes = [
        "A meta-analysis: each site answered alone, and their answers were combined. It is not the analysis of all people together, "
        "which can find what no site can show.",
        f"Estimates are for each copy of the alternative allele, {scale}; the model is of {MODELS[estimate.model]}.",
        "i2 is the share of the variance that is between sites, tau2 that variance; q p is of Cochran's test that all sites have one effect.",
    ]
    return Table(COLUMNS, tuple(rows)), notes


def _names(row: Combined) -> tuple[Cell, ...]:
    chrom, pos, *_ = row.variant.split("-", 3)
    return Value(row.trait), Value(row.variant), Value(chrom), Value(int(pos)), Value(row.gene)


def _sites(row: Combined) -> Iterator[tuple[Cell, ...]]:
    """Each site's estimate, and its share of the weights."""
    weights = [1 / (at.se**2 + _or_0(row.tau2)) if math.isfinite(at.beta) else 0.0 for at in row.at]
    of_all = [NotRun("it is of all sites together")] * 4
    for at, weight in zip(row.at, weights, strict=True):
        told: list[Cell] = [NotRun("the site's own answer has no estimate of this allele")] * 7
        if weight:
            reach, p = REACH * at.se, math.erfc(abs(at.beta) / at.se / math.sqrt(2))
            shown = (at.beta, at.beta - reach, at.beta + reach, at.se, p, _log10(p), weight / sum(weights))
            told = [number(x, 3) for x in shown]
        yield (Value(at.site), *_names(row), *told, *of_all, Value(""))


def _silent(row: Combined, receipt: Receipt) -> Iterator[tuple[Cell, ...]]:
    """Who gave no answer, and why."""
    for site, why in receipt.silent:
        yield (Value(site), *_names(row), *[NotRun(why)] * 11, Value(""))


def _all(row: Combined, model: str) -> tuple[Cell, ...]:
    why = row.reason or "the test has no answer"
    told = [number(x, 3, why) for x in (row.beta, row.low, row.high, row.se, row.p, _log10(row.p))]
    tau2 = NotRun("one effect at all sites is assumed") if model == "fixed" else number(row.tau2, 3, why)
    between = [number(row.i2, 3, why), number(row.q_p, 3, why), tau2]
    return (
        Value(ALL_SITES),
        *_names(row),
        *told,
        NotRun("it is of each site"),
        Value(row.sites),
        *between,
        Value(row.reason),
    )


def _or_0(x: float) -> float:
    return x if math.isfinite(x) else 0.0


def _log10(p: float) -> float:
    return -math.log10(p) if p > 0 else math.nan
