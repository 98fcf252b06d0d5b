"""Firth's penalty: published answers, the penalised likelihood climbed by a general optimiser, and REGENIE's recipe one variant at a time."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from scipy.stats import chi2

from nhsgen.settings import Settings
from nhsgen.statistics import firth, logistic
from nhsgen.statistics.logistic import REASONS, Effects, Hits, Null, People, adjusted, estimate, score_sums, start
from nhsgen.statistics.sums import solve

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]
SIZE = 150


def likelihood(beta: Floats, x: Floats, y: Floats, offset: Floats) -> float:
    """Penalised: half the log determinant of X'WX added."""
    odds = offset + x @ beta
    p = expit(odds)
    information = x.T @ (x * (p * (1 - p))[:, None])
    return float(y @ odds - np.logaddexp(0, odds).sum() + 0.5 * np.linalg.slogdet(information)[1])


def climbed(x: Floats, y: Floats, offset: Floats) -> Floats:
    found = minimize(lambda beta: -likelihood(beta, x, y, offset), np.zeros(x.shape[1]), method="BFGS", tol=1e-9)
    return np.asarray(found.x)


def nulls(people: People) -> tuple[Null, Null]:
    """By maximum likelihood, and with the penalty."""
    first = [start(people.y.shape[1], people.x.shape[1], penalised=penalised) for penalised in (False, True)]
    return Null.of(fitted(people, first[0])), Null.of(fitted(people, first[1]))


def fitted(people: People, fits: logistic.Fits, g: Copies | None = None) -> logistic.Fits:
    return solve(lambda fits: logistic.summarise(people, fits, g), logistic.step, fits, most_rounds=200)


def approximated(g: Copies, people: People, below: float, *, from_test: bool = False) -> tuple[Hits, Effects]:
    null, covariates = nulls(people)
    hits = estimate(null, score_sums(g, people, null)).hits(below)
    genotype = adjusted(g, people, hits)
    state = firth.approximate(hits, covariates)
    state = solve(lambda state: firth.summarise(genotype, people, state), firth.step, state, most_rounds=200)
    return hits, state.effects(from_test=from_test)


def disease(seed: int, size: int = SIZE) -> tuple[Copies, Floats, Floats, Floats]:
    random = np.random.default_rng(seed)
    g = random.binomial(2, random.choice([0.02, 0.1, 0.4], (12, 1)), (12, size)).astype(np.uint8)
    x = np.column_stack([np.ones(size), random.normal(size=(size, 2))])
    y = random.random(size) < expit(x[:, 1] - 2 + 0.8 * g[1])
    return g, x, y.astype(np.float64), random.normal(0, 0.3, size)


def test_eight_carriers_who_are_all_cases() -> None:
    """8 of 8 carriers and 20 of 50 others: Haldane's log odds ratio, ln(8.5 x 30.5 / (0.5 x 20.5))."""
    carrier, case = np.repeat([1, 1, 0, 0], [8, 0, 20, 30]), np.repeat([1, 0, 1, 0], [8, 0, 20, 30])
    people = People.of(np.ones((58, 1)), case)
    null, _ = nulls(people)
    g = carrier[None].astype(np.uint8)
    hits = estimate(null, score_sums(g, people, null)).hits()
    effects = fitted(people, firth.exact(null, hits), g).effects
    assert effects.beta[0] == pytest.approx(3.2305151415, abs=1e-9)
    assert effects.beta[0] == pytest.approx(np.log(8.5 * 30.5 / (0.5 * 20.5)), abs=1e-9)
    ml = fitted(people, logistic.wald(null, hits), g).effects
    assert REASONS[ml.reason[0]] == "separated by the genotype"


def test_the_covariates_alone_are_at_the_top_of_the_penalised_likelihood() -> None:
    _, x, y, offset = disease(1)
    _, covariates = nulls(People.of(x, y, offset))
    np.testing.assert_allclose(covariates.coefficients[0], climbed(x, y, offset), atol=2e-6)
    assert covariates.log_likelihood[0] == pytest.approx(
        likelihood(covariates.coefficients[0], x, y, offset), rel=1e-12
    )


