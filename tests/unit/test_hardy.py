"""Hardy-Weinberg, against every outcome listed and weighed in whole numbers, and against numbers that others printed."""

from collections.abc import Sequence
from fractions import Fraction
from math import factorial, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.errors import BadInput
from nhsgen.hardy import exact, exact_x

PEOPLE = st.integers(min_value=0, max_value=25)


def slow(counts: Sequence[int], mid: bool) -> float:
    """One outcome at a time, exactly: het, hom1, hom2, and on X the men with the one allele and with the other.

    The chance of an outcome is as the number of ways to deal the alleles: 2^het / (het! hom1! hom2! male1! male2!).
    """
    het, hom1, hom2, male1, male2 = (*counts, 0, 0)[:5]
    women, men, alleles = het + hom1 + hom2, male1 + male2, het + 2 * hom1 + male1
    if not women + men:
        return nan
    seen = _ways(het, hom1, hom2, male1, male2)
    below = equal = total = Fraction(0)
    for m in range(men + 1):
        for h in range(women + 1):
            ones, odd = divmod(alleles - m - h, 2)
            twos = women - h - ones
            if odd or ones < 0 or twos < 0:
                continue
            ways = _ways(h, ones, twos, m, men - m)
            total += ways
            below += ways if ways < seen else 0
            equal += ways if ways == seen else 0
    return float((below + (equal / 2 if mid else equal)) / total)


def _ways(het: int, *others: int) -> Fraction:
    ways = Fraction(2**het, factorial(het))
    for number in others:
        ways /= factorial(number)
    return ways


@given(st.lists(st.tuples(PEOPLE, PEOPLE, PEOPLE), max_size=12), st.booleans())
def test_each_row_is_what_listing_all_outcomes_gives(rows: list[tuple[int, int, int]], mid: bool) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    expected = [slow(row, mid) for row in rows]
    np.testing.assert_allclose(exact(*columns, mid=mid), expected, rtol=1e-11)


@given(st.tuples(PEOPLE, PEOPLE, PEOPLE, PEOPLE, PEOPLE), st.booleans())
def test_on_x_too(counts: tuple[int, ...], mid: bool) -> None:
    np.testing.assert_allclose(exact_x(*counts, mid=mid), slow(counts, mid), rtol=1e-11)


@given(PEOPLE, PEOPLE, PEOPLE, PEOPLE, PEOPLE, st.booleans())
def test_which_allele_comes_first_does_not_matter(het: int, one: int, two: int, m1: int, m2: int, mid: bool) -> None:
    np.testing.assert_allclose(exact(het, one, two, mid=mid), exact(het, two, one, mid=mid), rtol=1e-12)
    np.testing.assert_allclose(
        exact_x(het, one, two, m1, m2, mid=mid), exact_x(het, two, one, m2, m1, mid=mid), rtol=1e-11
    )
    np.testing.assert_allclose(exact_x(het, one, two, 0, 0, mid=mid), exact(het, one, two, mid=mid), rtol=1e-11)


@pytest.mark.parametrize(
    ("het", "hom1", "hom2", "p"),
    [
        (500, 10, 5000, 0.6515718999),  # the reference implementation of Wigginton et al.
        (57, 14, 50, 0.84227976),
        (166, 310, 24, 0.79023),  # plink2, METHODS.md 3
        (175, 304, 21, 0.598511),
    ],
)
def test_numbers_that_others_printed(het: int, hom1: int, hom2: int, p: float) -> None:
    assert float(exact(het, hom1, hom2)) == pytest.approx(p, rel=1e-6)


def test_mid_p_that_others_printed() -> None:
    assert float(exact(57, 14, 50, mid=True)) == pytest.approx(0.76668077, rel=1e-8)
    # plink2 --hardy midp on X: eight heterozygous women of fifteen, nine men of eleven with the commoner allele.
    assert float(exact_x(7, 8, 0, 9, 2, mid=True)) == pytest.approx(0.633626, rel=1e-5)
    assert float(exact_x(7, 7, 1, 11, 0, mid=True)) == pytest.approx(0.0682931, rel=1e-5)


def test_tens_of_thousands_of_people_lose_no_digits() -> None:
    """The walk of ratios against logarithms of factorials, which lose digits of their own."""
    het, hom1, hom2 = 30_000, 16_000, 14_000
    from_factorials = _by_factorials(het, hom1, hom2)
    assert float(exact(het, hom1, hom2)) == pytest.approx(from_factorials, rel=1e-8)
    assert 0.0 < float(exact(30_000, 10_000, 38_000)) < 1e-200
    # No heterozygote among 78,000: less than a float64 can hold, and not an error.
    assert float(exact(0, 39_000, 39_000)) == 0.0
    assert float(exact(39_000, 19_500, 19_500)) == 1.0


def _by_factorials(het: int, hom1: int, hom2: int) -> float:
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, het + hom1 + hom2 + 1, dtype=np.float64)))])
    ones, twos = het + 2 * hom1, het + 2 * hom2
    h = np.arange(ones % 2, min(ones, twos) + 1, 2)
    weights = h * np.log(2.0) - logs[h] - logs[(ones - h) // 2] - logs[(twos - h) // 2]
    seen = weights[np.flatnonzero(h == het)[0]]
    chances = np.exp(weights - weights.max())
    return float(chances[weights <= seen + 1e-9].sum() / chances.sum())


def test_equally_unlikely_outcomes_are_counted_together() -> None:
    """Four alleles and eight among six people: 0, 2 or 4 heterozygotes are as 1 to 16 to 16."""
    for outcome in ((2, 1, 3), (4, 0, 2)):
        assert float(exact(*outcome)) == 1.0
        assert float(exact(*outcome, mid=True)) == pytest.approx((1 + 16) / 33)
    assert float(exact(0, 2, 4)) == pytest.approx(1 / 33)


def test_nobody_one_kind_of_allele_and_no_rows() -> None:
    assert np.isnan(exact(0, 0, 0))
    assert np.isnan(exact_x(0, 0, 0, 0, 0))
    assert exact([0, 0], [7, 0], [0, 7]).tolist() == [1.0, 1.0]
    assert exact([0, 0], [7, 0], [0, 7], mid=True).tolist() == [0.5, 0.5]
    assert exact([], [], []).shape == (0,)
    assert exact(np.zeros((2, 3), np.int32), np.ones((2, 3), np.int32), np.ones((2, 3), np.int32)).shape == (2, 3)


@pytest.mark.parametrize("het", [[-1], [0.5], ["7"], [1, 2], [True]])
def test_what_is_not_a_number_of_people_is_refused(het: list[object]) -> None:
    with pytest.raises(BadInput, match="testing Hardy-Weinberg"):
        exact(het, [1], [1])  # type: ignore[arg-type]
