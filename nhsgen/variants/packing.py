"""From codes to columns: everybody's genotypes at one allele counted, and packed into few bytes.

One pass over a row counts the people in each state (genotypes.py says what a state is); a second writes the row, sparse or
dense, whichever is smaller. Both look only at people who are not homozygous reference: a rare variant costs by its carriers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from nhsgen.variants.genotypes import (
    COUNTS,
    GENOTYPE_COLUMNS,
    HALF,
    HAPLOID,
    MISSING,
    NO_SECOND,
    OTHER,
    gt_bytes,
    state,
)
from nhsgen.variants.masks import equal_mask, lowest
from nhsgen.variants.text_kernels import ABSENT, HIGHEST_ALLELE, HOM_REF

__all__ = ["STATES", "HaploidSets", "Packed", "joined", "pack", "pack_states", "tally"]

Codes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

STATES = 32
"""How many states there are, used or not."""

_ONE = np.uint64(1)
_ALL_HOM_REF = np.uint32(0x01010101 * HOM_REF)


def _state(code: int, allele: int) -> int:
    first, second = (code & 15) - 1, code >> 4
    return state(first, NO_SECOND if second == ABSENT else second - 1, allele)


# The state of every code at every allele that a code can hold; row 0 is not used.
STATE_OF = np.array(
    [[_state(code, allele) for code in range(256)] for allele in range(HIGHEST_ALLELE + 1)], dtype=np.uint8
)

_LISTS = ("one_copy", "two_copies", "no_call", "half_call", "other_alt")


@dataclass(frozen=True)
class Packed:
    """Genotype columns of some rows, as numpy arrays.

    counts: (rows x STATES) people in each state.
    dense: for each row, whether `gt` holds it; gt: the dense rows' bytes, one row after the other.
    lists: sample numbers by list column, row after row; how many a row has follows from its counts.
    haploid_set: for each row the number of its set, -1 for none.
    """

    samples: int
    counts: Ints
    dense: Mask
    gt: npt.NDArray[np.uint8]
    lists: tuple[npt.NDArray[np.int32], ...]
    haploid_set: npt.NDArray[np.int32]

    def arrays(self) -> list[pa.Array]:
        """As Arrow columns, in the order of `GENOTYPE_COLUMNS`."""
        lengths = _lengths(self.counts, self.dense)
        columns: dict[str, pa.Array] = {}
        for place, name in enumerate(_LISTS):
            offsets = np.zeros(len(self.dense) + 1, dtype=np.int32)
            np.cumsum(lengths[:, place], out=offsets[1:])
            absent = pa.array(self.dense) if place < 3 else None
            columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(self.lists[place]), mask=absent)
        ends = np.zeros(len(self.dense) + 1, dtype=np.int32)
        np.cumsum(np.where(self.dense, gt_bytes(self.samples), 0), out=ends[1:])
        valid = pa.array(self.dense).buffers()[1]
        columns["gt"] = pa.Array.from_buffers(
            pa.binary(), len(self.dense), [valid, pa.py_buffer(ends), pa.py_buffer(self.gt)]
        )
        columns["haploid_set"] = pa.array(self.haploid_set, mask=self.haploid_set < 0)
        return [columns[name] for name in GENOTYPE_COLUMNS.names]


def joined(packed: Sequence[Packed]) -> Packed:
    """The rows of all, one after the other; of at least one."""
    return Packed(
        packed[0].samples,
        np.concatenate([one.counts for one in packed]),
        np.concatenate([one.dense for one in packed]),
        np.concatenate([one.gt for one in packed]),
        tuple(np.concatenate([one.lists[place] for one in packed]) for place in range(len(_LISTS))),
        np.concatenate([one.haploid_set for one in packed]),
    )


def tally(n: Ints) -> dict[str, Ints]:
    """People of each kind, and alleles, from (rows x STATES) people in each state; the names are those of `COUNTS`."""
    half, haploid = n[:, HALF] + n[:, HALF | 1], n[:, HAPLOID] + n[:, HAPLOID | 1]
    full = n[:, 0] + n[:, 1] + n[:, 2] + n[:, OTHER]
    counted = {
        "hom_ref": n[:, 0], "het": n[:, 1], "hom_alt": n[:, 2], "other": n[:, OTHER],
        "missing": n[:, MISSING] + n[:, MISSING | HAPLOID], "half": half, "haploid": haploid, "hemizygous": n[:, HAPLOID | 1],
        "ac": n[:, 1] + 2 * n[:, 2] + n[:, HALF | 1] + n[:, HAPLOID | 1], "an": 2 * full + half + haploid,
    }  # fmt: skip
    return {name: counted[name] for name in COUNTS}


def _lengths(counts: Ints, dense: Mask) -> Ints:
    """How many entries each row has in each of `_LISTS`."""
    one = counts[:, 1] + counts[:, HALF | 1] + counts[:, HAPLOID | 1]
    none = counts[:, MISSING] + counts[:, MISSING | HAPLOID]
    lists = np.stack([one, counts[:, 2], none, counts[:, HALF] + counts[:, HALF | 1], counts[:, OTHER]], axis=1)
    lists[:, :3][dense] = 0
    return lists


def _is_dense(counts: Ints, samples: int) -> Mask:
    """Whether 2 bits a sample are smaller than lists of numbers of 4 bytes."""
    listed = samples - counts[:, 0] - counts[:, HALF] - counts[:, HAPLOID] - counts[:, OTHER]
    dense: Mask = 4 * listed > gt_bytes(samples)
    return dense


def pack(codes: Codes, lines: Ints, alleles: Ints, samples: int, haploid_sets: "HaploidSets") -> Packed:
    """Pack one row for each pair of a line of `codes` and an allele.

    codes: (lines x width), width a multiple of 64 and the bytes beyond `samples` HOM_REF.
    lines, alleles: for each row, its line and which ALT of it, from 1 to HIGHEST_ALLELE.
    """
    counts = np.zeros((len(lines), STATES), dtype=np.int64)
    _count_states(codes, lines, alleles, samples, STATE_OF, counts)
    return _written(codes, lines, alleles, STATE_OF, counts, samples, haploid_sets)


def pack_states(states: Codes, haploid_sets: "HaploidSets") -> Packed:
    """Pack rows of states, one for each sample: what codes cannot hold, the slow way."""
    samples = states.shape[1]
    counts = np.stack([np.bincount(row, minlength=STATES) for row in states]).astype(np.int64)
    # The same writer, with a table in which each state stands for itself; no state has HOM_REF's number.
    codes = np.full((len(states), -(-samples // 64) * 64), HOM_REF, dtype=np.uint8)
    codes[:, :samples] = np.where(states == 0, HOM_REF, states)
    itself = np.arange(256, dtype=np.uint8)
    itself[HOM_REF] = 0
    lines = np.arange(len(states))
    return _written(codes, lines, np.zeros_like(lines), itself[None, :], counts, samples, haploid_sets)


def _written(
    codes: Codes, lines: Ints, alleles: Ints, state_of: Codes, counts: Ints, samples: int, haploid_sets: "HaploidSets"
) -> Packed:
    dense = _is_dense(counts, samples)
    lengths = _lengths(counts, dense)
    offsets = np.zeros((len(lines) + 1, len(_LISTS)), dtype=np.int64)
    np.cumsum(lengths, axis=0, out=offsets[1:])
    lists = tuple(np.empty(total, dtype=np.int32) for total in offsets[-1])
    row_bytes = gt_bytes(samples)
    gt = np.zeros(int(dense.sum()) * row_bytes, dtype=np.uint8)
    _write_rows(codes, lines, alleles, state_of, samples, dense, row_bytes, gt, offsets, *lists)
    numbers = np.full(len(lines), -1, dtype=np.int32)
    haploid = np.flatnonzero(counts[:, [HAPLOID, HAPLOID | 1]].any(axis=1))
    haploid_sets.number(codes, lines[haploid], alleles[haploid], state_of, numbers, haploid)
    return Packed(samples, counts, dense, gt, lists, numbers)


class HaploidSets:
    """The distinct sets of samples that are haploid somewhere, each kept once.

    A man without a call at one place is still a man: sets that differ only in people without a call there are the same.
    """

    def __init__(self, samples: int) -> None:
        self._table = np.zeros((4, samples), dtype=np.uint8)
        self.count = 0

    @property
    def table(self) -> Codes:
        """(sets x samples): 1 where a sample belongs to the set."""
        return self._table[: self.count]

    def number(
        self, codes: Codes, lines: Ints, alleles: Ints, state_of: Codes, numbers: npt.NDArray[np.int32], rows: Ints
    ) -> None:
        """Write the number of the set of each row into `numbers[rows]`."""
        begin = 0
        while begin < len(rows):
            begin = _number_sets(codes, lines, alleles, state_of, self._table, self.count, numbers, rows, begin)
            if begin < len(rows):
                states = state_of[alleles[begin], codes[lines[begin], : self._table.shape[1]]]
                if self.count == len(self._table):
                    self._table = np.concatenate([self._table, np.zeros_like(self._table)])
                self._table[self.count] = (states & HAPLOID) != 0
                self.count += 1


# -- Kernels ------------------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _count_states(codes, lines, alleles, samples, state_of, counts):  # type: ignore[no-untyped-def]
    for row in range(lines.size):
        line, allele, seen = lines[row], alleles[row], 0
        for i in range(0, samples, 64):
            bits = ~equal_mask(codes[line], i, _ALL_HOM_REF)
            while bits:
                counts[row, state_of[allele, codes[line, i + lowest(bits)]]] += 1
                bits &= bits - _ONE
                seen += 1
        counts[row, 0] += samples - seen


@njit(cache=True, nogil=True)
def _write_rows(  # type: ignore[no-untyped-def]
    codes,
    lines,
    alleles,
    state_of,
    samples,
    dense,
    row_bytes,
    gt,
    offsets,
    one_copy,
    two_copies,
    no_call,
    half_call,
    other_alt,
):
    place = 0
    for row in range(lines.size):
        line, allele = lines[row], alleles[row]
        one, two, none, half, other = offsets[row]
        for i in range(0, samples, 64):
            bits = ~equal_mask(codes[line], i, _ALL_HOM_REF)
            while bits:
                who = i + lowest(bits)
                bits &= bits - _ONE
                state = state_of[allele, codes[line, who]]
                copies = state & 3
                if dense[row]:
                    gt[place + (who >> 2)] |= copies << np.uint8(2 * (who & 3))
                elif copies == 1:
                    one_copy[one] = who
                    one += 1
                elif copies == 2:
                    two_copies[two] = who
                    two += 1
                elif copies == 3:
                    no_call[none] = who
                    none += 1
                if state & HALF:
                    half_call[half] = who
                    half += 1
                elif state & OTHER:
                    other_alt[other] = who
                    other += 1
        if dense[row]:
            place += row_bytes


@njit(cache=True, nogil=True)
def _number_sets(codes, lines, alleles, state_of, table, count, numbers, rows, begin):  # type: ignore[no-untyped-def]
    """Number rows from `begin` on; the first that matches no set, or how many rows there are."""
    for at in range(begin, lines.size):
        found = -1
        for number in range(count - 1, -1, -1):
            same = True
            for who in range(table.shape[1]):
                state = state_of[alleles[at], codes[lines[at], who]]
                if (state & 3) != MISSING and ((state & HAPLOID) != 0) != (table[number, who] != 0):
                    same = False
                    break
            if same:
                found = number
                break
        if found < 0:
            return at
        numbers[rows[at]] = found
    return lines.size
