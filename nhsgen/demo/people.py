"""The invented people of three invented hospitals: families, ages, sexes, ancestries, consent.

All sites' people stand in one list; a person is a number in it. Nothing here is drawn from anybody's records.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nhsgen.demo.ancestry import POPULATIONS

__all__ = ["EARLIEST_BIRTH", "LABELS", "SITES", "THIS_YEAR", "DemoSite", "People", "assemble", "generalise"]

THIS_YEAR = 2026
EARLIEST_BIRTH = THIS_YEAR - 89  # older people are top-coded: nobody's record says more than 89
REFUSING = 2  # people at each site who said no to research
SMALLEST_GROUP = 8  # k: how many people share sex, ancestry and birth year, at least
OTHER = len(POPULATIONS)
LABELS = (*POPULATIONS, "OTH")


@dataclass(frozen=True)
class DemoSite:
    """One hospital: how many families, whose ancestry, in which form it keeps its records."""

    name: str
    singles: int
    trios: int
    quads: int  # a trio and an unaffected sibling
    ancestry: Mapping[str, float]
    contracts: tuple[str, ...]
    contig_prefix: str
    policy: str

    @property
    def people(self) -> int:
        return self.singles + 3 * self.trios + 4 * self.quads

    @property
    def keeps_omop(self) -> bool:
        return any(name.startswith("omop") for name in self.contracts)


_HES = ("genomics_programme", "hes_apc", "variants_vep")
_OMOP = ("omop_cdm_5.4", "genomics_omop", "variants_vep")

SITES: tuple[DemoSite, ...] = (
    DemoSite("northgate", 565, 165, 10, {"EUR": 0.93, "SAS": 0.04, "EAS": 0.01, "AFR": 0.02}, _HES, "chr", "nhs"),
    DemoSite("riverside", 430, 110, 10, {"EUR": 0.54, "SAS": 0.38, "EAS": 0.03, "AFR": 0.05}, _HES, "", "nhs"),
    DemoSite("moorland", 285, 65, 5, {"EUR": 0.48, "SAS": 0.19, "EAS": 0.12, "AFR": 0.21}, _OMOP, "chr", "nhs"),
)


@dataclass(frozen=True)
class People:
    """One entry a person in every array.

    site, family: numbers; mother, father: a person's number, or -1.
    ancestry: a number into POPULATIONS; male: bool; born: year; role: proband, mother, father or sibling.
    consent: research consent; shift: days added to every date of this person.
    """

    site: npt.NDArray[np.int64]
    family: npt.NDArray[np.int64]
    mother: npt.NDArray[np.int64]
    father: npt.NDArray[np.int64]
    ancestry: npt.NDArray[np.int64]
    male: npt.NDArray[np.bool_]
    born: npt.NDArray[np.int64]
    role: npt.NDArray[np.str_]
    consent: npt.NDArray[np.bool_]
    shift: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.site)

    @property
    def age(self) -> npt.NDArray[np.int64]:
        """Years completed this year, or about to be."""
        return THIS_YEAR - self.born

    @property
    def founder(self) -> npt.NDArray[np.bool_]:
        """Whose parents are not among the people."""
        return self.mother < 0

    @property
    def single(self) -> npt.NDArray[np.bool_]:
        """A proband without relatives here."""
        return np.asarray(np.bincount(self.family)[self.family] == 1)


def assemble(rng: np.random.Generator) -> People:
    """The people of all SITES, family by family: mother, father, proband, sibling."""
    rows: list[tuple[int, int, int, int, int, bool, int, str]] = []
    family = 0
    for number, site in enumerate(SITES):
        shares = np.array([site.ancestry[name] for name in POPULATIONS])
        families = ["single"] * site.singles + ["trio"] * site.trios + ["quad"] * site.quads
        for kind in rng.permutation(families):
            ancestry = int(rng.choice(len(POPULATIONS), p=shares / shares.sum()))
            if kind == "single":
                rows.append((number, family, -1, -1, ancestry, bool(rng.random() < 0.48), _adult(rng), "proband"))
            else:
                rows += _household(number, family, ancestry, len(rows), kind == "quad", rng)
            family += 1
    site_, family_, mother, father, ancestry_, male, born, role = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    shift = rng.integers(-90, 91, size=len(rows))
    people = People(site_, family_, mother, father, ancestry_, male, born, role, np.ones(len(rows), dtype=bool), shift)
    for number in range(len(SITES)):
        grown = np.flatnonzero((site_ == number) & people.single & (people.age > 30))
        people.consent[rng.permutation(grown)[:REFUSING]] = False
    return people


def _adult(rng: np.random.Generator) -> int:
    """A birth year; most adults in hospital are past fifty."""
    return THIS_YEAR - int(np.clip(18 + 76 * rng.beta(2.2, 1.8), 18, 94))


def _household(
    site: int, family: int, ancestry: int, first: int, sibling: bool, rng: np.random.Generator
) -> list[tuple[int, int, int, int, int, bool, int, str]]:
    born = THIS_YEAR - int(np.clip(rng.gamma(2.2, 7.0), 8, 45))
    mother = born - int(np.clip(rng.normal(30, 5), 18, 44))
    father = born - int(np.clip(rng.normal(32, 6), 18, 55))
    children = [(born, "proband")]
    if sibling:
        children.append(
            (int(np.clip(born + int(rng.choice((-4, -3, -2, 2, 3))), mother + 17, THIS_YEAR - 8)), "sibling")
        )
    parents = [
        (site, family, -1, -1, ancestry, False, mother, "mother"),
        (site, family, -1, -1, ancestry, True, father, "father"),
    ]
    return parents + [
        (site, family, first, first + 1, ancestry, bool(rng.random() < 0.5), year, role) for year, role in children
    ]


def generalise(people: People) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ancestry (a number into LABELS) and birth year as they leave the hospital: shared with at least SMALLEST_GROUP people.

    At each site: rare ancestries become OTH; within an ancestry, birth years are cut into bands, as narrow as five years, in
    which both sexes have enough people; a band's people all get the year in its middle. This is the k-anonymising step.
    """
    label, year = people.ancestry.copy(), np.maximum(people.born, EARLIEST_BIRTH)
    for site in range(len(SITES)):
        here = people.site == site
        _merge_rare(label, here, people.male)
        for ancestry in np.unique(label[here]):
            group = np.flatnonzero(here & (label == ancestry))
            for low, high in _bands(year[group], people.male[group]):
                inside = group[(year[group] >= low) & (year[group] <= high)]
                year[inside] = (low + high) // 2
    return label, year


