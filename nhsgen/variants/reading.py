"""Variant files, record by record, every one checked: VCF as text (bgzip, gzip or plain), BCF through htslib.

htslib is a reader, not a validator: it is silent on a genotype that names an allele the record has not, on a header with fewer
samples than columns, on text where a number should be. So VCF is read as the text it is, and a BCF record is checked in its
text form. What is wrong is one sentence with the file and the line; no record is ever skipped. An index beside the file is
never opened: a hostile one can crash htslib.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from pathlib import Path

import pysam

from nhsgen.errors import BadFile, NotFound

__all__ = ["Header", "Record", "VariantFile", "open_variants", "quiet_htslib"]

_FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_AGAIN = "have the file made again by whoever made it"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_LAST_POSITION = 2**31 - 1

_REF = re.compile(r"[ACGTNRYSWKMBDHV]+", re.IGNORECASE)
_ALT = re.compile(
    r"[ACGTNRYSWKMBDHV]+|\*|<[^<>,\s]+>|\.[ACGTN]+|[ACGTN]+\.|[ACGTN]*[\[\]][^\[\]\s]+[\[\]][ACGTN]*", re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf(inity)?|nan)", re.IGNORECASE)
_CONTIG = re.compile(r"##contig=<(?P<inside>.*)>")
_INFO = re.compile(r"##INFO=<ID=(?P<name>[^,]+),.*?Description=\"(?P<text>.*)\"")


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    contigs: length in bases by contig as the file names it, None where the header does not say.
    info: the description of each INFO field.
    """

    samples: tuple[str, ...]
    contigs: Mapping[str, int | None]
    info: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """One record as it stands in the file; `contig` is the file's name for it, `pos` and `end` are 1-based and closed.

    number: the line of a VCF, the record of a BCF.
    genotypes: the GT text of each sample.
    """

    number: int
    contig: str
    pos: int
    end: int
    id: str | None
    ref: str
    alts: tuple[str, ...]
    qual: float | None
    filter: str | None
    info: Mapping[str, str]
    genotypes: list[str]


@dataclass(frozen=True)
class VariantFile:
    """An open variant file: its header and, once, its records."""

    path: Path
    header: Header
    records: Iterator[Record]
    is_text: bool

    def wrong(self, record: Record, found: str, do_next: str = _AGAIN) -> BadFile:
        """The error that says what was found wrong with a record."""
        return _bad_record(self.path, record.number, self.is_text, found, do_next)


class _Wrong(Exception):
    """What is wrong with one record, and what to do about it; the caller knows where."""

    def __init__(self, found: str, do_next: str = _AGAIN) -> None:
        self.found, self.do_next = found, do_next
        super().__init__(found)


@contextmanager
def open_variants(path: Path) -> Iterator[VariantFile]:
    """Open a VCF or BCF whatever its name; BadFile, with file and line, for all that is wrong with it."""
    if not path.is_file():
        raise NotFound(f"reading {path.name}", "there is no such file", "check the path", file=path.name)
    with path.open("rb") as raw:
        stream = _decompressed(path, raw)
        start = _peek(path, stream)
        if start.startswith(b"BCF"):
            with quiet_htslib():
                yield _read_bcf(path, raw)
        elif start.startswith(b"##fileformat=VCFv4"):
            lines = _lines(path, stream)
            header = _read_header(path, lines)
            yield VariantFile(path, header, _records(path, header, lines, is_text=True), is_text=True)
        else:
            raise _bad(path, None, "it is not a VCF or BCF file", "give a file that begins with ##fileformat=VCFv4")


def _bad(path: Path, line: int | None, found: str, do_next: str = _AGAIN) -> BadFile:
    return BadFile("reading variants", found, do_next, file=path.name, line=line)


def _bad_record(path: Path, number: int, is_text: bool, found: str, do_next: str) -> BadFile:
    """A VCF has lines, a BCF only records."""
    return _bad(path, number if is_text else None, found if is_text else f"in record {number:,}, {found}", do_next)


# -- Bytes --------------------------------------------------------------------------------------------------------------


