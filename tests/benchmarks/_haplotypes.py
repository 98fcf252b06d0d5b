"""Haplotypes for benchmarks, block by block: a coalescent of a growing population, fast enough for 156,390 chromosomes.

The same model as nhsgen/demo/ancestry.py (Kingman 1982, piecewise constant sizes), compiled, with more recent growth: in a
hundred thousand people nearly half of all alleles are seen once. No recombination inside a block of sites; blocks are independent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Site", "sites"]

START = 16_950_000
"""1-based position on chromosome 22 that the first site follows: the 100 kb that are asked for begin at 17,000,000."""

# Until how many generations ago; chromosomes in EUR, SAS, EAS and AFR; who joins whom at the end (numbers, -1: nobody).
_AGES = (
    (25, (2_500_000, 2_500_000, 2_500_000, 2_000_000), -1, -1),
    (60, (300_000, 300_000, 300_000, 200_000), -1, -1),
    (120, (50_000, 50_000, 50_000, 50_000), -1, -1),
    (560, (16_000, 16_000, 13_000, 26_000), 1, 0),
    (900, (14_000, 1, 12_000, 26_000), 2, 0),
    (1_900, (5_500, 1, 1, 26_000), 0, 3),
    (1e18, (1, 1, 1, 20_000), -1, -1),
)
_UNTIL = np.array([age[0] for age in _AGES], dtype=np.float64)
_SIZES = np.array([age[1] for age in _AGES], dtype=np.float64)
_JOINS = np.array([age[2] for age in _AGES], dtype=np.int64)
_JOINED = np.array([age[3] for age in _AGES], dtype=np.int64)

_INDELS, _MULTI = 0.04, 0.03  # share of alleles; share of sites with two ALTs
_BASES = "ACGT"


@dataclass(frozen=True)
class Site:
    """One record: pos is 1-based; `carriers` are the numbers of the chromosomes with each ALT (person p has 2p and 2p + 1)."""

    number: int
    pos: int
    ref: str
    alts: tuple[str, ...]
    carriers: tuple[npt.NDArray[np.int64], ...]


def sites(
    people: int,
    variants: int,
    *,
    shares: tuple[float, float, float, float] = (0.3, 0.2, 0.2, 0.3),
    spacing: int = 150,
    block: int = 40,
    rare: int | None = None,
    seed: int = 1,
) -> Iterator[Site]:
    """`variants` sites of `people` people in order of position, always the same for the same arguments.

    shares: of people from EUR, SAS, EAS and AFR.
    spacing: bases from one site to the next, on average.
    block: sites that share one genealogy.
    rare: how many chromosomes carry each allele, where all are to be rare; None draws them from the genealogy.
    """
    rng = np.random.default_rng([seed, people, variants])
    of_people = np.repeat(np.arange(4), np.diff(np.rint(np.cumsum([0.0, *shares]) * people).astype(np.int64)))
    population = np.repeat(rng.permutation(of_people) if people > 10_000 else of_people, 2)
    positions = START + np.cumsum(rng.geometric(1 / spacing, variants))
    for first in range(0, variants, block):
        some = positions[first : first + block]
        several = rng.random(len(some)) < _MULTI
        mutations = len(some) + int(several.sum())
        if rare is None:
            order, begin, size, length = _coalesce(
                population, _UNTIL, _SIZES, _JOINS, _JOINED, int(rng.integers(2**31))
            )
            nodes = np.searchsorted(np.cumsum(length), rng.random(mutations) * length.sum(), side="right")
            carriers = [order[begin[node] : begin[node] + size[node]] for node in nodes]
        else:
            carriers = [rng.choice(2 * people, rare, replace=False) for _ in range(mutations)]
        for place, pos in enumerate(some.tolist()):
            mine = tuple(carriers.pop() for _ in range(1 + int(several[place])))
            ref, alts = _alleles(len(mine), rng)
            yield Site(first + place, pos, ref, alts, mine)


def _alleles(count: int, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """REF and as many different ALTs."""
    bases = "".join(_BASES[number] for number in rng.permutation(4))
    if rng.random() >= _INDELS:
        return bases[0], tuple(bases[1 : 1 + count])
    longer = bases[0] + "".join(_BASES[number] for number in rng.integers(4, size=int(rng.geometric(0.4))))
    if rng.random() < 0.5:
        return longer, (bases[0], bases[1])[:count]
    return bases[0], (longer, bases[1])[:count]


@njit(nogil=True)
def _chosen(alive, sizes, threshold):  # type: ignore[no-untyped-def]  # compiled: types are its arguments'
    """In which population two lineages meet: by their rates, whose sum is more than `threshold`."""
    last = 0
    for here in range(len(alive)):
        rate = alive[here] * (alive[here] - 1) / (2.0 * sizes[here])
        if rate > 0:
            last = here
        threshold -= rate
        if threshold < 0:
            break
    return last


@njit(nogil=True)
def _coalesce(population, until, sizes, joins, joined, seed):  # type: ignore[no-untyped-def]  # compiled: types are its arguments'
    """order, first, size and length of every node, as in `nhsgen.demo.ancestry.Tree`."""
    np.random.seed(seed)
    leaves = len(population)
    nodes = 2 * leaves - 1
    head, tail = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    size = np.zeros(nodes, np.int64)
    follows = np.full(leaves, -1, np.int64)
    born, died = np.zeros(nodes), np.zeros(nodes)
    living = np.empty((4, leaves), np.int64)
    alive = np.zeros(4, np.int64)
    for leaf in range(leaves):
        head[leaf] = tail[leaf] = leaf
        size[leaf] = 1
        here = population[leaf]
        living[here, alive[here]] = leaf
        alive[here] += 1
    now, age, node = 0.0, 0, leaves
    while node < nodes:
        total = (alive * (alive - 1) / (2.0 * sizes[age])).sum()
        wait = np.random.exponential(1.0) / total if total > 0 else np.inf
        if now + wait > until[age]:
            now = until[age]
            if joins[age] >= 0:
                source, target = joins[age], joined[age]
                for place in range(alive[source]):
                    living[target, alive[target] + place] = living[source, place]
                alive[target] += alive[source]
                alive[source] = 0
            age += 1
            continue
        now += wait
        chosen = _chosen(alive, sizes[age], np.random.random() * total)
        pair = np.empty(2, np.int64)
        for which in range(2):
            at = int(np.random.random() * alive[chosen])
            pair[which] = living[chosen, at]
            alive[chosen] -= 1
            living[chosen, at] = living[chosen, alive[chosen]]
        left, right = pair[0], pair[1]
        died[left] = died[right] = born[node] = now
        follows[tail[left]] = head[right]
        head[node], tail[node], size[node] = head[left], tail[right], size[left] + size[right]
        living[chosen, alive[chosen]] = node
        alive[chosen] += 1
        node += 1
    died[nodes - 1] = born[nodes - 1]
    order, place_of = np.empty(leaves, np.int64), np.empty(leaves, np.int64)
    leaf = head[nodes - 1]
    for place in range(leaves):
        order[place] = leaf
        place_of[leaf] = place
        leaf = follows[leaf]
    return order, place_of[head], size, died - born