def _merge_rare(label: npt.NDArray[np.int64], here: npt.NDArray[np.bool_], male: npt.NDArray[np.bool_]) -> None:
    """Put ancestries too small for two bands of both sexes under OTH, and the next rarest too if OTH itself is too small."""
    by_size = sorted(range(len(POPULATIONS)), key=lambda one: int((here & (label == one)).sum()))
    for ancestry in by_size:
        rare = here & (label == ancestry)
        other = here & (label == OTHER)
        if _enough(rare, male, 2 * SMALLEST_GROUP) and (not other.any() or _enough(other, male, SMALLEST_GROUP)):
            break
        label[rare] = OTHER


def _enough(who: npt.NDArray[np.bool_], male: npt.NDArray[np.bool_], smallest: int) -> bool:
    return min(int((who & male).sum()), int((who & ~male).sum())) >= smallest


def _bands(years: npt.NDArray[np.int64], male: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Cut the years, each band (first and last year) holding SMALLEST_GROUP men and as many women."""
    bands: list[tuple[int, int]] = []
    low, last = EARLIEST_BIRTH, int(years.max())
    for high in range(EARLIEST_BIRTH + 4, last + 5, 5):
        inside = (years >= low) & (years <= high)
        if _enough(inside, male, SMALLEST_GROUP):
            bands.append((low, min(high, last)))
            low = high + 1
    if (years >= low).any():  # what is left joins the band before it
        bands[-1] = (bands[-1][0], last)
    return bands
