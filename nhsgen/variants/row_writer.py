"""Rows put in order and written: Parquet files of row groups, with an index of what each holds and what its bytes add up to.

A file of rows goes on from one chromosome to the very next; at any other step a new one begins. So a variant file may have its
chromosomes in whatever order (M first, or 1, 10, 11, ...), and its rows need only be laid in another order, not sorted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from isal import isal_zlib

from nhsgen import durable
from nhsgen.errors import BadFile
from nhsgen.genome import CHROMOSOMES, chromosome_order
from nhsgen.variants.genotypes import COUNTS
from nhsgen.variants.schema import COLUMNS
from nhsgen.variants.streams import Place

__all__ = ["MAY_BE_EMPTY", "ROW_GROUP", "Piece", "RowFiles", "RowWriter", "sorted_rows"]

ROW_GROUP = 4_000
"""Rows of a row group: as little as is read of a store."""


def sorted_rows(table: pa.Table) -> pa.Table:
    """By chromosome, position, REF, ALT and, for symbolic ALTs that share them, END."""
    rank, pos = _ranks(table), table["pos"].to_numpy()
    order = np.lexsort((pos, rank))
    rank, pos = rank[order], pos[order]
    tied = np.flatnonzero((rank[1:] == rank[:-1]) & (pos[1:] == pos[:-1]))
    if len(tied):
        rows = np.unique(np.concatenate([tied, tied + 1]))
        some = table.select(["ref", "alt", "end"]).take(pa.array(order[rows]))
        keys = list(
            zip(rank[rows].tolist(), pos[rows].tolist(), *(some[n].to_pylist() for n in some.column_names), strict=True)
        )
        order[rows] = order[rows][sorted(range(len(rows)), key=keys.__getitem__)]
    return table if np.array_equal(order, np.arange(len(order))) else table.take(pa.array(order))


def _ranks(table: pa.Table) -> npt.NDArray[np.int64]:
    """The order of the chromosome of each row."""
    encoded = table["chrom"].combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    names = encoded.dictionary.to_pylist()
    ranked = sorted(names, key=chromosome_order)
    places = np.array([ranked.index(name) for name in names] or [0], dtype=np.int64)
    ranks: npt.NDArray[np.int64] = places[encoded.indices.to_numpy()]
    return ranks


# -- Writing ------------------------------------------------------------------------------------------------------------

_DICTIONARY = [
    "chrom", "filter", "clinvar", "gene", "ref", "alt", "allele", "n_alleles",
    *(f"genes.list.element.{name}" for name in ("gene", "gene_id", "consequence", "impact", "transcript", "lof")),
]  # fmt: skip
_SPLIT, _DELTAS = "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED"
# As measured: sorted numbers as differences, others with their high bytes together.
_ENCODINGS = {
    "pos": _DELTAS, "end": _DELTAS,
    **dict.fromkeys((*COUNTS, "info_ac", "info_an", "af", "qual", "haploid_set"), _SPLIT),
    **{f"{name}.list.element": _SPLIT for name in ("one_copy", "two_copies", "no_call", "half_call", "other_alt")},
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A file of rows.

    index: its row groups, as `schema.INDEX` has them. contigs: chrom, alleles, first and last position of each, as they follow.
    in_order: of what was written; as_read: of what stands in the file.
    """

    path: Path
    rows: int
    index: list[dict[str, Any]]
    contigs: list[dict[str, Any]]
    in_order: bool
    as_read: bool
    sha256: str


@dataclass
class RowFiles:
    """Writes the rows of a part to as many files as its chromosomes need; the first is `path`."""

    path: Path
    source: int
    pieces: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._writer: RowWriter | None = None
        self._chrom = ""

    def add(self, table: pa.Table, place: Place) -> None:
        """Add rows as they stand in the source; `place` is where in it the batch they are of begins."""
        for chrom, run in _runs(table):
            if self._writer is not None and not self._goes_on(chrom):
                self._end()
            if self._writer is None:
                self._writer = RowWriter(self.path.with_suffix(f".{len(self.pieces)}.parquet"), self.source)
            self._chrom = chrom
            self._writer.add(run, place)

    def finish(self) -> list[Piece]:
        """The files, all written."""
        self._end()
        return self.pieces

    def _end(self) -> None:
        if self._writer is not None:
            self.pieces.append(self._writer.finish())
        self._writer = None

    def _goes_on(self, chrom: str) -> bool:
        """Whether `chrom` may follow in the same file; beyond so many files, that of rows out of order, anything may."""
        (rank, name), (next_rank, next_name) = chromosome_order(self._chrom), chromosome_order(chrom)
        others = len(CHROMOSOMES)
        follows = next_rank == rank + 1 if rank < others else next_rank == others and next_name > name
        return chrom == self._chrom or follows or len(self.pieces) >= _MOST_FILES


