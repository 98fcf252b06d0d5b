"""Packed genotypes as numbers: counted, rearranged, and multiplied with columns of numbers, a block of variants at a time.

For whoever writes an analysis that visits every variant (a scan, a score, a relatedness): the store gives `words`, variants x
words of uint64, two bits a sample, sample i at bits 2 * (i % 32) of word i // 32: its copies of ALT, 0, 1 or 2, or 3 where nothing
was called; the bits after the last sample are 0. Nothing here holds more than a tile of decoded genotypes, which stays in the
processor's cache and is used again: memory that is new costs more than the arithmetic done on it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.errors import BadInput

__all__ = [
    "NOT_CALLED", "Words", "chosen", "copies", "count", "decode", "membership", "pack", "products", "widened",
    "words_for",
]  # fmt: skip

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOT_CALLED = 3
TILE_ROWS, TILE_SAMPLES = 128, 512
"""Half a megabyte of float64: a tile and the columns it meets stay in the cache of one core."""

FEW = 1 / 24
"""The share of people other than homozygous reference up to which visiting only them is faster than a matrix product."""

_ONE, _TWO, _FOUR, _LAST = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_CODE = np.uint64(3)
_LOW = np.uint64(0x5555555555555555)
_PAIRS, _NIBBLES, _BYTES = np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


def words_for(samples: int) -> int:
    """How many words a row of so many samples takes.

    >>> words_for(32), words_for(33)
    (1, 2)
    """
    return -(-samples // 32)


def pack(copies: npt.ArrayLike) -> Words:
    """The words of a matrix of copies, variants x samples, each 0, 1, 2 or 3: the inverse of `copies`.

    >>> [hex(word) for word in pack([[1, 2, 3, 0]])[0].tolist()]
    ['0x39']
    """
    array = np.asarray(copies)
    if array.ndim != 2 or (array.size and (array.min() < 0 or array.max() > NOT_CALLED)):
        raise _bad("it is not a table of 0, 1, 2 and 3", "give variants x samples; 3 where nothing was called")
    words = np.zeros((array.shape[0], words_for(array.shape[1])), dtype=np.uint64)
    _pack(array.astype(np.uint8), words)
    return words


def copies(words: Words, samples: int) -> npt.NDArray[np.uint8]:
    """Copies of ALT, variants x samples: 0, 1, 2, or 3 where nothing was called."""
    if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] < words_for(samples):
        raise _bad(f"its rows do not hold {samples} samples", "give variants x words of uint64")
    out = np.empty((len(words), 32 * words.shape[1]), dtype=np.uint8)
    decode(words, np.tile(np.arange(4, dtype=np.uint8), (len(words), 1)), 0, out)
    return out[:, :samples]


def chosen(words: Words, people: Ints, haploid: npt.NDArray[np.bool_] | None = None) -> Words:
    """The rows of these people alone, in their order: person i is sample people[i] of `words`.

    haploid: who has one allele here, one truth for each of `people`: their one copy is written as two.
    When these are the first samples in their order, `words` themselves may come back, whose bits after the last person are not
    theirs: `membership` and `widened` leave them out.
    """
    if people.size and (people.min() < 0 or people.max() >= 32 * words.shape[1]):
        raise _bad("somebody's sample number is beyond its rows", "number samples as the store does")
    doubled = np.zeros(len(people), np.bool_) if haploid is None else haploid
    if not doubled.any() and np.array_equal(people, np.arange(len(people))):
        return np.ascontiguousarray(words[:, : words_for(len(people))])
    out = np.empty((len(words), words_for(len(people))), dtype=np.uint64)
    place, shift = people.astype(np.uint64) >> np.uint64(5), np.uint64(2) * (people.astype(np.uint64) & np.uint64(31))
    _choose(words, place, shift, membership(doubled), out)
    return out


def membership(who: npt.NDArray[np.bool_]) -> Words:
    """Truths for people as the low bits of their two in a row of words."""
    row: Words = pack(np.asarray(who, dtype=np.uint8)[np.newaxis])[0]
    return row


def count(words: Words, members: Words) -> Ints:
    """For each row, how many of `members` (see `membership`) have one copy, two copies, nothing called: variants x 3."""
    counted = np.empty((len(words), 3), dtype=np.int64)
    _count(words, members, counted)
    return counted


def decode(words: Words, values: npt.NDArray[np.generic], first: int, out: npt.NDArray[np.generic]) -> None:
    """Write, for 32 samples a word from word `first` on, the number that stands for each genotype.

    values: variants x 4, what 0, 1, 2 copies and a missing call become in each row: 0, 1, 2, 0 to sum up copies; -m, 1 - m, 2 - m,
        0 to centre them, which puts the mean m where nothing was called.
    out: variants x a multiple of 32 samples, float32, float64 or uint8, used again by the next call.
    """
    _decode(words, values, first, out)


def widened(columns: npt.ArrayLike) -> Floats:
    """Columns of numbers, people x columns, with rows of 0 up to whole words and columns of 0 up to fours.

    A product with 31 columns takes half as long again as one with 32.
    """
    array = np.asarray(columns, dtype=np.float64)
    wide = np.zeros((32 * words_for(len(array)), -(-array.shape[1] // 4) * 4))
    wide[: len(array), : array.shape[1]] = array
    return wide


def products(words: Words, columns: Floats, carriers: Ints) -> Floats:
    """Copies times each column, added up over people; who was not called adds nothing: variants x columns.

    columns: as `widened` gives them; the answer has as many. carriers: how many people of each row are not homozygous reference, as
    a hint: of rows with `FEW` only those people are visited, other rows are decoded tile by tile for a matrix product.
    """
    answer = np.zeros((len(words), columns.shape[1]))
    few = carriers <= FEW * len(columns)
    _add_carriers(words, np.flatnonzero(few), columns, answer)
    many = np.flatnonzero(~few)
    tile = np.empty((min(len(many), TILE_ROWS), min(len(columns), TILE_SAMPLES)))
    part = np.empty((len(tile), columns.shape[1]))
    values = np.tile([0.0, 1.0, 2.0, 0.0], (len(tile), 1))
    for start in range(0, len(many), TILE_ROWS):
        rows = many[start : start + TILE_ROWS]
        block = words[rows]
        for sample in range(0, len(columns), TILE_SAMPLES):
            view = tile[: len(rows), : len(columns) - sample]
            decode(block, values, sample // 32, view)
            np.matmul(view, columns[sample : sample + TILE_SAMPLES], out=part[: len(rows)])
            answer[rows] += part[: len(rows)]
    return answer


def _bad(found: str, do_next: str) -> BadInput:
    return BadInput("reading packed genotypes", found, do_next)


# -- Kernels ------------------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _pack(copies: npt.NDArray[np.uint8], words: Words) -> None:
    for row in range(copies.shape[0]):
        for who in range(copies.shape[1]):
            words[row, who >> 5] |= np.uint64(copies[row, who]) << np.uint64(2 * (who & 31))


@njit(cache=True, nogil=True)
def _choose(words: Words, place: Words, shift: Words, doubled: Words, out: Words) -> None:
    """place, shift: where each person's two bits are. doubled: the low bits of those whose one copy becomes two."""
    for row in range(words.shape[0]):
        for word in range(out.shape[1]):
            whole = np.uint64(0)
            for i in range(32 * word, min(32 * word + 32, place.size)):
                whole |= ((words[row, place[i]] >> shift[i]) & _CODE) << np.uint64(2 * (i & 31))
            one = whole & ~(whole >> _ONE) & doubled[word]
            out[row, word] = whole + one