def _decompressed(path: Path, raw: BufferedReader) -> BufferedIOBase:
    start = raw.read(18)
    if not start:
        raise _bad(path, None, "it is empty", "have it sent again")
    if start[:2] != b"\x1f\x8b":
        raw.seek(0)
        return raw
    if start[3] & 4 and start[12:14] == b"BC":
        raw.seek(0, 2)
        size = raw.tell()
        raw.seek(max(0, size - len(_BGZF_END)))
        if raw.read() != _BGZF_END:
            raise _bad(
                path, None, f"it is cut short: its {size:,} bytes do not end as bgzip ends a file", "have it sent again"
            )
    raw.seek(0)
    return gzip.open(raw, "rb")


def _peek(path: Path, stream: BufferedIOBase) -> bytes:
    try:
        start = stream.read(18)
        stream.seek(0)
    except (EOFError, OSError, zlib.error) as error:
        raise _bad(path, None, "its compression is broken", "have it sent again") from error
    return start


def _lines(path: Path, stream: BufferedIOBase) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, line in enumerate(stream, 1):
            yield number, line.decode("utf-8").rstrip("\r\n")
    except (EOFError, OSError, zlib.error) as error:
        raise _bad(path, number + 1, "its compression is broken or cut short", "have it sent again") from error
    except UnicodeDecodeError as error:
        raise _bad(path, number, "a character is not UTF-8", "have the file saved as UTF-8") from error


# -- Headers ------------------------------------------------------------------------------------------------------------


def _read_header(path: Path, lines: Iterator[tuple[int, str]]) -> Header:
    contigs: dict[str, int | None] = {}
    info: dict[str, str] = {}
    number = 0
    for number, line in lines:
        if line.startswith("##contig="):
            name, length = _contig(path, number, line)
            contigs[name] = length
        elif match := _INFO.match(line):
            info[match["name"]] = match["text"]
        elif line.startswith("#CHROM"):
            return Header(_samples(path, number, line), contigs, info)
        elif not line.startswith("##"):
            break
    raise _bad(path, number, "the header has no #CHROM line")


def _contig(path: Path, number: int, line: str) -> tuple[str, int | None]:
    match = _CONTIG.match(line)
    parts = dict(part.partition("=")[::2] for part in match["inside"].split(",")) if match else {}
    if not parts.get("ID"):
        raise _bad(path, number, "a contig has no ID")
    length = parts.get("length")
    if length is not None and not length.isdecimal():
        raise _bad(path, number, "the length of a contig is not a number")
    return parts["ID"], int(length) if length else None


def _samples(path: Path, number: int, line: str) -> tuple[str, ...]:
    columns = line.split("\t")
    if tuple(columns[:8]) != _FIXED:
        raise _bad(path, number, "the #CHROM line has not the eight columns of VCF, divided by tabs")
    if len(columns) > 8 and columns[8] != "FORMAT":
        raise _bad(path, number, "the ninth column is not FORMAT")
    names = columns[9:]
    seen: set[str] = set()
    for column, name in enumerate(names, 10):
        if not name.strip():
            raise _bad(path, number, f"the sample of column {column} has no name", "name it, or take the tab away")
        if name in seen:
            raise _bad(path, number, f"the sample of column {column} has the name of another", "rename one of them")
        seen.add(name)
    return tuple(names)


# -- Records ------------------------------------------------------------------------------------------------------------


def _records(path: Path, header: Header, lines: Iterator[tuple[int, str]], is_text: bool) -> Iterator[Record]:
    for number, line in lines:
        try:
            yield _record(number, line, header)
        except _Wrong as wrong:
            raise _bad_record(path, number, is_text, wrong.found, wrong.do_next) from wrong


