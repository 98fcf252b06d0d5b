"""From lines to rows: the records of a part gathered into batches, each ALT a row, and written in row groups.

Genotypes are packed line by line as they come; the fixed columns wait as text until a batch of records is together, for what
is done to many at once costs each of them little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from isal import isal_zlib
from numba import njit

from nhsgen import durable
from nhsgen.errors import BadFile
from nhsgen.genome import chromosome, chromosome_order
from nhsgen.variants.annotations import UnreadableAnnotation, read_block
from nhsgen.variants.consequences import Annotation
from nhsgen.variants.fixed_kernels import NOT_A_NUMBER
from nhsgen.variants.genotypes import COUNTS, GENOTYPE_COLUMNS
from nhsgen.variants.normalise import Reference, normalised
from nhsgen.variants.packing import Packed, tally
from nhsgen.variants.records import Wrong
from nhsgen.variants.schema import COLUMNS
from nhsgen.variants.streams import Place

__all__ = [
    "PLACEHOLDERS",
    "ROW_GROUP",
    "Records",
    "RowWriter",
    "checks_of",
    "gathered",
    "nothing",
    "rows_of",
    "sorted_rows",
    "text_column",
]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

ROW_GROUP = 4_000
"""Rows of a row group: as little as is read of a store."""

PLACEHOLDERS = ("<NON_REF>", "<*>")
"""ALTs that stand for "whatever else may be": they are no allele, and have no row."""


@dataclass
class Records:
    """The fixed columns of a batch of records, and their genotypes packed.

    text: bytes that the spans point into. contigs: the file's name for each record's contig.
    (start, end) in text: ref, id, filter (a "." is nothing) of each record, alt of each row, annotation and clinvar of each record.
    pos, end 1-based and closed; qual nan where there is none; an, ac NOT_A_NUMBER where nothing is claimed; af nan where unknown.
    record: of each row, its record; allele: which ALT of it, from 1. alts: of each record, how many.
    order: of each packed row, the row of the batch that it belongs to.
    """

    text: Bytes
    contigs: Sequence[str]
    ref: Ints
    id: Ints
    filter: Ints
    pos: Ints
    end: Ints
    qual: npt.NDArray[np.float64]
    an: Ints
    alts: Ints
    annotation: Ints
    clinvar: Ints
    small: npt.NDArray[np.uint8]
    alt: Ints
    record: Ints
    ac: Ints
    af: npt.NDArray[np.float64]
    packed: Packed | None
    order: Ints


@njit(cache=True, nogil=True)
def _gather(text, spans, out, offsets):  # type: ignore[no-untyped-def]
    at = 0
    for i in range(spans.shape[0]):
        offsets[i] = at
        for j in range(spans[i, 0], spans[i, 1]):
            out[at] = text[j]
            at += 1
    offsets[spans.shape[0]] = at


def gathered(text: Bytes, spans: Ints) -> Bytes:
    """The bytes of each (start, end), one after the other."""
    return _gathered(text, spans)[0]


def _gathered(text: Bytes, spans: Ints) -> tuple[Bytes, npt.NDArray[np.int32]]:
    size = int((spans[:, 1] - spans[:, 0]).sum())
    out, offsets = np.empty(size, dtype=np.uint8), np.empty(len(spans) + 1, dtype=np.int32)
    _gather(text, np.ascontiguousarray(spans), out, offsets)
    return out, offsets


_TEXT = pa.string()


def text_column(
    text: Bytes, spans: Ints, mask: npt.NDArray[np.bool_] | None = None, kind: pa.DataType = _TEXT
) -> pa.Array:
    """The bytes of each (start, end) as a column of strings, or of plain bytes; null where `mask` is true."""
    out, offsets = _gathered(text, spans if mask is None else np.where(mask[:, None], 0, spans))
    valid = None if mask is None else pa.array(~mask).buffers()[1]
    return pa.Array.from_buffers(kind, len(spans), [valid, pa.py_buffer(offsets), pa.py_buffer(out)])


def _is_dot(text: Bytes, spans: Ints) -> npt.NDArray[np.bool_]:
    length = spans[:, 1] - spans[:, 0]
    dots: npt.NDArray[np.bool_] = (length <= 1) & ((length == 0) | (text[np.minimum(spans[:, 0], len(text) - 1)] == 46))
    return dots


def rows_of(records: Records, annotation: Annotation, reference: Reference | None) -> pa.Table:
    """One row for each ALT of the records, in the columns of the store, in the order of the file.

    Wrong, with the number of the record, when an annotation is not text.
    """
    text, record = records.text, records.record
    refs, alts = text_column(text, records.ref), text_column(text, records.alt)
    if records.small.any():
        refs = pc.ascii_upper(refs)
        letters = pc.match_substring_regex(alts, r"^[A-Za-z*]+$")
        alts = pc.if_else(letters, pc.ascii_upper(alts), alts)
    first = np.concatenate([[0], np.cumsum(records.alts)])
    try:
        shape, shapes = _shapes(records, first, refs, alts, bool(annotation.kind))
        starts, ends = records.annotation.T
        notes = read_block(annotation, text, starts, ends, records.pos, shape, shapes)
    except UnreadableAnnotation as error:
        raise Wrong("a character of the annotation is not UTF-8", "have the file saved as UTF-8") from error
    at = pa.array(record)
    allele = np.arange(len(record)) - first[record] + 1
    names = {contig: chromosome(contig) for contig in dict.fromkeys(records.contigs)}
    row_refs = refs.take(at)
    columns: dict[str, Any] = {
        "chrom": pa.array([names[contig] for contig in records.contigs]).take(at),
        "pos": records.pos[record],
        "end": records.end[record],
        "ref": row_refs,
        "alt": alts,
        "normal": _normal(records, names, row_refs, alts, reference),
        "id": _ids(records, first, at, allele),
        "qual": pa.array(records.qual, mask=np.isnan(records.qual)).take(at),
        "filter": text_column(text, records.filter, _is_dot(text, records.filter)).take(at),
        "allele": allele,
        "n_alleles": records.alts[record],
        "info_ac": pa.array(records.ac, mask=records.ac == NOT_A_NUMBER),
        "info_an": pa.array(records.an, mask=records.an == NOT_A_NUMBER).take(at),
        "af": _highest(records.af, notes.af),
        "clinvar": pc.coalesce(notes.clinvar, _clinvar(text, records.clinvar).take(at)),
        "gene": _first_gene(notes.genes),
        "genes": notes.genes,
    }
    genotypes = _genotypes(records)
    arrays = []
    for column in COLUMNS:
        value = genotypes[column.name] if column.name in genotypes else columns[column.name]
        arrays.append((value if isinstance(value, pa.Array) else pa.array(value)).cast(column.type))
    return _without_placeholders(pa.Table.from_arrays(arrays, schema=COLUMNS))


def _shapes(
    records: Records, first: Ints, refs: pa.StringArray, alts: pa.StringArray, in_words: bool
) -> tuple[Ints, list[tuple[str, tuple[str, ...]]]]:
    """Which REF and ALTs each record has, of the distinct ones; without `in_words` only how many ALTs they are matters."""
    if not in_words:
        counts, shape = np.unique(records.alts, return_inverse=True)
        return shape, [("N", ("N",) * count) for count in counts.tolist()]
    lists = pa.ListArray.from_arrays(pa.array(first.astype(np.int32)), alts)
    written = pc.binary_join_element_wise(refs, pc.binary_join(lists, ","), ",").dictionary_encode()
    distinct = [tuple(text.split(",")) for text in written.dictionary.to_pylist()]
    shapes = [(ref, () if alts == ("",) else alts) for ref, *rest in distinct for alts in [tuple(rest)]]
    return written.indices.to_numpy().astype(np.int64), shapes


def _genotypes(records: Records) -> dict[str, pa.Array]:
    """The genotype columns and the counts of every row, in the order of the batch."""
    packed = records.packed
    if packed is None:
        empty = {name: pa.array(np.zeros(len(records.record), dtype=np.int32)) for name in COUNTS}
        lists = GENOTYPE_COLUMNS.empty_table()
        return empty | {
            name: nothing(lists.schema.field(name).type, len(records.record)) for name in lists.column_names
        }
    counted = {name: pa.array(value) for name, value in tally(packed.counts).items()}
    found = counted | dict(zip(GENOTYPE_COLUMNS.names, packed.arrays(), strict=True))
    if np.array_equal(records.order, np.arange(len(records.order))):
        return found
    back = pa.array(np.argsort(records.order, kind="stable"))
    return {name: column.take(back) for name, column in found.items()}


def nothing(kind: pa.DataType, rows: int) -> pa.Array:
    """A column of nulls, or of empty lists."""
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(pa.array(np.zeros(rows + 1, dtype=np.int32)), pa.array([], kind.value_type))
    return pa.nulls(rows, kind)


def _ids(records: Records, first: Ints, at: pa.Array, allele: Ints) -> pa.Array:
    """A record that has as many ids as ALTs names each of them (as 1000 Genomes does); else all ids are each one's."""
    ids = text_column(records.text, records.id, _is_dot(records.text, records.id))
    taken = ids.take(at)
    several = np.flatnonzero(np.diff(first)[records.record] > 1)
    if not len(several):
        return taken
    texts = taken.to_pylist()
    for row in several.tolist():
        parts = texts[row].split(";") if texts[row] else []
        if len(parts) == records.alts[records.record[row]]:
            texts[row] = parts[allele[row] - 1]
    return pa.array(texts, pa.string())


