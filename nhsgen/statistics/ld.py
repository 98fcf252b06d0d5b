"""Linkage disequilibrium: how much one variant says about its neighbour. A geneticist prunes by it before principal components,
clumps a scan's hits into signals, and colours the picture of a region.

Asked are pairs of variants (rows of the genotypes), not matrices: the neighbours within a window (`near`), or the leads of a scan
with what lies around them (`around`). A pair takes six sums over the people in whom both are called, all whole numbers, so that
the total over sites is exactly the pooled one.

    pairs = near(chrom, pos, kb=250)
    found = estimate(total(summarise(copies, pairs) for copies in sites))
    keep = prune(pairs, found.r2, frequency, most=0.2)
    clumps = clump(p, pairs, found.r2)

Genotypes are variants x people, uint8: 0, 1, 2 copies, 3 where nothing was called.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.errors import BadInput
from nhsgen.statistics.sample_qc import Copies, Texts, checked
from nhsgen.statistics.sums import Floats, Sums

__all__ = ["LD", "Clumps", "around", "clump", "estimate", "near", "prune", "summarise"]

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., object])


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


# -- Which pairs ------------------------------------------------------------------------------------------------------------


def near(chrom: Sequence[str], pos: npt.ArrayLike, *, kb: float | None = None, variants: int | None = None) -> Ints:
    """Every two variants of one chromosome at most `kb` thousand bases, and fewer than `variants` places, apart.

    chrom, pos: of each variant, in genome order. Returns pairs x 2, the earlier first, in order of the later.

    >>> near(["1", "1", "1", "2"], [100, 900, 2500, 100], kb=2).tolist()
    [[0, 1], [1, 2]]
    """
    names, places = _in_order(chrom, pos)
    if kb is None and variants is None:
        raise BadInput(
            "choosing pairs of variants", "neither kb nor variants is given", "say how far apart they may be"
        )
    bases = np.inf if kb is None else kb * 1000.0
    return _near(names, places, bases, len(places) if variants is None else variants)


def around(chrom: Sequence[str], pos: npt.ArrayLike, p: npt.ArrayLike, *, p1: float, p2: float, kb: float) -> Ints:
    """The pairs that clumping needs: of two variants near each other, one with p at most p1 and the other at most p2."""
    pairs, chance = near(chrom, pos, kb=kb), np.nan_to_num(np.asarray(p, dtype=np.float64), nan=1.0)
    one, other = chance[pairs[:, 0]], chance[pairs[:, 1]]
    return pairs[(np.minimum(one, other) <= p1) & (np.maximum(one, other) <= p2)]


def _in_order(chrom: Sequence[str], pos: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Chromosomes as numbers, and positions; BadInput unless each chromosome stands together, its positions ascending."""
    names, places = np.asarray(chrom, dtype=np.str_), np.asarray(pos, dtype=np.int64)
    numbers = np.cumsum(np.concatenate([[0], names[1:] != names[:-1]])[: len(names)]).astype(np.int64)
    same = numbers[1:] == numbers[:-1]
    together = len(np.unique(names)) == len(np.unique(numbers))
    if len(names) != len(places) or not together or (np.diff(places)[same] < 0).any():
        raise BadInput("choosing pairs of variants", "variants are not in genome order", "sort them by chrom and pos")
    return numbers, places


@_compiled
def _near(chrom: Ints, pos: Ints, bases: float, variants: int) -> Ints:
    firsts = np.empty(len(pos), dtype=np.int64)
    first = number = 0
    for later in range(len(pos)):
        while chrom[first] != chrom[later] or pos[later] - pos[first] > bases or later - first >= variants:
            first += 1
        firsts[later] = first
        number += later - first
    pairs = np.empty((number, 2), dtype=np.int64)
    at = 0
    for later in range(len(pos)):
        for earlier in range(firsts[later], later):
            pairs[at, 0], pairs[at, 1] = earlier, later
            at += 1
    return pairs


# -- How much they say about each other -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LD:
    """A row a pair. r: of the copies, in the people in whom both are called; nan where there is a reason.

    people: in whom both are called. reason: "", "nobody called", "monomorphic" (one of them is, among those people).
    """

    people: Ints
    r: Floats
    reason: Texts

    @property
    def r2(self) -> Floats:
        return self.r**2


def summarise(copies: Copies, pairs: Ints) -> Sums:
    """One site's sums, a number a pair each: n, x, y, xx, yy, xy, over its people in whom both are called.

    One person changes n by one, x and y by two, xx, yy and xy by four at most.
    """
    (block,) = checked([copies])
    _check(pairs, len(block))
    n, x, y, xx, yy, xy = _sums(_planes(block), np.asarray(pairs, dtype=np.int64)).T
    return Sums.of(n=n, x=x, y=y, xx=xx, yy=yy, xy=xy)


def _check(pairs: Ints, variants: int) -> None:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or (len(pairs) and not (pairs.min() >= 0 and pairs.max() < variants)):
        raise BadInput("comparing variants", "a pair names a variant that is not there", "choose pairs among these")


