"""What may be shown of an association, a gene test, a survival curve, a family search and a picture of ancestry.

The same rules for all of them: groups too small are not shown, counts are rounded, and an estimate has few figures. A number of
which few people are the cause (an allele with few copies, a step of a curve) is not shown, or is computed from rounded counts.
"""

import math
from collections.abc import Collection, Sequence

from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe
from nhsgen.results import (
    Association,
    Cell,
    Families,
    GeneTests,
    NotRun,
    Structure,
    Suppressed,
    Survival,
    SurvivalGroup,
    Table,
    Value,
)

__all__ = ["association", "families", "gene_tests", "structure", "survival"]

Written = tuple[Table, list[str]]

FEWEST_FOR_LAMBDA = 200
"""Alleles below which the inflation of a scan says more of the region than of the scan."""

LEAST_COPIES = 20
"""Copies of the rarer allele below which an effect speaks of too few people, whatever a study asks for: of one carrier it is their row."""


# -- Association ------------------------------------------------------------------------------------------------------


def association(estimate: Association, policy: Policy) -> Written:
    """An allele a row, the strongest first. Frequencies are shown only where the list is short enough for so many people."""
    _enough(estimate.people, estimate.cases, policy)
    fewest = max(LEAST_COPIES, 2 * policy.least)
    shown = sorted(
        (row for row in estimate.rows if row.copies >= fewest and not policy.hides(row.fewest)),
        key=lambda row: (bool(row.reason), -row.log10p if not row.reason else 0.0),
    )
    rare = len(estimate.rows) - len(shown)
    # The limit is taken from the rounded cohort: showing frequencies or not must not tell its exact size.
    short = len({row.variant for row in shown}) * policy.people_per_variant <= policy.rounded(estimate.people)
    rows: list[tuple[Cell, ...]] = []
    for row in shown:
        chrom, pos, other, effect = row.variant.split("-", 3)
        told: list[Cell] = [NotRun(row.reason)] * 4
        if not row.reason:
            told = [_number(x, 3) for x in (row.beta, row.se, 10**-row.log10p, row.log10p)]
        frequency: Cell = Value(round(row.frequency, policy.af_decimals)) if short else Suppressed(_TOO_LONG)
        few_lack_it = policy.hides(row.people, estimate.people)
        people: Cell = (
            Suppressed(policy.rule) if few_lack_it and policy.round_to == 1 else Value(policy.rounded(row.people))
        )
        names = [Value(text) for text in (row.trait, row.variant, chrom)]
        alleles = [Value(effect), Value(other), Value(row.gene)]
        rows.append((*names, Value(int(pos)), *alleles, people, frequency, *told, Value(row.reason)))
    scan = len(shown) >= FEWEST_FOR_LAMBDA and math.isfinite(estimate.inflation)
    notes = [f"Genomic inflation (lambda) {estimate.inflation:.3f}."] if scan else []
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} cases of {policy.rounded(estimate.people):,} people.")
    if rare:
        apart = "" if estimate.cases is None else f", or fewer than {policy.least} in cases or in controls,"
        notes.append(f"{rare:,} alleles with fewer than {fewest} copies of the rarer allele{apart} are not shown.")
    if not short:
        notes.append("Frequencies are not shown: so long a list of them can show who is in the cohort.")
    columns = ("trait", "variant", "chrom", "pos", "effect allele", "other allele", "gene", "people", "frequency", "beta", "se", "p",
               "log10p", "reason")  # fmt: skip
    return Table(columns, tuple(rows)), notes


_TOO_LONG = "so long a list of frequencies can show who is in the cohort"


def gene_tests(estimate: GeneTests, policy: Policy) -> Written:
    """A gene a row, those with too few carriers only counted."""
    _enough(estimate.people, estimate.cases, policy)
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for row in estimate.rows:
        if policy.hides(row.carriers, estimate.people) or not row.carriers:
            hidden += 1
            continue
        tests = (row.burden_p, row.skat_p, row.skat_o_p, row.acat_o_p)
        told = [_number(p, 2, row.reason) for p in tests]
        carriers = Value(policy.rounded(row.carriers))
        rows.append((Value(row.trait), Value(row.gene), Value(row.variants), carriers, *told))
    notes = [f"Of about {policy.rounded(estimate.people):,} people."]
    if estimate.cases is not None:
        notes.append(f"About {policy.rounded(estimate.cases):,} of them are cases.")
    if hidden and policy.zeros_shown:
        notes.append(f"{hidden:,} further gene{'' if hidden == 1 else 's'}: too few people to show.")
    return Table(
        ("trait", "gene", "variants", "carriers", "burden p", "SKAT p", "SKAT-O p", "ACAT-O p"), tuple(rows)
    ), notes


def _enough(people: int, cases: int | None, policy: Policy) -> None:
    """NotSafe when the people, the cases or the controls are too few for anything to be said."""
    groups = [people] if cases is None else [cases, people - cases]
    if any(not group or policy.hides(group) for group in groups):
        raise NotSafe("releasing an analysis", policy.rule, "ask about more people, or ask more sites")


# -- Survival ---------------------------------------------------------------------------------------------------------


