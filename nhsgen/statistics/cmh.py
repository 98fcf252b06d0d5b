"""Do cases carry more often than controls, when hospitals differ in both? Cochran-Mantel-Haenszel: one fourfold table a stratum.

Fisher's test on the summed table mistakes a difference between sites for one between cases and controls. Here each site compares
its own cases with its own controls, and sends what the test adds up over strata, not its tables, which may be small. (Whoever sees
the exact total of a few strata could still solve for them: it is to be estimated from and forgotten, like any total of sums.)
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["Combined", "estimate", "summarise"]

_NORMAL_975 = 1.959963984540054


def summarise(
    case_carriers: npt.ArrayLike, cases: npt.ArrayLike, control_carriers: npt.ArrayLike, controls: npt.ArrayLike
) -> Sums:
    """One site's sums for each row (a gene, a variant), over its strata.

    Numbers of people: (rows,), the site being one stratum, or (rows, strata). BadInput when more carry than there are.

    All (rows,): carriers; strata: those in which there is something to compare; r, s: the two parts of the odds ratio, whose
    difference is the case carriers beyond what was expected, and its variance (Mantel and Haenszel, 1959); pr, ps_qr, qs: the parts
    of the odds ratio's variance (Robins, Breslow and Greenland, Biometrics 1986).
    """
    given = [np.asarray(n) for n in (case_carriers, cases, control_carriers, controls)]
    if any(n.dtype.kind not in "iu" for n in given) or len({n.shape for n in given}) > 1 or given[0].ndim not in (1, 2):
        raise _bad("the columns are not whole numbers of one shape", "give rows, or rows x strata, in each of the four")
    a, n1, c, n0 = (n.reshape(len(n), -1).astype(np.float64) for n in given)
    b, d, n = n1 - a, n0 - c, n1 + n0
    if any((cell < 0.0).any() for cell in (a, b, c, d)):
        raise _bad("more people carry than there are", "count each person once")
    people = np.maximum(n, 1.0)
    r, s, p, q = a * d / people, b * c / people, (a + d) / people, (b + c) / people
    variance = n1 * n0 * (a + c) * (b + d) / (people**2 * np.maximum(n - 1.0, 1.0))
    parts = {
        "carriers": a + c, "strata": np.where(variance > 0.0, 1.0, 0.0), "variance": variance,
        "r": r, "s": s, "pr": p * r, "ps_qr": p * s + q * r, "qs": q * s,
    }  # fmt: skip
    return Sums({name: part.sum(axis=1) for name, part in parts.items()})


@dataclass(frozen=True, eq=False)
class Combined:
    """Each (rows,): the Mantel-Haenszel odds ratio and its 95 % interval, the chi-square with one degree of freedom and its p.

    fewest: how many carriers, each counting as much as the others, would tell as much as those among the cases do, or those among
        the controls, whichever tell less (Kish, Survey Sampling 1965).
    reason: why a row has no answer (nan), or only part of one, or "".
    """

    odds_ratio: Floats
    low: Floats
    high: Floats
    chi_square: Floats
    p: Floats
    fewest: Floats
    reason: tuple[str, ...]


def estimate(total: Sums, *, corrected: bool = True, alternative: str = "two-sided") -> Combined:
    """From the sum over all sites.

    corrected: take one half off the excess, for its being a whole number; R's mantelhaen.test does so unless told otherwise.
    alternative: "greater" asks whether cases carry more often.
    Where no control carries in any stratum with cases, the odds ratio is infinite, and where no case does, 0: without interval.

    Admission to Berkeley in 1973, six departments, men and women:

    >>> women, men = [89, 17, 202, 131, 94, 24], [512, 353, 120, 138, 53, 22]
    >>> all_women, all_men = [108, 25, 593, 375, 393, 341], [825, 560, 325, 417, 191, 373]
    >>> found = estimate(summarise([men], [all_men], [women], [all_women]))
    >>> round(float(found.odds_ratio[0]), 7), round(float(found.chi_square[0]), 6), round(float(found.p[0]), 7)
    (0.9046968, 1.426946, 0.2322635)
    """
    r, s, variance = total["r"], total["s"], total["variance"]
    tested, bounded = variance > 0.0, (r > 0.0) & (s > 0.0)
    distance = np.maximum(np.abs(r - s) - (0.5 if corrected else 0.0), 0.0)
    chi_square = np.divide(distance**2, variance, out=np.full(r.shape, np.nan), where=tested)
    ratio = np.divide(r, s, out=np.where(r > 0.0, np.inf, np.nan), where=s > 0.0)
    safe_r, safe_s = np.where(bounded, r, 1.0), np.where(bounded, s, 1.0)
    spread = np.sqrt(0.5 * (total["pr"] / safe_r**2 + total["ps_qr"] / (safe_r * safe_s) + total["qs"] / safe_s**2))
    reach = np.exp(_NORMAL_975 * np.where(bounded, spread, 0.0))
    reasons = np.where(
        total["carriers"] <= 0.0,
        "nobody carries any",
        np.where(~tested, "no stratum has cases and controls, carriers and others", ""),
    )
    reasons = np.where((reasons == "") & ~bounded, "the odds ratio has no bounds", reasons)
    return Combined(
        odds_ratio=np.where(tested, ratio, np.nan),
        low=np.where(tested & bounded, ratio / reach, np.nan),
        high=np.where(tested & bounded, ratio * reach, np.nan),
        chi_square=chi_square,
        p=_p(np.sqrt(chi_square), r > s, alternative),
        fewest=np.minimum(_effective(r, total["pr"]), _effective(s, total["qs"])),
        reason=tuple(reasons.tolist()),
    )


def _p(z: Floats, more: npt.NDArray[np.bool_], alternative: str) -> Floats:
    """Of distances from what was expected, in standard deviations; `more` where cases carry more often."""
    signed = z if alternative == "two-sided" else np.where(more, z, -z)
    tails = np.array([math.erfc(each / math.sqrt(2.0)) for each in signed.tolist()])
    return tails if alternative == "two-sided" else 0.5 * tails


def _effective(weights: Floats, squares: Floats) -> Floats:
    return np.divide(weights**2, squares, out=np.zeros(weights.shape), where=squares > 0.0)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("comparing cases with controls, stratum by stratum", found, do_next)