def test_exact_fits_are_at_the_top_and_their_error_is_that_of_plink2() -> None:
    g, x, y, offset = disease(2)
    g[0, :9] = 3
    people = People.of(x, y, offset)
    null, _ = nulls(people)
    hits = estimate(null, score_sums(g, people, null)).hits(1.1)
    found = fitted(people, firth.exact(null, hits), g)
    assert not found.reason.any()
    assert found.rounds < 20
    for row in range(0, len(g), 3):
        here = g[row] != 3
        design = np.column_stack([x, g[row]])[here]
        top = found.best[row]
        assert top == pytest.approx(climbed(design, y[here], offset[here]), abs=3e-5)
        value = likelihood(top, design, y[here], offset[here])
        for nudge in 1e-3 * np.eye(4):
            assert likelihood(top + nudge, design, y[here], offset[here]) < value
            assert likelihood(top - nudge, design, y[here], offset[here]) < value
        p = expit(offset[here] + design @ top)
        w = p * (1 - p)
        hat = w * np.einsum("ij,jk,ik->i", design, np.linalg.inv(design.T @ (design * w[:, None])), design)
        slope = design.T @ (y[here] - p + hat * (0.5 - p))
        np.testing.assert_allclose(slope, 0.0, atol=1e-8)
        covariance = np.linalg.inv(design.T @ (design * (w * (1 + hat))[:, None]))
        assert found.effects.se[row] == pytest.approx(covariance[-1, -1] ** 0.5, rel=1e-8)


def test_the_approximation_is_regenies_recipe() -> None:
    g, x, y, offset = disease(3)
    people = People.of(x, y, offset)
    null, covariates = nulls(people)
    hits, effects = approximated(g, people, 1.1)
    _, from_test = approximated(g, people, 1.1, from_test=True)
    weights = expit(offset + x @ null.coefficients[0])
    weights *= 1 - weights
    known = offset + x @ covariates.coefficients[0]
    for row, variant in enumerate(hits.variant):
        copies = g[variant].astype(np.float64)
        gwx = x.T @ (weights * copies)
        left = (copies - x @ np.linalg.solve(x.T @ (x * weights[:, None]), gwx))[:, None]

        def value(beta: float, left: Floats = left) -> float:
            return likelihood(np.array([beta]), left, y, known)

        top = minimize_scalar(lambda beta: -value(beta), bracket=(-0.5, 0.5), tol=1e-10)
        beta = effects.beta[row]
        assert beta == pytest.approx(top.x, abs=1e-6)
        p = expit(known + left[:, 0] * beta)
        assert effects.se[row] == pytest.approx((p * (1 - p) @ left[:, 0] ** 2) ** -0.5, rel=1e-9)
        ratio = 2 * (value(beta) - value(0.0))
        assert effects.p[row] == pytest.approx(chi2.sf(ratio, 1), rel=1e-8)
        assert from_test.beta[row] == beta
        assert (beta / from_test.se[row]) ** 2 == pytest.approx(ratio, rel=1e-6)


def test_a_scan_in_chunks_on_threads_replaces_the_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    g, x, y, offset = disease(4)
    people = People.of(x * [1.0, 1e3, 1e-3], y, offset)
    hits, effects = approximated(g, People.of(x, y, offset), 0.5)
    assert 0 < len(hits.variant) < len(g)
    monkeypatch.setattr(firth, "CHUNK", 5)
    parts = firth.scan(lambda a, b: g[a:b], len(g), people, below=0.5, settings=Settings(threads=2))
    beta = np.concatenate([part.effects.beta for part in parts])
    p = np.concatenate([part.effects.p for part in parts])
    np.testing.assert_allclose(beta[hits.variant, 0], effects.beta, rtol=1e-8)
    np.testing.assert_allclose(p[hits.variant, 0], effects.p, rtol=1e-8)
    others = np.setdiff1d(np.arange(len(g)), hits.variant)
    score = np.concatenate([part.score / part.variance for part in parts])
    np.testing.assert_allclose(beta[others], score[others])


def test_what_does_not_settle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    g, x, y, offset = disease(5)
    monkeypatch.setattr(firth, "MOST_ROUNDS", 2)
    _, effects = approximated(g, People.of(x, y, offset), 1.1)
    assert {REASONS[code] for code in effects.reason} == {"did not settle"}
    assert np.isnan(effects.beta).all()
