"""Cochran-Mantel-Haenszel, against the admissions to Berkeley in R, and tables a person can check."""

import math

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics import cmh

# R's UCBAdmissions: women and men admitted, and applying, by department.
WOMEN, ALL_WOMEN = [89, 17, 202, 131, 94, 24], [108, 25, 593, 375, 393, 341]
MEN, ALL_MEN = [512, 353, 120, 138, 53, 22], [825, 560, 325, 417, 191, 373]


def test_berkeley_as_r_prints_it() -> None:
    total = cmh.summarise([MEN], [ALL_MEN], [WOMEN], [ALL_WOMEN])
    found = cmh.estimate(total)
    assert found.chi_square[0] == pytest.approx(1.4269462, abs=1e-7)
    assert found.p[0] == pytest.approx(0.2322635, abs=1e-7)
    assert cmh.estimate(total, corrected=False).chi_square[0] == pytest.approx(1.5246067, abs=1e-7)
    assert [found.odds_ratio[0], found.low[0], found.high[0]] == pytest.approx(
        [0.9046968, 0.7719074, 1.0603298], abs=1e-7
    )
    assert found.reason == ("",)


def test_departments_may_be_sites() -> None:
    whole = cmh.summarise([MEN], [ALL_MEN], [WOMEN], [ALL_WOMEN])
    parts = [cmh.summarise([m], [am], [w], [aw]) for m, am, w, aw in zip(MEN, ALL_MEN, WOMEN, ALL_WOMEN, strict=True)]
    added = parts[0]
    for part in parts[1:]:
        added = added + part
    np.testing.assert_allclose(added.vector(), whole.vector(), rtol=1e-13)


def test_a_difference_between_sites_is_not_one_between_cases_and_controls() -> None:
    """Carriers are common at the first site, which has most of the cases: within each site nothing differs."""
    total = cmh.summarise([40], [100], [4], [10]) + cmh.summarise([1], [10], [10], [100])
    found = cmh.estimate(total, corrected=False)
    assert found.odds_ratio[0] == pytest.approx(1.0)
    assert found.p[0] == pytest.approx(1.0)


def test_each_row_without_an_answer_says_why() -> None:
    rows = cmh.summarise([0, 3, 4, 0, 0, 5], [9, 3, 9, 9, 0, 9], [0, 4, 0, 3, 0, 9], [9, 4, 9, 9, 0, 9])
    found = cmh.estimate(rows)
    assert found.reason == (
        "nobody carries any",
        "no stratum has cases and controls, carriers and others",
        "the odds ratio has no bounds",
        "the odds ratio has no bounds",
        "nobody carries any",
        "the odds ratio has no bounds",
    )
    assert found.odds_ratio.tolist()[2:4] == [math.inf, 0.0]
    assert np.isnan(found.p).tolist() == [True, True, False, False, True, False]
    assert np.isnan(found.low).all()


def test_what_is_no_table_is_refused() -> None:
    for rows in (([5], [4], [0], [4]), ([-1], [4], [0], [4]), ([1.5], [4], [0], [4]), ([1, 2], [4], [0], [4])):
        with pytest.raises(BadInput, match="stratum by stratum"):
            cmh.summarise(*rows)


def test_greater_asks_whether_cases_carry_more_often() -> None:
    rows = cmh.summarise([30, 5], [100, 100], [40, 80], [400, 400])
    two, one = cmh.estimate(rows), cmh.estimate(rows, alternative="greater")
    assert one.p[0] == pytest.approx(two.p[0] / 2)
    assert one.p[1] == pytest.approx(1 - two.p[1] / 2)


def test_the_fewest_that_tell_as_much_are_those_there_are_or_fewer() -> None:
    """Alike sites: all of them, nearly. Almost all cases at one of two sites: a control of the other tells next to nothing."""
    alike = cmh.summarise([20], [1000], [30], [10000]) + cmh.summarise([20], [1000], [30], [10000])
    assert cmh.estimate(alike).fewest[0] == pytest.approx(40, rel=0.03)
    apart = cmh.summarise([40], [1000], [3], [1000]) + cmh.summarise([1], [10], [300], [100000])
    assert cmh.estimate(apart).fewest[0] == pytest.approx(3, rel=0.05)
    assert apart["strata"].tolist() == [2.0]
    assert cmh.estimate(cmh.summarise([0], [9], [4], [9])).fewest[0] == 0.0
