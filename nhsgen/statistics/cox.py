"""Cox regression: by how much a genotype, sex or age multiplies the rate of an event, whatever that rate does over time.

For a researcher who compares carriers with others and must adjust for age or treatment. Each site is a stratum: its people are
compared with each other only, so what a site sends in a round is no larger than for any regression (a score, an information
matrix, a log likelihood), and hospitals may differ in their underlying rates. The answer is that of the pooled people, stratified by site.

    people = prepare(leave, died, covariates, entry=entry)                            at each site, once
    state = solve(lambda s: total(summarise(people, s.ask) for people in sites), step, start(("carrier", "age")))
    state.answer()

Nothing is standardised and there is no round 0: within a stratum the partial likelihood does not change when a covariate is
shifted, so each site centres its own people, and what is scaled is scaled at the centre.

`risk_sets` and `from_risk_sets` do the same without strata. That tells who was at risk at each death: inside one wall only, but for
groups (`grouped_risk_sets`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.special import chdtrc, ndtr, ndtri

from nhsgen.errors import BadInput
from nhsgen.statistics import cox_kernels
from nhsgen.statistics.sums import Floats, Sums
from nhsgen.statistics.survival import Grid, Observed, observed

__all__ = [
    "ChiSquare",
    "Effect",
    "Hazards",
    "Newton",
    "People",
    "added_up",
    "from_risk_sets",
    "grouped_risk_sets",
    "prepare",
    "risk_sets",
    "start",
    "step",
    "summarise",
    "weighted_risk_sets",
]

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_COLLINEAR = 1e-9
"""A covariate of whose variance the others leave a smaller share says nothing of its own. R's coxph allows 1.8e-12; a secure sum
in fixed point has fewer digits."""

_LOST = 1e-9
"""A point where less than this share of the information at 0 is left lies too far out to go on from."""

_SETTLED, _NEARLY, _SLOW = 1e-22, 1e-14, 1e-6
"""Squares of a step in standard errors: the answer; the answer when rounding forbids a better one; steps should shrink by now."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """Those of a stratum who were at risk at some death, the last to leave first; x: people x terms, centred."""

    x: Floats
    enter: Floats
    leave: Floats
    died: Flags
    by_enter: Ints


@dataclass(frozen=True, eq=False)
class People:
    """A site's people, ready for any number of rounds; they stay there. left_out: people of whom something needed is missing."""

    known: Observed
    x: Floats
    strata: tuple[Stratum, ...]
    left_out: int


@dataclass(frozen=True)
class Effect:
    """One term's hazard ratio, exp(beta), with its 95 % limits and Wald's p.

    reason: "" or "nobody", "no deaths", "constant" (within every stratum), "collinear" (with terms before it), or "monotone":
    the likelihood grows for ever as beta does, because everybody who dies is at one end; numbers are then nan.
    """

    term: str
    beta: float
    se: float
    ratio: float
    low: float
    high: float
    p: float
    reason: str


