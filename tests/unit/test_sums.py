"""Named arrays that add up: nothing that is not a number gets in, and nobody can change what is in."""

import math

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import Sums, stacked


def test_huge_numbers_are_numbers_and_what_is_not_finite_is_refused_wherever_it_stands() -> None:
    huge = Sums.of(x=[1e308, 1e308])
    assert huge["x"].tolist() == [1e308, 1e308]
    for odd in ([1.0, math.nan], [math.inf, -math.inf], [1e308, 1e308, math.inf]):
        for made in (lambda x: Sums.of(x=x), lambda x: Sums.taking({"x": np.array(x)})):
            with pytest.raises(BadInput, match="'x' is not finite"):
                made(odd)
    with pytest.raises(BadInput, match="'x' is not finite"), np.errstate(over="ignore"):
        huge + huge


def test_what_was_given_may_change_and_what_was_taken_may_not() -> None:
    given = np.array([1.0, 2.0])
    kept = Sums({"x": given})
    given[0] = 9.0
    assert kept["x"].tolist() == [1.0, 2.0]
    taken = Sums.taking({"x": given, "n": np.array(3.0)})
    with pytest.raises(ValueError, match="read-only"):
        given[0] = 1.0
    for sums in (kept, taken, taken + taken, stacked([kept, kept])):
        with pytest.raises(ValueError, match="read-only"):
            sums["x"][0] = 1.0
    assert (taken + taken)["n"] == 6.0
