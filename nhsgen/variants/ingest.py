"""From VCF and BCF files to a store: one row for each ALT allele, sorted, its genotypes packed, its effects typed.

A store is a folder of three files, the same bytes for the same input:

variants.parquet   one row an allele (`schema.COLUMNS`), in order of chromosome, position, REF, ALT
samples.parquet    number and name of each sample, and the numbers of the haploid sets it belongs to
store.json         what the two are, where they came from, and their sha256

It is built beside its place and appears whole or not at all.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nhsgen import durable
from nhsgen.errors import BadFile, BadInput, NotAllowed
from nhsgen.genome import Assembly, chromosome, chromosome_order, detect_assembly
from nhsgen.progress import track
from nhsgen.variants.consequences import Annotation, Effect, find_annotation
from nhsgen.variants.genotypes import GenotypeRows, GenotypeTexts, HaploidSets, column_arrays
from nhsgen.variants.reading import Header, Record, VariantFile, open_variants
from nhsgen.variants.schema import COLUMNS, EFFECT, SAMPLES, SCHEMA_VERSION

__all__ = ["ingest"]

ROW_GROUP = 1_000
_BATCH = 4_096
_SORT_IN_MEMORY = 250_000
"""Alleles of files out of order that are sorted in memory; more are refused."""


def ingest(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    assembly: Assembly | str | None = None,
    annotation: str | None = None,
    absence: Literal["reference", "unknown"] = "unknown",
) -> dict[str, Any]:
    """Read VCF or BCF files of the same samples into one new store at `out`; what it holds, as `VariantStore.info` says it.

    assembly: needed only where the headers do not tell; BadFile when they tell otherwise.
    annotation: "CSQ", "ANN" or "BCSQ"; BadFile when a file has none of that kind. Left out, whatever the files have is read.
    absence: what it means that a variant is not listed: "reference" for a joint call set, else "unknown".
    BadFile, with file and line, for whatever is wrong with a file; NotAllowed when `out` exists.
    """
    paths, target = [Path(file) for file in files], Path(out)
    if not paths:
        raise BadInput("making a variant store", "no files were given", "name one or more VCF or BCF files")
    if absence not in {"reference", "unknown"}:
        raise BadInput("making a variant store", f"absence '{absence}' is unknown", "say 'reference' or 'unknown'")
    if target.exists():
        raise _taken(target)
    with durable.building(target.parent) as room:
        build, scratch = room / "store", room / "scratch"
        build.mkdir()
        scratch.mkdir()
        info = _build(paths, build, scratch, _named(assembly), annotation, absence)
        if not durable.publish(build, target, last="store.json"):
            raise _taken(target)
    return info


def _named(assembly: Assembly | str | None) -> Assembly | None:
    try:
        return None if assembly is None else Assembly(assembly)
    except ValueError as error:
        raise BadInput(
            "making a variant store", f"the assembly '{assembly}' is unknown", f"say {' or '.join(Assembly)}"
        ) from error


def _taken(target: Path) -> NotAllowed:
    return NotAllowed("making a variant store", f"{target.name} is already there", "choose another place for the store")


def _build(
    paths: Sequence[Path], build: Path, scratch: Path, assembly: Assembly | None, annotation: str | None, absence: str
) -> dict[str, Any]:
    samples, known = _agree(paths, assembly)
    rows = _Rows(scratch)
    kinds = set()
    for path in paths:
        with open_variants(path) as file:
            reader = find_annotation(file.header.info, annotation, path.name)
            kinds.add(reader.kind)
            rows.read(file, reader)
    with durable.storage("writing the variants", build):
        contigs = _write_variants(rows.finish(), build / "variants.parquet")
        _write_samples(samples, rows.haploid_sets, build / "samples.parquet")
    info: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "assembly": str(known),
        "absence": absence,
        "annotation": "+".join(sorted(kind for kind in kinds if kind)) or None,
        "samples": len(samples),
        "records": rows.records,
        "records_without_alt": rows.records_without_alt,
        "alleles": sum(contig["alleles"] for contig in contigs),
        "contigs": contigs,
        "sources": [{"file": path.name, "sha256": durable.hash_of(path)} for path in paths],
        "options": {"annotation": annotation, "row_group": ROW_GROUP},
        "sha256": {name: durable.hash_of(build / name) for name in ("variants.parquet", "samples.parquet")},
    }
    with durable.storage("writing the store's description", build):
        (build / "store.json").write_text(json.dumps(info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return info


def _agree(paths: Sequence[Path], assembly: Assembly | None) -> tuple[tuple[str, ...], Assembly]:
    """The samples and the assembly that all files share, from their headers alone: a long read should not end in a quarrel."""
    samples: tuple[str, ...] | None = None
    for path in paths:
        with open_variants(path) as file:
            header = file.header
        samples = header.samples if samples is None else samples
        if header.samples != samples:
            same = set(header.samples) == set(samples)
            raise BadFile(
                "making one store of several files",
                "its samples stand in another order" if same else "its samples are not those of the first file",
                "put the samples in one order" if same else "make a store for each set of samples",
                file=path.name,
            )
        assembly = _assembly(path, header, assembly)
    if samples is None or assembly is None:
        raise BadInput(
            "making a variant store", "no header tells the assembly", "say assembly='GRCh37' or assembly='GRCh38'"
        )
    return samples, assembly


def _assembly(path: Path, header: Header, given: Assembly | None) -> Assembly | None:
    lengths = {name: length for name, length in header.contigs.items() if length is not None}
    found = detect_assembly(lengths, path.name)
    if found and given and found != given:
        raise BadFile(
            "checking the assembly",
            f"its contigs are those of {found}, not of {given}",
            "keep assemblies apart",
            file=path.name,
        )
    return found or given


# -- Reading: records become rows ---------------------------------------------------------------------------------------


_PLAIN: tuple[str, ...] = (
    "chrom", "pos", "end", "ref", "alt", "id", "qual", "filter", "allele", "n_alleles", "info_ac", "info_an", "af",
    "clinvar", *EFFECT.names, "genes",
)  # fmt: skip
"""The columns of a row that say what the allele is; the others say who has it."""


@dataclass
class _Batch:
    """Rows of one chromosome, in the order they were read."""

    genotypes: GenotypeRows
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _PLAIN})

    def __len__(self) -> int:
        return len(self.columns["pos"])

    def table(self) -> pa.Table:
        counts = self.genotypes.counts
        plain = {name: self.columns[name] for name in _PLAIN} | counts
        arrays = [pa.array(plain[name], COLUMNS.field(name).type) for name in COLUMNS.names if name in plain]
        return _sorted(pa.Table.from_arrays([*arrays, *column_arrays(self.genotypes)], schema=COLUMNS))


@dataclass(frozen=True)
class _Piece:
    """A batch on disk; sorted by where it begins, pieces follow each other unless the files were out of order."""

    path: Path
    place: tuple[tuple[int, str], int]
    last: int
    rows: int


class _Rows:
    """All rows of all files, on disk until they can be put in order."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.haploid_sets = HaploidSets()
        self.records = self.records_without_alt = 0
        self._texts = GenotypeTexts()
        self._pieces: list[_Piece] = []

    def read(self, file: VariantFile, annotation: Annotation) -> None:
        """Add the records of one file."""
        batch, contig, pos, done = self._new_batch(file), "", 0, set()
        for record in track(file.records, f"reading {file.path.name}"):
            self.records += 1
            self.records_without_alt += not record.alts
            if record.contig in done:
                raise file.wrong(record, "its chromosome was left and is met again", "sort the file with bcftools sort")
            # Rows of one position stay together, so that sorting a batch sorts the position.
            if record.contig != contig or (len(batch) >= _BATCH and record.pos != pos):
                self._keep(batch)
                batch = self._new_batch(file)
            if record.contig != contig:
                done.add(contig)
            contig, pos = record.contig, record.pos
            try:
                self._add(batch, record, annotation)
            except ValueError as error:
                raise file.wrong(record, str(error)) from error
        self._keep(batch)

    def finish(self) -> Iterator[pa.Table]:
        """The rows in order, in tables."""
        pieces = sorted(self._pieces, key=lambda piece: piece.place)
        apart = all(one.place[0] != other.place[0] or one.last < other.place[1] for one, other in pairwise(pieces))
        if apart:
            return (_load(piece) for piece in pieces)
        total = sum(piece.rows for piece in pieces)
        if total > _SORT_IN_MEMORY:
            raise BadFile(
                "putting the variants in order",
                f"the files are not sorted, and {total:,} alleles are too many to sort here",
                "sort them by position with bcftools sort",
            )
        return iter([_sorted(pa.concat_tables([_load(piece) for piece in pieces]))])

    def _new_batch(self, file: VariantFile) -> _Batch:
        return _Batch(GenotypeRows(len(file.header.samples), self.haploid_sets))

    def _keep(self, batch: _Batch) -> None:
        if not len(batch):
            return
        path = self.scratch / f"{len(self._pieces)}.arrow"
        chrom, positions = batch.columns["chrom"][0], batch.columns["pos"]
        with durable.storage("setting variants aside", path), pa.ipc.new_file(path, COLUMNS) as writer:
            writer.write_table(batch.table())
        self._pieces.append(_Piece(path, (chromosome_order(chrom), min(positions)), max(positions), len(batch)))

    def _add(self, batch: _Batch, record: Record, annotation: Annotation) -> None:
        """One row for each ALT of the record."""
        if not record.alts:
            return
        numbers = np.fromiter(
            map(self._texts.__getitem__, record.genotypes), dtype=np.int32, count=len(record.genotypes)
        )
        if self._texts.largest(np.unique(numbers).tolist()) > len(record.alts):
            raise ValueError(f"a genotype names an allele that the record, of {len(record.alts)} ALT, has not")
        claimed_ac = _claimed(record, "AC", len(record.alts))
        claimed_an = _claimed(record, "AN", 1)[0]
        notes = annotation.read(record.info, record.ref, record.alts, record.pos)
        for allele, (alt, (effects, frequency, clinvar)) in enumerate(zip(record.alts, notes, strict=True), 1):
            batch.genotypes.append(self._texts.states(allele)[numbers])
            worst = effects[0] if effects else None
            for name, value in {
                "chrom": chromosome(record.contig), "pos": record.pos, "end": record.end,
                "ref": record.ref, "alt": alt, "id": _nth(record.id, allele, len(record.alts)), "qual": record.qual,
                "filter": record.filter, "allele": allele, "n_alleles": len(record.alts),
                "info_ac": claimed_ac[allele - 1], "info_an": claimed_an, "af": frequency, "clinvar": clinvar,
                **{part: getattr(worst, part, None) for part in EFFECT.names},
                "genes": [_effect(effect) for effect in effects],
            }.items():  # fmt: skip
                batch.columns[name].append(value)


