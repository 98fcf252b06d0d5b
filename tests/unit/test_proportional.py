"""Whether a hazard ratio holds at all times: by its definition, by brute force, by chance, and where nothing can be said."""

from collections.abc import Callable
from math import isnan

import numpy as np
import numpy.typing as npt
import pytest
from test_survival import AML_ARM, AML_DIED, AML_TIME

from nhsgen.errors import BadInput
from nhsgen.statistics import cox, proportional
from nhsgen.statistics.sums import solve, total
from nhsgen.statistics.survival import Grid, summarise

Floats = npt.NDArray[np.float64]

RNG = np.random.default_rng(5)
PEOPLE = 120
X = np.column_stack([RNG.integers(0, 2, PEOPLE), RNG.normal(size=PEOPLE)]).astype(np.float64)
LEAVE = np.ceil(RNG.exponential(10 * np.exp(-0.4 * X[:, 0]), PEOPLE))  # whole days, so that some die on the same
DIED = (RNG.random(PEOPLE) < 0.8).astype(np.float64)
SITE = RNG.integers(0, 3, PEOPLE)


def settled(*sites: cox.People) -> cox.Newton:
    terms = [f"x{term}" for term in range(sites[0].x.shape[1])]
    return solve(lambda state: total(cox.summarise(site, state.ask) for site in sites), cox.step, cox.start(terms))


def shape_of(leave: Floats, died: Floats) -> proportional.Shape:
    grid = Grid.of_deaths(leave, died)
    return proportional.dying(summarise(leave, died, grid), grid)


def drifts(leave: Floats, died: Floats, x: Floats) -> tuple[tuple[proportional.Drift, ...], proportional.Drift]:
    people = cox.prepare(leave, died, x)
    newton = settled(people)
    return proportional.tests(proportional.summarise(people, newton.beta, shape_of(leave, died)), newton.used)


def likelihood(g: dict[float, float], coefficients: Floats) -> float:
    """Efron's, of a model with x and x g(t), written out."""
    terms = X.shape[1]
    found = 0.0
    for moment, at in g.items():
        eta = X @ (coefficients[:terms] + coefficients[terms:] * at)
        risk, dead = moment <= LEAVE, (moment == LEAVE) & (DIED == 1)
        everybody, dying, deaths = np.exp(eta[risk]).sum(), np.exp(eta[dead]).sum(), dead.sum()
        found += eta[dead].sum() - sum(np.log(everybody - gone / deaths * dying) for gone in range(deaths))
    return float(found)


def slope(f: Callable[[Floats], float], at: Floats, by: float = 1e-4) -> Floats:
    return np.array([(f(at + by * e) - f(at - by * e)) / (2 * by) for e in np.eye(len(at))])


def test_it_is_the_score_test_of_a_model_in_which_effects_change() -> None:
    shape = shape_of(LEAVE, DIED)
    g = dict(zip(map(float, shape.grid.starts), shape.values, strict=True))
    newton = settled(cox.prepare(LEAVE, DIED, X))
    at = np.concatenate([newton.beta, np.zeros(2)])
    score = slope(lambda c: likelihood(g, c), at)
    information = -np.array([(slope(lambda c: likelihood(g, c), at + 1e-3 * e) - slope(lambda c: likelihood(g, c), at - 1e-3 * e)) / 2e-3
                             for e in np.eye(4)])  # fmt: skip
    left = information[2:, 2:] - information[2:, :2] @ np.linalg.solve(information[:2, :2], information[:2, 2:])
    each, together = drifts(LEAVE, DIED, X)
    assert [drift.statistic for drift in each] == pytest.approx(score[2:] ** 2 / np.diag(left), rel=1e-3)
    assert together.statistic == pytest.approx(score[2:] @ np.linalg.solve(left, score[2:]), rel=1e-3)
    assert together.df == 2


