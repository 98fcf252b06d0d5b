"""Cox regression, by what R prints, what algebra says, and what must be refused with a reason."""

from math import exp, isnan, log, nan

import numpy as np
import numpy.typing as npt
import pytest
from test_survival import AML_ARM, AML_DIED, AML_TIME

from nhsgen.errors import BadInput
from nhsgen.statistics.cox import Hazards, Newton, People, prepare, start, step, summarise
from nhsgen.statistics.sums import solve, total
from nhsgen.statistics.survival import Grid, differences
from nhsgen.statistics.survival import summarise as tables

AML_NOT = np.array([[arm == "not"] for arm in AML_ARM], dtype=np.float64)


def fit(*sites: People, terms: int = 1) -> Hazards:
    def ask(state: Newton) -> object:
        return total(summarise(people, state.ask) for people in sites)

    return solve(ask, step, start([f"x{term}" for term in range(terms)])).answer()  # type: ignore[arg-type]


def reasons(answer: Hazards) -> list[str]:
    return [effect.reason for effect in answer.effects]


def test_a_hazard_ratio_that_r_prints() -> None:
    """coxph(Surv(time, status) ~ x, aml): 0.9155, exp 2.498, se 0.5119, p 0.0737; likelihood ratio 3.38, score 3.42, Wald 3.2."""
    answer = fit(prepare(AML_TIME, AML_DIED, AML_NOT))
    (effect,) = answer.effects
    assert [round(x, 4) for x in (effect.beta, effect.se, effect.p)] == [0.9155, 0.5119, 0.0737]
    assert [round(x, 3) for x in (effect.ratio, effect.low, effect.high)] == [2.498, 0.916, 6.813]
    assert (answer.people, answer.deaths, answer.left_out) == (23, 18, 0)
    for test, printed in ((answer.likelihood_ratio, 3.38), (answer.score, 3.42), (answer.wald, 3.2)):
        assert (round(test.statistic, 2), test.df) == (printed, 1)


def test_two_deaths_and_a_quadratic_equation() -> None:
    """Exposed 1, then not exposed 2, exposed 3: (r / (2r + 1)) (1 / (r + 1)) is largest at r = 1 / sqrt 2."""
    answer = fit(prepare([1, 2, 3], [1, 1, 0], [[1], [0], [1]]))
    assert answer.effects[0].ratio == pytest.approx(1 / 2**0.5, abs=1e-12)
    assert answer.null == pytest.approx(-log(6))
    best = 1 / 2**0.5
    assert answer.log_likelihood == pytest.approx(log(best / (2 * best + 1) / (best + 1)))


def test_tied_deaths_leave_one_after_the_other() -> None:
    """Efron: the two of four who die at once face risks of 4 and, on average, of 3."""
    assert fit(prepare([1, 1, 2, 2], [1, 1, 0, 0], [[1], [0], [1], [0]])).null == pytest.approx(-log(4) - log(3))


def test_without_ties_the_score_test_is_the_log_rank_test() -> None:
    time = np.argsort(np.argsort(np.array(AML_TIME) + np.arange(23) / 100)).astype(np.float64)
    grid = Grid.of_deaths(time, AML_DIED)
    sums = differences(tables(time, AML_DIED, grid, group=AML_ARM, groups=("maintained", "not")))
    difference = sums["observed"][1] - sums["expected"][1]
    answer = fit(prepare(time, AML_DIED, AML_NOT))
    assert answer.score.statistic == pytest.approx(difference**2 / sums["variance"][1, 1], rel=1e-12)


def test_who_has_not_entered_is_not_compared() -> None:
    """The exposed person comes under observation after both deaths, and so says nothing."""
    late = fit(prepare([1, 2, 9, 9], [1, 1, 0, 0], [[0], [0], [1], [0]], entry=[0, 0, 5, 0]))
    assert reasons(late) == ["constant"]
    assert late.null == pytest.approx(-log(6))


def test_a_site_without_deaths_adds_people_and_nothing_else() -> None:
    here, quiet = prepare(AML_TIME, AML_DIED, AML_NOT), prepare([3, 4], [0, 0], [[1], [0]])
    both = fit(here, quiet)
    assert both.effects == fit(here).effects
    assert (both.people, both.deaths) == (25, 18)
    sums = summarise(quiet, np.zeros(1))
    assert not any(sums[name].any() for name in ("score", "information", "log_likelihood"))


