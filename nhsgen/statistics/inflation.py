"""Is a whole scan out of line? The inflation of its test statistics, and the p-values that chance alone would give.

For whoever looks at a genome-wide scan before believing it: population structure and relatedness push every p down a little, and
that shows in their median and in a quantile-quantile plot. All of it starts from -log10 p, so that tiny p lose nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, chi2

from nhsgen.errors import BadInput

__all__ = ["Quantiles", "genomic_inflation", "inflation_of_1000", "quantiles"]

Floats = npt.NDArray[np.float64]

MEDIAN = float(chi2.median(1))
"""0.4549: of chi-squared with one degree of freedom."""


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Points of a quantile-quantile plot, from the smallest p on, in -log10 p: expected by chance, observed, and the band in which
    95 of 100 scans without any signal have that point (independent variants)."""

    expected: Floats
    observed: Floats
    low: Floats
    high: Floats


def genomic_inflation(log10_p: npt.ArrayLike) -> float:
    """Lambda: the median of the statistics, as chi-squared with one degree of freedom, by its value under chance; nan without any.

    log10_p: -log10 p of each variant; nan where it was not tested. (Devlin and Roeder, Biometrics 1999.)

    >>> round(genomic_inflation([0.1, 0.30103, 2.0]), 6)
    1.0
    """
    tested = _tested(log10_p)
    if not tested.size:
        return float("nan")
    # Chi-squared falls as p grows: only the one or two statistics in the middle are needed.
    middle = tested[[(tested.size - 1) // 2, tested.size // 2]]
    return float(chi2.isf(10.0**-middle, 1).mean() / MEDIAN)


def inflation_of_1000(inflation: float, cases: int, controls: int) -> float:
    """Lambda as it would be with 1,000 cases and 1,000 controls: it grows with a study (Freedman et al., Nat Genet 2004).

    >>> round(inflation_of_1000(1.2, 4000, 4000), 3)
    1.05
    """
    if min(cases, controls) < 1:
        raise BadInput("scaling an inflation", "there are no cases or no controls", "give how many there are")
    return 1.0 + (inflation - 1.0) * (1.0 / cases + 1.0 / controls) / (2.0 / 1000.0)


def quantiles(log10_p: npt.ArrayLike, points: int = 1000) -> Quantiles:
    """At most about `points` of a quantile-quantile plot: the ten smallest p all, of the rest fewer, evenly on its logarithmic axis.

    log10_p: as in `genomic_inflation`. The expected k-th smallest of n p is k / (n + 1), and it is distributed as
    Beta(k, n + 1 - k).
    """
    observed = _tested(log10_p)[::-1]
    n = observed.size
    if not n:
        return Quantiles(*(np.empty(0) for _ in range(4)))
    ranks = np.unique(
        np.concatenate([np.arange(1, min(n, 10) + 1), np.geomspace(1, n, max(points, 2)).round().astype(np.int64)])
    )
    low, high = (-np.log10(beta.ppf(share, ranks, n + 1 - ranks)) for share in (0.975, 0.025))
    return Quantiles(-np.log10(ranks / (n + 1)), observed[ranks - 1], low, high)


def _tested(log10_p: npt.ArrayLike) -> Floats:
    """Those that are numbers, ascending."""
    values = np.asarray(log10_p, dtype=np.float64).ravel()
    if (values < 0).any():
        raise BadInput("looking at a scan", "a -log10 p is below 0", "give -log10 of p, not p or its logarithm")
    return np.sort(values[~np.isnan(values)])
