"""Meta-analysis: one answer from sites' finished estimates and standard errors, when their sums cannot be had.

For a researcher who holds published results, or those of a partner who takes no part in a federation. It is not pooling: where
people differ between sites it does not give the answer of the pooled data, and random effects ask another question, about the
mean of the effects of all sites there might be. Where sums can be had, add the sums.

    combine(beta, se, "reml", hartung_knapp=True)          the last axis is sites; rows before it, such as alleles, are each their own
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Floats

__all__ = ["BETWEEN", "Combined", "combine"]

Texts = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]
Between = Callable[[Floats, Floats], Floats]

REASONS = ("no site", "one site", "tau2 did not settle", "two sites")

_MOST_STEPS = 200
_SETTLED = 1e-13
"""A share of the sampling variance: between two steps of tau2, no more than rounding."""


@dataclass(frozen=True, eq=False)
class Combined:
    """One number a row. sites: how many had a finite estimate and a standard error above 0; the others are left out.

    low, high: 95 %. q, q_p: Cochran's test that all sites have one effect, on sites - 1 degrees. tau2: variance between sites.
    i2: the share of the variance that is between sites, 0 to 1. predicted_low, predicted_high: where the effect of a new site is expected.
    reason: "" or "no site", "one site" (nothing about differences between sites, and no Hartung-Knapp, can be said: nan), "two sites"
    (no prediction: nan), "tau2 did not settle".
    """

    sites: Ints
    beta: Floats
    se: Floats
    low: Floats
    high: Floats
    p: Floats
    q: Floats
    q_p: Floats
    tau2: Floats
    i2: Floats
    predicted_low: Floats
    predicted_high: Floats
    reason: Texts


def combine(
    beta: npt.ArrayLike,
    se: npt.ArrayLike,
    method: Literal["fixed", "dersimonian_laird", "reml"] = "fixed",
    *,
    hartung_knapp: bool = False,
) -> Combined:
    """Weighted mean of the sites' estimates: by 1 / se^2, or by 1 / (se^2 + tau2) when effects may differ.

    beta, se: of one shape, ... x sites; nan where a site has none. Results have the shape without the last axis.
    hartung_knapp: t instead of normal limits, from the scatter of the estimates (Hartung and Knapp, Statistics in Medicine 2001):
        truer with few sites, and narrower than the usual when estimates happen to agree.
    BadInput for other shapes and methods, and for Hartung-Knapp with fixed effects.

    >>> both = combine([0.1, 0.3], [0.1, 0.1])
    >>> round(float(both.beta), 4), round(float(both.se), 4), round(float(both.q), 4)
    (0.2, 0.0707, 2.0)
    """
    estimates, errors = np.asarray(beta, dtype=np.float64), np.asarray(se, dtype=np.float64)
    if estimates.shape != errors.shape or not estimates.ndim:
        raise _bad("there is not one standard error an estimate", "give both for each site")
    if method not in BETWEEN:
        raise _bad("there is no such method", f"use {', '.join(BETWEEN)}")
    if hartung_knapp and method == "fixed":
        raise _bad("Hartung-Knapp's limits are for effects that differ between sites", "use reml")
    shape = estimates.shape[:-1]
    rows = (int(np.prod(shape)), estimates.shape[-1])
    y, v = estimates.reshape(rows), errors.reshape(rows) ** 2
    used = np.isfinite(y) & np.isfinite(v) & (v > 0)
    y, sites = np.where(used, y, 0.0), used.sum(axis=1)
    # A site that is left out has an infinite variance, and so no weight anywhere below.
    v = np.where(used, v, np.inf)
    tau2 = np.where(sites > 1, BETWEEN[method](y, v), 0.0)
    settled = np.isfinite(tau2)
    tau2 = np.where(settled, tau2, 0.0)
    w = 1 / (v + tau2[:, None])
    mean = _mean(y, w)
    q = ((y - _mean(y, 1 / v)[:, None]) ** 2 / v).sum(axis=1)
    total, scatter = w.sum(axis=1), (w * (y - mean[:, None]) ** 2).sum(axis=1)
    df = np.maximum(sites - 1, 1)
    error = np.sqrt(_divide(scatter / df if hartung_knapp else np.ones_like(total), total))
    width = error * (stdtrit(df, 0.975) if hartung_knapp else ndtri(0.975))
    ratio = -np.abs(_divide(mean, error))
    several = sites > 1
    between = tau2 if method != "fixed" else _dersimonian_laird(y, v)
    predicted = stdtrit(np.maximum(sites - 2, 1), 0.975) * np.sqrt(tau2 + error**2)
    known = (several if hartung_knapp else sites > 0) & settled

    def shown(values: npt.ArrayLike, where: npt.NDArray[np.bool_]) -> Floats:
        return np.where(where, values, np.nan).reshape(shape)

    return Combined(
        sites=sites.reshape(shape),
        beta=shown(mean, (sites > 0) & settled),
        se=shown(error, known),
        low=shown(mean - width, known),
        high=shown(mean + width, known),
        p=shown(2 * (stdtr(df, ratio) if hartung_knapp else ndtr(ratio)), known),
        q=shown(q, several),
        q_p=shown(chdtrc(df, q), several),
        tau2=shown(tau2, several & settled),
        i2=shown(_divide(between, between + _typical(v, sites)), several & settled),
        predicted_low=shown(mean - predicted, (sites > 2) & settled),
        predicted_high=shown(mean + predicted, (sites > 2) & settled),
        reason=np.select([sites == 0, sites == 1, ~settled, sites == 2], REASONS, "").reshape(shape),
    )


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("combining sites' estimates", found, do_next)


def _divide(above: Floats, below: Floats) -> Floats:
    """0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _mean(y: Floats, w: Floats) -> Floats:
    return _divide((w * y).sum(axis=1), w.sum(axis=1))


