"""A batch fed with records of a BCF, and the way from record to record.

BCF marks no beginning of a record: in the middle of a file one is found by its look and by those that follow it. So that a part
cannot begin in the wrong place unseen, the part before tells where its last record ended, and the two must agree.

A record that a kernel marks is written out as text by htslib, alone, and judged as a line of a VCF is.
"""

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pysam

from nhsgen.variants.batches import Batch, Part, Report, Words, WrongRecord
from nhsgen.variants.bcf_kernels import BCF_COLUMNS, BROKEN, cut_records, decode_bcf, find_record, parse_shared
from nhsgen.variants.fixed_kernels import LETTERS, ROLES, nothing_parsed
from nhsgen.variants.htslib import quiet_htslib
from nhsgen.variants.packing import joined
from nhsgen.variants.records import Fixed, Record, Wrong, read_fixed, read_record
from nhsgen.variants.rows import Records, text_column
from nhsgen.variants.text_batch import info_roles
from nhsgen.variants.text_kernels import BAD_GENOTYPES, HIGHEST_ALLELE, WIDE
from nhsgen.variants.walking import Buffer, Lines, Share

__all__ = ["BcfBatch", "records_of", "words_of"]

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint8]

_RECORDS = 4_096
_LARGEST_RECORD = 1 << 26
_TOO_LARGE = "it is larger than 64 MiB or broken"
_KEYS = {"GT": 1, "DP": 2, "GQ": 3}
_SEND = "have it sent again"
_NO_RECORD = "it is no record of a BCF of these samples"

_SAMPLES = re.compile(r"(?m)^(#CHROM(?:\t[^\t\n]*){7}).*$")
_WORD = re.compile(r"##(?P<kind>FILTER|INFO|FORMAT|contig)=<(?P<inside>.*)>")
_PAIR = re.compile(r'([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|[^",<>]*)(?:,|$)')
_ID, _IDX = re.compile(r"(?:^|,)ID=(?P<id>[^,]+)"), re.compile(r",IDX=(?P<number>\d{1,9})$")
_DUE = {"FILTER": {"ID"}, "contig": {"ID"}, "INFO": {"ID", "Number", "Type"}, "FORMAT": {"ID", "Number", "Type"}}
_MOST_WORDS = 1 << 20


def words_of(text: str) -> Words:
    """What the numbers in a BCF with this header mean (VCF specification, 6.2.1); ValueError when that is not certain.

    A line that does not tell its number counts by its place, so one that we and htslib might read in two ways would shift all
    behind it.

    >>> words_of('##FILTER=<ID=q10,Description="">\\n##INFO=<ID=DP,Number=1,Type=Integer>\\n##contig=<ID=22,length=5>').words
    ('PASS', 'q10', 'DP')
    """
    words, contigs = {"PASS": 0}, dict[str, int]()
    taken, next_number = ({0}, set[int]()), [1, 0]
    for line in text.splitlines():
        kind = line[2:].partition("=")[0]
        if not line.startswith("##") or kind not in _DUE:
            continue
        numbers = contigs if kind == "contig" else words
        name, given = _name_and_number(line.rstrip(), kind)
        if name in numbers:
            continue
        number = next_number[kind == "contig"] if given is None else given
        if number >= _MOST_WORDS or number in taken[kind == "contig"]:
            raise ValueError("two words of a header have one number, or one is beyond all sense")
        numbers[name] = number
        taken[kind == "contig"].add(number)
        next_number[kind == "contig"] = max(number + 1, next_number[kind == "contig"])
    return Words(_by_number(words), _by_number(contigs), text)


def _name_and_number(line: str, kind: str) -> tuple[str, int | None]:
    """The ID that a line of the header declares, and the number it gives to it."""
    match = _WORD.fullmatch(line)
    inside, at, said = match["inside"] if match else "", 0, dict[str, str]()
    while at < len(inside) and (pair := _PAIR.match(inside, at)):
        said.setdefault(pair[1], pair[2])
        at = pair.end()
    if at == len(inside) and said.keys() >= _DUE[kind] and said["ID"].strip() and said["ID"].isprintable():
        return said["ID"], int(said["IDX"]) if "IDX" in said else None
    name, given = _ID.search(inside), _IDX.search(inside)
    if name is None or given is None or not name["id"].isprintable():
        raise ValueError("a line of the header cannot be read, and all numbers behind it are uncertain")
    return name["id"], int(given["number"])


def _by_number(numbers: dict[str, int]) -> tuple[str, ...]:
    names = [""] * (max(numbers.values(), default=-1) + 1)
    for name, number in numbers.items():
        names[number] = name
    return tuple(names)


