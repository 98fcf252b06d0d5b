"""A batch fed with lines of a VCF.

The fast kernels accept what is surely right. Whatever they mark is read again, slowly and exactly, by records.py, whose word
is final: it refuses the record, or finds it sound and perhaps notes something. What was noted once of an INFO or FORMAT field
is not looked at again, so that one habit of a file does not make all of it slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.variants.batches import Batch, Part, Report, WrongRecord
from nhsgen.variants.consequences import CLINVAR_INFO, Annotation
from nhsgen.variants.fixed_kernels import JUDGE, InfoTable, parse_fixed
from nhsgen.variants.headers import RESERVED_FORMAT, Header
from nhsgen.variants.packing import joined
from nhsgen.variants.records import Record, Wrong, read_fixed, read_record
from nhsgen.variants.rows import PLACEHOLDERS, Records, text_column
from nhsgen.variants.text_kernels import BAD_GENOTYPES, HIGHEST_ALLELE, WIDE, decode_genotypes
from nhsgen.variants.walking import Lines

__all__ = ["TextBatch", "info_roles"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

_MOST_FIELDS = 64
_COUNTED = ("AC", "AN", "END")
_PLACEHOLDER_LENGTHS = [len(alt) for alt in PLACEHOLDERS]


@dataclass
class _Formats:
    """What each FORMAT met so far says of the samples' columns; a row each, as decode_genotypes takes them."""

    header: Header
    numbers_of: dict[bytes, int] = field(default_factory=dict)
    plans: Ints = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    whole: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, _MOST_FIELDS), dtype=np.bool_))
    numbers: Ints = field(default_factory=lambda: np.zeros((0, _MOST_FIELDS), dtype=np.int64))

    def add(self, text: bytes) -> int:
        """The number of a FORMAT that was not met before."""
        names = text.decode("utf-8", "replace").split(":")
        # GT must be first, and no more fields than are planned for: otherwise records.py reads every line.
        readable = names[0] == "GT" and "GT" not in names[1:] and len(names) <= _MOST_FIELDS
        plan = [len(names) if readable else 0, *(names.index(name) if name in names else -1 for name in ("DP", "GQ"))]
        whole, numbers = np.zeros(_MOST_FIELDS, dtype=np.bool_), np.full(_MOST_FIELDS, -1, dtype=np.int64)
        for place, name in enumerate(names[:_MOST_FIELDS]):
            declared = self.header.formats.get(name) or RESERVED_FORMAT.get(name)
            if declared is not None and place:
                whole[place] = declared.type == "Integer"
                numbers[place] = {"A": -2, "R": -3, "G": -4}.get(
                    declared.number, int(declared.number) if declared.number.isdecimal() else -1
                )
        self.plans = np.concatenate([self.plans, [plan]])
        self.whole = np.concatenate([self.whole, [whole]])
        self.numbers = np.concatenate([self.numbers, [numbers]])
        self.numbers_of[text] = len(self.plans) - 1
        return len(self.plans) - 1

    def relax(self, number: int) -> None:
        """Its values but GT were judged and noted: they are not looked at again."""
        self.whole[number] = False
        self.numbers[number] = -1


