"""Do rare variants of a gene, taken together, go with a trait? Burden, SKAT and SKAT-O, from sums that sites can add.

A researcher who finds no single rare variant strong enough asks by gene: the burden test when all variants should act in one
direction, SKAT when some may protect, SKAT-O when nobody knows. All need only the scores U = G'r and their covariance V, and both
are sums over people: round 1 is `masks.summarise`, round 2 `summarise` here, after a null model has been fitted to everybody.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

from nhsgen.cauchy import cauchy
from nhsgen.compute import mapped
from nhsgen.errors import BadInput
from nhsgen.estimates import GeneTestRow, GeneTests
from nhsgen.settings import Settings
from nhsgen.statistics.acat import acat_v
from nhsgen.statistics.masks import MISSING, Carried, Sets, beta_weights
from nhsgen.statistics.quadratic_forms import eigenvalues, quantile, tail_and_density, tridiagonal
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["RHOS", "Optimal", "Scores", "burden", "estimate", "scores", "skat", "skat_o", "summarise"]

Whole = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., object])

RHOS = (0.0, 0.01, 0.04, 0.09, 0.25, 0.5, 1.0)
"""Between SKAT and burden: those of the SKAT package, so that its published p are met."""

# Gauss and Legendre's nodes between 0 and 1, and how well the halves of a stretch must agree with the whole.
_NODES, _NODE_WEIGHTS = (np.polynomial.legendre.leggauss(12) + np.array([[1.0], [0.0]])) * 0.5
_SETTLED = 1e-9

# A variance that is this small a share of what the variants had before the covariates were taken out is none.
_NO_VARIANCE = 1e-9


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


# -- At a site ----------------------------------------------------------------------------------------------------------


def summarise(carried: Carried, sets: Sets, residuals: npt.ArrayLike, weights: npt.ArrayLike, x: npt.ArrayLike) -> Sums:
    """Round 2, one site's sums, with the fitted null model of all sites.

    carried: the people of the model only, in the order of the rows below. sets: what `masks.choose` said of the total.
    residuals: (people,) the slope of each person's log likelihood: y - p for a logistic model, (y - fitted) / sigma^2 for a
        linear one. weights: (people,) its curvature: p (1 - p), or 1 / sigma^2. x: (people, K) covariates, the intercept too.

    u, copies: (rows,) G'r and the copies of each row of the sets. gwx: (rows, K) G'WX. gwg: G'WG within each set, the upper
    triangle row by row, one set after the other. carriers: (sets,) distinct people with any. xwx: (K, K). people: ().
    """
    r, w, covariates = (np.ascontiguousarray(array, dtype=np.float64) for array in (residuals, weights, x))
    if covariates.ndim != 2 or not len(r) == len(w) == len(covariates) == carried.people:
        raise _bad("the model and the genotypes are about different numbers of people", "give the same people in each")
    if sets.mean.size != len(carried.starts) - 1:
        raise _bad("the sets are about other variants than the genotypes", "count and choose the same variants")
    sizes = sets.sizes
    u, copies, gwx = np.zeros(sizes.sum()), np.zeros(sizes.sum()), np.zeros((sizes.sum(), covariates.shape[1]))
    gwg, carriers = np.zeros((sizes * (sizes + 1) // 2).sum()), np.zeros(len(sizes))
    if carried.people:
        _add_up(carried.starts, carried.person, carried.copies, sets.rows, sets.members, sets.variants, sets.mean, sets.turned,
                r, w, covariates, u, copies, gwx, gwg, carriers)  # fmt: skip
    xwx = covariates.T @ (covariates * w[:, None])
    return Sums.of(u=u, copies=copies, gwx=gwx, gwg=gwg, carriers=carriers, xwx=xwx, people=carried.people)


@_compiled
def _fill(
    starts: Whole,
    person: Whole,
    copies: Whole,
    variants: Whole,
    mean: Floats,
    turned: Whole,
    most: Floats,
    holders: Whole,
) -> int:
    """Put each person's copies of a row into `most`, which is -1 for all, and list the `holders` of any; their number.

    A missing call counts as the mean where the row is one variant, and as none where several are one row.
    """
    found, alone = 0, len(variants) == 1
    for v in variants:
        at, end = starts[v], starts[v + 1]
        for k in range(len(most) if turned[v] else end - at):
            if turned[v]:
                p = k
                number = copies[at] if at < end and person[at] == p else 0
                at += at < end and person[at] == p
            else:
                p, number = person[at + k], copies[at + k]
            value = 2.0 - number if turned[v] else 1.0 * number
            if number == MISSING:
                value = mean[v] if alone else 0.0
            if value > 0.0:
                if most[p] < 0.0:
                    holders[found] = p
                    found += 1
                most[p] = max(most[p], value)
    return found


@_compiled
def _add_up(
    starts: Whole, person: Whole, copies: Whole, rows: Whole, members: Whole, variants: Whole, mean: Floats, turned: Whole,
    r: Floats, w: Floats, x: Floats, u: Floats, total: Floats, gwx: Floats, gwg: Floats, carriers: Floats,
) -> None:  # fmt: skip
    """The sums of `summarise`, each over the people who have something in the row: nobody else is looked at."""
    people = len(r)
    most, holders, seen = np.full(people, -1.0), np.empty(people, np.int32), np.full(people, -1, np.int64)
    cell = 0
    for s in range(len(rows) - 1):
        first, m, room = rows[s], rows[s + 1] - rows[s], 0
        for v in variants[members[first] : members[first + m]]:
            room += people if turned[v] else starts[v + 1] - starts[v]
        who, value, ends = np.empty(room, np.int32), np.empty(room), np.zeros(m + 1, np.int64)
        for a in range(m):
            row, end = first + a, ends[a]
            found = _fill(
                starts, person, copies, variants[members[row] : members[row + 1]], mean, turned, most, holders
            )
            for i in range(found):
                p = holders[i]
                g = most[p]
                most[p] = -1.0
                who[end], value[end] = p, g
                end += 1
                u[row] += g * r[p]
                total[row] += g
                for k in range(x.shape[1]):
                    gwx[row, k] += g * w[p] * x[p, k]
                if g >= 1.0 and seen[p] != s:
                    seen[p] = s
                    carriers[s] += 1.0
            ends[a + 1] = end
        for a in range(m):
            for i in range(ends[a], ends[a + 1]):
                most[who[i]] = value[i] * w[who[i]]
            for b in range(a, m):
                cell_sum = 0.0
                for i in range(ends[b], ends[b + 1]):
                    if most[who[i]] > 0.0:
                        cell_sum += value[i] * most[who[i]]
                gwg[cell] = cell_sum
                cell += 1
            for i in range(ends[a], ends[a + 1]):
                most[who[i]] = -1.0


# -- On the total -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Scores:
    """What the people of all sites say about one set.

    u: (m,) scores; v: (m, m) their covariance, the covariates taken out; copies, maf: (m,) of the rarer alleles.
    reason: why there is nothing to test, or "".
    """

    name: str
    u: Floats
    v: Floats
    copies: Floats
    maf: Floats
    variants: int
    carriers: int
    reason: str = ""

    def weighted(self, a: float = 1.0, b: float = 25.0) -> tuple[Floats, Floats]:
        """u and v with each variant weighing Beta(maf; a, b)."""
        w = beta_weights(self.maf, a, b)
        return self.u * w, self.v * np.outer(w, w)


def scores(total: Sums, sets: Sets) -> Iterator[Scores]:
    """Each set's scores, from the sum of `summarise` over the sites: V = G'WG - G'WX (X'WX)^-1 X'WG (Lee et al., AJHG 2013).

    A row whose variance the covariates explain says nothing: its u and v are 0. Covariates may be collinear.
    """
    root, people = _inverse_root(total["xwx"]), float(total["people"])
    explained = total["gwx"] @ root
    cells = np.concatenate([[0], np.cumsum(sets.sizes * (sets.sizes + 1) // 2)])
    for s, (name, variants) in enumerate(zip(sets.names, sets.variant_counts.tolist(), strict=True)):
        rows, m = slice(sets.rows[s], sets.rows[s + 1]), sets.sizes[s]
        v = np.zeros((m, m))
        v[np.triu_indices(m)] = total["gwg"][cells[s] : cells[s + 1]]
        v += np.triu(v, 1).T
        before = np.diag(v).copy()
        v -= explained[rows] @ explained[rows].T
        able = np.diag(v) > _NO_VARIANCE * before
        copies, u = total["copies"][rows], np.where(able, total["u"][rows], 0.0)
        v *= np.outer(able, able)
        reason = "" if able.any() else "covariates explain it" if copies.any() else "nobody carries any"
        maf = copies / (2.0 * people) if people else np.zeros(m)
        yield Scores(name, u, v, copies, maf, variants, int(total["carriers"][s]), reason if people else "nobody")


def _inverse_root(xwx: Floats) -> Floats:
    """L with LL' the inverse of X'WX on the space the covariates span, each covariate first brought to one scale."""
    scale = np.sqrt(np.diag(xwx))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(xwx / np.outer(scale, scale))
    kept = values > 1e-11 * max(1.0, values.max(initial=0.0))
    return cast(Floats, vectors[:, kept] / scale[:, None] / np.sqrt(values[kept]))


def estimate(
    total: Sums, sets: Sets, *, trait: str = "", cases: int | None = None, equal: bool = False, settings: Settings
) -> GeneTests:
    """Every test of every set, in the order of the sets, with weights Beta(maf; 1, 25), or Beta(maf; 1, 1) when they are to be equal.

    total: the sum of `summarise` over the sites. cases: how many of the people are; None for a measured trait.
    acat_o_p combines burden, SKAT and ACAT-V, each with either weights (Liu et al., AJHG 2019). p are nan where nothing could be
    tested, and `reason` says why.
    """
    rows = mapped(partial(_row, trait, (1.0, 25.0) if equal else (25.0, 1.0)), scores(total, sets), settings=settings)
    return GeneTests(tuple(rows), int(total["people"]), cases)


def _row(trait: str, weights: tuple[float, float], one: Scores) -> GeneTestRow:
    """weights: the b of Beta(maf; 1, b) that each test is told of with, and the other one that ACAT-O also asks."""
    p = [math.nan] * 5
    if not one.reason:
        optimal, other = skat_o(*one.weighted(b=weights[0])), one.weighted(b=weights[1])
        parts = [optimal.each[0], optimal.each[-1], skat(*other), burden(*other)]
        parts += [acat_v(one.u, one.v, one.copies, one.maf, b=b) for b in weights]
        together = cauchy([part for part in parts if not math.isnan(part)])
        p = [optimal.each[-1], optimal.each[0], optimal.p, together, parts[4]]
    return GeneTestRow(trait, one.name, one.variants, one.carriers, p[0], p[1], p[2], p[3], one.reason, acat_v_p=p[4])


# -- The tests ----------------------------------------------------------------------------------------------------------


def burden(u: Floats, v: Floats) -> float:
    """The p of the sum of the scores, a chi-square with one degree of freedom (Lee et al., AJHG 2014); nan without variance.

    u: (m,), v: (m, m), as `Scores.weighted` gives them; so too in `skat` and `skat_o`.
    """
    return skat_o(u, v, [1.0]).p


def skat(u: Floats, v: Floats) -> float:
    """The p of the sum of the squared scores, a mixture of chi-squares (Wu et al., AJHG 2011); nan without variance."""
    return skat_o(u, v, [0.0]).p


@dataclass(frozen=True)
class Optimal:
    """The p of SKAT-O and its natural logarithm, which goes where p cannot; `each`: the p at each rho, from the smallest rho."""

    p: float
    log_p: float
    each: tuple[float, ...]


def skat_o(u: Floats, v: Floats, rhos: Sequence[float] = RHOS, *, published: bool = False) -> Optimal:
    """The p of the smallest p among the mixtures (1 - rho) SKAT + rho burden (Lee, Wu and Lin, Biostatistics 2012).

    published: as the SKAT package computes it, to compare with what others printed. It takes two approximations of the paper,
        which together are wrong by a few per cent at p = 0.1 and by more in the tail; without them the p is exact for normal scores.
    BadInput for a rho that is not between 0 and 1. nan without variance; where only one test is left, the p of that one.
    """
    grid = np.array(sorted(set(rhos)), dtype=np.float64)
    if not grid.size or grid[0] < 0.0 or grid[-1] > 1.0:
        raise _bad("a rho is not between 0 and 1", "give shares of burden, say those of RHOS")
    if published and len(grid) > 1:
        grid = np.minimum(grid, 0.999)
    none = _NO_VARIANCE * float(np.trace(v))
    d, e = tridiagonal(np.ascontiguousarray(v, dtype=np.float64))
    mixtures = [_mixture(d, e, rho, none) for rho in grid]
    q = (1.0 - grid) * (u @ u) + grid * u.sum() ** 2
    each = np.array(
        [tail_and_density(a, w, np.zeros(len(w)))[0] if len(w) else math.nan for a, w in zip(q, mixtures, strict=True)]
    )
    known = each[~np.isnan(each)]
    log_p = math.nan if not len(known) else _smallest(d, e, grid, mixtures, float(known.min()), none, published)
    return Optimal(math.exp(log_p), float(log_p), tuple(np.exp(each).tolist()))


def _mixture(d: Floats, e: Floats, rho: float, none: float) -> Floats:
    """The weights of the chi-squares in (1 - rho) u'u + rho (1'u)^2 = u'Ru, R = (1 - rho) I + rho 11'; no weights without variance.

    They are the eigenvalues of R^1/2 V R^1/2. In axes of which the first is along 1, V is tridiagonal (d, e) and R diagonal, for
    every rho at once.
    """
    first = 1.0 - rho + rho * len(d)
    mixed, beside = (1.0 - rho) * d, (1.0 - rho) * e
    mixed[0], beside[0] = first * d[0], math.sqrt(first * (1.0 - rho)) * e[0]
    weights = eigenvalues(mixed, beside)[0]
    return weights[weights > 0.0] if weights.max() > none else np.empty(0)


def _smallest(
    d: Floats, e: Floats, rhos: Floats, mixtures: Sequence[Floats], least: float, none: float, published: bool
) -> float:
    """The log of the chance that some mixture is beyond what it is beyond with a chance of exp(least).

    What is left of V, given the burden, is its Schur complement, tridiagonal too, and its mean moves with the burden.
    """
    if len(rhos) == 1 or len(d) == 1 or d[0] <= none or least > -1e-14:
        return least
    with_burden, left = e[0] ** 2 / d[0], d[1:].copy()
    left[0] -= with_burden
    rest, shares = eigenvalues(left, e[1:].copy())
    if rest.max() <= none:
        return least
    fixed = with_burden * shares[rest <= 0.0].sum()
    rest, shares = rest[rest > 0.0], shares[rest > 0.0]
    quantiles, shifts, shrink = [quantile(least, mixture) for mixture in mixtures], with_burden * shares / rest, 1.0
    if published:
        fixed, shifts = with_burden, np.zeros(len(rest))
        quantiles = [_matched(math.exp(least), mixture) for mixture in mixtures]
        shrink = 1.0 / math.sqrt(1.0 + 2.0 * with_burden * left[0] / (rest @ rest))
    burdens = rhos * len(d) * d[0] + (1.0 - rhos) * (d[0] + fixed)
    return float(_beyond(np.array(quantiles), burdens, rhos, rest, shifts, shrink, least))


def _matched(p: float, mixture: Floats) -> float:
    """The quantile of a chi-square with the mixture's mean, variance and kurtosis (Lee, Wu and Lin 2012; after Liu et al., 2009)."""
    first, second, fourth = (float((mixture**k).sum()) for k in (1, 2, 4))
    freedom = second**2 / fourth
    return first + (float(special.chdtri(freedom, p)) - freedom) / math.sqrt(2.0 * freedom) * math.sqrt(2.0 * second)


