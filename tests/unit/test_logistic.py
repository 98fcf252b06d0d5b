"""Logistic regression: each variant against Newton's method written out for one table, and everything that has no answer."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit
from scipy.stats import norm

from nhsgen.errors import BadInput
from nhsgen.statistics import logistic
from nhsgen.statistics.logistic import (
    REASONS,
    Fits,
    Null,
    People,
    Scale,
    Scores,
    adjusted,
    estimate,
    log10_p,
    moments,
    score_sums,
    start,
    step,
    summarise,
    wald,
)
from nhsgen.statistics.sums import solve

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]
SIZE = 160


def plainly(x: Floats, y: Floats, offset: Floats) -> tuple[Floats, Floats, float]:
    """Coefficients, (X'WX)^-1 and the log likelihood."""
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-(offset + x @ beta)))
        inverse = np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None]))
        beta = beta + inverse @ x.T @ (y - p)
    return beta, inverse, float(np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)))


def fitted(people: People, fits: Fits, g: Copies | None = None) -> Fits:
    return solve(lambda fits: summarise(people, fits, g), step, fits)


def null_of(people: People) -> Null:
    return Null.of(fitted(people, start(people.y.shape[1], people.x.shape[1])))


def scored(people: People, g: Copies | Floats) -> tuple[Null, Scores]:
    null = null_of(people)
    return null, estimate(null, score_sums(g, people, null))


@pytest.fixture(scope="module")
def small() -> tuple[Copies, Floats, Floats, Floats]:
    """20 variants with missing calls, x, two diseases not known of everybody, an offset."""
    random = np.random.default_rng(2)
    g = random.binomial(2, random.choice([0.1, 0.3, 0.6], (20, 1)), (20, SIZE)).astype(np.uint8)
    x = np.column_stack([np.ones(SIZE), random.normal(size=SIZE), random.integers(0, 2, SIZE)])
    odds = x[:, 1] - 1 + 0.8 * (g[3] - 0.6)
    y = (random.random((SIZE, 2)) < 1 / (1 + np.exp(-odds[:, None]))).astype(np.float64)
    y[random.random(SIZE) < 0.1, 1] = np.nan
    x[4, 1] = np.nan
    g[random.random(g.shape) < 0.03] = 3
    return g, x, y, random.normal(0, 0.3, SIZE)


def test_the_model_without_a_genotype(small: tuple[Copies, Floats, Floats, Floats]) -> None:
    _, x, y, offset = small
    people = People.of(x, y, offset)
    scale = Scale.of(moments(people))
    null = null_of(people.scaled(scale))
    for phenotype in range(2):
        here = ~np.isnan(y[:, phenotype]) & ~np.isnan(x).any(axis=1)
        beta, _, likelihood = plainly(x[here], y[here, phenotype], offset[here])
        np.testing.assert_allclose(scale.original(null.coefficients)[phenotype], beta, rtol=1e-11)
        assert null.log_likelihood[phenotype] == pytest.approx(likelihood, rel=1e-12)
        assert null.people[phenotype] == here.sum()
        assert null.cases[phenotype] == y[here, phenotype].sum()


def test_each_score_is_its_formula_with_the_mean_where_nothing_was_called(
    small: tuple[Copies, Floats, Floats, Floats],
) -> None:
    g, x, y, offset = small
    null, scores = scored(People.of(x, y, offset), g)
    for variant, phenotype in np.ndindex(scores.score.shape):
        here = ~np.isnan(y[:, phenotype]) & ~np.isnan(x).any(axis=1)
        known = here & (g[variant] != 3)
        copies = np.where(g[variant] == 3, g[variant, known].mean(), g[variant])[here]
        p = 1 / (1 + np.exp(-(offset[here] + x[here] @ null.coefficients[phenotype])))
        w, design = p * (1 - p), x[here]
        gwx = design.T @ (w * copies)
        v = copies @ (w * copies) - gwx @ np.linalg.solve(design.T @ (design * w[:, None]), gwx)
        u = copies @ (y[here, phenotype] - p)
        effects = scores.effects
        assert effects.beta[variant, phenotype] == pytest.approx(u / v, rel=1e-9)
        assert effects.se[variant, phenotype] == pytest.approx(v**-0.5, rel=1e-10)
        assert effects.p[variant, phenotype] == pytest.approx(2 * norm.sf(abs(u) / v**0.5), rel=1e-9)
        assert scores.people[variant, phenotype] == known.sum()
        assert scores.copies[variant, phenotype] == g[variant, known].sum()
        assert scores.case_copies[variant, phenotype] == g[variant, known] @ y[known, phenotype]


