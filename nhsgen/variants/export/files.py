"""Bytes on disk: blocks as bgzip makes them, several at a time, and files that get their names whole or not at all."""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pysam

from nhsgen import compute, durable
from nhsgen.errors import NotAllowed
from nhsgen.settings import Settings
from nhsgen.variants.htslib import quiet_htslib

__all__ = ["BGZF_END", "append_file", "bgzip", "body_of", "index", "publish", "taken", "write"]

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends a file: without it the file was cut short."""

_BLOCK = 65_280
"""Bytes in a block: as bgzip, so that the block stays under 64 KiB even where its bytes cannot be made smaller."""
_PIECE = 16 * _BLOCK
_LEVEL = 6  # zlib's own middle, and bgzip's


def bgzip(pieces: Iterable[bytes], settings: Settings) -> Iterator[bytes]:
    """The same bytes in BGZF blocks, without the block that ends a file; no name, no date, nothing but the bytes.

    >>> zlib.decompress(b"".join(bgzip([b"AC", b"GT"], Settings())), wbits=31)
    b'ACGT'
    """
    return compute.mapped(_blocks, _evenly(pieces), settings=settings)


def _evenly(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    if waiting:
        yield bytes(waiting)


def _blocks(data: bytes) -> bytes:
    return b"".join(_block(data[start : start + _BLOCK]) for start in range(0, len(data), _BLOCK))


def _block(data: bytes) -> bytes:
    """One block (SAM specification, section 4.1): a gzip member that says its own length."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    start = struct.pack("<4BI2BH2B2H", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(packed) + 25)
    return start + packed + struct.pack("<2I", zlib.crc32(data), len(data))


def body_of(path: Path) -> Path:
    """Where what follows a file's header is put aside; under the same name, for the sake of what is said when it fails."""
    with _saying(path):
        path.with_name("body").mkdir()
    return path.with_name("body") / path.name


def write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write the pieces, one after the other, behind what is there."""
    with _saying(path):
        # Unbuffered: what a buffer could not write it tries again when it is closed, and fails outside our words.
        file = path.open("ab", buffering=0)
    with file:
        for piece in _evenly(pieces):
            left = memoryview(piece)
            # What the disk says while a piece is being made is about the store, not about this file.
            with _saying(path):
                while left:
                    left = left[file.write(left) :]


def _saying(path: Path) -> AbstractContextManager[None]:
    """Its name only: the folder it is built in is gone when somebody reads of it."""
    return durable.storage(f"writing {path.name}", Path(path.name))


def append_file(path: Path, source: Path) -> None:
    """Put the bytes of `source` behind those of `path`, and take `source` away."""
    with _saying(path):
        with source.open("rb") as read:
            write(path, iter(lambda: read.read(_PIECE), b""))
        source.unlink()


def index(path: Path) -> Path:
    """Make the CSI index of a sorted .vcf.gz or .bcf beside it."""
    beside = path.with_name(path.name + ".csi")
    with quiet_htslib(), durable.storage(f"indexing {path.name}", Path(path.name)):
        try:
            pysam.tabix_index(str(path), preset="vcf", csi=True, index=str(beside), keep_original=True)
        except OSError as error:
            # htslib says where the file is, and not what the disk said.
            raise OSError(error.errno or 0, "the index could not be written") from error
    return beside


def taken(path: Path) -> NotAllowed:
    """The error for a place where something is."""
    return NotAllowed("exporting variants", f"{path.name} is already there", "choose another place, or remove it first")


def publish(files: Sequence[Path], folder: Path) -> None:
    """Give built files their names in `folder`, all or none, the last one last: where it is, the others are.

    NotAllowed when a name is taken. A link, not a renaming: a renaming would put itself in the place of what is there.
    """
    given: list[Path] = []
    with durable.storage(f"publishing {files[-1].name}", folder / files[-1].name):
        for file in files:
            durable.sync(file)
        try:
            for file in files:
                place = folder / file.name
                os.link(file, place)
                given.append(place)
        except OSError as error:
            for made in given:
                made.unlink()
            if isinstance(error, FileExistsError):
                raise taken(folder / files[len(given)].name) from error
            raise
        finally:
            durable.sync(folder)
