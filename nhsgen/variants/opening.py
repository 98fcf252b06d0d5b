"""A variant file before its first record: how it is packed, what its header says, where its records begin, how to divide it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nhsgen.errors import BadFile, NotFound
from nhsgen.variants.headers import Header, Notes, read_header
from nhsgen.variants.reading import LONGEST_LINE, check_checksum, check_end, line_text, note_packing
from nhsgen.variants.streams import STRETCH, Packing, Place, block_starts, blocks, packing_of
from nhsgen.variants.walking import Stretch

__all__ = ["Opened", "divide", "open_file"]

_SEND = "have it sent again"
_ROWS_OF_A_PART = (1_000, 16_384)
_LONGEST_HEADER = 16 << 20
"""Bytes of a header without its #CHROM line: hundreds of thousands of contigs."""
_LONG = "its header is longer than 16 MiB"
_PARTS = 8
"""A file is divided into about so many parts, or more where they would be large, or fewer where they would be small."""


@dataclass(frozen=True)
class Opened:
    """An opened file.

    begin: where its first record stands. record_bytes: about how many bytes of the file a record takes, 0 when it has none.
    header_text: of a BCF, whose records refer to it by numbers.
    """

    path: Path
    packing: Packing
    is_text: bool
    header: Header
    header_text: str
    begin: Place
    record_bytes: float
    notes: Notes


def open_file(path: Path) -> Opened:
    """Read the header of a VCF or BCF, whatever the file's name; BadFile for all that is wrong with it.

    A checksum that stands beside the file is compared first; an index beside it is never opened.
    """
    if not path.is_file():
        raise NotFound(f"reading {path.name}", "there is no such file", "check the path", file=path.name)
    notes = Notes()
    check_checksum(path)
    check_end(path)
    packing = packing_of(path)
    bytes_of = _Bytes(path, packing)
    start = bytes_of.peek(13)
    if not start.startswith((b"BCF", b"##fileformat=")):
        raise _bad(path, None, "it is not a VCF or BCF file", "give a file that begins with ##fileformat=VCFv4")
    is_text = not start.startswith(b"BCF")
    note_packing(path, is_text, notes)
    if is_text:
        header = read_header(path.name, _lines(path, bytes_of, notes), notes)
        text = ""
    else:
        text = _bcf_header(path, bytes_of)
        header = read_header(path.name, iter(enumerate(text.splitlines(), 1)), notes)
    begin = bytes_of.place
    return Opened(path, packing, is_text, header, text, begin, _record_bytes(bytes_of, is_text), notes)


def divide(opened: Opened) -> list[Stretch]:
    """The parts of a file, the same for the same bytes: neither workers nor the machine have a say in it."""
    size, begin = opened.path.stat().st_size, opened.begin[0]
    whole = Stretch(opened.path, opened.packing, opened.begin, is_first=True, stop=None)
    if opened.packing is Packing.GZIP or not opened.record_bytes:
        return [whole]
    records = (size - begin) / opened.record_bytes
    least, most = _ROWS_OF_A_PART
    step = int(opened.record_bytes * min(max(records / _PARTS, least), most)) + 1
    if opened.packing is Packing.PLAIN:
        step = -(-step // STRETCH) * STRETCH
        starts = list(range(begin + step, size, step))
    else:
        starts = [start for start in block_starts(opened.path, list(range(begin + step, size, step))) if start > begin]
    places = [opened.begin, *((start, 0) for start in starts)]
    stops = [*starts, None]
    return [
        Stretch(opened.path, opened.packing, place, number == 0, stop)
        for number, (place, stop) in enumerate(zip(places, stops, strict=True))
    ]


class _Bytes:
    """The decompressed bytes of a file from its beginning, and the place of the next one."""

    def __init__(self, path: Path, packing: Packing) -> None:
        self._blocks = blocks(path, packing)
        self._data, self._at = bytearray(), 0
        self._from: list[tuple[int, int]] = []  # block, and the number of bytes before it
        self._read = 0  # bytes of all blocks so far

    def peek(self, count: int) -> bytes:
        while len(self._data) - self._at < count and self._more():
            pass
        return bytes(self._data[self._at : self._at + count])

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self.peek(count)
        self._at += len(taken)
        return taken

    def line(self) -> bytes:
        """The next line with its end; without one at the end of the file. Of a line that is too long, its beginning."""
        searched = self._at
        while (end := self._data.find(b"\n", searched)) < 0 and len(self._data) - self._at <= LONGEST_LINE:
            left = len(self._data) - self._at
            if not self._more():
                break
            searched = self._at + left
        return self.take((end + 1 if end >= 0 else len(self._data)) - self._at)

    @property
    def place(self) -> Place:
        self.peek(1)
        taken = self._read - (len(self._data) - self._at)
        return next(((block, taken - before) for block, before in reversed(self._from) if before <= taken), (0, 0))

    @property
    def file_bytes(self) -> int:
        """Bytes of the file from the block that is at hand to the last block read."""
        return self._from[-1][0] - self.place[0] if self._from else 0

    def _more(self) -> bool:
        start, data = next(self._blocks, (-1, b""))
        if start < 0:
            return False
        self._from.append((start, self._read))
        self._read += len(data)
        del self._data[: self._at]
        self._data += data
        self._at = 0
        return True


def _lines(path: Path, bytes_of: _Bytes, notes: Notes) -> Iterator[tuple[int, str]]:
    number = size = 0
    while line := bytes_of.line():
        number, size = number + 1, size + len(line) * line.startswith(b"##")
        if size > _LONGEST_HEADER:
            raise _bad(path, number, _LONG, _SEND)
        yield number, line_text(path, number, line, notes)


def _bcf_header(path: Path, bytes_of: _Bytes) -> str:
    magic = bytes_of.take(5)
    size = int.from_bytes(bytes_of.take(4), "little")
    if magic[:4] != b"BCF\2" or size > _LONGEST_HEADER + LONGEST_LINE:
        raise _bad(path, None, "its BCF header cannot be read", _SEND)
    text = bytes_of.take(size)
    if len(text) < size:
        raise _bad(path, None, "it is cut short in its header", _SEND)
    if not text.startswith(b"##fileformat=") or b"\n#CHROM" not in text:
        raise _bad(path, None, "its BCF header cannot be read", _SEND)
    if text.find(b"\n#CHROM") > _LONGEST_HEADER:
        raise _bad(path, None, _LONG, _SEND)
    text = text.rstrip(b"\0")
    if b"\0" in text:
        raise _bad(path, None, "there is a NUL byte in its header", _SEND)
    return text.decode("utf-8", "replace")


def _record_bytes(bytes_of: _Bytes, is_text: bool) -> float:
    """Measured at the first records."""
    sample = bytes_of.peek(1 << 20)
    if not sample:
        return 0.0
    records, used = (sample.count(b"\n"), len(sample)) if is_text else _bcf_records(sample)
    compressed = max(bytes_of.file_bytes, 1)
    return max(1.0, compressed * (used / len(sample)) / max(records, 1))


def _bcf_records(sample: bytes) -> tuple[int, int]:
    records = at = 0
    while at + 8 <= len(sample):
        sizes = np.frombuffer(sample, dtype="<u4", count=2, offset=at)
        at += 8 + int(sizes.sum(dtype=np.int64))
        records += 1
    return records, max(1, min(at, len(sample)))


def _bad(path: Path, line: int | None, found: str, do_next: str) -> BadFile:
    return BadFile("reading variants", found, do_next, file=path.name, line=line)
