"""What an analysis needs to know of each person beside whom it is about: a number, a year, a day, their parents.

A cohort says who; these say what of them goes into a regression, a survival curve or a family test. Nothing of it leaves a site.
"""

from nhsgen.cohorts.binding import NotBound, as_text, fact_table, question
from nhsgen.cohorts.events import Happening, comparable, first_of
from nhsgen.cohorts.measurements import CHOOSES, Measurement
from nhsgen.cohorts.persons import affected_rows
from nhsgen.cohorts.phenotypes import observed
from nhsgen.cohorts.sql import Query, Sql, fill, named, union
from nhsgen.contracts.words import Event, Words
from nhsgen.contracts.words import Measurement as Bound
from nhsgen.errors import BadStudy

__all__ = ["birth_years", "deaths", "first_days", "last_days", "numbers", "relatives", "terms"]


def numbers(of: Measurement, words: Words) -> Query:
    """person_id, value: one number a person; who has none has no row. BadStudy when it is not said which of several counts."""
    if of.which not in CHOOSES:
        raise BadStudy(
            f"taking '{of.name}' as a number",
            "a person may have several",
            f"say which one: {', '.join(f'.{which}()' for which in CHOOSES)}",
        )
    return _each("found.value", of.recorded().chosen(words), words)


def birth_years(words: Words) -> Query:
    """person_id, value: year of birth."""
    facts = fact_table(words, "birth_year", "year of birth")
    years = fill("SELECT who, min(TRY_CAST(fact AS DOUBLE)) AS value FROM ({facts}) GROUP BY who", facts=facts)
    return _each("found.value", years, words, "found.value IS NOT NULL")


def births(words: Words) -> Query:
    """person_id, day: 1 July of the year of birth, for contracts bind no more than the year."""
    facts = fact_table(words, "birth_year", "year of birth")
    days = fill(
        "SELECT who, make_date(CAST(min(year) AS INTEGER), 7, 1) AS day FROM "
        "(SELECT who, TRY_CAST(fact AS DOUBLE) AS year FROM ({facts})) WHERE year BETWEEN 1800 AND 2200 GROUP BY who",
        facts=facts,
    )
    return _each("found.day", days, words)


def deaths(words: Words) -> Query:
    """person_id, day: of those known to have died."""
    return _first_of_fact("died", "dates of death", words)


def joinings(words: Words) -> Query:
    """person_id, day: on which they joined the programme; who was asked twice joined the first time."""
    return _first_of_fact("joined", "days on which people joined", words)


def first_days(event: Happening, words: Words) -> Query:
    """person_id, day: each person's first dated record of the event."""
    return _each("found.day", first_of(event, words, negated=False), words)


def first_seen_days(words: Words) -> Query:
    """person_id, day: the first day on which anything is recorded of a person: before it nobody would have heard of their death."""
    return _recorded("min", words)


def last_days(words: Words) -> Query:
    """person_id, day: the last day on which anything is recorded of a person: until then we know that they lived."""
    return _recorded("max", words)


def relatives(words: Words) -> Query:
    """person_id, family, father, mother (person ids as text, null when not known), affected (true, false or null)."""
    bound = [family for family in words.family if family.father is not None and family.mother is not None]
    if not bound:
        raise NotBound("parents")
    rows = union(
        fill(
            "SELECT {person} AS who, {family} AS family, {father} AS father, {mother} AS mother FROM {table}",
            person=named(family.person),
            family=as_text(named(family.family)),
            father=as_text(named(str(family.father))),
            mother=as_text(named(str(family.mother))),
            table=named(family.table),
        )
        for family in bound
    )
    select = (
        "p.who AS person_id, found.family, found.father, found.mother, "
        "CASE WHEN p.who IN (SELECT who FROM ({yes})) THEN true WHEN p.who IN (SELECT who FROM ({no})) THEN false END AS affected "
        'FROM "every one" p JOIN ({rows}) found ON found.who = p.who'
    )
    filled = fill(
        select,
        yes=comparable(affected_rows(words, True)),
        no=comparable(affected_rows(words, False)),
        rows=comparable(rows),
    )
    return question(filled, Sql("true"), words).query()


def terms(words: Words) -> Query:
    """person_id, hpo: the HPO ids seen in each person, a row each; NotBound when the contract has none."""
    seen = observed(words)
    if not seen:
        raise NotBound("HPO terms")
    select = 'DISTINCT p.who AS person_id, found.hpo FROM "every one" p JOIN ({seen}) found ON found.who = p.who'
    return question(fill(select, seen=comparable(union(seen))), Sql("found.hpo IS NOT NULL"), words).query()


def _recorded(which: str, words: Words) -> Query:
    every: list[Event | Bound] = [*words.events, *words.measurements]
    dated = [event for event in every if event.date is not None]
    if not dated:
        raise NotBound("dates of events")
    days = union(
        fill(
            "SELECT {person} AS who, TRY_CAST({date} AS DATE) AS day FROM {table} WHERE {person} IS NOT NULL",
            person=named(event.person),
            date=named(str(event.date)),
            table=named(event.table),
        )
        for event in dated
    )
    select = f"SELECT who, {which}(day) AS day FROM ({{days}}) WHERE day IS NOT NULL GROUP BY who"
    return _each("found.day", fill(select, days=comparable(days)), words)


def _first_of_fact(word: str, called: str, words: Words) -> Query:
    facts = fact_table(words, word, called)
    days = fill("SELECT who, min(TRY_CAST(fact AS DATE)) AS day FROM ({facts}) GROUP BY who", facts=facts)
    return _each("found.day", days, words, "found.day IS NOT NULL")


def _each(column: str, relation: Sql, words: Words, condition: str = "true") -> Query:
    """One column of a relation of `who`, for the people who may be asked about."""
    select = f'p.who AS person_id, {column} FROM (SELECT DISTINCT who FROM "every one") p JOIN ({{found}}) found ON found.who = p.who'
    return question(fill(select, found=comparable(relation)), Sql(condition), words).query()
