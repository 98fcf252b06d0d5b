"""Bytes of compressed files from any place on: every block and member, no byte twice, none lost, no checksum believed."""

import gzip
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from variant_files import record, vcf

from nhsgen import compute
from nhsgen.errors import BadFile
from nhsgen.settings import Settings
from nhsgen.variants import ingest, streams
from nhsgen.variants.streams import Packing, block_starts, blocks, packing_of
from nhsgen.variants.walking import Buffer, Stretch

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def block(data: bytes, level: int = 6, crc: int | None = None, size: int | None = None) -> bytes:
    """One BGZF block; level 0 leaves the bytes as they are."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    head = bytes.fromhex("1f8b08040000000000ff060042430200") + (len(body) + 25).to_bytes(2, "little")
    told = (zlib.crc32(data) if crc is None else crc, len(data) if size is None else size)
    return head + body + b"".join(number.to_bytes(4, "little") for number in told)


def file_of(folder: Path, *pieces: bytes) -> Path:
    path = folder / "a.vcf.gz"
    path.write_bytes(b"".join(pieces))
    return path


def text_of(path: Path, begin: int = 0) -> bytes:
    return b"".join(text for _, text in blocks(path, packing_of(path), begin))


PIECES = st.lists(st.binary(max_size=300), max_size=8)


@given(pieces=PIECES, level=st.integers(0, 9))
def test_bgzip_can_be_read_from_every_block_on(
    pieces: list[bytes], level: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = [block(piece, level) for piece in pieces]
    path = file_of(tmp_path_factory.mktemp("bgzf"), *written, END)
    assert packing_of(path) is Packing.BGZF
    places = [sum(map(len, written[:number])) for number in range(len(written) + 1)]
    assert [start for start, _ in blocks(path, Packing.BGZF)] == places
    for number, place in enumerate(places):
        assert text_of(path, place) == b"".join(pieces[number:])
    # From anywhere, the next block is found; from behind the last, none.
    wanted = list(range(0, path.stat().st_size, 7))
    assert block_starts(path, wanted) == sorted(
        {next((p for p in places if p >= place), -1) for place in wanted} - {-1}
    )


@given(pieces=PIECES, zeros=st.lists(st.sampled_from([0, 0, 1, 600]), min_size=9, max_size=9))
def test_gzip_of_several_members_is_read_to_its_end(
    pieces: list[bytes], zeros: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    members = [gzip.compress(piece) + bytes(more) for piece, more in zip([b"", *pieces], zeros, strict=False)]
    path = file_of(tmp_path_factory.mktemp("gzip"), *members)
    assert packing_of(path) is Packing.GZIP
    found = list(blocks(path, Packing.GZIP))
    assert b"".join(text for _, text in found) == b"".join(pieces) == gzip.decompress(path.read_bytes())
    assert [start for start, _ in found] == [
        sum(len(text) for _, text in found[:number]) for number in range(len(found))
    ]


def test_zeros_of_any_length_may_stand_between_members_but_nothing_else(tmp_path: Path) -> None:
    path = file_of(tmp_path, gzip.compress(b"one"), bytes(3 << 20), gzip.compress(b"two"), bytes(3 << 20))
    assert text_of(path) == b"onetwo"
    for more in (b"x", bytes(3 << 20) + b"x", gzip.compress(b"two")[:-1]):
        with pytest.raises(BadFile, match="compression is broken or cut short"):
            text_of(file_of(tmp_path, gzip.compress(b"one"), more))


def test_a_plain_file_is_read_from_every_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STRETCH", 10)
    path = file_of(tmp_path, bytes(range(95)))
    assert [start for start, _ in blocks(path, Packing.PLAIN, 20)] == [20, 30, 40, 50, 60, 70, 80, 90]
    assert text_of(path, 20) == bytes(range(20, 95))


BROKEN = {
    "another checksum": block(b"text", crc=1),
    "another size": block(b"text", size=5),
    "a bomb": block(bytes(65_537)),
    "a larger bomb": block(bytes(40 << 20)),
    "cut short": block(b"text" * 30)[:-9],
    "no header": b"\0" * 30,
    "a size smaller than a block": block(b"text")[:16] + b"\x05\0" + block(b"text")[18:],
    "an extra field that is larger": block(b"text")[:10] + b"\xff\xff" + block(b"text")[12:],
    "no BGZF": gzip.compress(b"text"),
}


@pytest.mark.parametrize("bad", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_block_is_refused_once_those_before_it_are_read(bad: bytes, tmp_path: Path) -> None:
    path = file_of(tmp_path, block(b"good"), bad, END)
    found = blocks(path, Packing.BGZF)
    assert next(found) == (0, b"good")
    with pytest.raises(BadFile, match="its compression is broken or cut short") as error:
        list(found)
    assert error.value.file == "a.vcf.gz"


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_flipped_bit_of_what_is_compressed_goes_by(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """But for the time, the system and the like in a gzip header, which say nothing."""
    compressed = {
        Packing.BGZF: block(b"some text " * 20) + block(b"more " * 9) + END,
        Packing.GZIP: gzip.compress(b"some text " * 20),
    }
    for packing, whole in compressed.items():
        data = bytearray(whole)
        data[place % len(data)] ^= 1 << bit
        path = file_of(tmp_path_factory.mktemp("flip"), bytes(data))
        with suppress(BadFile):
            assert b"".join(text for _, text in blocks(path, packing)) == gzip.decompress(whole)


def test_what_looks_like_a_block_inside_a_block_is_none(tmp_path: Path) -> None:
    """Bytes stored as they are may be a whole bgzip file of their own; only what its chain of sizes reaches is a block."""
    inner = block(b"inner") + b"not a block"
    pieces = [block(inner * 3, level=0), block(b"x" * 50), block(inner, level=0)]
    path = file_of(tmp_path, *pieces, END)
    places = [sum(map(len, pieces[:number])) for number in range(4)]
    assert set(block_starts(path, list(range(path.stat().st_size)))) == set(places)


@pytest.mark.parametrize("sizes", [[1], [3, 1], [70_000]])
def test_a_line_over_thousands_of_small_blocks_is_read_soon(
    sizes: Sequence[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block a byte, and all of it behind the place where the part stops."""
    data = bytes(Random(1).choices(b"ACGT", k=200_000))
    with pysam.BGZFile(str(tmp_path / "a.vcf.gz"), "wb") as file:
        for number in range(0, len(data), sizes[0]):
            file.write(data[number : number + sizes[0]])
            file.flush()
    buffer, rounds = Buffer(Stretch(tmp_path / "a.vcf.gz", Packing.BGZF, (0, 0), True, stop=1)), 0
    while not buffer.at_end:
        buffer.fill(starved=True)
        rounds += 1
    assert buffer.data[: buffer.have].tobytes() == data
    assert rounds < 80


