"""From records to rows: each ALT of each record of a batch becomes a row of the store, all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from nhsgen.genome import chromosome
from nhsgen.variants.annotations import UnreadableAnnotation, read_block
from nhsgen.variants.consequences import Annotation
from nhsgen.variants.fixed_kernels import NOT_A_NUMBER
from nhsgen.variants.genotypes import COUNTS, GENOTYPE_COLUMNS
from nhsgen.variants.normalise import Reference, normalised
from nhsgen.variants.packing import Packed, tally
from nhsgen.variants.records import Wrong
from nhsgen.variants.schema import COLUMNS

__all__ = ["PLACEHOLDERS", "Records", "gathered", "nothing", "rows_of", "text_column"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

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
