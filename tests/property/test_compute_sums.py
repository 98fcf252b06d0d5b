"""However the work is spread, the sum is the plain sum."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.compute import mapped, summed
from nhsgen.settings import Settings

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), max_size=30)


def doubled(number: float) -> float:
    return number * 2


@given(NUMBERS, st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_a_sum_over_threads_is_the_sum_of_the_map_to_the_last_bit(numbers: list[float], threads: int) -> None:
    spread = Settings(threads=threads)
    assert summed(doubled, numbers, start=0.0, settings=spread) == sum(map(doubled, numbers), 0.0)
    assert list(mapped(doubled, numbers, settings=spread)) == list(map(doubled, numbers))