def test_covariates_of_any_size_and_place() -> None:
    """Year of birth and its square, and a dose in billionths: the answers scale, and no digits are lost."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    time, died = rng.exponential(np.exp(-0.5 * x[:, 0])), rng.random(400) < 0.7
    plain, moved = fit(prepare(time, died, x), terms=2), fit(prepare(time, died, x * [1e6, 1e-9] + [1e9, 5]), terms=2)
    for a, b, scale in zip(plain.effects, moved.effects, (1e6, 1e-9), strict=True):
        assert (b.beta * scale, b.se * scale) == pytest.approx((a.beta, a.se), rel=1e-7)
    year = 1960 + 15 * x[:, :1]
    assert reasons(fit(prepare(time, died, np.hstack([year, year**2])), terms=2)) == ["", ""]


def columns(*columns: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def test_terms_that_cannot_be_estimated_say_why_and_do_not_disturb_the_others() -> None:
    rng = np.random.default_rng(1)
    a, b, time, died = rng.normal(size=100), rng.integers(0, 2, 100), rng.exponential(size=100), rng.random(100) < 0.5
    x = columns(a, np.full(100, 0.1), b, 3 * a - b, died)
    answer = fit(prepare(time, died, x), terms=5)
    assert reasons(answer) == ["", "constant", "", "collinear", "monotone"]
    assert all(isnan(effect.beta) for effect in answer.effects if effect.reason)
    assert answer.likelihood_ratio.df == 3
    assert answer.wald.df == 2
    # As if the monotone term were at infinity: only those who die are ever at risk.
    only = fit(prepare(time[died], died[died], x[died][:, [0, 2]]), terms=2)
    for effect, limit in zip((answer.effects[0], answer.effects[2]), only.effects, strict=True):
        assert effect.beta == pytest.approx(limit.beta, abs=1e-3)


@pytest.mark.parametrize("carriers", [1, 5])
def test_a_rare_allele_that_only_the_dead_carry(carriers: int) -> None:
    """The first step goes to exp(1000 / carriers); the way back must end at 'monotone' and not in an overflow."""
    dies = np.arange(1000) < carriers
    answer = fit(prepare(np.arange(1.0, 1001.0), dies, columns(dies)))
    assert reasons(answer) == ["monotone"]
    assert answer.likelihood_ratio.p < 0.001


def test_a_rare_allele_that_nearly_only_the_dead_carry() -> None:
    """As above, but the third of five deaths is of somebody without it: there is an answer, however large."""
    carrier = np.isin(np.arange(1000), (0, 1, 3, 4))
    (effect,) = fit(prepare(np.arange(1.0, 1001.0), np.arange(1000) < 5, columns(carrier))).effects
    assert effect.reason == ""
    assert effect.low > 100


def test_nobody_dies_who_carries_it() -> None:
    rng = np.random.default_rng(2)
    carrier = np.arange(300) < 3
    died = (rng.random(300) < 0.5) & ~carrier
    assert reasons(fit(prepare(rng.exponential(size=300), died, columns(carrier)))) == ["monotone"]


@pytest.mark.parametrize(
    ("leave", "died", "x", "reason"),
    [
        ([], [], np.empty((0, 1)), "nobody"),
        ([1, 2], [1, 1], [[nan], [nan]], "nobody"),
        ([1, 2], [0, 0], [[0], [1]], "no deaths"),
        ([1, 2], [0, 1], [[0], [1]], "constant"),  # the death has no one to be compared with
        ([1], [1], [[1]], "constant"),
    ],
)
def test_every_term_says_what_is_the_matter(leave: list[int], died: list[int], x: object, reason: str) -> None:
    answer = fit(prepare(leave, died, x))  # type: ignore[arg-type]
    assert reasons(answer) == [reason]
    assert answer.likelihood_ratio.statistic == 0
    assert answer.left_out == (2 if isinstance(x, list) and x == [[nan], [nan]] else 0)


def test_no_terms_at_all() -> None:
    answer = fit(prepare([1, 2], [1, 1], np.empty((2, 0))), terms=0)
    assert (answer.effects, exp(answer.null)) == ((), pytest.approx(0.5))


def test_whoever_lacks_a_number_is_left_out() -> None:
    x = columns([1, 0, nan, 1], [0, 0, 0, 1])
    people = prepare([1, 2, 3, nan], [1, 1, 1, 1], x)
    assert (len(people.x), people.left_out) == (2, 2)


@pytest.mark.parametrize(
    ("x", "more"),
    [([[1]], {}), ([1, 2], {}), ([[1], [2]], {"entry": [0]}), ([[1], [2]], {"strata": ["a"]})],
)
def test_columns_that_do_not_belong_together_are_refused(x: object, more: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        prepare([1, 2], [1, 1], x, **more)  # type: ignore[arg-type]


def test_a_site_with_other_covariates_is_refused() -> None:
    with pytest.raises(BadInput, match="other covariates"):
        summarise(prepare([1, 2], [1, 1], [[1], [0]]), np.zeros(2))
    with pytest.raises(BadInput, match="no site has answered"):
        start(["x"]).answer()
