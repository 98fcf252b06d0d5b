"""What a contract binds to the words of a cohort: which column says sex, which holds ICD-10 codes, which the person.

Every binding names one table (a schema object's `name`, which is also its view in DuckDB) and columns of it. Stored values
are always compared as text, `CAST(column AS VARCHAR)`: a BOOLEAN is "true" or "false", the concept 8507 is "8507".
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import TypeAlias

__all__ = ["Always", "Event", "Family", "Measurement", "Observation", "People", "Phenotype", "Sample", "Words"]


@dataclass(frozen=True)
class Always:
    """A text that no column holds and that is the same for every row: the unit of a wide laboratory table, say."""

    text: str


ColumnOrText: TypeAlias = str | Always
"""The name of a column, or what the contract says instead of one."""


@dataclass(frozen=True)
class People:
    """One row a person. The table with `everyone` is the universe; the others add facts about the same people.

    sex_values: stored text -> "male" or "female"; any other stored value is unknown. Empty: stored as those two words.
    birth_year: a column with the year, no more.
    age: a column with an age in years, as it was when the person joined; for tables that have no year of birth.
    consent: a column and the stored values that mean yes; people without one of them, or without a row, are not asked about.
    died: a column with the date of death.
    joined: a column with the day on which somebody joined the programme: consented, was enrolled or had the sample taken.
    """

    table: str
    person: str
    everyone: bool = False
    sex: str | None = None
    sex_values: Mapping[str, str] = field(default_factory=dict)
    birth_year: str | None = None
    age: str | None = None
    ancestry: str | None = None
    consent: tuple[str, tuple[str, ...]] | None = None
    died: str | None = None
    joined: str | None = None


@dataclass(frozen=True)
class Event:
    """Coded events: a row has one code in each of `codes` (HES has twenty), of one vocabulary, and perhaps a date."""

    table: str
    person: str
    codes: tuple[str, ...]
    vocabulary: str
    date: str | None = None


@dataclass(frozen=True)
class Phenotype:
    """HPO terms, observed present or observed absent; without a `present` column every row means present."""

    table: str
    person: str
    term: str
    present: str | None = None
    present_values: tuple[str, ...] = ("true",)
    absent_values: tuple[str, ...] = ("false",)


@dataclass(frozen=True)
class Measurement:
    """Numbers with a unit: long tables name the measurement in a column, wide ones in the contract."""

    table: str
    person: str
    name: ColumnOrText
    value: str
    unit: ColumnOrText | None = None
    date: str | None = None


@dataclass(frozen=True)
class Observation:
    """Categorical answers: a questionnaire's, a registry's."""

    table: str
    person: str
    name: ColumnOrText
    value: str
    date: str | None = None


@dataclass(frozen=True)
class Family:
    """Who belongs to which family. `role_values`: stored text -> "proband", "mother", "father", "sibling" or "other"; empty:
    stored as those words."""

    table: str
    person: str
    family: str
    role: str | None = None
    role_values: Mapping[str, str] = field(default_factory=dict)
    father: str | None = None
    mother: str | None = None
    affected: str | None = None
    affected_values: tuple[str, ...] = ("true",)
    unaffected_values: tuple[str, ...] = ("false",)


@dataclass(frozen=True)
class Sample:
    """Which sample of the variant files is which person's; a person may have several.

    Bound to `samples` it is of the genome somebody was born with, bound to `tumour_samples` of a tumour of theirs.
    """

    table: str
    person: str
    sample: str


@dataclass(frozen=True)
class Words:
    """All bindings of one or several contracts. `people[0]` is the universe of every cohort.

    >>> people = People("person", "person_id", sex="sex"), People("death", "person_id", died="date")
    >>> words = Words(people=people, samples=(Sample("sample", "person_id", "sample_id"),))
    >>> words.tables
    ('death', 'person', 'sample')
    >>> words.only({"person"}).tables
    ('person',)
    """

    people: tuple[People, ...] = ()
    events: tuple[Event, ...] = ()
    phenotypes: tuple[Phenotype, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    observations: tuple[Observation, ...] = ()
    family: tuple[Family, ...] = ()
    samples: tuple[Sample, ...] = ()
    tumour_samples: tuple[Sample, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Every table a word is bound to, sorted."""
        return tuple(sorted({binding.table for kind in fields(self) for binding in getattr(self, kind.name)}))

    def only(self, tables: Collection[str]) -> "Words":
        """The words of these tables: an extract may leave optional tables out."""
        return Words(
            **{kind.name: tuple(b for b in getattr(self, kind.name) if b.table in tables) for kind in fields(self)}
        )

    @staticmethod
    def union(several: Iterable["Words"]) -> "Words":
        """All bindings together, the table with everyone first."""
        parts = tuple(several)
        together = {kind.name: tuple(chain(*(getattr(p, kind.name) for p in parts))) for kind in fields(Words)}
        together["people"] = tuple(sorted(together["people"], key=lambda people: not people.everyone))
        return Words(**together)