def _record(number: int, line: str, header: Header) -> Record:
    fields = line.split("\t")
    has_format = bool(header.samples) or len(fields) == 9
    expected = len(_FIXED) + has_format + len(header.samples)
    if len(fields) != expected:
        raise _Wrong(
            f"it has {len(fields):,} columns, the header says {expected:,}", "have it sent again: it may be cut short"
        )
    contig, pos, name, ref, alt, qual, passed, info_text = fields[:8]
    if not contig or " " in contig:
        raise _Wrong("CHROM is not the name of a contig")
    if not _REF.fullmatch(ref):
        raise _Wrong("REF is not written in the letters of DNA")
    info = _info(info_text)
    place = _pos(pos, contig, header)
    return Record(
        number=number,
        contig=contig,
        pos=place,
        end=_end(info, place, ref),
        id=None if name in {".", ""} else name,
        ref=ref.upper(),
        alts=_alts(ref, alt),
        qual=_qual(qual),
        filter=None if passed in {".", ""} else passed,
        info=info,
        genotypes=_genotypes(fields[8:]) if header.samples else [],
    )


def _pos(text: str, contig: str, header: Header) -> int:
    if not text.isascii() or not text.isdecimal():
        raise _Wrong("POS is not a whole number")
    pos = int(text)
    # The telomeres stand at 0 and at length + 1.
    length = header.contigs.get(contig) or _LAST_POSITION - 1
    if not 0 <= pos <= length + 1:
        raise _Wrong(f"POS is outside its contig of {length:,} bases", "check that the header belongs to these records")
    return pos


def _end(info: Mapping[str, str], pos: int, ref: str) -> int:
    """The last base that the record speaks of: INFO/END of structural variants, else that of REF."""
    last = pos + len(ref) - 1
    text = info.get("END", ".").split(",")[0]
    if text == ".":
        return last
    if not text.lstrip("-").isdecimal():
        raise _Wrong("INFO END is not a whole number")
    return min(max(last, int(text)), _LAST_POSITION)


def _alts(ref: str, text: str) -> tuple[str, ...]:
    if text == ".":
        return ()
    alts = tuple(alt if alt.startswith("<") or "[" in alt or "]" in alt else alt.upper() for alt in text.split(","))
    for alt in alts:
        if not _ALT.fullmatch(alt):
            raise _Wrong("ALT is not an allele")
    if ref.upper() in alts:
        raise _Wrong("ALT is the same as REF")
    if len(set(alts)) != len(alts):
        raise _Wrong("ALT names an allele twice")
    return alts


def _qual(text: str) -> float | None:
    if text == ".":
        return None
    if not _NUMBER.fullmatch(text):
        raise _Wrong("QUAL is not a number")
    return float(text)


def _info(text: str) -> dict[str, str]:
    if text == ".":
        return {}
    info: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        info.setdefault(name, value)
    return info


def _genotypes(fields: list[str]) -> list[str]:
    """The GT text of each sample, from FORMAT and the samples' columns."""
    names = fields[0].split(":")
    if names[0] != "GT":
        found = "GT is not the first part of FORMAT" if "GT" in names else "it has no genotypes (GT)"
        raise _Wrong(found, "give a file with genotypes, GT first")
    return fields[1:] if len(names) == 1 else [text.partition(":")[0] for text in fields[1:]]


# -- BCF ----------------------------------------------------------------------------------------------------------------


@contextmanager
def quiet_htslib() -> Iterator[None]:
    """htslib speaks to the terminal, not to us; what matters of it we find ourselves."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)


def _read_bcf(path: Path, raw: BufferedReader) -> VariantFile:
    raw.seek(0)
    try:
        # An open file, not a path: given a path, pysam opens the index it finds beside it.
        opened = pysam.VariantFile(raw)
        text = str(opened.header)
    except (OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise _bad(path, None, "its BCF header cannot be read", "have it sent again") from error
    header = _read_header(path, enumerate(text.splitlines(), 1))
    return VariantFile(path, header, _records(path, header, _bcf_lines(path, opened), is_text=False), is_text=False)


def _bcf_lines(path: Path, opened: pysam.VariantFile) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        for number, record in enumerate(opened, 1):
            yield number, str(record).rstrip("\n")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise _bad(path, None, f"it cannot be read after record {number:,}", "have it sent again") from error
