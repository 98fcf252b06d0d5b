"""Questions about time: from birth, to another end than death, of people who come under observation late; and ratios of hazards.

Three hospitals of invented people, each record worked out again apart from the house. What is pooled does not depend on how people
are split; what has a stratum a site is that of all records with the same strata.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from four_hospitals import SETTINGS, release, rows, staffed
from test_analyses_split import RESULTS, WARD

import nhsgen as ng
from nhsgen import studies
from nhsgen.cohorts import everyone, icd10
from nhsgen.demo.signals import SURVIVAL as PLANTED
from nhsgen.errors import BadStudy, NotFound
from nhsgen.estimates import Hazards, Survival
from nhsgen.results import Value
from nhsgen.statistics import cox, proportional
from nhsgen.statistics.sums import solve
from nhsgen.statistics.survival import DAYS_A_MONTH, Grid, summarise
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import ask_in_rounds
from nhsgen.workspace import Site, Workspace

CANCER, DIALYSIS = icd10("C50"), icd10("N18")
JOINED = WARD.replace("died: died}", "died: died, joined: joined}").replace(
    "      - name: died\n",
    "      - {name: joined, logicalType: date, physicalType: DATE}\n      - name: died\n",
)


@dataclass(frozen=True)
class Person:
    """One invented person and the days that matter: of the cancer, the dialysis, joining, the result, and death."""

    id: str
    sex: str
    ancestry: str
    born: int
    joined: date | None
    ill: date | None
    dialysed: date | None
    died: date | None
    seen: date
    egfr: float | None

    @property
    def recorded(self) -> list[date]:
        return [day for day in (self.ill, self.dialysed, self.seen) if day is not None]


def invented(people: int = 260) -> list[Person]:
    """Women live longer; who has the cancer dies sooner; some had their dialysis before it, some on the day, some joined after it."""
    chance, made = Random(11), []
    for number in range(people):
        sex = chance.choice(["female", "male"])
        start = date(chance.randint(2000, 2008), chance.randint(1, 12), chance.randint(1, 28))
        ill = start + timedelta(chance.randint(0, 1500)) if chance.random() < 0.7 else None
        dialysed = start + timedelta(chance.randint(0, 3000)) if chance.random() < 0.5 else None
        if ill and number % 29 == 0:
            dialysed = ill
        last = max([day for day in (ill, dialysed) if day] or [start])
        lives = chance.expovariate(1 / ((4000 if sex == "female" else 1800) * (0.6 if ill else 1.0)))
        died = last + timedelta(round(lives)) if lives < 4000 else None
        seen = min(last + timedelta(chance.randint(200, 4000)), died or date.max)
        joined = None if number % 17 == 0 else start + timedelta(chance.randint(0, 2500))
        made.append(
            Person(f"p{number:04}x", sex, chance.choice(["EUR", "EUR", "SAS"]), chance.randint(1925, 1970), joined, ill, dialysed,
                   died, seen, None if chance.random() < 0.1 else chance.gauss(80, 12))
        )  # fmt: skip
    return made


def hospital(workspace: Workspace, name: str, people: Sequence[Person]) -> Site:
    site = workspace.add_site(name, pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / f"{name}.odcs.yaml"
    folder.mkdir()
    contract.write_text(JOINED + RESULTS, encoding="utf-8")

    def said(day: date | None) -> str:
        return day.isoformat() if day else ""

    told = [(p.id, p.sex, p.ancestry, str(p.born), said(p.joined), said(p.died)) for p in people]
    rows(folder / "people.csv", "person,sex,ancestry,born,joined,died", told)
    events = [(p.id, code, said(day)) for p in people for code, day in (("C50.1", p.ill), ("N18.5", p.dialysed)) if day]
    rows(folder / "diagnoses.csv", "person,code,day", events)
    rows(folder / "samples.csv", "sample,person", [(f"S{p.id}", p.id) for p in people])
    found = [(p.id, "eGFR", f"{p.egfr!r}" if p.egfr else "", said(p.seen)) for p in people]
    rows(folder / "results.csv", "person,test,value,day", found)
    return release(site, folder, contract)


PEOPLE = invented()
PARTS = {"all": PEOPLE, "first": PEOPLE[:120], "second": PEOPLE[120:250], "small": PEOPLE[250:], "rest": PEOPLE[120:]}
SPLITS = {"one": ["all"], "two": ["first", "rest"], "three": ["first", "second", "small"]}
Sites = Mapping[str, Site]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    workspace = Workspace.create(tmp_path_factory.mktemp("times") / "federation", "times")
    return {name: hospital(workspace, name, people) for name, people in PARTS.items()}


def estimated(study: Study, sites: Sites, split: str) -> Any:
    """What the sites of a split say together, exact: for inside the walls."""
    asked = ask_in_rounds(study, ROUNDS[study.method], [sites[name] for name in SPLITS[split]], SETTINGS, None, "rita")
    assert not asked.silent
    return asked.estimate


def same(one: Any, other: Any) -> None:
    """Equal; numbers to 1e-8."""
    if isinstance(one, float):
        assert math.isclose(one, other, rel_tol=1e-8, abs_tol=1e-8) or (math.isnan(one) and math.isnan(other))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        same(list(one.values()), list(other.values()))
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            same(mine, theirs)
    else:
        assert one == other


# -- The same records, worked out apart from the house --------------------------------------------------------------------

Record = tuple[float, float, bool]
"""Entry, end and whether it came to that end, in days from the start."""


def since_cancer(p: Person) -> Record | None:
    return p.ill and (-math.inf, float(((p.died or max(p.recorded)) - p.ill).days), p.died is not None)  # type: ignore[return-value]


def since_birth(p: Person) -> Record | None:
    born = date(p.born, 7, 1)
    return float((min(p.recorded) - born).days), float(((p.died or max(p.recorded)) - born).days), p.died is not None


def since_cancer_of_those_who_joined(p: Person) -> Record | None:
    if p.joined is None or p.ill is None:
        return None
    return float((p.joined - p.ill).days), float(((p.died or max(p.recorded)) - p.ill).days), p.died is not None


def since_cancer_to_dialysis(p: Person) -> Record | None:
    """Who was dialysed before or on the day is not waited for."""
    if p.ill is None or (p.dialysed and p.dialysed <= p.ill):
        return None
    end = p.dialysed or p.died or max(p.recorded)
    return -math.inf, float((end - p.ill).days), p.dialysed is not None


def since_birth_entering_at_cancer(p: Person) -> Record | None:
    born = date(p.born, 7, 1)
    if p.ill is None:
        return None
    return float((p.ill - born).days), float(((p.died or max(p.recorded)) - born).days), p.died is not None


COUNTED: Mapping[str, tuple[dict[str, Any], Callable[[Person], Record | None]]] = {
    "since an event": ({"since": CANCER}, since_cancer),
    "since birth": ({"since": "birth"}, since_birth),
    "since birth, entering at an event": ({"since": "birth", "entry": CANCER}, since_birth_entering_at_cancer),
    "since an event, of those who joined": ({"since": CANCER, "entry": "joined"}, since_cancer_of_those_who_joined),
    "since an event, to another": ({"since": CANCER, "until": DIALYSIS}, since_cancer_to_dialysis),
}


def records(
    counted: Callable[[Person], Record | None], people: Sequence[Person]
) -> list[tuple[Person, float, float, bool]]:
    found = [(person, record) for person in people if (record := counted(person))]
    return [(person, *record) for person, record in found if record[1] >= 0 and record[1] > record[0]]


@pytest.mark.parametrize("name", COUNTED)
def test_curves_are_counted_as_by_hand_however_people_are_split(sites: Sites, name: str) -> None:
    said, counted = COUNTED[name]
    months = 24 if said["since"] == "birth" else 6
    study = Study(
        "survival", everyone(), by=("sex",), options={"months": months, "years": 80 if months == 24 else 8}, **said
    )
    found = estimated(study, sites, "one")
    assert [group.group for group in found.groups] == ["female", "male"]
    for group in found.groups:
        people = [record[1:] for record in records(counted, PEOPLE) if record[0].sex == group.group]
        assert sum(ended for *_, ended in people) > 10
        for step, month in enumerate(found.starts):
            start, end = month * DAYS_A_MONTH, (month + months) * DAYS_A_MONTH
            here = [(leave, ended) for enter, leave, ended in people if enter <= start <= leave]
            assert group.at_risk[step] == len(here)
            assert group.deaths[step] == sum(ended and leave < end for leave, ended in here)
    for split in ("two", "three"):
        assert estimated(study, sites, split).groups == found.groups


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", COUNTED)
def test_ratios_are_those_of_all_records_with_a_stratum_a_site(sites: Sites, name: str, split: str) -> None:
    said, counted = COUNTED[name]
    found = estimated(Study("hazards", everyone(), by=("sex",), options={"covariates": ["eGFR"]}, **said), sites, split)
    assert isinstance(found, Hazards)
    everybody = [
        (record, number)
        for number, site in enumerate(SPLITS[split])
        for record in records(counted, PARTS[site])
        if record[0].egfr
    ]
    enter, leave, ended = (np.array([record[at] for record, _ in everybody], dtype=np.float64) for at in (1, 2, 3))
    women = sum(record[0].sex == "female" for record, _ in everybody)
    base, level = ("female", "male") if women * 2 >= len(everybody) else ("male", "female")
    x = np.array([[record[0].sex == level, record[0].egfr] for record, _ in everybody], dtype=np.float64)
    people = cox.prepare(leave, ended, x, entry=enter, strata=np.array([site for _, site in everybody]))
    newton = solve(
        lambda state: cox.summarise(people, state.ask), cox.step, cox.start((f"{level} against {base}", "eGFR"))
    )
    grid = Grid.every(3 * DAYS_A_MONTH, until=1320 * DAYS_A_MONTH)
    shape = proportional.dying(summarise(leave, ended, grid, entry=enter), grid)
    drifts, _ = proportional.tests(proportional.summarise(people, newton.beta, shape), newton.used)
    assert (found.people, found.ended) == (len(everybody), int(ended.sum()))
    for row, effect, drift in zip(found.rows, newton.answer().effects, drifts, strict=True):
        assert row.term == effect.term
        same(
            [row.ratio, row.low, row.high, row.p, row.proportional_p],
            [effect.ratio, effect.low, effect.high, effect.p, drift.p],
        )
    above = x[:, 1] > x[:, 1].mean()
    assert found.rows[1].sides[:2] == (
        (above.sum(), ended[above].sum()),
        ((~above).sum(), ended[~above].sum()),
    )


@pytest.mark.parametrize("by", [("sex",), ("sex", "ancestry")], ids=len)
def test_without_strata_it_does_not_matter_how_people_are_split(sites: Sites, by: tuple[str, ...]) -> None:
    study = Study("hazards", everyone(), by=by, since=CANCER, options={"strata": "none", "months": 1})
    found = estimated(study, sites, "one")
    for split in ("two", "three"):
        same(asdict(estimated(study, sites, split)), asdict(found))
    everybody = records(since_cancer, PEOPLE)
    leave, ended = (np.array([record[at] for record in everybody], dtype=np.float64) for at in (2, 3))
    terms = [row.term.split(" against ")[0] for row in found.rows]
    x = np.array(
        [[term in (person.sex, person.ancestry) for term in terms] for person, *_ in everybody], dtype=np.float64
    )
    grid = Grid.every(DAYS_A_MONTH, until=1320 * DAYS_A_MONTH)
    people = cox.prepare(leave, ended, x)
    newton = solve(
        lambda state: cox.from_risk_sets(cox.risk_sets(people, grid, state.ask), state.ask), cox.step, cox.start(terms)
    )
    for row, effect in zip(found.rows, newton.answer().effects, strict=True):
        same([row.ratio, row.low, row.high], [effect.ratio, effect.low, effect.high])


def test_only_what_the_table_of_methods_names_leaves_a_site(sites: Sites) -> None:
    def names(part: Any) -> set[str]:
        if hasattr(part, "one"):
            return names(part.one) | names(part.two)
        return set(part.measures) if hasattr(part, "measures") else set(part.arrays)

    for method, options in (
        ("survival", {"covariates": ["eGFR"]}),
        ("hazards", {"covariates": ["eGFR"]}),
        ("hazards", {"strata": "none"}),
    ):
        sent: set[str] = set()
        rounds = ROUNDS[method]

        def heard(study: Study, state: Any, part: Any, sent: set[str] = sent, rounds: Any = rounds) -> Any:
            sent |= names(part)
            return rounds.step(study, state, part)

        study = Study(method, everyone(), since=CANCER, by=("sex",), options=options)
        ask_in_rounds(study, replace(rounds, step=heard), [sites["all"]], SETTINGS, None, "rita")
        assert sent <= set(studies.METHODS[method].sends)
        if options.get("covariates"):
            assert sent == set(studies.METHODS[method].sends)


def test_a_ratio_of_those_with_all_covariates_counts_those_alone(sites: Sites) -> None:
    """Else a few people with a result would hide behind many without one."""
    plain, adjusted = (
        estimated(Study("survival", everyone(), since=CANCER, by=("sex",), options=options), sites, "one")
        for options in ({}, {"covariates": ["eGFR"]})
    )
    assert isinstance(plain, Survival)
    assert plain.groups == adjusted.groups
    assert adjusted.hazards[0].sides[0][0] < plain.hazards[0].sides[0][0]


def test_years_in_which_nobody_could_be_seen_to_die_make_life_look_longer(sites: Sites) -> None:
    """Immortal time: whoever has a first record lived until then."""
    study = Study("survival", everyone(), since="birth", options={"months": 12, "years": 90})
    late, ever = (
        pl.DataFrame(
            studies.run(replace(study, entry=entry), [sites[name] for name in SPLITS["three"]], SETTINGS).to_polars()
        )
        for entry in (None, "origin")
    )
    at = {
        name: dict(zip(frame["time"], frame["survival"], strict=True))
        for name, frame in (("late", late), ("ever", ever))
    }
    for age in (840, 900):
        assert at["late"][age] < at["ever"][age]


# -- What is asked ------------------------------------------------------------------------------------------------------

MISTAKES: Mapping[str, tuple[Callable[[], object], str]] = {
    "another start": (lambda: Study("survival", CANCER, since="brith"), "the start of time 'brith' is unknown; did you mean 'birth'"),  # type: ignore[arg-type]
    "another entry": (lambda: Study("survival", CANCER, since=CANCER, entry="join"), "the entry 'join' is unknown; did you mean 'joined'"),
    "an end of a count": (lambda: Study("counts", CANCER, until=CANCER), "it has 'until', and follows nobody over time"),
    "an entry of a count": (lambda: Study("counts", CANCER, entry="origin"), "it has 'entry', and follows nobody over time"),
    "hazards of nobody": (lambda: Study("hazards", CANCER, since=CANCER), "it compares nobody; say variants"),
    "no start": (lambda: Study("hazards", CANCER, by=("sex",)), "it needs an event to count time from"),
    "covariates without strata": (
        lambda: Study("hazards", CANCER, since=CANCER, options={"strata": "none", "covariates": ["eGFR"]}),
        "it has covariates and no strata"),
    "other strata": (lambda: Study("hazards", CANCER, since=CANCER, by=("sex",), options={"strata": "sex"}), "use site or none"),
    "an end that is no event": (
        lambda: Study.from_dict({"method": "survival", "cohort": {"everyone": {}}, "since": "birth", "until": {"everyone": {}}}),
        "is not an event with a date"),
    "another end": (
        lambda: Study.from_dict({"method": "survival", "cohort": {"everyone": {}}, "since": "birth", "until": "deaf"}),
        "the end of time 'deaf' is unknown; did you mean 'death'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(mistake: str) -> None:
    asked, says = MISTAKES[mistake]
    with pytest.raises(BadStudy) as refused:
        asked()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_question_without_the_new_words_has_its_old_hash() -> None:
    """It was signed before they were known."""
    study = Study("survival", everyone(), since=CANCER, options={"months": 6})
    assert {"until", "entry"}.isdisjoint(study.to_dict())
    assert replace(study, entry="first record", until="death").hash == study.hash
    others = [
        replace(study, entry="joined"),
        replace(study, entry=CANCER),
        replace(study, until=DIALYSIS),
        replace(study, since="birth"),
    ]
    assert len({other.hash for other in (study, *others)}) == 5
    for other in others:
        assert Study.from_dict(other.to_dict()) == other
        assert Study.from_dict(other.to_dict()).hash == other.hash


def test_a_steward_reads_from_when_until_when(tmp_path: Path) -> None:
    file = tmp_path / "question.toml"
    file.write_text(
        'method = "hazards"\nsince = "birth"\nentry = "joined"\nby = ["sex"]\n[cohort]\neveryone = {}\n'
        '[until.codes]\nvocabulary = "ICD10"\ncodes = ["N18"]\n',
        encoding="utf-8",
    )
    assert Study.read(file).details[1:4] == (
        "Time is counted from: birth, taken as 1 July of the year of birth: an age may be wrong by half a year.",
        "Time is counted to: an ICD-10 code starting N18. Who dies first is followed until that day.",
        "People are followed from: the day on which they joined the programme.",
    )


def test_where_nobody_is_followed_it_is_said(sites: Sites) -> None:
    for study in (
        Study("hazards", everyone(), since=icd10("Z99"), by=("sex",)),
        Study("hazards", everyone(), since=CANCER, entry=icd10("Z99"), by=("sex",)),
        Study("survival", everyone(), since="birth", entry=icd10("Z99")),
    ):
        with pytest.raises(NotFound, match="following people over time"):
            studies.run(study, [sites["all"]], SETTINGS)


def test_a_site_without_the_day_of_joining_is_silent_and_named(demo_workspace: Path) -> None:
    with pytest.raises(NotFound, match="its contract has no days on which people joined"):
        ng.open(demo_workspace).survival(CANCER, since=CANCER, entry="joined")


def test_all_in_one_group_are_compared_with_nobody(sites: Sites) -> None:
    for strata in ("site", "none"):
        study = Study("hazards", ng.sex("male"), since=CANCER, by=("sex",), options={"strata": strata})
        released = studies.run(study, [sites["all"]], SETTINGS)
        assert released.table.rows == ()
        assert "All people are in one group: there is nothing to compare." in released.notes


# -- What was planted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strata", ["site", "none"])
def test_carriers_of_the_planted_gene_die_so_many_times_faster_at_all_times(demo_workspace: Path, strata: str) -> None:
    lab = ng.open(demo_workspace, settings=SETTINGS)
    carriers = ng.variants(impact="high", max_af=0.001).in_genes(PLANTED.gene)
    released = lab.hazards(CANCER, since=CANCER, variants=carriers, strata=strata, months=1)
    (row,) = released.to_polars().iter_rows(named=True)
    assert row["term"] == "carriers against others"
    assert row["low"] < PLANTED.hazard_ratio < row["high"]
    assert row["p"] < 0.01
    assert row["proportional p"] > 0.05
    adjusted = lab.hazards(CANCER, since=CANCER, variants=carriers, covariates=["birth_year", "eGFR"])
    assert adjusted.table.column("term") == tuple(map(Value, ("carriers against others", "birth_year", "eGFR")))
    assert adjusted.to_polars()["p"][0] < 0.01
    assert min(adjusted.to_polars()["p"][1:]) > 0.01


def test_ages_begin_when_enough_people_are_followed(demo_workspace: Path) -> None:
    released = ng.open(demo_workspace, settings=SETTINGS).survival(everyone(), since="birth", by="sex")
    frame = released.to_polars()
    assert frame["time"].max() <= 90 * 12
    for _, group in frame.group_by("group"):
        lives = group.sort("time")["survival"].drop_nulls().to_list()
        assert lives[0] == 1
        assert lives == sorted(lives, reverse=True)
    assert sum("have died by the age of" in note for note in released.notes) == 2
    assert any(note.startswith("Curves begin at the age of") for note in released.notes)
    axes = released.plot().axes[0]
    assert axes.get_xlabel() == "age in years"
