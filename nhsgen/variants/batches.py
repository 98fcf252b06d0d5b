"""Records as they gather: genotypes packed at once, fixed columns waiting until there are enough of them to be read together.

A batch is fed by text_batch.py or bcf_batch.py, which know how the bytes of a record are read; here is what both do with it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nhsgen import durable
from nhsgen.genome import chromosome
from nhsgen.variants.consequences import Annotation
from nhsgen.variants.fixed_kernels import JUDGE, NOT_A_NUMBER
from nhsgen.variants.genotypes import GenotypeTexts
from nhsgen.variants.headers import Header, Notes
from nhsgen.variants.normalise import Reference
from nhsgen.variants.packing import HaploidSets, Packed, pack, pack_states
from nhsgen.variants.records import NOT_CALLED, Fixed, Record, Wrong, claimed
from nhsgen.variants.row_writer import Piece, RowFiles
from nhsgen.variants.rows import PLACEHOLDERS, Records, gathered, rows_of
from nhsgen.variants.schema import BLOCKS
from nhsgen.variants.streams import Place
from nhsgen.variants.text_kernels import HAPLOID_REF, HOM_REF, PADDING
from nhsgen.variants.walking import Lines, Stretch

__all__ = ["Batch", "Part", "Report", "Words", "WrongRecord"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_CODES_AT_ONCE = 4 << 20
_RECORDS, _TEXT, _PACKED = 8_192, 16 << 20, 32 << 20
"""A batch is full at so many records, bytes of text, or bytes of genotypes."""
_LAST_POSITION = 2**31 - 1
_NO_ALLELE = {b"", b".", *(alt.encode() for alt in PLACEHOLDERS)}


@dataclass(frozen=True)
class Words:
    """What the numbers in a BCF mean.

    words: of FILTER, INFO and FORMAT, "" for a number that is not used. contigs: their names. text: the header itself.
    """

    words: tuple[str, ...]
    contigs: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Part:
    """What a worker is asked to read, and how.

    source: number of the file among those of the store. out: where the rows go; blocks go beside it.
    low_dp, low_gq: a genotype with a lower DP or GQ is no call; -1 for no limit.
    reference: a FASTA file to write keys by. words: of a BCF; None for a VCF.
    """

    stretch: Stretch
    source: int
    header: Header
    annotation: Annotation
    out: Path
    low_dp: int = -1
    low_gq: int = -1
    reference: Path | None = None
    words: Words | None = None


@dataclass
class Report:
    """What a worker did. Lines and notes count from 1 at the part's first record.

    pieces: the files of rows that it wrote.
    haploid_sets: bits, one row a set (numpy.packbits); the rows' haploid_set are numbers of these.
    begin, end: of a part of a BCF, how many bytes behind the place where it (or the next part) begins its first record (or the
    next part's) stands; None where there is none.
    """

    records: int = 0
    without_alt: int = 0
    notes: Notes = field(default_factory=Notes)
    pieces: list[Piece] = field(default_factory=list)
    haploid_sets: npt.NDArray[np.uint8] | None = None
    blocks: int = 0
    begin: int | None = None
    end: int | None = None


class WrongRecord(Exception):
    """A record that is refused; `number` counts from 1 at the part's first record, None when no record is to blame."""

    def __init__(self, number: int | None, found: str, do_next: str) -> None:
        self.number, self.found, self.do_next = number, found, do_next
        super().__init__(found)

    def __reduce__(self) -> tuple[type["WrongRecord"], tuple[int | None, str, str]]:
        return WrongRecord, (self.number, self.found, self.do_next)


class Batch(ABC):
    """Records as they gather; `take` them in, `flush_when_full`, `finish`."""

    def __init__(self, part: Part, report: Report) -> None:
        self.part, self.report, self.header = part, report, part.header
        self.samples = len(part.header.samples)
        width = -(-self.samples // 64) * 64
        self.lines_at_once = max(1, min(2_048, _CODES_AT_ONCE // max(1, width)))
        self.haploid_sets = HaploidSets(self.samples)
        self.writer = RowFiles(part.out, part.source)
        self._codes = np.full((self.lines_at_once, width), HOM_REF, dtype=np.uint8)
        self._reference = None if part.reference is None else Reference.open(part.reference)
        self._blocks = _Blocks()
        self._begin()

    def _begin(self) -> None:
        """An empty batch."""
        self._text: list[Codes] = []
        self._size = self._packed_size = 0
        self._fields: list[Ints] = []
        self._alts: list[Ints] = []
        self._numbers: list[Ints] = []
        self._contigs: list[str] = []
        self._packed: list[Packed] = []
        self._pairs: list[Ints] = []  # record of the batch and allele of each packed row
        self._called: dict[int, Ints | None] = {}
        self._place: Place | None = None

    @abstractmethod
    def take(self, lines: Lines) -> None:
        """Add records, no more than `lines_at_once`."""

    @abstractmethod
    def _parsed(self, text: Codes, fields: Ints, alts: Ints, numbers: Ints) -> Records:
        """The fixed columns of the batch, every marked record judged."""

    def _keep_text(self, data: Codes, table: Ints, fields: Ints, number: int) -> None:
        """Keep the fixed part of each record, table columns 0 to 8; `fields` are places in `data` to find again in it."""
        starts, ends = table[:, 0], table[:, 8]
        moved = self._size + np.cumsum(ends - starts) - (ends - starts) - starts
        self._text.append(gathered(data, table[:, [0, 8]]))
        self._fields.append(fields + moved[:, None])
        self._alts.append(table[:, 11].copy())
        self._numbers.append(np.arange(number, number + len(table)))
        self._size += int((ends - starts).sum())
        self.report.records += len(table)

    # -- Genotypes --------------------------------------------------------------------------------------------------

    def _pack(self, alts: Ints, genotypes: Mapping[int, list[str]], before: int) -> None:
        """Pack a row for each ALT of each line, those of lines read slowly last."""
        per_line = alts.copy()
        per_line[list(genotypes)] = 0
        lines = np.repeat(np.arange(len(alts)), per_line)
        alleles = np.arange(len(lines)) - np.repeat(np.cumsum(per_line) - per_line, per_line) + 1
        if len(lines):
            self._keep(pack(self._codes, lines, alleles, self.samples, self.haploid_sets), lines + before, alleles)
        for line, texts in genotypes.items():
            if alts[line]:
                seen = GenotypeTexts()
                numbers = np.fromiter(map(seen.__getitem__, texts), dtype=np.int64, count=self.samples)
                alleles = np.arange(1, int(alts[line]) + 1)
                states = np.stack([seen.states(int(allele))[numbers] for allele in alleles])
                self._keep(pack_states(states, self.haploid_sets), np.full(len(alleles), line + before), alleles)

    def _keep(self, packed: Packed, records: Ints, alleles: Ints) -> None:
        self._packed.append(packed)
        self._pairs.append(np.stack([records, alleles], axis=1))
        self._packed_size += len(packed.gt) + sum(4 * len(one) for one in packed.lists)

    def _slowly(self, record: Record, line: str) -> list[str]:
        """The GT of everybody, not called where DP or GQ is below its limit, of a record that kernels cannot hold; `line`: its text."""
        texts = list(record.genotypes) or [NOT_CALLED] * self.samples
        limits = (("DP", self.part.low_dp), ("GQ", self.part.low_gq))
        lows = [(record.formats.index(name), low) for name, low in limits if low > 0 and name in record.formats]
        for who, column in enumerate(line.split("\t")[9:] if lows else ()):
            values = column.split(":")
            given = [(values[place], low) for place, low in lows if place < len(values)]
            if any(text.isascii() and text.isdecimal() and int(text[:10]) < low for text, low in given):
                texts[who] = NOT_CALLED if re.search("[/|]", texts[who][1:]) else "."
        return texts

    def _note_called(self, alts: Mapping[int, bytes], genotypes: Mapping[int, list[str]], before: int) -> None:
        """Of lines that name no allele, who is homozygous reference there: None for everybody.

        alts: the ALT of each line that has no more than one that might be none.
        """
        for line, alt in alts.items():
            if alt in _NO_ALLELE and line not in genotypes:
                codes = self._codes[line, : self.samples]
                called = (codes == HOM_REF) | (codes == HAPLOID_REF)
                self._called[before + line] = None if called.all() else np.flatnonzero(called)

    # -- Batches ----------------------------------------------------------------------------------------------------

    def flush_when_full(self) -> None:
        if len(self._contigs) >= _RECORDS or self._size >= _TEXT or self._packed_size >= _PACKED:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and complete the report."""
        self._flush()
        report = self.report
        report.pieces = self.writer.finish()
        if self.samples:
            report.haploid_sets = np.packbits(self.haploid_sets.table, axis=1)
        report.blocks = self._blocks.write(self.part.out.with_suffix(".blocks"))

    def _flush(self) -> None:
        if not self._contigs:
            return
        text = np.concatenate([*self._text, np.zeros(PADDING, dtype=np.uint8)])
        fields, alts, numbers = (np.concatenate(each) for each in (self._fields, self._alts, self._numbers))
        records = self._parsed(text, fields, alts, numbers)
        self.report.without_alt += int((records.alts == 0).sum())
        for number, called in self._called.items():
            self._blocks.add(records.contigs[number], int(records.pos[number]), int(records.end[number]), called)
        place = self._place
        if len(records.record) and place is not None:
            try:
                self.writer.add(rows_of(records, self.part.annotation, self._reference), place)
            except Wrong as wrong:
                raise WrongRecord(None, wrong.found, wrong.do_next) from wrong
        self._begin()

    def _order(self, first: Ints) -> Ints:
        """Of each packed row, which row of the batch it is."""
        if not self._pairs:
            return np.zeros(0, dtype=np.int64)
        pairs = np.concatenate(self._pairs)
        order: Ints = first[pairs[:, 0]] + pairs[:, 1] - 1
        return order

    def _mark_beyond(self, found: Mapping[str, Any]) -> None:
        """Mark the records that reach beyond their contig."""
        lengths = {name: self.header.contigs.get(name) or _LAST_POSITION - 1 for name in set(self._contigs)}
        last = np.array([lengths[name] for name in self._contigs]) + 1
        found["mark"][(found["pos"] > last) | (found["end"] > last)] |= JUDGE

    def _put(self, found: Mapping[str, Any], number: int, row: int, fixed: Fixed) -> None:
        """Put what a judged record says in the place of what a kernel made of it."""
        rows = slice(row, row + len(fixed.alts))
        found["pos"][number], found["end"][number] = fixed.pos, fixed.end
        found["qual"][number] = np.nan if fixed.qual is None else fixed.qual
        counts = claimed(fixed.info, "AC", len(fixed.alts)) if fixed.alts else []
        found["ac"][rows] = [NOT_A_NUMBER if count is None else count for count in counts]
        total = claimed(fixed.info, "AN", 1)[0] if fixed.alts else None
        found["an"][number] = NOT_A_NUMBER if total is None else total
        self._put_frequencies(found, row, fixed)

    def _put_frequencies(self, found: Mapping[str, Any], row: int, fixed: Fixed) -> None:
        of_info = Annotation(population=self.part.annotation.population)
        said = of_info.read(fixed.info, fixed.ref, fixed.alts, fixed.pos)
        rows = slice(row, row + len(fixed.alts))
        found["af"][rows] = [np.nan if frequency is None else frequency for _, frequency, _ in said]


class _Blocks:
    """Stretches where people are homozygous reference, as a gVCF tells them; neighbours that tell the same are one."""

    def __init__(self) -> None:
        self._rows: list[list[Any]] = []

    def add(self, contig: str, pos: int, end: int, called: Ints | None) -> None:
        if called is not None and not len(called):
            return
        last = self._rows[-1] if self._rows else None
        if last is not None and last[0] == contig and last[2] + 1 == pos and _same(last[3], called):
            last[2] = end
        else:
            self._rows.append([contig, pos, end, called])

    def write(self, path: Path) -> int:
        """How many there are; where there are none, there is no file."""
        if self._rows:
            contigs, pos, end, called = zip(*self._rows, strict=True)
            table = pa.table([[chromosome(contig) for contig in contigs], pos, end, called], schema=BLOCKS)
            with durable.storage("setting blocks aside", path):
                pq.write_table(table, path, compression="zstd", store_schema=False)
        return len(self._rows)


def _same(one: Ints | None, other: Ints | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)
