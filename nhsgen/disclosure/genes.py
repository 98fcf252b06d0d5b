"""What may be shown of genes: how often cases and controls carry, and what rare variants together go with.

Whatever follows from a gene's counts follows from the rounded ones: odds ratio, p, and whether it was tested at all. Were a minimum
held against the true counts, somebody who asks with a minimum of 8, then 9, 10, 11 would read the count off. A gene with a hidden
count passes for tested unless what is shown of it says otherwise, for the same reason: q would tell.

Each site's cases against its own controls (strata = "site") give numbers that rounded counts do not have. Shown from the exact sums to
two figures, they would nearly always tell one carrier more or less, which rounding the counts prevents. So two things alone are taken
from the sums, by how much comparing within sites changes the odds ratio and its interval, in steps as coarse as rounding is for the
fewest carriers; they are put on the odds ratio and the interval of the rounded counts, and p follows from these. With one carrier less
the answer then changes hardly more often than the rounded counts themselves do. It is hidden where fewer sites than may pool small
counts have something to compare, and where the cases' or the controls' carriers tell no more than too few would, because almost all
that counts comes from a small site.

Masks of one gene that differ by few carriers would tell what those few have (the difference of two tests): the narrower is hidden. The
p over all masks is combined from the ones that are shown.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nhsgen.cauchy import cauchy
from nhsgen.disclosure.cells import Asked, Written, count, enough, figures, further, number, whole_number
from nhsgen.disclosure.policies import Policy
from nhsgen.estimates import Burden, BurdenRow, GeneTestRow, GeneTests
from nhsgen.fourfold import benjamini_hochberg, fisher, woolf
from nhsgen.results import Cell, NotRun, Suppressed, Table, Value

__all__ = ["burden", "gene_tests"]

BURDEN_COLUMNS = (
    "gene",
    "cases with",
    "cases",
    "controls with",
    "controls",
    "odds ratio",
    "95 % low",
    "95 % high",
    "p",
    "q",
)
MASK, ALL_MASKS = "mask", "all masks p"
TESTS = ("burden p", "SKAT p", "SKAT-O p", "ACAT-V p", "ACAT-O p")

Fourfold = tuple[int, int, int, int]
Found = tuple[float, float, float, float]
"""Odds ratio, its interval's ends, p."""


# -- Burden -------------------------------------------------------------------------------------------------------------


def burden(estimate: Burden, asked: Asked) -> Written:
    """A gene a row, by p."""
    policy, question = asked.policy, asked.question
    options = question.get("options", {})
    by_site = options.get("strata") == "site"
    withheld = {group[0] for group in asked.kept_back if len(group) == 1}
    counts = {row.gene: _four(row, policy, asked.population, row.gene in withheld) for row in estimate.rows}
    whole = {gene: cells for gene, cells in counts.items() if not any(isinstance(cell, Suppressed) for cell in cells)}
    folded = {gene for gene, cells in counts.items() if all(isinstance(cells[i], Suppressed) for i in (0, 2))}
    folded |= withheld - set(counts)
    untested = {gene: why for gene, cells in counts.items() if (why := _why_untested(cells, options))}

    alternative = str(question.get("alternative", "two-sided"))
    found: dict[str, Found] = {}
    for row in estimate.rows:
        if row.gene in whole and row.gene not in untested:
            table = whole_numbers(whole[row.gene])
            answer = _by_site(row, table, policy, alternative) if by_site else _together(table, alternative)
            if answer is not None:
                found[row.gene] = answer
    # Genes that cannot be shown were tested too: leaving them out of q would make the rest look better than it is.
    unseen = len((withheld | set(counts)) - set(untested) - set(found))
    q = dict(zip(found, benjamini_hochberg([*(p for *_, p in found.values()), *[1.0] * unseen]), strict=False))

    first = sorted(whole, key=lambda gene: (found[gene][3] if gene in found else 1.0, gene not in found, gene))
    rest = sorted(gene for gene in counts if gene not in whole and gene not in folded)
    rows = []
    for gene in (*first, *rest):
        if gene in found:
            derived = [Value(figures(x)) for x in (*found[gene], q[gene])]
            rows.append((Value(gene), *counts[gene], *derived))
        else:
            none: Cell = NotRun(untested[gene]) if gene in untested else Suppressed(policy.rule)
            rows.append((Value(gene), *counts[gene], *[none] * 5))
    notes = _how_tested(options, len(found) + unseen) if options else []
    if found and policy.round_to > 1:
        more = "and what comparing within sites changes is rounded too" if by_site else "and say no more than these do"
        notes.append(f"Odds ratios, their intervals, p and q are computed from the rounded counts, {more}.")
    if folded:
        one = len(folded) == 1
        notes.append(f"{len(folded)} further gene{'' if one else 's'}: too few people to show.")
    partly = sorted(withheld & set(whole))
    if partly:
        notes.append(f"Without the sites that may not add small counts: {', '.join(partly)}.")
    return Table(BURDEN_COLUMNS, tuple(rows)), notes


def _four(row: BurdenRow, policy: Policy, population: int | None, withheld: bool) -> tuple[Cell, Cell, Cell, Cell]:
    if withheld and not row.cases + row.controls:  # every site kept it back: that is not "nobody"
        hidden = Suppressed(policy.rule)
        return hidden, hidden, hidden, hidden
    return (
        count(row.case_carriers, row.cases, policy),
        count(row.cases, population, policy),
        count(row.control_carriers, row.controls, policy),
        count(row.controls, population, policy),
    )


def whole_numbers(cells: Sequence[Cell]) -> Fourfold:
    """The fourfold table of the rounded counts; rounding must not make more people carry than there are."""
    a, n1, b, n0 = map(whole_number, cells)
    return min(a, n1), n1, min(b, n0), n0


