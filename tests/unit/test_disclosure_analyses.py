"""The gate on associations, gene tests, survival, families and structure: what is shown of them, and what never is."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.errors import NotSafe
from nhsgen.estimates import (
    Association,
    AssociationRow,
    Estimate,
    Families,
    GeneTestRow,
    GeneTests,
    Hazard,
    Structure,
    Survival,
    SurvivalGroup,
)
from nhsgen.results import Cell, NotRun, Receipt, Released, Suppressed, Value

NHS, GEL, ACRO, ALL_OF_US = (PRESETS[name] for name in ("nhs", "gel", "acro", "allofus"))
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
NAN = math.nan
COUNTS = {"people", "carriers", "families", "at risk"}
"""Columns that count people or families."""


def release(estimate: Estimate, policy: Policy = NHS) -> Released:
    return gate(estimate, policy=policy, title="What?", question={}, receipt=RECEIPT, sites=3)


def allele(number: int = 1, **parts: Any) -> AssociationRow:
    """An allele of which there is enough to show; `parts` are what is different about it."""
    whole: dict[str, Any] = {
        "trait": "eGFR", "variant": f"16-{number}-A-C", "gene": "UMOD", "people": 503, "copies": 101, "frequency": 0.1004,
        "beta": -2.5678, "se": 0.51234, "log10p": 6.1741, "reason": "",
    }  # fmt: skip
    return AssociationRow(**whole | parts)


def scan(*rows: AssociationRow, people: int = 503, cases: int | None = None, inflation: float = 1.02) -> Association:
    return Association(rows or (allele(),), people, cases, {"eGFR": inflation})


def gene(name: str = "BRCA2", carriers: int = 33, **parts: Any) -> GeneTestRow:
    whole: dict[str, Any] = {
        "burden_p": 0.01234,
        "skat_p": 0.2,
        "skat_o_p": 0.3,
        "acat_o_p": 0.4,
        "acat_v_p": 0.5,
    } | parts
    return GeneTestRow("breast cancer", name, 12, carriers, **whole)


def genes(*rows: GeneTestRow, people: int = 503, cases: int | None = None) -> GeneTests:
    return GeneTests(rows or (gene(),), people, cases)


def curve(name: str, *steps: tuple[int, int]) -> SurvivalGroup:
    """A group: (people at risk, deaths) of each step."""
    return SurvivalGroup(name, tuple(at_risk for at_risk, _ in steps), tuple(deaths for _, deaths in steps))


def ratio(term: str, reason: str = "") -> Hazard:
    found = (NAN, NAN, NAN, NAN) if reason else (2.4567, 1.2345, 4.3219, 0.01234)
    return Hazard(term, *found, reason)


CARRIERS, OTHERS = curve("carriers", (42, 11), (28, 4), (11, 0)), curve("others", (198, 12), (151, 13), (99, 1))
AGAINST = "carriers against others"


def survival(*groups: SurvivalGroup, hazards: tuple[Hazard, ...] = (), log_rank_p: float | None = 0.0123) -> Survival:
    return Survival((0, 12, 24), groups or (CARRIERS, OTHERS), hazards, log_rank_p)


def families(cells: Mapping[tuple[str, ...], int], looked_at: int = 45) -> Families:
    return Families(("gene", "tier", "inheritance"), cells, looked_at)


def map_of(*people: int) -> Structure:
    """So many people in each of some squares."""
    return Structure(
        {("EUR", 0.25 * place, 0.5): number for place, number in enumerate(people)}, (12.3456, 3.2109), 571
    )


def texts(released: Released, column: str) -> list[str]:
    return [str(cell) for cell in released.table.column(column)]


def values(*row: int | float | str) -> tuple[Cell, ...]:
    return tuple(Value(each) for each in row)


def ratios(released: Released) -> list[str]:
    return [note for note in released.notes if "hazard ratio" in note or "Log-rank" in note]


# -- What is shown ----------------------------------------------------------------------------------------------------

EVERY_KIND: Mapping[str, Estimate] = {
    "gwas": scan(allele(), allele(2, copies=19), people=503, cases=98),
    "gene_tests": genes(gene(), gene("BRCA1", 6), people=503, cases=98),
    "survival": survival(hazards=(ratio(AGAINST), ratio("birth_year"))),
    "families": families({("SCN1A", "1", "dominant"): 13, ("ABCA4", "1", "recessive"): 3}, 46),
    "structure": map_of(23, 41, 3),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_has_its_name_its_rules_and_nothing_of_the_true_counts(kind: str) -> None:
    released = release(EVERY_KIND[kind])
    assert released.kind == kind
    assert released.title == "What?"
    assert released.notes[0] == NHS.describe()
    whole = json.loads(released.to_json())
    shown = f"{whole['title']} {whole['rows']} {whole['notes'][1:]}"
    for true in (503, 98, 33, 42, 28, 198, 151, 99, 13, 46, 23, 41):
        assert not re.search(rf"(?<![\d.]){true}(?![\d.])", shown), f"{true} in {shown}"


def test_a_scan_reads_like_this() -> None:
    released = release(scan(allele(), allele(2, log10p=9.5), allele(3, reason="constant"), cases=98))
    assert texts(released, "variant") == [
        "16-2-A-C",
        "16-1-A-C",
        "16-3-A-C",
    ]  # the strongest first, then what has no answer
    assert released.table.rows[1] == values(
        "eGFR", "16-1-A-C", "16", 1, "C", "A", "UMOD", 505, 0.1, -2.57, 0.512, 6.7e-07, 6.17, ""
    )
    assert released.table.rows[2][9:] == (*[NotRun("constant")] * 4, Value("constant"))
    assert released.notes[1:] == ("About 100 cases of 505 people.",)


def test_genes_read_like_this() -> None:
    released = release(genes(gene(), gene("BRCA1", 6), gene("PKD1", 0), gene("TSC1", 500), cases=98))
    assert released.table.rows == (values("breast cancer", "BRCA2", 12, 35, 0.012, 0.2, 0.3, 0.5, 0.4),)
    assert released.notes[1:] == (
        "Of about 505 people.",
        "About 100 of them are cases.",
        "3 further genes: too few people to show.",  # six, nobody, and all but three
    )


def test_families_read_like_this() -> None:
    found: dict[tuple[str, ...], int] = {
        ("SCN1A", "1", "dominant, de novo"): 13,
        ("ABCA4", "2", "recessive"): 8,
        ("PKD1", "3", "dominant"): 7,
    }
    released = release(families(found, 46))
    assert [tuple(map(str, row)) for row in released.table.rows] == [
        ("SCN1A", "dominant, de novo", "tier 1", "15"),
        ("ABCA4", "recessive", "tier 2", "10"),
    ]
    assert released.notes[1:] == ("Of about 45 families.", "1 further group: too few families to show.")


def test_a_map_reads_like_this() -> None:
    released = release(map_of(23, 41, 3, 7))
    assert released.table.rows == (
        values("EUR", 0.0, 0.5, 25),
        values("EUR", 0.25, 0.5, 40),
    )
    assert released.notes[1:] == (
        "571 alleles; eigenvalues 12.3, 3.21.",
        "A square stands for the people in it; nobody's own place is shown.",
        "2 further squares: too few people to show.",
    )


def test_curves_and_ratios_read_like_this() -> None:
    released = release(survival(hazards=(ratio(AGAINST), ratio("birth_year"))))
    assert texts(released, "at risk") == ["40", "30", "10", "200", "150", "100"]
    assert texts(released, "survival")[:3] == ["1", "0.75", "0.625"]
    assert ratios(released) == [
        "Log-rank test, stratified by site: p 0.012.",
        "carriers against others: hazard ratio 2.46 (95 % 1.23 to 4.32), p 0.012.",
        "birth_year: hazard ratio 2.46 (95 % 1.23 to 4.32), p 0.012.",
    ]


# -- Too few people ---------------------------------------------------------------------------------------------------

TOO_FEW: Mapping[str, Callable[[int], Estimate]] = {
    "people": lambda n: scan(people=n),
    "cases": lambda n: scan(cases=n),
    "controls": lambda n: scan(cases=503 - n),
    "people for genes": lambda n: genes(people=n),
    "cases for genes": lambda n: genes(cases=n),
    "controls for genes": lambda n: genes(cases=503 - n),
    "people on a map": map_of,
    "people on a map, scattered": lambda n: map_of(*[1] * n),
}


@pytest.mark.parametrize("policy", [NHS, GEL, ACRO, ALL_OF_US], ids=lambda policy: policy.name)
@pytest.mark.parametrize("who", TOO_FEW)
def test_nothing_is_said_of_too_few(who: str, policy: Policy) -> None:
    for few in (0, 1, policy.least - 1):
        with pytest.raises(NotSafe, match=re.escape(policy.rule)):
            release(TOO_FEW[who](few), policy)
    assert release(TOO_FEW[who](policy.least), policy).notes


def test_being_refused_reads_the_same_whatever_the_number() -> None:
    says = set()
    for few in range(8):
        with pytest.raises(NotSafe) as refused:
            release(scan(cases=few))
        says.add(str(refused.value))
    assert len(says) == 1


def test_families_too_few_to_count_are_not_counted() -> None:
    for few in (1, 7):
        released = release(families({("SCN1A", "1", "dominant"): few}, few))
        assert released.table.rows == ()
        assert released.notes[1:] == (
            "Too few families to say how many.",
            "1 further group: too few families to show.",
        )


def test_all_but_a_few_families_are_as_telling_as_a_few() -> None:
    for policy in (NHS, GEL):
        assert release(families({("SCN1A", "1", "dominant"): 43}, 45), policy).table.rows == ()
        assert len(release(families({("SCN1A", "1", "dominant"): 45}, 45), policy).table.rows) == 1


def test_where_zeros_may_not_be_said_nobody_hears_how_many_groups_are_hidden() -> None:
    few: tuple[tuple[Estimate, Estimate], ...] = (
        (families({("A", "1", "d"): 20, ("B", "1", "d"): 3}), families({("A", "1", "d"): 20})),
        (map_of(40, 30, 3), map_of(40, 30)),
        (genes(gene(), gene("BRCA1", 6)), genes(gene())),
    )
    for some, none in few:
        assert release(some, ACRO) == release(none, ACRO)


# -- Few copies of an allele, and long lists of frequencies -------------------------------------------------------------


@pytest.mark.parametrize(("policy", "fewest"), [(NHS, 20), (GEL, 20), (ALL_OF_US, 42)], ids=["nhs", "gel", "allofus"])
def test_alleles_of_few_people_are_left_out_and_only_counted(policy: Policy, fewest: int) -> None:
    """Each person has two copies at most: so many copies are at least as many people as may be shown."""
    rows = [allele(n, copies=copies) for n, copies in enumerate((1, fewest - 1, fewest, fewest + 1))]
    released = release(scan(*rows), policy)
    assert texts(released, "variant") == ["16-2-A-C", "16-3-A-C"]
    assert f"2 alleles with fewer than {fewest} copies of the rarer allele are not shown." in released.notes
    assert fewest / 2 >= policy.least


def test_an_effect_that_few_cases_make_is_not_shown() -> None:
    """Of cases and controls, the copies in whichever has fewer: none may be said, 1 to 7 may not."""
    rows = [allele(n, copies=200, fewest=fewest) for n, fewest in enumerate((0, 1, 7, 8))]
    released = release(scan(*rows, cases=100), NHS)
    assert texts(released, "variant") == ["16-0-A-C", "16-3-A-C"]
    assert any(
        note.startswith("2 alleles") and "or fewer than 8 in cases or in controls" in note for note in released.notes
    )


def test_frequencies_are_shown_only_where_the_list_is_short() -> None:
    """At most one allele for every ten people."""
    few = release(scan(*map(allele, range(50))))
    assert set(texts(few, "frequency")) == {"0.1"}
    many = release(scan(*map(allele, range(51))))
    assert all(isinstance(cell, Suppressed) for cell in many.table.column("frequency"))
    assert "Frequencies are not shown: so long a list of them can show who is in the cohort." in many.notes
    twice = release(scan(*map(allele, range(50)), *(allele(n, trait="urea") for n in range(50))))
    assert set(texts(twice, "frequency")) == {"0.1"}  # the same alleles again say nothing new
    rare = release(scan(*map(allele, range(50)), *(allele(n, copies=9) for n in range(50, 90))))
    assert set(texts(rare, "frequency")) == {"0.1"}  # what is not listed is no part of the list


def test_whether_frequencies_are_shown_does_not_tell_how_many_people_there_are() -> None:
    """As for `frequencies`: the limit is taken from the rounded cohort, or a list of 50 would tell 499 from 500."""
    rows = [allele(n, people=490) for n in range(50)]
    assert len({str(release(scan(*rows, people=people)).table) for people in range(498, 503)}) == 1


def test_a_frequency_has_as_many_decimals_as_the_rules_say() -> None:
    assert release(scan(allele(frequency=0.12345))).table.column("frequency") == (Value(0.12),)
    assert release(scan(allele(frequency=0.12345)), replace(NHS, af_decimals=1)).table.column("frequency") == (
        Value(0.1),
    )


def test_the_inflation_of_a_handful_of_alleles_is_not_told() -> None:
    assert not any("lambda" in note for note in release(scan(*map(allele, range(199)))).notes)
    assert "Genomic inflation (lambda) 1.020." in release(scan(*map(allele, range(200)))).notes


# -- Survival ---------------------------------------------------------------------------------------------------------


def test_a_group_too_small_is_listed_and_hidden() -> None:
    released = release(survival(curve("carriers", (7, 3), (3, 1), (1, 0)), OTHERS, hazards=(ratio(AGAINST),)))
    assert released.table.rows[0] == (Value("carriers"), Value(0), *[Suppressed(NHS.rule)] * 4)
    assert texts(released, "group")[1:] == ["others"] * 3


SMALL, FEW_DIED = curve("carriers", (7, 3), (3, 1), (1, 0)), curve("carriers", (42, 3), (38, 4), (30, 0))


@pytest.mark.parametrize("group", [SMALL, FEW_DIED], ids=["few people", "few deaths"])
def test_a_hidden_group_is_compared_with_nobody(group: SurvivalGroup) -> None:
    """Of two groups, the ratio, its interval and the log-rank test of one that is hidden would say who of it died; with 2,000 others
    the interval alone tells the deaths of the few: 1 / deaths is the variance of the logarithm."""
    hidden = f"no hazard ratio, because {NHS.rule}."
    released = release(survival(group, OTHERS, hazards=(ratio(AGAINST), ratio("birth_year"))))
    assert ratios(released) == [f"{AGAINST}: {hidden}", f"birth_year: {hidden}"]


def test_groups_that_are_shown_are_compared_though_a_third_is_hidden() -> None:
    third = curve("elsewhere", (5, 1), (3, 0), (3, 0))
    hazards = (ratio(AGAINST), ratio("elsewhere against others"))
    assert ratios(release(survival(CARRIERS, third, OTHERS, hazards=hazards))) == [
        "carriers against others: hazard ratio 2.46 (95 % 1.23 to 4.32), p 0.012.",
        f"elsewhere against others: no hazard ratio, because {NHS.rule}.",
    ]


def test_why_there_is_no_ratio_is_said_of_groups_that_are_shown_alone() -> None:
    """That all who died are at one end says of three people that they live."""
    for reason in ("monotone", "no deaths", "constant", "nobody"):
        shown = ratios(release(survival(hazards=(ratio(AGAINST, reason),), log_rank_p=None)))
        hidden = ratios(release(survival(SMALL, OTHERS, hazards=(ratio(AGAINST, reason),), log_rank_p=None)))
        assert NHS.rule not in shown[0]
        assert hidden == [f"{AGAINST}: no hazard ratio, because {NHS.rule}."]


def test_a_curve_ends_where_too_few_are_left() -> None:
    released = release(survival(curve("everybody", (42, 11), (9, 1), (7, 1))))
    assert texts(released, "time") == ["0", "12"]


def test_the_first_deaths_are_hidden_until_there_are_enough_of_them() -> None:
    group = curve("everybody", (100, 3), (97, 4), (93, 2), (91, 0))
    released = release(Survival((0, 12, 24, 36), (group,), (), None))
    assert texts(released, "survival") == ["1", "suppressed", "suppressed", "0.9"]


def test_a_curve_goes_down_and_lies_within_its_interval() -> None:
    group = curve("everybody", (100, 20), (70, 30), (30, 9), (12, 0))
    rows = [
        [float(cell.value) for cell in row[3:] if isinstance(cell, Value)]
        for row in release(Survival((0, 12, 24, 36), (group,), (), None)).table.rows
    ]
    assert [row[0] for row in rows] == [1.0, 0.8, 0.45, 0.3]  # of 100: 20, 54 and 68 gone, rounded to 5
    assert all(0 <= low <= share <= high <= 1 for share, low, high in rows)


# -- Nothing but numbers ----------------------------------------------------------------------------------------------

NOT_NUMBERS = st.sampled_from([NAN, math.inf, -math.inf])


@given(st.lists(st.sampled_from([0.25, NAN, math.inf, -math.inf]), min_size=7, max_size=7), NOT_NUMBERS)
@settings(max_examples=30)
def test_what_is_no_number_is_never_shown(x: list[float], inflation: float) -> None:
    strange: list[Estimate] = [
        scan(allele(beta=x[0], se=x[1], log10p=x[2]), *(allele(n) for n in range(2, 250)), inflation=inflation),
        genes(gene(burden_p=x[3], skat_p=x[4], skat_o_p=x[5], acat_o_p=x[6])),
    ]
    for estimate in strange:
        released = release(estimate)
        json.loads(released.to_json(), parse_constant=_refuse)
        assert not any(re.search(r"\b(nan|inf)\b", note) for note in released.notes)


def _refuse(name: str) -> object:
    raise AssertionError(f"{name} is shown")


@pytest.mark.parametrize("reason", ["nobody", "no deaths", "constant", "collinear", "monotone"])
def test_a_ratio_without_an_answer_is_a_sentence(reason: str) -> None:
    released = release(survival(hazards=(ratio(AGAINST, reason),), log_rank_p=None))
    json.loads(released.to_json(), parse_constant=_refuse)
    (said,) = ratios(released)
    assert re.fullmatch(rf"{AGAINST}: no hazard ratio, because [a-z ]+\.", said)


# -- Whatever the numbers ---------------------------------------------------------------------------------------------

POLICIES = st.sampled_from([*PRESETS.values(), Policy("hidden zeros", 7, 5, zeros_shown=False)])
PEOPLE = st.integers(0, 70)


@st.composite
def groups(draw: st.DrawFn, name: str) -> SurvivalGroup:
    """People who die or leave the records, over three steps."""
    at_risk, steps = draw(PEOPLE), []
    for _ in range(3):
        deaths = draw(st.integers(0, at_risk))
        steps.append((at_risk, deaths))
        at_risk -= deaths + draw(st.integers(0, at_risk - deaths))
    return curve(name, *steps)


ESTIMATES: st.SearchStrategy[Estimate] = st.one_of(
    st.builds(
        lambda people, cases, rows: scan(
            *(allele(n, people=min(people, carriers), copies=carriers) for n, carriers in enumerate(rows)),
            people=people, cases=min(cases, people),
        ),
        st.integers(60, 400), st.integers(0, 400), st.lists(st.integers(42, 70), min_size=1, max_size=4),
    ),
    st.builds(
        lambda people, cases, rows: genes(
            *(gene(f"G{n}", carriers) for n, carriers in enumerate(rows)), people=people, cases=cases
        ),
        st.integers(70, 400), st.none() | st.integers(0, 70), st.lists(PEOPLE, max_size=4),
    ),
    st.builds(
        lambda one, two: survival(one, two, hazards=(ratio(AGAINST), ratio("sex"))), groups("carriers"), groups("others")
    ),
    st.builds(
        lambda counts, more: families({(f"G{n}", "1", "d"): x for n, x in enumerate(counts)}, max([*counts, 0]) + more),
        st.lists(PEOPLE, max_size=4), PEOPLE,
    ),
    st.builds(lambda counts: map_of(*counts), st.lists(PEOPLE, max_size=5)),
)  # fmt: skip


def released_or_none(estimate: Estimate, policy: Policy) -> Released | None:
    try:
        return release(estimate, policy)
    except NotSafe:
        return None


@given(ESTIMATES, POLICIES)
@settings(max_examples=300)
def test_every_count_that_is_shown_is_rounded_and_of_enough_people(estimate: Estimate, policy: Policy) -> None:
    """Read from the JSON, where everything is."""
    released = released_or_none(estimate, policy)
    if released is None:
        return
    may_be_shown = {policy.rounded(people) for people in range(policy.least, 1000)}
    whole = json.loads(released.to_json())
    for row in whole["rows"]:
        for name in COUNTS & row.keys():
            assert row[name]["type"] == "Suppressed" or row[name]["value"] in may_be_shown
    for note in whole["notes"][1:]:
        for number in re.findall(r"[Aa]bout ([\d,]+)|of ([\d,]+) people", note):
            assert int("".join(number).replace(",", "")) in may_be_shown


@given(st.lists(PEOPLE, min_size=1, max_size=4), PEOPLE, st.data(), POLICIES)
@settings(max_examples=300)
def test_what_is_shown_does_not_depend_on_what_rounding_takes_away(
    counts: list[int], more: int, data: st.DataObject, policy: Policy
) -> None:
    """Change every count to another one that the rules show as the same: no reader of the JSON can tell."""

    def like(people: int) -> int:
        if policy.hides(people):
            return data.draw(st.integers(1, policy.least - 1))
        low, high = policy.meaning(policy.rounded(people))
        return data.draw(st.integers(max(low, policy.least), high)) if people else 0

    others = list(map(like, counts))
    everybody = max(*counts, *others, 0) + policy.least + more  # so that no group is all but a few
    made: list[Callable[[list[int]], Estimate]] = [
        lambda some: families({(f"G{n}", "1", "d"): x for n, x in enumerate(some)}, everybody),
        lambda some: genes(*(gene(f"G{n}", x) for n, x in enumerate(some)), gene("G", 40), people=everybody + 40),
        lambda some: map_of(40, *some),
    ]
    for make in made:
        first, second = (released_or_none(make(some), policy) for some in (counts, others))
        assert (first and first.to_json()) == (second and second.to_json())


@given(groups("everybody"), POLICIES)
@settings(max_examples=300)
def test_a_curve_says_no_more_than_how_many_are_gone_rounded(group: SurvivalGroup, policy: Policy) -> None:
    """Each share alive stands for a number of people that may be shown, out of a number that may be shown."""
    released = release(survival(group), policy)
    people = policy.rounded(group.at_risk[0])
    may_be = {float(f"{1 - policy.rounded(n) / people:.3g}") for n in (0, *range(policy.least, 200)) if people}
    for cell in released.table.column("survival"):
        assert isinstance(cell, Suppressed) or (isinstance(cell, Value) and cell.value in may_be)
