"""From where to where a number may lie."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, ClassVar, Self

from nhsgen.cohorts.english import number
from nhsgen.cohorts.expression import bad
from nhsgen.cohorts.sql import Sql, both, fill, value

__all__ = ["Range"]


@dataclass(frozen=True)
class Range:
    """Limits, each with or without the limit itself; none at all means any number.

    >>> Range(at_least=18, below=65).describe()
    'at least 18 and below 65'
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    OPERATORS: ClassVar[Mapping[str, str]] = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}

    def __post_init__(self) -> None:
        for name, limit in asdict(self).items():
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not isfinite(limit):
                raise bad(f"the limit '{name.replace('_', ' ')}' is not a number", "give it one")
            object.__setattr__(self, name, float(limit) + 0.0)  # -0.0 is 0.0
        if None not in (self.at_least, self.above) or None not in (self.at_most, self.below):
            raise bad("there are two limits on one side", "keep one")

    def test(self, column: Sql) -> Sql:
        """Whether the column, a DOUBLE, is a finite number within the limits."""
        limits = [
            fill("{column} " + self.OPERATORS[name] + " {limit}", column=column, limit=value(limit))
            for name, limit in self.to_dict().items()
        ]
        return both([fill("isfinite({column})", column=column), *limits])

    def holds(self, number: float) -> bool:
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def describe(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            same = self.at_least == self.at_most
            return number(self.at_least) if same else f"from {number(self.at_least)} to {number(self.at_most)}"
        return " and ".join(f"{name.replace('_', ' ')} {number(limit)}" for name, limit in self.to_dict().items())

    def to_dict(self) -> dict[str, float]:
        return {name: limit for name, limit in asdict(self).items() if limit is not None}

    @classmethod
    def from_dict(cls, limits: Any) -> Self:
        if not isinstance(limits, Mapping) or set(limits) - set(cls.OPERATORS):
            raise bad("its limits are not of the form we know", f"use {', '.join(cls.OPERATORS)}")
        return cls(**limits)