def _typical(v: Floats, sites: Ints) -> Floats:
    """The variance that a typical site's estimate has from sampling (Higgins and Thompson, Statistics in Medicine 2002)."""
    w = 1 / v
    total = w.sum(axis=1)
    return _divide((sites - 1) * total, total**2 - (w**2).sum(axis=1))


def _none(y: Floats, v: Floats) -> Floats:
    return np.zeros(len(y))


def _dersimonian_laird(y: Floats, v: Floats) -> Floats:
    """tau2 from Cochran's Q, by moments (DerSimonian and Laird, Controlled Clinical Trials 1986)."""
    w = 1 / v
    total, sites = w.sum(axis=1), (w > 0).sum(axis=1)
    q = (w * (y - _mean(y, w)[:, None]) ** 2).sum(axis=1)
    return np.maximum(0.0, _divide(q - (sites - 1), total - _divide((w**2).sum(axis=1), total)))


def _reml(y: Floats, v: Floats) -> Floats:
    """tau2 of greatest restricted likelihood (Viechtbauer, JEBS 2005); inf where it does not settle.

    Newton's steps, or Fisher's where the likelihood is not concave. Every slope says on which side the maximum lies; a step
    beyond what earlier slopes allow goes half way instead.
    """
    tau2 = _dersimonian_laird(y, v)
    typical = _typical(v, (v < np.inf).sum(axis=1))
    low, high = np.full_like(tau2, -np.inf), np.full_like(tau2, np.inf)
    moving = (v < np.inf).sum(axis=1) > 1
    for _ in range(_MOST_STEPS):
        if not moving.any():
            break
        w = 1 / (v + tau2[:, None])
        total, squares, cubes = ((w**power).sum(axis=1) for power in (1, 2, 3))
        share, residual = _divide(squares, total), w * (y - _mean(y, w)[:, None])
        slope = (residual**2).sum(axis=1) - (total - share)
        expected = squares - 2 * _divide(cubes, total) + share**2
        bend = (w * residual**2).sum(axis=1) - _divide((w * residual).sum(axis=1) ** 2, total)
        concave = 2 * bend > 1.01 * expected
        change = _divide(slope, np.where(concave, 2 * bend - expected, expected))
        low, high = np.where(change > 0, tau2, low), np.where(change < 0, tau2, high)
        after = np.maximum(0.0, tau2 + change)
        after = np.where(after <= low, (tau2 + np.maximum(low, 0.0)) / 2, after)
        after = np.where(after > high, (tau2 + np.minimum(high, after)) / 2, after)
        after = np.where(moving, after, tau2)
        moving &= np.abs(after - tau2) > _SETTLED * (typical + tau2)
        tau2 = after
    return np.where(moving, np.inf, tau2)


BETWEEN: Mapping[str, Between] = {"fixed": _none, "dersimonian_laird": _dersimonian_laird, "reml": _reml}
"""The variance between sites, by each method: from estimates and their variances, rows x sites."""
