"""What an analysis found of alleles: how common they are, what they go with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "Association",
    "AssociationRow",
    "AtSite",
    "Combined",
    "Frequencies",
    "FrequenciesByGroup",
    "FrequencyRow",
    "Genotypes",
    "Linkage",
    "LinkedPair",
    "MetaAnalysis",
    "Signals",
    "VariantQuality",
]


@dataclass(frozen=True)
class FrequencyRow:
    """One allele in a cohort, or in a group of it: `alternate` copies of it among `called` alleles, in `carriers` of `people` people."""

    variant: str
    gene: str
    alternate: int
    called: int
    carriers: int
    homozygous: int
    people: int
    consequence: str = ""
    group: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frequencies:
    rows: tuple[FrequencyRow, ...]
    people: int


@dataclass(frozen=True)
class FrequenciesByGroup:
    """A row for each allele and group. people: how many there are in each group, who may or may not have been called."""

    by: tuple[str, ...]
    rows: tuple[FrequencyRow, ...]
    people: Mapping[tuple[str, ...], int]


@dataclass(frozen=True)
class Genotypes:
    """One allele's genotypes among `people`: `paired` of them have two alleles called, `het` one copy, `hom_alt` two; `single` have one
    allele, as men have on X, and `hemizygous` of them this one."""

    variant: str
    gene: str
    consequence: str
    people: int
    het: int
    hom_alt: int
    paired: int
    hemizygous: int
    single: int

    @property
    def copies(self) -> int:
        return self.het + 2 * self.hom_alt + self.hemizygous

    @property
    def alleles(self) -> int:
        return 2 * self.paired + self.single


@dataclass(frozen=True)
class VariantQuality:
    """Alleles in genome order; transitions and transversions are of those that somebody has."""

    rows: tuple[Genotypes, ...]
    people: int
    transitions: int
    transversions: int


@dataclass(frozen=True)
class LinkedPair:
    """Two alleles in `people` who were called for both. rarer: copies of each one's rarer allele among all; spread: the square root of
    the product of their copies' sums of squares about the mean, by which the sum of products is divided to give r."""

    variant: str
    other: str
    people: int
    rarer: int
    r: float
    spread: float
    reason: str = ""


@dataclass(frozen=True)
class Linkage:
    rows: tuple[LinkedPair, ...]
    people: int


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
class Signals:
    """What makes signals of a scan's alleles: which others each is linked to, both ways; the p that leads a signal is at most, and
    that of one which belongs to it."""

    linked: Mapping[str, tuple[str, ...]]
    lead_p: float
    member_p: float


@dataclass(frozen=True)
class Association:
    """Alleles in genome order, trait by trait. cases: how many of the people are; None for measured traits, and for several
    diseases, of which `diseases` has each one's. inflation: of each trait. signals: None where nobody asked."""

    rows: tuple[AssociationRow, ...]
    people: int
    cases: int | None
    inflation: Mapping[str, float]
    diseases: Mapping[str, int] = field(default_factory=dict)
    signals: Signals | None = None


@dataclass(frozen=True)
class AtSite:
    """What one site released of an allele: nan where it has no estimate to show."""

    site: str
    beta: float
    se: float


@dataclass(frozen=True)
class Combined:
    """One allele and one trait, by the released answers of `sites` sites. q_p: of Cochran's test; reason: what cannot be said, or ""."""

    trait: str
    variant: str
    gene: str
    at: tuple[AtSite, ...]
    sites: int
    beta: float
    se: float
    low: float
    high: float
    p: float
    q_p: float
    i2: float
    tau2: float
    reason: str


@dataclass(frozen=True)
class MetaAnalysis:
    """model: how the sites were combined; odds: whether estimates are log odds ratios."""

    rows: tuple[Combined, ...]
    model: str
    odds: bool