@_compiled
def _beyond(
    quantiles: Floats, burdens: Floats, rhos: Floats, rest: Floats, shifts: Floats, shrink: float, least: float
) -> float:
    """The log of the chance that some mixture is beyond its quantile, of which `least` is the log for each by itself.

    Given a burden of x, mixture i is beyond when the rest is beyond the line (q_i - tau_i x) / (1 - rho_i); the rest is a mixture
    whose chi-squares are shifted by x times `shifts`, or, as published, shrunk to its variance. P(chi-square > x0) + the integral
    up to x0 is a sum of positive parts, which keeps its digits at any depth; the paper's 1 - integral does not. x = z^2 makes the
    density the normal's; the lines change where they cross, and the tail has a root's corner where a line meets zero.
    """
    mean, end, lines = rest.sum(), np.inf, 0
    at_zero, slope = np.empty(len(rhos)), np.empty(len(rhos))
    for i in range(len(rhos)):
        if rhos[i] == 1.0:
            end = min(end, quantiles[i] / burdens[i])
        else:
            at_zero[lines] = (quantiles[i] / (1.0 - rhos[i]) - mean) * shrink + mean
            slope[lines] = burdens[i] / (1.0 - rhos[i]) * shrink
            end = min(end, max(0.0, at_zero[lines]) / slope[lines])
            lines += 1
    line = 0
    for i in range(1, lines):
        if at_zero[i] < at_zero[line] or (at_zero[i] == at_zero[line] and slope[i] > slope[line]):
            line = i
    ones = np.ones(1)
    total, x = math.exp(tail_and_density(end, ones, 0.0 * ones)[0] - least), 0.0
    while x < end:
        until, following = end, line
        for i in range(lines):
            if slope[i] > slope[line]:
                crossing = (at_zero[i] - at_zero[line]) / (slope[i] - slope[line])
                if crossing < until:
                    until, following = max(x, crossing), i
        total += _integral(
            math.sqrt(x), math.sqrt(until), at_zero[line], slope[line], rest, shifts, least, max(total, 1.0)
        )
        x, line = until, following
    return min(0.0, least + math.log(total))


