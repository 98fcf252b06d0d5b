"""Survival, by tables that textbooks print and tables small enough to check by hand."""

from math import inf, isnan

import numpy as np
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics.sums import total
from nhsgen.statistics.survival import Curve, Grid, LogRank, curves, differences, log_rank, summarise

# Weeks in remission on 6-mercaptopurine (Freireich et al., Blood 1963).
WEEKS = (6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
RELAPSED = (1,) * 9 + (0,) * 12

# Acute myelogenous leukaemia with and without maintenance chemotherapy (Miller, 1981; R's survival::aml).
AML_TIME = (9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45)
AML_DIED = (1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1)
AML_ARM = ("maintained",) * 11 + ("not",) * 12
ARMS = ("maintained", "not")


def one(leave: object, died: object, *, entry: object = None, grid: Grid | None = None) -> Curve:
    steps = grid or Grid.of_deaths(leave, died)  # type: ignore[arg-type]
    (curve,) = curves(summarise(leave, died, steps, entry=entry), steps)  # type: ignore[arg-type]
    return curve


def compared(leave: object, died: object, group: object, groups: tuple[str, ...]) -> LogRank:
    grid = Grid.of_deaths(leave, died)  # type: ignore[arg-type]
    return log_rank(differences(summarise(leave, died, grid, group=group, groups=groups)), groups)  # type: ignore[arg-type]


def test_the_curve_of_every_textbook() -> None:
    curve = one(WEEKS, RELAPSED)
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert curve.deaths.tolist() == [3, 1, 1, 1, 1, 1, 1]
    assert curve.survival.round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert curve.se.round(4).tolist() == [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]
    assert (curve.median, curve.median_low, curve.median_high, curve.reason) == (23, 13, inf, "")


def test_survival_at_a_time_counts_a_death_at_that_time() -> None:
    curve = one([1, 2], [1, 1])
    assert [curve.at(time) for time in (0, 0.9, 1, 1.5, 2, 9)] == [1, 1, 0.5, 0.5, 0, 0]


def test_groups_are_compared_as_r_does() -> None:
    test = compared(AML_TIME, AML_DIED, AML_ARM, ARMS)  # survdiff: expected 10.69 and 7.31, chi-square 3.4, p 0.07
    assert test.statistic == pytest.approx(3.396389, abs=1e-6)
    assert (test.df, round(test.p, 4)) == (1, 0.0653)
    assert test.observed.tolist() == [7, 11]
    assert test.expected.round(2).tolist() == [10.69, 7.31]
    shown = curves(summarise(AML_TIME, AML_DIED, Grid.of_deaths(AML_TIME, AML_DIED), group=AML_ARM, groups=ARMS),
                   Grid.of_deaths(AML_TIME, AML_DIED), ARMS)  # fmt: skip
    assert [curve.median for curve in shown] == [31, 23]


def test_quarters_count_who_is_there_when_a_quarter_begins() -> None:
    """Died on day 0, in step 1, on the first day of step 2; lost in step 1; still alive at the end, and beyond."""
    grid = Grid.every(3, until=9)
    tables = summarise([0, 4, 6, 5, 9, 12], [1, 1, 1, 0, 1, 1], grid)
    assert tables["at_risk"].tolist() == [[6, 5, 3]]
    assert tables["deaths"].tolist() == [[1, 1, 1]]
    (curve,) = curves(tables, grid)
    assert curve.times.tolist() == [3, 6, 9]
    assert curve.survival.tolist() == pytest.approx([5 / 6, 5 / 6 * 4 / 5, 5 / 6 * 4 / 5 * 2 / 3])


def test_nobody_is_at_risk_before_they_were_observed() -> None:
    """From birth: one seen from 0, one from 50, one from 60; deaths at 55, 60 and 70. Who enters at 60 is not yet at risk at 60."""
    curve = one([55, 60, 70], [1, 1, 1], entry=[0, 50, 60])
    assert curve.at_risk.tolist() == [2, 1, 1]
    assert curve.survival.tolist() == [0.5, 0, 0]
    assert curve.reason == "all at risk died before others entered"
    by_decade = summarise([55, 60, 70], [1, 1, 1], Grid.every(10, until=80), entry=[0, 50, 60])
    assert by_decade["at_risk"].tolist() == [[1, 1, 1, 1, 1, 2, 2, 1]]


def test_who_comes_and_goes_within_a_step_is_at_risk_in_none() -> None:
    tables = summarise([5, 9], [1, 1], Grid.every(3, until=12), entry=[4, 0])
    assert tables["at_risk"].tolist() == [[1, 1, 1, 1]]
    assert tables["deaths"].tolist() == [[0, 0, 0, 1]]


def test_who_is_left_out_is_counted() -> None:
    """No time; no status; negative; entered when they left. The last is in no group that was asked about."""
    tables = summarise(
        [np.nan, 2, -1, 3, 4, 5], [1, np.nan, 1, 1, 1, 1], Grid.every(3, until=6), entry=[-9, -9, -9, 3, 0, 0],
        group=["a", "a", "a", "b", "b", None], groups=["a", "b"],
    )  # fmt: skip
    assert tables["people"].tolist() == [0, 1]
    assert tables["left_out"].tolist() == [3, 1]
    assert tables["at_risk"].tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("leave", "died", "reason", "last"),
    [
        ([], [], "nobody", 1.0),
        ([np.nan], [1], "nobody", 1.0),
        ([4, 7], [0, 0], "no deaths", 1.0),
        ([4, 7, 8], [1, 0, 0], "median not reached", 2 / 3),
        ([4], [1], "", 0.0),
    ],
)
def test_every_curve_says_what_is_the_matter(leave: list[float], died: list[int], reason: str, last: float) -> None:
    curve = one(leave, died, grid=Grid.every(3, until=9))
    assert curve.reason == reason
    assert curve.survival[-1] == pytest.approx(last)
    assert np.isfinite([curve.survival, curve.se, curve.low, curve.high]).all()
    assert isnan(curve.at(9)) == (reason == "nobody")


