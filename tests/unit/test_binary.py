"""Cases and controls against every allele: numbers from plain, slow fits of the same models, and any split of people."""

from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from nhsgen.errors import BadInput
from nhsgen.statistics import binary
from nhsgen.statistics.genotype_blocks import pack

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]
PEOPLE, VARIANTS = 400, 30


def cohort(seed: int = 3, cases: float = 0.2) -> tuple[Copies, Floats, Floats]:
    """Copies with missing calls, covariates with an intercept, and who is a case; the first allele doubles the odds."""
    chance = np.random.default_rng(seed)
    frequency = np.concatenate([[0.3], chance.uniform(0.03, 0.5, VARIANTS - 1)])
    copies = chance.binomial(2, frequency[:, None], (VARIANTS, PEOPLE)).astype(np.uint8)
    x = np.column_stack([np.ones(PEOPLE), chance.normal(size=(PEOPLE, 2))])
    y = (chance.random(PEOPLE) < expit(np.log(cases) + 0.7 * copies[0] + 0.5 * x[:, 1])).astype(float)
    copies[1:][chance.random((VARIANTS - 1, PEOPLE)) < 0.02] = 3
    return copies, x, y


def scan(copies: Copies, x: Floats, y: Floats, split: list[slice], below: float) -> tuple[binary.Null, binary.Tested]:
    null = binary.Null.start(x.shape[1])
    while not null.done:
        null = binary.null_step(null, reduce(add, [binary.null_sums(x[site], y[site], null) for site in split]))
    called = (copies != 3).sum(axis=1)
    mean = np.where(copies == 3, 0, copies).sum(axis=1) / np.maximum(called, 1)
    words = [pack(copies[:, site]) for site in split]
    sums = [binary.scores(w, x[site], y[site], null, mean) for w, site in zip(words, split, strict=True)]
    tested = binary.estimate(reduce(add, sums), null)
    hits = binary.firth_start(tested, mean, below)
    while not binary.firth_done(hits):
        parts = [binary.firth(w[hits.rows], x[s], y[s], null, hits) for w, s in zip(words, split, strict=True)]
        hits = binary.firth_step(hits, reduce(add, parts))
    return null, binary.corrected(tested, hits)


def likeliest(x: Floats, y: Floats, penalised: bool) -> Floats:
    """The plain, slow way: Newton's steps on the whole table, with Firth's hat term or without."""
    beta = np.zeros(x.shape[1])
    for _ in range(200):
        p = expit(x @ beta)
        w = p * (1 - p)
        inverse = np.linalg.inv(x.T @ (x * w[:, None]))
        hat = w * np.einsum("ij,jk,ik->i", x, inverse, x) if penalised else 0.0
        beta = beta + inverse @ (x.T @ (y - p + hat * (0.5 - p)))
    return beta


def test_the_model_without_a_genotype() -> None:
    copies, x, y = cohort()
    null, _ = scan(copies, x, y, [slice(None)], 0.0)
    np.testing.assert_allclose(null.beta, likeliest(x, y, penalised=False), rtol=1e-9)
    np.testing.assert_allclose(null.firth, likeliest(x, y, penalised=True), rtol=1e-7)
    assert (null.people, null.cases) == (PEOPLE, int(y.sum()))


def test_the_score_test_is_its_definition() -> None:
    copies, x, y = cohort()
    null, tested = scan(copies, x, y, [slice(None)], 0.0)
    p = expit(x @ null.beta)
    w = p * (1 - p)
    for row, found in zip(copies, tested.chi_square, strict=True):
        g = np.where(row == 3, row[row != 3].mean(), row.astype(float))
        clean = g - x @ np.linalg.solve(x.T @ (x * w[:, None]), x.T @ (w * g))
        assert found == pytest.approx((clean @ (y - p)) ** 2 / (w * clean**2).sum(), rel=1e-9)
    assert tested.log10_p[0] == tested.log10_p.max()


