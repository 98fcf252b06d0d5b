"""Genotypes of everybody: founders' haplotypes, dropped through the families, with the planted alleles on top."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nhsgen.demo import ancestry
from nhsgen.demo.genes import DOES, Does, Gene, Placed, draw_effects, genes, place
from nhsgen.demo.people import People
from nhsgen.demo.signals import PLANTED_ALLELES, Carried
from nhsgen.progress import track

__all__ = ["Genotypes", "common_copies", "draw"]

_BLOCK = 50_000  # bases that recombination leaves together
_MOST_BLOCKS = 4
_BETWEEN_MISSES = 40  # about one allele in so many shares its place with another
# Impacts that only the demo gives these genes' uncommon alleles, so that their planted carriers can be counted.
_SPARED = {"PKD1": ("HIGH",), "BRCA2": ("HIGH",), "SCN1A": ("HIGH",), "ABCA4": ("MODERATE",)}

Copies = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Genotypes:
    """alleles: what and where, in the genes' order; copies: shape (alleles, people, 2), 1 where that chromosome carries it.

    frequency: in the wider population, NaN when never seen there; planted: numbers into PLANTED_ALLELES, or -1.
    A man's second copy of X is not there: always 0.
    """

    alleles: tuple[Placed, ...]
    copies: Copies
    frequency: npt.NDArray[np.float64]
    planted: npt.NDArray[np.int64]

    @property
    def carried(self) -> npt.NDArray[np.int64]:
        """How many copies each person has of each allele, shape (alleles, people)."""
        return np.asarray(self.copies.sum(axis=2, dtype=np.int64))

    def broken(self) -> npt.NDArray[np.bool_]:
        """Who carries a high-impact allele of each gene, shape (genes, people), genes in the order of genes.csv."""
        rows: dict[str, list[int]] = {gene.symbol: [] for gene in genes()}
        for number, allele in enumerate(self.alleles):
            if allele.does.impact == "HIGH":
                rows[allele.gene.symbol].append(number)
        return np.stack([self.copies[of_gene].any(axis=(0, 2)) for of_gene in rows.values()])


def draw(people: People, carried: Sequence[Carried], rng: np.random.Generator) -> Genotypes:
    """The genotypes of all people at all twenty genes."""
    drawn = [_one_gene(gene, people, carried, rng) for gene in track(genes(), "drawing haplotypes")]
    return Genotypes(
        tuple(allele for one in drawn for allele in one.alleles),
        np.concatenate([one.copies for one in drawn]),
        np.concatenate([one.frequency for one in drawn]),
        np.concatenate([one.planted for one in drawn]),
    )


def _one_gene(gene: Gene, people: People, carried: Sequence[Carried], rng: np.random.Generator) -> Genotypes:
    copies = _founders(gene, people, rng)
    seen = copies.sum(axis=(1, 2), dtype=np.int64)
    copies, seen = copies[seen > 0], seen[seen > 0]
    chromosomes = int(2 * people.founder.sum() - (people.founder & people.male).sum() * (gene.chrom == "X"))
    effects = draw_effects(gene, seen.tolist(), rng, spared=_SPARED)
    frequency = np.where(seen > 2, seen / chromosomes, np.nan)
    _inherit(gene, people, copies, rng)

    rows = [(number, one) for number, one in enumerate(PLANTED_ALLELES) if one.gene == gene.symbol]
    planted = np.array([number for number, one in rows for _ in range(one.different)], dtype=np.int64)
    effects += [_kind(PLANTED_ALLELES[number].consequence) for number in planted]
    pairs = _sharing_a_place(effects[: len(copies)], copies)
    everything = np.concatenate([copies, np.zeros((len(planted), *copies.shape[1:]), dtype=np.uint8)])
    for number, _ in rows:
        first = len(copies) + int(np.flatnonzero(planted == number)[0])
        _plant(carried[number], people, everything[first:], rng)
    return Genotypes(
        tuple(place(gene, effects, rng, shared=pairs)),
        everything,
        np.concatenate([frequency, np.full(len(planted), np.nan)]),
        np.concatenate([np.full(len(copies), -1), planted]),
    )


def _kind(consequence: str) -> Does:
    return next(kind for kind in DOES if kind.consequence == consequence)


def _founders(gene: Gene, people: People, rng: np.random.Generator) -> Copies:
    """Founders' chromosomes, shape (mutations, people, 2), sorted by nothing; everybody else has none yet."""
    founders = np.flatnonzero(people.founder)
    population = np.repeat(people.ancestry[founders], 2).tolist()
    blocks = min(_MOST_BLOCKS, 1 + (gene.end - gene.start) // _BLOCK)
    copies = np.zeros((gene.mutations // blocks * blocks, len(people), 2), dtype=np.uint8)
    row = 0
    for _ in range(blocks):
        tree = ancestry.coalesce(population, rng, scale=0.75 if gene.chrom == "X" else 1.0)
        for chromosomes in ancestry.drop_mutations(tree, gene.mutations // blocks, rng):
            copies[row, founders[chromosomes // 2], chromosomes % 2] = 1
            row += 1
    if gene.chrom == "X":
        copies[:, people.male, 1] = 0
    return copies


def _inherit(gene: Gene, people: People, copies: Copies, rng: np.random.Generator) -> None:
    """Children get one of their mother's and one of their father's chromosomes, whole (in place)."""
    children = np.flatnonzero(~people.founder)
    mother, father = people.mother[children], people.father[children]
    copies[:, children, 0] = copies[:, mother, rng.integers(0, 2, size=len(children))]
    if gene.chrom == "X":
        daughters = ~people.male[children]
        copies[:, children[daughters], 1] = copies[:, father[daughters], 0]
    else:
        copies[:, children, 1] = copies[:, father, rng.integers(0, 2, size=len(children))]


def _sharing_a_place(effects: Sequence[Does], copies: Copies) -> list[tuple[int, int]]:
    """Pairs of alleles to put at one place: of the same kind, single bases, and never on the same chromosome."""
    pairs = []
    for later in range(_BETWEEN_MISSES, len(effects), _BETWEEN_MISSES):
        for earlier in range(later - 1, later - _BETWEEN_MISSES, -1):
            alike = effects[earlier] == effects[later] and effects[later].change == "snv"
            if alike and not (copies[earlier] & copies[later]).any():
                pairs.append((earlier, later))
                break
    return pairs


def _plant(carried: Carried, people: People, copies: Copies, rng: np.random.Generator) -> None:
    """Give the planted alleles (the first rows of `copies`) to their carriers, and to parents where they come from them."""
    for person, allele, father_allele in zip(carried.person, carried.allele, carried.father_allele, strict=True):
        if carried.planted.inheritance != "compound heterozygous":
            copies[allele, person, int(rng.integers(2))] = 1
            continue
        copies[allele, people.mother[person], 0] = 1
        copies[allele, person, 0] = 1
        copies[father_allele, people.father[person], 0] = 1
        copies[father_allele, person, 1] = 1


def _common_allele(genotypes: Genotypes, gene: str, people: People) -> int:
    """The number of the allele of `gene` that a CommonEffect sits on: common everywhere, alike to no other allele.

    Of the gene's alleles at 0.25 to 0.5, the one whose largest squared correlation with another is smallest.
    """
    of_gene = np.flatnonzero([allele.gene.symbol == gene for allele in genotypes.alleles])
    counts = genotypes.copies[of_gene][:, people.founder].sum(axis=2, dtype=np.float64)
    share = counts.mean(axis=1) / 2
    common = np.flatnonzero((share > 0.05) & (share < 0.95))
    together = np.abs(np.corrcoef(counts[common])) - np.eye(len(common))
    eligible = np.flatnonzero((share[common] > 0.25) & (share[common] < 0.5))
    if not len(eligible):
        eligible = np.array([int(np.argmin(np.abs(share[common] - 0.4)))])
    best = eligible[int(np.argmin(together[eligible].max(axis=1)))]
    return int(of_gene[common[best]])


def common_copies(
    genotypes: Genotypes, gene: str, people: People
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Everybody's copies of the gene's common allele, and by how much they are more than usual in their ancestry.

    The effect is of the second: else whatever else differs between ancestries would seem to act too.
    """
    copies = genotypes.carried[_common_allele(genotypes, gene, people)]
    usual = np.bincount(people.ancestry, weights=copies) / np.maximum(np.bincount(people.ancestry), 1)
    return copies, copies - usual[people.ancestry]
