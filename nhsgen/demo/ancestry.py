"""Haplotypes of people from four parts of the world: a small coalescent.

Looking backwards in time, the sampled chromosomes of a block find their common ancestors; populations merge where they once split.
Mutations fall on the branches of that tree in proportion to their length, so that rare alleles are many, alleles of one branch
travel together (linkage), and populations differ by as much as they have been apart. No recombination inside a block; blocks are
independent. Kingman's coalescent (1982) with piecewise constant sizes (Hudson 2002).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

__all__ = ["HISTORY", "POPULATIONS", "Age", "Tree", "coalesce", "drop_mutations"]

POPULATIONS = ("EUR", "SAS", "EAS", "AFR")


@dataclass(frozen=True)
class Age:
    """One age of the past: until how many generations ago, how many chromosomes each population had, what then merged."""

    until: float
    chromosomes: Mapping[str, int]
    merge: tuple[str, str] | None = None  # the first joins the second when this age ends


# Sizes and times are chosen so that Fst is about 0.03 EUR-SAS, 0.06 EUR-EAS and 0.15 EUR-AFR, and so that recent growth leaves
# more than a third of all alleles in one chromosome only.
HISTORY: tuple[Age, ...] = (
    Age(120, {"EUR": 160_000, "SAS": 160_000, "EAS": 160_000, "AFR": 120_000}),
    Age(560, {"EUR": 16_000, "SAS": 16_000, "EAS": 13_000, "AFR": 26_000}, merge=("SAS", "EUR")),
    Age(900, {"EUR": 14_000, "EAS": 12_000, "AFR": 26_000}, merge=("EAS", "EUR")),
    Age(1_900, {"EUR": 5_500, "AFR": 26_000}, merge=("EUR", "AFR")),
    Age(inf, {"AFR": 20_000}),
)


@dataclass(frozen=True)
class Tree:
    """The genealogy of `leaves` chromosomes. Every node stands over one stretch of `order`.

    order: the chromosomes from left to right, shape (leaves,).
    first, size: node i stands over order[first[i] : first[i] + size[i]], shape (nodes,).
    length: the branch above each node, in generations, shape (nodes,); 0 for the root.
    """

    order: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    length: npt.NDArray[np.float64]

    def under(self, node: int) -> npt.NDArray[np.int64]:
        """The chromosomes below a node: those that carry a mutation on the branch above it."""
        return self.order[self.first[node] : self.first[node] + self.size[node]]


def coalesce(population: Sequence[int], rng: np.random.Generator, *, scale: float = 1.0) -> Tree:
    """The genealogy of chromosomes whose populations (numbers into POPULATIONS) are given.

    scale: of all population sizes; 0.75 for X.

    >>> tree = coalesce([0, 0, 0, 3], np.random.default_rng(1))
    >>> sorted(tree.order.tolist()), tree.size.tolist()[-1]
    ([0, 1, 2, 3], 4)
    """
    leaves = len(population)
    nodes = 2 * leaves - 1
    waits = iter(rng.standard_exponential(nodes + 2 * len(HISTORY)).tolist())
    draws = rng.random((leaves, 3)).tolist()
    head = [
        *range(leaves),
        *[0] * (leaves - 1),
    ]  # a node's leaves are a linked list: its head, its tail, who follows whom
    tail = head.copy()
    follows = [-1] * leaves
    size = [1] * leaves + [0] * (leaves - 1)
    born, died = [0.0] * nodes, [0.0] * nodes
    living: dict[str, list[int]] = {name: [] for name in POPULATIONS}
    for leaf, number in enumerate(population):
        living[POPULATIONS[number]].append(leaf)
    now, age, node = 0.0, 0, leaves
    while node < nodes:
        rates = [
            (name, len(living[name]) * (len(living[name]) - 1) / (2.0 * scale * chromosomes))
            for name, chromosomes in HISTORY[age].chromosomes.items()
        ]
        total = sum(rate for _, rate in rates)
        wait = next(waits) / total if total else inf
        if now + wait > HISTORY[age].until:
            now = HISTORY[age].until
            if HISTORY[age].merge is not None:
                joins, joined = HISTORY[age].merge  # type: ignore[misc]  # not None, mypy forgets it for an item
                living[joined] += living[joins]
                living[joins] = []
            age += 1
            continue
        now += wait
        where, pick, other = draws[node - leaves]
        threshold = where * total
        for name, rate in rates:
            threshold -= rate
            if threshold < 0 < rate:
                lineages = living[name]
                break
        left, right = _take(lineages, pick), _take(lineages, other)
        died[left] = died[right] = born[node] = now
        follows[tail[left]] = head[right]
        head[node], tail[node], size[node] = head[left], tail[right], size[left] + size[right]
        lineages.append(node)
        node += 1
    died[-1] = born[-1]
    order = np.empty(leaves, dtype=np.int64)
    leaf = head[-1]
    for place in range(leaves):
        order[place] = leaf
        leaf = follows[leaf]
    place_of = np.empty(leaves, dtype=np.int64)
    place_of[order] = np.arange(leaves)
    return Tree(order, place_of[np.array(head)], np.array(size), np.array(died) - np.array(born))


def _take(lineages: list[int], share: float) -> int:
    at = int(share * len(lineages))
    lineages[at], lineages[-1] = lineages[-1], lineages[at]
    return lineages.pop()


def drop_mutations(tree: Tree, mutations: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Who carries each of `mutations` mutations: arrays of chromosome numbers."""
    nodes = rng.choice(len(tree.length), size=mutations, p=tree.length / tree.length.sum())
    return [tree.under(int(node)) for node in nodes]