def _why_untested(cells: Sequence[Cell], options: Mapping[str, Any]) -> str:
    """Why a gene of which this is shown cannot have been tested, or ""; what is hidden may be any number."""
    case_carriers, cases, control_carriers, _ = (
        math.inf if isinstance(cell, Suppressed) else whole_number(cell) for cell in cells
    )
    carriers = case_carriers + control_carriers
    if not carriers:
        return "nobody carries such a variant"
    for there, name, what in (
        (cases, "min_cases", "cases"),
        (carriers, "min_carriers", "people carry such a variant"),
        (case_carriers, "min_case_carriers", "cases carry such a variant"),
    ):
        if there < options.get(name, 0):
            return f"fewer than {options[name]:,} {what}" if there else f"no {what}"
    if options.get("strata") == "site" and not (case_carriers and control_carriers):
        return "no case carries such a variant, or no control"
    return ""


def _together(table: Fourfold, alternative: str) -> Found:
    return (*woolf(*table), fisher(*table, alternative))


def _by_site(row: BurdenRow, table: Fourfold, policy: Policy, alternative: str) -> Found | None:
    """The same of each site's cases against its own controls, with Wald's p; None where it may not be shown (see above)."""
    within = row.by_site
    if within is None or within.sites < policy.contributors or within.fewest < policy.least:
        return None
    step = math.log1p(policy.round_to / min(table[0], table[2]))
    ratio, low, high = woolf(*table)
    middle = math.log(ratio) + step * round(math.log(within.ratio) / step)
    reach = math.log(high / low) / 2.0 * max(0.1, round(within.stretch, 1))
    z = 1.959963984540054 * middle / reach
    p = math.erfc(abs(z) / math.sqrt(2.0)) if alternative == "two-sided" else 0.5 * math.erfc(z / math.sqrt(2.0))
    return math.exp(middle), math.exp(middle - reach), math.exp(middle + reach), p


def _how_tested(options: Mapping[str, Any], tests: int) -> list[str]:
    notes = []
    if options.get("preset", "none") != "none":
        notes.append(
            f"Tested as {options['preset']} does, on what is shown: one-sided, and only genes with enough carriers."
        )
    if options.get("strata") == "site":
        notes.append(
            "Each site's cases are compared with its own controls: the odds ratio is Mantel's and Haenszel's, and p Wald's."
        )
    if notes:
        notes.append(
            f"q is over {tests:,} gene{'' if tests == 1 else 's'}: those tested, and those that cannot be shown."
        )
    return notes


# -- Rare variants together ---------------------------------------------------------------------------------------------


def gene_tests(estimate: GeneTests, asked: Asked) -> Written:
    """A gene a row, or a gene and a mask of its variants; those with too few carriers only counted."""
    policy, fewest = asked.policy, asked.question.get("options", {}).get("min_carriers", 0)
    enough(estimate.people, estimate.cases, policy)
    several = any(row.mask for row in estimate.rows)
    genes: dict[tuple[str, str], list[GeneTestRow]] = {}
    for row in estimate.rows:
        genes.setdefault((row.trait, row.gene), []).append(row)
    shown = [
        (name, safe, _all_masks(safe))
        for name, rows in genes.items()
        if (safe := _apart(rows, estimate, policy, fewest))
    ]
    if several:
        shown.sort(key=lambda gene: (gene[2] if math.isfinite(gene[2]) else 2.0, gene[0]))
    rows = [
        (
            Value(row.trait),
            Value(row.gene),
            *([Value(row.mask)] if several else []),
            Value(row.variants),
            Value(policy.rounded(row.carriers)),
            *(number(p, 2, row.reason) for p in _p(row)),
            *([number(together, 2, row.reason)] if several else []),
        )
        for _, safe, together in shown
        for row in safe
    ]
    notes = [f"Of about {policy.rounded(estimate.people):,} people."]
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} of them are cases.")
    if several:
        joined = "joins the ACAT-O p of a gene's masks that are shown, and so allows for having tried several"
        notes.append(f"'{ALL_MASKS}' {joined}.")
    hidden = len(estimate.rows) - len(rows)
    notes += further(hidden, "mask" if several else "gene", policy)
    mask, together = ((MASK,), (ALL_MASKS,)) if several else ((), ())
    return Table(("trait", "gene", *mask, "variants", "carriers", *TESTS, *together), tuple(rows)), notes


def _apart(rows: Sequence[GeneTestRow], estimate: GeneTests, policy: Policy, fewest: int) -> list[GeneTestRow]:
    """A gene's masks that have enough carriers, `fewest` when rounded, and enough fewer than any wider one of them that is shown."""
    safe: list[GeneTestRow] = []
    for row in sorted(rows, key=lambda row: (-row.carriers, -row.variants)):
        wider = [other for other in safe if (row.mask, other.mask) in estimate.nested and other.variants > row.variants]
        few = any(other.carriers - row.carriers < policy.least for other in wider)
        hides = not row.carriers or policy.hides(row.carriers, estimate.people) or policy.rounded(row.carriers) < fewest
        if not hides and not few:
            safe.append(row)
    return [row for row in rows if row in safe]


def _p(row: GeneTestRow) -> tuple[float, ...]:
    return row.burden_p, row.skat_p, row.skat_o_p, row.acat_v_p, row.acat_o_p


def _all_masks(rows: Sequence[GeneTestRow]) -> float:
    """From the p as they are shown; nan where none has an answer."""
    return cauchy([figures(row.acat_o_p) for row in rows if math.isfinite(row.acat_o_p)])
