"""A cohort is an expression that says who: words of a clinician joined with `&`, `|` and `~`.

It is frozen and in canonical form (`a & b` is `b & a`), because a study is hashed and approved by what it says. It becomes
SQL only at a site, over whatever that site's contract binds.

`~` means everybody else at the site, those included about whom nothing is recorded: `~sex("female")` has the men and all
people whose sex is unknown.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, ClassVar, Self

from nhsgen.cohorts.binding import NotBound, question
from nhsgen.cohorts.sql import Query, Sql, any_of, both, fill
from nhsgen.contracts.words import Words
from nhsgen.errors import BadStudy

__all__ = ["And", "Cohort", "Everyone", "Not", "Or", "bad", "check_depth", "everyone", "read_content"]

# The words of a cohort, in the order in which they are said and hashed: what people have, then who they are, denials last.
READING_ORDER = (
    "hpo", "codes", "measured", "observed", "relative", "during", "or", "and",
    "sex", "born", "aged", "ancestry", "family_role", "affected", "not", "everyone",
)  # fmt: skip
DEEPEST = 40  # of nested `&`, `|` and `~`; a question that a steward can read has three or four


class Cohort(ABC):
    """Who: composable with `&`, `|`, `~` and `exclude`."""

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type["Cohort"]]] = {}

    def __init_subclass__(cls, kind: str = "") -> None:
        if kind:
            cls.kind = kind
            Cohort.kinds[kind] = cls

    def __and__(self, other: "Cohort") -> "Cohort":
        return And.join(self, other) if isinstance(other, Cohort) else NotImplemented

    def __or__(self, other: "Cohort") -> "Cohort":
        return Or.join(self, other) if isinstance(other, Cohort) else NotImplemented

    def __invert__(self) -> "Cohort":
        return Not(self)

    def exclude(self, other: "Cohort") -> "Cohort":
        """`self & ~other`: controls without related conditions, say."""
        return self & ~other

    def __bool__(self) -> bool:
        raise bad(
            "`and`, `or`, `not` or a double comparison joins cohorts", "write &, | and ~, with brackets, or between()"
        )

    def describe(self) -> str:
        """In plain English, for the researcher, the steward and the public register."""
        return f"people {self.phrase()}"

    def compile(self, words: Words) -> Query:
        """SQL for the distinct `person_id`s, of the type they are stored in; NotBound when a word it needs is not bound.

        A word that is one branch of an `|`, under no `~`, may be missing: it adds nobody, and `Query.unbound` names it.
        """
        return question(Sql('DISTINCT p.who AS person_id FROM "every one" p'), self.condition(words), words).query()

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-able and canonical: equal cohorts have equal dictionaries."""
        return {self.kind: self.content()}

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any], depth: int = 0) -> "Cohort":
        """The inverse of `to_dict`; BadStudy, or BadCode, on anything it would not have written."""
        if depth > DEEPEST:
            raise bad(f"it is nested more than {DEEPEST} deep", "ask something that a person can read")
        if not isinstance(whole, Mapping) or len(whole) != 1:
            raise bad("a part of it is not one word with its settings", 'write it like {"sex": {"is": "female"}}')
        [(kind, content)] = whole.items()
        if kind not in cls.kinds:
            near = get_close_matches(str(kind), cls.kinds, n=1)
            raise bad(
                f"'{kind}' is not a word of it", f"did you mean {near[0]}?" if near else f"use {', '.join(cls.kinds)}"
            )
        return cls.kinds[kind].from_content(content, depth + 1)

    @property
    def depth(self) -> int:
        return 1

    @abstractmethod
    def phrase(self) -> str:
        """What stands after "people": "with Renal cyst", "who are female"."""

    @abstractmethod
    def condition(self, words: Words, negated: bool = False) -> Sql:
        """A test of the person p, true or false and never NULL. `negated`: some `~` stands above it."""

    @abstractmethod
    def content(self) -> Any:
        """What `to_dict` says of it."""

    @classmethod
    @abstractmethod
    def from_content(cls, content: Any, depth: int) -> "Cohort":
        """The inverse of `content`."""


