"""Kinship: who is related to whom, from genotypes alone, and the most people of whom no two are. For whoever picks a cohort.

KING-robust compares two people at a time and needs no allele frequencies, so people of different ancestry do not disturb it.
All it needs are five counts over alleles, which add up over chunks and chromosomes. Two people are compared inside one site:
relatives at two sites are not seen, for that would take their genotypes over the wall.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit, types
from numba.extending import intrinsic

from nhsgen.errors import BadInput

__all__ = ["DUPLICATE", "FIRST_DEGREE", "SECOND_DEGREE", "THIRD_DEGREE", "PairCounts", "Unrelated", "count_pairs",
           "kinship", "relatives", "strangers", "unrelated"]  # fmt: skip

# Lowest kinship of each degree: halfway, in powers of two, to the next (Manichaikul et al., Bioinformatics 2010, table 1).
DUPLICATE = 0.3536
"""Duplicates and identical twins lie above it."""
FIRST_DEGREE = 0.1768
"""Parents, children, full siblings lie above it."""
SECOND_DEGREE = 0.0884
"""Grandparents, half-siblings, aunts lie above it; the usual cut for association studies."""
THIRD_DEGREE = 0.0442
"""First cousins lie above it."""

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., object])

_PER_WORD = 32
_BLOCK = 512  # people whose bits are compared with as many others' before the next come into the cache


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Over some alleles, for each pair of a person of `first` and one of `second`: people x people, int64.

    called: alleles at which both were called. Among these: both_het, both heterozygous; opposite, one homozygous for REF
    and the other for ALT; first_het, second_het, the one, the other heterozygous.
    """

    called: Ints
    both_het: Ints
    opposite: Ints
    first_het: Ints
    second_het: Ints

    def __add__(self, other: "PairCounts") -> "PairCounts":
        if self.called.shape != other.called.shape:
            raise BadInput("adding counts of pairs", "they are not about the same people", "count the same people")
        return PairCounts(*(mine + theirs for mine, theirs in zip(self._all(), other._all(), strict=True)))

    def _all(self) -> tuple[Ints, ...]:
        return self.called, self.both_het, self.opposite, self.first_het, self.second_het


@dataclass(frozen=True, eq=False)
class Unrelated:
    """kept: a truth for each person. excluded: person, relative (somebody who is kept) and their kinship; a row a person left out."""

    kept: Mask
    excluded: pl.DataFrame


def count_pairs(packed: Words, samples: int, first: slice = slice(None), second: slice = slice(None)) -> PairCounts:
    """The counts of a chunk of alleles; `+` those of the next.

    packed: alleles x words, two bits a sample (32 samples a word, the first lowest): 0, 1, 2 copies, 3 not called.
        Autosomes only, best common and not in linkage (pruned).
    first, second: which people; everybody against everybody by default.
    """
    planes = _planes(packed, samples)
    one, two = planes[:, first], planes[:, second]
    counted = np.zeros((5, one.shape[1], two.shape[1]), dtype=np.int64)
    _count(np.ascontiguousarray(one), np.ascontiguousarray(two), counted)
    return PairCounts(*counted)


def kinship(counts: PairCounts) -> Floats:
    """KING-robust, people x people (Manichaikul et al., Bioinformatics 2010, equation 11).

    Half in a duplicate, a quarter in a child, 0 in strangers, below 0 in people of different ancestry; nan where one of a pair
    is nowhere heterozygous among the alleles at which both were called.

        1/2 - sum (g1 - g2)^2 / (4 min(het1, het2)),  sum (g1 - g2)^2 = het1 + het2 - 2 both_het + 4 opposite
    """
    squares = counts.first_het + counts.second_het - 2 * counts.both_het + 4 * counts.opposite
    fewer = np.minimum(counts.first_het, counts.second_het)
    answer = np.full(fewer.shape, np.nan)
    np.divide(squares, -4.0 * fewer, out=answer, where=fewer > 0)
    return answer + 0.5


