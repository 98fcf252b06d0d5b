"""Can a hidden cell be worked out from what is shown? An audit of linked tables by integer programming, and its remedy.

The attacker of this audit knows the rules, every number shown, and for free the margins: the same question with fewer columns
would give them, rounded. They also know which hidden cells are small and which only protect them, which is more than the table
tells. A cell is safe when, for all they know, it can still be as many different counts as the rules leave open.

(The textbook demand, a range twice the threshold, is for an attacker who does not know the rule. Ours reads "fewer than 8
people" beside the cell, so no range of theirs is wider than 1 to 7 to begin with.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe

__all__ = ["Margin", "protect", "ranges"]

Range = tuple[int, int]
MOST_LINKED = 500  # a three-way table of that size is checked in seconds, one twice as large in minutes


@dataclass(frozen=True)
class Margin:
    """The cells with these numbers add up to something from `low` to `high`."""

    cells: tuple[int, ...]
    low: int
    high: int


def ranges(
    bounds: Mapping[int, Range], margins: Sequence[Margin], wanted: Iterable[int], enough: int | None = None
) -> dict[int, Range]:
    """The smallest and the largest count each wanted cell can be, given bounds of all cells and what some of them add up to.

    enough: stop looking at a cell once it is known to take this many counts; its range is then an inner one.

    >>> row = Margin((0, 1, 2), 38, 38)
    >>> ranges({0: (0, 99), 1: (20, 20), 2: (15, 15)}, [row], [0])
    {0: (3, 3)}
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415  (half a second, and only tables with hidden cells need it)

    sought = sorted(wanted)
    linked = sorted({cell for margin in margins for cell in margin.cells})
    place = {cell: i for i, cell in enumerate(linked)}
    found = {cell: bounds[cell] for cell in sought if cell not in place}
    sought = [cell for cell in sought if cell in place]
    if not sought:
        return found
    rows = np.zeros((len(margins), len(linked)))
    for i, margin in enumerate(margins):
        rows[i, [place[cell] for cell in margin.cells]] = 1
    adds_up = LinearConstraint(rows, [m.low for m in margins], [m.high for m in margins])
    within = Bounds([bounds[cell][0] for cell in linked], [bounds[cell][1] for cell in linked])

    seen: dict[int, Range] = {}

    def extreme(direction: Iterable[tuple[int, float]]) -> None:
        aim = np.zeros(len(linked))
        for cell, sign in direction:
            aim[place[cell]] = sign
        answer = milp(aim, integrality=np.ones(len(linked)), bounds=within, constraints=adds_up)
        if answer.x is None:
            raise ValueError("no counts fit what is shown")
        # One solution says something about every cell: most cells are known to be safe without a search of their own.
        for cell in sought:
            value = round(answer.x[place[cell]])
            low, high = seen.get(cell, (value, value))
            seen[cell] = min(low, value), max(high, value)

    def open_enough(cell: int) -> bool:
        return enough is not None and cell in seen and seen[cell][1] - seen[cell][0] + 1 >= enough

    if enough is not None:
        extreme([(cell, 1) for cell in sought])
        extreme([(cell, -1) for cell in sought])
    for cell in sought:
        for sign in (1.0, -1.0):
            if not open_enough(cell):
                extreme([(cell, sign)])
    return found | {cell: seen[cell] for cell in sought}


def protect(counts: Sequence[int], hidden: Iterable[int], margins: Sequence[Margin], policy: Policy) -> frozenset[int]:
    """Which cells must be hidden: those of `hidden`, and as many more as it takes; at worst all that are not zero.

    counts: the true counts. hidden: those the thresholds hide. margins: what the attacker knows of their sums.
    The smallest cell of the tightest margin goes first. NotSafe when so many cells hang together that no audit would end.
    """
    small = frozenset(hidden)
    gone = set(small)
    for linked in _linked(margins):
        if not small.isdisjoint(cell for margin in linked for cell in margin.cells):
            gone |= _protect_linked(counts, small, linked, policy)
    return frozenset(gone)


def _linked(margins: Sequence[Margin]) -> list[list[Margin]]:
    """The margins in sets that share cells: the groups of one gene say nothing about those of another."""
    sets: list[tuple[set[int], list[Margin]]] = []
    for margin in margins:
        touching = [linked for linked in sets if not linked[0].isdisjoint(margin.cells)]
        sets = [linked for linked in sets if linked[0].isdisjoint(margin.cells)]
        cells = set(margin.cells).union(*(linked[0] for linked in touching))
        sets.append((cells, [*(each for linked in touching for each in linked[1]), margin]))
    return [linked for _, linked in sets]


def _protect_linked(
    counts: Sequence[int], small: frozenset[int], margins: Sequence[Margin], policy: Policy
) -> set[int]:
    cells = sorted({cell for margin in margins for cell in margin.cells})
    if len(cells) > MOST_LINKED:
        raise NotSafe(
            "checking a table for cells that can be worked out",
            f"{len(cells)} groups hang together by their totals, which is too many to check",
            "split by fewer columns, or by coarser ones",
        )
    gone = set(small.intersection(cells))
    while True:
        bounds = {cell: _bounds(cell, counts, small, gone, margins, policy) for cell in cells}
        spans = ranges(bounds, margins, gone, policy.open_counts)
        bare = [cell for cell, (low, high) in spans.items() if high - low + 1 < policy.open_counts]
        further = {_helper(cell, counts, gone, bounds, margins) for cell in bare} - {None}
        if not further:
            return gone
        gone |= {cell for cell in further if cell is not None}


def _bounds(
    cell: int, counts: Sequence[int], small: frozenset[int], gone: set[int], margins: Sequence[Margin], policy: Policy
) -> Range:
    """What the attacker knows about one cell before adding anything up."""
    if cell not in gone:
        low, high = policy.meaning(policy.rounded(counts[cell])) if counts[cell] else (0, 0)
        return (max(low, policy.least) if counts[cell] else low), high
    least = 1 if policy.zeros_shown else 0
    if cell in small and counts[cell] < policy.least:
        return least, policy.least - 1
    return least, max([2 * counts[cell] + 2 * policy.least, *(m.high for m in margins if cell in m.cells)])


def _helper(
    cell: int, counts: Sequence[int], gone: set[int], bounds: Mapping[int, Range], margins: Sequence[Margin]
) -> int | None:
    """The cell to hide next for the sake of `cell`."""

    def slack(margin: Margin) -> int:
        others = [bounds[i] for i in margin.cells if i != cell]
        low, high = margin.low - sum(high for _, high in others), margin.high - sum(low for low, _ in others)
        return min(high, bounds[cell][1]) - max(low, bounds[cell][0])

    for margin in sorted((m for m in margins if cell in m.cells), key=slack):
        shown = [i for i in margin.cells if i not in gone and counts[i]]
        if shown:
            return min(shown, key=lambda i: (counts[i], i))
    everywhere = [i for i in bounds if i not in gone and counts[i]]
    return min(everywhere, key=lambda i: (counts[i], i), default=None)