# -- Bombs --------------------------------------------------------------------------------------------------------------

HEAD = vcf(record("22 1 A C", "0/1"), contigs={"22": 51_304_566}).encode()
CONTIGS = b"".join(b"##contig=<ID=c%d,length=9>\n" % number for number in range(2_000))
PIECE = 64_000


def bomb(path: Path, head: bytes, piece: bytes, times: int) -> Path:
    """A file that holds `piece` many times; written in no time, for its blocks are all the same."""
    path.write_bytes(block(head) + block(piece) * times + END)
    return path


def memory(process: str | int, what: str) -> int:
    """Bytes of memory that a process has (VmRSS), or had at its peak (VmHWM)."""
    said = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert said is not None
    return int(said[1]) * 1024


BCF = b"BCF\2\2"
BOMBS = {
    "a line without end": ("a.vcf.gz", HEAD[:-1], b"A" * PIECE, 30_000),
    "columns without end": ("a.vcf.gz", HEAD[:-1], b"\t0/1" * (PIECE // 4), 30_000),
    "lines without anything": ("a.vcf.gz", HEAD, b"\n" * PIECE, 3_000),
    "a header line without end": ("a.vcf.gz", HEAD[:30], b"A" * PIECE, 30_000),
    "a header without end": ("a.vcf.gz", HEAD[: HEAD.index(b"#CHROM")], CONTIGS, 30_000),
    "a BCF header of 30 MiB": ("a.bcf", BCF + (30 << 20).to_bytes(4, "little"), CONTIGS, 3_000),
    "a BCF header of 2 GiB": ("a.bcf", BCF + (2**31 - 1).to_bytes(4, "little"), CONTIGS, 30_000),
    "a BCF record of 2 GiB": (
        "a.bcf", BCF + len(HEAD).to_bytes(4, "little") + HEAD[: HEAD.index(b"22\t1")] + bytes(len(HEAD) - HEAD.index(b"22\t1"))
        + (2**31 - 1).to_bytes(4, "little") * 2, bytes(PIECE), 30_000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_soon_and_in_little_memory(name: str, tmp_path: Path) -> None:
    file_name, *what = BOMBS[name]
    path = bomb(tmp_path / file_name, *what)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the tests before
    before = memory("self", "VmRSS")
    with pytest.raises(BadFile) as error:
        ingest([path], tmp_path / "store", assembly="GRCh37", workers="processes", settings=Settings(threads=2))
    assert error.value.file == path.name
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert memory("self", "VmHWM") - before < 1 << 29
    for worker in compute._idle:
        assert memory(worker._process.pid, "VmHWM") < 1 << 30
    assert "it broke the process" not in str(error.value)