@dataclass(frozen=True)
class Everyone(Cohort, kind="everyone"):
    """Everybody who may be asked about at a site."""

    def phrase(self) -> str:
        return "of whom anything is known"

    def describe(self) -> str:
        return "everyone"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        return Sql("true")

    def content(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        read_content("everyone", content)
        return cls()


@dataclass(frozen=True)
class Not(Cohort, kind="not"):
    """Everybody else."""

    cohort: Cohort

    def __post_init__(self) -> None:
        check_depth(self)

    def __invert__(self) -> Cohort:
        return self.cohort

    def phrase(self) -> str:
        return f"who are not among those {_bracketed(self.cohort, And, Or)}"

    def describe(self) -> str:
        return "nobody" if self.cohort == Everyone() else f"everyone except {self.cohort.describe()}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        return fill("NOT {cohort}", cohort=self.cohort.condition(words, negated=True))

    def content(self) -> dict[str, Any]:
        return self.cohort.to_dict()

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        return cls(Cohort.from_dict(content, depth))

    @property
    def depth(self) -> int:
        return 1 + self.cohort.depth


@dataclass(frozen=True)
class _Several(Cohort):
    """Two or more cohorts in canonical order, none of them twice and none of the same kind as this."""

    cohorts: tuple[Cohort, ...]

    def __post_init__(self) -> None:
        check_depth(self)

    @classmethod
    def join(cls, *cohorts: Cohort) -> Cohort:
        flat = [part for cohort in cohorts for part in (cohort.cohorts if isinstance(cohort, cls) else (cohort,))]
        kept = tuple(sorted(cls.simplified(set(flat)), key=_order))
        return kept[0] if len(kept) == 1 else cls(kept)

    @classmethod
    @abstractmethod
    def simplified(cls, cohorts: set[Cohort]) -> Iterable[Cohort]:
        """The same people, said with as few of `cohorts` as `everyone` allows."""

    def content(self) -> list[Any]:
        return [part.to_dict() for part in self.cohorts]

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Cohort:
        if not isinstance(content, list) or len(content) < 2:
            raise bad(f"its '{cls.kind}' is not a list of two or more", "list what it joins")
        return cls.join(*(Cohort.from_dict(part, depth) for part in content))

    @property
    def depth(self) -> int:
        return 1 + max(part.depth for part in self.cohorts)


@dataclass(frozen=True)
class And(_Several, kind="and"):
    """People whom every part has."""

    @classmethod
    def simplified(cls, cohorts: set[Cohort]) -> Iterable[Cohort]:
        return cohorts - {Everyone()} or {Everyone()}

    def phrase(self) -> str:
        said = [_bracketed(part, Or) for part in self.cohorts if not isinstance(part, Not)]
        denied = [_bracketed(part.cohort, And, Or) for part in self.cohorts if isinstance(part, Not)]
        if not said:
            return f"who are not among those {', nor those '.join(denied)}"
        but = f", but not those {', nor those '.join(denied)}" if denied else ""
        return " and ".join(said) + but

    def condition(self, words: Words, negated: bool = False) -> Sql:
        return both(part.condition(words, negated) for part in self.cohorts)


@dataclass(frozen=True)
class Or(_Several, kind="or"):
    """People whom any part has."""

    @classmethod
    def simplified(cls, cohorts: set[Cohort]) -> Iterable[Cohort]:
        return {Everyone()} if Everyone() in cohorts else cohorts

    def phrase(self) -> str:
        return ", or ".join(_bracketed(part, And) for part in self.cohorts)

    def condition(self, words: Words, negated: bool = False) -> Sql:
        found, missing = [], []
        for part in self.cohorts:
            try:
                found.append(part.condition(words, negated))
            except NotBound as error:
                # Nobody is known by it here, which is said. Under a `~` that would add people, so there it is an error.
                missing.append(error)
        if missing and (negated or not found):
            raise missing[0]
        together = any_of(found)
        return replace(together, unbound=(*together.unbound, *(error.word for error in missing)))


def everyone() -> Cohort:
    """Everybody who may be asked about.

    >>> everyone().describe()
    'everyone'
    """
    return Everyone()


def read_content(word: str, content: Any, needs: Iterable[str] = (), may: Iterable[str] = ()) -> Mapping[str, Any]:
    """`content`, once it is known to be a mapping with all that it needs and nothing that is unknown."""
    needed = set(needs)
    if not isinstance(content, Mapping):
        raise bad(
            f"the settings of '{word}' are not a mapping", f"give it {', '.join(sorted(needed)) or 'an empty one'}"
        )
    if unknown := sorted(set(map(str, content)) - needed - set(may)):
        raise bad(f"'{word}' has no setting '{unknown[0]}'", f"use {', '.join(sorted(needed | set(may))) or 'none'}")
    if missing := sorted(needed - set(content)):
        raise bad(f"'{word}' lacks its setting '{missing[0]}'", "add it")
    return content


def bad(found: str, do_next: str) -> BadStudy:
    return BadStudy("reading a cohort", found, do_next)


def _order(cohort: Cohort) -> tuple[bool, int, str]:
    inner = cohort.cohort if isinstance(cohort, Not) else cohort
    return isinstance(cohort, Not), READING_ORDER.index(inner.kind), json.dumps(cohort.to_dict(), sort_keys=True)


def _bracketed(cohort: Cohort, *kinds: type[Cohort]) -> str:
    return f"({cohort.phrase()})" if isinstance(cohort, kinds) else cohort.phrase()


def check_depth(cohort: Cohort) -> None:
    if cohort.depth > DEEPEST:
        raise bad(f"it is nested more than {DEEPEST} deep", "ask something that a person can read")