def _effect(effect: Effect) -> dict[str, str | None]:
    return {name: getattr(effect, name) for name in EFFECT.names}


def _nth(name: str | None, allele: int, alleles: int) -> str | None:
    """A record that has as many ids as ALTs names each of them (as 1000 Genomes does); else all ids are each one's."""
    ids = name.split(";") if name else []
    return ids[allele - 1] if len(ids) == alleles else name


def _claimed(record: Record, name: str, values: int) -> list[int | None]:
    """A count that the file claims in INFO; None where it claims nothing."""
    if name not in record.info:
        return [None] * values
    texts = record.info[name].split(",")
    if texts == ["."]:
        return [None] * values
    if len(texts) != values:
        raise ValueError(f"INFO {name} has {len(texts)} values where {values} are due")
    if any(text != "." and not (text.isascii() and text.isdecimal() and len(text) < 11) for text in texts):
        raise ValueError(f"INFO {name} is not a whole number")
    return [None if text == "." else int(text) for text in texts]


# -- Writing ------------------------------------------------------------------------------------------------------------


def _load(piece: _Piece) -> pa.Table:
    with pa.memory_map(str(piece.path)) as source:
        return pa.ipc.open_file(source).read_all()


def _sorted(table: pa.Table) -> pa.Table:
    """By chromosome, position, REF, ALT and, for symbolic ALTs that share them, END."""
    chroms = table["chrom"].to_pylist()
    order = sorted(
        range(len(table)),
        key=list(
            zip(
                map(chromosome_order, chroms),
                *(table[name].to_pylist() for name in ("pos", "ref", "alt", "end")),
                strict=True,
            )
        ).__getitem__,
    )
    return table.take(pa.array(order, pa.int64()))


