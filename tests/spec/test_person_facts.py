"""What is known of each person, on tables small enough to check by hand."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from nhsgen.cohorts import NotBound, icd10, measurement
from nhsgen.cohorts.facts import birth_years, deaths, first_days, last_days, numbers, relatives
from nhsgen.cohorts.sql import Query
from nhsgen.contracts import Event, Family, Measurement, People, Words
from nhsgen.errors import BadStudy
from nhsgen.sandbox import open_sandbox
from nhsgen.settings import Settings

WORDS = Words(
    people=(People("person", "id", everyone=True, birth_year="born"), People("death", "id", died="day")),
    events=(Event("episode", "id", ("code",), "ICD10", "day"),),
    measurements=(Measurement("lab", "id", "name", "value", date="day"),),
    family=(Family("family", "id", "family", father="father", mother="mother", affected="ill"),),
)
TABLES = {
    "person": pl.DataFrame({"id": [1, 2, 3], "born": [1950, 1960, None]}),
    "death": pl.DataFrame({"id": [2, 2], "day": [date(2015, 3, 2), date(2015, 3, 1)]}),
    "episode": pl.DataFrame({"id": [1, 1, 2], "code": ["C504", "C504", "I10"],
                             "day": [date(2012, 1, 1), date(2010, 1, 1), date(2014, 1, 1)]}),
    "lab": pl.DataFrame({"id": [1, 1, 3], "name": ["eGFR", "eGFR", "eGFR"], "value": [60.0, 50.0, float("nan")],
                         "day": [date(2011, 1, 1), date(2013, 1, 1), date(2013, 1, 1)]}),
    "family": pl.DataFrame({"id": [1, 2, 3], "family": ["F"] * 3, "father": [2, None, None], "mother": [3, None, None],
                            "ill": ["true", "false", None]}),
}  # fmt: skip


def ask(query: Query, withdrawn: tuple[str, ...] = ()) -> Mapping[int, Any]:
    gone = pl.DataFrame({"person_id": withdrawn}, schema={"person_id": pl.String})
    with open_sandbox({}, Settings(threads=1, memory_mb=256), {**TABLES, "withdrawn": gone}) as sandbox:
        rows = sandbox.query(query.sql, query.params).rows()
    return {who: rest[0] if len(rest) == 1 else tuple(rest) for who, *rest in rows}


def test_a_number_of_each_person_is_the_one_that_was_asked_for() -> None:
    assert ask(numbers(measurement("eGFR").latest(), WORDS)) == {1: 50.0}
    assert ask(numbers(measurement("eGFR").highest(), WORDS)) == {1: 60.0}


def test_of_several_numbers_it_must_be_said_which() -> None:
    with pytest.raises(BadStudy, match="a person may have several"):
        numbers(measurement("eGFR"), WORDS)


def test_days_and_years() -> None:
    assert ask(birth_years(WORDS)) == {1: 1950.0, 2: 1960.0}
    assert ask(deaths(WORDS)) == {2: date(2015, 3, 1)}
    assert ask(first_days(icd10("C50"), WORDS)) == {1: date(2010, 1, 1)}
    assert ask(last_days(WORDS)) == {1: date(2013, 1, 1), 2: date(2014, 1, 1), 3: date(2013, 1, 1)}


def test_parents_and_who_is_affected() -> None:
    assert ask(relatives(WORDS)) == {
        1: ("F", "2", "3", True),
        2: ("F", None, None, False),
        3: ("F", None, None, None),
    }


def test_who_withdrew_has_no_facts() -> None:
    assert ask(birth_years(WORDS), withdrawn=("2",)) == {1: 1950.0}
    assert 2 not in ask(relatives(WORDS), withdrawn=("2",))


def test_a_site_without_the_words_says_so() -> None:
    with pytest.raises(NotBound):
        relatives(Words(people=WORDS.people))
