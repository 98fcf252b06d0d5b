"""What an analysis found of families."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Cosegregation", "Families", "Segregation", "TrioQuality"]


@dataclass(frozen=True)
class Families:
    """Distinct families with a candidate variant, by gene, tier and inheritance, among `families` that were looked at.

    first: of each cell, the families that have its gene among their first `among`, by tier and phenotypes; 0: they were not ranked.
    """

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
    families: int
    first: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    among: int = 0


@dataclass(frozen=True)
class Segregation:
    """Distinct families by pattern: the gene or variant of `by`, the genotypes of mother, father and child, and whether the child is ill."""

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
    families: int


@dataclass(frozen=True)
class Cosegregation:
    """By gene and model: the families in which an allele goes with the illness, and those in which somebody ill carries one there."""

    cells: Mapping[tuple[str, ...], tuple[int, int]]
    families: int


@dataclass(frozen=True)
class TrioQuality:
    """Trios by bin, for each of what is counted of them; and all their Mendelian errors, among the genotypes checked."""

    cells: Mapping[str, Mapping[str, int]]
    trios: int
    errors: int
    checked: int