def strangers(frequency: npt.ArrayLike) -> float:
    """By how much (a standard deviation) the kinship of strangers lies about 0, at unlinked alleles of these frequencies.

    The difference of two strangers' copies has the variance 4pq and the fourth moment 4pq + 24 (pq)^2; nan without alleles.

    >>> round(strangers([0.5] * 1000), 4), round(strangers([0.05] * 1000), 4)
    (0.0194, 0.038)
    """
    p = np.asarray(frequency, dtype=np.float64)
    pq = p * (1.0 - p)
    return float(np.sqrt((4.0 * pq + 8.0 * pq**2).sum()) / (8.0 * pq.sum())) if pq.sum() else float("nan")


def relatives(packed: Words, samples: int, at_least: float = THIRD_DEGREE) -> pl.DataFrame:
    """Pairs of people at least so closely related, block of people by block; the table stays inside the wall.

    packed: as for `count_pairs`, of all alleles: two bits for each person and allele must fit in memory (twice).

    A row a pair, first < second: first, second (sample numbers), alleles (called in both), kinship, reason. A pair whose kinship
    is not known is a row too, its kinship null and its reason "not called" or "not heterozygous".
    """
    planes = _planes(packed, samples)
    found = [_rows(*block, at_least) for block in _blocks(planes)]
    schema = {"first": pl.Int64, "second": pl.Int64, "alleles": pl.Int64, "kinship": pl.Float64, "reason": pl.String}
    return pl.concat([pl.DataFrame(schema=schema), *found]).sort("first", "second")


def unrelated(
    pairs: pl.DataFrame, samples: int, first: Mask | None = None, at_least: float = SECOND_DEGREE
) -> Unrelated:
    """Many people of whom no two are so closely related: cases first, then others.

    pairs: first, second, kinship, as from `relatives` with a cut no higher; pairs of unknown kinship count as strangers.
    first: whom to keep before anybody else (cases). None: nobody is.

    Greedy: whoever has fewest relatives left is kept and the relatives go, among cases, then among the rest (nobody else could
    be kept at the end; the most there could be where families are trees). Equals are taken by sample number.
    """
    if {"first", "second", "kinship"} - set(pairs.columns):
        raise BadInput("choosing unrelated people", "the pairs have no first, second or kinship", "use `relatives`")
    preferred = np.zeros(samples, dtype=np.bool_) if first is None else np.asarray(first, dtype=np.bool_)
    close: list[dict[int, float]] = [{} for _ in range(samples)]
    for one, two, value in pairs.select("first", "second", "kinship").drop_nulls().iter_rows():
        if not (0 <= one < samples and 0 <= two < samples) or len(preferred) != samples:
            raise BadInput("choosing unrelated people", "a number is not one of the samples", "number people from 0")
        if value >= at_least and one != two:
            close[one][two] = close[two][one] = value
    kept, relative_of = np.zeros(samples, dtype=np.bool_), dict[int, int]()
    for group in (preferred, ~preferred):
        _keep_most(close, group, kept, relative_of)
    rows = [(who, relative, close[who][relative]) for who, relative in sorted(relative_of.items())]
    schema = {"person": pl.Int64, "relative": pl.Int64, "kinship": pl.Float64}
    return Unrelated(kept, pl.DataFrame(rows, schema=schema, orient="row"))


def _keep_most(close: list[dict[int, float]], group: Mask, kept: Mask, relative_of: dict[int, int]) -> None:
    """Keep people of a group, one by one; the rest of it goes into `relative_of`, each with somebody kept."""
    left = {int(who) for who in np.flatnonzero(group) if who not in relative_of}
    number = {who: sum(other in left for other in close[who]) for who in left}
    waiting = [(number[who], who) for who in left]
    heapify(waiting)
    while waiting:
        relatives_left, who = heappop(waiting)
        if who not in left or relatives_left != number[who]:
            continue
        kept[who] = True
        left.discard(who)
        for gone in close[who]:
            if kept[gone] or gone in relative_of:
                continue
            relative_of[gone] = who
            if gone not in left:
                continue
            left.discard(gone)
            for other in close[gone]:
                if other in left:
                    number[other] -= 1
                    heappush(waiting, (number[other], other))


