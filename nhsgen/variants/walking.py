"""Whole lines of a VCF, cut into columns, for one part of the file: no line in two parts, no line in none.

A part is a stretch between two places where compressed blocks begin. Its lines are those that begin behind the first place and
not behind the second; but lines of one position stay together, in the part where that position is met first, so that every
part can put its own variants in order.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadFile
from nhsgen.variants.headers import Notes
from nhsgen.variants.reading import CRLF, LONGEST_LINE, NO_NEWLINE
from nhsgen.variants.streams import Packing, Place, blocks
from nhsgen.variants.text_kernels import COLUMNS, PADDING, cut_lines

__all__ = ["Buffer", "Lines", "Stretch", "lines_of"]

_AT_ONCE = 4 << 20
"""Bytes of text cut in one go."""
_LINES = 8_192
_SEARCHED = 1 << 16

Bytes = npt.NDArray[np.uint8]
Table = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """One part of a file.

    begin: where it begins; the first part begins with its first record, another in the middle of one.
    stop: where the block that begins the next part begins; None for the last.
    """

    path: Path
    packing: Packing
    begin: Place
    is_first: bool
    stop: int | None


@dataclass
class Buffer:
    """Bytes of a stretch as they are needed, and where in the file each came from."""

    stretch: Stretch
    data: Bytes = field(default_factory=lambda: np.zeros(_AT_ONCE + (1 << 17) + PADDING, dtype=np.uint8))
    have: int = 0
    limit: int | None = None  # where in `data` the next part begins
    at_end: bool = False
    _from: list[int] = field(default_factory=list)
    _starts: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._blocks = blocks(self.stretch.path, self.stretch.packing, self.stretch.begin[0])
        self._skip = self.stretch.begin[1]

    def fill(self, starved: bool) -> None:
        """Read on: as much as is worked on at once, but beyond the stretch one block at a time and only when `starved`."""
        while not self.at_end and (starved if self.limit is not None else starved or self.have < _AT_ONCE):
            starved = False
            start, text = next(self._blocks, (-1, b""))
            if start < 0:
                self.at_end = True
                return
            if self.limit is None and self.stretch.stop is not None and start >= self.stretch.stop:
                self.limit = self.have
            skipped, self._skip = self._skip, 0
            self._from.append(self.have)
            self._starts.append((start, skipped))
            if self.have + len(text) + PADDING > len(self.data):
                self.data = np.concatenate([self.data, np.zeros(len(self.data), dtype=np.uint8)])
            end = self.have + len(text) - skipped
            self.data[self.have : end] = np.frombuffer(text, dtype=np.uint8)[skipped:]
            self.have = end

    def drop(self, count: int) -> None:
        """Forget the first bytes: they were used."""
        left = self.have - count
        self.data[:left] = self.data[count : self.have].copy()
        self.data[left : left + PADDING] = 0
        self.have = left
        self.limit = None if self.limit is None else self.limit - count
        kept = max(0, bisect_right(self._from, count) - 1)
        self._from = [start - count for start in self._from[kept:]]
        self._starts = self._starts[kept:]

    def place(self, at: int) -> Place:
        """Where in the file the byte at `at` stands."""
        block = bisect_right(self._from, at) - 1
        start, skipped = self._starts[block]
        return start, at - self._from[block] + skipped


@dataclass(frozen=True)
class Lines:
    """Lines first..last-1 of a table that `cut_lines` wrote over `data`; the first of them is line `number` of its part."""

    data: Bytes
    table: Table
    first: int
    last: int
    number: int
    buffer: Buffer


def lines_of(stretch: Stretch, fields: int, notes: Notes) -> Iterator[Lines]:
    """The lines of a part, in their order; fields: how many columns stand before the samples."""
    buffer = Buffer(stretch)
    table = np.zeros((_LINES, COLUMNS), dtype=np.int64)
    number = 1
    skipping, leading, trailing = not stretch.is_first, b"", b""
    starved = False
    while True:
        buffer.fill(starved)
        if buffer.at_end and buffer.have and buffer.data[buffer.have - 1] != 10:
            buffer.data[buffer.have] = 10
            buffer.have += 1
            notes.add(None, NO_NEWLINE)
        begin = 0
        if skipping:
            begin = _after_newline(buffer)
            if begin < 0 and not buffer.at_end:
                starved = True
                continue
            begin = max(begin, 0)
        count, used = cut_lines(buffer.data, begin, buffer.have, fields, table)
        if count == 0:
            if buffer.at_end:
                return
            if buffer.have - begin > LONGEST_LINE:
                raise _too_long(stretch.path)
            starved = True
            continue
        starved = False
        long = np.flatnonzero(table[:count, 14] - table[:count, 0] > LONGEST_LINE)
        if len(long):
            raise _too_long(stretch.path)
        first, last = 0, count
        if skipping:
            leading, skipping = _position(buffer.data, table, 0), False
        if leading:
            first = _other_position(buffer.data, table, 0, count, leading)
            if buffer.limit is not None and table[min(first, count - 1), 0] > buffer.limit:
                return
            leading = leading if first == count else b""
        if buffer.limit is not None and first < count:
            if not trailing:
                beyond = int(np.searchsorted(table[:count, 0], buffer.limit, side="right"))
                trailing = _position(buffer.data, table, beyond) if beyond < count else b""
            else:
                beyond = 0
            if trailing:
                last = _other_position(buffer.data, table, beyond, count, trailing)
        if first < last:
            yield Lines(buffer.data, table, first, last, number, buffer)
            _note_ends(buffer.data, table, first, last, number, notes)
            number += last - first
        if last < count:
            return
        buffer.drop(used)


def _after_newline(buffer: Buffer) -> int:
    for start in range(0, buffer.have, _SEARCHED):
        found = buffer.data[start : min(start + _SEARCHED, buffer.have)].tobytes().find(b"\n")
        if found >= 0:
            return start + found + 1
    return -1


def _position(data: Bytes, table: Table, line: int) -> bytes:
    """CHROM and POS as they are written."""
    return data[table[line, 0] : table[line, 2]].tobytes()


def _other_position(data: Bytes, table: Table, begin: int, count: int, position: bytes) -> int:
    """The first line from `begin` on that has another CHROM or POS; `count` when none has."""
    line = begin
    while line < count and _position(data, table, line) == position:
        line += 1
    return line


def _note_ends(data: Bytes, table: Table, first: int, last: int, number: int, notes: Notes) -> None:
    with_cr = np.flatnonzero(table[first:last, 14] - table[first:last, 10] == 2)
    if len(with_cr):
        notes.add(number + int(with_cr[0]), CRLF, len(with_cr))


def _too_long(path: Path) -> BadFile:
    return BadFile(
        "reading variants",
        "a line is longer than 16 MiB",
        "have the file split by samples, or made again",
        file=path.name,
    )
