"""The genotype columns: people's genotypes at one allele in few bytes, and counted again under a mask.

At one ALT allele a person's genotype is a *state* of one byte: the copies of that allele in the low two bits (3 when nothing
was called), and above them what kind of zero or one it is (`HALF`, `HAPLOID`, `OTHER`). States become columns in one of two
forms, whichever is smaller for the row:

sparse   `one_copy`, `two_copies`, `no_call`: lists of sample numbers, ascending; `gt` is null
dense    `gt`: 2 bits a sample, the first sample lowest (0, 1, 2 copies; 3 nothing called), padded with 0 to 8 bytes; no lists

and in both forms the exceptions, which are few:

half_call   one of two alleles was called (./1, 0/.): it counts in AN as one; ./1 is also in one_copy
other_alt   both were called, none is this allele, one at least is another ALT of the record: not homozygous reference
haploid_set the number of the set of samples that have one allele here (X and Y of men, mitochondria); null for nobody

packing.py writes them.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from nhsgen.variants.masks import lowest, ones

__all__ = [
    "COUNTS",
    "GENOTYPE_COLUMNS",
    "HALF",
    "HAPLOID",
    "MISSING",
    "NO_SECOND",
    "OTHER",
    "GenotypeTexts",
    "copies",
    "count",
    "gt_bytes",
    "packed",
    "state",
    "states",
    "states_with_marks",
]

Mask = npt.NDArray[np.bool_]
States = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

MISSING = 3
"""Copies, in a state or in `gt`, of somebody for whom nothing was called."""

HALF, HAPLOID, OTHER = 4, 8, 16
_COPIES = 3

_LIST = pa.list_(pa.int32())
GENOTYPE_COLUMNS = pa.schema(
    [("one_copy", _LIST), ("two_copies", _LIST), ("no_call", _LIST), ("gt", pa.binary()),
     ("half_call", _LIST), ("other_alt", _LIST), ("haploid_set", pa.int32())]
)  # fmt: skip

# People of each kind, and alleles; what each is stands in schema.py.
COUNTS = ("hom_ref", "het", "hom_alt", "other", "missing", "half", "haploid", "hemizygous", "ac", "an")


def gt_bytes(samples: int) -> int:
    """The length of one dense row: 2 bits a sample, padded to 8 bytes.

    >>> gt_bytes(32), gt_bytes(33)
    (8, 16)
    """
    return -(-samples // 32) * 8


# -- From text to states ------------------------------------------------------------------------------------------------

_GT = re.compile(r"[/|]?(\.|\d+)(?:[/|](\.|\d+))?")
_NO_CALL = re.compile(r"[/|]?\.([/|]\.)*")
NO_SECOND = -2
"""In the place of the second allele of a genotype of one."""


class GenotypeTexts(dict[str, int]):
    """Every GT text met so far and its small number; ValueError for a text that is no genotype of one or two alleles.

    >>> texts = GenotypeTexts()
    >>> [texts[text] for text in ("0/0", "0|1", "0/0")], texts.largest([1])
    ([0, 1, 0], 1)
    """

    def __init__(self) -> None:
        super().__init__()
        self._alleles: list[tuple[int, int]] = []
        self._tables: dict[int, States] = {}

    def __missing__(self, text: str) -> int:
        self._alleles.append(_alleles(text))
        self._tables.clear()
        self[text] = len(self._alleles) - 1
        return self[text]

    def largest(self, numbers: Iterable[int]) -> int:
        """The highest allele these genotypes name; -1 when none is called."""
        return max((max(self._alleles[number]) for number in numbers), default=-1)

    def states(self, allele: int) -> States:
        """The state of every genotype met so far at ALT number `allele`, to be indexed by genotype number."""
        if allele not in self._tables:
            self._tables[allele] = np.array([state(*pair, allele) for pair in self._alleles], dtype=np.uint8)
        return self._tables[allele]


def _alleles(text: str) -> tuple[int, int]:
    """The two alleles of a GT; -1 for one not called, and -2 in the second place when there is only one.

    >>> _alleles("0|1"), _alleles("./1"), _alleles("1"), _alleles("./.")
    ((0, 1), (-1, 1), (1, -2), (-1, -1))
    """
    if _NO_CALL.fullmatch(text):
        return (-1, -1) if len(text) > 1 else (-1, NO_SECOND)
    match = _GT.fullmatch(text)
    if match is None:
        raise ValueError("not a genotype of one or two alleles")
    first, second = match.groups()
    return (-1 if first == "." else int(first)), (NO_SECOND if second is None else -1 if second == "." else int(second))


def state(first: int, second: int, allele: int) -> int:
    """The state, at ALT number `allele`, of a genotype of two alleles as `_alleles` gives them."""
    copies = (first == allele) + (second == allele)
    if first < 0 and second < 0:
        return MISSING | (HAPLOID if second == NO_SECOND else 0)
    if second == NO_SECOND:
        return copies | HAPLOID
    if first < 0 or second < 0:
        return copies | HALF
    return copies | (OTHER if not copies and (first or second) else 0)


# -- From columns to answers --------------------------------------------------------------------------------------------


def count(table: pa.Table, mask: Mask, haploid_sets: Sequence[Mask]) -> dict[str, Ints]:
    """For each row of `table`, the people of `mask` of each kind, and their alleles; the names are those of `COUNTS`.

    mask: one truth for each sample. Each person of the mask is counted once:
    hom_ref + het + hom_alt + other + missing + half + haploid is the size of the mask.
    """
    one, two, missing = _copies_under(table, mask)
    other, half = (_listed(table[name], mask) for name in ("other_alt", "half_call"))
    half_with = _half_calls_with(table, half, mask)
    haploid, hemizygous = np.zeros_like(one), np.zeros_like(one)
    numbers = table["haploid_set"].to_numpy(zero_copy_only=False)
    for number in np.unique(numbers[~np.isnan(numbers)]) if table["haploid_set"].null_count < len(table) else ():
        at = np.flatnonzero(numbers == number)
        these = mask & haploid_sets[int(number)]
        of_one, _, of_none = _copies_under(table.take(pa.array(at)), these)
        haploid[at], hemizygous[at] = these.sum() - of_none, of_one
    het = one - half_with - hemizygous
    hom_ref = mask.sum() - missing - het - two - other - half - haploid
    return {
        "hom_ref": hom_ref, "het": het, "hom_alt": two, "other": other, "missing": missing, "half": half,
        "haploid": haploid, "hemizygous": hemizygous,
        "ac": one + 2 * two, "an": 2 * (hom_ref + het + two + other) + half + haploid,
    }  # fmt: skip


def copies(table: pa.Table, mask: Mask) -> tuple[Ints, Ints, Ints]:
    """Who carries: row number, sample number and copies (1 or 2), for the people of `mask`, by row and then by sample."""
    dense = _dense_rows(table)
    words = _gt_matrix(table, len(mask)) if len(dense) else np.zeros((0, 0), dtype=np.uint64)
    lists = [_parts(table[name]) for name in ("one_copy", "two_copies")]
    size = int(sum(len(values) for _, values in lists)) + _count_copies(words, _pack(mask))
    at, who, number = (np.empty(size, dtype=np.int64) for _ in range(3))
    row_of_dense = np.full(len(table), -1, dtype=np.int64)
    row_of_dense[dense] = np.arange(len(dense))
    found = _list_copies(row_of_dense, words, _pack(mask), mask, *lists[0], *lists[1], at, who, number)
    return at[:found], who[:found], number[:found]


def states(table: pa.Table, samples: int) -> States:
    """The copies of each sample at each row, rows x samples: 0, 1, 2, or 3 where nothing was called."""
    decoded = np.zeros((len(table), samples), dtype=np.uint8)
    for name, number in (("one_copy", 1), ("two_copies", 2), ("no_call", MISSING)):
        at, who = _entries(table[name])
        decoded[at, who] = number
    dense = _dense_rows(table)
    if len(dense):
        _unpack(_gt_matrix(table, samples).view(np.uint8), dense, decoded)
    return decoded


def packed(table: pa.Table, samples: int) -> npt.NDArray[np.uint64]:
    """The copies of each sample at each row, rows x words: 32 samples a word, the first in the lowest two bits, 3 not called."""
    words = np.zeros((len(table), gt_bytes(samples) // 8), dtype=np.uint64)
    dense = _dense_rows(table)
    if len(dense):
        words[dense] = _gt_matrix(table, samples)
    for name, number in (("one_copy", 1), ("two_copies", 2), ("no_call", MISSING)):
        offsets, values = _parts(table[name])
        _put_listed(offsets, values, np.uint64(number), words)
    return words


def states_with_marks(table: pa.Table, samples: int, haploid_sets: Sequence[Mask]) -> States:
    """The states of each sample at each row, rows x samples: copies and the marks HALF, HAPLOID and OTHER."""
    marked = states(table, samples)
    for name, mark in (("half_call", HALF), ("other_alt", OTHER)):
        at, who = _entries(table[name])
        marked[at, who] |= mark
    for row, number in enumerate(table["haploid_set"].to_pylist()):
        if number is not None:
            marked[row, haploid_sets[number]] |= HAPLOID
    return marked


def _dense_rows(table: pa.Table) -> npt.NDArray[np.intp]:
    return np.flatnonzero(table["gt"].is_valid().to_numpy(zero_copy_only=False))


def _gt_matrix(table: pa.Table, samples: int) -> npt.NDArray[np.uint64]:
    """The dense rows as (rows x words of 32 samples): a view, for null rows take no bytes."""
    column = table["gt"].combine_chunks()
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data.reshape(-1, gt_bytes(samples)).view("<u8")


def _pack(mask: Mask) -> npt.NDArray[np.uint64]:
    """The mask in the layout of a dense row: the low bit of each sample's two."""
    bits = np.zeros((gt_bytes(len(mask)) * 4, 2), dtype=np.uint8)
    bits[: len(mask), 0] = mask
    return np.packbits(bits, axis=None, bitorder="little").view("<u8")


