"""Every cohort's SQL says the same as a plain, slow, obviously right reading of the same tables, row by row in Python."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.cohorts import (
    Cohort,
    affected,
    age,
    ancestry,
    born,
    everyone,
    family_role,
    groups,
    hpo,
    icd10,
    measurement,
    observation,
    omop,
    sex,
    unaffected,
)
from nhsgen.cohorts.events import Coded, During, Happening, Relative
from nhsgen.cohorts.expression import And, Everyone, Not, Or
from nhsgen.cohorts.measurements import Measured, Observed
from nhsgen.cohorts.persons import Affected, Aged, Ancestry, Born, FamilyRole, Sex
from nhsgen.cohorts.phenotypes import HasTerm
from nhsgen.contracts import (
    Always,
    Event,
    Family,
    Measurement,
    Observation,
    People,
    Phenotype,
    Words,
)
from nhsgen.sandbox import open_sandbox
from nhsgen.settings import Settings

WORDS = Words(
    people=(
        People("person", "id", everyone=True, sex="gender", sex_values={"8532": "female", "8507": "male"}, birth_year="year"),
        People("consent", "pid", consent=("said", ("yes", "all")), ancestry="group", age="age"),
    ),
    events=(Event("episode", "pid", ("d1", "d2"), "ICD10", "day"), Event("condition", "pid", ("concept",), "OMOP", "day")),
    phenotypes=(Phenotype("phenotype", "pid", "term", "present", ("Yes",), ("No",)),),
    measurements=(Measurement("lab", "pid", "name", "value", "unit", "day"), Measurement("consent", "pid", Always("BMI"), "bmi")),
    observations=(Observation("consent", "pid", Always("smokes"), "smokes"),),
    family=(Family("family", "pid", "family", "role", affected="status", affected_values=("2",), unaffected_values=("1",)),),
)  # fmt: skip

Rows = list[dict[str, Any]]

NUMBERS = [-1.0, 0.0, 1.0, 1.5, 2.0, 3.0, math.nan, math.inf, None]
DAYS = [*(date(2000, 1, day) for day in range(1, 7)), None]
CODES = ["Q61", "Q612", "Q61.2", "Q62", "E11", "E119", "N18", "-   ", None]
TERMS = ["HP:0000107", "HP:0000113", "HP:0000077", "HP:0000001", "HP:0008665", "HP:0000057", None]

# What may stand in each column. `id` is a person's; the people are 1 to 4, and person_id 5 is nobody's.
COLUMNS: dict[str, dict[str, tuple[Any, list[Any]]]] = {
    "consent": {
        "said": (pl.String, ["yes"] * 8 + ["all"] * 3 + ["no", None]), "group": (pl.String, ["EUR", "AFR", None]),
        "age": (pl.Float64, NUMBERS), "bmi": (pl.Float64, NUMBERS), "smokes": (pl.String, ["never", "now", None]),
    },
    "episode": {"d1": (pl.String, CODES), "d2": (pl.String, CODES), "day": (pl.Date, DAYS)},
    "condition": {"concept": (pl.Int64, [1, 11, 2, None]), "day": (pl.Date, DAYS)},
    "phenotype": {"term": (pl.String, TERMS), "present": (pl.String, ["Yes", "No", None])},
    "lab": {
        "name": (pl.String, ["eGFR", "BMI", None]), "value": (pl.Float64, NUMBERS), "unit": (pl.String, ["a", "b", None]),
        "day": (pl.Date, DAYS),
    },
    "family": {"role": (pl.String, ["proband", "mother", None]), "status": (pl.Int64, [1, 2, 0, None]), "family": (pl.String, ["f"])},
}  # fmt: skip


def hospital(seed: int) -> dict[str, pl.DataFrame]:
    """Tables of a tiny hospital. Its person ids are numbers, text, or numbers in one table and text in others."""
    chance = Random(seed)
    people = chance.sample(range(1, 5), chance.choice([0, 3, 4, 4]))
    tables = {
        "person": pl.DataFrame(
            [
                {
                    "id": one,
                    "gender": chance.choice([8532, 8507, 0, None]),
                    "year": chance.choice([1999, 1950, 1980, None]),
                }
                for one in people
            ],
            schema={"id": pl.Int64, "gender": pl.Int64, "year": pl.Int32},
        ),
        "withdrawn": pl.DataFrame(
            {"person_id": chance.choices(["1", "x", None], k=chance.randint(0, 2))}, schema={"person_id": pl.String}
        ),
    }
    for table, columns in COLUMNS.items():
        who = (
            [1, 2, 3, 4, 4][: 5 - chance.choice([0, 0, 1])]
            if table == "consent"
            else chance.choices([1, 2, 3, 4, 5, None], k=16)
        )
        tables[table] = pl.DataFrame(
            [{"pid": one, **{name: chance.choice(values) for name, (_, values) in columns.items()}} for one in who],
            schema={"pid": pl.Int64, **{name: kind for name, (kind, _) in columns.items()}},
        )
    as_text = chance.choice([[], ["person"], ["consent", "lab"], ["person", *COLUMNS]])
    return tables | {name: tables[name].cast({"id" if name == "person" else "pid": pl.String}) for name in as_text}


HOSPITALS = st.integers(0, 2**32).map(hospital)


def pick(word: Any, limit: float, which: str, over: bool) -> Cohort:
    chosen = getattr(word, which)()
    return chosen > limit if over else chosen <= limit


MEASURED = st.builds(
    pick,
    st.sampled_from([measurement("eGFR"), measurement("BMI"), measurement("eGFR", "a")]),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from(["any", "latest", "first", "highest", "lowest"]),
    st.booleans(),
)
CODED = st.lists(st.sampled_from(["Q61", "Q61.2", "E11", "N18", "Q62"]), min_size=1, max_size=3).map(
    lambda c: icd10(*c)
)
HAPPENED = CODED | st.sampled_from([omop(1), omop(2, 11), observation("smokes").equals("now")]) | MEASURED
DATED = (
    CODED
    | st.sampled_from([omop(1), omop(2)])
    | st.sampled_from([measurement("eGFR") > 1, measurement("eGFR").latest() <= 1])
)
RELATIVE = st.builds(
    lambda event, index, after, days: (event.after if after else event.before)(index, within_days=days),
    DATED, DATED, st.booleans(), st.none() | st.integers(1, 3),
)  # fmt: skip
DURING = st.builds(
    lambda event, start, days: event.between(start, start + timedelta(days)),
    DATED | RELATIVE, st.dates(date(2000, 1, 1), date(2000, 1, 6)), st.integers(0, 3),
)  # fmt: skip
LEAVES = (
    HAPPENED | RELATIVE | DURING
    | st.builds(lambda term, no: hpo(term, absent=no), st.sampled_from(["HP:0000107", "HP:0000077", "HP:0008665"]), st.booleans())
    | st.sampled_from([
        everyone(), sex("female"), sex("male"), born(1950, 1980), born(last=1960), ancestry("EUR"), ancestry("EUR", "AFR"),
        family_role("proband"), affected(), unaffected(), age() > 1, age(at="2000-06-01") >= 20, age(at=icd10("Q61")).between(0, 30),
        age(at=omop(1)) < 40,
    ])
)  # fmt: skip
COHORTS = st.recursive(
    LEAVES,
    lambda c: st.builds(lambda a, b: a & b, c, c) | st.builds(lambda a, b: a | b, c, c) | c.map(lambda a: ~a),
    max_leaves=5,
)


# -- The plain reading -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    tables: dict[str, pl.DataFrame]

    def rows(self, table: str, person: str) -> Rows:
        key = "id" if table == "person" else "pid"
        return [row for row in self.tables[table].to_dicts() if row[key] is not None and str(row[key]) == person]

    def asked(self) -> set[str]:
        people = {str(one) for one in self.tables["person"]["id"]}
        gone = set(self.tables["withdrawn"]["person_id"]) - {None}

        def consents(person: str) -> bool:
            said = [row["said"] for row in self.rows("consent", person)]
            return bool(said) and all(word in ("yes", "all") for word in said)

        return {person for person in people - gone if consents(person)}

    def people(self, cohort: Cohort) -> set[str]:
        return {person for person in self.asked() if self.holds(cohort, person)}

    def holds(self, cohort: Cohort, person: str) -> bool:  # noqa: PLR0911  a case a word
        match cohort:
            case Everyone():
                return True
            case Not():
                return not self.holds(cohort.cohort, person)
            case And():
                return all(self.holds(part, person) for part in cohort.cohorts)
            case Or():
                return any(self.holds(part, person) for part in cohort.cohorts)
            case Happening():
                return bool(self.days(cohort, person))
            case HasTerm():
                word, closure = ("No", ontology.ancestors) if cohort.absent else ("Yes", ontology.descendants)
                implied_by = ontology.with_former(closure(HPO(cohort.term.text)))
                return any(
                    row["term"] in implied_by and row["present"] == word for row in self.rows("phenotype", person)
                )
            case Sex():
                return any(
                    {8532: "female", 8507: "male"}.get(row["gender"]) == cohort.sex
                    for row in self.rows("person", person)
                )
            case Born():
                return any(
                    row["year"] is not None and cohort.years.holds(row["year"]) for row in self.rows("person", person)
                )
            case Ancestry():
                return any(row["group"] in cohort.groups for row in self.rows("consent", person))
            case FamilyRole():
                return any(row["role"] == cohort.role for row in self.rows("family", person))
            case Affected():
                status = [row["status"] for row in self.rows("family", person)]
                return 2 in status if cohort.affected else 1 in status and 2 not in status
            case Aged():
                return self.aged(cohort, person)
        raise AssertionError(cohort)

    def aged(self, cohort: Aged, person: str) -> bool:
        if cohort.at is None:
            ages = [row["age"] for row in self.rows("consent", person)]
            return any(years is not None and math.isfinite(years) and cohort.years.holds(years) for years in ages)
        day = cohort.at if isinstance(cohort.at, date) else self.first(cohort.at, person)
        born_in = [row["year"] for row in self.rows("person", person)]
        return day is not None and any(year is not None and cohort.years.holds(day.year - year) for year in born_in)

    def first(self, event: Happening, person: str) -> date | None:
        return min((day for day in self.days(event, person) if day is not None), default=None)

    def days(self, event: Happening, person: str) -> list[date | None]:
        """The day of each time that it happened; None when its day is not known."""
        match event:
            case Coded(vocabulary="ICD10"):
                wanted = tuple(text.replace(".", "") for text in event.codes)
                return [
                    row["day"] for row in self.rows("episode", person) for code in (row["d1"], row["d2"])
                    if code is not None and code.replace(".", "").startswith(wanted)
                ]  # fmt: skip
            case Coded():
                return [row["day"] for row in self.rows("condition", person) if str(row["concept"]) in event.codes]
            case Observed():
                return [None for row in self.rows("consent", person) if row["smokes"] in event.answers]
            case During():
                start, end = event.start or date.min, event.end or date.max
                return [day for day in self.days(event.event, person) if day is not None and start <= day <= end]
            case Relative():
                index = self.first(event.index, person)
                sign, most = (1 if event.order == "after" else -1), event.within_days or 10**6
                return [
                    day for day in self.days(event.event, person)
                    if day is not None and index is not None and 0 < sign * (day - index).days <= most
                ]  # fmt: skip
            case Measured():
                return [day for value, day in self.measured(event, person) if event.limits.holds(value)]
        raise AssertionError(event)

    def measured(self, event: Measured, person: str) -> list[tuple[float, date | None]]:
        found = [
            (row["value"], row["day"]) for row in self.rows("lab", person)
            if row["name"] == event.name and (event.unit is None or row["unit"] == event.unit)
        ]  # fmt: skip
        by_day = event.which in ("latest", "first")
        found = [
            (value, day)
            for value, day in found
            if value is not None and math.isfinite(value) and not (by_day and day is None)
        ]
        wide = [] if event.name != "BMI" or event.unit else [row["bmi"] for row in self.rows("consent", person)]
        if not (by_day and found):
            found += [(value, None) for value in wide if value is not None and math.isfinite(value)]
        if event.which == "any" or not found:
            return found
        latest = {"latest": max, "highest": max, "first": min, "lowest": min}[event.which]
        return [latest(found, key=lambda pair: (pair[1] or date.min, pair[0]) if by_day else pair[0])]


def ask(tables: dict[str, pl.DataFrame], *cohorts: Cohort) -> list[list[str]]:
    with open_sandbox({}, Settings(threads=1, memory_mb=256), tables) as sandbox:
        queries = [cohort.compile(WORDS) for cohort in cohorts]
        return [sorted(map(str, sandbox.query(query.sql, query.params)["person_id"])) for query in queries]


SLOWLY = settings(deadline=None, max_examples=20)


@pytest.mark.parametrize(
    "kind", [COHORTS, LEAVES, MEASURED, RELATIVE | DURING], ids=["any", "words", "measured", "dated"]
)
@SLOWLY
@given(st.data())
def test_sql_finds_whom_the_plain_reading_finds(kind: st.SearchStrategy[Cohort], data: st.DataObject) -> None:
    tables, cohorts = data.draw(HOSPITALS), data.draw(st.lists(kind, min_size=6, max_size=6))
    plain = Plain(tables)
    for cohort, found in zip(cohorts, ask(tables, *cohorts), strict=True):
        assert found == sorted(plain.people(cohort)), cohort.describe()


@SLOWLY
@given(HOSPITALS, COHORTS, COHORTS)
def test_joining_obeys_the_laws_of_sets(tables: dict[str, pl.DataFrame], a: Cohort, b: Cohort) -> None:
    [all_people, in_a, not_a, both, either, neither, by_de_morgan, without] = ask(
        tables, everyone(), a, ~a, a & b, a | b, ~(a | b), ~a & ~b, a.exclude(b)
    )
    assert sorted(in_a + not_a) == all_people
    assert neither == by_de_morgan
    assert set(both) | set(without) == set(in_a) <= set(either)
    assert len(all_people) == len(set(all_people))


@SLOWLY
@given(HOSPITALS)
def test_everybody_is_in_exactly_one_group(tables: dict[str, pl.DataFrame]) -> None:
    query = groups(["sex", "birth_decade", "age_band", "ancestry", "family_role", "affected"], WORDS)
    with open_sandbox({}, Settings(threads=1, memory_mb=256), tables) as sandbox:
        found = sandbox.query(query.sql, query.params)
    assert sorted(map(str, found["person_id"])) == sorted(Plain(tables).asked())
    assert found.null_count().sum_horizontal().item() == 0
    [women, hit] = ask(tables, sex("female"), affected())
    assert sorted(map(str, found.filter(pl.col("sex") == "female")["person_id"])) == women
    assert sorted(map(str, found.filter(pl.col("affected") == "affected")["person_id"])) == hit


@settings(deadline=None, max_examples=150)
@given(COHORTS)
def test_a_cohort_survives_being_written_down(cohort: Cohort) -> None:
    assert Cohort.from_dict(cohort.to_dict()) == cohort
    assert cohort.describe().startswith(("people ", "everyone", "nobody"))


@settings(deadline=None, max_examples=60)
@given(COHORTS, COHORTS, COHORTS)
def test_the_same_question_has_one_form(a: Cohort, b: Cohort, c: Cohort) -> None:
    assert (a & b).to_dict() == (b & a).to_dict()
    assert (a | (b | c)).to_dict() == ((c | a) | b | a).to_dict()
    assert ~~a == a
