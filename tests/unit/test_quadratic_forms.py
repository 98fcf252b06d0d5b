"""The tail of a weighted sum of chi-squares, against closed forms at any depth and against Imhof's integral, slowly."""

import math
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from nhsgen.errors import BadInput
from nhsgen.statistics.quadratic_forms import eigenvalues, log_tail, quantile, tail, tridiagonal

Floats = npt.NDArray[np.float64]
WEIGHTS = st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=8)


def pairs(weights: Floats, q: float) -> float:
    """log P(Q > q) when each of the distinct weights comes twice: a sum of exponentials, in 300 digits for they cancel."""
    with localcontext(prec=300):
        exact, at, total = [Decimal(float(w)) for w in weights], Decimal(q), Decimal(0)
        for one in exact:
            share = Decimal(1)
            for other in exact:
                share *= one / (one - other) if other != one else 1
            total += share * (-at / (2 * one)).exp()
        return float(total.ln())


def imhof(weights: Floats, q: float) -> float:
    """Imhof's integral (Biometrika 1961, equation 3.2), one half period after the other, made to settle by Wynn's epsilon."""

    def angle(u: float) -> float:
        return float(0.5 * np.arctan(weights * u).sum() - 0.5 * q * u)

    def height(u: float) -> float:
        return math.sin(angle(u)) / (u * float(np.prod((1.0 + (weights * u) ** 2) ** 0.25)))

    ends = [0.0] + [2.0 * math.pi * (k + 1) / q for k in range(60)]
    panels = [integrate.fixed_quad(np.vectorize(height), low, high, n=40)[0] for low, high in pairwise(ends)]
    return 0.5 + _wynn(np.cumsum(panels).tolist()) / math.pi


def _wynn(sums: list[float]) -> float:
    before, now = [0.0] * (len(sums) + 1), sums
    best = sums[-1]
    while len(now) > 2:
        gaps = np.diff(now)
        if not (np.abs(gaps) > 1e-15).all():
            break
        before, now = now, [before[i + 1] + 1.0 / gap for i, gap in enumerate(gaps)]
        if (len(sums) - len(now)) % 2 == 0:
            best = now[-1]
    return best


def test_numbers_that_others_printed() -> None:
    """Davies' own example, METHODS.md 3C."""
    assert [round(tail(q, [0.6, 0.3, 0.1]), 6) for q in (0.1, 0.7, 2.0)] == [0.945786, 0.506438, 0.123959]


@pytest.mark.parametrize("m", [1, 2, 3, 10, 100, 500])
def test_equal_weights_are_a_chi_square_at_any_depth(m: int) -> None:
    for share in (1e-3, 0.1, 0.5, 0.9, 0.999999, 1.0, 1.1, 2.0, 5.0, 1000.0 / m):
        expected = float(stats.chi2.logsf(share * m, m))
        if math.isfinite(expected):  # scipy gives up below 1e-308
            assert log_tail(share * m * 3.0, [3.0] * m) == pytest.approx(expected, rel=1e-12, abs=1e-13)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=10, unique=True), st.sampled_from([0.05, 0.5, 1, 2, 10, 300]))
@settings(max_examples=60)
def test_pairs_of_weights_keep_their_digits_down_to_1e_minus_1000(weights: list[int], share: float) -> None:
    w = np.array(weights, dtype=np.float64)
    expected = pairs(w, share * 2.0 * w.sum())
    assert log_tail(share * 2.0 * w.sum(), np.repeat(w, 2)) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("share", [0.6, 1.0, 1.3, 2.0, 10.0])
@pytest.mark.parametrize("small", [0.01, 0.3, 0.7])
def test_one_large_weight_among_many_small_ones(small: float, share: float) -> None:
    """As one common variant among rare ones: a path that bends too early passes close to the small ones' branch points."""
    weights = np.array([1.0, *(small * (1.0 + np.arange(60) / 120))])
    expected = pairs(weights, share * 2.0 * weights.sum())
    assert log_tail(share * 2.0 * weights.sum(), np.repeat(weights, 2)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0, 1.8, 4.0])
