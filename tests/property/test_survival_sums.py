"""Survival and Cox: any split of the people gives the pooled answer, and fast sums are what slow loops over people give."""

from math import exp, log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.statistics import cox, meta
from nhsgen.statistics.sums import Sums, solve, total
from nhsgen.statistics.survival import Grid, curves, differences, log_rank, summarise

QUICK = settings(max_examples=25, deadline=None)
GROUPS = ("a", "b", "c")

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Cohort(NamedTuple):
    entry: Floats
    leave: Floats
    died: Mask
    x: Floats
    group: npt.NDArray[np.str_]
    site: npt.NDArray[np.int64]

    def of(self, rows: npt.NDArray[np.generic]) -> "Cohort":
        return Cohort(*(column[rows] for column in self))

    @property
    def sites(self) -> "list[Cohort]":
        return [self.of(self.site == site) for site in np.unique(self.site)]


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    """Tied and untied times, late entries, three covariates; site 0 has five people, and there may be a site where nobody dies,
    one where everybody does, one without carriers and one with nothing else."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, tied = draw(st.integers(60, 150)), draw(st.booleans())
    site = np.concatenate([np.zeros(5, np.int64), rng.integers(1, 5, n - 5)])
    x = np.stack([rng.random(n) < 0.3, rng.normal(size=n), 1960 + rng.integers(0, 50, n)], axis=1).astype(np.float64)
    leave = rng.exponential(20 * np.exp(-0.7 * x[:, 0] + 0.4 * x[:, 1]))
    died = rng.random(n) < 0.6
    kinds = st.sampled_from(["any", "no deaths", "all die", "no carriers", "only carriers"])
    for number in range(1, 5):
        kind, here = draw(kinds), site == number
        died = np.where(here & (kind == "no deaths"), False, died | (here & (kind == "all die")))
        x[here, 0] = {"no carriers": 0.0, "only carriers": 1.0}.get(kind, x[here, 0])
    entry = np.where(rng.random(n) < 0.5, 0.0, leave * rng.random(n))
    if tied:
        leave, entry = np.ceil(leave / 4) * 4, np.floor(entry / 4) * 4
    return Cohort(entry, leave, died, x, rng.choice(np.array(GROUPS), n), site)


def tables(people: Cohort, grid: Grid) -> Sums:
    return summarise(people.leave, people.died, grid, entry=people.entry, group=people.group, groups=GROUPS)


def prepared(people: Cohort, strata: object = None) -> cox.People:
    return cox.prepare(people.leave, people.died, people.x, entry=people.entry, strata=strata)  # type: ignore[arg-type]


def fit(*sites: cox.People) -> cox.Hazards:
    return solve(lambda s: total(cox.summarise(site, s.ask) for site in sites), cox.step, cox.start("xyz")).answer()


def same(a: cox.Hazards, b: cox.Hazards, tolerance: float = 1e-10) -> None:
    assert (a.people, a.deaths, a.left_out) == (b.people, b.deaths, b.left_out)
    for one, two in zip(a.effects, b.effects, strict=True):
        assert one.reason == two.reason
        if not one.reason:
            assert abs(one.beta - two.beta) <= tolerance * max(1.0, one.se)
            assert (one.se, one.p) == pytest.approx((two.se, two.p), rel=1e-9)
    for one, two in ((a.likelihood_ratio, b.likelihood_ratio), (a.score, b.score)):
        assert (one.statistic, one.df) == (pytest.approx(two.statistic, rel=1e-8, abs=1e-9), two.df)


# -- Curves and log-rank --------------------------------------------------------------------------------------------------


def slow_tables(people: Cohort, grid: Grid) -> tuple[list[list[int]], list[list[int]]]:
    """Who is at risk and who dies, person by person and step by step, in words."""
    at_risk, deaths = [], []
    ends = [*grid.starts[1:], grid.end]
    for group in GROUPS:
        chosen = [
            row for row in zip(people.entry, people.leave, people.died, people.group, strict=True) if row[3] == group
        ]
        n, d = [], []
        for start, end in zip(grid.starts, ends, strict=True):
            here = [row for row in chosen if (row[0] < start if grid.instants else row[0] <= start) and row[1] >= start]
            n.append(len(here))
            d.append(sum(bool(row[2]) for row in here if row[1] < end))
        at_risk.append(n)
        deaths.append(d)
    return at_risk, deaths


@given(cohorts(), st.booleans())
@QUICK
def test_curves_and_comparisons_of_any_split_are_those_of_all(people: Cohort, exact: bool) -> None:
    people = people.of(people.leave > people.entry)
    grid = Grid.of_deaths(people.leave, people.died) if exact else Grid.every(3, until=40)
    pooled = tables(people, grid)
    split = total(tables(site, grid) for site in people.sites[::-1])
    assert all((split[name] == pooled[name]).all() for name in pooled.arrays)
    assert (pooled["at_risk"].tolist(), pooled["deaths"].tolist()) == slow_tables(people, grid)
    for one, two in zip(curves(split, grid, GROUPS), curves(pooled, grid, GROUPS), strict=True):
        assert one.survival == pytest.approx(two.survival, abs=1e-14)
        assert (one.median, one.median_low, one.median_high, one.reason) == (
            two.median, two.median_low, two.median_high, two.reason
        )  # fmt: skip


@given(cohorts())
@QUICK
def test_log_rank_does_not_mind_names_or_clocks(people: Cohort) -> None:
    people = people.of(people.leave > people.entry)
    grid = Grid.of_deaths(people.leave, people.died)
    test = log_rank(differences(tables(people, grid)), GROUPS)
    slower = people._replace(entry=people.entry**3, leave=people.leave**3)
    renamed = people._replace(group=np.array([GROUPS["bca".index(name)] for name in people.group]))
    for other, steps in ((slower, Grid.of_deaths(slower.leave, slower.died)), (renamed, grid)):
        again = log_rank(differences(tables(other, steps)), GROUPS)
        assert (again.statistic, again.df) == (pytest.approx(test.statistic, rel=1e-9, abs=1e-9), test.df)
    assert test.observed.sum() == pytest.approx(test.expected.sum())


# -- Cox ------------------------------------------------------------------------------------------------------------------


def slow_likelihood(people: Cohort, beta: Floats) -> tuple[float, Floats, Floats]:
    """Efron's partial likelihood, its slope and minus its curvature, from the definition: one death at a time, site by site."""
    likelihood, score, information = 0.0, np.zeros(len(beta)), np.zeros((len(beta), len(beta)))
    for site in people.sites:
        for time in np.unique(site.leave[site.died]):
            at_risk = (site.entry < time) & (time <= site.leave)
            dead = at_risk & site.died & (site.leave == time)
            for gone in range(dead.sum()):
                weight = [
                    exp(row @ beta) * (1 - gone / dead.sum() * tied) for row, tied in zip(site.x, dead, strict=True)
                ]
                chance = np.array(weight) * at_risk / (np.array(weight) * at_risk).sum()
                mean = chance @ site.x
                likelihood -= log((np.array(weight) * at_risk).sum())
                score -= mean
                information += (site.x - mean).T @ ((site.x - mean) * chance[:, None])
            likelihood += (site.x[dead] @ beta).sum()
            score += site.x[dead].sum(axis=0)
    return likelihood, score, information


