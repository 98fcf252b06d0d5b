"""What an analysis found of genes: who carries in them, and what drives tumours."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

__all__ = ["Burden", "BurdenRow", "BySite", "Drivers", "GeneTestRow", "GeneTests", "Patterns", "TumourBurden"]


@dataclass(frozen=True)
class BySite:
    """What it changes to compare each site's cases with its own controls.

    ratio: of the common odds ratio over that of the summed table; stretch: of its interval, on the log scale, over that of the summed
    table. sites: how many have something to compare. fewest: carriers among the cases or the controls, whichever tell less, as if each
    told as much as any other.
    """

    ratio: float
    stretch: float
    sites: int
    fewest: float


@dataclass(frozen=True)
class BurdenRow:
    """One gene's 2 x 2 table of distinct people and what follows from it. `odds_ratio` and its 95 % interval are Woolf's and p Fisher's;
    with `by_site`, they are Mantel's and Haenszel's."""

    gene: str
    case_carriers: int
    cases: int
    control_carriers: int
    controls: int
    odds_ratio: float
    low: float
    high: float
    p: float
    q: float
    by_site: BySite | None = None


@dataclass(frozen=True)
class Burden:
    """Genes by p; cases and controls are those of all sites together."""

    rows: tuple[BurdenRow, ...]
    cases: int
    controls: int


@dataclass(frozen=True)
class GeneTestRow:
    """One gene and one trait: so many variants, so many people with any of them, and what each test says (nan: it was not run).

    mask: which of the gene's variants are meant; "" where there is one choice only.
    """

    trait: str
    gene: str
    variants: int
    carriers: int
    burden_p: float
    skat_p: float
    skat_o_p: float
    acat_o_p: float
    reason: str = ""
    acat_v_p: float = nan
    mask: str = ""


@dataclass(frozen=True)
class GeneTests:
    """nested: pairs of masks, the first of which has no variant that the second has not."""

    rows: tuple[GeneTestRow, ...]
    people: int
    cases: int | None
    nested: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Drivers:
    """Distinct people by a gene that their tumour has mutated and by what its gravest mutation does, among `people` with a tumour."""

    cells: Mapping[tuple[str, str], int]
    people: int


@dataclass(frozen=True)
class Patterns:
    """Distinct people by exactly which of the genes asked for their tumour has mutated; () is none of them."""

    cells: Mapping[tuple[str, ...], int]
    people: int


@dataclass(frozen=True)
class TumourBurden:
    """Distinct people by the step of their tumour's mutations by megabase, and by the groups that the question splits by."""

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
