"""How long people live after a diagnosis, and whether groups differ: Kaplan-Meier curves and the log-rank test.

For a researcher who asks what became of carriers and of everybody else. Both follow from two tables of groups x steps: people at
risk when a step begins, and deaths in it. Tables of sites add up, so curves and tests are those of the pooled people.

    grid = Grid.every(3 * DAYS_A_MONTH, until=3652.5)      quarters, for release; Grid.of_deaths(...) inside one wall
    tables = total(summarise(*site, grid, group=carrier, groups=("yes", "no")) for site in sites)
    curves(tables, grid, ("yes", "no"))
    log_rank(differences(tables), ("yes", "no"))           pooled over sites
    log_rank(total(map(differences, tables_of_sites)), ("yes", "no"))         stratified by site

Time runs from an event (entry is None) or from elsewhere, such as birth: then `entry` is when somebody came under observation,
at diagnosis or consent, and nobody counts among those at risk before (left truncation).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, ndtri

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats, Sums

__all__ = [
    "DAYS_A_MONTH",
    "Curve",
    "Grid",
    "LogRank",
    "Observed",
    "curves",
    "differences",
    "log_rank",
    "observed",
    "summarise",
]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DAYS_A_MONTH = 365.25 / 12

_ROUNDING = 1e-9
"""A variance smaller than this share of the largest, or a survival so near to a half, is one that arithmetic left over."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The steps in which deaths are counted: fixed and public, the same at every site, in the unit of everybody's times.

    starts: ascending; a step lasts until the next one, the last until `end`, and nobody is observed beyond it.
    instants: steps are the moments of deaths, not stretches of time, and who enters at a moment is not yet at risk in it.
    """

    starts: Floats
    end: float = inf
    instants: bool = False

    def __post_init__(self) -> None:
        starts = np.array(self.starts, dtype=np.float64).ravel()
        if not (np.isfinite(starts).all() and (np.diff([*starts, self.end]) > 0).all()):
            raise _bad("the steps of time do not ascend", "give each a later start than the one before")
        starts.flags.writeable = False
        object.__setattr__(self, "starts", starts)

    @classmethod
    def every(cls, width: float, until: float, begin: float = 0.0) -> "Grid":
        """Steps of one width, such as months or quarters: the form in which counts may leave a site.

        >>> Grid.every(5, until=15).starts.tolist()
        [0.0, 5.0, 10.0]
        """
        if not 0 < width <= until - begin < inf:
            raise _bad("no step fits between the first and the last time", "give a smaller width or a later end")
        steps = int(np.ceil((until - begin) / width - _ROUNDING))
        return cls(begin + width * np.arange(steps, dtype=np.float64), until)

    @classmethod
    def of_deaths(cls, leave: npt.ArrayLike, died: npt.ArrayLike) -> "Grid":
        """The moment of each death of everybody: curves without rounding. It tells the days of deaths, so keep it inside one wall."""
        known = observed(leave, died)
        return cls(np.unique(known.leave[known.died]).astype(np.float64), instants=True)

    @property
    def times(self) -> Floats:
        """When the curve falls: at the moment of a death, or at the end of a step."""
        return self.starts if self.instants else np.append(self.starts[1:], self.end)

    def places(self, enter: Floats, leave: Floats) -> tuple[Ints, Ints]:
        """The first and the last step in which each person is at risk; none when first > last, as for who comes and goes in one step."""
        first = np.searchsorted(self.starts, enter, side="right" if self.instants else "left")
        return first.astype(np.int64), np.searchsorted(self.starts, leave, side="right").astype(np.int64) - 1

    def followed(self, known: "Observed") -> tuple[Ints, Ints, Flags]:
        """`places`, and who dies in the last of them. BadInput when a death falls between the moments."""
        first, last = self.places(known.enter, known.leave)
        dead = known.died & (first <= last) & (known.leave < self.end)
        if self.instants and (known.leave[dead] > self.starts[last[dead]]).any():
            raise _bad("a death falls between the moments of the grid", "make the grid from the deaths of everybody")
        return first, last, dead


@dataclass(frozen=True, eq=False)
class Observed:
    """People of whom everything needed is known. who: their places in what was given; left_out: how many are not here."""

    who: Ints
    enter: Floats
    leave: Floats
    died: Flags
    left_out: int


@dataclass(frozen=True, eq=False)
class Curve:
    """A group's survival, one number a step, from just after `times`.

    at_risk, deaths: people. se: Greenwood's. low, high: 95 %, on the log-log scale; the curve itself where it is 1 or 0.
    median: the first time at which half have died, and when `low` and `high` fall to a half; inf when they do not.
    reason: "", "nobody", "no deaths", "median not reached" or "all at risk died before others entered": a few early deaths have
    taken the curve to 0, where it stays.
    """

    group: str
    people: int
    times: Floats
    at_risk: Ints
    deaths: Ints
    survival: Floats
    se: Floats
    low: Floats
    high: Floats
    median: float
    median_low: float
    median_high: float
    reason: str

    def at(self, time: float) -> float:
        """The share that live beyond a time; nan in a group of nobody."""
        if self.reason == "nobody":
            return nan
        return float(np.append(1.0, self.survival)[np.searchsorted(self.times, time, side="right")])


@dataclass(frozen=True, eq=False)
class LogRank:
    """Deaths by group against those expected if all died at the same rate. reason: "" or "no deaths", "one group"; p is then nan."""

    groups: tuple[str, ...]
    observed: Floats
    expected: Floats
    statistic: float
    df: int
    p: float
    reason: str


def summarise(
    leave: npt.ArrayLike,
    died: npt.ArrayLike,
    grid: Grid,
    *,
    entry: npt.ArrayLike | None = None,
    group: Sequence[str | None] | npt.NDArray[np.str_] | None = None,
    groups: Sequence[str] = ("",),
) -> Sums:
    """One site's tables: at_risk and deaths, groups x steps; people and left_out, one number a group.

    leave: when somebody died or was last seen, one number a person. died: which of the two, 1 or 0. entry: when observation began.
    group: one label a person; who is in none of `groups` is not counted. Without it all are in the first.
    left_out: a time or `died` is missing (nan), or nobody was observed: `leave` is negative or not after entry.
    One person changes at_risk by one in each step in which they are at risk, and one number each of deaths and people.
    BadInput for columns of different lengths and a `died` that is neither 0 nor 1.

    >>> tables = summarise([1, 4, 4, 7], [1, 0, 1, 0], Grid.every(3, until=9))
    >>> tables["at_risk"].tolist(), tables["deaths"].tolist()
    ([[4.0, 3.0, 1.0]], [[1.0, 1.0, 0.0]])
    """
    known = observed(leave, died, entry)
    number = {name: place for place, name in enumerate(groups)}
    labels = [*groups[:1]] * np.size(leave) if group is None else group
    if len(labels) != np.size(leave) or len(number) != len(groups):
        raise _bad("there is not one group a person, or a group comes twice", "give each person one of distinct groups")
    codes = np.array([number.get(str(name), -1) for name in labels], dtype=np.int64)
    kept, steps = codes[known.who], len(grid.starts)
    first, last, dead = grid.followed(known)
    in_group, at_risk = kept >= 0, (kept >= 0) & (first <= last)

    def table(rows: Flags, column: Ints) -> Ints:
        cells = np.bincount(kept[rows] * (steps + 1) + column[rows], minlength=len(groups) * (steps + 1))
        return cells.reshape(len(groups), steps + 1)

    people = np.bincount(kept[in_group], minlength=len(groups))
    return Sums.of(
        at_risk=np.cumsum(table(at_risk, first) - table(at_risk, last + 1), axis=1)[:, :steps],
        deaths=table(dead & in_group, last)[:, :steps],
        people=people,
        left_out=np.bincount(codes[codes >= 0], minlength=len(groups)) - people,
    )


def curves(total: Sums, grid: Grid, groups: Sequence[str] = ("",)) -> tuple[Curve, ...]:
    """Each group's curve (Kaplan and Meier, JASA 1958), by the tables of all sites together.

    >>> curve, = curves(summarise([1, 4, 4, 7], [1, 0, 1, 0], Grid.every(3, until=9)), Grid.every(3, until=9))
    >>> curve.survival.tolist(), curve.median
    ([0.75, 0.5, 0.5], 6.0)
    """
    counts = zip(groups, total["people"], total["at_risk"], total["deaths"], strict=True)
    return tuple(_curve(group, int(people), grid.times, *_whole(n, d)) for group, people, n, d in counts)


def _whole(*counts: Floats) -> tuple[Ints, ...]:
    return tuple(np.rint(count).astype(np.int64) for count in counts)


def _curve(group: str, people: int, times: Floats, at_risk: Ints, deaths: Ints) -> Curve:
    lives: Floats = np.cumprod(1 - deaths / np.maximum(at_risk, 1), dtype=np.float64)
    variance = _greenwood(at_risk, deaths)
    low, high = _log_log(lives, variance)
    median, median_low, median_high = (_half(times, curve) for curve in (lives, low, high))
    empty = np.flatnonzero(lives == 0)
    if not people:
        reason = "nobody"
    elif not deaths.any():
        reason = "no deaths"
    elif empty.size and at_risk[empty[0] + 1 :].any():
        reason = "all at risk died before others entered"
    else:
        reason = "" if median < inf else "median not reached"
    se = lives * np.sqrt(variance)
    return Curve(group, people, times, at_risk, deaths, lives, se, low, high, median, median_low, median_high, reason)


def _greenwood(at_risk: Ints, deaths: Ints) -> Floats:
    """The variance of log S after each step (Greenwood, 1926): the sum of d / n(n - d), where somebody is left."""
    left = at_risk - deaths
    return np.cumsum(np.divide(deaths, at_risk * left, out=np.zeros(len(deaths)), where=left > 0))


def _log_log(survival: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """95 % limits that stay between 0 and 1: symmetrical about log(-log S) (Kalbfleisch and Prentice, 1980)."""
    inside = (survival > 0) & (survival < 1)
    log = np.log(survival, out=np.full(len(survival), -1.0), where=inside)
    width = np.where(inside, float(ndtri(0.975)) * np.sqrt(variance) / -log, 0.0)
    return survival ** np.exp(width), survival ** np.exp(-width)


def _half(times: Floats, curve: Floats) -> float:
    """When a curve falls to a half (Brookmeyer and Crowley, Biometrics 1982, for its limits)."""
    reached = np.flatnonzero(curve <= 0.5 + _ROUNDING)
    return float(times[reached[0]]) if reached.size else inf


def differences(tables: Sums) -> Sums:
    """What the log-rank test sums: observed and expected deaths by group, and the variance of their difference (groups x groups).

    Of the total over sites: the pooled test. Taken at each site, and then added: the test stratified by site, for which a site
    sends these few numbers instead of its tables (Mantel, 1966; Peto and Peto, JRSS A 1972).
    """
    n_by, d_by = tables["at_risk"], tables["deaths"]
    n, d = n_by.sum(axis=0), d_by.sum(axis=0)
    share = n_by / np.maximum(n, 1)
    spread = d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag(share @ spread) - (share * spread) @ share.T
    return Sums.of(observed=d_by.sum(axis=1), expected=share @ d, variance=variance)


def log_rank(total: Sums, groups: Sequence[str]) -> LogRank:
    """Whether two or more groups die at different rates; `total` is what `differences` gave, of all sites.

    df: groups that can be compared, less one; a group in which nobody was at risk at a death does not count.
    """
    difference = total["observed"] - total["expected"]
    values, vectors = np.linalg.eigh(total["variance"])
    sure = values > max(_ROUNDING * values.max(initial=0.0), 1e-12)
    statistic = float(((vectors[:, sure].T @ difference) ** 2 / values[sure]).sum())
    df = int(sure.sum())
    reason = "no deaths" if not total["observed"].sum() else "one group" if not df else ""
    p = float(chdtrc(df, statistic)) if df else nan
    return LogRank(tuple(groups), total["observed"], total["expected"], statistic, df, p, reason)


def observed(leave: npt.ArrayLike, died: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Observed:
    """Who was observed, from when (minus infinity without `entry`) until when; arguments as for `summarise`."""
    until, dead = np.asarray(leave, dtype=np.float64), np.asarray(died, dtype=np.float64)
    since = np.full(until.shape, -inf) if entry is None else np.asarray(entry, dtype=np.float64)
    if until.ndim != 1 or not until.shape == dead.shape == since.shape:
        raise _bad("the columns are not of one length", "give one number a person in each")
    if not np.isin(dead[~np.isnan(dead)], (0, 1)).all():
        raise _bad("'died' holds something other than 0 and 1", "say of each person whether they died")
    kept = np.isfinite(until) & (until >= 0) & np.isfinite(dead) & (until > since)
    who = np.flatnonzero(kept)
    return Observed(who, since[kept], until[kept], dead[kept] == 1, len(kept) - len(who))


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("following people over time", found, do_next)