def records_of(part: Part, report: Report) -> Iterator[Lines]:
    """The records of a part of a BCF, as `walking.lines_of` gives the lines of a VCF."""
    assert part.words is not None
    words, samples = part.words, len(part.header.samples)
    keys = np.array([_KEYS.get(word, 0) if word else -1 for word in words.words], dtype=np.int64)
    buffer, table = Buffer(part.stretch), np.zeros((_RECORDS, BCF_COLUMNS), dtype=np.int64)
    number, starved, searching = 1, False, not part.stretch.is_first
    share = Share(part.stretch.is_first)
    while True:
        buffer.fill(starved)
        begin = 0
        if searching:
            # A record that begins where the part does belongs to the part before.
            begin = find_record(buffer.data, 1, buffer.have, buffer.at_end, samples, len(words.contigs))
            if begin < 0:
                if buffer.at_end:
                    return
                if buffer.have > _LARGEST_RECORD:
                    raise WrongRecord(number, _TOO_LARGE, _SEND)
                starved = True
                continue
            report.begin = begin
        count, used = cut_records(buffer.data, begin, buffer.have, samples, len(words.contigs), keys, table)
        if count == 0:
            if buffer.at_end:
                if buffer.have > begin:
                    raise WrongRecord(number, "it is cut short or broken", _SEND)
                return
            if buffer.have - begin > _LARGEST_RECORD:
                raise WrongRecord(number, _TOO_LARGE, _SEND)
            starved = True
            continue
        starved = searching = False
        first, last = share.of(table[:count, 0], buffer.limit, partial(_place, table))
        if report.end is None and buffer.limit is not None:
            beyond = int(np.searchsorted(table[:count, 0], buffer.limit, side="right"))
            report.end = int(table[beyond, 0]) - buffer.limit if beyond < count else None
        if first < last:
            yield Lines(buffer.data, table, first, last, number, buffer)
            number += last - first
        if last < count:
            return
        buffer.drop(used)


def _place(table: Ints, record: int) -> tuple[int, int]:
    return int(table[record, 1]), int(table[record, 2])