@njit(cache=True, nogil=True)
def _ones(bits: Any) -> Any:
    """How many of the low bits of pairs are set (compilers know this form and use one instruction)."""
    bits = (bits & _PAIRS) + ((bits >> _TWO) & _PAIRS)
    bits = (bits + (bits >> _FOUR)) & _NIBBLES
    return (bits * _BYTES) >> _LAST


@njit(cache=True, nogil=True)
def _count(words: Words, members: Words, counted: Ints) -> None:
    for row in range(words.shape[0]):
        one, two, missing = np.uint64(0), np.uint64(0), np.uint64(0)
        for i in range(members.size):
            low, high = words[row, i] & members[i], (words[row, i] >> _ONE) & members[i]
            one += _ones(low & ~high)
            two += _ones(high & ~low)
            missing += _ones(low & high)
        counted[row, 0], counted[row, 1], counted[row, 2] = one, two, missing


@njit(cache=True, nogil=True)
def _decode(words: Words, values: npt.NDArray[np.generic], first: int, out: npt.NDArray[np.generic]) -> None:
    for row in range(words.shape[0]):
        none, one, two, missing = values[row, 0], values[row, 1], values[row, 2], values[row, 3]
        for i in range(out.shape[1] >> 5):
            word = words[row, first + i]
            for j in range(32):  # no branch and no look-up: the compiler makes wide instructions of it
                code = (word >> np.uint64(2 * j)) & _CODE
                even = none if code == 0 else two
                odd = one if code == 1 else missing
                out[row, 32 * i + j] = odd if code & _ONE else even


@njit(cache=True, nogil=True)
def _add_carriers(words: Words, rows: Ints, columns: Floats, answer: Floats) -> None:
    for row in rows:
        for i in range(columns.shape[0] >> 5):
            word = words[row, i]
            who = 32 * i
            while word:
                code = word & _CODE
                if code in (_ONE, _TWO):
                    for column in range(columns.shape[1]):
                        answer[row, column] += code * columns[who, column]
                word >>= _TWO
                who += 1