_MOST_FILES = 256


def _runs(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The stretches of one chromosome, in the order of the rows."""
    chrom = table["chrom"].combine_chunks()
    changes = np.flatnonzero(pc.not_equal(chrom[1:], chrom[:-1]).to_numpy(zero_copy_only=False)) + 1
    ends = [*changes.tolist(), len(table)]
    for first, last in pairwise([0, *ends]):
        if last > first:
            yield chrom[first].as_py(), table.slice(first, last - first)


@dataclass
class RowWriter:
    """Writes sorted rows to one Parquet file, and notes where each row group is and what it holds.

    Rows of the last position wait for more of the same: they are put in order together.
    """

    path: Path
    source: int
    index: list[dict[str, Any]] = field(default_factory=list)
    contigs: dict[str, dict[str, Any]] = field(default_factory=dict)
    in_order: bool = True  # as written
    as_read: bool = True  # in order, that is
    rows: int = 0
    _last: tuple[tuple[int, str], int] | None = None

    def __post_init__(self) -> None:
        self._waiting: pa.Table | None = None
        self._place: Place | None = None
        self._ready: list[tuple[pa.Table, Place]] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, table: pa.Table, place: Place) -> None:
        """Add rows; `place` is where in the source the batch they are of begins."""
        if not len(table):
            return
        waiting = [] if self._waiting is None else [self._waiting]
        together = pa.concat_tables([*waiting, table])
        ordered = sorted_rows(together)
        self.as_read &= _ascends(together)
        held = _same_place(ordered, ordered.slice(len(ordered) - 1))
        self._settle(ordered.slice(0, len(ordered) - held), self._place or place)
        self._waiting, self._place = ordered.slice(len(ordered) - held), place

    def finish(self) -> Piece:
        """Write what is left, close the file, and say what it is."""
        if self._waiting is not None and self._place is not None:
            self._settle(self._waiting, self._place)
        self._write(1)
        if self._writer is not None:
            self._writer.close()
            os.replace(self._beside, self.path)
        index = [entry | found for entry, found in zip(self.index, _checks_of(self.path), strict=True)]
        contigs, as_read = list(self.contigs.values()), self.as_read and self.in_order
        return Piece(self.path, self.rows, index, contigs, self.in_order, as_read, durable.hash_of(self.path))

    def _settle(self, table: pa.Table, place: Place) -> None:
        """Take rows in order that nothing can come between any more."""
        if not len(table):
            return
        self._check_twice(table)
        first, last = _starts(table), _starts(table.slice(len(table) - 1))
        self.in_order &= self._last is None or self._last < first
        self._last = last
        self._ready.append((table, place))
        self._write(ROW_GROUP)

    def _check_twice(self, table: pa.Table) -> None:
        """Structural variants of one kind may begin at one place; letters of DNA may not be listed twice."""
        if len(table) < 2:
            return
        same = np.ones(len(table) - 1, dtype=np.bool_)
        for name in ("pos", "chrom", "ref", "alt"):
            column = table[name].combine_chunks()
            same &= pc.equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
            if not same.any():
                return
        for row in np.flatnonzero(same).tolist():
            if table["alt"][row].as_py().isalpha():
                raise BadFile(
                    "making a variant store", f"the same variant is listed twice at {table['chrom'][row]}:{table['pos'][row]}",
                    "keep one of the two",
                )  # fmt: skip

    def _write(self, least: int) -> None:
        """Write row groups while at least `least` rows are ready."""
        while sum(len(table) for table, _ in self._ready) >= least:
            place, taken, room = self._ready[0][1], [], ROW_GROUP
            while room and self._ready:
                table, where = self._ready.pop(0)
                taken.append(table.slice(0, room))
                if len(table) > room:
                    self._ready.insert(0, (table.slice(room), where))
                room -= len(taken[-1])
            self._write_group(pa.concat_tables(taken).combine_chunks(), place)

    def _write_group(self, group: pa.Table, place: Place) -> None:
        if self._writer is None:
            # Beside its name until it is whole: a worker that was given up may still be writing.
            self._beside = self.path.with_suffix(f".{os.urandom(8).hex()}")
            self._writer = pq.ParquetWriter(
                self._beside, COLUMNS, compression="zstd", compression_level=3, write_page_checksum=True, store_schema=False,
                use_dictionary=_DICTIONARY, column_encoding=_ENCODINGS, write_statistics=["chrom", "pos", "end"],
            )  # fmt: skip
        self._writer.write_table(group, row_group_size=ROW_GROUP)
        self.index.append(_entry(group, len(self.index), self.source, place))
        self.rows += len(group)
        for chrom, first, last, rows in _stretches(group):
            contig = self.contigs.setdefault(chrom, {"chrom": chrom, "alleles": 0, "first": first, "last": last})
            contig["alleles"] += rows
            contig["first"], contig["last"] = min(contig["first"], first), max(contig["last"], last)


def _starts(table: pa.Table) -> tuple[tuple[int, str], int]:
    """The place of the first row, to be compared with others."""
    return chromosome_order(table["chrom"][0].as_py()), table["pos"][0].as_py()


def _ascends(table: pa.Table) -> bool:
    rank, pos = _ranks(table), table["pos"].to_numpy()
    return bool(((rank[1:] > rank[:-1]) | ((rank[1:] == rank[:-1]) & (pos[1:] >= pos[:-1]))).all())


def _same_place(table: pa.Table, last: pa.Table) -> int:
    """How many of the last rows have the position of the last."""
    same = (table["pos"].to_numpy() == last["pos"][0].as_py()) & pc.equal(table["chrom"], last["chrom"][0]).to_numpy()
    other = np.flatnonzero(~same)
    return len(table) - (int(other[-1]) + 1 if len(other) else 0)


def _stretches(group: pa.Table) -> list[tuple[str, int, int, int]]:
    """Chromosome, first and last position and rows of each chromosome of a sorted group."""
    encoded = group["chrom"].combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    numbers, pos = encoded.indices.to_numpy(), group["pos"].to_numpy()
    found = []
    for number, name in enumerate(encoded.dictionary.to_pylist()):
        these = pos[numbers == number]
        found.append((name, int(these.min()), int(these.max()), len(these)))
    return found


def _entry(group: pa.Table, number: int, source: int, place: Place) -> dict[str, Any]:
    effects = group["genes"].combine_chunks().flatten()
    genes = {name for part in ("gene", "gene_id") for name in effects.field(part).drop_null().unique().to_pylist()}
    pos = group["pos"].to_numpy()
    normal = group["normal"].drop_null().to_pylist()
    lowest = min([int(pos.min()), *(int(text.split("-", 1)[0]) for text in normal)])
    return {
        "part": 0, "group": number, "rows": len(group), "first_chrom": group["chrom"][0].as_py(),
        "last_chrom": group["chrom"][len(group) - 1].as_py(), "first_pos": lowest, "last_end": int(group["end"].to_numpy().max()),
        "empty": [name for name in MAY_BE_EMPTY if _is_empty(group[name])],
        "genes": sorted(genes), "source": source, "block": place[0], "within": place[1],
    }  # fmt: skip


MAY_BE_EMPTY = ("normal", "two_copies", "no_call", "gt", "half_call", "other_alt", "haploid_set")
"""Columns that need not be read where the index says that nothing is in them."""


def _is_empty(column: pa.ChunkedArray) -> bool:
    if column.null_count == len(column):
        return True
    return pa.types.is_list(column.type) and not column.null_count and not len(column.combine_chunks().flatten())


def _checks_of(path: Path) -> list[dict[str, list[int]]]:
    """Of every row group of a Parquet file, where the bytes of each column begin, how many they are, and their CRC-32."""
    described = pq.read_metadata(path)
    with durable.storage(f"reading {path.name}", path), path.open("rb") as file:
        found = []
        for group in range(described.num_row_groups):
            columns = described.row_group(group)
            spans = [_span(columns.column(number)) for number in range(columns.num_columns)]
            checks = []
            for start, size in spans:
                file.seek(start)
                checks.append(isal_zlib.crc32(file.read(size)))
            found.append(
                {"starts": [start for start, _ in spans], "sizes": [size for _, size in spans], "checks": checks}
            )
    return found


def _span(column: Any) -> tuple[int, int]:
    start = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset is not None:
        start = min(start, column.dictionary_page_offset)
    return start, column.total_compressed_size
