"""Numbers with a point as whole words: what is exact, what is rounded, and what is refused."""

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.federation.fixed_point import LARGEST, WORDS, read, written

EXACT = [
    0.0,
    1.0,
    -1.0,
    0.1,
    -0.1,
    1 / 3,
    1e-13,
    2.0**-96,
    -(2.0**-44),
    2.0**53,
    -1e16,
    123456789.123456789,
    1e31,
    -1e31,
]


@pytest.mark.parametrize("number", EXACT)
def test_a_number_comes_back_as_it_went(number: float) -> None:
    assert read(written([number])).tolist() == [number]


def test_a_sum_does_not_forget_what_float64_forgets() -> None:
    numbers = [1e16, 1.0, -1e16, 1e-10]
    assert sum(numbers) == 1e-10
    words = np.sum([written([number]) for number in numbers], axis=0)
    assert read(words).tolist() == [1.0000000001]


def test_what_cancels_leaves_nothing() -> None:
    a, b = np.array([0.1, -3e20, 2.0**-96]), np.array([-0.1, 3e20, -(2.0**-96)])
    assert read(written(a) + written(b)).tolist() == [0.0, 0.0, 0.0]


def test_sixty_four_sites_with_the_largest_numbers_do_not_wrap() -> None:
    largest = np.nextafter(LARGEST, 0)
    words = written([largest, -largest])
    total = np.zeros_like(words)
    for _ in range(64):
        total = total + words
    assert read(total).tolist() == [64 * largest, -64 * largest]
    assert int(np.abs(words).max()) < 2**62 // 64


def test_shapes_are_laid_out_row_by_row() -> None:
    assert len(written(np.ones((3, 2, 5)))) == 30 * WORDS
    assert read(written(np.arange(6.0).reshape(2, 3))).tolist() == list(range(6))
    assert written([]).tolist() == []
    assert read(np.empty(0, dtype=np.int64)).tolist() == []


def test_small_ones_beside_larger_ones_are_rounded() -> None:
    assert read(written([1.0, 1e-40])).tolist() == [1.0, 0.0]
    assert read(written([1e-20]))[0] == pytest.approx(1e-20, rel=1e-9)


REFUSED = {
    "too large": ([1.0, LARGEST], "is beyond 2e+31; measure it in a larger unit"),
    "too small, all of them": ([1e-30, 0.0, -1e-40], "so near to 0 that nothing would be left of it"),
    "not a number": ([np.nan], "is not finite"),
    "without an end": ([-np.inf], "is not finite"),
}


@pytest.mark.parametrize(("numbers", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused_in_a_sentence(numbers: list[float], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        written(numbers, "score")
    assert "'score'" in str(refused.value)
    assert says in str(refused.value)
