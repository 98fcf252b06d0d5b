"""Who people are: sex, year of birth, age, ancestry, and their place in a family."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from nhsgen.cohorts.binding import NotBound, among, as_text, fact, fact_table, rows
from nhsgen.cohorts.english import day, one_of
from nhsgen.cohorts.events import Happening, comparable, first_of, read_day, read_happening
from nhsgen.cohorts.expression import Cohort, bad, check_depth, read_content
from nhsgen.cohorts.ranges import Range
from nhsgen.cohorts.sql import Sql, fill, named, union, value, values
from nhsgen.contracts.words import Words

__all__ = [
    "ROLES",
    "SEXES",
    "Affected",
    "Age",
    "Aged",
    "Ancestry",
    "Born",
    "FamilyRole",
    "Sex",
    "affected",
    "affected_rows",
    "age",
    "ancestry",
    "born",
    "family_role",
    "sex",
    "unaffected",
]

SEXES = ("female", "male")
ROLES = ("proband", "mother", "father", "sibling", "other")


@dataclass(frozen=True)
class Sex(Cohort, kind="sex"):
    """People recorded with this sex."""

    sex: str

    def __post_init__(self) -> None:
        if self.sex not in SEXES:
            raise bad("that sex is not one that contracts bind", f"use {one_of(SEXES)}")

    def phrase(self) -> str:
        return f"who are {self.sex}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        mapping = next((people.sex_values for people in words.people if people.sex is not None), {})
        stored = _stored_as(self.sex, mapping)
        return fact(words, "sex", lambda column: fill("{it} IN ({stored})", it=as_text(column), stored=stored), "sex")

    def content(self) -> dict[str, Any]:
        return {"is": self.sex}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        return cls(read_content(cls.kind, content, needs=["is"])["is"])


@dataclass(frozen=True)
class Born(Cohort, kind="born"):
    """People born in these years."""

    years: Range

    def __post_init__(self) -> None:
        if self.years == Range():
            raise bad("neither a first nor a last year of birth is given", "give one of them")

    def phrase(self) -> str:
        years = self.years.to_dict()
        if len(years) == 1:
            [(side, year)] = years.items()
            return f"born in {year:.0f} or {'later' if side in ('at_least', 'above') else 'earlier'}"
        return f"born in {self.years.describe()}" if len(set(years.values())) == 1 else f"born {self.years.describe()}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        return fact(words, "birth_year", lambda column: self.years.test(_number(column)), "year of birth")

    def content(self) -> dict[str, Any]:
        return self.years.to_dict()

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        return cls(Range.from_dict(read_content(cls.kind, content, may=["at_least", "at_most"])))


@dataclass(frozen=True)
class Aged(Cohort, kind="aged"):
    """People of an age: as their site recorded it when they joined (`at` None), on a day, or at their first record of an event.

    On a day and at an event the age is the difference of calendar years, because contracts bind no more than a year of birth:
    it is up to one year too high for those whose birthday was still to come.
    """

    years: Range
    at: date | Happening | None = None

    def __post_init__(self) -> None:
        if self.years == Range():
            raise bad("no age is given", "compare age() with a number")
        check_depth(self)

    def phrase(self) -> str:
        return f"aged {self.years.describe()} {self._when()}"

    def _when(self) -> str:
        if self.at is None:
            return "when they joined"
        if isinstance(self.at, date):
            return f"on {day(self.at)} (by year of birth)"
        return f"at their first record of {self.at.noun()} (by year of birth)"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        if self.at is None:
            return fact(words, "age", lambda column: self.years.test(_number(column)), "age on joining")
        if isinstance(self.at, date):
            year = value(float(self.at.year))
            return fact(
                words,
                "birth_year",
                lambda born: self.years.test(fill("({year} - {born})", year=year, born=_number(born))),
                "year of birth",
            )
        return among(
            fill(
                "SELECT base.who FROM ({base}) base JOIN ({born}) born ON base.who = born.who WHERE {inside}",
                base=first_of(self.at, words, negated),
                born=comparable(fact_table(words, "birth_year", "year of birth")),
                inside=self.years.test(fill("(year(base.day) - {born})", born=_number(Sql("born.fact")))),
            )
        )

    def content(self) -> dict[str, Any]:
        if self.at is None:
            return {"years": self.years.to_dict()}
        at = self.at.isoformat() if isinstance(self.at, date) else self.at.to_dict()
        return {"years": self.years.to_dict(), "at": at}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["years"], may=["at"])
        at = parts.get("at")
        return cls(Range.from_dict(parts["years"]), read_happening(at, depth) if isinstance(at, dict) else read_day(at))

    @property
    def depth(self) -> int:
        return 1 + (self.at.depth if isinstance(self.at, Happening) else 0)


@dataclass(frozen=True)
class Ancestry(Cohort, kind="ancestry"):
    """People assigned to one of these ancestry groups, as the sites name them."""

    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.groups or not all(isinstance(group, str) and group.strip() for group in self.groups):
            raise bad("an ancestry group is missing, empty or not text", 'write it like "EUR"')
        object.__setattr__(self, "groups", tuple(sorted(set(self.groups))))

    def phrase(self) -> str:
        return f"of ancestry group {one_of(self.groups)}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        groups = values(self.groups)
        return fact(words, "ancestry", lambda it: fill("{it} IN ({groups})", it=as_text(it), groups=groups), "ancestry")

    def content(self) -> dict[str, Any]:
        return {"groups": list(self.groups)}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        groups = read_content(cls.kind, content, needs=["groups"])["groups"]
        if not isinstance(groups, list):
            raise bad("its ancestry groups are not a list", 'write them like ["EUR"]')
        return cls(tuple(groups))


@dataclass(frozen=True)
class FamilyRole(Cohort, kind="family_role"):
    """People who have this role in a family."""

    role: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise bad("that role in a family is not one that contracts bind", f"use {one_of(ROLES)}")

    def phrase(self) -> str:
        return f"whose role in the family is {self.role}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        found = [
            rows(
                family,
                fill(
                    "{it} IN ({stored})",
                    it=as_text(named(family.role)),
                    stored=_stored_as(self.role, family.role_values),
                ),
            )
            for family in words.family
            if family.role is not None
        ]
        if not found:
            raise NotBound("family roles")
        return among(union(found))

    def content(self) -> dict[str, Any]:
        return {"is": self.role}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        return cls(read_content(cls.kind, content, needs=["is"])["is"])


@dataclass(frozen=True)
class Affected(Cohort, kind="affected"):
    """People recorded as affected by what their family was recruited for; or as unaffected, and never as affected."""

    affected: bool

    def __post_init__(self) -> None:
        if not isinstance(self.affected, bool):
            raise bad("affected is neither true nor false", "use affected() or unaffected()")

    def phrase(self) -> str:
        return f"recorded as {'affected' if self.affected else 'unaffected'} by their family's condition"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        yes = among(affected_rows(words, True))
        return yes if self.affected else fill("({no} AND NOT {yes})", no=among(affected_rows(words, False)), yes=yes)

    def content(self) -> dict[str, Any]:
        return {"is": self.affected}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        return cls(read_content(cls.kind, content, needs=["is"])["is"])


@dataclass(frozen=True)
class Age:
    """An age to compare: it becomes a cohort by >, >=, <, <= or `between`."""

    at: date | Happening | None = None

    def __gt__(self, years: float) -> Aged:
        return Aged(Range(above=years), self.at)

    def __ge__(self, years: float) -> Aged:
        return Aged(Range(at_least=years), self.at)

    def __lt__(self, years: float) -> Aged:
        return Aged(Range(below=years), self.at)

    def __le__(self, years: float) -> Aged:
        return Aged(Range(at_most=years), self.at)

    def between(self, low: float, high: float) -> Aged:
        """From `low` to `high` years, both included."""
        return Aged(Range(at_least=low, at_most=high), self.at)


def sex(which: str) -> Sex:
    """People recorded as "female" or "male"."""
    return Sex(which)


def born(first: int | None = None, last: int | None = None) -> Born:
    """People born from the year `first` to the year `last`, both included; either may be open.

    >>> born(1950, 1980).describe(), born(last=1949).describe()
    ('people born from 1950 to 1980', 'people born in 1949 or earlier')
    """
    return Born(Range(at_least=first, at_most=last))


def age(at: str | date | Happening | None = None) -> Age:
    """Age in years: on a day ("2026-01-01"), at the first record of an event (`icd10("Q61")`), or as recorded on joining.

    From the year of birth it is up to one year too high; see `Aged`.

    >>> (age(at="2026-01-01") >= 18).describe()
    'people aged at least 18 on 1 January 2026 (by year of birth)'
    """
    return Age(at if isinstance(at, Happening) else read_day(at))


def ancestry(*groups: str) -> Ancestry:
    """People of one of these ancestry groups, as the sites name them: "EUR", "AFR" ..."""
    return Ancestry(groups)


def family_role(role: str) -> FamilyRole:
    """People who are "proband", "mother", "father", "sibling" or "other" in a family."""
    return FamilyRole(role)


def affected() -> Affected:
    """People recorded as affected by what their family was recruited for."""
    return Affected(True)


def unaffected() -> Affected:
    """People recorded as unaffected; not those about whom neither is recorded."""
    return Affected(False)


def _stored_as(word: str, mapping: Mapping[str, str]) -> Sql:
    """How a contract's table writes this word; it writes the word itself when it maps none."""
    return values([stored for stored, meant in mapping.items() if meant == word] if mapping else [word])


def affected_rows(words: Words, yes: bool) -> Sql:
    """A relation of `who`: those recorded as affected, or as unaffected."""
    bound = [(family, family.affected) for family in words.family if family.affected is not None]
    if not bound:
        raise NotBound("affected status")
    return union(
        rows(
            family,
            fill(
                "{it} IN ({stored})",
                it=as_text(named(column)),
                stored=values(family.affected_values if yes else family.unaffected_values),
            ),
        )
        for family, column in bound
    )


def _number(column: Sql) -> Sql:
    return fill("TRY_CAST({column} AS DOUBLE)", column=column)
