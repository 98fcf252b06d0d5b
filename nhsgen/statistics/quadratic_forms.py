"""How likely is a weighted sum of chi-squares beyond what was seen? The null distribution of SKAT, at any depth.

Whoever tests many variants together (see `skat`) needs the tail of Q = sum of weight x chi-square(1). Moment matching (Liu) is
wrong by a factor of six at 1e-9, and sums along the imaginary axis (Imhof 1961, Davies 1980) lose everything below 1e-12,
since they subtract from one half. The same integral, moved to where the integrand has its saddle, is a sum of small positive
things: its relative error stays near 1e-12 at p = 0.5 and at p = 1e-300, so nothing else is needed below.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats

__all__ = ["eigenvalues", "log_tail", "quantile", "tail", "tail_and_density", "tridiagonal"]

Function = TypeVar("Function", bound=Callable[..., object])

# Weights below this share of the largest are rounding errors of an eigenvalue that is zero.
_NO_WEIGHT = 1e-11

# Halving the step squares the error of a trapezium sum over an analytic function, but two may agree by luck: to this share leaves
# the finer one right to 1e-12 and better in thousands of trials.
_AGREED = 1e-8

# Nothing falls short of this share of the mean: of one chi-square, 1e-20 does.
_LOWEST = 1e-40

# The path's slope against the vertical, far from the axis; and how far it may be moved to the left before it no longer leans to the
# right, which says how fast the rule converges.
_LEAN = 0.9
_ROOM = 0.65

# What is left of a sum is not worth adding when it is this small a share of what was found.
_NOTHING = 1e-17


def tail(q: float, weights: npt.ArrayLike, shifts: npt.ArrayLike | None = None) -> float:
    """P(Q > q) for Q = the sum of weights x independent chi-squares with one degree of freedom each.

    weights: (m,), none below zero but for rounding, one above it at least. shifts: (m,) noncentralities; 0 when there are none.
    Below 1e-307 the answer is 0: see `log_tail`. BadInput for anything else. The formula is that of `tail_and_density`.

    >>> [round(tail(q, [0.6, 0.3, 0.1]), 6) for q in (0.1, 0.7, 2)]
    [0.945786, 0.506438, 0.123959]
    """
    return math.exp(log_tail(q, weights, shifts))


def log_tail(q: float, weights: npt.ArrayLike, shifts: npt.ArrayLike | None = None) -> float:
    """The natural logarithm of `tail`, which goes where a float64 cannot.

    >>> round(log_tail(4000.0, [2.0, 2.0]), 9)
    -1000.0
    """
    w = np.asarray(weights, dtype=np.float64).ravel()
    c = np.zeros_like(w) if shifts is None else np.asarray(shifts, dtype=np.float64).ravel()
    if not w.size or w.max() <= 0.0 or not math.isfinite(q + w.sum()):
        raise _bad("no weight is above zero, or one is not a number", "leave out sets of variants without variance")
    if w.min() < -1e-6 * w.max() or c.shape != w.shape or not (c >= 0.0).all() or not math.isfinite(c.sum()):
        raise _bad("a weight or a shift is below zero", "give the eigenvalues of a covariance, a shift for each")
    kept = w > _NO_WEIGHT * w.max()
    return float(tail_and_density(q, w[kept], c[kept])[0])


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("adding up weighted chi-squares", found, do_next)


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _saddle(q: float, w: Floats, c: Floats, upper: bool) -> tuple[float, float]:
    """Where exp(K(s) - sq) / |s| is least, and the second derivative of its logarithm there.

    The largest weight is 1, so that the branch point is at one half; the least is sought between 0 and there, or below 0 unless
    `upper`. Newton's steps, kept between the bounds that earlier steps found; a contour needs no more than a few digits.
    """
    low, high, s = 0.0, 0.5, 0.5 * (1.0 - 1.0 / (1.0 + math.sqrt(1.0 + q)))
    if not upper:
        low, high = -(0.5 * (len(w) + c.sum()) + 1.0) / q, 0.0
        s = low
    second = 0.0
    for _ in range(200):
        slope, second = -q - 1.0 / s, 1.0 / (s * s)
        for i in range(len(w)):
            share = w[i] / (1.0 - 2.0 * w[i] * s)
            shifted = c[i] * share / (1.0 - 2.0 * w[i] * s)
            slope += share + shifted
            second += 2.0 * share * share + 4.0 * shifted * share
        if slope > 0.0:
            high = s
        else:
            low = s
        step = slope / second
        if abs(step) < 1e-3 * min(abs(s), 0.5 - s):
            break
        s = s - step if low < s - step < high else 0.5 * (low + high)
    return s, second


@_compiled
def _integrand(
    v: float, start: float, reach: float, q: float, w: Floats, c: Floats
) -> tuple[float, float, float, float]:
    """exp(K(s) - sq) / s x ds/dv at s = start + reach (0.9 (cosh v - 1) + i sinh v), as log size and angle; and those of s.

    Angles of the factors 1 - 2ws are each between -pi and 0, so the angle of their product is followed by counting how often
    it passes the negative axis, and one logarithm serves many factors.
    """
    sinh, cosh = math.sinh(v), math.cosh(v)
    re_s, im_s = start + _LEAN * reach * (cosh - 1.0), reach * sinh
    re, im, log_size, turns, re_c, im_c = 1.0, 0.0, 0.0, 0, 0.0, 0.0
    for i in range(len(w)):
        a, b = 1.0 - 2.0 * w[i] * re_s, -2.0 * w[i] * im_s
        if c[i] > 0.0:
            share = 0.5 * c[i] / (a * a + b * b)
            re_c += share * a - 0.5 * c[i]
            im_c -= share * b
        new = re * b + im * a
        re = re * a - im * b
        turns += (im < 0.0) & (new >= 0.0)
        im = new
        size = re * re + im * im
        if size > 1e100 or size < 1e-100:
            size = math.sqrt(size)
            log_size += math.log(size)
            re /= size
            im /= size
    log_size += 0.5 * math.log(re * re + im * im)
    angle = math.atan2(im, re) - 2.0 * math.pi * turns
    log_s, angle_s = 0.5 * math.log(re_s * re_s + im_s * im_s), math.atan2(im_s, re_s)
    log_ds = math.log(reach) + 0.5 * math.log((_LEAN * sinh) ** 2 + cosh * cosh)
    angle_ds = math.atan2(cosh, _LEAN * sinh)
    log_height, turned = re_c - 0.5 * log_size - re_s * q, im_c - 0.5 * angle - im_s * q
    return log_height + log_ds - log_s, turned + angle_ds - angle_s, log_s, angle_s


@_compiled
def tail_and_density(q: float, weights: Floats, c: Floats) -> tuple[float, float]:
    """log P(Q > q) and log of the density at q, by the inversion integral (1 / 2 pi i) of exp(K(s) - sq)/s ds.

    K(s) = sum of cws / (1 - 2ws) - log(1 - 2ws) / 2. The path is a hyperbola that crosses the axis at the saddle and leans to the
    right: along it every factor falls, whatever the weights, exp(-sq) exponentially, and the trapezium rule converges
    geometrically (Weideman and Trefethen, Mathematics of Computation 2007). Beyond the mean the saddle is above 0; short of it
    the one below 0 gives P(Q < q) instead, and both are sums without cancellation.
    """
    if q <= _LOWEST * weights.sum():
        return 0.0, -math.inf
    largest = weights.max()
    w, q = weights / largest, q / largest
    upper = q >= (w * (1.0 + c)).sum()
    start, second = _saddle(q, w, c, upper)
    reach = min(abs(start), 0.5 - start)
    width = 1.0 / (reach * math.sqrt(second))
    room = min(_ROOM, 6.0 * width)
    step = 2.0 * math.pi * room / (18.0 + 0.5 * (room / width) ** 2)
    log_top, _, log_s, _ = _integrand(0.0, start, reach, q, w, c)
    total, density, before = 0.5, 0.5, -1.0
    offset, spacing, sign = step, step, 1.0 if upper else -1.0
    for _ in range(12):
        k, size = 0, 1.0
        while size > _NOTHING:
            log_size, angle, log_r, angle_s = _integrand(offset + k * spacing, start, reach, q, w, c)
            size, scale = math.exp(log_size - log_top), math.exp(log_r - log_s)
            total += sign * size * math.sin(angle)
            density += size * scale * math.sin(angle + angle_s)
            size *= max(1.0, scale)
            k += 1
        now = total * step
        if abs(now - before) <= _AGREED * now:
            break
        before, spacing = now, step
        step *= 0.5
        offset = step
    log_p = min(0.0, log_top + math.log(total * step / math.pi))
    log_density = log_top + log_s + math.log(max(density * step / math.pi, 1e-300)) - math.log(largest)
    return log_p if upper else math.log1p(-min(math.exp(log_p), 1.0 - 1e-16)), log_density


@_compiled
def quantile(log_p: float, weights: Floats) -> float:
    """The q at which the log of the tail is `log_p`.

    Newton's steps on that logarithm, which is nearly a line, kept between the bounds that earlier steps found.
    """
    low, high, none = 0.0, math.inf, np.zeros(len(weights))
    q: float = weights.sum() - 2.0 * weights.max() * log_p
    for _ in range(200):
        found, log_density = tail_and_density(q, weights, none)
        if found > log_p:
            low = q
        else:
            high = q
        step = (found - log_p) * math.exp(found - log_density)
        if abs(step) < 1e-13 * q:
            return q
        following = q + step
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * q
        if abs(following - q) < 1e-14 * q:
            return following
        q = following
    return q


# -- The weights of a quadratic form ------------------------------------------------------------------------------------
#
# LAPACK would wake its own threads for each small matrix, and a whole genome of genes is thousands of small matrices.


@_compiled
def _reflect(v: Floats, x: Floats) -> None:
    """v becomes HvH, H = I - 2xx'/x'x, and stays as it is when x is zero; x is 0 in the axes that were finished before."""
    m, start, size = len(x), 0, (x * x).sum()
    if size == 0.0:
        return
    while x[start] == 0.0:
        start += 1
    p = np.zeros(m)
    for i in range(start, m):
        scaled = 2.0 * x[i] / size
        for j in range(start, m):
            p[j] += scaled * v[i, j]
    p -= (p * x).sum() / size * x
    for i in range(start, m):
        for j in range(start, m):
            v[i, j] -= x[i] * p[j] + p[i] * x[j]


@_compiled
def tridiagonal(v: Floats) -> tuple[Floats, Floats]:
    """The diagonal (m,) and what stands beside it (m,; the last is 0) of symmetric v in axes whose first is along (1, 1, ..., 1).

    Householder's reflections (Golub and Van Loan, Matrix Computations, 8.3.1).
    """
    m = len(v)
    a, x, beside = v.copy(), np.ones(m), np.zeros(m)
    x[0] -= math.sqrt(m)
    _reflect(a, x)
    for k in range(m - 1):
        x = a[:, k].copy()
        x[: k + 1] = 0.0
        beside[k] = math.sqrt((x * x).sum())
        x[k + 1] += beside[k] if x[k + 1] > 0.0 else -beside[k]
        if k < m - 2:
            _reflect(a, x)
    return np.diag(a).copy(), beside


@_compiled
def eigenvalues(diagonal: Floats, beside: Floats) -> tuple[Floats, Floats]:
    """Those of a symmetric tridiagonal matrix, those below zero by rounding as 0, and the share of the first axis in each.

    beside: as long as `diagonal`; its last does not count. Implicit QR steps with Wilkinson's shift (Golub and Van Loan, 8.3.2).
    """
    d, e, first = diagonal.copy(), beside.copy(), np.zeros(len(diagonal))
    first[0], nothing = 1.0, 1e-16 * (np.abs(diagonal).max() + np.abs(beside).max())
    end = len(d) - 1
    while end > 0:
        if abs(e[end - 1]) <= nothing:
            end -= 1
            continue
        start = end - 1
        while start > 0 and abs(e[start - 1]) > nothing:
            start -= 1
        gap = 0.5 * (d[end - 1] - d[end])
        root = math.sqrt(gap * gap + e[end - 1] ** 2)
        shift = d[end] - e[end - 1] ** 2 / (gap + (root if gap >= 0.0 else -root))
        x, z = d[start] - shift, e[start]
        for k in range(start, end):
            size = math.sqrt(x * x + z * z)
            c, s = (1.0, 0.0) if size == 0.0 else (x / size, z / size)
            if k > start:
                e[k - 1] = size
            a, b, f = d[k], e[k], d[k + 1]
            d[k] = c * c * a + 2.0 * c * s * b + s * s * f
            d[k + 1] = s * s * a - 2.0 * c * s * b + c * c * f
            e[k] = c * s * (f - a) + (c * c - s * s) * b
            first[k], first[k + 1] = c * first[k] + s * first[k + 1], c * first[k + 1] - s * first[k]
            if k + 1 < end:
                x, z = e[k], s * e[k + 1]
                e[k + 1] *= c
    return np.where(d > _NO_WEIGHT * d.max(), d, 0.0), first * first
