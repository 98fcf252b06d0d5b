"""Is an allele more common in cases than in controls, their covariates taken into account? Score test and approximate Firth.

For a scan of cases and controls. The model without a genotype is fitted once, in rounds; then one round tests every allele (the
score test), and only where its p is small are a few more rounds spent on Firth's penalised estimate, which stays finite and honest
where cases are few (the recipe of REGENIE: Mbatchou et al., Nature Genetics 2021). Every round is a sum over people:

    null       Newton's steps for y ~ X; then Firth's for the same, whose linear predictor is the offset of what follows
    scores     per allele U = g'(y - p), g'Wg, g'WX           -> `estimate`: beta = U / V, se = V^-1/2
    firth      per allele, at its beta, four numbers          -> `firth_step`, until nothing moves

X has the intercept first. Somebody who was not called has the mean of all others.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import expit, log_ndtr

from nhsgen.errors import BadInput
from nhsgen.statistics import genotype_blocks as blocks
from nhsgen.statistics.genotype_blocks import Words
from nhsgen.statistics.sums import Floats, Sums

__all__ = [
    "REASONS",
    "Hits",
    "Null",
    "Tested",
    "corrected",
    "estimate",
    "firth",
    "firth_done",
    "firth_start",
    "firth_step",
    "null_step",
    "null_sums",
    "scores",
]

Bools = npt.NDArray[np.bool_]
REASONS = ("", "monomorphic", "collinear with the covariates", "Firth's estimate did not settle")
MONOMORPHIC, COLLINEAR, UNSETTLED = 1, 2, 3

_AT_ONCE = 64
_ONE, _LOW = np.uint64(1), np.uint64(0x5555555555555555)
_SMALL = 1e-9
_SETTLED = 1e-11
_LONGEST_STEP = 5.0
_MOST_STEPS = 25


# -- The model without a genotype ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Null:
    """Where the rounds stand.

    beta: K, of the maximum likelihood; inverse: K x K, of X'WX there. firth: K, Firth's estimate; firth_inverse: X'WX there.
    stage: "likelihood", "information", "penalised" (these two by turns), "done". separated: cases and controls are told apart
    exactly, so that the first of the two estimates is not finite.
    """

    beta: Floats
    inverse: Floats
    firth: Floats
    firth_inverse: Floats
    stage: str = "likelihood"
    steps: int = 0
    people: int = 0
    cases: int = 0

    @classmethod
    def start(cls, columns: int) -> "Null":
        zeros, square = np.zeros(columns), np.zeros((columns, columns))
        return cls(zeros, square, zeros, square)

    @property
    def done(self) -> bool:
        return self.stage == "done"


def null_sums(x: Floats, y: Floats, null: Null) -> Sums:
    """A site's part of a round. x: people x K, y: people (0 or 1).

    gradient: K, information: K x K, at the estimate that the stage is about; people, cases. One person changes the gradient by
    their own row of x at most (twice that for the penalised).
    """
    at = null.beta if null.stage == "likelihood" else null.firth
    p = expit(x @ at)
    w = p * (1.0 - p)
    slope = y - p
    if null.stage == "penalised":
        hat = w * np.einsum("ik,kj,ij->i", x, null.firth_inverse, x)
        slope = slope + hat * (0.5 - p)
    return Sums.of(gradient=x.T @ slope, information=(x * w[:, None]).T @ x, people=len(y), cases=y.sum())


def null_step(null: Null, total: Sums) -> Null:
    """What the total says; a column that others make up has no effect of its own. BadInput when there are only cases or controls."""
    people, cases = int(total["people"]), int(total["cases"])
    if not 0 < cases < people:
        raise BadInput("fitting a model of cases and controls", "there are no cases, or no controls", "ask for others")
    inverse = _inverse(total["information"])
    null = replace(null, people=people, cases=cases, steps=null.steps + 1)
    if null.stage == "information":
        return replace(null, firth_inverse=inverse, stage="penalised")
    move = inverse @ total["gradient"]
    small = float(move @ total["gradient"]) < _SETTLED**2 * people or null.steps > _MOST_STEPS
    move *= min(1.0, _LONGEST_STEP / max(float(np.abs(move).max(initial=0.0)), _SMALL))
    if null.stage == "likelihood":
        if small:
            return replace(null, inverse=inverse, firth=null.beta, stage="information", steps=0)
        return replace(null, beta=null.beta + move)
    return replace(null, firth=null.firth + move, stage="done" if small else "information")


def _inverse(information: Floats) -> Floats:
    """On the space that the columns span; each is first brought to one scale."""
    scale = np.sqrt(np.diag(information))
    scale = np.where(scale > 0.0, scale, 1.0)
    inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=_SMALL, hermitian=True)
    return np.asarray(inverse / np.outer(scale, scale))


# -- The score test -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Tested:
    """Of each allele: beta (log odds a copy of ALT), se, chi-square with one degree of freedom, -log10 p; nan where there is a reason.

    people, copies, alleles: who were called, and of their alleles how many are ALT. null_x: V x K, X'Wg / (X'WX), what makes g
    orthogonal to the covariates.
    """

    beta: Floats
    se: Floats
    chi_square: Floats
    log10_p: Floats
    people: npt.NDArray[np.int64]
    copies: npt.NDArray[np.int64]
    reason: npt.NDArray[np.uint8]
    null_x: Floats


def scores(words: Words, x: Floats, y: Floats, null: Null, mean: Floats) -> Sums:
    """A site's part: u: V; gwg: V; gwx: V x K; called, copies: V. words: alleles x people packed; mean: V, copies a person in all sites."""
    p = expit(x @ null.beta)
    w, slope = p * (1.0 - p), y - p
    size = 1 + x.shape[1]
    columns = blocks.widened(np.column_stack([slope, x * w[:, None], w]))
    twos, missing = (words >> _ONE) & ~words & _LOW, (words >> _ONE) & words & _LOW
    counted = blocks.count(words, blocks.membership(np.ones(len(y), dtype=bool)))
    carriers = counted[:, 0] + counted[:, 1]
    copies = blocks.products(words, columns, carriers)
    squares = blocks.products(twos, blocks.widened(w[:, None]), counted[:, 1])[:, 0]
    uncalled = np.flatnonzero(counted[:, 2])
    left = np.tile(columns.sum(axis=0), (len(words), 1))
    left[uncalled] -= blocks.products(missing[uncalled], columns, counted[uncalled, 2])
    centred = copies - mean[:, None] * left
    # Of g less its mean: w g^2 = w (copies^2 - 2 mean copies + mean^2), and copies^2 is copies, and 2 more where there are two.
    gwg = copies[:, size] + 2.0 * squares - mean * (copies[:, size] + centred[:, size])
    return Sums.of(
        u=centred[:, 0], gwg=gwg, gwx=centred[:, 1:size], called=len(y) - counted[:, 2], copies=carriers + counted[:, 1]
    )


