"""The gate on questions about time: ratios of hazards, curves of people who come under observation late, medians and means."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen import plots
from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.estimates import Hazard, Hazards, Survival, SurvivalGroup
from nhsgen.results import NotRun, Receipt, Released, Suppressed, Value

NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
BIRTH: Mapping[str, Any] = {"since": "birth"}
ENOUGH = ((42, 11), (198, 26))


def release(estimate: Hazards | Survival, policy: Policy = NHS, question: Mapping[str, Any] = {}) -> Released:
    return gate(estimate, policy=policy, title="What?", question=question, receipt=RECEIPT, sites=3)


def ratio(
    term: str = "carriers against others", reason: str = "", *sides: tuple[int, int], drift: float = 0.04567
) -> Hazard:
    numbers = (math.nan,) * 4 if reason else (2.4567, 1.2345, 4.3219, 0.01234)
    return Hazard(term, *numbers, reason, drift, sides or ENOUGH)


def hazards(*rows: Hazard, people: int = 241, ended: int = 37) -> Hazards:
    return Hazards(rows or (ratio(),), people, ended)


# -- Ratios -----------------------------------------------------------------------------------------------------------


def test_ratios_read_like_this() -> None:
    released = release(hazards(ratio(), ratio("eGFR", "collinear"), ratio("sex", drift=math.nan)))
    assert released.kind == "hazards"
    first, second, third = released.table.rows
    assert first == tuple(map(Value, ("carriers against others", 2.46, 1.23, 4.32, 0.012, 0.046, "")))
    assert second == (Value("eGFR"), *[NotRun("other terms say the same")] * 5, Value("other terms say the same"))
    assert third[5] == NotRun("the deaths are not far enough apart in time")
    assert released.notes[1] == "Of about 240 people, of whom about 35 died."
    until = release(hazards(ratio("x", "monotone")), question={"until": {}})
    assert until.notes[1] == "Of about 240 people, of whom about 35 came to it."
    assert str(until.table.rows[0][-1]) == "all who came to it are at one end of it"
    assert "competing risk" in until.notes[-1]


FEW = {
    "few carry": ((7, 7), (198, 26)),
    "few carriers died": ((42, 7), (198, 26)),
    "one carrier died": ((42, 1), (198, 26)),
    "all carriers but one died": ((42, 41), (198, 26)),
    "few of the others died": ((42, 11), (198, 3)),
    "all but a few of the others died": ((42, 11), (198, 195)),
    "few are above the mean": ((1, 0), (239, 37)),
    "a group that it is adjusted for is small": (*ENOUGH, (3, 1)),
}


@pytest.mark.parametrize("policy", [NHS, ACRO], ids=lambda policy: policy.name)
@pytest.mark.parametrize("few", FEW)
def test_a_ratio_that_few_people_make_is_hidden_in_one_way(few: str, policy: Policy) -> None:
    for reason in ("", "monotone"):
        for row in release(hazards(ratio("x", reason, *FEW[few])), policy).table.rows:
            assert row == (Value("x"), *[Suppressed(policy.rule)] * 6)


def test_where_zeros_may_not_be_said_a_group_of_nobody_and_one_of_few_are_not_listed() -> None:
    few, nobody = (release(hazards(ratio(), ratio("x", "constant", (n, 0), (198, 26))), ACRO) for n in (3, 0))
    assert few == nobody == release(hazards(), ACRO)


def test_where_zeros_may_be_said_nobody_died_is_said() -> None:
    released = release(hazards(ratio("x", "no deaths", (42, 0), (198, 0)), ended=0))
    assert released.table.rows[0][-1] == Value("nobody died")
    assert released.notes[1] == "Of about 240 people; nobody died."


def test_how_many_died_is_not_said_of_too_few() -> None:
    for people, ended in ((7, 3), (240, 3), (240, 237)):
        assert not any("Of about" in note for note in release(hazards(people=people, ended=ended)).notes)


# -- Curves of people who come under observation late -----------------------------------------------------------------


def curve(name: str, *steps: tuple[int, int]) -> SurvivalGroup:
    """A group: (people at risk, deaths) of each step."""
    return SurvivalGroup(name, tuple(at_risk for at_risk, _ in steps), tuple(deaths for _, deaths in steps))


def late(*groups: SurvivalGroup) -> Survival:
    return Survival(tuple(12 * step for step in range(len(groups[0].at_risk))), groups, (), None, late=True)


GROWING = curve("everybody", (3, 1), (9, 2), (52, 4), (98, 6), (101, 12), (98, 11), (61, 3), (7, 1))


def test_a_curve_begins_where_enough_are_followed_and_ends_where_too_few_are() -> None:
    released = release(late(GROWING), question=BIRTH)
    assert [str(cell) for cell in released.table.column("time")] == ["24", "36", "48", "60", "72"]
    assert [str(cell) for cell in released.table.column("at risk")] == ["50", "100", "100", "100", "60"]
    first, second, *others = released.to_polars()["survival"].to_list()
    assert (first, second) == (1.0, None)  # four have died by then
    assert others == pytest.approx(
        [math.exp(-10 / 75), math.exp(-10 / 75 - 10 / 100), math.exp(-10 / 75 - 25 / 100)], abs=6e-4
    )
    assert any("Curves begin at the age of 2," in note for note in released.notes)


def test_all_groups_begin_at_the_same_age() -> None:
    other = curve("other", *[(2, 0)] * 4, (40, 9), (30, 8), (20, 2), (9, 1))
    times = release(late(GROWING, other), question=BIRTH).to_polars().group_by("group").agg(first=pl.col("time").min())
    assert times["first"].to_list() == [48, 48]


def test_a_group_that_never_has_enough_is_hidden() -> None:
    released = release(late(GROWING, curve("few", *[(7, 1)] * 8)), question=BIRTH)
    assert released.table.rows[-1] == (Value("few"), Value(0), *[Suppressed(NHS.rule)] * 4)


@st.composite
def coming_and_going(draw: st.DrawFn) -> SurvivalGroup:
    steps = []
    for _ in range(draw(st.integers(2, 8))):
        at_risk = draw(st.integers(0, 120))
        steps.append((at_risk, draw(st.integers(0, min(at_risk, 30)))))
    return curve("everybody", *steps)


POLICIES = st.sampled_from([*PRESETS.values(), Policy("hidden zeros", 7, 5, zeros_shown=False)])


@given(coming_and_going(), POLICIES)
@settings(max_examples=200)
def test_a_late_curve_falls_and_lies_in_its_interval(group: SurvivalGroup, policy: Policy) -> None:
    released = release(late(group), policy, BIRTH)
    json.loads(released.to_json())
    last = 1.0
    for *_, lives, low, high in released.table.rows:
        if isinstance(lives, Value) and isinstance(low, Value) and isinstance(high, Value):
            assert 0 <= float(low.value) <= float(lives.value) <= float(high.value) <= 1
            assert float(lives.value) <= last
            last = float(lives.value)
    assert not any(re.search(r"\b(nan|inf)\b", note) for note in released.notes)


@given(coming_and_going(), st.data(), POLICIES)
@settings(max_examples=200)
def test_a_late_curve_does_not_depend_on_what_rounding_takes_away(
    group: SurvivalGroup, data: st.DataObject, policy: Policy
) -> None:
    """Change people at risk, and deaths as they run up, to numbers that the rules show as the same: nobody can tell."""
    first = next((step for step, people in enumerate(group.at_risk) if people and not policy.hides(people)), None)
    if first is None:
        return

    def like(people: int) -> int:
        if policy.hides(people):
            return data.draw(st.integers(0 if not policy.zeros_shown else 1, policy.least - 1))
        low, high = policy.meaning(policy.rounded(people))
        return data.draw(st.integers(max(low, policy.least), high)) if people else 0

    begin = next(step for step in range(len(group.at_risk)) if not policy.hides(group.at_risk[step]) and group.at_risk[step]
                 and 4 * policy.rounded(group.at_risk[step]) >= policy.rounded(max(group.at_risk)))  # fmt: skip
    at_risk = [like(people) for people in group.at_risk]
    run_up, gone, before = [], 0, 0
    for deaths in group.deaths[begin:]:
        gone += deaths
        before = max(before, like(gone))
        run_up.append(before)
    if any(
        policy.hides(a) != policy.hides(b) or policy.rounded(a) != policy.rounded(b)
        for a, b in zip(run_up, _sums(group.deaths[begin:]), strict=True)
        if not (policy.hides(a) and policy.hides(b))
    ):
        return  # a smaller number was drawn first: deaths do not run down
    changed = SurvivalGroup(
        group.group,
        tuple(at_risk),
        (*group.deaths[:begin], *(b - a for a, b in zip([0, *run_up], run_up, strict=False))),
    )
    one, other = (release(late(each), policy, BIRTH) for each in (group, changed))
    assert one.table == other.table
    assert one.notes == other.notes


def _sums(numbers: tuple[int, ...]) -> list[int]:
    return [sum(numbers[: place + 1]) for place in range(len(numbers))]


# -- Medians and means ------------------------------------------------------------------------------------------------


def test_medians_and_means_are_those_of_the_curve_as_it_is_shown() -> None:
    """100 people; by 12, 24 and 36 months 20, 55 and 70 are gone."""
    group = curve("everybody", (100, 20), (80, 35), (45, 15), (30, 0))
    released = release(Survival((0, 12, 24, 36), (group,), (), None))
    assert released.to_polars()["survival"].to_list() == [1, 0.8, 0.45, 0.3]
    median, mean = (note for note in released.notes if note.startswith("everybody"))
    assert median.startswith("everybody: half have died by 24 months (95 % 24 to 36")
    area = 12 * (1.8 + 1.25 + 0.75) / 2
    assert f"of the first 36 months, {area:g} alive on average" in mean
    low, high = map(float, re.findall(r"95 % ([\d.]+) to ([\d.]+)", mean)[0])
    assert low < area < high
    died = np.repeat([6, 18, 30, 36], [20, 35, 15, 30])  # in the middle of a step, or not at all
    assert area == pytest.approx(died.mean())
    assert high - low == pytest.approx(2 * 1.96 * died.std() / 10, abs=0.1)


def test_groups_are_compared_over_the_same_months() -> None:
    groups = curve("a", (100, 20), (80, 35), (7, 1)), curve("b", (100, 20), (80, 35), (45, 15))
    notes = release(Survival((0, 12, 24), groups, (), None)).notes
    assert sum("of the first 12 months" in note for note in notes) == 2


def test_of_a_hidden_group_no_median_is_told() -> None:
    groups = curve("a", (100, 20), (80, 35), (45, 1)), curve("b", (7, 5), (2, 1), (1, 0))
    notes = release(Survival((0, 12, 24), groups, (), None)).notes
    assert not any(note.startswith("b:") for note in notes)


# -- What a reader easily overlooks -----------------------------------------------------------------------------------

CANCER: Mapping[str, Any] = {"cohort": {"codes": {"vocabulary": "ICD10", "codes": ["C50"]}}, "since": "birth"}


@pytest.mark.parametrize(
    ("question", "warned"),
    [
        (CANCER, True),
        ({**CANCER, "entry": "joined"}, False),
        ({**CANCER, "cohort": {"everyone": {}}}, False),
        ({}, False),
    ],
    ids=["a diagnosis", "with an entry", "everyone", "not from birth"],
)
def test_who_was_found_by_a_later_event_cannot_have_died_before_it(question: Mapping[str, Any], warned: bool) -> None:
    for estimate in (hazards(), late(GROWING)):
        notes = release(estimate, question=question).notes
        assert any("follow people from then, by entry" in note for note in notes) == warned


def test_a_late_curve_is_drawn_from_where_it_begins_in_years_of_age() -> None:
    axes, below = plots.kaplan_meier(release(late(GROWING), question=BIRTH)).axes
    curve_drawn = next(line for line in axes.lines if line.get_label() == "everybody")
    assert curve_drawn.get_xydata()[0].tolist() == [24, 1]
    assert axes.get_xlabel() == "age in years"
    assert next(text.get_text() for text in below.texts) == "50"
    until = plots.kaplan_meier(release(late(GROWING), question={**BIRTH, "until": {}})).axes[0]
    assert until.get_ylabel() == "share without it, with 95 % band"


def test_a_ratio_that_changes_with_time_is_drawn_with_that_warning() -> None:
    figure = plots.hazards(release(hazards(ratio(), ratio("sex", drift=0.4))))
    said = [text.get_text() for text in figure.axes[0].texts]
    assert [text.endswith("; changes with time") for text in said] == [True, False]
