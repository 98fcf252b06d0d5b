"""The bytes of a variant file from any place on: bgzip, gzip or plain, every checksum compared.

A place in a file is two numbers, as in BGZF: where a compressed block begins in the file, and how many bytes of what it holds
come before (SAM specification, 4.1.1). In a plain file a block is a stretch of bytes; a gzip file can only be read from its
beginning, and its places count what was decompressed.
"""

import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from isal import isal_zlib
from isal.igzip_lib import IsalError

from nhsgen.errors import BadFile

__all__ = ["STRETCH", "Packing", "Place", "block_starts", "blocks", "broken", "packing_of"]

Place = tuple[int, int]

STRETCH = 1 << 18
"""Bytes of a block of a plain file."""
_READ = 1 << 20
_LARGEST_BLOCK = 1 << 16
"""Bytes that a BGZF block may hold: more is a bomb."""
_BROKEN: tuple[Any, ...] = (IsalError, zlib.error, EOFError)
_SEND = "have it sent again"


class Packing(StrEnum):
    BGZF = "bgzf"
    GZIP = "gzip"
    PLAIN = "plain"


def packing_of(path: Path) -> Packing:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as raw:
        start = raw.read(18)
    if start[:2] != b"\x1f\x8b":
        return Packing.PLAIN
    return Packing.BGZF if _block_size(start) else Packing.GZIP


def blocks(path: Path, packing: Packing, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each block from the one that begins at `begin` on: where it begins, and its bytes decompressed.

    BadFile where the compression is broken or a checksum does not agree.
    """
    if packing is Packing.PLAIN:
        yield from _plain(path, begin)
    elif packing is Packing.BGZF:
        yield from _bgzf(path, begin)
    else:
        yield from _gzip(path, begin)


def block_starts(path: Path, wanted: list[int]) -> list[int]:
    """For each place in a bgzip file, in ascending order, where the first block at or after it begins; without repetition.

    A block is known by its header and by a chain of headers behind it, for its first bytes may stand in compressed data too.
    """
    size = path.stat().st_size
    found: list[int] = []
    with path.open("rb") as raw:
        for place in wanted:
            raw.seek(place)
            data = raw.read(1 << 18)
            at = data.find(b"\x1f\x8b\x08\x04")
            while at >= 0 and not _is_chain(data, at, size - place):
                at = data.find(b"\x1f\x8b\x08\x04", at + 1)
            if at >= 0 and place + at not in found:
                found.append(place + at)
    return found


def _is_chain(data: bytes, at: int, left: int) -> bool:
    for _ in range(3):
        if at == left or at + 18 > len(data):
            return True
        size = _block_size(data[at : at + 18])
        if not size:
            return False
        at += size
    return True


def _block_size(header: bytes) -> int:
    """The size of the BGZF block that begins so; 0 when it is none."""
    if len(header) < 18 or header[:4] != b"\x1f\x8b\x08\x04" or header[12:16] != b"BC\x02\x00":
        return 0
    return int.from_bytes(header[16:18], "little") + 1


def _plain(path: Path, begin: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as raw:
        raw.seek(begin)
        while data := raw.read(STRETCH):
            yield begin, data
            begin += len(data)


def _bgzf(path: Path, begin: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as raw:
        raw.seek(begin)
        data, at = b"", 0
        while True:
            if len(data) - at < 1 << 16:
                data, at = data[at:] + raw.read(_READ), 0
                if not data:
                    return
            size = _block_size(data[at : at + 18])
            if not size or size < 26 or at + size > len(data):
                raise broken(path)
            yield begin, _inflated(path, data, at, size)
            at, begin = at + size, begin + size


def _inflated(path: Path, data: bytes, at: int, size: int) -> bytes:
    end = at + size
    extra = int.from_bytes(data[at + 10 : at + 12], "little")
    try:
        text: bytes = isal_zlib.decompress(data[at + 12 + extra : end - 8], -15, 1 << 16)
    except _BROKEN as error:
        raise broken(path) from error
    told = data[end - 8 : end]
    if (
        int.from_bytes(told[:4], "little") != isal_zlib.crc32(text)
        or int.from_bytes(told[4:], "little") != len(text)
        or len(text) > _LARGEST_BLOCK
    ):
        raise broken(path)
    return text


def _gzip(path: Path, begin: int) -> Iterator[tuple[int, bytes]]:
    """A gzip file of one or more members; the standard library's decompressor compares their checksums."""
    done, member = 0, zlib.decompressobj(31)
    with path.open("rb") as raw:
        waiting = raw.read(_READ)
        while waiting or not member.eof:
            if not waiting:
                waiting = raw.read(_READ)
                if not waiting:
                    raise broken(path)
            try:
                text = member.decompress(waiting, STRETCH)
            except zlib.error as error:
                raise broken(path) from error
            waiting = member.unconsumed_tail
            if member.eof:
                waiting = member.unused_data or raw.read(_READ)
                while waiting and not (waiting := waiting.lstrip(b"\0")):  # zeros may follow a member, however many
                    waiting = raw.read(_READ)
                member = zlib.decompressobj(31) if waiting else member
            if text and done >= begin:
                yield done, text
            done += len(text)


def broken(path: Path) -> BadFile:
    """What is said of a file whose compression is broken."""
    return BadFile("reading variants", "its compression is broken or cut short", _SEND, file=path.name)
