"""Whole lines of a VCF, cut into columns, for one part of the file: no line in two parts, no line in none.

A part is a stretch between two places where compressed blocks begin. Its lines are those that begin behind the first place and
not behind the second; but lines of one position stay together, in the part where that position is met first, so that every
part can put its own variants in order.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadFile
from nhsgen.variants.headers import Notes
from nhsgen.variants.reading import CRLF, LONGEST_LINE, NO_NEWLINE
from nhsgen.variants.streams import Packing, Place, blocks
from nhsgen.variants.text_kernels import COLUMNS, PADDING, cut_lines

__all__ = ["Buffer", "Lines", "Share", "Stretch", "lines_of"]

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
        """Read on: as much as is worked on at once, but beyond the stretch only when `starved`, and little."""
        # By a quarter of what there is: a line in thousands of small blocks is not searched again after each of them.
        due = self.have + self.have // 4 + 1 if starved else 0
        while not self.at_end and self.have < (due if self.limit is not None else max(due, _AT_ONCE)):
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


class Share:
    """Which of the records that were just cut are this part's: see the top of this file."""

    def __init__(self, is_first: bool) -> None:
        self._begun = is_first
        self._leading: Hashable = None  # the position that the part before has all of
        self._trailing: Hashable = None  # the position that began behind our end, and is ours

    def of(
        self, starts: npt.NDArray[np.int64], limit: int | None, position: Callable[[int], Hashable]
    ) -> tuple[int, int]:
        """The first that is ours and the first that is no longer; where the latter is not the last, the part is at its end.

        starts: where each begins. limit: where the next part begins, when that is known. position: CHROM and POS of each.
        """
        count, first = len(starts), 0
        if not self._begun:
            self._leading, self._begun = position(0), True
        if self._leading is not None:
            first = _another(position, 0, count, self._leading)
            if first and limit is not None and starts[first - 1] > limit:
                return 0, 0  # the next part begins at the same position: all of it belongs to a part before
            self._leading = self._leading if first == count else None
        if limit is None or first == count:
            return first, count
        beyond = 0
        if self._trailing is None:
            beyond = int(np.searchsorted(starts, limit, side="right"))
            self._trailing = position(beyond) if beyond < count else None
        return first, count if self._trailing is None else _another(position, beyond, count, self._trailing)


def _another(position: Callable[[int], Hashable], begin: int, count: int, here: Hashable) -> int:
    """The first record from `begin` on at another position; `count` when none is."""
    while begin < count and position(begin) == here:
        begin += 1
    return begin


def lines_of(stretch: Stretch, fields: int, notes: Notes) -> Iterator[Lines]:
    """The lines of a part, in their order; fields: how many columns stand before the samples."""
    buffer = Buffer(stretch)
    table = np.zeros((_LINES, COLUMNS), dtype=np.int64)
    number = 1
    share, skipping, starved = Share(stretch.is_first), not stretch.is_first, False
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
                if buffer.have > LONGEST_LINE:
                    raise _too_long(stretch.path)
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
        skipping = False
        first, last = share.of(table[:count, 0], buffer.limit, partial(_position, buffer.data, table))
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


def _position(data: Bytes, table: Table, line: int) -> Hashable:
    """CHROM and POS as they are written; a line of too few columns, which is to be refused, has one like no other."""
    return object() if table[line, 12] else data[table[line, 0] : table[line, 2]].tobytes()


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
