"""One p from several, however they depend on each other: the Cauchy combination."""

import math

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput

__all__ = ["cauchy"]

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
