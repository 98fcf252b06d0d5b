"""What an analysis found of how long people live, or stay free of an event."""

from dataclasses import dataclass
from math import nan

__all__ = ["Hazard", "Hazards", "Survival", "SurvivalGroup"]


@dataclass(frozen=True)
class SurvivalGroup:
    """One group on the common grid: people at risk when each step begins, deaths in it."""

    group: str
    at_risk: tuple[int, ...]
    deaths: tuple[int, ...]


@dataclass(frozen=True)
class Hazard:
    """A ratio of hazards with its 95 % interval; reason: why there is none, or "".

    proportional_p: whether it holds at all times (nan: not tested). sides: of each group on whom it rests, how many people there
    are and how many of them died.
    """

    term: str
    ratio: float
    low: float
    high: float
    p: float
    reason: str = ""
    proportional_p: float = nan
    sides: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Hazards:
    """Terms of one Cox model, of `people` of whom `ended` died (or came to the end that was asked about)."""

    rows: tuple[Hazard, ...]
    people: int
    ended: int


@dataclass(frozen=True)
class Survival:
    """starts: when each step of the grid begins, in months; hazards: from a Cox model stratified by site; log_rank_p: of the
    log-rank test stratified by site, None when nothing can be compared. late: people come under observation as time goes on."""

    starts: tuple[int, ...]
    groups: tuple[SurvivalGroup, ...]
    hazards: tuple[Hazard, ...]
    log_rank_p: float | None
    late: bool = False
