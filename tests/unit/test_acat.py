"""The Cauchy combination and ACAT-V, against printed numbers and tables a person can check."""

import math

import numpy as np
import pytest

from nhsgen.cauchy import cauchy
from nhsgen.errors import BadInput
from nhsgen.statistics.acat import acat_v, one_degree
from nhsgen.statistics.masks import beta_weights


def test_the_example_of_the_package() -> None:
    """README of the ACAT package prints 0.001953404."""
    assert cauchy([0.02, 0.0004, 0.2, 0.1, 0.8]) == pytest.approx(0.0019534044, abs=1e-10)


def test_one_p_is_itself_at_any_depth() -> None:
    for p in (0.9, 0.5, 1e-3, 1e-8, 1e-9, 1e-10, 1e-17, 1e-300):
        assert cauchy([p]) == pytest.approx(p, rel=1e-9)
        assert cauchy([p] * 7, range(1, 8)) == pytest.approx(p, rel=1e-9)
    assert cauchy([0.0, 0.3]) == 0.0


def test_a_p_of_one_does_not_drown_the_others() -> None:
    assert cauchy([1e-12, 1.0]) == pytest.approx(2e-12, rel=1e-6)
    assert cauchy([1.0]) == pytest.approx(0.999)


def test_weights_of_nothing() -> None:
    assert math.isnan(cauchy([]))
    assert math.isnan(cauchy([0.2], [0.0]))
    assert cauchy([0.2, 1e-9], [1.0, 0.0]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("p", "weights"), [([-0.1], [1.0]), ([1.1], [1.0]), ([math.nan], [1.0]), ([0.5], [-1.0]), ([0.5], [1, 1])]
)
def test_what_is_no_probability_is_refused(p: list[float], weights: list[float]) -> None:
    with pytest.raises(BadInput, match="combining p"):
        cauchy(p, weights)


def test_acat_v_is_the_combination_of_the_common_ones_and_the_burden_of_the_rarest() -> None:
    u, v = np.array([3.0, -1.0, 2.0, 0.5]), np.diag([2.0, 1.0, 4.0, 0.0])
    copies = np.array([40.0, 3.0, 7.0, 60.0])
    maf = copies / 2000.0
    w = beta_weights(maf)
    rarest = one_degree(-w[1] + 2.0 * w[2], w[1] ** 2 + 4.0 * w[2] ** 2)
    of = np.array([maf[0], maf[1:3].mean()])
    expected = cauchy([float(one_degree(3.0, 2.0)), float(rarest)], beta_weights(of) ** 2 * of * (1 - of))
    assert acat_v(u, v, copies, maf) == pytest.approx(expected, rel=1e-12)


def test_acat_v_without_variance() -> None:
    assert math.isnan(acat_v(np.zeros(2), np.zeros((2, 2)), np.array([0.0, 4.0]), np.array([0.0, 0.1])))