def estimate(total: Sums) -> LD:
    """Pearson's r of copies, pair by pair (Hill and Robertson 1968; unphased, as plink's --r2)."""
    n, x, y, xx, yy, xy = (np.rint(total[name]) for name in ("n", "x", "y", "xx", "yy", "xy"))
    spread = np.sqrt((n * xx - x * x) * (n * yy - y * y))
    r = np.divide(n * xy - x * y, spread, out=np.full(len(n), np.nan), where=spread > 0)
    reason = np.where(n == 0, "nobody called", np.where(spread == 0, "monomorphic", ""))
    return LD(n.astype(np.int64), np.clip(r, -1.0, 1.0), reason)


@_compiled
def _ones(word: np.uint64) -> int:
    """How many bits are set; compilers know these lines and make them one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))  # type: ignore[return-value]


@_compiled
def _planes(block: Copies) -> Words:
    """Variants x words x 3, a bit a person: one copy, two copies, called."""
    planes = np.zeros((block.shape[0], (block.shape[1] + 63) // 64, 3), dtype=np.uint64)
    for row in range(block.shape[0]):
        for person in range(block.shape[1]):
            code, bit = block[row, person], np.uint64(1) << np.uint64(person % 64)
            if code < 3:
                planes[row, person // 64, 2] |= bit
                if code > 0:
                    planes[row, person // 64, code - 1] |= bit
    return planes


@_compiled
def _sums(planes: Words, pairs: Ints) -> Ints:
    sums = np.zeros((len(pairs), 6), dtype=np.int64)
    for pair in range(len(pairs)):
        n = x1 = x2 = y1 = y2 = xy = 0
        first, second = planes[pairs[pair, 0]], planes[pairs[pair, 1]]
        for word in range(first.shape[0]):
            a1, a2, a = first[word, 0], first[word, 1], first[word, 2]
            b1, b2, b = second[word, 0], second[word, 1], second[word, 2]
            n += _ones(a & b)
            x1 += _ones(a1 & b)
            x2 += _ones(a2 & b)
            y1 += _ones(b1 & a)
            y2 += _ones(b2 & a)
            xy += _ones(a1 & b1) + 2 * (_ones(a1 & b2) + _ones(a2 & b1)) + 4 * _ones(a2 & b2)
        sums[pair] = n, x1 + 2 * x2, y1 + 2 * y2, x1 + 4 * x2, y1 + 4 * y2, xy
    return sums


# -- What is done with it ---------------------------------------------------------------------------------------------------


def prune(pairs: Ints, r2: Floats, frequency: Floats, *, most: float) -> Mask:
    """Which variants to keep, so that no pair kept has r2 above `most`; of two the one whose rarer allele is commoner stays.

    pairs: of `near`, in its order. frequency: of each variant's allele in the total; nan, or 0 or 1, leaves the variant out.
    Each variant is compared with those kept before it: the variants that plink2 --indep-pairwise keeps with a window of as many
    variants as `near` was given, and steps of one.
    """
    _check(pairs, len(frequency))
    minor = np.minimum(frequency, 1 - frequency)
    keep = np.nan_to_num(minor) > 0
    _prune(pairs[r2 > most], minor, keep)
    return keep


@_compiled
def _prune(linked: Ints, minor: Floats, keep: Mask) -> None:
    for pair in range(len(linked)):
        earlier, later = linked[pair]
        if keep[earlier] and keep[later]:
            keep[earlier if minor[earlier] < minor[later] * (1 - 1e-10) else later] = False


@dataclass(frozen=True, eq=False)
class Clumps:
    """A row a variant. index: the row of the variant it is clumped with, its own for an index variant, -1 for none.

    reason: "" for an index or clumped variant, "p above p2", "no index near" (its p is above p1), "not tested".
    """

    index: Ints
    reason: Texts

    @property
    def leads(self) -> Ints:
        """The index variants, in order of their rows."""
        return np.flatnonzero(self.index == np.arange(len(self.index)))


def clump(
    p: npt.ArrayLike, pairs: Ints, r2: Floats, *, p1: float = 1e-4, p2: float = 1e-2, least: float = 0.5
) -> Clumps:
    """Signals of a scan: the smallest p takes those near it that it explains, then the smallest p left does; plink's --clump.

    p: of each variant, nan where it was not tested. pairs: of `around`, whose kb is how far a clump reaches; r2: of each of them.
    p1: of an index variant. p2: of one clumped with it. least: r2 above which it is clumped (Purcell et al., AJHG 2007). r2 is of
    genotypes, as for plink2 --clump-unphased; plink 1.9 estimates haplotypes, whose r2 differs.
    """
    chance = np.asarray(p, dtype=np.float64)
    _check(pairs, len(chance))
    linked = pairs[r2 > least]
    both_ways = np.concatenate([linked, linked[:, ::-1]])
    both_ways = both_ways[np.argsort(both_ways[:, 0], kind="stable")]
    starts = np.searchsorted(both_ways[:, 0], np.arange(len(chance) + 1))
    index = np.full(len(chance), -1, dtype=np.int64)
    for lead in np.argsort(chance, kind="stable"):
        if not chance[lead] <= p1:
            break
        if index[lead] < 0:
            members = both_ways[starts[lead] : starts[lead + 1], 1]
            index[members[(index[members] < 0) & (chance[members] <= p2)]] = lead
            index[lead] = lead
    alone = np.where(np.isnan(chance), "not tested", np.where(chance > p2, "p above p2", "no index near"))
    return Clumps(index, np.where(index < 0, alone, ""))
