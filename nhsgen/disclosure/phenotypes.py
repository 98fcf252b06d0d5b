"""What may be shown of phenotypes: how alike groups are, and which genes or diseases fit how many people; never anybody's terms."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from nhsgen.disclosure.cells import Asked, Group, Written, among, further, whole_number
from nhsgen.disclosure.policies import Policy
from nhsgen.disclosure.recoverable import Margin, protect
from nhsgen.estimates import PhenotypeMatch, Similarity
from nhsgen.results import Cell, NotRun, Table, Value

__all__ = ["phenotype_match", "similarity"]


def similarity(estimate: Similarity, asked: Asked) -> Written:
    """How alike every two groups are, in long form: group, other, similarity, people (of the group, with any term).

    It is computed from what a table of people by group and term would show, so that it says no more than that: asked again without one
    person, it stays as it is or moves by a whole step of rounding. A term takes part where one of the two groups would show it; in the
    other it then counts as the middle of what is hidden. A group with too few people is not named.
    """
    policy = asked.policy
    shown = {group: policy.rounded(n) for group, n in estimate.people.items() if n and not policy.hides(n)}
    rows: list[tuple[Cell, ...]] = []
    for one, people in shown.items():
        for other in shown:
            alike = replace(estimate, people=shown, terms=_coarse(estimate, (one, other), policy)).between(one, other)
            told: Cell = Value(round(alike, 2)) if isfinite(alike) else NotRun("no term is in enough people")
            rows.append((Value(", ".join(one)), Value(", ".join(other)), told, Value(people)))
    notes = [
        "1: the same terms in the same share of people; 0: none in common. Computed from rounded numbers of people, of terms that enough "
        "people of one of the two groups have; rare ones, which tell small groups apart, take no part.",
        *further(len(estimate.people) - len(shown), "group", policy),
    ]
    if asked.kept_back:
        notes.append("Without the terms that some sites may not add, because too few people have them there.")
    return Table(("group", "other", "similarity", "people"), tuple(rows)), notes


def _of_everybody(estimate: PhenotypeMatch, policy: Policy) -> Margin:
    """All named genes together have as many people as `first` times everybody, whose number is known as well as rounding lets it be."""
    low, high = policy.meaning(policy.rounded(estimate.people))
    total = sum(estimate.cells.values())
    spare = estimate.among * (high - estimate.people), estimate.among * (estimate.people - low)
    return Margin(tuple(range(len(estimate.cells))), max(total - spare[1], 0), total + spare[0])


def _coarse(estimate: Similarity, groups: Sequence[Group], policy: Policy) -> dict[Group, dict[str, float]]:
    """People of each of two groups by term, as far as a table of them would say."""
    told = {term for group in groups for term, n in estimate.terms[group].items() if n >= policy.least}

    def known(n: float) -> float:
        return (policy.least - 1) / 2 if policy.hides(int(n)) else policy.rounded(int(n))

    return {group: {term: known(estimate.terms[group].get(term, 0)) for term in told} for group in groups}


def phenotype_match(estimate: PhenotypeMatch, asked: Asked) -> Written:
    """People who have a gene or disease among their first, the most first; those that too few have only count among the rest.

    Where the asker named the genes, they know which are not shown; and everybody has `first` of them, ties apart, so the rest of a small
    list could be worked out. Then as many more are hidden as it takes (`recoverable`). Of all genes of HPO nobody can tell which
    hundreds are not shown.
    """
    policy = asked.policy
    names, numbers = list(estimate.cells), list(estimate.cells.values())
    hidden = {place for place, people in enumerate(numbers) if policy.hides(people, estimate.people) or not people}
    if estimate.named:
        hidden |= protect(
            numbers, {place for place in hidden if numbers[place]}, [_of_everybody(estimate, policy)], policy
        )
    rows: list[tuple[Cell, ...]] = []
    for place, name in enumerate(names):
        if place not in hidden:
            called = (Value(estimate.names[name]),) if estimate.names else ()
            rows.append((Value(name), *called, Value(policy.rounded(numbers[place]))))
    rows.sort(key=lambda row: (-whole_number(row[-1]), str(row[0])))
    enough = estimate.people and not policy.hides(estimate.people, asked.whole)
    notes = [
        f"Of about {policy.rounded(estimate.people):,} people with any HPO term."
        if enough
        else "Too few people to say how many.",
        f"A {estimate.of} counts for somebody when it is {among(estimate.among)} by how well its phenotypes fit theirs; one that many "
        "others fit as well as is not.",
        *further(len(hidden), estimate.of, policy),
    ]
    if asked.kept_back:
        notes.append("Without what some sites may not add, because too few people have it there.")
    columns = (estimate.of, "name", "people") if estimate.names else (estimate.of, "people")
    return Table(columns, tuple(rows)), notes