@dataclass(frozen=True)
class ChiSquare:
    """Of all terms together: chi-square on `df`; p is nan when df is 0."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True)
class Hazards:
    """likelihood_ratio and score count monotone terms, for which they hold; wald does not."""

    effects: tuple[Effect, ...]
    people: int
    deaths: int
    left_out: int
    null: float
    log_likelihood: float
    likelihood_ratio: ChiSquare
    score: ChiSquare
    wald: ChiSquare


@dataclass(frozen=True, eq=False)
class Newton:
    """Where the rounds stand: every site answers at `ask`. beta: the best point so far, with its sums `at`; `null`: those at 0."""

    terms: tuple[str, ...]
    ask: Floats
    beta: Floats
    reasons: tuple[str, ...]
    at: Sums | None = None
    null: Sums | None = None

    @property
    def used(self) -> Flags:
        return np.array([not reason for reason in self.reasons], dtype=np.bool_)

    def answer(self) -> Hazards:
        """What is known after the rounds so far; final when `step` said so. BadInput before the first."""
        if self.at is None or self.null is None:
            raise _bad("no site has answered yet", "ask them first")
        used, tested = self.used, np.array([reason in ("", "monotone") for reason in self.reasons], dtype=np.bool_)
        covariance = _inverse(self.at["information"], used)
        effects = tuple(
            _effect(term, beta, float(np.sqrt(variance)), reason)
            for term, beta, variance, reason in zip(
                self.terms, map(float, self.beta), np.diag(covariance), self.reasons, strict=True
            )
        )
        null, best = float(self.null["log_likelihood"]), float(self.at["log_likelihood"])
        score = self.null["score"]
        beta, df = self.beta[used], int(tested.sum())
        return Hazards(
            effects,
            int(self.at["people"]),
            int(self.at["deaths"]),
            int(self.at["left_out"]),
            null,
            best,
            likelihood_ratio=_test(max(0.0, 2 * (best - null)), df),
            score=_test(float(score @ _inverse(self.null["information"], tested) @ score), df),
            wald=_test(float(beta @ self.at["information"][np.ix_(used, used)] @ beta), int(used.sum())),
        )


def prepare(
    leave: npt.ArrayLike,
    died: npt.ArrayLike,
    covariates: npt.ArrayLike,
    *,
    entry: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
) -> People:
    """One site's people, checked and sorted once.

    leave, died, entry: as for `survival.summarise`. covariates: people x terms. strata: a label a person, for strata within the
    site, such as sex. Whoever lacks a number or was never observed is left out and counted.
    BadInput for columns of different lengths and a `died` that is neither 0 nor 1.
    """
    x = np.asarray(covariates, dtype=np.float64)
    label = np.zeros(len(x), dtype=np.int64) if strata is None else np.asarray(strata)
    if x.ndim != 2 or not len(x) == np.size(leave) == len(label):
        raise _bad("there is not one row of covariates and one stratum a person", "give one number a person and term")
    complete = np.isfinite(x).all(axis=1)
    known = observed(np.where(complete, np.asarray(leave, dtype=np.float64), nan), died, entry)
    return People(known, x[known.who], tuple(_strata(known, x[known.who], label[known.who])), known.left_out)


def _strata(known: Observed, x: Floats, label: npt.NDArray[np.generic]) -> Iterator[Stratum]:
    for name in np.unique(label):
        here = label == name
        deaths = np.unique(known.leave[here & known.died])
        first, last = Grid(deaths, instants=True).places(known.enter, known.leave)
        kept = np.flatnonzero(here & (first <= last))
        if not kept.size:
            continue
        kept = kept[np.argsort(-known.leave[kept], kind="stable")]
        # Twice: the first makes a constant exactly 0, which a mean with a rounded last digit does not.
        centred = x[kept] - x[kept[0]]
        centred -= centred.mean(axis=0)
        enter = known.enter[kept]
        yield Stratum(
            centred, enter, known.leave[kept], known.died[kept], np.argsort(-enter, kind="stable").astype(np.int64)
        )


def start(terms: Sequence[str]) -> Newton:
    """Before the first round, which asks what the likelihood is when no term matters."""
    zeros = np.zeros(len(terms))
    return Newton(tuple(terms), zeros, zeros, ("",) * len(terms))


def summarise(people: People, ask: Floats) -> Sums:
    """One site's part of a round (Cox, JRSS B 1972; ties: Efron, JASA 1977).

    score: terms; information: terms x terms; log_likelihood, people, deaths, left_out: one number each. A site without deaths
    sends zeros. One person changes the score by at most their covariates' range x (1 + their share of each risk set, summed).
    """
    likelihood, score, information = added_up(people, ask, np.ones_like)
    deaths = people.known.died.sum()
    return Sums.of(
        log_likelihood=likelihood, score=score, information=information,
        people=len(people.x), deaths=deaths, left_out=people.left_out,
    )  # fmt: skip


def added_up(people: People, ask: Floats, weights: Callable[[Floats], Floats]) -> tuple[float, Floats, Floats]:
    """Log likelihood, score and information of a site's strata; weights: of the moments at which people leave."""
    terms = people.x.shape[1]
    if len(ask) != terms:
        raise _bad("the site has other covariates than were asked about", "ask all sites for the same")
    likelihood, score, information = 0.0, np.zeros(terms), np.zeros((terms, terms))
    for stratum in people.strata:
        added, slope, curvature = cox_kernels.partial_likelihood(
            stratum.x, stratum.x @ ask, stratum.enter, stratum.leave, stratum.died, stratum.by_enter, weights(stratum.leave)
        )  # fmt: skip
        likelihood, score, information = likelihood + added, score + slope, information + curvature
    return likelihood, score, information