def test_approximate_firth_is_the_top_of_its_likelihood() -> None:
    copies, x, y = cohort()
    null, tested = scan(copies, x, y, [slice(None)], 1.0)
    p = expit(x @ null.beta)
    w = p * (1 - p)
    offset = x @ null.firth
    for row, beta, se, chi_square in zip(copies, tested.beta, tested.se, tested.chi_square, strict=True):
        g = np.where(row == 3, row[row != 3].mean(), row.astype(float))
        clean = g - x @ np.linalg.solve(x.T @ (x * w[:, None]), x.T @ (w * g))

        def loss(b: float, clean: Floats = clean) -> float:
            eta = offset + b * clean
            q = expit(eta)
            return -float((y * eta - np.logaddexp(0, eta)).sum() + 0.5 * np.log((q * (1 - q) * clean**2).sum()))

        top = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        q = expit(offset + top.x * clean)
        assert beta == pytest.approx(top.x, abs=2e-6)
        assert se == pytest.approx((q * (1 - q) * clean**2).sum() ** -0.5, rel=1e-5)
        assert chi_square == pytest.approx(max(0.0, 2 * (loss(0.0) - top.fun)), abs=1e-9)


@pytest.mark.parametrize(
    "split", [[slice(0, 5), slice(5, 90), slice(90, None)], [slice(0, 200), slice(200, 200), slice(200, None)]]
)
def test_any_split_of_people_gives_the_same(split: list[slice]) -> None:
    copies, x, y = cohort()
    _, whole = scan(copies, x, y, [slice(None)], 0.5)
    _, parts = scan(copies, x, y, split, 0.5)
    for name in ("beta", "se", "chi_square", "log10_p"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-10, atol=1e-12)


def test_a_site_with_all_the_cases() -> None:
    copies, x, y = cohort()
    order = np.argsort(-y, kind="stable")
    all_cases = [slice(0, int(y.sum())), slice(int(y.sum()), None)]
    _, whole = scan(copies[:, order], x[order], y[order], [slice(None)], 0.1)
    _, parts = scan(copies[:, order], x[order], y[order], all_cases, 0.1)
    np.testing.assert_allclose(parts.beta, whole.beta, rtol=1e-10)


def test_the_other_allele_has_the_other_sign() -> None:
    copies, x, y = cohort()
    turned = np.where(copies == 3, 3, 2 - copies).astype(np.uint8)
    _, one = scan(copies, x, y, [slice(None)], 1.0)
    _, other = scan(turned, x, y, [slice(None)], 1.0)
    np.testing.assert_allclose(one.beta, -other.beta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(one.chi_square, other.chi_square, rtol=1e-7, atol=1e-9)


def test_what_cannot_be_tested_says_why() -> None:
    copies, x, y = cohort()
    copies[2], copies[3] = 0, 3
    x = np.column_stack([x, np.where(copies[4] == 3, 0, copies[4])])
    copies[4] = np.where(copies[4] == 3, 0, copies[4])
    _, tested = scan(copies, x, y, [slice(None)], 0.5)
    reasons = [binary.REASONS[number] for number in tested.reason]
    assert reasons[2:5] == ["monomorphic", "monomorphic", "collinear with the covariates"]
    assert np.isnan(tested.beta[2:5]).all()
    assert not np.isnan(np.delete(tested.beta, [2, 3, 4])).any()


def test_an_allele_that_only_cases_have_gets_a_finite_effect() -> None:
    copies, x, y = cohort(cases=0.05)
    copies[5] = 0
    copies[5, np.flatnonzero(y)[:6]] = 1
    _, tested = scan(copies, x, y, [slice(None)], 0.05)
    assert 1.0 < tested.beta[5] < 10.0
    assert tested.log10_p[5] > 2


def test_collinear_covariates_change_nothing() -> None:
    copies, x, y = cohort()
    _, plain = scan(copies, x, y, [slice(None)], 0.1)
    _, twice = scan(copies, np.column_stack([x, x[:, 1] * 2 - 1]), y, [slice(None)], 0.1)
    np.testing.assert_allclose(twice.beta, plain.beta, rtol=1e-6)


def test_cases_alone_are_refused() -> None:
    _, x, y = cohort()
    with pytest.raises(BadInput, match="no controls"):
        binary.null_step(binary.Null.start(3), binary.null_sums(x, np.ones_like(y), binary.Null.start(3)))