class BcfBatch(Batch):
    """Records of a BCF as they gather."""

    def __init__(self, part: Part, report: Report) -> None:
        super().__init__(part, report)
        assert part.words is not None
        self.words = part.words
        roles = info_roles(part.header, part.annotation)
        self._roles = np.array(
            [ROLES.index(roles[word]) + 1 if word in roles else 0 if word else -1 for word in part.words.words],
            dtype=np.int64,
        )
        self._named = np.array([bool(name) for name in part.words.contigs], dtype=np.bool_)

    def take(self, lines: Lines) -> None:
        table, data = lines.table[lines.first : lines.last], lines.data
        before = len(self._contigs)
        if self._place is None:
            self._place = lines.buffer.place(int(table[0, 0]))
        broken = np.flatnonzero(table[:, 12])
        if len(broken):
            raise WrongRecord(lines.number + int(broken[0]), _NO_RECORD, _SEND)
        unnamed = np.flatnonzero(~self._named[table[:, 1]])
        if len(unnamed):
            raise WrongRecord(lines.number + int(unnamed[0]), "its contig is not declared in the header", _SEND)
        genotypes: dict[int, list[str]] = {}
        if self.samples:
            marks = np.zeros(len(table), dtype=np.uint8)
            decode_bcf(
                data,
                lines.table,
                lines.first,
                lines.last,
                self.samples,
                self.part.low_dp,
                self.part.low_gq,
                self._codes,
                marks,
            )
            slow = (marks & (BAD_GENOTYPES | WIDE) > 0) | (table[:, 11] > HIGHEST_ALLELE)
            for line in np.flatnonzero(slow).tolist():
                text = self._as_text(
                    data[table[line, 0] : table[line, 10]].tobytes(), lines.number + line, self.words.text
                )
                genotypes[line] = self._slowly(self._judge(text, lines.number + line), text)
        self._contigs.extend(self.words.contigs[number] for number in table[:, 1].tolist())
        self._keep_text(data, table, table[:, [0, 8]] + np.array([8, 0]), lines.number)
        if self.samples:
            self._pack(table[:, 11], genotypes, before)
            self._note_called(_short_alts(data, table), genotypes, before)

    def _as_text(self, record: bytes, number: int, header: str) -> str:
        """One record as htslib writes it; WrongRecord when it cannot read it."""
        text = header.encode() + b"\0"
        with tempfile.TemporaryDirectory() as folder, quiet_htslib():
            alone = Path(folder, "record.bcf")
            with pysam.BGZFile(str(alone), "wb", None) as file:
                file.write(b"BCF\2\2" + len(text).to_bytes(4, "little") + text + record)
            try:
                with pysam.VariantFile(str(alone)) as read:
                    return str(next(iter(read))).rstrip("\n")
            except (OSError, ValueError, StopIteration, UnicodeDecodeError) as error:
                raise WrongRecord(number, "it cannot be read", _SEND) from error

    def _judge(self, line: str, number: int) -> Record:
        """Read one record exactly; WrongRecord when it is refused."""
        try:
            return read_record(number, line, self.header, self.report.notes)
        except Wrong as wrong:
            raise WrongRecord(number, wrong.found, wrong.do_next) from wrong

    def _judge_fixed(self, shared: bytes, number: int) -> Fixed:
        """Read the shared part of one record exactly; WrongRecord when it is refused."""
        alone = len(shared).to_bytes(4, "little") + b"\0\0\0\0" + shared[:20] + b"\0\0\0\0" + shared[24:]
        fields = self._as_text(alone, number, _SAMPLES.sub(r"\1", self.words.text)).split("\t")
        if len(fields) != 8:
            raise WrongRecord(number, "there is a tab in a text of it", _SEND)
        try:
            return read_fixed(fields, self.header, self.report.notes, number)
        except Wrong as wrong:
            raise WrongRecord(number, wrong.found, wrong.do_next) from wrong

    def _parsed(self, text: Codes, fields: Ints, alts: Ints, numbers: Ints) -> Records:
        found = nothing_parsed(len(alts), int(alts.sum()))
        ref, name, filters = (np.zeros((len(alts), 2), dtype=np.int64) for _ in range(3))
        begins, ends = fields[:, 0].copy(), fields[:, 1].copy()
        parse_shared(text, begins, ends, alts, self._roles, LETTERS, *found.values(), ref, name, filters)
        self._mark_beyond(found)
        found["af"] = _as_written(found["af"])
        first = np.cumsum(alts) - alts
        for number in np.flatnonzero(found["mark"]).tolist():
            if found["mark"][number] & BROKEN:
                raise WrongRecord(int(numbers[number]), _NO_RECORD, _SEND)
            shared = text[begins[number] : ends[number]].tobytes()
            # htslib ends a text at a NUL byte, whatever follows it; and what a VCF cannot hold, nobody can have meant.
            said = [found[each][number] for each in ("annotation", "clinvar")]
            texts = [*found["alt"][first[number] : first[number] + alts[number]], name[number], ref[number], *said]
            if any((text[start:end] < 32).any() for start, end in texts) or any(
                59 in text[start:end] for start, end in said
            ):
                raise WrongRecord(int(numbers[number]), "there is a NUL byte, a tab or the like in it", _SEND)
            self._put(found, number, int(first[number]), self._judge_fixed(shared, int(numbers[number])))
        text, filters = self._with_filters(text, filters, numbers)
        return Records(
            text=text, contigs=self._contigs, ref=ref, id=name, filter=filters, pos=found["pos"], end=found["end"],
            qual=found["qual"], an=found["an"], alts=alts, annotation=found["annotation"], clinvar=found["clinvar"],
            small=found["small"], alt=found["alt"], record=found["record"], ac=found["ac"], af=found["af"],
            packed=joined(self._packed) if self._packed else None, order=self._order(first),
        )  # fmt: skip

    def _with_filters(self, text: Codes, spans: Ints, numbers: Ints) -> tuple[Codes, Ints]:
        """The text with every FILTER written behind it in words, and where each record's stands."""
        distinct = text_column(text, spans, kind=pa.binary()).dictionary_encode()
        which = distinct.indices.to_numpy()
        words = [
            self._filter(typed, int(numbers[int(np.argmax(which == number))]))
            for number, typed in enumerate(distinct.dictionary.to_pylist())
        ]
        ends = len(text) + np.cumsum([len(word) for word in words])
        places = np.stack([ends - [len(word) for word in words], ends], axis=1)
        return np.concatenate([text, np.frombuffer(b"".join(words), dtype=np.uint8)]), places[which]

    def _filter(self, typed: bytes, number: int) -> bytes:
        kind = typed[0] & 15 if typed else 0
        if not kind:
            return b"."
        size = {1: 1, 2: 2, 3: 4}[kind]
        values = typed[1:] if typed[0] >> 4 != 15 else typed[2 + {1: 1, 2: 2, 3: 4}[typed[1] & 15] :]
        names = []
        for at in range(0, len(values), size):
            word = int.from_bytes(values[at : at + size], "little", signed=True)
            if not 0 <= word < len(self.words.words) or not self.words.words[word]:
                raise WrongRecord(number, "its FILTER is not declared in the header", _SEND)
            names.append(self.words.words[word])
        return ";".join(names).encode() or b"."


def _as_written(frequencies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The decimal numbers that were rounded to 32 bits: with six figures, as htslib writes them."""
    distinct, places = np.unique(frequencies, return_inverse=True)
    written = np.array([float(f"{value:.6g}") for value in distinct.tolist()], dtype=np.float64)
    answer: npt.NDArray[np.float64] = written[places] if len(written) else frequencies
    return answer


def _short_alts(data: Codes, table: Ints) -> dict[int, bytes]:
    """The ALT of each record that might stand for no allele."""
    lines = np.flatnonzero((table[:, 11] == 0) | ((table[:, 11] == 1) & (table[:, 9] > 0)))
    found = {}
    for line in lines.tolist():
        at = int(table[line, 9])
        found[line] = data[at : at + (int(data[at - 1]) >> 4)].tobytes() if at else b""
    return found
