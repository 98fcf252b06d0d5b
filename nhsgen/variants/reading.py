"""Variant files, record by record, every one checked: VCF as text (bgzip, gzip or plain), BCF through htslib.

htslib is a reader, not a validator: it is silent on a genotype that names an allele the record has not, on a header with fewer
samples than columns, on text where a number should be. So VCF is read as the text it is, and a BCF record is checked in its
text form. What is wrong is one sentence with the file and the line, what is odd but harmless is a note; no record is ever
skipped. An index beside the file is never opened: a hostile one can crash htslib. A checksum beside it is always compared.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BufferedIOBase, BufferedReader
from pathlib import Path

import pysam

from nhsgen.errors import BadFile, NotFound
from nhsgen.variants.headers import Header, Notes, read_header
from nhsgen.variants.htslib import quiet_htslib
from nhsgen.variants.normalise import trim
from nhsgen.variants.records import Fixed, Record, Wrong, read_record

__all__ = [
    "CRLF",
    "LONGEST_LINE",
    "NO_NEWLINE",
    "Order",
    "Record",
    "VariantFile",
    "check_checksum",
    "check_end",
    "line_text",
    "note_packing",
    "open_variants",
]

LONGEST_LINE = 16 * 2**20
"""Bytes of a line, its end included; a longer one is refused before it fills the memory."""

CRLF = "lines end as on Windows (CR LF)"
NO_NEWLINE = "the last line does not end: whether the file is whole cannot be told from it"

_AGAIN = "have the file made again by whoever made it"
_SEND = "have it sent again"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass(frozen=True)
class VariantFile:
    """An open variant file: its header and, once, its records; `notes` grow while they are read."""

    path: Path
    header: Header
    records: Iterator[Record]
    is_text: bool
    notes: Notes

    def wrong(self, record: Record, found: str, do_next: str = _AGAIN) -> BadFile:
        """The error that says what was found wrong with a record."""
        return _bad_record(self.path, record.number, self.is_text, found, do_next)


@contextmanager
def open_variants(path: Path, notes: Notes | None = None) -> Iterator[VariantFile]:
    """Open a VCF or BCF whatever its name; BadFile, with file and line, for all that is wrong with it.

    notes: where oddities are written down; left out, new ones, to be had as `VariantFile.notes`.
    """
    if not path.is_file():
        raise NotFound(f"reading {path.name}", "there is no such file", "check the path", file=path.name)
    found = Notes() if notes is None else notes
    check_checksum(path)
    with path.open("rb") as raw:
        stream = _decompressed(path, raw)
        is_text = not _start(path, stream).startswith(b"BCF")
        note_packing(path, is_text, found)
        if is_text:
            lines = _lines(path, stream, found)
            header = read_header(path.name, lines, found)
            yield VariantFile(path, header, _records(path, header, lines, True, found), True, found)
        else:
            with quiet_htslib():
                yield _read_bcf(path, raw, found)


def _bad(path: Path, line: int | None, found: str, do_next: str = _AGAIN) -> BadFile:
    return BadFile("reading variants", found, do_next, file=path.name, line=line)


def _bad_record(path: Path, number: int, is_text: bool, found: str, do_next: str) -> BadFile:
    """A VCF has lines, a BCF only records."""
    return _bad(path, number if is_text else None, found if is_text else f"in record {number:,}, {found}", do_next)


# -- Bytes --------------------------------------------------------------------------------------------------------------


def check_checksum(path: Path) -> None:
    """Compare a file with the checksum that stands beside it as NAME.md5 or NAME.sha256; BadFile when they differ.

    The checksum is a line as md5sum and sha256sum write it, or the bare number. Where none stands beside, nothing is done.
    """
    for suffix, length in (("md5", 32), ("sha256", 64)):
        beside = path.with_name(f"{path.name}.{suffix}")
        if not beside.is_file():
            continue
        numbers = _checksums(beside, length, path.name)
        if len(numbers) != 1:
            raise BadFile(
                f"comparing {path.name} with its checksum",
                "no checksum of it, or more than one, is written there",
                f"make it again with {suffix}sum, or take it away",
                file=beside.name,
            )
        with path.open("rb") as raw:
            found = hashlib.file_digest(raw, partial(hashlib.new, suffix, usedforsecurity=False)).hexdigest()
        if found not in numbers:
            raise BadFile(
                f"comparing {path.name} with its checksum", f"it is not the file that {beside.name} was made of", _SEND,
                file=path.name,
            )  # fmt: skip


def _checksums(beside: Path, length: int, name: str) -> set[str]:
    """The checksums of the file `name` in a file of checksums."""
    with beside.open("rb") as raw:
        lines = raw.read(2**20).decode("utf-8", "replace").splitlines()
    number = re.compile(rf"\b[0-9a-fA-F]{{{length}}}\b")
    found = [(match[0].lower(), line.replace(match[0], "").strip()) for line in lines if (match := number.search(line))]
    named = {checksum for checksum, rest in found if re.search(rf"(^|[\s*(/]){re.escape(name)}($|[\s)])", rest)}
    return named or {checksum for checksum, rest in found if not rest}


def _is_bgzf(start: bytes) -> bool:
    return start[:2] == b"\x1f\x8b" and len(start) >= 18 and bool(start[3] & 4) and start[12:14] == b"BC"


def check_end(path: Path) -> None:
    """BadFile when a file is empty or, compressed by bgzip, does not end as bgzip ends a file."""
    with path.open("rb") as raw:
        start = raw.read(18)
        size = raw.seek(0, 2)
        if not size:
            raise _bad(path, None, "it is empty", _SEND)
        if not _is_bgzf(start):
            return
        raw.seek(max(0, size - 2**16))
        tail = raw.read()
    if tail.endswith(_BGZF_END):
        return
    after = len(tail) - tail.rfind(_BGZF_END) - len(_BGZF_END)
    if _BGZF_END in tail:
        raise _bad(path, None, f"{after:,} bytes follow the mark that ends it", _SEND)
    if not tail[-len(_BGZF_END) :].strip(b"\0"):
        raise _bad(path, None, f"it is cut short: its {size:,} bytes end in zeros", _SEND)
    raise _bad(path, None, f"it is cut short: its {size:,} bytes do not end as bgzip ends a file", _SEND)


# What a file's name says it is, and what is noted when it is something else.
_NAMED = (
    ((".bcf",), "BCF", "its name is that of a BCF, and it is a VCF"),
    ((".vcf.gz", ".vcf.bgz", ".vcf"), "VCF", "its name is that of a VCF, and it is a BCF"),
)


def note_packing(path: Path, is_text: bool, notes: Notes) -> None:
    """Note a file that is not what its name says, or that is compressed by gzip and not by bgzip.

    is_text: whether it was found to be a VCF; a BCF else.
    """
    with path.open("rb") as raw:
        start = raw.read(18)
    name, kind = path.name.lower(), "VCF" if is_text else "BCF"
    for endings, due, found in _NAMED:
        if name.endswith(endings) and kind != due:
            notes.add(None, found)
    compressed = start[:2] == b"\x1f\x8b"
    if compressed and not _is_bgzf(start):
        notes.add(None, "it is compressed by gzip, not by bgzip: no part can be read without all before it")
    elif name.endswith((".gz", ".bgz")) and not compressed:
        notes.add(None, "its name is that of a compressed file, and it is not compressed")
    elif name.endswith(".vcf") and compressed:
        notes.add(None, "its name is that of plain text, and it is compressed")


def _decompressed(path: Path, raw: BufferedReader) -> BufferedIOBase:
    check_end(path)
    start = raw.read(2)
    raw.seek(0)
    return gzip.open(raw, "rb") if start == b"\x1f\x8b" else raw


def _start(path: Path, stream: BufferedIOBase) -> bytes:
    try:
        start = stream.read(18)
        stream.seek(0)
    except (EOFError, OSError, zlib.error) as error:
        raise _bad(path, None, "its compression is broken", _SEND) from error
    if not start.startswith((b"BCF", b"##fileformat=")):
        raise _bad(path, None, "it is not a VCF or BCF file", "give a file that begins with ##fileformat=VCFv4")
    return start


def _lines(path: Path, stream: BufferedIOBase, notes: Notes) -> Iterator[tuple[int, str]]:
    """The lines of a VCF, numbered from 1, without their ends."""
    number = 0
    try:
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            yield number, line_text(path, number, line, notes)
    except (EOFError, OSError, zlib.error) as error:
        raise _bad(path, number + 1, "its compression is broken or cut short", _SEND) from error


def line_text(path: Path, number: int, line: bytes, notes: Notes) -> str:
    """A line as text, without its end; BadFile when it is too long, holds a NUL byte or is not UTF-8."""
    if len(line) > LONGEST_LINE:
        raise _bad(path, number, "the line is longer than 16 MiB", "have the file split by samples, or made again")
    if b"\0" in line:
        raise _bad(path, number, "there is a NUL byte in it", _SEND)
    if line.endswith(b"\r\n"):
        notes.add(number, CRLF)
    elif not line.endswith(b"\n"):
        notes.add(number, NO_NEWLINE)
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        if line.startswith(b"##"):
            notes.add(number, "a line of the header is not UTF-8")
            return line.decode("utf-8", "replace").rstrip("\r\n")
        raise _bad(path, number, "a character is not UTF-8", "have the file saved as UTF-8") from error


# -- Records ------------------------------------------------------------------------------------------------------------


def _records(
    path: Path, header: Header, lines: Iterator[tuple[int, str]], is_text: bool, notes: Notes
) -> Iterator[Record]:
    order = Order()
    for number, line in lines:
        try:
            record = read_record(number, line, header, notes)
        except Wrong as wrong:
            raise _bad_record(path, number, is_text, wrong.found, wrong.do_next) from wrong
        order.follow(record, notes, number)
        yield record


# -- One record after another -------------------------------------------------------------------------------------------

_NEAR = 1_000
"""Bases within which the same change, written in two ways, is looked for."""


@dataclass
class Order:
    """Whether records follow each other in order; a file that is not sorted is noted, and so is a variant listed twice."""

    _contig: str = ""
    _pos: int = 0
    _left: set[str] = field(default_factory=set)
    _seen: dict[tuple[int, str, str], None] = field(default_factory=dict)

    def follow(self, record: Fixed, notes: Notes, number: int) -> None:
        """Look at the next record."""
        if record.contig != self._contig:
            self._left.add(self._contig)
            self._seen.clear()
            if record.contig in self._left:
                notes.add(number, "a chromosome was left and is met again: sort the file with bcftools sort")
        elif record.pos < self._pos:
            notes.add(number, "the records are not in order of position: sort the file with bcftools sort")
        self._contig, self._pos = record.contig, record.pos
        for alt in record.alts:
            if alt.isalpha():
                key = trim(record.pos, record.ref, alt)
                if key in self._seen:
                    notes.add(number, "the same variant is listed twice")
                self._seen[key] = None
        # Keys were added in order of position, or nearly so.
        while self._seen and next(iter(self._seen))[0] < record.pos - _NEAR:
            del self._seen[next(iter(self._seen))]


# -- BCF ----------------------------------------------------------------------------------------------------------------


def _read_bcf(path: Path, raw: BufferedReader, notes: Notes) -> VariantFile:
    raw.seek(0)
    try:
        # An open file, not a path: given a path, pysam opens the index it finds beside it.
        opened = pysam.VariantFile(raw)
        text = str(opened.header)
    except (OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise _bad(path, None, "its BCF header cannot be read", _SEND) from error
    header = read_header(path.name, iter(enumerate(text.splitlines(), 1)), notes)
    records = _records(path, header, _bcf_lines(path, opened), False, notes)
    return VariantFile(path, header, records, False, notes)


def _bcf_lines(path: Path, opened: pysam.VariantFile) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, record in enumerate(opened, 1):
            yield number, str(record).rstrip("\n")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise _bad(path, None, f"it cannot be read after record {number:,}", _SEND) from error
