"""The only maker of a `Released`: estimates go in exact, tables come out safe.

For each kind of estimate, in this order: thresholds on n and on N - n; zeros and whole groups; rounding; totals from the rounded
cells; the audit of what can still be worked out (`recoverable`). Whatever is derived from counts (odds ratio, p) is derived from
the rounded ones, and so cannot say more than they do.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from nhsgen.disclosure import analyses
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.errors import NotSafe
from nhsgen.fourfold import benjamini_hochberg, fisher, woolf
from nhsgen.results import (
    Association,
    Burden,
    BurdenRow,
    Carriers,
    Cell,
    Counts,
    Estimate,
    Families,
    Frequencies,
    FrequencyRow,
    GeneTests,
    NotRun,
    Receipt,
    Released,
    Suppressed,
    Survival,
    Table,
    Value,
    Zero,
)

__all__ = ["gate"]

ALL, SITE = "all", "site"
EVERYONE: Mapping[str, Any] = {"everyone": {}}  # as a cohort says it
SEPARATOR, BACKGROUND = "\x1f", "\x1e"  # as a summary's labels have them: between parts, and the row of everybody
ONE_PERSON_MANY_GROUPS = frozenset({"gene", "impact", "consequence"})  # columns over which people may not be added up
LARGEST_GRID = 2_000  # beyond this many groups, those without people are not written out
Group = tuple[str, ...]
Written = tuple[Table, list[str]]


def gate(
    estimate: Estimate,
    *,
    policy: Policy,
    title: str,
    question: Mapping[str, Any],
    receipt: Receipt,
    sites: int,
    population: int | None = None,
    withheld: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
) -> Released:
    """Release what may be shown of `estimate`.

    sites: how many sites it is the sum of. population: how many people could have been counted in it, of all sites together.
    withheld: labels that sites kept back before adding, and how many sites did (see `withhold`).
    NotSafe when none of it may be shown, whatever is suppressed.
    """
    if policy.pooled and 1 < sites < policy.contributors:
        raise NotSafe(
            "pooling small counts",
            f"{sites} sites answered, and a site that knows its own counts would see the others'",
            f"ask at least {policy.contributors} sites, or have each apply its thresholds before adding",
        )
    # That everyone leaves out nobody is no news.
    whole = None if question.get("cohort") == EVERYONE else population
    silenced = BACKGROUND in (withheld or ())
    kept_back = {tuple(label.split(SEPARATOR)) if label else () for label in (withheld or ()) if label != BACKGROUND}
    if isinstance(estimate, Counts):
        kind, (table, said) = "counts", _counts(estimate, policy, population, whole, kept_back, receipt)
    elif isinstance(estimate, Carriers):
        kind, (table, said) = "carriers", _carriers(estimate, policy, whole, kept_back, receipt, silenced)
    elif isinstance(estimate, Frequencies):
        kind, (table, said) = "frequencies", _frequencies(estimate, policy, kept_back)
    elif isinstance(estimate, Burden):
        kind, (table, said) = "burden", _burden(estimate, policy, population, question, kept_back)
    elif isinstance(estimate, Association):
        kind, (table, said) = "gwas", analyses.association(estimate, policy)
    elif isinstance(estimate, GeneTests):
        kind, (table, said) = "gene_tests", analyses.gene_tests(estimate, policy)
    elif isinstance(estimate, Survival):
        kind, (table, said) = "survival", analyses.survival(estimate, policy)
    elif isinstance(estimate, Families):
        kind, (table, said) = "families", analyses.families(estimate, policy, kept_back)
    else:
        kind, (table, said) = "structure", analyses.structure(estimate, policy)
    if silenced:
        said.append("Sites with too few people to say anything are not in these numbers.")
    return Released(kind, title, table, (policy.describe(), *said, *notes), dict(question), receipt)


# -- Counts and carriers ----------------------------------------------------------------------------------------------


def _counts(
    estimate: Counts,
    policy: Policy,
    population: int | None,
    whole: int | None,
    kept_back: Collection[Group],
    receipt: Receipt,
) -> Written:
    everybody = sum(estimate.cells.values())
    exactly = everybody if everybody == population else None
    groups, cells = _groups(estimate.by, estimate.cells, whole, exactly, policy, kept_back, estimate.of)
    rows: list[tuple[Cell, ...]] = [(*map(Value, group), cell) for group, cell in zip(groups, cells, strict=True)]
    notes = _about(cells, policy, "there is nobody in that group", kept_back, groups)
    if estimate.by and len(rows) > 1:
        total = sum(_number(cell) for cell in cells)
        hidden = any(isinstance(cell, Suppressed) for cell in cells) or not policy.zeros_shown
        if total and not policy.hides(everybody, whole):
            rows.append((*[Value(ALL)] * len(estimate.by), Value(total)))
            notes.append(f"'{ALL}' adds up the rounded counts{' that are shown' if hidden else ''}.")
    return Table((*estimate.by, "people"), (*rows, *_silent(estimate.by, 1, receipt))), notes


def _carriers(
    estimate: Carriers,
    policy: Policy,
    whole: int | None,
    kept_back: Collection[Group],
    receipt: Receipt,
    silenced: bool,
) -> Written:
    found = dict(estimate.cells)
    if SITE in estimate.by and not silenced:  # a site that lists nobody was asked, and has nobody
        place = estimate.by.index(SITE)
        for group, (site, _) in product(estimate.cells, receipt.answered):
            found.setdefault((*group[:place], site, *group[place + 1 :]), 0)
    groups, cells = _groups(estimate.by, found, estimate.people, None, policy, kept_back)
    nobody_left = silenced and not estimate.people
    cohort = Suppressed(policy.rule) if nobody_left else _cell(estimate.people, whole, policy)
    if isinstance(cohort, Suppressed):
        cells = [cohort] * len(cells)
    rows = tuple((*map(Value, group), cell, cohort) for group, cell in zip(groups, cells, strict=True))
    notes = _about(cells, policy, "nobody there carries such a variant", kept_back, groups)
    everybody = [
        ", ".join(group)
        for group, cell in zip(groups, cells, strict=True)
        if isinstance(cell, Value) and estimate.cells.get(group) == estimate.people
    ]
    if everybody:
        notes.append(f"Everybody in the cohort carries one, which says so of each of them: {'; '.join(everybody)}.")
    if not rows and policy.zeros_shown:
        notes.append("Nobody in the cohort carries such a variant.")
    if set(estimate.by) - ONE_PERSON_MANY_GROUPS:
        notes.append("'of' is the whole cohort, not the group.")
    return Table((*estimate.by, "carriers", "of"), (*rows, *_silent(estimate.by, 2, receipt))), notes


def _silent(by: Sequence[str], numbers: int, receipt: Receipt) -> list[tuple[Cell, ...]]:
    """Where a table is by site, a site that did not answer has a row that says why: it is not a zero."""
    if SITE not in by:
        return []
    return [
        (*[Value(site if name == SITE else ALL) for name in by], *[NotRun(why)] * numbers)
        for site, why in receipt.silent
    ]


def _groups(
    by: Sequence[str],
    counts: Mapping[Group, int],
    whole: int | None,
    exactly: int | None,
    policy: Policy,
    kept_back: Collection[Group],
    of: Mapping[Group, int] | None = None,
) -> tuple[list[Group], list[Cell]]:
    """Groups in order, and what may be shown of each. exactly: the number of all people, when it is known outside.

    whole: how many people there are in all. of: how many in each group, where that is known.
    """
    named = {group for group in kept_back if len(group) == len(by)}
    groups = _grid(by, {*counts, *named})
    numbers = [counts.get(group, 0) for group in groups]
    hidden = {i for i, n in enumerate(numbers) if policy.hides(n, (of or {}).get(groups[i], whole))}
    # A group that only has people at sites which kept them back has no number here: it takes no part in any sum.
    unknown = {i for i, group in enumerate(groups) if group in named and not numbers[i]}
    margins = _margins(by, groups, numbers, unknown, exactly, policy)
    gone = protect(numbers, hidden - unknown, margins, policy) | unknown
    cells: list[Cell] = [Suppressed(policy.rule) if i in gone else _shown(n, policy) for i, n in enumerate(numbers)]
    if policy.zeros_shown or not by:
        return groups, cells
    # That a group is listed says that somebody is in it: where zeros may not be said, a level with nothing to show goes.
    levels = [
        {group[column] for group, cell in zip(groups, cells, strict=True) if isinstance(cell, Value)}
        for column in range(len(by))
    ]
    stays = [all(level in shown for level, shown in zip(group, levels, strict=True)) for group in groups]
    return (
        [group for group, stay in zip(groups, stays, strict=True) if stay],
        [cell for cell, stay in zip(cells, stays, strict=True) if stay],
    )


def _grid(by: Sequence[str], groups: Iterable[Group]) -> list[Group]:
    """Every combination of the levels there are, so that an empty group is a zero and not a gap."""
    there = sorted(groups)
    levels = [sorted({group[column] for group in there}) for column in range(len(by))]
    return list(product(*levels)) if math.prod(map(len, levels)) <= LARGEST_GRID else there


def _margins(
    by: Sequence[str],
    groups: Sequence[Group],
    counts: Sequence[int],
    unknown: set[int],
    exactly: int | None,
    policy: Policy,
) -> list[Margin]:
    """What the same question with fewer columns would say about sums of these cells."""
    people = [i for i, name in enumerate(by) if name not in ONE_PERSON_MANY_GROUPS]
    margins = []
    for dropped in (chosen for size in range(1, len(people) + 1) for chosen in combinations(people, size)):
        sums: dict[Group, list[int]] = {}
        for i, group in enumerate(groups):
            if i not in unknown:
                sums.setdefault(tuple(part for place, part in enumerate(group) if place not in dropped), []).append(i)
        for cells in sums.values():
            low, high = _known(sum(counts[i] for i in cells), policy)
            if len(dropped) == len(by) and exactly is not None:
                low, high = exactly, exactly
            margins.append(Margin(tuple(cells), low, high))
    return margins


def _known(count: int, policy: Policy) -> tuple[int, int]:
    """What showing or hiding `count` would tell."""
    if policy.hides(count):
        return (1 if policy.zeros_shown else 0), policy.least - 1
    low, high = policy.meaning(policy.rounded(count))
    return max(low, policy.least) if count else low, high


def _about(
    cells: Sequence[Cell], policy: Policy, zero: str, kept_back: Collection[Group], groups: Sequence[Group]
) -> list[str]:
    notes = []
    if any(isinstance(cell, Zero) for cell in cells):
        notes.append(f"A 0 is a true zero: {zero}.")
    if not policy.zeros_shown:
        notes.append("Groups too small to show and groups of nobody look alike here, or are not listed.")
    partly = [
        ", ".join(group)
        for group, cell in zip(groups, cells, strict=True)
        if group in kept_back and isinstance(cell, Value)
    ]
    if partly:
        notes.append(f"Too low, because some sites may not add small counts: {'; '.join(partly)}.")
    return notes


# -- Allele frequencies -----------------------------------------------------------------------------------------------


def _frequencies(estimate: Frequencies, policy: Policy, kept_back: Collection[Group]) -> Written:
    # The limit is taken from the rounded cohort: being refused must not tell its exact size.
    cohort = 0 if policy.hides(estimate.people) else policy.rounded(estimate.people)
    if len(estimate.rows) * policy.people_per_variant > cohort:
        raise NotSafe(
            "releasing allele frequencies",
            f"{len(estimate.rows)} alleles are too many for this cohort: such a list can show who is in it",
            f"ask about fewer variants, at most one for every {policy.people_per_variant} people, or about more people",
        )
    withheld = {group[0] for group in kept_back}
    shown: list[tuple[Cell, ...]] = []
    hidden: list[tuple[Cell, ...]] = []
    rounded_away: list[int] = []  # decimals of each frequency that is shown as 0
    for row in estimate.rows:
        small = row.carriers < policy.af_carriers or policy.hides(row.carriers, row.people)
        nobody = row.carriers == 0 and policy.zeros_shown and row.variant not in withheld
        decimals = 0 if small else _decimals(row, policy)
        if nobody and not row.called:
            uncalled = NotRun("nobody's genotype is known there")
            shown.append((Value(row.variant), Value(row.gene), uncalled, uncalled))
        elif nobody:
            shown.append((Value(row.variant), Value(row.gene), Zero(), Zero()))
        elif not decimals:
            hidden.append((Value(row.variant), Value(row.gene), *[Suppressed(_too_rare(policy))] * 2))
        else:
            frequency = round(row.alternate / row.called, decimals)
            rounded_away += [] if frequency else [decimals]
            shown.append((Value(row.variant), Value(row.gene), Value(policy.rounded(row.carriers)), Value(frequency)))
    notes = [f"Frequencies have at most {policy.af_decimals} decimals, fewer where one more would say too much."]
    if rounded_away:
        notes.append(f"A frequency of 0 beside carriers means at most {0.5 / 10 ** min(rounded_away):g}.")
    partly = sorted(withheld & {row.variant for row in estimate.rows})
    if partly:
        notes.append(f"Without the sites that may not add small counts: {', '.join(partly)}.")
    return Table(("variant", "gene", "carriers", "allele frequency"), (*shown, *hidden)), notes


def _decimals(row: FrequencyRow, policy: Policy) -> int:
    """As many as leave the numbers of alleles and of carriers as open as rounding does; 0 when even one says too much.

    A person has one or two copies, so an interval of alleles is also one of carriers.
    """
    least, most = policy.meaning(policy.rounded(row.carriers))
    for decimals in range(policy.af_decimals, 0, -1):
        frequency, half = round(row.alternate / row.called, decimals), 0.5 / 10**decimals
        low, high = math.ceil((frequency - half) * row.called), math.floor((frequency + half) * row.called)
        low += round(low / row.called, decimals) != frequency  # exactly between two decimals, it may belong to either
        high -= round(high / row.called, decimals) != frequency
        if high - low + 1 >= policy.round_to and low / 2 <= max(least, policy.least) and high >= most:
            return decimals
    return 0


def _too_rare(policy: Policy) -> str:
    return f"fewer than {max(policy.af_carriers, policy.least)} carriers, or all but few carry it, or too few people were asked"


# -- Burden -----------------------------------------------------------------------------------------------------------

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


def _burden(
    estimate: Burden, policy: Policy, population: int | None, question: Mapping[str, Any], kept_back: Collection[Group]
) -> Written:
    withheld = {group[0] for group in kept_back if len(group) == 1}
    alternative = str(question.get("alternative", "two-sided"))
    counts = {row.gene: _four(row, policy, population, row.gene in withheld) for row in estimate.rows}
    whole = {gene: cells for gene, cells in counts.items() if not any(isinstance(cell, Suppressed) for cell in cells)}
    folded = {gene for gene, cells in counts.items() if all(isinstance(cells[i], Suppressed) for i in (0, 2))}
    folded |= withheld - set(counts)

    tested = {gene: table for gene, cells in whole.items() if any((table := _numbers(cells))[::2])}
    p = {gene: fisher(*table, alternative) for gene, table in tested.items()}
    # Genes that cannot be shown were tested too: leaving them out of q would make the rest look better than it is.
    unseen = len(withheld | set(counts)) - len(whole)
    q = dict(zip(p, benjamini_hochberg([*p.values(), *[1.0] * unseen]), strict=False))

    first = sorted(whole, key=lambda gene: (p.get(gene, 1.0), gene not in p, gene))
    rest = sorted(gene for gene in counts if gene not in whole and gene not in folded)
    rows = []
    for gene in (*first, *rest):
        if gene in tested:
            derived = [Value(_figures(x)) for x in (*woolf(*tested[gene]), p[gene], q[gene])]
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
        _cell(row.case_carriers, row.cases, policy),
        _cell(row.cases, population, policy),
        _cell(row.control_carriers, row.controls, policy),
        _cell(row.controls, population, policy),
    )


def _numbers(cells: Sequence[Cell]) -> tuple[int, int, int, int]:
    """The fourfold table of the rounded counts; rounding must not make more people carry than there are."""
    a, n1, b, n0 = map(_number, cells)
    return min(a, n1), n1, min(b, n0), n0


def _figures(x: float) -> float:
    """Two significant figures: more would pretend to know the counts better than rounding lets them be known."""
    return float(f"{x:.2g}")


# -- One cell ---------------------------------------------------------------------------------------------------------


def _cell(people: int, whole: int | None, policy: Policy) -> Cell:
    return Suppressed(policy.rule) if policy.hides(people, whole) else _shown(people, policy)


def _shown(people: int, policy: Policy) -> Cell:
    return Value(policy.rounded(people)) if people else Zero()


def _number(cell: Cell) -> int:
    return cell.value if isinstance(cell, Value) and isinstance(cell.value, int) else 0
