"""The partial likelihood of one stratum, and that of sums over risk sets: Cox's model, compiled.

Each moment at which somebody dies may have a weight. It leaves the log likelihood as it is, and multiplies that moment's part of
the score and of the information: with weights of 1 they are the model's own, with others they ask whether an effect changes.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.statistics.sums import Floats

__all__ = ["from_risk_sets", "partial_likelihood"]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., object])

_NOISE = 1e-13
"""Information that is a smaller share of the squares it was subtracted from is rounding."""

_DIGITS_KEPT = 1e-3
"""When people leave a risk set and less than this share of its sums is left, they are added up afresh."""


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@_compiled
def _efron(
    deaths: int, at: float, s0: float, s1: Floats, s2: Floats, t0: float, t1: Floats, t2: Floats, score: Floats, information: Floats,
) -> float:  # fmt: skip
    """Add the risk set's part of a moment to `score` and `information`, and return its part of the log likelihood (Efron, JASA 1977).

    s: sums of exp(x'beta) x (1, x, xx') over those at risk; t: over those who die, of whom one after the other leaves; at: the moment's weight.
    """
    likelihood = 0.0
    terms = len(score)
    for gone in range(deaths):
        share = gone / deaths
        weight = s0 - share * t0
        likelihood -= np.log(weight)
        for a in range(terms):
            mean = (s1[a] - share * t1[a]) / weight
            score[a] -= at * mean
            for b in range(a + 1):
                curve = at * ((s2[a, b] - share * t2[a, b]) / weight - mean * (s1[b] - share * t1[b]) / weight)
                information[a, b] += curve
                if a != b:
                    information[b, a] += curve
    return likelihood


@_compiled
def from_risk_sets(
    at_risk: Floats, tied: Floats, deaths: Floats, weights: Floats, terms: int
) -> tuple[float, Floats, Floats]:
    likelihood, score, information = 0.0, np.zeros(terms), np.zeros((terms, terms))
    for moment in range(len(at_risk)):
        s, t = at_risk[moment], tied[moment]
        likelihood += _efron(
            int(deaths[moment]), weights[moment], s[0], s[1 : terms + 1], s[terms + 1 :].reshape(terms, terms),
            t[0], t[1 : terms + 1], t[terms + 1 :].reshape(terms, terms), score, information,
        )  # fmt: skip
    return likelihood, score, information


@_compiled
def _add(row: Floats, weight: float, s1: Floats, s2: Floats) -> None:
    for a in range(len(row)):
        s1[a] += weight * row[a]
        for b in range(a + 1):
            s2[a, b] += weight * row[a] * row[b]


@_compiled
def _afresh(x: Floats, eta: Floats, here: Flags, s1: Floats, s2: Floats) -> tuple[float, float]:
    """Add up those who are here into s1 and s2; the sum of their weights, and the largest eta among them."""
    s0, top = 0.0, -np.inf
    s1[:], s2[:] = 0.0, 0.0
    for who in np.flatnonzero(here):
        top = max(top, eta[who])
    for who in np.flatnonzero(here):
        weight = np.exp(eta[who] - top)
        s0 += weight
        _add(x[who], weight, s1, s2)
    return s0, top


@_compiled
def partial_likelihood(
    x: Floats, eta: Floats, enter: Floats, leave: Floats, died: Flags, by_enter: Ints, weights: Floats
) -> tuple[float, Floats, Floats]:
    """Log likelihood, score and information of one stratum, walking back in time: people join when they leave, and go when they entered.

    Within a sum people weigh exp(eta - top), top being the largest eta at risk: it neither overflows nor vanishes. weights: one a
    person, the same for all who leave at one moment.
    """
    people, terms = x.shape
    likelihood, score, information = 0.0, np.zeros(terms), np.zeros((terms, terms))
    squares = np.zeros(terms)
    s0, s1, s2 = 0.0, np.zeros(terms), np.zeros((terms, terms))
    t1, t2 = np.zeros(terms), np.zeros((terms, terms))
    top, most = -np.inf, 0.0
    joined, gone = 0, 0
    while joined < people:
        moment, since, deaths = leave[joined], joined, 0
        while joined < people and leave[joined] == moment:
            if eta[joined] > top:
                factor = np.exp(top - eta[joined])
                s0, most, top = s0 * factor, most * factor, eta[joined]
                s1 *= factor
                s2 *= factor
            weight = np.exp(eta[joined] - top)
            s0 += weight
            _add(x[joined], weight, s1, s2)
            deaths += died[joined]
            joined += 1
        most = max(most, s0)
        if deaths == 0:
            continue
        while gone < people and enter[by_enter[gone]] >= moment:
            who = by_enter[gone]
            weight = np.exp(eta[who] - top)
            s0 -= weight
            _add(x[who], -weight, s1, s2)
            gone += 1
        if s0 < _DIGITS_KEPT * most:
            s0, top = _afresh(x[:joined], eta, enter[:joined] < moment, s1, s2)
            most = s0
        t0, t1[:], t2[:] = 0.0, 0.0, 0.0
        for who in range(since, joined):
            if died[who]:
                weight = np.exp(eta[who] - top)
                t0 += weight
                _add(x[who], weight, t1, t2)
                likelihood += eta[who] - top
                for a in range(terms):
                    score[a] += weights[who] * x[who, a]
        for a in range(terms):
            squares[a] += weights[since] * deaths * s2[a, a] / s0
        likelihood += _efron(deaths, weights[since], s0, s1, s2, t0, t1, t2, score, information)
    for a in range(terms):
        if information[a, a] <= _NOISE * squares[a]:
            score[a] = 0.0
            information[a, :] = 0.0
            information[:, a] = 0.0
    return likelihood, score, information
