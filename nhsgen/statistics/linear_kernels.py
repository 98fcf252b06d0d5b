"""The loops of linear.py, compiled: what people who were not called add up to, and each variant's regression from its sums.

`_exactly` in the tests fits every variant by itself, with what numpy has for least squares, and says the same.
"""

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import betaln, stdtr

from nhsgen.statistics.genotype_blocks import Ints, Words
from nhsgen.statistics.sums import Floats

__all__ = ["REASONS", "SMALL", "add_missing", "add_missing_products", "fit", "students_p"]

Bools = npt.NDArray[np.bool_]

REASONS = (
    "",
    "nobody",
    "no genotypes called",
    "monomorphic",
    "collinear with the covariates",
    "too few people",
    "constant given the covariates",
    "fitted exactly",
)
"""Why a row has no answer; "" when it has one. "constant given the covariates" is said of the measurement."""
OK, NOBODY, NONE_CALLED, MONOMORPHIC, COLLINEAR, TOO_FEW, CONSTANT, EXACT = range(len(REASONS))

SMALL = 1e-8
"""A column of which the others leave a smaller share of its variance than this is one of them."""

_ONE, _TWO, _LOW = np.uint64(1), np.uint64(2), np.uint64(0x5555555555555555)


def students_p(t: npt.ArrayLike, df: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Two-sided p of Student's t with df degrees of freedom, and -log10 of it, where p is 0 too; nan for nan.

    >>> [float(each.round(4)) for each in students_p(2.0, 10)]
    [0.0734, 1.1344]
    >>> float(students_p(60.0, 5000)[1].round(6))
    590.579706
    """
    statistic, freedom = np.broadcast_arrays(np.abs(np.asarray(t, np.float64)), np.asarray(df, np.float64))
    p = np.asarray(2.0 * stdtr(freedom, -statistic))
    far = p < 1e-280
    log10_p = np.asarray(-np.log10(np.where(far, 1.0, p)))
    if far.any():
        a = freedom[far] / 2.0
        share = statistic[far] ** 2 / freedom[far]
        with_series = np.log(_beta_fraction(a, 1.0 / (1.0 + share))) - betaln(a, 0.5) - np.log(a)
        logs = with_series - a * np.log1p(share) + 0.5 * np.log(share / (1.0 + share))
        log10_p[far] = -logs / np.log(10.0)
    return p, log10_p


@njit(cache=True, nogil=True)
def add_missing(words: Words, rows: Ints, columns: Floats, mq: Floats, mr: Floats) -> None:
    groups, size = mq.shape[1], mq.shape[2]
    for row in rows:
        for i in range(columns.shape[0] >> 5):
            bits, who = words[row, i] & (words[row, i] >> _ONE) & _LOW, 32 * i
            while bits:
                if bits & _ONE:
                    for group in range(groups):
                        for k in range(size):
                            mq[row, group, k] += columns[who, group * size + k]
                    for phenotype in range(mr.shape[1]):
                        mr[row, phenotype] += columns[who, groups * size + phenotype]
                bits >>= _TWO
                who += 1


@njit(cache=True, nogil=True)
def add_missing_products(
    words: Words, rows: Ints, columns: Floats, group_of: Ints, qq: Floats, qr: Floats, rr: Floats
) -> None:
    groups, size = qq.shape[1], qr.shape[2]
    for row in rows:
        for i in range(columns.shape[0] >> 5):
            bits, who = words[row, i] & (words[row, i] >> _ONE) & _LOW, 32 * i
            while bits:
                if bits & _ONE:
                    for group in range(groups):
                        place = 0
                        for j in range(size):
                            factor = columns[who, group * size + j]
                            for k in range(j + 1):
                                qq[row, group, place + k] += factor * columns[who, group * size + k]
                            place += j + 1
                    for phenotype in range(rr.shape[1]):
                        factor, first = columns[who, groups * size + phenotype], group_of[phenotype] * size
                        rr[row, phenotype] += factor * factor
                        for k in range(size):
                            qr[row, phenotype, k] += factor * columns[who, first + k]
                bits >>= _TWO
                who += 1


@njit(cache=True, nogil=True)
def fit(
    counts: Floats, men: Floats, gq: Floats, gr: Floats, qq: Floats, qr: Floats, rr: Floats, mean: bool,
    group_of: Ints, people: Ints, haploid: Ints, rank: Ints, rss: Floats, constant: Bools, sd: Floats,
    beta: Floats, se: Floats, t: Floats, df: Floats, used: Ints, copies: Ints, alleles: Ints, reason: npt.NDArray[np.uint8],
) -> None:  # fmt: skip
    """Each variant and phenotype from its sums.

    With g less its mean over those called, and A = 1 - Q'Q over those not called: den = g'g - g'Q A^-1 Q'g,
    num = g'R + g'Q A^-1 Q'R and left = R'R - R'R - R'Q A^-1 Q'R, the last products over those not called.
    """
    size = gq.shape[2]
    factor, z, w = np.eye(size), np.zeros(size), np.zeros(size)
    for row in range(counts.shape[0]):
        for group in range(people.size):
            one, two, missing = counts[row, group]
            called, number = people[group] - missing, one + 2.0 * two
            average = number / max(called, 1.0)
            spread = (called * (one + 4.0 * two) - number * number) / max(called, 1.0)
            root = np.sqrt(people[group])
            exact = not mean and missing > 0.0
            lost = _cholesky(qq[row, group], SMALL * called / people[group], factor) if exact and called > 0.0 else 0
            for k in range(1, size):
                without = qq[row, group, k] if mean else root * qq[row, group, k * (k + 1) // 2]
                z[k] = gq[row, group, k] + average * without
            z[0] = 0.0
            if exact:
                _forward(factor, z)
            den = spread - _dot(z, z)
            here = people[group] if mean else called
            freedom = here - rank[group] + lost - 1.0
            for phenotype in range(group_of.size):
                if group_of[phenotype] != group:
                    continue
                num, left = gr[row, phenotype], rss[phenotype]
                if mean:
                    num += average * qr[row, phenotype, 0]
                elif exact:
                    num += average * root * qr[row, phenotype, 0]
                    w[:] = qr[row, phenotype]
                    _forward(factor, w)
                    left -= rr[row, phenotype] + _dot(w, w)
                    num += _dot(z, w)
                unexplained = left - num * num / den if den > 0.0 else 0.0
                why = _why(people[group], called, spread, freedom, den)
                if why == OK and (constant[phenotype] or left <= 1e-12 * rss[phenotype]):
                    why = CONSTANT
                elif why == OK and unexplained <= 1e-12 * left:
                    why = EXACT
                reason[row, phenotype] = why
                used[row, phenotype], df[row, phenotype] = here, freedom
                copies[row, phenotype] = number - men[row, group, 0]
                alleles[row, phenotype] = 2.0 * called - haploid[group] + men[row, group, 1]
                beta[row, phenotype] = se[row, phenotype] = t[row, phenotype] = np.nan
                if why == OK:
                    error = np.sqrt(unexplained / freedom / den)
                    beta[row, phenotype] = num / den * sd[phenotype]
                    se[row, phenotype] = error * sd[phenotype]
                    t[row, phenotype] = num / den / error


@njit(cache=True, nogil=True)
def _dot(a: Floats, b: Floats) -> float:
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True)
def _why(people: int, called: float, spread: float, freedom: float, den: float) -> int:
    """What is wrong with the genotypes, the first that applies."""
    if people == 0:
        return NOBODY
    if called == 0.0:
        return NONE_CALLED
    if spread <= 0.0:
        return MONOMORPHIC
    if freedom < 1.0:
        return TOO_FEW
    return COLLINEAR if den <= SMALL * spread else OK


@njit(cache=True, nogil=True)
def _cholesky(triangle: Floats, least: float, factor: Floats) -> int:
    """L with L L' = 1 - Q'Q, given the lower triangle of Q'Q; how many columns the others make up: their rows are 0."""
    lost, place = 0, 0
    for j in range(factor.shape[0]):
        left = 1.0 - triangle[place + j]
        for k in range(j):
            entry = -triangle[place + k]
            for i in range(k):
                entry -= factor[j, i] * factor[k, i]
            factor[j, k] = entry / factor[k, k] if factor[k, k] > 0.0 else 0.0
            left -= factor[j, k] * factor[j, k]
        factor[j, j] = np.sqrt(left) if left > least else 0.0
        lost += left <= least
        place += j + 1
    return lost


@njit(cache=True, nogil=True)
def _forward(factor: Floats, z: Floats) -> None:
    """z becomes L^-1 z."""
    for j in range(z.size):
        entry = z[j]
        for k in range(j):
            entry -= factor[j, k] * z[k]
        z[j] = entry / factor[j, j] if factor[j, j] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _beta_fraction(a: Floats, x: Floats) -> Floats:
    """The continued fraction of the incomplete beta function I_x(a, 1/2), by Lentz's method (DLMF 8.17.22)."""
    answer = np.empty(a.size)
    for row in range(a.size):
        c, d = 1.0, 1.0 / (1.0 - (a[row] + 0.5) * x[row] / (a[row] + 1.0))
        h = d
        for m in range(1, 1000):
            even = m * (0.5 - m) * x[row] / ((a[row] + 2 * m - 1.0) * (a[row] + 2 * m))
            d, c = 1.0 / (1.0 + even * d), 1.0 + even / c
            h *= d * c
            odd = -(a[row] + m) * (a[row] + 0.5 + m) * x[row] / ((a[row] + 2 * m) * (a[row] + 2 * m + 1.0))
            d, c = 1.0 / (1.0 + odd * d), 1.0 + odd / c
            h *= d * c
            if abs(d * c - 1.0) < 1e-15:
                break
        answer[row] = h
    return answer