def survival(estimate: Survival, policy: Policy) -> Written:
    """Curves by group, and hazard ratios. A ratio is shown only where the groups it compares are, with deaths enough to show."""
    rows: list[tuple[Cell, ...]] = []
    for group in estimate.groups:
        if _told(group, policy):
            rows += _curve(group, estimate.starts, policy)
        elif policy.zeros_shown:  # elsewhere, that a group is listed says that somebody is in it
            rows.append((Value(group.group), Value(0), *[Suppressed(policy.rule)] * 4))
    notes = [
        "The share alive is shown as so many of the group's people, rounded as people are; its interval is Peto's, from what is shown."
    ]
    drawn = {group.group for group in estimate.groups if _told(group, policy)}
    told = {group.group for group in estimate.groups if group.group in drawn and not policy.hides(sum(group.deaths))}
    everybody = {group.group for group in estimate.groups}
    if estimate.log_rank_p is not None and told == everybody:
        notes.append(f"Log-rank test, stratified by site: p {_figures(estimate.log_rank_p, 2):g}.")
    for hazard in estimate.hazards:
        compared = set(hazard.term.split(" against ")) if " against " in hazard.term else everybody
        if not policy.zeros_shown and not compared <= drawn:
            continue
        if hazard.reason or not compared <= told:
            # Of a hidden group even the reason says something: that nobody in it died, say.
            why = _NO_RATIO.get(hazard.reason, policy.rule) if compared <= told else policy.rule
            notes.append(f"{hazard.term}: no hazard ratio, because {why}.")
            continue
        ratio, low, high = (_figures(x, 3) for x in (hazard.ratio, hazard.low, hazard.high))
        notes.append(f"{hazard.term}: hazard ratio {ratio:g} (95 % {low:g} to {high:g}), p {_figures(hazard.p, 2):g}.")
    return Table(("group", "time", "at risk", "survival", "low", "high"), tuple(rows)), notes


_NO_RATIO = {
    "nobody": "nobody is left to compare",
    "no deaths": "nobody died",
    "constant": "within each site everybody is the same in it",
    "collinear": "other terms say the same",
    "monotone": "all who died are at one end of it",
}


def _told(group: SurvivalGroup, policy: Policy) -> bool:
    return bool(group.at_risk and group.at_risk[0]) and not policy.hides(group.at_risk[0])


def _curve(group: SurvivalGroup, starts: Sequence[int], policy: Policy) -> list[tuple[Cell, ...]]:
    """Kaplan and Meier's curve when each step begins, until too few are at risk. The share alive stands for so many of the group's
    people; where those who are not are too few to show, it is hidden."""
    people = group.at_risk[0]
    rows: list[tuple[Cell, ...]] = []
    lives, shown = 1.0, 1.0
    for start, at_risk, deaths in zip(starts, group.at_risk, group.deaths, strict=True):
        if not at_risk or policy.hides(at_risk):
            break
        gone = round(people * (1.0 - lives))
        told: list[Cell] = [Suppressed(policy.rule)] * 3
        if not policy.hides(gone):
            shown = min(shown, 1.0 - policy.rounded(gone) / policy.rounded(people))
            low, high = _log_log(shown, (1.0 - shown) / (max(shown, 1e-9) * policy.rounded(at_risk)))
            told = [Value(_figures(x, 3)) for x in (shown, low, high)]
        rows.append((Value(group.group), Value(start), Value(policy.rounded(at_risk)), *told))
        lives *= 1.0 - deaths / at_risk
    return rows


def _log_log(lives: float, variance: float) -> tuple[float, float]:
    """95 % limits, symmetrical about log(-log S); variance: of log S (Peto et al., Br J Cancer 1977: (1 - S) / (S n))."""
    if not 0 < lives < 1:
        return lives, lives
    spread = 1.959963984540054 * math.sqrt(variance) / math.log(lives)
    return lives ** math.exp(-spread), lives ** math.exp(spread)


# -- Families and ancestry --------------------------------------------------------------------------------------------


def families(estimate: Families, policy: Policy, kept_back: Collection[tuple[str, ...]] = ()) -> Written:
    """Families by gene, inheritance and tier; a group too small to show only counts among the rest."""
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (gene, tier, inheritance), number in sorted(estimate.cells.items(), key=lambda cell: (cell[0][1], cell[0])):
        if policy.hides(number, estimate.families) or not number:
            hidden += 1
        else:
            rows.append((Value(gene), Value(inheritance), Value(f"tier {tier}"), Value(policy.rounded(number))))
    looked = policy.rounded(estimate.families) if not policy.hides(estimate.families) else 0
    notes = [f"Of about {looked:,} families." if looked else "Too few families to say how many."]
    if hidden and policy.zeros_shown:
        notes.append(f"{hidden:,} further group{'' if hidden == 1 else 's'}: too few families to show.")
    if kept_back:
        notes.append("Without the groups that some sites may not add, because they are small there.")
    return Table(("gene", "inheritance", "tier", "families"), tuple(rows)), notes


def structure(estimate: Structure, policy: Policy) -> Written:
    """People by ancestry and square of the grid: nobody's own place is shown. NotSafe when they are too few for eigenvalues."""
    _enough(sum(estimate.cells.values()), None, policy)
    rows: list[tuple[Cell, ...]] = []
    hidden = 0
    for (ancestry, one, two), people in sorted(estimate.cells.items()):
        if policy.hides(people) or not people:
            hidden += 1
        else:
            rows.append((Value(ancestry), Value(one), Value(two), Value(policy.rounded(people))))
    shares = ", ".join(f"{value:.3g}" for value in estimate.eigenvalues)
    notes = [
        f"{estimate.alleles:,} alleles; eigenvalues {shares}.",
        "A square stands for the people in it; nobody's own place is shown.",
    ]
    if hidden and policy.zeros_shown:
        notes.append(f"{hidden:,} further square{'' if hidden == 1 else 's'}: too few people to show.")
    return Table(("ancestry", "pc1", "pc2", "people"), tuple(rows)), notes


def _number(x: float, figures: int, reason: str = "") -> Cell:
    return Value(_figures(x, figures)) if math.isfinite(x) else NotRun(reason or "the test has no answer")


def _figures(x: float, figures: int) -> float:
    return float(f"{x:.{figures}g}")
