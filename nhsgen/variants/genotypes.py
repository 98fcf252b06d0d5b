"""The genotype columns: people's genotypes at one allele, packed into few bytes, and counted again under a mask.

At one ALT allele a person's genotype is a *state* of one byte: the copies of that allele in the low two bits (3 when nothing
was called), and above them what kind of zero or one it is (`HALF`, `HAPLOID`, `OTHER`). States become columns in one of two
forms, whichever is smaller for the row:

sparse   `one_copy`, `two_copies`, `no_call`: lists of sample numbers, ascending; `gt` is null
dense    `gt`: 2 bits a sample, the first sample lowest (0, 1, 2 copies; 3 nothing called), padded with 0 to 8 bytes; no lists

and in both forms the exceptions, which are few:

half_call   one of two alleles was called (./1, 0/.): it counts in AN as one; ./1 is also in one_copy
other_alt   both were called, none is this allele, one at least is another ALT of the record: not homozygous reference
haploid_set the number of the set of samples that have one allele here (X and Y of men, mitochondria); null for nobody
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = [
    "COUNTS",
    "GENOTYPE_COLUMNS",
    "GenotypeRows",
    "GenotypeTexts",
    "HaploidSets",
    "column_arrays",
    "copies",
    "count",
    "gt_bytes",
    "states",
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

# -- From text to states ------------------------------------------------------------------------------------------------

_GT = re.compile(r"[/|]?(\.|\d+)(?:[/|](\.|\d+))?")
_NO_CALL = re.compile(r"[/|]?\.([/|]\.)*")
_ABSENT = -2


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
            self._tables[allele] = np.array([_state(*pair, allele) for pair in self._alleles], dtype=np.uint8)
        return self._tables[allele]


def _alleles(text: str) -> tuple[int, int]:
    """The two alleles of a GT; -1 for one not called, and -2 in the second place when there is only one.

    >>> _alleles("0|1"), _alleles("./1"), _alleles("1"), _alleles("./.")
    ((0, 1), (-1, 1), (1, -2), (-1, -1))
    """
    if _NO_CALL.fullmatch(text):
        return (-1, -1) if len(text) > 1 else (-1, _ABSENT)
    match = _GT.fullmatch(text)
    if match is None:
        raise ValueError("not a genotype of one or two alleles")
    first, second = match.groups()
    return (-1 if first == "." else int(first)), (_ABSENT if second is None else -1 if second == "." else int(second))


def _state(first: int, second: int, allele: int) -> int:
    copies = (first == allele) + (second == allele)
    if first < 0 and second < 0:
        return MISSING | (HAPLOID if second == _ABSENT else 0)
    if second == _ABSENT:
        return copies | HAPLOID
    if first < 0 or second < 0:
        return copies | HALF
    return copies | (OTHER if not copies and (first or second) else 0)


class HaploidSets:
    """The distinct sets of samples that are haploid somewhere, each kept once.

    A man without a call at one place is still a man: sets that differ only in people without a call there are the same.
    """

    def __init__(self) -> None:
        self.sets: list[Mask] = []

    def number(self, row: States) -> int:
        """The number of the set at this row, where somebody is haploid."""
        called = (row & _COPIES) != MISSING
        haploid = (row & HAPLOID) != 0
        for number in range(len(self.sets) - 1, -1, -1):
            if not ((self.sets[number] ^ haploid) & called).any():
                return number
        self.sets.append(haploid)
        return len(self.sets) - 1


# -- From states to columns ---------------------------------------------------------------------------------------------


@dataclass
class GenotypeRows:
    """Rows of genotype columns, growing."""

    samples: int
    haploid_sets: HaploidSets
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in GENOTYPE_COLUMNS.names})
    counts: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in COUNTS})

    def append(self, row: States) -> None:
        """Add one row of states, one for each sample, with its counts."""
        counts = _tally(np.bincount(row, minlength=32).tolist())
        for name, value in counts.items():
            self.counts[name].append(value)
        listed = counts["ac"] - counts["hom_alt"] + counts["missing"]
        dense = 4 * listed > gt_bytes(self.samples)
        copies = row & _COPIES
        self.columns["one_copy"].append(None if dense else np.flatnonzero(copies == 1))
        self.columns["two_copies"].append(None if dense else np.flatnonzero(copies == 2))
        self.columns["no_call"].append(None if dense else np.flatnonzero(copies == MISSING))
        self.columns["gt"].append(_pack(copies) if dense else None)
        self.columns["half_call"].append(np.flatnonzero(row & HALF) if counts["half"] else _NOBODY)
        self.columns["other_alt"].append(np.flatnonzero(row & OTHER) if counts["other"] else _NOBODY)
        self.columns["haploid_set"].append(self.haploid_sets.number(row) if counts["haploid"] else None)


_NOBODY: Ints = np.empty(0, dtype=np.int64)


def _tally(n: Sequence[int]) -> dict[str, int]:
    """People of each kind, and alleles, from the number of people in each state."""
    half, haploid = n[HALF] + n[HALF | 1], n[HAPLOID] + n[HAPLOID | 1]
    full = n[0] + n[1] + n[2] + n[OTHER]
    return {
        "hom_ref": n[0], "het": n[1], "hom_alt": n[2], "other": n[OTHER], "missing": n[MISSING] + n[MISSING | HAPLOID],
        "half": half, "haploid": haploid, "hemizygous": n[HAPLOID | 1],
        "ac": n[1] + 2 * n[2] + n[HALF | 1] + n[HAPLOID | 1], "an": 2 * full + half + haploid,
    }  # fmt: skip


def gt_bytes(samples: int) -> int:
    """The length of one dense row: 2 bits a sample, padded to 8 bytes.

    >>> gt_bytes(32), gt_bytes(33)
    (8, 16)
    """
    return -(-samples // 32) * 8


def _pack(copies: npt.NDArray[Any]) -> bytes:
    padded = np.zeros(gt_bytes(len(copies)) * 4, dtype=np.uint8)
    padded[: len(copies)] = copies
    four = padded.reshape(-1, 4)
    packed: bytes = (four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6).tobytes()
    return packed


def column_arrays(rows: GenotypeRows) -> list[pa.Array]:
    """The rows as Arrow columns, in the order of `GENOTYPE_COLUMNS`."""
    return [
        _list_array(rows.columns[name.name]) if name.type == _LIST else pa.array(rows.columns[name.name], name.type)
        for name in GENOTYPE_COLUMNS
    ]


def _list_array(lists: Sequence[Ints | None]) -> pa.Array:
    lengths = [0 if numbers is None else len(numbers) for numbers in lists]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = np.concatenate([_NOBODY, *(numbers for numbers in lists if numbers is not None)]).astype(np.int32)
    empty = pa.array([numbers is None for numbers in lists], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=empty)


# -- From columns to answers --------------------------------------------------------------------------------------------


def count(table: pa.Table, mask: Mask, haploid_sets: Sequence[Mask]) -> dict[str, Ints]:
    """For each row of `table`, the people of `mask` of each kind, and their alleles; the names are those of `COUNTS`.

    mask: one truth for each sample. Each person of the mask is counted once:
    hom_ref + het + hom_alt + other + missing + half + haploid is the size of the mask.
    """
    one, two, missing = _copies_under(table, mask)
    half, half_with = _half_calls(table, mask)
    haploid, hemizygous = np.zeros_like(one), np.zeros_like(one)
    numbers = table["haploid_set"].to_numpy(zero_copy_only=False)
    for number in np.unique(numbers[~np.isnan(numbers)]) if len(numbers) else ():
        at = np.flatnonzero(numbers == number)
        these = mask & haploid_sets[int(number)]
        of_one, _, of_none = _copies_under(table.take(pa.array(at)), these)
        haploid[at], hemizygous[at] = these.sum() - of_none, of_one
    other = _sum_lists(table["other_alt"], mask)
    het = one - half_with - hemizygous
    hom_ref = mask.sum() - missing - het - two - other - half - haploid
    return {
        "hom_ref": hom_ref, "het": het, "hom_alt": two, "other": other, "missing": missing, "half": half,
        "haploid": haploid, "hemizygous": hemizygous,
        "ac": one + 2 * two, "an": 2 * (hom_ref + het + two + other) + half + haploid,
    }  # fmt: skip


def copies(table: pa.Table, mask: Mask) -> tuple[Ints, Ints, Ints]:
    """Who carries: row number, sample number and copies (1 or 2), for the people of `mask`, by row and then by sample."""
    found = [(*_entries(table[name], mask), number) for name, number in (("one_copy", 1), ("two_copies", 2))]
    dense = _dense_rows(table)
    for piece in np.array_split(dense, max(1, len(dense) // 256)):
        decoded = states(table.take(pa.array(piece)), len(mask))
        for number in (1, 2):
            at, who = np.nonzero((decoded == number) & mask)
            found.append((piece[at], who, number))
    rows = np.concatenate([at for at, _, _ in found])
    people = np.concatenate([who for _, who, _ in found])
    number_of = np.concatenate([np.full(len(at), number, dtype=np.int64) for at, _, number in found])
    order = np.lexsort((people, rows))
    return rows[order], people[order], number_of[order]


def states(table: pa.Table, samples: int) -> States:
    """The copies of each sample at each row, rows x samples: 0, 1, 2, or 3 where nothing was called."""
    decoded = np.zeros((len(table), samples), dtype=np.uint8)
    everyone = np.ones(samples, dtype=bool)
    for name, number in (("one_copy", 1), ("two_copies", 2), ("no_call", MISSING)):
        at, who = _entries(table[name], everyone)
        decoded[at, who] = number
    dense = _dense_rows(table)
    if len(dense):
        packed = _gt_matrix(table, samples).view(np.uint8)
        decoded[dense] = ((packed[:, :, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3).reshape(len(dense), -1)[
            :, :samples
        ]
    return decoded


def _dense_rows(table: pa.Table) -> npt.NDArray[np.intp]:
    return np.flatnonzero(table["gt"].is_valid().to_numpy(zero_copy_only=False))


def _gt_matrix(table: pa.Table, samples: int) -> npt.NDArray[np.uint64]:
    """The dense rows as (rows x words of 32 samples)."""
    column = table["gt"].combine_chunks()
    # Null rows take no bytes, so the dense rows lie one after the other: a view, not a copy.
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    data = np.frombuffer(column.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data.reshape(-1, gt_bytes(samples)).view("<u8")


def _copies_under(table: pa.Table, mask: Mask) -> tuple[Ints, Ints, Ints]:
    """People of `mask` with one copy, with two, and with no call, at each row."""
    one, two, missing = (_sum_lists(table[name], mask) for name in ("one_copy", "two_copies", "no_call"))
    dense = _dense_rows(table)
    if len(dense):
        words = _gt_matrix(table, len(mask))
        people = np.frombuffer(_pack(mask), dtype="<u8")
        low, high = words & people, (words >> np.uint64(1)) & people
        both = low & high
        for answer, bits in ((one, low ^ both), (two, high ^ both), (missing, both)):
            answer[dense] = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    return one, two, missing


def _half_calls(table: pa.Table, mask: Mask) -> tuple[Ints, Ints]:
    """Half-called people of `mask` at each row, and how many of them carry the allele."""
    half = _sum_lists(table["half_call"], mask)
    carrying = np.zeros_like(half)
    touched = np.flatnonzero(half)
    if len(touched):
        some = table.take(pa.array(touched))
        at, who = _entries(some["half_call"], mask)
        np.add.at(carrying, touched[at], states(some, len(mask))[at, who] == 1)
    return half, carrying


def _entries(column: pa.ChunkedArray, mask: Mask) -> tuple[Ints, Ints]:
    """Row number and sample number of every entry of a list column that is in `mask`."""
    lists = column.combine_chunks()
    lengths = np.nan_to_num(lists.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    who = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    at = np.repeat(np.arange(len(lists)), lengths)
    return at[mask[who]], who[mask[who]]


def _sum_lists(column: pa.ChunkedArray, mask: Mask) -> Ints:
    """How many entries of each list are in `mask`."""
    at, _ = _entries(column, mask)
    return np.bincount(at, minlength=len(column)).astype(np.int64)
