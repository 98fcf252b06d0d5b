"""What was measured in people and what they answered: numbers within limits, answers among those given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from nhsgen.cohorts.binding import NotBound, as_text, bound_name, happenings, rows, with_dates
from nhsgen.cohorts.english import one_of
from nhsgen.cohorts.events import Happening, comparable
from nhsgen.cohorts.expression import bad, read_content
from nhsgen.cohorts.ranges import Range
from nhsgen.cohorts.sql import Sql, fill, named, union, values
from nhsgen.contracts.words import Always, Words
from nhsgen.contracts.words import Measurement as Bound

__all__ = ["Measured", "Measurement", "Observation", "Observed", "measurement", "observation"]

Which = Literal["any", "latest", "first", "highest", "lowest"]

# Which of a person's measurements counts: the greatest or least of (what, then what), so that a tie has one answer too.
CHOOSES: Mapping[str, tuple[str, str, str]] = {
    "latest": ("max", "coalesce(day, DATE '0001-01-01')", "value"),
    "first": ("min", "coalesce(day, DATE '9999-12-31')", "value"),
    "highest": ("max", "value", "day"),
    "lowest": ("min", "value", "day"),
}


@dataclass(frozen=True)
class Measured(Happening, kind="measured"):
    """People with a measurement within limits: any of theirs, or the latest, first, highest, lowest one."""

    name: str
    limits: Range
    which: Which = "any"
    unit: str | None = None

    def __post_init__(self) -> None:
        _text(self.name, "the name of a measurement")
        if self.unit is not None:
            _text(self.unit, "a unit")
        if self.which not in ("any", *CHOOSES):
            raise bad("it is not said which measurement counts", f"use any, {', '.join(CHOOSES)}")

    def noun(self) -> str:
        limits = self.limits.describe() + (f" {self.unit}" if self.unit else "")
        if self.which == "any":
            return f"a measurement of {self.name} {limits}".rstrip()
        return f"a {self.which} measurement of {self.name}" + (f" that is {limits}" if limits else "")

    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        if self.which == "any":
            every, left_out = self._every(words, negated, dated)
            found = fill(
                "SELECT who, day FROM ({every}) WHERE {inside}", every=every, inside=self.limits.test(Sql("value"))
            )
            return replace(found, unbound=left_out)
        return self._chosen(words, negated, dated)

    def chosen(self, words: Words) -> Sql:
        """A relation of `who` and `value`: the one measurement of each person that counts, within the limits."""
        return self._chosen(words, negated=False, dated=False)

    def _chosen(self, words: Words, negated: bool, dated: bool) -> Sql:
        every, left_out = self._every(words, negated, dated)
        choose, by, tie = CHOOSES[self.which]
        found = fill(
            f"SELECT who, chosen.day, chosen.value FROM (SELECT who, {choose}(struct_pack(by := {by}, tie := {tie}, value := value, "
            "day := day)) AS chosen FROM ({every}) WHERE isfinite(value) GROUP BY who) WHERE {inside}",
            every=comparable(every),
            inside=self.limits.test(Sql("chosen.value")),
        )
        return replace(found, unbound=left_out)

    def _every(self, words: Words, negated: bool, dated: bool) -> tuple[Sql, tuple[str, ...]]:
        """All measurements of it: `who`, `day`, `value`; and what is left out for want of a date."""
        bound = self._bound(words)
        known: tuple[Bound, ...] = tuple(bound)
        left_out: tuple[str, ...] = ()
        by_day = dated or self.which in ("latest", "first")
        if by_day:
            # A wide table without dates has one value a person: their latest and first, if no dated one is known.
            known, left_out = with_dates(
                known, self._called, negated, undated=lambda binding: not dated and isinstance(binding.name, Always)
            )
        return union(_values(binding, bound[binding], by_day) for binding in known), left_out

    @property
    def _called(self) -> str:
        return f"the measurement '{self.name}'"

    def _bound(self, words: Words) -> dict[Bound, Sql]:
        """The bindings of this measurement in this unit, each with the test that a row of its table is one."""
        bound = {
            binding: test for binding in words.measurements if (test := bound_name(binding.name, self.name)) is not None
        }
        if not bound:
            raise NotBound(self._called)
        if self.unit is None:
            return bound
        in_unit = {
            binding: fill("{test} AND {same}", test=test, same=same)
            for binding, test in bound.items()
            if binding.unit is not None and (same := bound_name(binding.unit, self.unit)) is not None
        }
        if not in_unit:
            raise NotBound(f"{self._called} in {self.unit}")
        return in_unit

    def content(self) -> dict[str, Any]:
        whole: dict[str, Any] = {"name": self.name, "limits": self.limits.to_dict(), "which": self.which}
        return whole if self.unit is None else {**whole, "unit": self.unit}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["name", "limits", "which"], may=["unit"])
        return cls(parts["name"], Range.from_dict(parts["limits"]), parts["which"], parts.get("unit"))


@dataclass(frozen=True)
class Observed(Happening, kind="observed"):
    """People who gave one of these answers to a question, exactly as it is stored."""

    name: str
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        _text(self.name, "the name of an observation")
        if not self.answers:
            raise bad("it has no answers", "give at least one")
        for answer in self.answers:
            _text(answer, "an answer")
        object.__setattr__(self, "answers", tuple(sorted(set(self.answers))))

    def noun(self) -> str:
        quoted = [f'"{answer}"' for answer in self.answers]
        return f"the answer {one_of(quoted)} to {self.name}"

    def records(self, words: Words, negated: bool, dated: bool) -> Sql:
        called = f"the observation '{self.name}'"
        bound = {
            binding: test for binding in words.observations if (test := bound_name(binding.name, self.name)) is not None
        }
        if not bound:
            raise NotBound(called)
        known, left_out = with_dates(tuple(bound), called, negated) if dated else (tuple(bound), ())
        found = union(
            happenings(
                binding,
                fill(
                    "{test} AND {value} IN ({answers})",
                    test=bound[binding], value=as_text(named(binding.value)), answers=values(self.answers),
                ),
                dated,
            )
            for binding in known
        )  # fmt: skip
        return replace(found, unbound=left_out)

    def content(self) -> dict[str, Any]:
        return {"name": self.name, "answers": list(self.answers)}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["name", "answers"])
        if not isinstance(parts["answers"], list):
            raise bad("its answers are not a list", 'write them like ["Yes"]')
        return cls(parts["name"], tuple(parts["answers"]))


@dataclass(frozen=True)
class Measurement:
    """A measurement to compare: it becomes a cohort by >, >=, <, <=, `between` or `recorded`.

    Units are not converted. With a unit, only measurements recorded in exactly that unit count; without one, all do.
    """

    name: str
    unit: str | None = None
    which: Which = "any"

    def any(self) -> "Measurement":
        return replace(self, which="any")

    def latest(self) -> "Measurement":
        """The one on a person's latest day; of several on that day the highest."""
        return replace(self, which="latest")

    def first(self) -> "Measurement":
        """The one on a person's first day; of several on that day the lowest."""
        return replace(self, which="first")

    def highest(self) -> "Measurement":
        return replace(self, which="highest")

    def lowest(self) -> "Measurement":
        return replace(self, which="lowest")

    def __gt__(self, limit: float) -> Measured:
        return self._within(Range(above=limit))

    def __ge__(self, limit: float) -> Measured:
        return self._within(Range(at_least=limit))

    def __lt__(self, limit: float) -> Measured:
        return self._within(Range(below=limit))

    def __le__(self, limit: float) -> Measured:
        return self._within(Range(at_most=limit))

    def between(self, low: float, high: float, *, unit: str | None = None) -> Measured:
        """From `low` to `high`, both included."""
        return replace(self, unit=unit or self.unit)._within(Range(at_least=low, at_most=high))

    def recorded(self) -> Measured:
        """People who have it at all, as a finite number."""
        return self._within(Range())

    def describe(self) -> str:
        """
        >>> measurement("eGFR", "mL/min").latest().describe()
        'latest eGFR in mL/min'
        """
        return f"{'' if self.which == 'any' else f'{self.which} '}{self.name}" + (
            f" in {self.unit}" if self.unit else ""
        )

    def to_dict(self) -> dict[str, str]:
        """What is hashed and sent."""
        whole = {"name": self.name, "which": self.which}
        return whole if self.unit is None else {**whole, "unit": self.unit}

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any]) -> "Measurement":
        """The inverse of `to_dict`; BadStudy when it is not one."""
        if not isinstance(whole, Mapping) or not {"name"} <= whole.keys() <= {"name", "which", "unit"}:
            raise bad("a measurement is not written like one", 'write {name = "eGFR", which = "latest"}')
        checked = Measured(whole["name"], Range(), whole.get("which", "any"), whole.get("unit"))
        return cls(checked.name, checked.unit, checked.which)

    def _within(self, limits: Range) -> Measured:
        return Measured(self.name, limits, self.which, self.unit)


@dataclass(frozen=True)
class Observation:
    """A question with named answers; `equals` makes a cohort of it."""

    name: str

    def equals(self, *answers: str) -> Observed:
        return Observed(self.name, answers)


def measurement(name: str, unit: str | None = None) -> Measurement:
    """A measurement as the sites name it.

    >>> (measurement("eGFR", unit="mL/min").latest() < 60).describe()
    'people with a latest measurement of eGFR that is below 60 mL/min'
    """
    return Measurement(name, unit)


def observation(name: str) -> Observation:
    """A question as the sites name it.

    >>> observation("smoking status").equals("current", "former").describe()
    'people with the answer "current" or "former" to smoking status'
    """
    return Observation(name)


def _values(binding: Bound, test: Sql, by_day: bool) -> Sql:
    """A relation of `who`, `day` (NULL when that is of no matter or not known) and `value`."""
    number = fill("TRY_CAST({value} AS DOUBLE) AS value", value=named(binding.value))
    if by_day and binding.date is not None:
        return happenings(binding, test, dated=True, also=fill(", {number}", number=number))
    return rows(binding, test, also=fill(", NULL::DATE AS day, {number}", number=number))


def _text(text: object, what: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise bad(f"{what} is empty or not text", "write it as the sites do")
