"""Survival is what lifelines and statsmodels say, and meta-analysis what statsmodels says, where these are installed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nhsgen.statistics import cox, meta, proportional
from nhsgen.statistics.sums import solve, total
from nhsgen.statistics.survival import Grid, LogRank, curves, differences, log_rank, summarise

Floats = npt.NDArray[np.float64]

# The peers warn about their own dependencies; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

TERMS = ("fin", "age", "race", "wexp", "mar", "paro", "prio")
ARMS = ("miR-137", "control")


@pytest.fixture(scope="module")
def lifelines() -> Any:
    module = pytest.importorskip("lifelines", reason="lifelines is not installed here: pip install lifelines")
    pytest.importorskip("lifelines.datasets")
    pytest.importorskip("lifelines.statistics")
    return module


@pytest.fixture(scope="module")
def statsmodels() -> Any:
    pytest.importorskip("statsmodels", reason="statsmodels is not installed here: pip install statsmodels")
    import statsmodels.api as module  # noqa: PLC0415  (it may be absent)

    return module


@pytest.fixture(scope="module")
def waltons(lifelines: Any) -> tuple[Floats, Floats, npt.NDArray[np.str_]]:
    """How long flies of two kinds live."""
    data = lifelines.datasets.load_waltons()
    return data["T"].to_numpy(float), data["E"].to_numpy(float), data["group"].to_numpy(str)


@pytest.fixture(scope="module")
def rossi(lifelines: Any) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """432 convicts after their release (Rossi et al., 1980): weeks, arrest, terms; and late entries and three sites that we add."""
    data = lifelines.datasets.load_rossi()
    leave, rng = data["week"].to_numpy(float), np.random.default_rng(1)
    # Half weeks: statsmodels takes people who enter at a death to be at risk in it, and R and we do not.
    entry = np.maximum(0.0, np.minimum(rng.integers(0, 15, len(data)), leave - 1) - 0.5)
    return (
        leave,
        data["arrest"].to_numpy(float),
        data[list(TERMS)].to_numpy(float),
        entry,
        rng.integers(0, 3, len(data)),
    )


def compared(leave: Floats, died: Floats, group: Any, groups: Sequence[str], grid: Grid | None = None) -> LogRank:
    steps = grid or Grid.of_deaths(leave, died)
    return log_rank(differences(summarise(leave, died, steps, group=group, groups=groups)), groups)


def fit(*sites: cox.People) -> cox.Hazards:
    return solve(lambda s: total(cox.summarise(site, s.ask) for site in sites), cox.step, cox.start(TERMS)).answer()


def numbers(answer: cox.Hazards) -> tuple[list[float], list[float]]:
    return [effect.beta for effect in answer.effects], [effect.se for effect in answer.effects]


def test_curves(lifelines: Any, waltons: tuple[Floats, Floats, npt.NDArray[np.str_]]) -> None:
    leave, died, group = waltons
    grid = Grid.of_deaths(leave, died)
    shown = curves(summarise(leave, died, grid, group=group, groups=ARMS), grid, ARMS)
    assert [curve.median for curve in shown] == [26, 58]
    for curve in shown:
        here = group == curve.group
        peer = lifelines.KaplanMeierFitter().fit(leave[here], died[here])
        limits = peer.confidence_interval_survival_function_
        assert curve.survival == pytest.approx([peer.predict(time) for time in grid.times], abs=1e-12)
        at = limits.index.searchsorted(grid.times, side="right") - 1
        assert curve.low == pytest.approx(limits.to_numpy()[at, 0], abs=1e-10)
        assert curve.high == pytest.approx(limits.to_numpy()[at, 1], abs=1e-10)


def test_curves_when_people_enter_late(lifelines: Any, rossi: Any) -> None:
    leave, died, _, entry, _ = rossi
    grid = Grid.of_deaths(leave, died)
    (whole,) = curves(summarise(leave, died, grid), grid)
    assert whole.at(52) == pytest.approx(0.7361111, abs=1e-7)
    (late,) = curves(summarise(leave, died, grid, entry=entry), grid)
    peer = lifelines.KaplanMeierFitter().fit(leave, died, entry=entry)
    assert late.survival == pytest.approx([peer.predict(time) for time in grid.times], abs=1e-12)


def test_which_effects_change_with_time(lifelines: Any, rossi: Any) -> None:
    """lifelines takes one variance for all moments, as R did before survival 3.0: its p are others, and doubt the same terms."""
    leave, died, x, *_ = rossi
    data = lifelines.datasets.load_rossi()
    peer = lifelines.statistics.proportional_hazard_test(
        lifelines.CoxPHFitter().fit(data, "week", "arrest"), data, time_transform="km"
    ).summary["p"]
    people, grid = cox.prepare(leave, died, x), Grid.of_deaths(leave, died)
    newton = solve(lambda state: cox.summarise(people, state.ask), cox.step, cox.start(TERMS))
    shape = proportional.dying(summarise(leave, died, grid), grid)
    each, _ = proportional.tests(proportional.summarise(people, newton.beta, shape), newton.used)
    assert {term for term in TERMS if peer[term] < 0.05} == {"age", "wexp"}
    assert {term for term, drift in zip(TERMS, each, strict=True) if drift.p < 0.05} == {"age", "wexp"}


def test_log_rank(lifelines: Any, waltons: tuple[Floats, Floats, npt.NDArray[np.str_]], rossi: Any) -> None:
    leave, died, group = waltons
    test = compared(leave, died, group, ARMS)
    assert test.statistic == pytest.approx(122.2491255730, abs=1e-9)
    assert test.p == pytest.approx(2.036e-28, rel=1e-4)
    assert compared(leave, died, group, ARMS, Grid.every(5, until=100)).statistic == pytest.approx(123.43, abs=0.005)
    leave, died, x, *_ = rossi
    assert compared(leave, died, x[:, 0].astype(int).astype(str), ("0", "1")).statistic == pytest.approx(3.8375695765)
    ages = np.digitize(x[:, 1], [20, 25, 30]).astype(str)
    peer = lifelines.statistics.multivariate_logrank_test(leave, ages, died)
    several = compared(leave, died, ages, ("0", "1", "2", "3"))
    assert (several.statistic, several.p, several.df) == (
        pytest.approx(peer.test_statistic),
        pytest.approx(peer.p_value),
        3,
    )


def test_log_rank_stratified(statsmodels: Any, rossi: Any) -> None:
    leave, died, x, _, site = rossi
    grid, money = Grid.of_deaths(leave, died), x[:, 0].astype(int).astype(str)
    parts = [
        differences(summarise(leave[site == s], died[site == s], grid, group=money[site == s], groups=("0", "1")))
        for s in range(3)
    ]
    ours = log_rank(total(parts), ("0", "1"))
    statistic, p = statsmodels.duration.survdiff(leave, died, x[:, 0], strata=site)
    assert (ours.statistic, ours.p) == (pytest.approx(statistic, rel=1e-10), pytest.approx(p, rel=1e-10))


def test_cox_as_lifelines(lifelines: Any, rossi: Any) -> None:
    leave, died, x, *_ = rossi
    answer = fit(cox.prepare(leave, died, x))
    peer = lifelines.CoxPHFitter().fit(lifelines.datasets.load_rossi(), "week", "arrest")
    beta, se = numbers(answer)
    assert beta == pytest.approx(peer.params_[list(TERMS)].to_list(), abs=1e-6)
    assert se == pytest.approx(peer.standard_errors_[list(TERMS)].to_list(), abs=1e-6)
    assert answer.log_likelihood == pytest.approx(-658.747659, abs=1e-6)
    assert [round(value, 4) for value in beta] == [-0.3794, -0.0574, 0.3139, -0.1498, -0.4337, -0.0849, 0.0915]
    assert [round(value, 4) for value in se] == [0.1914, 0.0220, 0.3080, 0.2122, 0.3819, 0.1958, 0.0286]
    peer_test = peer.log_likelihood_ratio_test()
    assert answer.likelihood_ratio.statistic == pytest.approx(peer_test.test_statistic, abs=1e-6)
    assert answer.likelihood_ratio.df == 7


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("stratified", [False, True])
def test_cox_as_statsmodels(statsmodels: Any, rossi: Any, late: bool, stratified: bool) -> None:
    leave, died, x, entry, site = rossi
    since, sites = (entry if late else np.zeros_like(entry)), (site if stratified else np.zeros_like(site))
    peer = statsmodels.PHReg(leave, x, status=died, entry=since if late else None, strata=sites, ties="efron").fit(
        method="newton", tol=1e-14, maxiter=100
    )
    parts = [
        cox.prepare(leave[here], died[here], x[here], entry=since[here])
        for here in (sites == s for s in np.unique(sites))
    ]
    beta, se = numbers(fit(*parts))
    assert beta == pytest.approx(peer.params, abs=1e-10)
    assert se == pytest.approx(peer.bse, abs=1e-10)


def test_meta_analysis(statsmodels: Any) -> None:
    from statsmodels.stats.meta_analysis import combine_effects  # noqa: PLC0415  (it may be absent)

    rng = np.random.default_rng(3)
    beta, se = rng.normal(size=9), rng.uniform(0.1, 0.8, 9)
    peer = combine_effects(beta, se**2, method_re="chi2", use_t=True)
    fixed, random, adjusted = (
        meta.combine(beta, se),
        meta.combine(beta, se, "dersimonian_laird"),
        meta.combine(beta, se, "dersimonian_laird", hartung_knapp=True),
    )
    assert (float(fixed.beta), float(fixed.se)) == pytest.approx((peer.mean_effect_fe, peer.sd_eff_w_fe), rel=1e-10)
    assert (float(fixed.q), float(fixed.i2)) == pytest.approx((peer.q, peer.i2), rel=1e-10)
    assert (float(random.tau2), float(random.beta)) == pytest.approx((peer.tau2, peer.mean_effect_re), rel=1e-10)
    assert (float(random.se), float(adjusted.se)) == pytest.approx((peer.sd_eff_w_re, peer.sd_eff_w_re_hksj), rel=1e-10)