def test_dosages_are_copies_and_nan_is_not_called(small: tuple[Copies, Floats, Floats, Floats]) -> None:
    g, x, y, offset = small
    people = People.of(x, y, offset)
    _, of_copies = scored(people, g)
    _, of_dosages = scored(people, np.where(g == 3, np.nan, g))
    np.testing.assert_array_equal(of_copies.score, of_dosages.score)


@pytest.mark.parametrize("missing", ["complete", "mean"])
def test_walds_test_is_maximum_likelihood(missing: str, small: tuple[Copies, Floats, Floats, Floats]) -> None:
    g, x, y, offset = small
    people = People.of(x, y, offset)
    null, scores = scored(people, g)
    hits = scores.hits(0.3)
    assert len(hits.variant) > 5
    found = fitted(people, wald(null, hits, missing=missing), g[hits.variant]).effects
    for row, (variant, phenotype) in enumerate(zip(hits.variant, hits.phenotype, strict=True)):
        here = ~np.isnan(y[:, phenotype]) & ~np.isnan(x).any(axis=1)
        known = here & (g[variant] != 3)
        copies = np.where(g[variant] == 3, g[variant, known].mean(), g[variant])
        here = here if missing == "mean" else known
        beta, inverse, _ = plainly(np.column_stack([x, copies])[here], y[here, phenotype], offset[here])
        assert found.beta[row] == pytest.approx(beta[-1], rel=1e-10)
        assert found.se[row] == pytest.approx(inverse[-1, -1] ** 0.5, rel=1e-10)
        assert found.p[row] == pytest.approx(2 * norm.sf(abs(beta[-1]) / inverse[-1, -1] ** 0.5), rel=1e-9)


def test_what_the_covariates_leave_of_a_genotype(small: tuple[Copies, Floats, Floats, Floats]) -> None:
    g, x, y, offset = small
    people = People.of(x, y, offset)
    null, scores = scored(people, g)
    hits = scores.hits(1.1)
    p = expit(null.log_odds(people))[hits.phenotype]
    left = adjusted(g, people, hits)
    np.testing.assert_allclose((left * p * (1 - p)) @ people.x, 0.0, atol=1e-10)
    np.testing.assert_allclose((left**2 * p * (1 - p)).sum(axis=1), hits.variance, rtol=1e-10)


CARRIERS = np.arange(40) < 6
ONES = np.ones((40, 1))


@pytest.mark.parametrize(
    ("copies", "covariate", "cases", "score", "exact"),
    [
        (CARRIERS, None, np.arange(40) % 2 == 0, "", ""),
        (CARRIERS, None, np.arange(40) < 20, "", "separated by the genotype"),
        (CARRIERS, CARRIERS, np.arange(40) % 2 == 0, "collinear with the covariates", None),
        (np.ones(40), None, np.arange(40) % 2 == 0, "monomorphic", None),
        (np.full(40, 3), None, np.arange(40) % 2 == 0, "no genotypes called", None),
        (CARRIERS, None, np.ones(40), "no cases, or no controls", None),
        (CARRIERS, None, np.full(40, np.nan), "nobody", None),
        (CARRIERS, np.arange(40), np.arange(40) < 20, "separated by the covariates", None),
    ],
)
def test_what_has_no_answer_says_why(
    copies: Floats, covariate: Floats | None, cases: Floats, score: str, exact: str | None
) -> None:
    x = ONES if covariate is None else np.column_stack([ONES, covariate])
    people = People.of(x, np.asarray(cases, np.float64))
    people = people.scaled(Scale.of(moments(people)))
    g = np.asarray(copies, np.uint8)[None]
    null, scores = scored(people, g)
    row = scores.frame(("disease",)).row(0, named=True)
    assert row["reason"] == score
    assert (row["beta"] is None) == (score != "")
    if exact is not None:
        found = fitted(people, wald(null, scores.hits(1.1)), g).effects
        assert REASONS[found.reason[0]] == exact
        assert np.isnan(found.beta[0]) == (exact != "")