def step(state: Newton, total: Sums) -> tuple[Newton, bool]:
    """Newton and Raphson's next point from the total at `state.ask`, and whether it is the answer.

    A step that overshoots is halved. A step that stays as long as the one before, though the likelihood has stopped growing, runs
    off along a monotone likelihood (Heinze and Schemper, Biometrics 2001): its terms get that reason, and the rounds end.
    """
    if state.at is None or state.null is None:
        return _onward(replace(state, reasons=_reasons(total), at=total, null=total), total, total)
    fell = total["log_likelihood"] < state.at["log_likelihood"] - 1e-10 * (1 + abs(state.at["log_likelihood"]))
    if fell or _least_left(total["information"], state.null["information"], state.used) < _LOST:
        return replace(state, ask=(state.beta + state.ask) / 2), False
    return _onward(state, total, state.null)


def _onward(state: Newton, total: Sums, null: Sums) -> tuple[Newton, bool]:
    """From `state.ask`, which is better than `state.beta`."""
    direction = _inverse(total["information"], state.used) @ total["score"]
    decrement = float(direction @ total["score"])
    deviations = np.sqrt(np.diag(null["information"]) / max(1.0, float(total["deaths"])))
    lengths, before = np.abs(direction) * deviations, np.abs(state.ask - state.beta) * deviations
    slow = before.max(initial=0.0) > 0 and lengths.max() > before.max() / 2
    reached = replace(state, beta=state.ask, at=total)
    if slow and _NEARLY <= decrement < _SLOW:
        endless = lengths > 1e-3 * lengths.max()
        reasons = tuple("monotone" if no_end else old for no_end, old in zip(endless, state.reasons, strict=True))
        return replace(reached, reasons=reasons), True
    after = replace(reached, ask=state.ask + direction)
    done = decrement < _SETTLED or (slow and decrement < _NEARLY)
    return (replace(after, beta=after.ask) if done else after), done


def _least_left(information: Floats, null: Floats, used: Flags) -> float:
    """The share of the information at 0 that is left in the direction that has lost most: none far out on a flat likelihood."""
    block = np.ix_(used, used)
    return float(eigh(information[block], null[block], eigvals_only=True).min(initial=1.0))


def _reasons(total: Sums) -> tuple[str, ...]:
    """Which terms cannot be estimated, from the information at 0: its rank is the same at every finite beta."""
    information = total["information"]
    terms = len(information)
    if not total["people"] or not total["deaths"]:
        return ("no deaths" if total["people"] else "nobody",) * terms
    reasons: list[str] = []
    for term in range(terms):
        own = information[term, term]
        kept = [place for place in range(term) if not reasons[place]]
        used = np.zeros(terms, dtype=np.bool_)
        used[kept] = True
        left = own - information[term] @ _inverse(information, used) @ information[term]
        reasons.append("constant" if own <= 0 else "collinear" if left <= _COLLINEAR * own else "")
    return tuple(reasons)


def _inverse(information: Floats, used: Flags) -> Floats:
    """The inverse for the terms used, 0 for the others; terms are scaled first, since years and alleles differ by thousands."""
    inverse = np.zeros_like(information)
    block = np.ix_(used, used)
    per = 1 / np.sqrt(np.diag(information)[used])
    inverse[block] = np.linalg.inv(information[block] * np.outer(per, per)) * np.outer(per, per)
    return inverse


