"""What a site's contract binds, as SQL: who everyone is, who may be asked about, and where a fact about them stands.

Three relations are common to every query. "every one" has a row per person with the facts of the contract's first people
table, under our own names; "no one" has no rows (no table of a contract can be called so, for the space). `withdrawn` has
the `person_id`s, as text, of those who have said no; the site hands it to the sandbox.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import chain
from typing import TypeAlias, TypeVar

from nhsgen.cohorts.sql import Sql, both, fill, named, union, value, values
from nhsgen.contracts.words import (
    Always,
    ColumnOrText,
    Event,
    Family,
    Measurement,
    Observation,
    People,
    Phenotype,
    Sample,
    Words,
)
from nhsgen.errors import NotFound

__all__ = [
    "NotBound",
    "among",
    "as_text",
    "bound_name",
    "fact",
    "fact_table",
    "happenings",
    "question",
    "rows",
    "with_dates",
]

Binding: TypeAlias = People | Event | Phenotype | Measurement | Observation | Family | Sample
Dated = TypeVar("Dated", Event, Measurement, Observation)
NOTHING = Sql("")
FACTS = ("sex", "birth_year", "age", "ancestry")


class NotBound(NotFound):
    """This site's contract binds nothing to a word that the question cannot do without.

    >>> str(NotBound("ICD-10 codes"))
    "asking for ICD-10 codes failed: this site's contract binds no table to them; leave them out, or ask sites that have them."
    """

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(
            f"asking for {word}",
            "this site's contract binds no table to them",
            "leave them out, or ask sites that have them",
        )

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return NotBound, (self.word,)


def question(select: Sql, condition: Sql, words: Words) -> Sql:
    """`select` over p, the people who may be asked about (they consent, they have not withdrawn) and meet `condition`.

    A no is read generously: a list that says 00042 means the number 42, whatever type the contract gave the ids.
    """
    return fill(
        'WITH "no one" AS ({nobody}), "every one" AS ({everyone}) SELECT {select} '
        "WHERE p.who IS NOT NULL AND {consent} "
        # A number has no zeros in front of it: the planner sees its type, and trims nothing a million times.
        "AND CASE typeof(p.who) WHEN 'VARCHAR' THEN ltrim(CAST(p.who AS VARCHAR), ' 0') ELSE CAST(p.who AS VARCHAR) END NOT IN "
        "(SELECT ltrim(person_id, ' 0') FROM withdrawn WHERE person_id IS NOT NULL) AND {condition}",
        nobody=_nobody(words),
        everyone=_everyone(words),
        select=select,
        consent=_consent(words),
        condition=condition,
    )


def rows(bound: Binding, where: Sql, also: Sql = NOTHING) -> Sql:
    """A SELECT of `who` (and `also`) from the rows of a bound table that belong to somebody and meet `where`."""
    return fill(
        "SELECT {person} AS who{also} FROM {table} WHERE {person} IS NOT NULL AND {where}",
        person=named(bound.person),
        also=also,
        table=named(bound.table),
        where=where,
    )


def happenings(bound: Event | Measurement | Observation, where: Sql, dated: bool, also: Sql = NOTHING) -> Sql:
    """The same, and when `dated` also `day`, from rows that have a date."""
    if not dated:
        return rows(bound, where, also)
    at = fill("TRY_CAST({date} AS DATE)", date=named(str(bound.date)))
    return rows(
        bound, fill("{where} AND {at} IS NOT NULL", where=where, at=at), fill(", {at} AS day{also}", at=at, also=also)
    )


def with_dates(
    bound: Sequence[Dated], called: str, negated: bool, undated: Callable[[Dated], bool] = lambda _: False
) -> tuple[tuple[Dated, ...], tuple[str, ...]]:
    """The bindings that have a date (or may do without), and what is thereby left out, in words; under a `~` that is an error."""
    known = tuple(binding for binding in bound if binding.date is not None or undated(binding))
    left_out = sorted({f"dates of {called} in its table {binding.table}" for binding in bound if binding not in known})
    if not known:
        raise NotBound(f"dates of {called}")
    if left_out and negated:
        raise NotBound(left_out[0])
    return known, tuple(left_out)


def among(relation: Sql, person: str = "p.who") -> Sql:
    """Whether the person is in the relation's `who`. Never NULL, so that `NOT` of it means everybody else."""
    return fill(
        '{person} IN (SELECT who FROM ({relation}) UNION ALL FROM "no one")', person=Sql(person), relation=relation
    )


def as_text(column: Sql) -> Sql:
    """Stored values are compared as text: the concept 8507 is "8507", true is "true"."""
    return fill("CAST({column} AS VARCHAR)", column=column)


def fact(words: Words, word: str, test: Callable[[Sql], Sql], called: str) -> Sql:
    """Whether `test` holds for a fact about the person ("sex", "birth_year", "age", "ancestry"); not when it is not recorded."""
    people = _people_with(words, word, called)
    if people is words.people[0]:
        return fill("coalesce({test}, false)", test=test(Sql(f"p.{word}")))
    return among(rows(people, test(named(getattr(people, word)))))


def fact_table(words: Words, word: str, called: str) -> Sql:
    """A relation of `who` and `fact`."""
    people = _people_with(words, word, called)
    return rows(people, Sql("true"), fill(", {column} AS fact", column=named(getattr(people, word))))


def bound_name(name: ColumnOrText, wanted: str) -> Sql | None:
    """The test that a row is about `wanted`: none is needed when the contract itself names it; None when it names another."""
    if isinstance(name, Always):
        return Sql("true") if name.text == wanted else None
    return fill("{column} = {wanted}", column=as_text(named(name)), wanted=value(wanted))


def _people_with(words: Words, word: str, called: str) -> People:
    for people in words.people:
        if getattr(people, word) is not None:
            return people
    raise NotBound(called)


def _everyone(words: Words) -> Sql:
    if not words.people:
        raise NotBound("people")
    first = words.people[0]
    columns = [(word, getattr(first, word)) for word in FACTS]
    return fill(
        'SELECT {person} AS who{columns} FROM {table} UNION ALL BY NAME FROM "no one"',
        person=named(first.person),
        columns=Sql("".join(f", {named(column).text} AS {word}" for word, column in columns if column is not None)),
        table=named(first.table),
    )


def _nobody(words: Words) -> Sql:
    """No rows, and one column of the type in which the person columns of all tables can be compared.

    A person may be a number in one table and text in another. DuckDB would turn the text into numbers and fail at the first
    that is none; a UNION with this turns both into text, and costs nothing when, as nearly always, their types are the same.
    """
    every = chain.from_iterable(getattr(words, kind.name) for kind in fields(words))
    bindings = sorted({(binding.table, binding.person) for binding in every})
    return union(
        fill("SELECT {person} AS who FROM {table} WHERE false", person=named(person), table=named(table))
        for table, person in bindings
    )


def _consent(words: Words) -> Sql:
    """Everybody is asked about when no table speaks of consent; otherwise every row about a person must say yes, in each."""
    tests = []
    for place, people in enumerate(words.people):
        if people.consent is None:
            continue
        column, yes = people.consent
        said_yes = fill("coalesce({said} IN ({yes}), false)", said=as_text(named(column)), yes=values(yes))
        if place:
            tests.append(among(rows(people, Sql("true"))))
        said_no = rows(people, fill("NOT {said_yes}", said_yes=said_yes))
        tests.append(fill("NOT {among}", among=among(said_no)))
    return both(tests or [Sql("true")])
