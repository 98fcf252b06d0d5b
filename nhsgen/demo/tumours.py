"""Tumours of the people with breast or bowel cancer, and what they have acquired: drivers by signals.TUMOURS, and passengers by chance.

They are drawn from a stream of random numbers of their own: without them the rest of the demo would be the same, byte for byte.
"""

from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.demo.genes import DOES, Does, Gene, Placed, annotate, place, tumour_genes
from nhsgen.demo.genotypes import Genotypes
from nhsgen.demo.identities import Identities
from nhsgen.demo.people import People
from nhsgen.demo.records import Records
from nhsgen.demo.signals import DRIVERS, TUMOURS, Tumour
from nhsgen.demo.variant_files import write_variants

__all__ = ["TABLE", "Tumours", "draw", "name_samples", "table", "write"]

TABLE = "tumour_sample.parquet"

_MEGABASES = 32.61  # of coding sequence
_SPREAD = 0.3  # of the logarithm of the burden
_LOW_QUALITY = 0.03  # share of passengers that did not pass the caller's filter
_PASSENGERS = {
    "missense_variant": 0.70, "synonymous_variant": 0.18, "stop_gained": 0.05, "frameshift_variant": 0.05, "inframe_deletion": 0.02,
}  # fmt: skip
_CHANGING = 1 - _PASSENGERS["synonymous_variant"]

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tumours:
    """person: whose each tumour is; genotypes: a column a tumour."""

    person: Numbers
    genotypes: Genotypes
    low: npt.NDArray[np.bool_]

    def at(self, site: int, people: People) -> Numbers:
        """The numbers of the tumours at a site."""
        return np.flatnonzero(people.site[self.person] == site)


def draw(people: People, records: Records, rng: np.random.Generator) -> Tumours:
    """A tumour for everybody with a code of breast or bowel cancer who consents, one each."""
    person, kind = _patients(people, records, rng)
    alleles, of_gene = _alleles(rng)
    has = np.zeros((len(alleles), len(person)), dtype=bool)
    drivers = np.concatenate([of_gene[gene] for gene in DRIVERS])
    passengers = np.setdiff1d(np.arange(len(alleles)), drivers)
    for number, tumour in enumerate(TUMOURS):
        theirs = np.flatnonzero(kind == number)
        for gene, share in tumour.mutated.items():
            for one in rng.permutation(theirs)[: round(share * len(theirs))].tolist():
                has[rng.choice(of_gene[gene]), one] = True
        for one, mutations in zip(rng.permutation(theirs).tolist(), _burdens(tumour, len(theirs)), strict=True):
            has[rng.choice(passengers, size=min(mutations, len(passengers)), replace=False), one] = True
    low = rng.random(len(alleles)) < _LOW_QUALITY
    low[drivers] = False
    copies = np.stack([has, np.zeros_like(has)], axis=2).astype(np.uint8)
    never_seen = np.full(len(alleles), np.nan)
    # What is planted is called in everybody.
    genotypes = Genotypes(alleles, copies, never_seen, np.zeros(len(alleles), dtype=np.int64))
    return Tumours(person, genotypes, low)


def _burdens(tumour: Tumour, count: int) -> list[int]:
    """How many passengers so many tumours of a kind have: log-normal, without luck."""
    median = tumour.burden * _MEGABASES / _CHANGING
    return [round(median * exp(_SPREAD * NormalDist().inv_cdf((rank + 0.5) / count))) for rank in range(count)]


def _patients(people: People, records: Records, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Whose tumours there are, and of which kind, a number into TUMOURS; who has both cancers has a tumour of the first."""
    found: dict[int, int] = {}
    for cancer in dict.fromkeys(kind.icd10 for kind in TUMOURS):
        coded = {one.person for one in records.episodes if any(code.startswith(cancer) for code in one.diagnoses)}
        patients = [person for person in sorted(coded - set(found)) if people.consent[person]]
        kinds = [number for number, kind in enumerate(TUMOURS) if kind.icd10 == cancer]
        ends = np.round(np.cumsum([TUMOURS[number].share for number in kinds]) * len(patients))
        for rank, person in enumerate(rng.permutation(patients).tolist()):
            found[person] = kinds[int(np.searchsorted(ends, rank, side="right"))]
    persons = np.array(sorted(found), dtype=np.int64)
    return persons, np.array([found[person] for person in persons.tolist()], dtype=np.int64)


def _alleles(rng: np.random.Generator) -> tuple[tuple[Placed, ...], dict[str, Numbers]]:
    """Every allele that a tumour may have, and which are whose gene's."""
    alleles: list[Placed] = []
    of_gene: dict[str, Numbers] = {}
    for gene in tumour_genes():
        placed = place(gene, _effects(gene, rng), rng)
        of_gene[gene.symbol] = np.arange(len(alleles), len(alleles) + len(placed))
        alleles += placed
    return tuple(alleles), of_gene


def _effects(gene: Gene, rng: np.random.Generator) -> list[Does]:
    """What the gene's mutations do: each of its shares in turn, as many as there are places."""
    shares = DRIVERS.get(gene.symbol, _PASSENGERS)
    bounds = np.round(np.cumsum(list(shares.values())) / sum(shares.values()) * gene.mutations).astype(np.int64)
    kinds = [next(kind for kind in DOES if kind.consequence == consequence) for consequence in shares]
    effects = [kinds[int(np.searchsorted(bounds, number, side="right"))] for number in range(gene.mutations)]
    return [effects[number] for number in rng.permutation(gene.mutations)]


def name_samples(count: int, rng: np.random.Generator) -> list[str]:
    """Fresh names of a site's tumours, in order, for tumours in none."""
    return sorted(f"T{rng.bytes(8).hex()}" for _ in range(count))


def table(tumours: Tumours, theirs: Numbers, names: list[str], ids: Identities, *, omop: bool) -> pl.DataFrame:
    """Which sample is whose."""
    persons = tumours.person[theirs].tolist()
    if omop:
        return pl.DataFrame({"tumour_sample_id": names, "person_id": [ids.number[one] for one in persons]})
    return pl.DataFrame({"tumour_sample_id": names, "participant_id": [ids.hex[one] for one in persons]})


def write(
    path: Path, tumours: Tumours, theirs: Numbers, names: list[str], contig_prefix: str, rng: np.random.Generator
) -> None:
    """A site's somatic variants."""
    genotypes = tumours.genotypes
    csq = [annotate(allele, None) for allele in genotypes.alleles]
    nobody = np.zeros(len(tumours.person), dtype=bool)  # no gene of theirs is on X, where it would matter who is a man
    write_variants(path, genotypes, csq, tumours.low, theirs, names, nobody, contig_prefix, rng)
