"""One p from several, however they depend on each other: the Cauchy combination, and ACAT-V, which finds the few variants that count.

SKAT and burden lose when one variant of fifty matters. ACAT-V takes each variant's own p and lets the small ones speak; ACAT-O asks
burden, SKAT and ACAT-V at once, when nobody knows which kind of gene it is (`skat.estimate`).
"""

import math

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput
from nhsgen.statistics.masks import beta_weights
from nhsgen.statistics.sums import Floats

__all__ = ["acat_v", "cauchy", "one_degree"]

# One p of nearly 1 must not drown all others: its Cauchy number would be as large as theirs, with the other sign.
_LARGEST = 0.999

# Below this p, cot(pi p) and 1 / (pi p) are the same float64.
_SMALL = 1e-9


def cauchy(p: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """The combined p of `p`, each with its weight (Liu and Xie, JASA 2020; Liu et al., AJHG 2019); p above 0.999 count as 0.999.

    p: (k,), between 0 and 1. weights: (k,), not negative; all the same when there are none. nan when no weight is above 0.
    A single 0 makes the answer 0.

    >>> round(cauchy([0.02, 0.0004, 0.2, 0.1, 0.8]), 10)
    0.0019534044
    """
    values = np.asarray(p, dtype=np.float64).ravel()
    shares = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64).ravel()
    if values.shape != shares.shape or not ((values >= 0.0) & (values <= 1.0)).all() or not (shares >= 0.0).all():
        raise _bad()
    values, shares = values[shares > 0.0], shares[shares > 0.0]
    if not values.size:
        return math.nan
    if not values.min():
        return 0.0
    capped = np.minimum(values, _LARGEST)
    small = capped < _SMALL
    cotangent = np.where(small, 1.0 / (math.pi * capped), 1.0 / np.tan(math.pi * np.where(small, 0.5, capped)))
    mean = float(shares @ cotangent / shares.sum())
    return math.atan2(1.0, mean) / math.pi


def _bad() -> BadInput:
    return BadInput("combining p", "a p is not between 0 and 1, or a weight below 0", "give one weight for each p")


def one_degree(u: npt.ArrayLike, variance: npt.ArrayLike) -> Floats:
    """The two-sided p of scores with these variances, of any shape; 1 where there is no variance.

    >>> one_degree([1.959964, 0.0], [1.0, 0.0]).round(6).tolist()
    [0.05, 1.0]
    """
    scores, variances = np.asarray(u, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    has = variances > 0.0
    z = np.divide(np.abs(scores), np.sqrt(np.where(has, variances, 1.0)), out=np.zeros(np.shape(scores)), where=has)
    return np.asarray([math.erfc(value / math.sqrt(2.0)) for value in z.ravel()]).reshape(z.shape)


def acat_v(
    u: Floats, v: Floats, copies: Floats, maf: Floats, *, a: float = 1.0, b: float = 25.0, few: float = 10.0
) -> float:
    """ACAT-V (Liu et al., AJHG 2019, equation 4): each variant's p, weighing w^2 maf (1 - maf), with w = Beta(maf; a, b).

    u: (m,) scores, v: (m, m) their covariance, copies, maf: (m,) of the rarer alleles among everybody.
    few: variants with at most so many copies are too rare for a p of their own: their burden test is one p, which weighs as
        a variant of their mean frequency.
    nan when nothing has a variance.
    """
    able = np.diag(v) > 0.0
    rare, alone = np.flatnonzero(able & (copies <= few)), np.flatnonzero(able & (copies > few))
    p, frequencies = one_degree(u[alone], np.diag(v)[alone]), maf[alone]
    if rare.size:
        w = beta_weights(maf[rare], a, b)
        together = w @ v[np.ix_(rare, rare)] @ w
        if together > 0.0:
            p = np.append(p, one_degree(w @ u[rare], together))
            frequencies = np.append(frequencies, maf[rare].mean())
    return cauchy(p, beta_weights(frequencies, a, b) ** 2 * frequencies * (1.0 - frequencies))
