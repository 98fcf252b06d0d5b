"""What may be shown of genes: how often cases and controls carry, and what rare variants together go with."""

from collections.abc import Sequence

from nhsgen.disclosure.cells import Asked, Written, count, enough, figures, further, number, whole_number
from nhsgen.disclosure.policies import Policy
from nhsgen.estimates import Burden, BurdenRow, GeneTests
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


def burden(estimate: Burden, asked: Asked) -> Written:
    """A gene a row, by p; what is derived from the counts is derived from the rounded ones."""
    policy, population, kept_back = asked.policy, asked.population, asked.kept_back
    withheld = {group[0] for group in kept_back if len(group) == 1}
    alternative = str(asked.question.get("alternative", "two-sided"))
    counts = {row.gene: _four(row, policy, population, row.gene in withheld) for row in estimate.rows}
    whole = {gene: cells for gene, cells in counts.items() if not any(isinstance(cell, Suppressed) for cell in cells)}
    folded = {gene for gene, cells in counts.items() if all(isinstance(cells[i], Suppressed) for i in (0, 2))}
    folded |= withheld - set(counts)

    tested = {gene: table for gene, cells in whole.items() if any((table := whole_numbers(cells))[::2])}
    p = {gene: fisher(*table, alternative) for gene, table in tested.items()}
    # Genes that cannot be shown were tested too: leaving them out of q would make the rest look better than it is.
    unseen = len(withheld | set(counts)) - len(whole)
    q = dict(zip(p, benjamini_hochberg([*p.values(), *[1.0] * unseen]), strict=False))

    first = sorted(whole, key=lambda gene: (p.get(gene, 1.0), gene not in p, gene))
    rest = sorted(gene for gene in counts if gene not in whole and gene not in folded)
    rows = []
    for gene in (*first, *rest):
        if gene in tested:
            derived = [Value(figures(x)) for x in (*woolf(*tested[gene]), p[gene], q[gene])]
            rows.append((Value(gene), *counts[gene], *derived))
        else:
            why: Cell = NotRun("nobody carries such a variant") if gene in whole else Suppressed(policy.rule)
            rows.append((Value(gene), *counts[gene], *[why] * 5))
    notes = []
    if tested and policy.round_to > 1:
        notes.append(
            "Odds ratios, their intervals, p and q are computed from the rounded counts, and say no more than these do."
        )
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


def whole_numbers(cells: Sequence[Cell]) -> tuple[int, int, int, int]:
    """The fourfold table of the rounded counts; rounding must not make more people carry than there are."""
    a, n1, b, n0 = map(whole_number, cells)
    return min(a, n1), n1, min(b, n0), n0


def gene_tests(estimate: GeneTests, asked: Asked) -> Written:
    """A gene a row, those with too few carriers only counted."""
    policy = asked.policy
    enough(estimate.people, estimate.cases, policy)
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for row in estimate.rows:
        if policy.hides(row.carriers, estimate.people) or not row.carriers:
            hidden += 1
            continue
        tests = (row.burden_p, row.skat_p, row.skat_o_p, row.acat_o_p)
        told = [number(p, 2, row.reason) for p in tests]
        carriers = Value(policy.rounded(row.carriers))
        rows.append((Value(row.trait), Value(row.gene), Value(row.variants), carriers, *told))
    notes = [f"Of about {policy.rounded(estimate.people):,} people."]
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} of them are cases.")
    notes += further(hidden, "gene", policy)
    return Table(
        ("trait", "gene", "variants", "carriers", "burden p", "SKAT p", "SKAT-O p", "ACAT-O p"), tuple(rows)
    ), notes
