"""What every writer of a table needs: what was asked under which rules, and how one number becomes a cell."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nhsgen.disclosure.policies import Policy
from nhsgen.errors import NotSafe
from nhsgen.results import Cell, NotRun, Receipt, Suppressed, Table, Value, Zero

__all__ = [
    "ALL",
    "BACKGROUND",
    "SEPARATOR",
    "Asked",
    "Group",
    "Written",
    "among",
    "count",
    "enough",
    "figures",
    "further",
    "number",
    "shown",
    "too_few",
    "whole_number",
]

ALL = "all"
SEPARATOR, BACKGROUND = "\x1f", "\x1e"
"""As a summary's labels have them: between parts, and the row of everybody."""

Group: TypeAlias = tuple[str, ...]
Written: TypeAlias = tuple[Table, list[str]]


@dataclass(frozen=True)
class Asked:
    """What a writer may need beside the estimate.

    population: how many people could have been counted. whole: the same, or None when to be left out says nothing.
    kept_back: groups that sites with small counts did not add; silenced: whether such a site said nothing at all.
    """

    policy: Policy
    question: Mapping[str, Any]
    receipt: Receipt
    population: int | None = None
    whole: int | None = None
    kept_back: Collection[Group] = field(default_factory=set)
    silenced: bool = False


def count(people: int, whole: int | None, policy: Policy) -> Cell:
    """The rounded number, or that it is suppressed."""
    return Suppressed(policy.rule) if policy.hides(people, whole) else shown(people, policy)


def shown(people: int, policy: Policy) -> Cell:
    """The rounded number of a group that may be shown."""
    return Value(policy.rounded(people)) if people else Zero()


def whole_number(cell: Cell) -> int:
    """What a cell counts; 0 when it does not say."""
    return cell.value if isinstance(cell, Value) and isinstance(cell.value, int) else 0


def number(x: float, digits: int, reason: str = "") -> Cell:
    """An estimate with few significant figures, or why there is none."""
    return Value(figures(x, digits)) if math.isfinite(x) else NotRun(reason or "the test has no answer")


def figures(x: float, digits: int = 2) -> float:
    """So many significant figures. Of what is derived from rounded counts, two: more would pretend to know the counts better than
    rounding lets them be known."""
    return float(f"{x:.{digits}g}")


def enough(people: int, cases: int | None, policy: Policy) -> None:
    """NotSafe when the people, the cases or the controls are too few for anything to be said."""
    if too_few([people] if cases is None else [cases, people - cases], policy):
        raise NotSafe("releasing an analysis", policy.rule, "ask about more people, or ask more sites")


def too_few(groups: Iterable[int], policy: Policy) -> bool:
    """Whether one of these groups is nobody, or too small for anything to be said of it."""
    return any(not group or policy.hides(group) for group in groups)


def among(first: int) -> str:
    """How it is said that something is among the first so many."""
    return "the first" if first == 1 else f"one of the first {first}"


def further(hidden: int, what: str, policy: Policy, who: str = "people") -> list[str]:
    """That so many rows are not shown, where that may be said."""
    if not hidden or not policy.zeros_shown:
        return []
    return [f"{hidden:,} further {what}{'' if hidden == 1 else 's'}: too few {who} to show."]