def _parts(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Where the entries of each list begin, and one more; all entries."""
    lists = column.combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    if not len(lists):
        return np.zeros(1, dtype=np.int32), np.empty(0, dtype=np.int32)
    return lists.offsets.to_numpy(), lists.values.to_numpy(zero_copy_only=False)


def _entries(column: pa.ChunkedArray) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Row number and sample number of every entry of a list column."""
    offsets, values = _parts(column)
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), values[offsets[0] : offsets[-1]]


def _copies_under(table: pa.Table, mask: Mask) -> tuple[Ints, Ints, Ints]:
    """People of `mask` with one copy, with two, and with no call, at each row."""
    one, two, missing = (_listed(table[name], mask) for name in ("one_copy", "two_copies", "no_call"))
    dense = _dense_rows(table)
    if len(dense):
        counted = np.empty((len(dense), 3), dtype=np.int64)
        _count_dense(_gt_matrix(table, len(mask)), _pack(mask), counted)
        one[dense], two[dense], missing[dense] = counted.T
    return one, two, missing


def _listed(column: pa.ChunkedArray, mask: Mask) -> Ints:
    """How many entries of each list are in `mask`."""
    offsets, values = _parts(column)
    answer = np.zeros(len(offsets) - 1, dtype=np.int64)
    if offsets[-1] > offsets[0]:
        _count_listed(offsets, values, mask, answer)
    return answer


