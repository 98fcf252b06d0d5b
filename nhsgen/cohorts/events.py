"""What happened to people and when: coded diagnoses and procedures, and one event relative to another."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any, Literal, Self

from nhsgen.codes import HPO, VOCABULARIES, Code, code
from nhsgen.cohorts.binding import NotBound, among, as_text, happenings, with_dates
from nhsgen.cohorts.english import day, one_of
from nhsgen.cohorts.expression import Cohort, bad, check_depth, read_content
from nhsgen.cohorts.sql import Sql, any_of, both, fill, named, union, value, values
from nhsgen.contracts.words import Words

__all__ = [
    "Coded",
    "During",
    "Happening",
    "Relative",
    "first_of",
    "icd10",
    "omop",
    "opcs4",
    "read_day",
    "read_happening",
    "snomed",
]

SPOKEN = {  # what the public reads; and how the contract's gap is named
    "ICD10": ("an ICD-10 code starting", "ICD-10 codes"),
    "OPCS4": ("an OPCS-4 procedure code starting", "OPCS-4 codes"),
    "SNOMED": ("the SNOMED CT code", "SNOMED CT codes"),
    "OMOP": ("the OMOP concept", "OMOP concepts"),
}
# Measured on 20 million rows: up to here a test per code is fastest (Parquet skips by ranges), beyond it a look-up in a set.
FEW = 16
MOST_DAYS = 36_525  # a hundred years


class Happening(Cohort):
    """People to whom something happened, which may be asked for by date.

    `after` and `before` speak of the first dated record of the index event, and of another day than that one; events without
    a date are neither.
    """

    def after(self, index: "Happening", *, within_days: int | None = None) -> "Relative":
        """This event on a later day than the first record of `index`, at most `within_days` later.

        >>> icd10("N18").after(icd10("E11"), within_days=365).describe()
        'people with an ICD-10 code starting N18 dated after, by up to 365 days, their first record of an ICD-10 code starting E11'
        """
        return Relative(self, index, "after", within_days)

    def before(self, index: "Happening", *, within_days: int | None = None) -> "Relative":
        """This event on an earlier day than the first record of `index`, at most `within_days` earlier."""
        return Relative(self, index, "before", within_days)

    def between(self, start: str | date | None = None, end: str | date | None = None) -> "During":
        """This event from the day `start` to the day `end`, both included; ISO dates such as "2010-01-31"."""
        return During(self, read_day(start), read_day(end))

    def phrase(self) -> str:
        return f"with {self.noun()}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        return among(self.records(words, negated, dated=False))

    @abstractmethod
    def noun(self) -> str:
        """What happened: "an ICD-10 code starting N18"."""

    @abstractmethod
    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        """A relation of `who`, and when `dated` also `day` (a DATE, never NULL): a row each time that it happened."""


@dataclass(frozen=True)
class Coded(Happening, kind="codes"):
    """People with a record of one of these codes. An ICD-10 or OPCS-4 code includes all longer ones; others are exact."""

    vocabulary: str
    codes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.vocabulary == HPO.vocabulary:
            raise bad("HPO terms are not event codes", "use hpo()")
        if not self.codes:
            raise bad("it has no codes", "give at least one")
        if not all(isinstance(text, str) for text in self.codes):
            raise bad("its codes are not texts", 'write them like "Q61.2"')
        object.__setattr__(self, "codes", tuple(sorted({code(self.vocabulary, text).text for text in self.codes})))

    def noun(self) -> str:
        return f"{SPOKEN[self.vocabulary][0]} {one_of(self.codes)}"

    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        bound = [event for event in words.events if event.vocabulary == self.vocabulary]
        if not bound:
            raise NotBound(SPOKEN[self.vocabulary][1])
        known, left_out = with_dates(bound, SPOKEN[self.vocabulary][1], negated) if dated else (tuple(bound), ())
        # A scan per code column: DuckDB then reads two columns at a time and can skip by each one's range.
        found = union(
            happenings(event, _holds(column, self.codes, VOCABULARIES[self.vocabulary]), dated)
            for event in known
            for column in event.codes
        )
        return replace(found, unbound=left_out)

    def content(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary, "codes": list(self.codes)}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["vocabulary", "codes"])
        if parts["vocabulary"] not in tuple(VOCABULARIES) or not isinstance(parts["codes"], list):
            raise bad("its vocabulary is unknown or its codes are not a list", f"use one of {', '.join(SPOKEN)}")
        return cls(parts["vocabulary"], tuple(parts["codes"]))


@dataclass(frozen=True)
class Relative(Happening, kind="relative"):
    """An event after or before the first dated record of another."""

    event: Happening
    index: Happening
    order: Literal["after", "before"]
    within_days: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.event, Happening) or not isinstance(self.index, Happening):
            raise bad("what is dated is not an event", "use a code, a measurement or an answer")
        if self.order not in ("after", "before"):
            raise bad("the order of two events is unknown", "use after or before")
        days = self.within_days
        if days is not None and (isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_DAYS):
            raise bad("within_days is not a whole number of days from 1", "correct it or leave it out")
        check_depth(self)

    def noun(self) -> str:
        limit = "" if self.within_days is None else f", by up to {self.within_days} day{'s' * (self.within_days > 1)},"
        return f"{self.event.noun()} dated {self.order}{limit} their first record of {self.index.noun()}"

    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        days = "event.day - base.day" if self.order == "after" else "base.day - event.day"
        within = Sql("") if self.within_days is None else Sql(f" AND {days} <= ?", (self.within_days,))
        return fill(
            "SELECT event.who, event.day FROM ({event}) event JOIN ({base}) base ON event.who = base.who "
            f"WHERE {days} > 0{{within}}",
            event=comparable(self.event.records(words, negated, dated=True)),
            base=first_of(self.index, words, negated),
            within=within,
        )

    def content(self) -> dict[str, Any]:
        limit = {} if self.within_days is None else {"within_days": self.within_days}
        return {"event": self.event.to_dict(), "order": self.order, "index": self.index.to_dict(), **limit}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["event", "order", "index"], may=["within_days"])
        event, index = (read_happening(parts[name], depth) for name in ("event", "index"))
        return cls(event, index, parts["order"], parts.get("within_days"))

    @property
    def depth(self) -> int:
        return 1 + max(self.event.depth, self.index.depth)


@dataclass(frozen=True)
class During(Happening, kind="during"):
    """An event from one day to another, both included; one of them may be open."""

    event: Happening
    start: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.event, Happening):
            raise bad("what is dated is not an event", "use a code, a measurement or an answer")
        if self.start is None and self.end is None:
            raise bad("neither a first nor a last day is given", "give one of them")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise bad("its last day is before its first", "swap them")
        check_depth(self)

    def noun(self) -> str:
        said = [f"{word} {day(at)}" for word, at in (("from", self.start), ("to", self.end)) if at is not None]
        return f"{self.event.noun()} dated {' '.join(said)}"

    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        limits = [Sql(f"day {sign} ?", (at,)) for sign, at in ((">=", self.start), ("<=", self.end)) if at is not None]
        events = self.event.records(words, negated, dated=True)
        return fill("SELECT who, day FROM ({events}) WHERE {limits}", events=events, limits=both(limits))

    def content(self) -> dict[str, Any]:
        days = {"start": self.start, "end": self.end}
        return {"event": self.event.to_dict(), **{name: at.isoformat() for name, at in days.items() if at is not None}}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["event"], may=["start", "end"])
        return cls(read_happening(parts["event"], depth), read_day(parts.get("start")), read_day(parts.get("end")))

    @property
    def depth(self) -> int:
        return 1 + self.event.depth


def icd10(*codes: str) -> Coded:
    """People with an ICD-10 code that is one of these or starts with one: with or without the dot.

    >>> icd10("Q61", "n180").describe()
    'people with an ICD-10 code starting N18.0 or Q61'
    """
    return Coded("ICD10", codes)


def opcs4(*codes: str) -> Coded:
    """People with an OPCS-4 procedure code that is one of these or starts with one."""
    return Coded("OPCS4", codes)


def snomed(*codes: str | int) -> Coded:
    """People with exactly one of these SNOMED CT concept ids; narrower concepts are not included: list them."""
    return Coded("SNOMED", tuple(str(one) for one in codes))


def omop(*codes: str | int) -> Coded:
    """People with exactly one of these OMOP standard concept ids; descendants are not included: list them."""
    return Coded("OMOP", tuple(str(one) for one in codes))


def comparable(relation: Sql) -> Sql:
    """The relation with its `who` of the type in which all tables compare (see `binding`)."""
    return fill('{relation} UNION ALL BY NAME FROM "no one"', relation=relation)


def first_of(event: Happening, words: Words, negated: bool) -> Sql:
    """A relation of `who` and `day`: each person's first dated record of the event."""
    return fill(
        "SELECT who, min(day) AS day FROM ({records}) GROUP BY who",
        records=comparable(event.records(words, negated, dated=True)),
    )