def _decoded(words: Words, people: int, mean: Floats) -> Iterator[tuple[slice, Floats]]:
    """Some rows at a time: copies less the mean, 0 where nothing was called. The next rows are written over them."""
    buffer = np.empty((min(_AT_ONCE, max(1, len(words))), 32 * words.shape[1]))
    for start in range(0, len(words), _AT_ONCE):
        rows = slice(start, min(start + _AT_ONCE, len(words)))
        m = mean[rows]
        out = buffer[: rows.stop - rows.start]
        blocks.decode(words[rows], np.stack([-m, 1.0 - m, 2.0 - m, np.zeros_like(m)], axis=1), 0, out)
        yield rows, out[:, :people]


def estimate(total: Sums, null: Null) -> Tested:
    """The score test of each allele (Cox and Hinkley 1974): U^2 / V, V = g'Wg - g'WX (X'WX)^-1 X'Wg."""
    gwx = total["gwx"]
    null_x = gwx @ null.inverse
    v = total["gwg"] - (null_x * gwx).sum(axis=1)
    called, copies = total["called"].astype(np.int64), total["copies"].astype(np.int64)
    reason = np.zeros(len(v), dtype=np.uint8)
    reason[v <= 1e-8 * np.maximum(total["gwg"], 1e-300)] = COLLINEAR
    reason[(copies == 0) | (copies == 2 * called) | (called == 0)] = MONOMORPHIC
    fine = reason == 0
    v = np.where(fine, v, np.nan)
    chi_square = total["u"] ** 2 / v
    return Tested(total["u"] / v, v**-0.5, chi_square, _log10_p(chi_square), called, copies, reason, null_x)


def _log10_p(chi_square: Floats) -> Floats:
    """-log10 of the p of chi-square with one degree of freedom, where p is 0 too.

    >>> float(_log10_p(np.array([3.841458820694124])).round(6)[0])
    1.30103
    """
    return np.asarray(-(np.log(2.0) + log_ndtr(-np.sqrt(chi_square))) / np.log(10.0))


# -- Firth, for the few -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Hits:
    """Alleles that Firth's estimate is sought for, and where it stands. rows: their numbers; beta: where everybody answers next.

    information, penalised: of the last answer; start: the penalised log likelihood at 0; settled: whose estimate is final.
    """

    rows: npt.NDArray[np.int64]
    null_x: Floats
    mean: Floats
    beta: Floats
    best: Floats
    information: Floats
    penalised: Floats
    start: Floats
    settled: Bools
    steps: int = 0