def _half_calls_with(table: pa.Table, half: Ints, mask: Mask) -> Ints:
    """Of the half-called people of `mask` at each row, how many carry the allele."""
    carrying = np.zeros_like(half)
    touched = np.flatnonzero(half)
    if len(touched):
        some = table.take(pa.array(touched))
        at, who = _entries(some["half_call"])
        with_it = (states(some, len(mask))[at, who] == 1) & mask[who]
        np.add.at(carrying, touched[at], with_it)
    return carrying


# -- Kernels ------------------------------------------------------------------------------------------------------------

_ONE = np.uint64(1)
_LOW = np.uint64(0x5555555555555555)


@njit(cache=True, nogil=True)
def _count_dense(words, people, counted):  # type: ignore[no-untyped-def]
    """One copy, two copies and no call at each dense row, for the people whose low bits are set in `people`."""
    for row in range(words.shape[0]):
        one, two, both = 0, 0, 0
        for i in range(words.shape[1]):
            low, high = words[row, i] & people[i], (words[row, i] >> _ONE) & people[i]
            one += ones(low & ~high)
            two += ones(high & ~low)
            both += ones(low & high)
        counted[row, 0], counted[row, 1], counted[row, 2] = one, two, both


@njit(cache=True, nogil=True)
def _count_listed(offsets, values, mask, answer):  # type: ignore[no-untyped-def]
    for row in range(offsets.size - 1):
        inside = 0
        for i in range(offsets[row], offsets[row + 1]):
            inside += mask[values[i]]
        answer[row] = inside


@njit(cache=True, nogil=True)
def _put_listed(offsets, values, number, words):  # type: ignore[no-untyped-def]
    for row in range(offsets.size - 1):
        for i in range(offsets[row], offsets[row + 1]):
            words[row, values[i] >> 5] |= number << np.uint64(2 * (values[i] & 31))


@njit(cache=True, nogil=True)
def _unpack(packed, rows, decoded):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        for who in range(decoded.shape[1]):
            decoded[rows[i], who] = (packed[i, who >> 2] >> np.uint8(2 * (who & 3))) & 3


@njit(cache=True, nogil=True)
def _count_copies(words, people):  # type: ignore[no-untyped-def]
    """How many people carry, over all dense rows."""
    total = 0
    for row in range(words.shape[0]):
        for i in range(words.shape[1]):
            total += ones((words[row, i] ^ (words[row, i] >> _ONE)) & people[i])
    return total


@njit(cache=True, nogil=True)
def _list_copies(  # type: ignore[no-untyped-def]
    row_of_dense, words, people, mask, one_at, one, two_at, two, at, who, number
):
    found = 0
    for row in range(row_of_dense.size):
        dense = row_of_dense[row]
        if dense >= 0:
            for i in range(words.shape[1]):
                bits = (words[dense, i] ^ (words[dense, i] >> _ONE)) & people[i]
                while bits:
                    place = lowest(bits)
                    bits &= bits - _ONE
                    at[found], who[found] = row, 32 * i + place // 2
                    number[found] = 1 if (words[dense, i] >> np.uint64(place)) & _ONE else 2
                    found += 1
            continue
        i, j, i_end, j_end = one_at[row], two_at[row], one_at[row + 1], two_at[row + 1]
        while i < i_end or j < j_end:  # both ascend: one after the other, the lower first
            first = j >= j_end or (i < i_end and one[i] < two[j])
            sample = one[i] if first else two[j]
            if mask[sample]:
                at[found], who[found], number[found] = row, sample, 1 if first else 2
                found += 1
            i, j = i + first, j + (not first)
    return found