def read_day(text: object) -> date | None:
    """An ISO date; None stays None.

    >>> read_day("2010-01-31")
    datetime.date(2010, 1, 31)
    """
    if text is None or type(text) is date:
        return text
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise bad("a date is not one", "write it like 2010-01-31") from None


def read_happening(whole: Any, depth: int) -> Happening:
    event = Cohort.from_dict(whole, depth)
    if not isinstance(event, Happening):
        raise bad(f"'{event.kind}' is not an event with a date", "use a code, a measurement or an answer")
    return event


def _holds(column: str, codes: Sequence[str], vocabulary: type[Code]) -> Sql:
    """Whether the column has one of the codes, or one below it where the vocabulary has such a thing."""
    stored = as_text(named(column))
    prefixes = {prefix for text in codes for prefix in vocabulary(text).stored_prefixes}
    if not prefixes and len(codes) <= FEW:
        return fill("{stored} IN ({codes})", stored=stored, codes=values(codes))
    if not prefixes:
        numbers = value([int(text) for text in codes])
        return fill("TRY_CAST({column} AS BIGINT) IN (SELECT unnest({numbers}))", column=named(column), numbers=numbers)
    shortest = sorted(
        prefix for prefix in prefixes if not any(prefix[:length] in prefixes for length in range(1, len(prefix)))
    )
    if len(shortest) <= FEW:
        return any_of(_starts(stored, prefix) for prefix in shortest)
    by_length = groupby(sorted(shortest, key=len), key=len)
    return any_of(
        fill(f"left({{stored}}, {length}) IN (SELECT unnest({{prefixes}}))", stored=stored, prefixes=value(list(group)))
        for length, group in by_length
    )


def _starts(stored: Sql, prefix: str) -> Sql:
    following = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return fill(
        "({stored} >= {prefix} AND {stored} < {following})",
        stored=stored, prefix=value(prefix), following=value(following),
    )  # fmt: skip
