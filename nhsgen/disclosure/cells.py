"""What every writer of a table needs: what was asked under which rules, and how one number becomes a cell."""

import math
from collections.abc import Collection, Mapping
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
    "count",
    "enough",
    "figures",
    "further",
    "number",
    "shown",
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
    groups = [people] if cases is None else [cases, people - cases]
    if any(not group or policy.hides(group) for group in groups):
        raise NotSafe("releasing an analysis", policy.rule, "ask about more people, or ask more sites")


def further(hidden: int, what: str, policy: Policy, who: str = "people") -> list[str]:
    """That so many rows are not shown, where that may be said."""
    if not hidden or not policy.zeros_shown:
        return []
    return [f"{hidden:,} further {what}{'' if hidden == 1 else 's'}: too few {who} to show."]