def test_sites_add_up_to_strata() -> None:
    shape = shape_of(LEAVE, DIED)
    sites = [cox.prepare(LEAVE[site == SITE], DIED[site == SITE], X[site == SITE]) for site in range(3)]
    whole = cox.prepare(LEAVE, DIED, X, strata=SITE)
    newton = settled(*sites)
    added = total(proportional.summarise(site, newton.beta, shape) for site in sites)
    pooled = proportional.summarise(whole, settled(whole).beta, shape)
    for name, numbers in pooled.arrays.items():
        np.testing.assert_allclose(added[name], numbers, rtol=1e-9, atol=1e-9)


def test_groups_alone_need_nothing_but_the_table_of_a_curve() -> None:
    """Cox's model without strata, and its test: of everybody's records, and of deaths and people at risk by group."""
    group = np.where(X[:, 1] < -0.5, "low", np.where(X[:, 1] > 0.5, "high", "middle"))
    names = ("high", "low", "middle")
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    grid = Grid.of_deaths(LEAVE, DIED)
    tables = summarise(LEAVE, DIED, grid, group=group.tolist(), groups=names)
    newton = solve(
        lambda s: cox.from_risk_sets(cox.grouped_risk_sets(tables, x, s.ask), s.ask),
        cox.step,
        cox.start(("high", "low")),
    )
    shape = proportional.dying(tables, grid)
    sets = cox.grouped_risk_sets(tables, x, newton.beta)
    drift = proportional.tests(proportional.from_risk_sets(sets, tables["deaths"].T @ x, shape), newton.used)
    people = cox.prepare(LEAVE, DIED, x[[names.index(each) for each in group]])
    same = settled(people)
    np.testing.assert_allclose(newton.beta, same.beta, rtol=1e-9)
    assert newton.answer().effects[0].se == pytest.approx(same.answer().effects[0].se, rel=1e-9)
    expected = proportional.tests(proportional.summarise(people, same.beta, shape), same.used)
    assert [each.p for each in drift[0]] == pytest.approx([each.p for each in expected[0]], rel=1e-7)


def test_a_ratio_that_holds_is_rarely_doubted_and_one_that_does_not_is() -> None:
    rng = np.random.default_rng(1)
    doubts = {"holds": 0, "ends": 0}
    for _ in range(200):
        carrier = rng.integers(0, 2, 200).astype(np.float64)
        for name in doubts:
            leave = rng.exponential(np.where(carrier == 1, 1 / 2.5, 1.0))
            if name == "ends":  # those who live for so long are like everybody
                leave = np.where(leave > 0.3, 0.3 + rng.exponential(1.0, 200), leave)
            died = (leave < 2).astype(np.float64)
            (drift,), _ = drifts(np.minimum(leave, 2), died, carrier[:, None])
            doubts[name] += drift.p < 0.05
    assert 2 <= doubts["holds"] <= 20
    assert doubts["ends"] > 100


def test_where_nothing_can_be_said() -> None:
    arm = np.array([[each == "not", 0.0] for each in AML_ARM], dtype=np.float64)
    time, died = np.array(AML_TIME, dtype=np.float64), np.array(AML_DIED, dtype=np.float64)
    people = cox.prepare(time, died, arm)
    newton = settled(people)
    once = proportional.Shape(Grid.every(1000, until=1000), np.zeros(1))
    (first, constant), together = proportional.tests(proportional.summarise(people, newton.beta, once), newton.used)
    assert isnan(first.p)  # all deaths in one step
    assert isnan(constant.p)
    assert (together.df, isnan(together.p)) == (0, True)
    (first, constant), together = proportional.tests(
        proportional.summarise(people, newton.beta, shape_of(time, died)), newton.used
    )
    assert 0 < first.p < 1
    assert isnan(constant.p)
    assert together.df == 1
    nobody = proportional.tests(proportional.summarise(people, newton.beta, once), [False, False])
    assert isnan(nobody[1].p)
    with pytest.raises(BadInput, match="one number a step"):
        proportional.Shape(Grid.every(1, until=3), np.zeros(2))