def _effect(term: str, beta: float, se: float, reason: str) -> Effect:
    if reason:
        return Effect(term, nan, nan, nan, nan, nan, nan, reason)
    width = float(ndtri(0.975)) * se
    ratio, low, high = (float(np.exp(np.clip(at, -700, 700))) for at in (beta, beta - width, beta + width))
    return Effect(term, beta, se, ratio, low, high, float(2 * ndtr(-abs(beta / se))), "")


def _test(statistic: float, df: int) -> ChiSquare:
    return ChiSquare(statistic, df, float(chdtrc(df, statistic)) if df else nan)


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("fitting a Cox model", found, do_next)


# -- Without strata: inside one wall --------------------------------------------------------------------------------------


def risk_sets(people: People, grid: Grid, ask: Floats) -> Sums:
    """A site's part of a round of the model that is NOT stratified by site (WebDISCO: Lu et al., JAMIA 2015).

    grid: of the deaths of all sites, or coarser. For each of its steps: at_risk and tied, steps x (1 + terms + terms^2), the sums
    of exp(x'beta) x (1, x, xx') over those at risk and over those who die; deaths_at; and dead_x, the plain sum of x over the dead.
    The last people at risk can be read from these, so they must not leave a wall. Here x is as it was given: when it is
    far from 0, take the same number from it at every site first.
    """
    x, known, steps = people.x, people.known, len(grid.starts)
    first, last, dead = grid.followed(known)
    here = first <= last
    late = here & (first > 0)
    powers = np.concatenate([np.ones((len(x), 1)), x, (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)], axis=1)
    weighted = powers * np.exp(x @ ask)[:, None]

    def by_step(places: Ints, rows: Floats) -> Floats:
        added = np.zeros((steps, rows.shape[1]))
        np.add.at(added, places, rows)
        return added

    # From the last step back: a small risk set must not be what is left of a large one.
    change = by_step(last[here], weighted[here]) - by_step(first[late] - 1, weighted[late])
    return Sums.of(
        at_risk=np.cumsum(change[::-1], axis=0)[::-1],
        tied=by_step(last[dead], weighted[dead]),
        deaths_at=np.bincount(last[dead], minlength=steps),
        dead_x=x[dead].sum(axis=0),
        people=len(x),
        deaths=dead.sum(),
        left_out=people.left_out,
    )


def from_risk_sets(total: Sums, ask: Floats) -> Sums:
    """What `step` needs, from the total of `risk_sets` over all sites at `ask`."""
    likelihood, score, information = weighted_risk_sets(total, np.ones(len(total["deaths_at"])), len(ask))
    score += total["dead_x"]
    counts = {name: total[name] for name in ("people", "deaths", "left_out")}
    return Sums.of(log_likelihood=likelihood + ask @ total["dead_x"], score=score, information=information, **counts)


def weighted_risk_sets(total: Sums, weights: Floats, terms: int) -> tuple[float, Floats, Floats]:
    """Log likelihood, score (without what the dead themselves add) and information, the moments weighted."""
    return cox_kernels.from_risk_sets(total["at_risk"], total["tied"], total["deaths_at"], weights, terms)


def grouped_risk_sets(tables: Sums, x: Floats, ask: Floats) -> Sums:
    """`risk_sets` where groups are all that is known of people, from the tables of `survival.summarise`: they tell nothing more.

    x: groups x terms. What leaves a site is what a survival curve needs, and it is asked once: the rounds are made of the total.
    """
    powers = np.concatenate([np.ones((len(x), 1)), x, (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)], axis=1)
    weighted = powers * np.exp(x @ ask)[:, None]
    deaths = tables["deaths"]
    return Sums.of(
        at_risk=tables["at_risk"].T @ weighted,
        tied=deaths.T @ weighted,
        deaths_at=deaths.sum(axis=0),
        dead_x=deaths.sum(axis=1) @ x,
        people=tables["people"].sum(),
        deaths=deaths.sum(),
        left_out=tables["left_out"].sum(),
    )