@given(cohorts(), st.lists(st.floats(-1, 1), min_size=3, max_size=3))
@settings(max_examples=8, deadline=None)
def test_the_kernel_is_the_definition(people: Cohort, ask: list[float]) -> None:
    people = people.of(people.leave > people.entry)
    beta = np.array(ask) * [2, 2, 0.05]
    sums = cox.summarise(prepared(people, people.site), beta)
    likelihood, score, information = slow_likelihood(people, beta)
    assert float(sums["log_likelihood"]) == pytest.approx(likelihood, rel=1e-10)
    np.testing.assert_allclose(sums["score"], score, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(sums["information"], information, rtol=1e-8, atol=1e-8)


@given(cohorts())
@QUICK
def test_hazards_of_any_split_are_those_of_all_stratified_by_site(people: Cohort) -> None:
    order = np.random.default_rng(len(people.site)).permutation(len(people.site))
    pooled = fit(prepared(people, people.site))
    same(fit(*(prepared(site) for site in people.sites)), pooled)
    same(fit(*(prepared(site) for site in people.of(order).sites[::-1])), pooled)


@given(cohorts())
@QUICK
def test_without_strata_hazards_of_any_split_are_those_of_all_as_one_stratum(people: Cohort) -> None:
    people = people._replace(x=people.x - [0, 0, 1985])
    grid, sites = Grid.of_deaths(people.leave, people.died), [prepared(site) for site in people.sites]

    def ask(state: cox.Newton) -> Sums:
        return cox.from_risk_sets(total(cox.risk_sets(site, grid, state.ask) for site in sites), state.ask)

    together = solve(ask, cox.step, cox.start("xyz")).answer()
    one = fit(prepared(people))
    assert [effect.reason for effect in together.effects] == [effect.reason for effect in one.effects]
    for a, b in zip(together.effects, one.effects, strict=True):
        assert a.reason or abs(a.beta - b.beta) <= 1e-10 * max(1.0, a.se)


@given(cohorts(), st.sampled_from([-1000.0, 0.01, 7.0]))
@QUICK
def test_hazards_scale_with_their_covariates_and_do_not_mind_shifts(people: Cohort, by: float) -> None:
    plain = fit(*(prepared(site) for site in people.sites))
    other = fit(*(prepared(site._replace(x=site.x * by + 3)) for site in people.sites))
    for a, b in zip(plain.effects, other.effects, strict=True):
        assert a.reason == b.reason
        assert a.reason or abs(a.beta - b.beta * by) <= 1e-8 * max(1.0, a.se)


# -- Meta-analysis is something else --------------------------------------------------------------------------------------


def test_meta_analysis_of_the_sites_is_near_the_pooled_answer_and_not_the_same() -> None:
    rng = np.random.default_rng(5)
    x, site = rng.normal(size=(600, 1)), rng.integers(0, 4, 600)
    leave, died = rng.exponential(np.exp(-0.5 * x[:, 0])), rng.random(600) < 0.7
    sites = [cox.prepare(leave[site == s], died[site == s], x[site == s]) for s in range(4)]

    def effect(*chosen: cox.People) -> cox.Effect:
        state = solve(lambda s: total(cox.summarise(one, s.ask) for one in chosen), cox.step, cox.start("x"))
        return state.answer().effects[0]

    each, pooled = [effect(one) for one in sites], effect(*sites)
    combined = meta.combine([one.beta for one in each], [one.se for one in each])
    assert 1e-8 < abs(float(combined.beta) - pooled.beta) < pooled.se / 2
