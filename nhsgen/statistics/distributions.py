"""How numbers of people are spread, group by group: counted on a fixed, public scale, which is all that leaves a site.

grid = Grid(-3.0, 3.0)                                       fixed before anybody is asked (`polygenic.expected`, say)
total = summarise(values, groups, names, grid)               at each site, added up
estimate(total, names, grid)                                 mean, sd, median and steps by group
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput, BadStudy
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["Distribution", "Grid", "Group", "estimate", "summarise"]


@dataclass(frozen=True)
class Grid:
    """A fixed, public scale in `bins` equal steps from low to high. A number beyond an end counts as that end, so that nobody
    can change a sum by more than a step of the scale's half width."""

    low: float
    high: float
    bins: int = 40

    def __post_init__(self) -> None:
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high and 1 <= self.bins <= 1000):
            raise BadStudy(
                "fixing a scale", "it is empty, or has too many steps", "give low < high, and 1 to 1,000 steps"
            )

    @property
    def edges(self) -> Floats:
        return np.linspace(self.low, self.high, self.bins + 1)


def summarise(values: npt.ArrayLike, groups: Sequence[str], names: Sequence[str], grid: Grid) -> Sums:
    """One site's people by group: how many, sums and sums of squares of where they are on the scale (-1..1), and how many on each step.

    values: one a person, nan for nobody to count. groups: of each person; one of `names`, which every site is given alike.
    Sends people, sum, squares (groups) and steps (groups x bins); one person changes each number by at most 1.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(groups) != len(numbers) or not set(groups) <= set(names):
        raise BadInput("summing up by group", "somebody has no group, or another than was asked for", "name all groups")
    counted = ~np.isnan(numbers)
    places = {name: n for n, name in enumerate(names)}
    group = np.array([places[name] for name in groups], dtype=np.int64)[counted]
    half = (grid.high - grid.low) / 2.0
    scaled = np.clip((numbers[counted] - grid.low - half) / half, -1.0, 1.0)
    step = np.minimum(((scaled + 1.0) / 2.0 * grid.bins).astype(np.int64), grid.bins - 1)
    n = len(names)
    return Sums.of(
        people=np.bincount(group, minlength=n),
        sum=np.bincount(group, scaled, minlength=n),
        squares=np.bincount(group, scaled**2, minlength=n),
        steps=np.bincount(group * grid.bins + step, minlength=n * grid.bins).reshape(n, grid.bins),
    )


@dataclass(frozen=True)
class Group:
    """mean, sd (n - 1) and median (to half a step) on the values' own scale, nan where reason says why; steps: people on each."""

    name: str
    people: int
    mean: float
    sd: float
    median: float
    steps: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True)
class Distribution:
    groups: tuple[Group, ...]
    edges: tuple[float, ...]

    def auc(self, cases: str, controls: str) -> float:
        """The chance that a case is higher than a control, those on one step counting half (Hanley and McNeil, Radiology 1982); nan
        without either.

        >>> grid = Grid(0.0, 4.0, 4)
        >>> sums = summarise([0.5, 2.5, 1.5, 3.5], ["control", "control", "case", "case"], ["case", "control"], grid)
        >>> estimate(sums, ["case", "control"], grid).auc("case", "control")
        0.75
        """
        steps = {group.name: np.array(group.steps, dtype=np.float64) for group in self.groups}
        above, below = steps[cases], steps[controls]
        pairs = above.sum() * below.sum()
        won = above @ (np.cumsum(below) - below / 2.0)
        return float(won / pairs) if pairs else nan


def estimate(total: Sums, names: Sequence[str], grid: Grid) -> Distribution:
    """How the values of each group are spread; the groups and scale are those of `summarise`."""
    return Distribution(tuple(_group(total, n, name, grid) for n, name in enumerate(names)), tuple(grid.edges.tolist()))


def _group(total: Sums, n: int, name: str, grid: Grid) -> Group:
    people, steps = round(float(total["people"][n])), tuple(round(x) for x in total["steps"][n].tolist())
    if not people:
        return Group(name, 0, nan, nan, nan, steps, "nobody")
    half = (grid.high - grid.low) / 2.0
    mean = float(total["sum"][n]) / people
    spread = float(total["squares"][n]) - people * mean**2
    sd = half * max(spread, 0.0) ** 0.5 / (people - 1) ** 0.5 if people > 1 else nan
    middle = int(np.searchsorted(np.cumsum(steps), people / 2.0))
    median = float(grid.edges[middle] + grid.edges[middle + 1]) / 2.0
    return Group(name, people, grid.low + half * (1.0 + mean), sd, median, steps, "" if people > 1 else "one person")