class TextBatch(Batch):
    """Records of a VCF as they gather."""

    def __init__(self, part: Part, report: Report) -> None:
        super().__init__(part, report)
        self._formats = _Formats(part.header)
        self._met: set[str] = set()
        self._filters: set[str] = set()
        self._info = _info_table(part.header, part.annotation)

    def take(self, lines: Lines) -> None:
        """Add lines, no more than `lines_at_once`."""
        table, data = lines.table[lines.first : lines.last], lines.data
        before = len(self._contigs)
        if self._place is None:
            self._place = lines.buffer.place(int(table[0, 0]))
        odd = (table[:, 12] > 0) | (table[:, 11] > HIGHEST_ALLELE) | self._name_contigs(data, table)
        if self.samples:
            formats, new = self._number_formats(data, table)
            marks = self._decode(lines, formats)
            slow = (marks & (BAD_GENOTYPES | WIDE) > 0) | (table[:, 11] > HIGHEST_ALLELE)
            odd |= new | slow | (marks > 0)
        else:
            odd |= table[:, 8] <= table[:, 10]  # more than eight columns
        genotypes: dict[int, list[str]] = {}
        for line in np.flatnonzero(odd).tolist():
            noted = self.report.notes.kinds
            record = self._judge(data, table[line], lines.number + line)
            if self.samples and slow[line]:
                genotypes[line] = self._slowly(record, data[table[line, 0] : table[line, 10]].tobytes().decode())
            elif self.samples and marks[line] and self.report.notes.kinds > noted:
                self._formats.relax(int(formats[line]))
        fields = table[:, :9].copy()
        fields[:, 8] -= 1
        self._keep_text(data, table, fields, lines.number)
        if self.samples:
            self._pack(table[:, 11], genotypes, before)
            self._note_called(_short_alts(data, table), genotypes, before)

    def _name_contigs(self, data: Codes, table: Ints) -> Bools:
        """Name the contig of every line; where one is met for the first time."""
        new = np.zeros(len(table), dtype=np.bool_)
        for line, same in enumerate((table[:, 13] & 1).tolist()):
            if not same or line == 0:
                name = data[table[line, 0] : table[line, 1] - 1].tobytes().decode("utf-8", "replace")
                new[line] = name not in self._met
                self._met.add(name)
            self._contigs.append(name)
        return new

    def _number_formats(self, data: Codes, table: Ints) -> tuple[Ints, Bools]:
        """Number the FORMAT of every line; where one is met for the first time."""
        numbers, new = np.zeros(len(table), dtype=np.int64), np.zeros(len(table), dtype=np.bool_)
        number = 0
        for line, same in enumerate((table[:, 13] & 2).tolist()):
            if not same or line == 0:
                text = data[table[line, 8] : table[line, 9] - 1].tobytes()
                new[line] = text not in self._formats.numbers_of
                number = self._formats.add(text) if new[line] else self._formats.numbers_of[text]
            numbers[line] = number
        return numbers, new

    def _decode(self, lines: Lines, formats: Ints) -> Codes:
        """Write everybody's codes; the marks of the lines."""
        marks = np.zeros(lines.last - lines.first, dtype=np.uint8)
        # The kernel finds a line's format where it finds the line.
        by_line = np.zeros(lines.last, dtype=np.int64)
        by_line[lines.first :] = formats
        decode_genotypes(
            lines.data, lines.table, lines.first, lines.last, self.samples, by_line, self._formats.plans, self._formats.whole,
            self._formats.numbers, self.part.low_dp, self.part.low_gq, self._codes, marks,
        )  # fmt: skip
        return marks

    def _judge(self, data: Codes, line: Ints, number: int) -> Record:
        """Read one line exactly; WrongRecord when it is refused."""
        text = data[line[0] : line[10]].tobytes()
        if b"\0" in text:
            raise WrongRecord(number, "there is a NUL byte in it", "have it sent again")
        try:
            return read_record(number, text.decode("utf-8"), self.header, self.report.notes)
        except UnicodeDecodeError as error:
            raise WrongRecord(number, "a character is not UTF-8", "have the file saved as UTF-8") from error
        except Wrong as wrong:
            raise WrongRecord(number, wrong.found, wrong.do_next) from wrong

    def _parsed(self, text: Codes, fields: Ints, alts: Ints, numbers: Ints) -> Records:
        """The fixed columns of the batch, every marked record judged."""
        _check_text(text, fields, numbers)
        found = parse_fixed(text, fields, alts, self._info)
        self._mark_beyond(found)
        first = np.cumsum(alts) - alts
        for number in np.flatnonzero(found["mark"]).tolist():
            self._judge_fixed(text, fields[number], found, number, int(first[number]), int(numbers[number]))
        self._judge_filters(text, fields, numbers)
        return Records(
            text=text, contigs=self._contigs, ref=_span(fields, 3), id=_span(fields, 2), filter=_span(fields, 6),
            pos=found["pos"], end=found["end"], qual=found["qual"], an=found["an"], alts=alts,
            annotation=found["annotation"], clinvar=found["clinvar"], small=found["small"], alt=found["alt"],
            record=found["record"], ac=found["ac"], af=found["af"],
            packed=joined(self._packed) if self._packed else None, order=self._order(first),
        )  # fmt: skip

    def _judge_fixed(
        self, text: Codes, fields: Ints, found: Mapping[str, Any], number: int, row: int, line: int
    ) -> None:
        """Read one record's fixed columns exactly and put what they say in the place of what the kernel made of them."""
        noted = self.report.notes.kinds
        try:
            fixed = read_fixed(_columns(text, fields), self.header, self.report.notes, line)
        except Wrong as wrong:
            raise WrongRecord(line, wrong.found, wrong.do_next) from wrong
        if found["mark"][number] & JUDGE:
            self._put(found, number, row, fixed)
            start, end = found["blamed"][number].tolist()
            self._excuse(text[start:end].tobytes().decode(), self.report.notes.kinds > noted)
        else:
            self._put_frequencies(found, row, fixed)

    def _excuse(self, name: str, noted: bool) -> None:
        """Do not judge an INFO field again that no header declares, or that was noted; but those that are read, always."""
        if name and name not in _COUNTED and (noted or name not in self._info.keys):
            self._info = self._info.allowing(name)

    def _judge_filters(self, text: Codes, fields: Ints, numbers: Ints) -> None:
        """Read exactly the first record of each FILTER, for its notes."""
        distinct = text_column(text, _span(fields, 6)).dictionary_encode()
        indices = distinct.indices.to_numpy()
        for number, name in enumerate(distinct.dictionary.to_pylist()):
            if name not in self._filters:
                self._filters.add(name)
                record = int(np.argmax(indices == number))
                read_fixed(_columns(text, fields[record]), self.header, self.report.notes, int(numbers[record]))