def _clinvar(text: Bytes, spans: Ints) -> pa.Array:
    known = spans[:, 1] > spans[:, 0]
    column = text_column(text, spans, ~known)
    distinct = column.dictionary_encode()
    words = pa.array([unquote(word) for word in distinct.dictionary.to_pylist()], pa.string())
    return words.take(distinct.indices)


def _highest(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> pa.Array:
    highest = np.fmax(one, other)
    return pa.array(highest, mask=np.isnan(highest))


def _first_gene(genes: pa.ListArray) -> pa.Array:
    """The gene of the worst effect that is on one; null where none is."""
    offsets, names = genes.offsets.to_numpy(), genes.values.field("gene")
    on_gene = np.flatnonzero(names.is_valid().to_numpy(zero_copy_only=False))
    first = np.searchsorted(on_gene, offsets[:-1])
    found = np.append(on_gene, len(names))[first]
    return names.take(pa.array(found, mask=found >= offsets[1:]))


def _normal(
    records: Records, names: dict[str, str], refs: pa.StringArray, alts: pa.StringArray, reference: Reference | None
) -> pa.Array:
    """The normal form of each allele where it differs from what is written; BadFile where REF is not the reference's.

    Without a reference only an allele of several bases on both sides can differ.
    """
    pos = records.pos[records.record]
    rows = np.arange(len(pos)) if reference is not None else np.flatnonzero(
        (pc.binary_length(refs).to_numpy() > 1) & (pc.binary_length(alts).to_numpy() > 1)
    )  # fmt: skip
    texts: list[str | None] = [None] * len(pos)
    contigs = np.array([names[contig] for contig in records.contigs])[records.record]
    for contig in np.unique(contigs[rows]).tolist():
        these = rows[contigs[rows] == contig]
        as_is = refs.take(pa.array(these)).to_pylist(), alts.take(pa.array(these)).to_pylist()
        found = normalised(contig, pos[these], *as_is, reference)
        written = zip(pos[these].tolist(), *as_is, strict=True)
        for row, before, after in zip(
            these.tolist(), written, zip(found[0].tolist(), *found[1:], strict=True), strict=True
        ):
            if after != before:
                texts[row] = "-".join(map(str, after))
    return pa.array(texts, pa.string())


def _without_placeholders(table: pa.Table) -> pa.Table:
    held = pc.is_in(table["alt"], pa.array(PLACEHOLDERS))
    return table.filter(pc.invert(held)) if pc.any(held).as_py() else table


# -- Order --------------------------------------------------------------------------------------------------------------


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

    def finish(self) -> None:
        """Write what is left and close the file."""
        if self._waiting is not None and self._place is not None:
            self._settle(self._waiting, self._place)
        self._write(1)
        if self._writer is not None:
            self._writer.close()

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
            self._writer = pq.ParquetWriter(
                self.path, COLUMNS, compression="zstd", compression_level=3, write_page_checksum=True, store_schema=False,
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


def checks_of(path: Path) -> list[dict[str, list[int]]]:
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
