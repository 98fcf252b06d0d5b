"""Pieces of SQL that carry their parameters: no value ever becomes part of the text, and every name is quoted."""

from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter

__all__ = ["Query", "Sql", "any_of", "both", "fill", "juxtaposed", "named", "union", "value", "values"]


@dataclass(frozen=True)
class Query:
    """What the sandbox runs. `unbound`: words of the question that this site's contract does not bind, each the only way to
    some people who are therefore not counted there."""

    sql: str
    params: tuple[object, ...]
    unbound: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sql:
    """Text with a `?` for each of `params`, in order."""

    text: str
    params: tuple[object, ...] = ()
    unbound: tuple[str, ...] = ()

    def query(self) -> Query:
        return Query(self.text, self.params, tuple(sorted(set(self.unbound))))


def fill(template: str, **parts: Sql) -> Sql:
    """The template with its {parts} put in, and their parameters in the order in which they stand.

    >>> fill("{column} IN ({codes})", column=named("code"), codes=values(["Q61", "N18"]))
    Sql(text='"code" IN (?, ?)', params=('Q61', 'N18'), unbound=())
    """
    text = ""
    params: list[object] = []
    unbound: list[str] = []
    for literal, part, _, _ in Formatter().parse(template):
        text += literal
        if part is not None:
            text += parts[part].text
            params += parts[part].params
            unbound += parts[part].unbound
    return Sql(text, tuple(params), tuple(unbound))


def named(*identifiers: str) -> Sql:
    """A quoted name, or a dotted one.

    >>> named("p", 'sex "at birth"').text
    '"p"."sex ""at birth\"""'
    """
    return Sql(".".join('"' + identifier.replace('"', '""') + '"' for identifier in identifiers))


def value(one: object) -> Sql:
    return Sql("?", (one,))


def values(several: Iterable[object]) -> Sql:
    """For the inside of an `IN (...)`, which is then never true when there are none."""
    params = tuple(several)
    return Sql(", ".join("?" * len(params)) or "NULL", params)


def any_of(tests: Iterable[Sql]) -> Sql:
    return _joined(" OR ", tests)


def both(tests: Iterable[Sql]) -> Sql:
    return _joined(" AND ", tests)


def union(relations: Iterable[Sql]) -> Sql:
    return _joined(" UNION ALL ", relations, bracket=False)


def juxtaposed(parts: Iterable[Sql]) -> Sql:
    return _joined("", parts, bracket=False)


def _joined(between: str, parts: Iterable[Sql], bracket: bool = True) -> Sql:
    whole = tuple(parts)
    text = between.join(part.text for part in whole)
    return Sql(
        f"({text})" if bracket and len(whole) > 1 else text,
        tuple(param for part in whole for param in part.params),
        tuple(word for part in whole for word in part.unbound),
    )
