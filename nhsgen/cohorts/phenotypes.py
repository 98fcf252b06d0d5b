"""Phenotypes: HPO terms observed in people, or looked for and found absent."""

from dataclasses import dataclass
from typing import Any, Self

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.cohorts.binding import NotBound, among, as_text, rows
from nhsgen.cohorts.expression import Cohort, bad, read_content
from nhsgen.cohorts.sql import Sql, both, fill, named, union, values
from nhsgen.contracts.words import Words
from nhsgen.errors import BadCode

__all__ = ["HasTerm", "hpo", "observed"]


@dataclass(frozen=True)
class HasTerm(Cohort, kind="hpo"):
    """People with an HPO term; or, `absent`, people in whom it was looked for and not found.

    Present: the term or any narrower one was observed. Absent: the term or any broader one was recorded as absent, since who
    has no abnormality of the kidney has no renal cyst. Obsolete ids count as the term that replaced them. People about whom
    nothing was recorded are neither.
    """

    term: HPO
    absent: bool = False

    def phrase(self) -> str:
        try:
            called = f"{ontology.name(self.term)} ({self.term})"
            narrower = len(ontology.descendants(self.term)) - 1
        except BadCode:
            return f"with {self.term}, which HPO {ontology.version()} does not list"
        if self.absent:
            return f"in whom {called} was looked for and found absent"
        if not narrower:
            return f"with {called}"
        return f"with {called} or {'its narrower term' if narrower == 1 else f'one of its {narrower} narrower terms'}"

    def condition(self, words: Words, negated: bool = False) -> Sql:
        implied_by = ontology.ancestors(self.term) if self.absent else ontology.descendants(self.term)
        terms = Sql("SELECT unnest(?)", (sorted(ontology.with_former(implied_by)),))
        found = [
            rows(bound, both([_is_in(bound.term, terms), *recorded]))
            for bound in words.phenotypes
            if (recorded := self._recorded(bound.present, bound.present_values, bound.absent_values)) is not None
        ]
        if not self.absent:
            found += [
                rows(event, _is_in(column, terms))
                for event in words.events
                if event.vocabulary == HPO.vocabulary
                for column in event.codes
            ]
        if not found:
            raise NotBound("HPO terms recorded as absent" if self.absent and words.phenotypes else "HPO terms")
        return among(union(found))

    def _recorded(self, column: str | None, present: tuple[str, ...], absent: tuple[str, ...]) -> list[Sql] | None:
        """The test that a row says present (or absent); without such a column every row says present."""
        if column is None:
            return None if self.absent else []
        wanted = values(absent if self.absent else present)
        return [fill("{column} IN ({wanted})", column=as_text(named(column)), wanted=wanted)]

    def content(self) -> dict[str, Any]:
        return {"term": self.term.text, **({"absent": True} if self.absent else {})}

    @classmethod
    def from_content(cls, content: Any, depth: int) -> Self:
        parts = read_content(cls.kind, content, needs=["term"], may=["absent"])
        if not isinstance(parts["term"], str) or not isinstance(parts.get("absent", False), bool):
            raise bad(
                "the HPO term is not text, or absent is not true or false", 'write it like {"term": "HP:0000107"}'
            )
        return cls(ontology.term(parts["term"]), parts.get("absent", False))


def hpo(term: str, *, absent: bool = False) -> Cohort:
    """People with an HPO term or a narrower one; with `absent`, people in whom it (or a broader one) was found absent.

    BadCode when HPO has no such term, or has retired it.

    >>> hpo("HP:0000107").describe()
    'people with Renal cyst (HP:0000107) or one of its 12 narrower terms'
    """
    known = ontology.term(term)
    ontology.name(known)
    return HasTerm(known, absent)


def observed(words: Words) -> list[Sql]:
    """Relations of `who` and `hpo`, a term seen in somebody: of each table that holds any."""
    found = []
    for bound in words.phenotypes:
        said = Sql("true")
        if bound.present is not None:
            said = fill("{column} IN ({yes})", column=as_text(named(bound.present)), yes=values(bound.present_values))
        found.append(rows(bound, said, fill(", {term} AS hpo", term=as_text(named(bound.term)))))
    for event in words.events:
        if event.vocabulary == HPO.vocabulary:
            found += [
                rows(event, Sql("true"), fill(", {code} AS hpo", code=as_text(named(code)))) for code in event.codes
            ]
    return found


def _is_in(column: str, terms: Sql) -> Sql:
    return fill("{column} IN ({terms})", column=as_text(named(column)), terms=terms)
