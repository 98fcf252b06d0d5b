"""Firth's penalty, which keeps log odds ratios finite when cases are few: of every hit quickly, or of a few exactly.

For whoever scans a disease with few cases: with three carriers, all of them cases, the likelihood has no maximum. `approximate` is
REGENIE's way: the covariates' part is fitted once, and each round is five numbers a variant. `exact` refits everything for each
variant, as plink2 and logistf do, and is for the variants that will be published.

    covariates = Null.of(solve(..., step, start(phenotypes, k, penalised=True)))     the covariates alone, with the penalty
    state = solve(lambda state: total(summarise(adjusted(g, site, hits), site, state) ...), step, approximate(hits, covariates))
    scores = scores.replaced(hits, state.effects())
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from nhsgen.compute import mapped
from nhsgen.settings import Settings
from nhsgen.statistics import logistic
from nhsgen.statistics.logistic import (
    CLOSE,
    LONGEST_STEP,
    OK,
    SETTLED,
    UNSETTLED,
    Effects,
    Fits,
    Hits,
    Null,
    People,
    Scale,
    Scores,
    adjusted,
    along,
    log10_p,
)
from nhsgen.statistics.logistic_kernels import put
from nhsgen.statistics.sums import Floats, Sums, solve

__all__ = ["Approximate", "approximate", "exact", "scan", "step", "summarise"]

Ints = npt.NDArray[np.int64]

MOST_ROUNDS = 60


def exact(null: Null, hits: Hits, *, missing: str = "complete") -> Fits:
    """Firth's regression on covariates and genotype, for `logistic.summarise` and `logistic.step`; its `effects` are plink2's."""
    return logistic.wald(null, hits, missing=missing, penalised=True)


@dataclass(frozen=True, eq=False)
class Approximate:
    """How far R regressions are. covariates: the model without genotypes, fitted with the penalty.

    going: which rows are still asked about. beta: R, where they are asked; best: R, the last that was no worse; value, first: R,
    penalised log likelihood there and at 0; information: R, there.
    """

    hits: Hits
    covariates: Null
    going: Ints
    beta: Floats
    best: Floats
    value: Floats
    first: Floats
    information: Floats
    reason: npt.NDArray[np.uint8]
    rounds: int = 0

    def effects(self, *, from_test: bool = False) -> Effects:
        """p is that of the penalised likelihood ratio. se is I^-1/2, or with `from_test`, the one that would give that p by
        Wald's test (REGENIE's --firth-se).
        """
        ok = self.reason == OK
        chi = np.sqrt(np.maximum(2.0 * (self.value - self.first), 0.0))
        by_test = np.divide(np.abs(self.best), chi, out=np.full(len(chi), np.nan), where=chi > 0)
        by_information = np.maximum(self.information, 1e-300) ** -0.5
        se = np.where(np.isnan(by_test), by_information, by_test) if from_test else by_information
        beta, se, p = (np.where(ok, each, np.nan) for each in (self.best, se, log10_p(chi)))
        return Effects(beta, se, p, self.reason)


def approximate(hits: Hits, covariates: Null) -> Approximate:
    """Where the rounds start. hits: those of the score test, whose weights adjusted them; covariates: fitted with the penalty."""
    rows, none = len(hits.variant), np.zeros(len(hits.variant))
    reason = covariates.reason[hits.phenotype]
    going = np.flatnonzero(reason == OK)
    return Approximate(hits, covariates, going, none, none, np.full(rows, -np.inf), none, none, reason)


def summarise(genotype: Floats, people: People, state: Approximate) -> Sums:
    """A round, for the G rows still going. genotype: R x people, `logistic.adjusted`.

    log_likelihood: G; with a the genotype, slope, information, third, fourth: G, the sums of a (y - p), w a^2, w a^3 (1/2 - p) and
    w a^4 (1/2 - 3 w).
    """
    outcome = np.ascontiguousarray(np.nan_to_num(people.y).T)
    log_odds = state.covariates.log_odds(people)
    sums = along(genotype, state.going, state.beta[state.going], log_odds, outcome, state.hits.phenotype)
    return Sums.of(**dict(zip(("log_likelihood", "slope", "information", "third", "fourth"), sums.T, strict=True)))


def step(state: Approximate, total: Sums) -> tuple[Approximate, bool]:
    """Newton's step towards sum of a (y - p + h (1/2 - p)) = 0, with h = w a^2 / I (Firth, Biometrika 1993; REGENIE: Mbatchou et
    al., Nature Genetics 2021). dI = 2 third and d third = fourth, for each unit of beta.
    """
    rows, information, third = state.going, np.maximum(total["information"], 1e-300), total["third"]
    value = total["log_likelihood"] + 0.5 * np.log(information)
    better = value >= state.value[rows] - 1e-10 * (1.0 + np.abs(value))
    curvature = information + 2.0 * (third / information) ** 2 - total["fourth"] / information
    slope = total["slope"] + third / information
    delta = slope / np.where(curvature > 0.1 * information, curvature, information)
    rounds = state.rounds + 1
    settled = better & (np.abs(delta) * np.sqrt(information) <= (CLOSE if rounds == MOST_ROUNDS else SETTLED))
    here, last = state.beta[rows], state.best[rows]
    after = replace(
        state,
        going=rows[~settled],
        beta=put(
            state.beta, rows, np.where(better, here + np.clip(delta, -LONGEST_STEP, LONGEST_STEP), (here + last) / 2)
        ),
        best=put(state.best, rows[better], here[better]),
        value=put(state.value, rows[better], value[better]),
        first=put(state.first, rows, value) if not state.rounds else state.first,
        information=put(state.information, rows[better], information[better]),
        rounds=rounds,
    )
    if rounds == MOST_ROUNDS:
        return replace(after, reason=put(state.reason, after.going, UNSETTLED)), True
    return after, not after.going.size


# -- One site, all rounds ---------------------------------------------------------------------------------------------

CHUNK = 1024
"""Variants that a thread does at once."""


def scan(
    read: Callable[[int, int], logistic.Genotypes],
    variants: int,
    people: People,
    *,
    below: float = 0.01,
    from_test: bool = False,
    settings: Settings | None = None,
) -> list[Scores]:
    """The score test of every variant for the people of one site, and approximate Firth where its p is below `below`.

    read: genotypes of the variants from a first to before a last; it is called by several threads. One `Scores` a thousand.
    """
    people = people.scaled(Scale.of(logistic.moments(people)))
    phenotypes, size = people.y.shape[1], people.x.shape[1]
    null, covariates = (
        Null.of(solve(lambda fits: logistic.summarise(people, fits), logistic.step, first, most_rounds=1000))
        for first in (logistic.start(phenotypes, size), logistic.start(phenotypes, size, penalised=True))
    )

    def some(begin: int) -> Scores:
        g = read(begin, min(begin + CHUNK, variants))
        scores = logistic.estimate(null, logistic.score_sums(g, people, null))
        hits = scores.hits(below)
        genotype = adjusted(g, people, hits)
        state = solve(
            lambda state: summarise(genotype, people, state), step, approximate(hits, covariates), most_rounds=1000
        )
        return scores.replaced(hits, state.effects(from_test=from_test))

    # One thread for each product: they are small, and there are as many at once as there are threads.
    with threadpool_limits(1, "blas"):
        return list(mapped(some, range(0, variants, CHUNK), settings=settings or Settings()))