@_compiled
def _integral(
    low: float, high: float, at_zero: float, slope: float, rest: Floats, shifts: Floats, least: float, scale: float
) -> float:
    """Of the tail of the rest beyond a line x the density, over exp(least), for z between two places.

    A stretch is halved until its halves say what it said, or nearly: then the halves are right to a hundredth of that and more.
    """
    waiting = [(low, high, _stretch(low, high, at_zero, slope, rest, shifts, least))]
    total = 0.0
    while waiting:
        low, high, whole = waiting.pop()
        middle = 0.5 * (low + high)
        left = _stretch(low, middle, at_zero, slope, rest, shifts, least)
        right = _stretch(middle, high, at_zero, slope, rest, shifts, least)
        if abs(left + right - whole) <= _SETTLED * scale or high - low < 1e-4 * high:
            total += left + right
        else:
            waiting.append((low, middle, left))
            waiting.append((middle, high, right))
    return total


@_compiled
def _stretch(
    low: float, high: float, at_zero: float, slope: float, rest: Floats, shifts: Floats, least: float
) -> float:
    """The same by Gauss's rule, in v with z = high - (high - low) v^2, which smoothes the corner of a tail that reaches 1."""
    total, length = 0.0, high - low
    for k in range(len(_NODES)):
        z = high - length * _NODES[k] ** 2
        log_tail = tail_and_density(at_zero - slope * z * z, rest, z * z * shifts)[0]
        height = math.exp(log_tail - 0.5 * z * z - least) * math.sqrt(2.0 / math.pi)
        total += 2.0 * length * _NODES[k] * _NODE_WEIGHTS[k] * height
    return total


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("testing rare variants together", found, do_next)
