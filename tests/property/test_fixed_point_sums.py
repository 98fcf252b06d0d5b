"""A sum of words is the true sum, in whatever order it is added: held against exact fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nhsgen.federation.fixed_point import LARGEST, POINT, read, written

LIMIT = float(np.nextafter(LARGEST, 0))
NUMBERS = st.floats(-LIMIT, LIMIT, allow_nan=False) | st.integers(-(10**6), 10**6).map(float) | st.floats(-1, 1)
SITES = st.lists(NUMBERS.filter(lambda number: abs(number) >= 2.0**-POINT or number == 0), min_size=1, max_size=9)


@given(SITES)
def test_the_total_is_the_true_sum_to_the_last_place(numbers: list[float]) -> None:
    (found,) = read(np.sum([written([number]) for number in numbers], axis=0)).tolist()
    true = sum(map(Fraction, numbers), Fraction(0))
    rounded = Fraction(len(numbers), 2 ** (POINT + 1))
    assert abs(Fraction(found) - true) <= Fraction(float(np.spacing(abs(float(true))))) + rounded


@given(SITES, st.randoms(use_true_random=False))
def test_the_order_makes_no_difference(numbers: list[float], chance: object) -> None:
    words = [written([number]) for number in numbers]
    there = np.sum(words, axis=0)
    chance.shuffle(words)  # type: ignore[attr-defined]
    assert np.array_equal(np.sum(words, axis=0), there)


@given(st.floats(-LIMIT, LIMIT).filter(lambda number: abs(number) >= 2.0**-44 or number == 0))
def test_what_does_not_reach_below_the_last_place_comes_back_exactly(number: float) -> None:
    assert read(written([number])).tolist() == [number]