def test_limits_stay_about_the_curve() -> None:
    curve = one(AML_TIME, AML_DIED)
    assert (curve.low <= curve.survival).all()
    assert (curve.survival <= curve.high).all()
    assert ((curve.low >= 0) & (curve.high <= 1)).all()


@pytest.mark.parametrize(
    ("died", "group", "df", "reason"),
    [
        ([1, 1, 1, 0], ["a", "b", "c", "a"], 2, ""),
        ([1, 1, 1, 0], ["a", "b", "b", "a"], 1, ""),  # nobody in c
        ([0, 0, 0, 0], ["a", "b", "c", "a"], 0, "no deaths"),
        ([1, 1, 1, 0], ["a", "a", "a", "a"], 0, "one group"),
        ([1, 1, 1, 0], [None] * 4, 0, "no deaths"),
    ],
)
def test_every_comparison_says_what_is_the_matter(died: list[int], group: list[str], df: int, reason: str) -> None:
    test = compared([1, 2, 3, 4], died, group, ("a", "b", "c"))
    assert (test.df, test.reason, isnan(test.p)) == (df, reason, df == 0)


def test_a_stratified_comparison_only_compares_within_a_site() -> None:
    """In each site the two die together; pooled, those of the first site die sooner, and it has more of 'a'."""
    grid = Grid.of_deaths([1, 5], [1, 1])
    sites = [
        summarise([1] * 4, [1] * 4, grid, group=["a", "a", "a", "b"], groups=("a", "b")),
        summarise([5] * 4, [1] * 4, grid, group=["a", "b", "b", "b"], groups=("a", "b")),
    ]
    assert (
        log_rank(total(map(differences, sites)), ("a", "b")).reason == "one group"
    )  # nothing to compare: all die at once
    assert log_rank(differences(total(sites)), ("a", "b")).statistic > 0


@pytest.mark.parametrize(
    ("leave", "died", "more"),
    [
        ([1, 2], [1], {}),
        ([1, 2], [1, 2], {}),
        ([[1, 2]], [[1, 1]], {}),
        ([1, 2], [1, 1], {"entry": [0]}),
        ([1, 2], [1, 1], {"group": ["a"]}),
        ([1, 2], [1, 1], {"groups": ("a", "a")}),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(leave: object, died: object, more: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="following people over time"):
        summarise(leave, died, Grid.every(3, until=9), **more)  # type: ignore[arg-type]


def test_a_death_between_the_moments_of_another_grid_is_refused() -> None:
    with pytest.raises(BadInput, match="between the moments"):
        summarise([1, 3], [1, 1], Grid.of_deaths([1, 4], [1, 1]))


@pytest.mark.parametrize("arguments", [(0, 9), (-1, 9), (10, 9), (1, inf), (np.nan, 9)])
def test_a_grid_without_steps_is_refused(arguments: tuple[float, float]) -> None:
    with pytest.raises(BadInput):
        Grid.every(*arguments)
    with pytest.raises(BadInput):
        Grid(np.array([3.0, 1.0]))