def test_covariates_that_others_make_up_change_nothing(small: tuple[Copies, Floats, Floats, Floats]) -> None:
    g, x, y, offset = small
    _, wanted = scored(People.of(x, y, offset), g)
    _, found = scored(People.of(np.column_stack([x, x[:, 1] * 2 - x[:, 2], ONES.repeat(4)]), y, offset), g)
    np.testing.assert_allclose(found.effects.beta, wanted.effects.beta, rtol=1e-9)
    np.testing.assert_allclose(found.effects.se, wanted.effects.se, rtol=1e-9)


def test_exact_fits_of_a_collinear_and_a_constant_genotype_say_so() -> None:
    people = People.of(np.column_stack([ONES, CARRIERS]), np.arange(40) % 2)
    null, scores = scored(people, np.array([np.arange(40) % 3], np.uint8))
    hits = scores.hits(1.1)
    for copies, why in (
        (CARRIERS, "collinear with the covariates"),
        (ONES[:, 0], "monomorphic"),
        (ONES[:, 0] * 3, "no genotypes called"),
    ):
        found = fitted(people, wald(null, hits), np.asarray(copies, np.uint8)[None])
        assert REASONS[found.reason[0]] == why


def test_p_has_digits_where_floats_have_none() -> None:
    assert log10_p(3.0) == pytest.approx(-np.log10(2 * norm.sf(3.0)), rel=1e-13)
    assert log10_p(-60.0) == pytest.approx(783.6064, rel=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "offset"),
    [
        (np.zeros((3, 1)), np.zeros(3), 0.0),
        (np.ones((3, 1)), np.array([0.0, 1.0, 2.0]), 0.0),
        (np.ones((3, 1)), np.zeros(4), 0.0),
        (np.array([[1.0, np.inf]] * 3), np.zeros(3), 0.0),
        (np.ones((3, 1)), np.zeros(3), np.zeros(2)),
        (np.ones((3, 0)), np.zeros(3), 0.0),
    ],
)
def test_tables_that_cannot_be_meant(x: Floats, y: Floats, offset: Floats) -> None:
    with pytest.raises(BadInput):
        People.of(x, y, offset)


def test_questions_that_do_not_fit() -> None:
    people = People.of(np.ones((4, 1)), [0, 1, 0, 1])
    null, scores = scored(people, np.array([[0, 1, 1, 0]], np.uint8))
    with pytest.raises(BadInput, match="not of these people"):
        score_sums(np.zeros((1, 3), np.uint8), people, null)
    with pytest.raises(BadInput, match="genotype of each person"):
        summarise(people, wald(null, scores.hits(1.1)))
    with pytest.raises(BadInput, match="other covariates"):
        summarise(people, start(1, 2))
    with pytest.raises(BadInput, match="no such way"):
        wald(null, scores.hits(1.1), missing="guess")


def test_no_variants_and_no_hits_are_no_trouble() -> None:
    people = People.of(np.ones((4, 1)), [0, 1, 0, 1])
    null, scores = scored(people, np.empty((0, 4), np.uint8))
    assert scores.frame().is_empty()
    assert not fitted(people, wald(null, scores.hits()), np.empty((0, 4), np.uint8)).effects.beta.size
    assert logistic.MOST_ROUNDS < 50
