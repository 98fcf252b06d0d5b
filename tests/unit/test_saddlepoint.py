"""The saddlepoint approximation against every outcome there can be, and against its equations solved one variant at a time."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from nhsgen.statistics import logistic, saddlepoint
from nhsgen.statistics.logistic import REASONS, Effects, Hits, Null, People, adjusted, estimate, score_sums, start
from nhsgen.statistics.sums import solve

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]


def approximated(g: Copies, people: People, below: float) -> tuple[Null, Hits, Floats, Effects]:
    first = start(people.y.shape[1], people.x.shape[1])
    null = Null.of(solve(lambda fits: logistic.summarise(people, fits), logistic.step, first))
    hits = estimate(null, score_sums(g, people, null)).hits(below)
    genotype = adjusted(g, people, hits)
    state = solve(
        lambda state: saddlepoint.summarise(genotype, people, state),
        saddlepoint.step,
        saddlepoint.approximate(hits, null),
        most_rounds=100,
    )
    assert state.rounds <= 15
    return null, hits, genotype, state.effects()


def test_every_outcome_of_eighteen_people() -> None:
    """Few cases: the normal p is wrong by a factor, the saddlepoint's by a tenth or two."""
    random = np.random.default_rng(8)
    x = np.column_stack([np.ones(18), random.normal(size=18)])
    g = random.binomial(2, 0.3, (6, 18)).astype(np.uint8)
    y = np.zeros(18)
    y[[2, 9, 11]] = 1
    g[0] = y + (np.arange(18) == 5)
    people = People.of(x, y)
    null, hits, genotype, effects = approximated(g, people, 0.3)
    p = expit(null.log_odds(people)[0])
    outcomes = ((np.arange(2**18)[:, None] >> np.arange(18)) & 1).astype(np.float64)
    chance = np.exp(outcomes @ np.log(p) + (1 - outcomes) @ np.log1p(-p))
    scores = (outcomes - p) @ genotype.T
    exact = (chance[:, None] * (np.abs(scores) >= np.abs(hits.score) - 1e-9)).sum(axis=0)
    assert chance.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(effects.p, exact, rtol=0.3)
    off = np.abs(effects.log10_p + np.log10(exact))
    normal = np.abs(logistic.log10_p(hits.score / np.sqrt(hits.variance)) + np.log10(exact))
    assert off[0] < normal[0] / 3


def disease(seed: int, odds: float) -> tuple[Copies, People]:
    random = np.random.default_rng(seed)
    x = np.column_stack([np.ones(1500), random.normal(size=1500)])
    g = random.binomial(2, random.uniform(0.003, 0.05, (60, 1)), (60, 1500)).astype(np.uint8)
    y = np.stack([random.random(1500) < expit(0.5 * x[:, 1] + odds) for _ in range(2)], axis=1).astype(np.float64)
    y[:40, 1] = np.nan
    return g, People.of(x, y)


def slope(t: float, a: Floats, p: Floats, score: float) -> float:
    """K'(t) - score."""
    return float((a * (p * np.exp(a * t) / (1 - p + p * np.exp(a * t)) - p)).sum() - score)


def test_the_equations_solved_one_by_one() -> None:
    g, people = disease(1, -3.5)
    null, hits, genotype, effects = approximated(g, people, 0.3)
    assert len(hits.variant) > 5
    assert not effects.reason.any()
    for row in range(len(hits.variant)):
        a, p = genotype[row], expit(null.log_odds(people))[hits.phenotype[row]]
        tails = 0.0
        for s in (abs(hits.score[row]), -abs(hits.score[row])):
            t = brentq(slope, -30, 30, args=(a, p, s), xtol=1e-14)
            k = (np.log(1 - p + p * np.exp(a * t)) - a * p * t).sum()
            tilted = p * np.exp(a * t) / (1 - p + p * np.exp(a * t))
            v = abs(t) * np.sqrt((a**2 * tilted * (1 - tilted)).sum())
            w = np.sqrt(2 * (t * s - k))
            tails += norm.sf(w + np.log(v / w) / w)
        assert effects.p[row] == pytest.approx(tails, rel=1e-8)
        assert effects.beta[row] == pytest.approx(hits.score[row] / hits.variance[row])
        assert 2 * norm.sf(abs(effects.beta[row]) / effects.se[row]) == pytest.approx(tails, rel=1e-8)


def test_a_balanced_trait_and_common_alleles_have_a_normal_score() -> None:
    random = np.random.default_rng(3)
    g = random.binomial(2, 0.5, (40, 3000)).astype(np.uint8)
    people = People.of(np.ones((3000, 1)), np.arange(3000) % 2)
    _, hits, _, effects = approximated(g, people, 0.3)
    np.testing.assert_allclose(effects.log10_p, logistic.log10_p(hits.score / np.sqrt(hits.variance)), rtol=5e-3)


def test_the_largest_score_that_there_can_be_has_the_chance_of_its_one_outcome() -> None:
    """Five carriers, the five cases: nothing lies beyond. In the left tail too: all others cases, and no carrier."""
    y = (np.arange(40) < 5).astype(np.float64)
    _, _, _, effects = approximated(y[None].astype(np.uint8), People.of(np.ones((40, 1)), y), 0.1)
    right, left = (np.log(5 / 40) * cases + np.log(35 / 40) * (40 - cases) for cases in (5, 35))
    assert effects.log10_p[0] * np.log(10) == pytest.approx(-np.logaddexp(right, left), rel=1e-9)


def test_what_does_not_settle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    g, people = disease(1, -3.5)
    monkeypatch.setattr(saddlepoint, "MOST_ROUNDS", 1)
    *_, effects = approximated(g, people, 0.1)
    assert {REASONS[code] for code in effects.reason} <= {"did not settle", ""}
    assert "did not settle" in {REASONS[code] for code in effects.reason}
    assert np.isnan(effects.log10_p[effects.reason != 0]).all()
