"""ACAT-V: one p from those of a gene's variants, which finds the few that count.

SKAT and burden lose when one variant of fifty matters. ACAT-V takes each variant's own p and lets the small ones speak; ACAT-O asks
burden, SKAT and ACAT-V at once, when nobody knows which kind of gene it is (`skat.estimate`).
"""

import math

import numpy as np
import numpy.typing as npt

from nhsgen.cauchy import cauchy
from nhsgen.statistics.masks import beta_weights
from nhsgen.statistics.sums import Floats

__all__ = ["acat_v", "one_degree"]


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