def _info_table(header: Header, annotation: Annotation) -> InfoTable:
    """What the header declares of INFO, and what is read of it whether declared or not."""
    declared = {name: (field.type, field.number) for name, field in header.info.items()}
    return InfoTable.of(declared, info_roles(header, annotation))


def info_roles(header: Header, annotation: Annotation) -> dict[str, str]:
    """What the INFO fields that are read are read for, of those that the header declares."""
    roles = {name: name for name in _COUNTED} | dict.fromkeys(annotation.population, "population")
    roles[next((name for name in CLINVAR_INFO if name in header.info), CLINVAR_INFO[0])] = "clinvar"
    if annotation.kind:
        roles[annotation.field] = "annotation"
    return {name: role for name, role in roles.items() if name in header.info}


def _span(fields: Ints, number: int) -> Ints:
    """(start, end) of one of the fixed columns of each record; INFO is number 7."""
    end = fields[:, number + 1] if number == 7 else fields[:, number + 1] - 1
    return np.stack([fields[:, number], end], axis=1)


def _columns(text: Codes, fields: Ints) -> list[str]:
    spans = np.concatenate([_span(fields[None, :], number) for number in range(8)]).tolist()
    return [text[start:end].tobytes().decode() for start, end in spans]


def _check_text(text: Codes, fields: Ints, numbers: Ints) -> None:
    nul = np.flatnonzero(text[: fields[-1, 8]] == 0)
    if len(nul):
        record = int(np.searchsorted(fields[:, 0], nul[0], side="right")) - 1
        raise WrongRecord(int(numbers[record]), "there is a NUL byte in it", "have it sent again")
    try:
        text.tobytes().decode()
    except UnicodeDecodeError as error:
        record = int(np.searchsorted(fields[:, 0], error.start, side="right")) - 1
        raise WrongRecord(int(numbers[record]), "a character is not UTF-8", "have the file saved as UTF-8") from error


def _short_alts(data: Codes, table: Ints) -> dict[int, bytes]:
    """The ALT of each line whose ALT might stand for no allele."""
    lengths = table[:, 5] - 1 - table[:, 4]
    lines = np.flatnonzero((table[:, 11] == 0) | ((table[:, 11] == 1) & np.isin(lengths, _PLACEHOLDER_LENGTHS)))
    return {line: data[table[line, 4] : table[line, 5] - 1].tobytes() for line in lines.tolist()}
