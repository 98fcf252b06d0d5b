"""What may be shown of people by group: counts, and carriers of a cohort."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product

from nhsgen.disclosure.cells import ALL, Asked, Group, Written, count, shown, whole_number
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.estimates import Carriers, Counts
from nhsgen.methods import SITE, VARIANT_GROUPS
from nhsgen.results import Cell, NotRun, Receipt, Suppressed, Table, Value, Zero

__all__ = ["carriers", "counts", "grouped", "known", "silent"]

ONE_PERSON_MANY_GROUPS = frozenset(VARIANT_GROUPS)
"""Columns over which people may not be added up."""

LARGEST_GRID = 2_000
"""Beyond this many groups, those without people are not written out."""


def counts(estimate: Counts, asked: Asked) -> Written:
    """A group a row, and a total of the rounded counts."""
    policy, population, whole, kept_back, receipt = (
        asked.policy,
        asked.population,
        asked.whole,
        asked.kept_back,
        asked.receipt,
    )
    everybody = sum(estimate.cells.values())
    exactly = everybody if everybody == population else None
    groups, cells = grouped(estimate.by, estimate.cells, whole, exactly, policy, kept_back, estimate.of)
    rows: list[tuple[Cell, ...]] = [(*map(Value, group), cell) for group, cell in zip(groups, cells, strict=True)]
    notes = _about(cells, policy, "there is nobody in that group", kept_back, groups)
    if estimate.by and len(rows) > 1:
        total = sum(whole_number(cell) for cell in cells)
        hidden = any(isinstance(cell, Suppressed) for cell in cells) or not policy.zeros_shown
        if total and not policy.hides(everybody, whole):
            rows.append((*[Value(ALL)] * len(estimate.by), Value(total)))
            notes.append(f"'{ALL}' adds up the rounded counts{' that are shown' if hidden else ''}.")
    return Table((*estimate.by, "people"), (*rows, *silent(estimate.by, 1, receipt))), notes


def carriers(estimate: Carriers, asked: Asked) -> Written:
    """A group a row, of the whole cohort."""
    policy, kept_back, receipt, silenced = asked.policy, asked.kept_back, asked.receipt, asked.silenced
    found = dict(estimate.cells)
    if SITE in estimate.by and not silenced:  # a site that lists nobody was asked, and has nobody
        place = estimate.by.index(SITE)
        for group, (site, _) in product(estimate.cells, receipt.answered):
            found.setdefault((*group[:place], site, *group[place + 1 :]), 0)
    groups, cells = grouped(estimate.by, found, estimate.people, None, policy, kept_back)
    nobody_left = silenced and not estimate.people
    cohort = Suppressed(policy.rule) if nobody_left else count(estimate.people, asked.whole, policy)
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
    return Table((*estimate.by, "carriers", "of"), (*rows, *silent(estimate.by, 2, receipt))), notes


def silent(by: Sequence[str], numbers: int, receipt: Receipt) -> list[tuple[Cell, ...]]:
    """Where a table is by site, a site that did not answer has a row that says why: it is not a zero."""
    if SITE not in by:
        return []
    return [
        (*[Value(site if name == SITE else ALL) for name in by], *[NotRun(why)] * numbers)
        for site, why in receipt.silent
    ]


def grouped(
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
    cells: list[Cell] = [Suppressed(policy.rule) if i in gone else shown(n, policy) for i, n in enumerate(numbers)]
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
            low, high = known(sum(counts[i] for i in cells), policy)
            if len(dropped) == len(by) and exactly is not None:
                low, high = exactly, exactly
            margins.append(Margin(tuple(cells), low, high))
    return margins


def known(count: int, policy: Policy) -> tuple[int, int]:
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
