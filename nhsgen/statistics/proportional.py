"""Does a hazard ratio hold at all times? The test of proportional hazards, as sums over sites.

Cox's model says that carriers die so many times faster, early and late. Here each term may also change with time, as
beta + theta g(t), and the score test asks whether theta is 0 (Grambsch and Therneau, Biometrika 1994; as R's cox.zph since
survival 3.0, in which terms may be correlated). Schoenfeld's residuals of a moment are its part of the score, so what a site
sends is its score and its information again, each moment weighted by g and by its square: one round more.

    held = total(summarise(people, beta, g) for people in sites)
    tests(held, used)

g: one number for each step of a grid that all sites know. `dying` makes R's choice of it: the share who had died when a step began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from nhsgen.errors import BadInput
from nhsgen.statistics import cox
from nhsgen.statistics.sums import Floats, Sums
from nhsgen.statistics.survival import Grid

__all__ = ["Drift", "Shape", "dying", "from_risk_sets", "summarise", "tests"]

Flags = npt.NDArray[np.bool_]

_NOTHING = 1e-9
"""When less than this share of a term's information about theta is left, all deaths were at one time, or might as well have been."""


@dataclass(frozen=True, eq=False)
class Shape:
    """How effects might change: g, a number a step of `grid`."""

    grid: Grid
    values: Floats

    def __post_init__(self) -> None:
        if len(self.values) != len(self.grid.starts):
            raise BadInput("testing proportional hazards", "there is not one number a step", "give g for every step")

    def at(self, times: Floats) -> Floats:
        """g when somebody leaves; before the first step as in it."""
        steps = np.searchsorted(self.grid.starts, times, side="right") - 1
        return np.asarray(self.values, dtype=np.float64)[np.maximum(steps, 0)]


@dataclass(frozen=True)
class Drift:
    """Of one term, or of all together (df of them): chi-square and p; nan where nothing can be said."""

    statistic: float
    df: int
    p: float


def dying(tables: Sums, grid: Grid) -> Shape:
    """The share who had died when each step began, by the total of `survival.summarise` over all groups and sites."""
    at_risk, deaths = tables["at_risk"].sum(axis=0), tables["deaths"].sum(axis=0)
    lives = np.cumprod(1 - deaths / np.maximum(at_risk, 1))
    return Shape(grid, 1 - np.append(1.0, lives)[: len(lives)])


def summarise(people: cox.People, beta: Floats, shape: Shape) -> Sums:
    """One site's part, at the settled beta. information, weighted by g (mixed) and by its square (drift): terms x terms; score, by g."""
    _, _, information = cox.added_up(people, beta, np.ones_like)
    _, score, mixed = cox.added_up(people, beta, shape.at)
    _, _, drift = cox.added_up(people, beta, lambda leave: shape.at(leave) ** 2)
    return Sums.of(score=score, information=information, mixed=mixed, drift=drift)


def from_risk_sets(total: Sums, dead_x: Floats, shape: Shape) -> Sums:
    """The same of the model without strata, from the total of risk sets at the settled beta; dead_x: steps x terms, summed over the dead."""
    g, terms = shape.values, dead_x.shape[1]
    _, _, information = cox.weighted_risk_sets(total, np.ones_like(g), terms)
    _, score, mixed = cox.weighted_risk_sets(total, g, terms)
    _, _, drift = cox.weighted_risk_sets(total, g**2, terms)
    return Sums.of(score=score + g @ dead_x, information=information, mixed=mixed, drift=drift)


def tests(total: Sums, used: Sequence[bool] | Flags) -> tuple[tuple[Drift, ...], Drift]:
    """Of each term, the others held proportional, and of all; used: the terms that have an estimate."""
    kept = np.flatnonzero(used)
    score = total["score"][kept]
    information, mixed, drift = (total[name][np.ix_(kept, kept)] for name in ("information", "mixed", "drift"))
    per = np.sqrt(np.diag(information))  # years and alleles differ by thousands
    score, information, mixed, drift = score / per, *(each / np.outer(per, per) for each in (information, mixed, drift))
    left = drift - mixed @ np.linalg.solve(information, mixed) if kept.size else drift
    own = np.diag(left)
    sure = own > _NOTHING * np.diag(drift)
    each = [Drift(nan, 0, nan)] * len(total["score"])
    for place, term in enumerate(kept):
        if sure[place]:
            each[term] = _drift(float(score[place] ** 2 / own[place]), 1)
    block = np.ix_(sure, sure)
    together = float(score[sure] @ np.linalg.pinv(left[block], hermitian=True) @ score[sure])
    df = int(np.linalg.matrix_rank(left[block], hermitian=True)) if sure.any() else 0
    return tuple(each), _drift(together, df) if df else Drift(nan, 0, nan)


def _drift(statistic: float, df: int) -> Drift:
    return Drift(statistic, df, float(chdtrc(df, statistic)))
