"""What an analysis found of who there is: people by group, by score, by likeness."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan

__all__ = [
    "Carriers",
    "Counts",
    "PhenotypeMatch",
    "Relatedness",
    "SampleQuality",
    "ScoreGroup",
    "Scores",
    "Similarity",
    "Structure",
]


@dataclass(frozen=True)
class Counts:
    """Distinct people by group. `cells` holds one entry per group: its labels, in the order of `by`, and how many.

    of: everybody who is in that group, whether counted or not; a group that is not in it leaves nobody out.
    """

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
    of: Mapping[tuple[str, ...], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Carriers:
    """Distinct people of a cohort of `people` who carry a chosen variant, by group (gene, consequence, site ...)."""

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
    people: int


@dataclass(frozen=True)
class SampleQuality:
    """People by measure and step of its public scale (from, up to); of each measure, how many have it. alleles: how many were looked at."""

    cells: Mapping[tuple[str, float, float], int]
    people: int
    alleles: int


@dataclass(frozen=True)
class Relatedness:
    """Pairs of people by group (degree, site), and the distinct people in such pairs, among `people` compared at `alleles` alleles.

    uncertain: degrees that so few alleles cannot tell from chance."""

    by: tuple[str, ...]
    pairs: Mapping[tuple[str, ...], int]
    in_pairs: Mapping[tuple[str, ...], int]
    people: int
    alleles: int
    uncertain: tuple[str, ...] = ()


@dataclass(frozen=True)
class Structure:
    """People by ancestry and by where they lie on the first two principal components, in squares of a fixed grid (their centres)."""

    cells: Mapping[tuple[str, float, float], int]
    eigenvalues: tuple[float, ...]
    alleles: int


@dataclass(frozen=True)
class Similarity:
    """People of each group with any HPO term, and how many have each term or a narrower one.

    information: how much each term says, in nats.
    """

    by: tuple[str, ...]
    people: Mapping[tuple[str, ...], int]
    terms: Mapping[tuple[str, ...], Mapping[str, float]]
    information: Mapping[str, float]

    def between(self, one: tuple[str, ...], other: tuple[str, ...]) -> float:
        """0 to 1: the information of terms in both groups over that in either, a term counting as often as people have it (simGIC of
        shares of people: Pesquita et al., BMC Bioinformatics 2008); nan when one of them has nobody."""
        if not self.people[one] or not self.people[other]:
            return nan
        both = either = 0.0
        for term in self.terms[one].keys() | self.terms[other].keys():
            shares = [self.terms[group].get(term, 0) / self.people[group] for group in (one, other)]
            both += self.information[term] * min(shares)
            either += self.information[term] * max(shares)
        return both / either if either else nan


@dataclass(frozen=True)
class PhenotypeMatch:
    """People of a cohort who have a gene (or a disease: `of`) among the first `among` that fit their HPO terms; of `people` with any.

    names: what a disease is called. named: whether the asker said which genes; then all of these are cells, also those of nobody.
    """

    of: str
    cells: Mapping[str, int]
    people: int
    among: int
    names: Mapping[str, str] = field(default_factory=dict)
    named: bool = False


@dataclass(frozen=True)
class ScoreGroup:
    """One group: people on each step of the score's public scale, the last of who lies beyond its ends among them."""

    group: str
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Scores:
    """edges: of the steps, in standard deviations that the alleles' frequencies let one expect, from the mean that they do.

    alleles: how many of the score's were used, in which way, or why not. largest: the share of the score's expected variance that
    one allele makes. compared: whether the groups are cases and controls.
    """

    groups: tuple[ScoreGroup, ...]
    edges: tuple[float, ...]
    alleles: Mapping[str, int]
    largest: float
    compared: bool