def test_any_weights_are_what_imhof_gives(share: float) -> None:
    weights = np.random.default_rng(3).gamma(1.0, size=12)
    assert tail(share * weights.sum(), weights) == pytest.approx(imhof(weights, share * weights.sum()), abs=1e-10)


def test_four_moments_in_place_of_the_distribution_are_wrong_where_we_are_not() -> None:
    """Liu's p is a seventeenth of the true 1e-12 here: whoever reported it would report too much."""
    weights = np.array([1.0, *(0.3 * (1 + np.arange(10) / 10) / 2)])
    twice, q = np.repeat(weights, 2), 60.0
    second = (twice**2).sum()
    freedom = second**2 / (twice**4).sum()
    liu = stats.chi2.sf((q - twice.sum()) / math.sqrt(2 * second) * math.sqrt(2 * freedom) + freedom, freedom)
    exact = math.exp(pairs(weights, q))
    assert tail(q, twice) == pytest.approx(exact, rel=1e-11)
    assert liu < exact / 17


@pytest.mark.parametrize("freedom", [1, 4])
@pytest.mark.parametrize("shift", [0.1, 3.0, 50.0])
def test_shifts(freedom: int, shift: float) -> None:
    for q in (0.5, 5.0, 50.0, 300.0):
        expected = float(stats.ncx2.sf(q, freedom, shift))
        assert tail(2.0 * q, [2.0] * freedom, [shift] + [0.0] * (freedom - 1)) == pytest.approx(expected, rel=1e-9)


@given(WEIGHTS, st.floats(1e-4, 60.0), st.floats(1e-3, 1e3))
@settings(max_examples=40)
def test_scale_order_and_nothings_do_not_matter_and_more_is_less_likely(w: list[float], q: float, scale: float) -> None:
    p = log_tail(q, w)
    assert log_tail(q * scale, [x * scale for x in w[::-1]] + [0.0, -1e-18]) == pytest.approx(p, rel=1e-10, abs=1e-12)
    assert log_tail(q * 1.01, w) < p <= 0.0


@given(WEIGHTS, st.floats(-600.0, -1e-4))
@settings(max_examples=40)
def test_a_quantile_is_the_inverse_of_the_tail(w: list[float], log_p: float) -> None:
    weights = np.array(w)
    assert log_tail(quantile(log_p, weights), weights) == pytest.approx(log_p, rel=1e-10)


@pytest.mark.parametrize(("m", "rank"), [(1, 1), (2, 1), (5, 5), (30, 12)])
def test_eigenvalues_are_lapacks_and_the_first_axis_is_along_one(m: int, rank: int) -> None:
    half = np.random.default_rng(m).standard_normal((rank, m))
    v = half.T @ half
    d, e = tridiagonal(v)
    values, shares = eigenvalues(d, e)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(v), atol=1e-13 * np.trace(v))
    assert d[0] == pytest.approx(v.sum() / m)
    assert (shares * values).sum() == pytest.approx(d[0])
    for plain in (np.eye(m), np.ones((m, m)), np.zeros((m, m)), np.diag(np.arange(m) * 1e-100)):
        found = np.sort(eigenvalues(*tridiagonal(plain))[0])
        np.testing.assert_allclose(found, np.linalg.eigvalsh(plain), rtol=1e-12, atol=1e-13 * np.trace(plain))


def test_nothing_and_less_than_nothing_are_certain() -> None:
    assert tail(0.0, [1.0]) == tail(-1.0, [1.0]) == 1.0
    assert tail(1e-300, [1.0]) == 1.0
    assert tail(1e9, [1.0]) == 0.0
    assert log_tail(1e9, [1.0]) == pytest.approx(-5e8, rel=1e-6)


@pytest.mark.parametrize("weights", [[], [0.0], [-1.0], [math.nan], [1.0, -0.5], [math.inf]])
def test_what_is_no_mixture_is_refused(weights: list[float]) -> None:
    with pytest.raises(BadInput, match="adding up weighted chi-squares"):
        tail(1.0, weights)