def _write_variants(tables: Iterable[pa.Table], path: Path) -> list[dict[str, Any]]:
    """Write the rows in groups of `ROW_GROUP`; what each contig holds."""
    contigs: dict[str, dict[str, Any]] = {}
    before: tuple[Any, ...] = ()
    with pq.ParquetWriter(
        path, COLUMNS, compression="zstd", compression_level=6, write_page_checksum=True, store_schema=False,
        use_dictionary=_DICTIONARY,
    ) as writer:  # fmt: skip
        for table in _grouped(tables):
            for row in zip(*(table[name].to_pylist() for name in ("chrom", "pos", "ref", "alt")), strict=True):
                # Structural variants of one kind may begin at one place; letters of DNA may not be listed twice.
                if row == before and row[3].isalpha():
                    raise BadFile(
                        "making a variant store",
                        f"the same variant is listed twice at {row[0]}:{row[1]}",
                        "keep one of the two",
                    )
                before = row
                contig = contigs.setdefault(row[0], {"chrom": row[0], "alleles": 0, "first": row[1]})
                contig["alleles"] += 1
                contig["last"] = row[1]
            writer.write_table(table, row_group_size=ROW_GROUP)
    return list(contigs.values())


_DICTIONARY = [
    "chrom", "filter", "clinvar", *EFFECT.names, *(f"genes.list.element.{name}" for name in EFFECT.names),
]  # fmt: skip


def _grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `ROW_GROUP` rows, the last one shorter."""
    waiting = COLUMNS.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while len(waiting) >= ROW_GROUP:
            yield waiting.slice(0, ROW_GROUP).combine_chunks()
            waiting = waiting.slice(ROW_GROUP)
    if len(waiting):
        yield waiting.combine_chunks()


def _write_samples(names: Sequence[str], haploid_sets: HaploidSets, path: Path) -> None:
    belongs = [[number for number, those in enumerate(haploid_sets.sets) if those[who]] for who in range(len(names))]
    table = pa.table([list(range(len(names))), list(names), belongs], schema=SAMPLES)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True, store_schema=False)
