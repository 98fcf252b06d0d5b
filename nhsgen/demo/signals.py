"""What is planted in the demo, as tables, and who carries it.

No hospital alone finds the answer, all of them together do: in `PLANTED_ALLELES` each site's own counts are too small to be
shown or to be significant, and their sum is neither. Everything that no row of this file names is chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nhsgen.demo.people import SITES, People

__all__ = [
    "ACROSS_SITES",
    "COMMON_EFFECTS",
    "DISEASES",
    "DRIVERS",
    "PLANTED_ALLELES",
    "SURVIVAL",
    "TUMOURS",
    "Carried",
    "CommonEffect",
    "Disease",
    "PlantedAlleles",
    "Survival",
    "Tumour",
    "choose_carriers",
    "choose_diseased",
]


@dataclass(frozen=True)
class Disease:
    """A disease of the demo, by the codes that count as it.

    hpo: terms of which a person's record holds one; icd10: stored codes of which an episode holds one.
    by_hpo, by_icd10: of 10 people with the disease, how many are known by the one only and by the other only (the rest by both).
    sporadic: people at each site who have it without a planted allele.
    """

    name: str
    hpo: tuple[str, ...]
    icd10: tuple[str, ...]
    procedures: tuple[str, ...]
    by_hpo: int
    by_icd10: int
    sporadic: tuple[int, ...]
    youngest: int
    who: str  # adults | women | probands


DISEASES: Mapping[str, Disease] = {
    disease.name: disease
    for disease in (
        Disease("cystic kidneys", ("HP:0000107", "HP:0000113", "HP:0005562", "HP:0000803"), ("Q612", "Q613", "Q619"),
                ("M013", "X403"), 4, 3, (67, 51, 36), 20, "adults"),
        Disease("epilepsy", ("HP:0001250", "HP:0002133", "HP:0002069", "HP:0007359"), ("G409", "G403"), (), 5, 0,
                (24, 18, 12), 8, "probands"),
        Disease("retinal dystrophy", ("HP:0000556", "HP:0007754", "HP:0000548", "HP:0000510"), ("H355",), (), 6, 0,
                (18, 14, 10), 8, "probands"),
        Disease("breast cancer", (), ("C504", "C509", "C502"), ("B274", "B282"), 0, 10, (56, 35, 20), 38, "women"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class PlantedAlleles:
    """One gene's planted alleles and, for each of SITES, how many people with and without the disease carry one.

    inheritance: dominant | de novo | compound heterozygous; different: how many different alleles share those carriers.
    """

    gene: str
    disease: str
    inheritance: str
    consequence: str
    cases: tuple[int, ...]
    others: tuple[int, ...]
    different: int


# With 72, 56 and 40 people with cystic kidneys, Fisher's exact p for PKD1 is 0.007, 0.005 and 0.008 at the sites, all above
# 0.05 / 20 genes, and 2e-6 for their sum. At most seven people with cystic kidneys carry it at a site: no site may show its own count.
PLANTED_ALLELES: tuple[PlantedAlleles, ...] = (
    PlantedAlleles("PKD1", "cystic kidneys", "dominant", "frameshift_variant", (3, 3, 2), (8, 7, 4), 14),
    PlantedAlleles("PKD1", "cystic kidneys", "dominant", "stop_gained", (2, 2, 2), (7, 5, 3), 12),
    PlantedAlleles("SCN1A", "epilepsy", "de novo", "stop_gained", (3, 2, 1), (0, 0, 0), 6),
    PlantedAlleles("SCN1A", "epilepsy", "de novo", "missense_variant", (2, 2, 2), (0, 0, 0), 6),
    PlantedAlleles("ABCA4", "retinal dystrophy", "compound heterozygous", "missense_variant", (5, 4, 3), (0, 0, 0), 8),
    PlantedAlleles("BRCA1", "breast cancer", "dominant", "frameshift_variant", (8, 6, 4), (2, 1, 1), 8),
    PlantedAlleles("BRCA2", "breast cancer", "dominant", "frameshift_variant", (16, 11, 8), (3, 2, 1), 9),
)


@dataclass(frozen=True)
class CommonEffect:
    """A common allele of `gene` and what one copy adds: to a laboratory value (its unit), or to the log odds of a disease."""

    gene: str
    trait: str
    unit: str
    per_copy: float


COMMON_EFFECTS: tuple[CommonEffect, ...] = (
    CommonEffect("UMOD", "eGFR", "mL/min/1.73m2", -3.3),
    CommonEffect("TCF7L2", "E119", "log odds", 0.52),
)


@dataclass(frozen=True)
class Survival:
    """How fast people die after the first episode with a disease, and how many times faster carriers of a gene's planted alleles."""

    disease: str
    gene: str
    deaths_a_year: float
    hazard_ratio: float