def _rows(start: int, begin: int, counts: PairCounts, at_least: float) -> pl.DataFrame:
    values = kinship(counts)
    with np.errstate(invalid="ignore"):
        wanted = (values >= at_least) | np.isnan(values)
    one, two = np.nonzero(wanted)
    earlier = one + start < two + begin
    one, two = one[earlier], two[earlier]
    called = counts.called[one, two]
    return pl.DataFrame({"first": one + start, "second": two + begin, "alleles": called}).with_columns(
        pl.Series("kinship", values[one, two], dtype=pl.Float64).fill_nan(None)
    ).with_columns(
        pl.when(pl.col("kinship").is_not_null()).then(pl.lit(""))
        .when(pl.col("alleles") == 0).then(pl.lit("not called"))
        .otherwise(pl.lit("not heterozygous")).alias("reason")
    )  # fmt: skip


def _blocks(planes: Words) -> Iterator[tuple[int, int, PairCounts]]:
    """Every block of people against itself and the later ones: where both begin, and their counts."""
    people = planes.shape[1]
    for start in range(0, people, _BLOCK):
        for begin in range(start, people, _BLOCK):
            one, two = planes[:, start : start + _BLOCK], planes[:, begin : begin + _BLOCK]
            counted = np.zeros((5, one.shape[1], two.shape[1]), dtype=np.int64)
            _count(np.ascontiguousarray(one), np.ascontiguousarray(two), counted)
            yield start, begin, PairCounts(*counted)


def _planes(packed: Words, samples: int) -> Words:
    """Three bits for each person and allele (REF twice, one of each, ALT twice), people x words of 64 alleles each."""
    if packed.ndim != 2 or packed.dtype != np.uint64 or not 0 <= samples <= packed.shape[1] * _PER_WORD:
        raise BadInput(
            "counting pairs", "the genotypes are not packed for so many samples", "give alleles x words, uint64"
        )
    planes = np.zeros((3, samples, -(-len(packed) // 64)), dtype=np.uint64)
    _turn(np.ascontiguousarray(packed), planes)
    return planes


# -- Kernels -------------------------------------------------------------------------------------------------------------


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, nogil=True)(function))


@intrinsic
def _ones(typing: Any, bits: Any) -> Any:
    """How many bits are set: one instruction, of which the compiler makes vectors."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), build


@_compiled
def _turn(packed: Words, planes: Words) -> None:
    for row in range(packed.shape[0]):
        word, bit = row >> 6, np.uint64(row & 63)
        for who in range(planes.shape[1]):
            copies = (packed[row, who >> 5] >> np.uint64(2 * (who & 31))) & np.uint64(3)
            if copies != np.uint64(3):
                planes[copies, who, word] |= np.uint64(1) << bit


@_compiled
def _count(one: Words, two: Words, counted: Ints) -> None:
    for i in range(one.shape[1]):
        for j in range(two.shape[1]):
            called, both, opposite, first, second = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
            for word in range(one.shape[2]):
                ref1, het1, alt1 = one[0, i, word], one[1, i, word], one[2, i, word]
                ref2, het2, alt2 = two[0, j, word], two[1, j, word], two[2, j, word]
                called1, called2 = ref1 | het1 | alt1, ref2 | het2 | alt2
                called += _ones(called1 & called2)
                both += _ones(het1 & het2)
                opposite += _ones((ref1 & alt2) | (alt1 & ref2))
                first += _ones(het1 & called2)
                second += _ones(het2 & called1)
            counted[0, i, j], counted[1, i, j], counted[2, i, j] = called, both, opposite
            counted[3, i, j], counted[4, i, j] = first, second