def firth_start(tested: Tested, mean: Floats, below: float) -> Hits:
    """The alleles whose score test has a p below this; a first round at 0 gives what the likelihood ratio is compared with."""
    rows = np.flatnonzero((tested.reason == 0) & (np.nan_to_num(tested.log10_p) > -np.log10(max(below, 1e-300))))
    zeros, unknown = np.zeros(len(rows)), np.full(len(rows), -np.inf)
    return Hits(
        rows, tested.null_x[rows], mean[rows], zeros, zeros, zeros, unknown, unknown, np.zeros(len(rows), dtype=bool)
    )


def firth(words: Words, x: Floats, y: Floats, null: Null, hits: Hits) -> Sums:
    """A site's part of a round, four numbers a hit: slope g'(y - p), information g'Wg, third g'W g^2 (1/2 - p), log likelihood.

    words: of the hits' rows alone. g is made orthogonal to X by the likelihood's weights; p has the offset of Firth's model without
    a genotype.
    """
    found = np.zeros((len(hits.rows), 4))
    waiting = np.flatnonzero(~hits.settled)
    offset = x @ null.firth
    for rows, g in _decoded(words[waiting], len(y), hits.mean[waiting]):
        at = waiting[rows]
        _add_up(g, np.ascontiguousarray(x), y, offset, hits.null_x[at], hits.beta[at], at, found)
    return Sums.of(slope=found[:, 0], information=found[:, 1], third=found[:, 2], likelihood=found[:, 3])


@njit(cache=True, nogil=True)
def _add_up(
    g: Floats,
    x: Floats,
    y: Floats,
    offset: Floats,
    null_x: Floats,
    beta: Floats,
    at: npt.NDArray[np.int64],
    found: Floats,
) -> None:
    for row in range(len(at)):
        slope, information, third, likelihood = 0.0, 0.0, 0.0, 0.0
        for who in range(len(y)):
            clean = g[row, who]
            for k in range(x.shape[1]):
                clean -= null_x[row, k] * x[who, k]
            eta = offset[who] + beta[row] * clean
            part = math.exp(-abs(eta))
            p = 1.0 / (1.0 + part) if eta >= 0 else part / (1.0 + part)
            w = p * (1.0 - p)
            slope += clean * (y[who] - p)
            information += w * clean * clean
            third += w * clean * clean * clean * (0.5 - p)
            likelihood += y[who] * eta - max(eta, 0.0) - math.log1p(part)
        found[at[row], 0], found[at[row], 1] = slope, information
        found[at[row], 2], found[at[row], 3] = third, likelihood


def firth_step(hits: Hits, total: Sums) -> Hits:
    """Newton's next point of the penalised likelihood (Firth, Biometrika 1993); a step that makes it smaller is halved."""
    information = np.maximum(total["information"], 1e-300)
    penalised = total["likelihood"] + 0.5 * np.log(information)
    first, waiting = hits.steps == 0, ~hits.settled
    better = waiting & (first | (penalised >= hits.penalised - 1e-9 * np.abs(hits.penalised)))
    best = np.where(better, hits.beta, hits.best)
    slope = total["slope"] + total["third"] / information
    move = np.clip(slope / information, -_LONGEST_STEP, _LONGEST_STEP)
    settled = hits.settled | (better & (np.abs(move) * np.sqrt(information) < 1e-7))
    return replace(
        hits,
        beta=np.where(settled, best, np.where(better, hits.beta + move, (hits.beta + hits.best) / 2)),
        best=best,
        information=np.where(better, information, hits.information),
        penalised=np.where(better, penalised, hits.penalised),
        start=penalised if first else hits.start,
        settled=settled,
        steps=hits.steps + 1,
    )


def firth_done(hits: Hits) -> bool:
    return not len(hits.rows) or bool(hits.settled.all()) or hits.steps > _MOST_STEPS


def corrected(tested: Tested, hits: Hits) -> Tested:
    """The table with Firth's beta, se (information^-1/2) and penalised likelihood ratio where they were sought."""
    beta, se, chi_square, reason = (
        tested.beta.copy(), tested.se.copy(), tested.chi_square.copy(), tested.reason.copy()
    )  # fmt: skip
    rows = hits.rows
    beta[rows], se[rows] = hits.best, hits.information**-0.5
    chi_square[rows] = np.maximum(0.0, 2.0 * (hits.penalised - hits.start))
    reason[rows[~hits.settled]] = UNSETTLED
    for array in (beta, se, chi_square):
        array[reason == UNSETTLED] = np.nan
    return replace(tested, beta=beta, se=se, chi_square=chi_square, log10_p=_log10_p(chi_square), reason=reason)
