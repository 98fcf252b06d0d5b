"""The saddlepoint approximation: a p that can be believed when cases are a hundred times fewer than controls.

For whoever scans a rare disease against all other patients: the score of a rare allele is then far from normal, and its far tail,
where a genome-wide p lies, is wrong by orders of magnitude. The tail is computed from the score's own cumulants instead, as
SAIGE does (Dey et al., AJHG 2017; Zhou et al., Nature Genetics 2018), for the hits of the score test whose z is beyond 2:

    hits = scores.hits(below=0.0455)
    state = solve(lambda state: total(summarise(adjusted(g, site, hits), site, state) ...), step, approximate(hits, null))
    scores = scores.replaced(hits, state.effects())

Each round is three numbers for each hit and tail.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_ndtr, ndtri_exp, xlogy

from nhsgen.statistics.logistic import CLOSE, OK, SETTLED, UNSETTLED, Effects, Hits, Null, People, along
from nhsgen.statistics.logistic_kernels import put
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["Saddlepoints", "approximate", "step", "summarise"]

Ints = npt.NDArray[np.int64]

EDGE = 1e-9
"""So close to the largest score that there can be, in standard deviations, it is the largest."""

MOST_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class Saddlepoints:
    """The two tails of R hits, 2 R rows, the right ones first: how far they are.

    score: 2 R, |U| and -|U|. going: which rows are still asked about. t: 2 R, where; low, high: 2 R, between what t is.
    log_tail: 2 R, the log of the chance of a score as far out.
    """

    hits: Hits
    null: Null
    score: Floats
    going: Ints
    t: Floats
    low: Floats
    high: Floats
    log_tail: Floats
    reason: npt.NDArray[np.uint8]
    rounds: int = 0

    def effects(self) -> Effects:
        """beta is that of the score test; se the one that would give this p by Wald's test, as in SAIGE's tables."""
        rows = len(self.hits.score)
        reason = np.maximum(self.reason[:rows], self.reason[rows:])
        ok = reason == OK
        log_p = np.minimum(np.logaddexp(self.log_tail[:rows], self.log_tail[rows:]), 0.0)
        beta = self.hits.score / self.hits.variance
        z = -ndtri_exp(log_p - np.log(2.0))
        se = np.divide(np.abs(beta), z, out=self.hits.variance**-0.5, where=z > 0)
        beta, se, p = (np.where(ok, each, np.nan) for each in (beta, se, -log_p / np.log(10.0)))
        return Effects(beta, se, p, reason)


def approximate(hits: Hits, null: Null) -> Saddlepoints:
    """Where the rounds start: where a normal score would have its saddlepoint."""
    score = np.concatenate([np.abs(hits.score), -np.abs(hits.score)])
    t, none = score / np.tile(hits.variance, 2), np.zeros(len(score))
    low, high = np.where(score > 0, 0.0, -np.inf), np.where(score > 0, np.inf, 0.0)
    reason = np.zeros(len(score), np.uint8)
    return Saddlepoints(hits, null, score, np.arange(len(score)), t, low, high, none, reason)


def summarise(genotype: Floats, people: People, state: Saddlepoints) -> Sums:
    """A round, for the G rows still going. genotype: R x people, `logistic.adjusted`.

    cumulant, slope, curvature: G, K(t), K'(t) and K''(t) of the score a'(y - p), whose y are each 1 with chance p:
    K(t) = sum of log(1 - p + p exp(a t)) - a p t. The first round adds edge and log_edge: G, the score if all who can raise
    it (or in the left tail, lower it) were cases and nobody else were, and the log of the chance of that.
    """
    log_odds, phenotype = state.null.log_odds(people), state.hits.phenotype
    rows, which = state.going % len(genotype), phenotype[state.going % len(genotype)]
    p = expit(log_odds)
    # Were each outcome its own chance, the log likelihood along a would be -K(t) and a constant.
    at_zero = (xlogy(p, p) + xlogy(1.0 - p, 1.0 - p)).sum(axis=1)
    sums = along(genotype, rows, state.t[state.going], log_odds, p, phenotype)
    cumulant = at_zero[which] - sums[:, 0]
    if state.rounds:
        return Sums.of(cumulant=cumulant, slope=-sums[:, 1], curvature=sums[:, 2])
    edge, log_edge = np.empty((2, len(rows)))
    for k, (row, number) in enumerate(zip(rows, which, strict=True)):
        a, sign = genotype[row], 1.0 if state.score[state.going[k]] > 0.0 else -1.0
        case, control = sign * a > 0.0, sign * a < 0.0
        edge[k] = a[case].sum() - a @ p[number]
        log_edge[k] = np.log(p[number][case]).sum() + np.log1p(-p[number][control]).sum()
    return Sums.of(cumulant=cumulant, slope=-sums[:, 1], curvature=sums[:, 2], edge=edge, log_edge=log_edge)


def step(state: Saddlepoints, total: Sums) -> tuple[Saddlepoints, bool]:
    """Newton's step towards K'(t) = score, or halfway between what t is known to be between, and then the tail."""
    rows = state.going
    score, t, slope, curvature = state.score[rows], state.t[rows], total["slope"], total["curvature"]
    deviation = np.sqrt(np.tile(state.hits.variance, 2)[rows])
    sign = np.where(score > 0, 1.0, -1.0)
    rounds = state.rounds + 1
    done = np.abs(slope - score) <= (CLOSE if rounds == MOST_ROUNDS else SETTLED) * deviation
    log_tail = _log_tail(score, t, total["cumulant"], curvature)
    if not state.rounds:
        beyond = sign * (total["edge"] - score) < EDGE * deviation
        at_edge = np.abs(total["edge"] - score) <= EDGE * deviation
        log_tail = np.where(beyond, np.where(at_edge, total["log_edge"], -np.inf), log_tail)
        done |= beyond
    low, high = state.low.copy(), state.high.copy()
    low[rows], high[rows] = np.where(slope < score, t, low[rows]), np.where(slope > score, t, high[rows])
    with np.errstate(invalid="ignore", over="ignore"):
        ahead = t + (score - slope) / np.maximum(curvature, 1e-300)
        furthest = 4.0 * t
        halfway = np.where(np.isfinite(low[rows] + high[rows]), 0.5 * (low[rows] + high[rows]), furthest)
        outside = (ahead <= low[rows]) | (ahead >= high[rows]) | (np.abs(ahead) > np.abs(furthest))
    going = rows[~done]
    last = rounds == MOST_ROUNDS
    after = replace(
        state,
        going=going[:0] if last else going,
        t=put(state.t, rows, np.where(outside, halfway, ahead)),
        low=low,
        high=high,
        log_tail=put(state.log_tail, rows[done], log_tail[done]),
        reason=put(state.reason, going, UNSETTLED) if last else state.reason,
        rounds=rounds,
    )
    return after, not after.going.size


def _log_tail(score: Floats, t: Floats, cumulant: Floats, curvature: Floats) -> Floats:
    """The log of the chance of a score beyond this, on its own side of 0 (Barndorff-Nielsen, Biometrika 1986)."""
    w = np.sqrt(np.maximum(2.0 * (t * score - cumulant), 1e-300))
    v = np.abs(t) * np.sqrt(np.maximum(curvature, 1e-300))
    return np.asarray(log_ndtr(-(w + np.log(v / w) / w)))
