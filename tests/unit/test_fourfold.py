"""The fourfold table's formulas against the numbers people know and the tool they trust."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact
from scipy.stats.contingency import odds_ratio

from nhsgen.fourfold import benjamini_hochberg, fisher, woolf


@pytest.mark.parametrize(
    ("table", "two_sided", "greater"),
    [
        ((3, 4, 1, 4), 0.4857142857142857, 0.24285714285714285),  # the lady tasting tea
        ((24, 73, 10, 1567), 5.8e-27, 5.8e-27),
        ((0, 50, 0, 50), 1.0, 1.0),
        ((0, 0, 5, 50), 1.0, 1.0),
    ],
)
def test_p_values_that_are_known(table: tuple[int, int, int, int], two_sided: float, greater: float) -> None:
    assert fisher(*table) == pytest.approx(two_sided, rel=1e-2)
    assert fisher(*table, "greater") == pytest.approx(greater, rel=1e-2)
    a, n1, b, n0 = table
    assert fisher(*table) == pytest.approx(fisher_exact([[a, n1 - a], [b, n0 - b]]).pvalue, rel=1e-9)


@st.composite
def tables(draw: st.DrawFn, most: int = 400) -> tuple[int, int, int, int]:
    n1, n0 = draw(st.integers(1, most)), draw(st.integers(1, most))
    return draw(st.integers(0, n1)), n1, draw(st.integers(0, n0)), n0


@given(tables(), st.sampled_from(["two-sided", "greater"]))
@settings(max_examples=150, deadline=None)
def test_fisher_is_scipys(table: tuple[int, int, int, int], alternative: str) -> None:
    a, n1, b, n0 = table
    theirs = fisher_exact([[a, n1 - a], [b, n0 - b]], alternative=alternative).pvalue
    assert fisher(*table, alternative) == pytest.approx(theirs, rel=1e-8, abs=1e-300)


def test_fisher_on_a_biobank() -> None:
    assert fisher(60, 30_000, 400, 450_000) == pytest.approx(
        fisher_exact([[60, 29_940], [400, 449_600]]).pvalue, rel=1e-7
    )


@given(tables().filter(lambda t: 0 < t[0] < t[1] and 0 < t[2] < t[3]))
@settings(max_examples=50, deadline=None)
def test_the_odds_ratio_is_scipys_sample_odds_ratio(table: tuple[int, int, int, int]) -> None:
    a, n1, b, n0 = table
    theirs = odds_ratio([[a, n1 - a], [b, n0 - b]], kind="sample")
    interval = theirs.confidence_interval(0.95)
    assert woolf(*table) == pytest.approx((theirs.statistic, interval.low, interval.high), rel=1e-9)


def test_a_zero_cell_adds_half_to_each() -> None:
    assert woolf(0, 10, 5, 20)[0] == pytest.approx((0.5 * 15.5) / (10.5 * 5.5))
    assert all(math.isfinite(x) for x in woolf(10, 10, 0, 20))


@given(st.lists(st.floats(0, 1), max_size=30))
def test_q_is_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(list(false_discovery_control(p)) if p else [])