SURVIVAL = Survival("breast cancer", "BRCA2", 0.055, 2.5)


@dataclass(frozen=True)
class Tumour:
    """A kind of tumour. icd10: how the code of its cancer begins; share: of that cancer's tumours.

    mutated: by gene, the share of such tumours in which it is. burden: mutations by megabase of coding sequence, the median.
    """

    name: str
    icd10: str
    share: float
    burden: float
    mutated: Mapping[str, float]


# Shares in the manner of The Cancer Genome Atlas (Nature 2012, breast and bowel; Cell 2015, lobular), made plainer: TP53 and GATA3
# instead of each other, CDH1 with PIK3CA, APC with KRAS, and BRAF where a tumour cannot mend mismatches.
TUMOURS: tuple[Tumour, ...] = (
    Tumour("luminal breast", "C50", 0.40, 0.9, {"PIK3CA": 0.40, "GATA3": 0.42, "MAP3K1": 0.16}),
    Tumour("lobular breast", "C50", 0.20, 0.8, {"CDH1": 0.95, "PIK3CA": 0.62}),
    Tumour("basal-like breast", "C50", 0.32, 1.6, {"TP53": 0.88, "PTEN": 0.10, "PIK3CA": 0.08}),
    Tumour("hypermutated breast", "C50", 0.08, 13.5, {"PIK3CA": 0.50, "TP53": 0.20}),
    Tumour("bowel", "C18", 0.80, 3.2, {"APC": 0.88, "KRAS": 0.65, "TP53": 0.55, "SMAD4": 0.12, "PIK3CA": 0.12}),
    Tumour("hypermutated bowel", "C18", 0.20, 24.0, {"BRAF": 0.60, "PTEN": 0.20, "APC": 0.10}),
)

DRIVERS: Mapping[str, Mapping[str, float]] = {
    "TP53": {"missense_variant": 0.64, "stop_gained": 0.14, "frameshift_variant": 0.16, "splice_donor_variant": 0.06},
    "PIK3CA": {"missense_variant": 1.0},
    "GATA3": {"frameshift_variant": 0.70, "splice_acceptor_variant": 0.20, "missense_variant": 0.10},
    "CDH1": {"frameshift_variant": 0.60, "stop_gained": 0.30, "splice_donor_variant": 0.10},
    "MAP3K1": {"frameshift_variant": 0.60, "stop_gained": 0.30, "missense_variant": 0.10},
    "PTEN": {"frameshift_variant": 0.40, "missense_variant": 0.40, "stop_gained": 0.20},
    "APC": {"stop_gained": 0.60, "frameshift_variant": 0.40},
    "KRAS": {"missense_variant": 1.0},
    "SMAD4": {"missense_variant": 0.60, "stop_gained": 0.40},
    "BRAF": {"missense_variant": 1.0},
}
"""What mutations do to each gene that drives tumours, by their share."""

ACROSS_SITES = range(len(SITES))


