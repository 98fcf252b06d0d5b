"""The last step of an ingest: files of rows laid in order, and what stands beside them in a store.

Files whose stretches of the genome lie apart are laid one behind the other as they are, whatever order they came in. Those that
overlap, for their records were out of order, are sorted together in memory, up to a limit.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nhsgen import durable
from nhsgen.errors import BadFile
from nhsgen.genome import chromosome_order
from nhsgen.variants.batches import Part, Report
from nhsgen.variants.row_writer import Piece, RowWriter, sorted_rows
from nhsgen.variants.schema import BLOCKS, INDEX, SAMPLES
from nhsgen.variants.store_files import footer_check

__all__ = ["Stored", "is_sorted", "put_in_order"]

SORT_IN_MEMORY = 250_000
"""Alleles out of order that are sorted together; more are refused."""

_Spot = tuple[tuple[int, str], int]


@dataclass
class Stored:
    """The files of the store as they come to their places."""

    build: Path
    samples: int
    parts: list[dict[str, Any]] = field(default_factory=list)
    index: list[dict[str, Any]] = field(default_factory=list)
    contigs: list[dict[str, Any]] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    sets: dict[bytes, int] = field(default_factory=dict)  # bits of each haploid set, and its number

    def __post_init__(self) -> None:
        (self.build / "variants").mkdir()

    def add(self, piece: Piece, haploid_sets: Sequence[int]) -> None:
        """Move a file of rows to its place, behind those that are there; its haploid sets by the store's numbers."""
        number = len(self.parts)
        name = f"variants/{number:05d}.parquet"
        path = self.build / name
        shutil.move(piece.path, path)
        self.hashes[name] = piece.sha256
        said = {"file": name, "bytes": path.stat().st_size, "rows": piece.rows, "footer": footer_check(path)}
        self.parts.append(said | {"haploid_sets": list(haploid_sets)})
        # What was put in order here cannot be looked up by where it was.
        moved: dict[str, Any] = {} if piece.as_read else {"source": -1}
        self.index.extend(entry | {"part": number} | moved for entry in piece.index)
        for contig in piece.contigs:
            if self.contigs and self.contigs[-1]["chrom"] == contig["chrom"]:
                self.contigs[-1] |= {"alleles": self.contigs[-1]["alleles"] + contig["alleles"], "last": contig["last"]}
            else:
                self.contigs.append(dict(contig))

    def numbers(self, report: Report) -> list[int]:
        """The store's number of each haploid set of a part."""
        rows = [] if report.haploid_sets is None else [row.tobytes() for row in report.haploid_sets]
        return [self.sets.setdefault(row, len(self.sets)) for row in rows]

    def write(self, names: Sequence[str], reports: Sequence[Report], parts: Sequence[Part]) -> None:
        """Write what stands beside the rows."""
        belongs = np.zeros((len(self.sets), self.samples), dtype=np.uint8)
        for row, number in self.sets.items():
            belongs[number] = np.unpackbits(np.frombuffer(row, dtype=np.uint8), count=self.samples)
        samples = pa.table(
            [range(len(names)), list(names), [np.flatnonzero(column) for column in belongs.T] or []], schema=SAMPLES
        )
        self._table("samples.parquet", samples)
        self._table("index.parquet", pa.Table.from_pylist(self.index, schema=INDEX))
        blocks = [
            pq.read_table(part.out.with_suffix(".blocks"))
            for part, report in zip(parts, reports, strict=True)
            if report.blocks
        ]
        if blocks:
            self._table("blocks.parquet", _sorted_blocks(pa.concat_tables(blocks)))

    def _table(self, name: str, table: pa.Table) -> None:
        pq.write_table(table, self.build / name, compression="zstd", write_page_checksum=True, store_schema=False)
        self.hashes[name] = durable.hash_of(self.build / name)


def _sorted_blocks(table: pa.Table) -> pa.Table:
    chroms, pos = table["chrom"].to_pylist(), table["pos"].to_pylist()
    order = sorted(range(len(table)), key=lambda row: (chromosome_order(chroms[row]), pos[row]))
    return table.take(pa.array(order, pa.int64())).cast(BLOCKS)


def is_sorted(reports: Sequence[Report]) -> bool:
    """Whether the records of a file stood in order: every chromosome met once, and its positions ascending."""
    pieces = [piece for report in reports for piece in report.pieces]
    runs = [(contig["chrom"], contig["first"], contig["last"]) for piece in pieces for contig in piece.contigs]
    met: set[str] = set()
    for (chrom, _, last), (other, first, _) in pairwise(runs):
        met |= {chrom} if other != chrom else set()
        if other in met or (other == chrom and first <= last):
            return False
    return all(piece.as_read for piece in pieces)


def put_in_order(reports: Sequence[Report], stored: Stored) -> None:
    """Give every file of rows its place in the store."""
    pieces = [(piece, stored.numbers(report)) for report in reports for piece in report.pieces]
    for together in _overlapping(pieces):
        if len(together) == 1 and together[0][0].in_order:
            stored.add(*together[0])
        else:
            stored.add(_sorted(together), range(len(stored.sets)))


def _overlapping(pieces: Sequence[tuple[Piece, list[int]]]) -> Iterator[list[tuple[Piece, list[int]]]]:
    """The files in order of where they begin, those that reach into each other together."""
    group: list[tuple[Piece, list[int]]] = []
    reached: _Spot | None = None
    for piece, numbers in sorted(pieces, key=lambda each: _extent(each[0])):
        first, last = _extent(piece)
        if reached is not None and first > reached:
            yield group
            group, reached = [], None
        group.append((piece, numbers))
        reached = last if reached is None else max(reached, last)
    if group:
        yield group


def _extent(piece: Piece) -> tuple[_Spot, _Spot]:
    """The lowest place that it has rows of, and the highest."""
    ranked = [(chromosome_order(contig["chrom"]), contig) for contig in piece.contigs]
    return min((rank, contig["first"]) for rank, contig in ranked), max(
        (rank, contig["last"]) for rank, contig in ranked
    )


def _sorted(pieces: Sequence[tuple[Piece, list[int]]]) -> Piece:
    total = sum(piece.rows for piece, _ in pieces)
    if total > SORT_IN_MEMORY:
        raise BadFile(
            "putting the variants in order",
            f"the files are not sorted, and {total:,} alleles are too many to sort here",
            "sort them by position with bcftools sort",
        )
    writer = RowWriter(pieces[0][0].path.with_suffix(".sorted"), -1)
    tables = [_renumbered(pq.read_table(piece.path), numbers) for piece, numbers in pieces]
    writer.add(sorted_rows(pa.concat_tables(tables)), (-1, 0))
    return writer.finish()


def _renumbered(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """The haploid sets of a part by the store's numbers."""
    place = table.column_names.index("haploid_set")
    column: npt.NDArray[np.float64] = table["haploid_set"].to_numpy()
    if not len(numbers):
        return table
    known = ~np.isnan(column.astype(np.float64))
    new = np.zeros(len(column), dtype=np.int32)
    new[known] = np.array(numbers, dtype=np.int32)[column[known].astype(np.int64)]
    return table.set_column(place, table.schema.field(place), pa.array(new, mask=~known))
