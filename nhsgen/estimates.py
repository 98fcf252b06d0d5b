"""What an analysis found, exactly: still inside the wall. `disclosure` turns an estimate into a `Released`, or refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Association",
    "AssociationRow",
    "Burden",
    "BurdenRow",
    "Carriers",
    "Counts",
    "Estimate",
    "Families",
    "Frequencies",
    "FrequencyRow",
    "GeneTestRow",
    "GeneTests",
    "Hazard",
    "Structure",
    "Survival",
    "SurvivalGroup",
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
class FrequencyRow:
    """One allele in a cohort: `alternate` copies of it among `called` alleles, in `carriers` of `people` people."""

    variant: str
    gene: str
    alternate: int
    called: int
    carriers: int
    homozygous: int
    people: int


@dataclass(frozen=True)
class Frequencies:
    rows: tuple[FrequencyRow, ...]
    people: int


@dataclass(frozen=True)
class BurdenRow:
    """One gene's 2 x 2 table of distinct people and what follows from it; `odds_ratio` and its 95 % interval are Woolf's."""

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


@dataclass(frozen=True)
class Burden:
    """Genes by p; cases and controls are those of all sites together."""

    rows: tuple[BurdenRow, ...]
    cases: int
    controls: int


@dataclass(frozen=True)
class AssociationRow:
    """One allele and one trait. copies: of the rarer allele, among `people`; beta: for each copy of ALT, on the trait's scale or the
    log odds; reason: why there is no estimate, or "". fewest: of cases and of controls, the copies in whichever has fewer."""

    trait: str
    variant: str
    gene: str
    people: int
    copies: int
    frequency: float
    beta: float
    se: float
    log10p: float
    reason: str = ""
    fewest: int = 10**9


@dataclass(frozen=True)
class Association:
    """Alleles in genome order, trait by trait. cases: how many of the people are; None for a measured trait."""

    rows: tuple[AssociationRow, ...]
    people: int
    cases: int | None
    inflation: float


@dataclass(frozen=True)
class GeneTestRow:
    """One gene and one trait: so many variants, so many people with any of them, and what each test says (nan: it was not run)."""

    trait: str
    gene: str
    variants: int
    carriers: int
    burden_p: float
    skat_p: float
    skat_o_p: float
    acat_o_p: float
    reason: str = ""


@dataclass(frozen=True)
class GeneTests:
    rows: tuple[GeneTestRow, ...]
    people: int
    cases: int | None


@dataclass(frozen=True)
class SurvivalGroup:
    """One group on the common grid: people at risk when each step begins, deaths in it."""

    group: str
    at_risk: tuple[int, ...]
    deaths: tuple[int, ...]


@dataclass(frozen=True)
class Hazard:
    """A ratio of hazards with its 95 % interval; reason: why there is none, or ""."""

    term: str
    ratio: float
    low: float
    high: float
    p: float
    reason: str = ""


@dataclass(frozen=True)
class Survival:
    """starts: when each step of the grid begins, in months; hazards: from a Cox model stratified by site; log_rank_p: of the
    log-rank test stratified by site, None when nothing can be compared."""

    starts: tuple[int, ...]
    groups: tuple[SurvivalGroup, ...]
    hazards: tuple[Hazard, ...]
    log_rank_p: float | None


@dataclass(frozen=True)
class Families:
    """Distinct families with a candidate variant, by gene, tier and inheritance, among `families` that were looked at."""

    by: tuple[str, ...]
    cells: Mapping[tuple[str, ...], int]
    families: int


@dataclass(frozen=True)
class Structure:
    """People by ancestry and by where they lie on the first two principal components, in squares of a fixed grid (their centres)."""

    cells: Mapping[tuple[str, float, float], int]
    eigenvalues: tuple[float, ...]
    alleles: int


Estimate: TypeAlias = (
    Counts | Carriers | Frequencies | Burden | Association | GeneTests | Survival | Families | Structure
)