@dataclass(frozen=True)
class Carried:
    """Who carries the planted alleles of one row of PLANTED_ALLELES.

    allele: for each carrier the number of the allele (0 .. different - 1); for compound heterozygotes the mother's.
    father_allele: the other allele of compound heterozygotes, else -1.
    """

    planted: PlantedAlleles
    person: npt.NDArray[np.int64]
    allele: npt.NDArray[np.int64]
    father_allele: npt.NDArray[np.int64]
    diseased: npt.NDArray[np.bool_]


def choose_carriers(people: People, rng: np.random.Generator) -> tuple[Carried, ...]:
    """Carriers for each row of PLANTED_ALLELES; nobody carries two rows' alleles.

    Dominant alleles go to people without relatives here (adults with the disease; younger ones without it, who may yet fall ill),
    the others to children of a trio.
    """
    free = np.ones(len(people), dtype=bool)
    return tuple(_carriers(planted, people, free, rng) for planted in PLANTED_ALLELES)


def _carriers(
    planted: PlantedAlleles, people: People, free: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Carried:
    disease = DISEASES[planted.disease]
    chosen: list[int] = []
    diseased: list[bool] = []
    for site in ACROSS_SITES:
        here = free & people.consent & (people.site == site)
        if planted.inheritance == "dominant":
            ill = here & people.single & _may_have(disease, people) & (people.age < 76)
            well = here & people.single & (people.age >= 18) & (people.age < 60)
        else:
            ill = here & (people.role == "proband") & ~people.founder
            well = np.zeros(len(people), dtype=bool)
        first = rng.permutation(np.flatnonzero(ill))[: planted.cases[site]]
        well[first] = False
        second = rng.permutation(np.flatnonzero(well))[: planted.others[site]]
        chosen += [*first.tolist(), *second.tolist()]
        diseased += [True] * len(first) + [False] * len(second)
    person = np.array(chosen, dtype=np.int64)
    free[person] = False
    families = np.isin(people.family, people.family[person])
    free[families] = False
    order = rng.permutation(np.arange(len(person)))
    allele = order % planted.different
    compound = planted.inheritance == "compound heterozygous"
    father = (allele + 1 + order // planted.different) % planted.different if compound else np.full(len(person), -1)
    return Carried(planted, person, allele, father, np.array(diseased, dtype=bool))


def _may_have(disease: Disease, people: People) -> npt.NDArray[np.bool_]:
    old_enough = people.age >= disease.youngest
    if disease.who == "women":
        return old_enough & ~people.male
    return old_enough & (people.role == "proband") if disease.who == "probands" else old_enough


def choose_diseased(
    people: People, carried: Sequence[Carried], broken: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Everybody who has each disease of DISEASES: the planted alleles' carriers and the sporadic ones.

    broken: who carries a high-impact allele of each gene, shape (genes, people). Of a gene's carriers their share falls ill,
    neither more nor fewer, so that no other gene is associated with a disease by accident.
    """
    refusing = np.flatnonzero(~people.consent)
    free = people.consent.copy()
    for one in carried:
        free[np.isin(people.family, people.family[one.person])] = False
    having: dict[str, npt.NDArray[np.int64]] = {}
    for name, disease in DISEASES.items():
        planted = [one.person[one.diseased] for one in carried if one.planted.disease == name]
        able = free & _may_have(disease, people)
        found: list[int] = []
        room = (broken[:, able].sum(axis=1) * sum(disease.sporadic) / able.sum()).astype(np.int64)
        wanted = list(disease.sporadic)
        candidates = rng.permutation(np.flatnonzero(able))
        carriers_first = np.argsort(~broken[:, candidates].any(axis=0), kind="stable")
        for person in candidates[carriers_first].tolist():
            if wanted[people.site[person]] and (room[broken[:, person]] > 0).all():
                found.append(person)
                room[broken[:, person]] -= 1
                wanted[people.site[person]] -= 1
        having[name] = np.concatenate([*planted, np.array(found, dtype=np.int64)])
        free[having[name]] = False
    # Of the two at each site who refused research, one has cystic kidneys: whoever counts them has not asked for consent.
    having["cystic kidneys"] = np.append(having["cystic kidneys"], refusing[::2])
    return having
