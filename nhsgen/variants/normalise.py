"""One way of writing an allele: as short as can be and as far left as can be, checked against a reference genome.

In a run of CACACA the loss of one CA can be written in five ways, and two sites that write it differently seem to have two
variants. The normal form (Tan, Abecasis and Kang, Bioinformatics 2015; what `bcftools norm -f` writes) is the leftmost of them
with no base to spare. Positions are VCF's, 1-based; stretches of a reference are 0-based and half-open. Letters are capitals.

Alleles that are not written in letters (`<DEL>`, `*`, breakends) stay as they are.
"""

import mmap
import re
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pysam

from nhsgen.errors import BadFile, NotFound
from nhsgen.genome import chromosome
from nhsgen.variants.htslib import quiet_htslib

__all__ = ["Reference", "left_align", "normalised", "trim"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_WINDOW = 1 << 16
"""Bases of a contig that are read together."""

_LEFTWARDS = 64
"""Bases that are looked at together while an allele moves left: few repeats are longer."""

_LETTERS = re.compile(r"[ACGTNRYSWKMBDHV]+")

# A letter that stands for several bases agrees with any: neither VCF nor reference commits itself.
_UNSURE = np.zeros(256, dtype=bool)
_UNSURE[list(b"NRYSWKMBDHV")] = True


# -- One allele ---------------------------------------------------------------------------------------------------------


def trim(pos: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Without the bases that both share: first those at the end, then those at the start; one base each always remains.

    >>> trim(100, "CTTA", "CTA"), trim(100, "GCA", "GTA"), trim(100, "A", "<DEL>")
    ((100, 'CT', 'C'), (101, 'C', 'T'), (100, 'A', '<DEL>'))
    """
    if not _in_letters(ref, alt):
        return pos, ref, alt
    most = min(len(ref), len(alt)) - 1
    end = 0
    while end < most and ref[-1 - end] == alt[-1 - end]:
        end += 1
    start = 0
    while start < most - end and ref[start] == alt[start]:
        start += 1
    return pos + start, ref[start : len(ref) - end], alt[start : len(alt) - end]


def left_align(pos: int, ref: str, alt: str, sequence: Callable[[int, int], str]) -> tuple[int, str, str]:
    """The normal form of an allele: trimmed, and an insertion or deletion moved left as far as the sequence allows.

    sequence: the contig's bases from a start (0-based) to an end (excluded), in capitals.
    What begins a contig has no base before it and takes the one after, as VCF asks.

    >>> contig = "GGCACACATT"
    >>> left_align(6, "ACA", "A", lambda start, end: contig[start:end])
    (2, 'GCA', 'G')
    """
    if not _in_letters(ref, alt) or ref == alt:
        return pos, ref, alt
    end, most = 0, min(len(ref), len(alt))
    while end < most and ref[-1 - end] == alt[-1 - end]:
        end += 1
    if end < most:  # neither is empty: nothing to move
        return trim(pos, ref, alt)
    gone, new = ref[: len(ref) - end], alt[: len(alt) - end]
    # One of the two is empty; the other moves left past each base that is the same as its last, which becomes its first.
    moving, start, before = gone or new, pos - 1, ""
    steps = 0
    for base in _leftwards(sequence, start):
        if base != moving[-1 - steps % len(moving)]:
            before = base
            break
        steps += 1
    start -= steps
    turn = len(moving) - steps % len(moving)
    moving = moving[turn:] + moving[:turn]
    if before:
        return (start, before + moving, before) if gone else (start, before, before + moving)
    after = sequence(start + len(gone), start + len(gone) + 1)
    return (start + 1, moving + after, after) if gone else (start + 1, after, moving + after)


def _in_letters(ref: str, alt: str) -> bool:
    return _LETTERS.fullmatch(ref) is not None and _LETTERS.fullmatch(alt) is not None


def _leftwards(sequence: Callable[[int, int], str], end: int) -> Iterator[str]:
    """The bases before `end`, from right to left."""
    while end > 0:
        start = max(0, end - _LEFTWARDS)
        yield from reversed(sequence(start, end))
        end = start


# -- Whole columns ------------------------------------------------------------------------------------------------------


def normalised(
    chrom: str, pos: npt.ArrayLike, refs: Sequence[str], alts: Sequence[str], reference: "Reference | None" = None
) -> tuple[Ints, list[str], list[str]]:
    """The normal forms of alleles of one chromosome, in the order given; they may no longer be in order of position.

    reference: left out, alleles are trimmed but not moved, and REF is not checked.
    BadFile where REF is not what the reference has. SNVs are checked all at once and otherwise passed over.

    >>> normalised("22", [100, 200], ["A", "CTTA"], ["G", "CTA"])[1:]
    (['A', 'CT'], ['G', 'C'])
    """
    places = np.array(pos, dtype=np.int64)
    new_refs, new_alts = list(refs), list(alts)
    ref_lengths = np.fromiter(map(len, new_refs), dtype=np.int64, count=len(new_refs))
    alt_lengths = np.fromiter(map(len, new_alts), dtype=np.int64, count=len(new_alts))
    sequence = None
    if reference is not None:
        _check(chrom, places, new_refs, new_alts, ref_lengths, reference)
        sequence = reference.contig(chrom)
    for row in np.flatnonzero((ref_lengths > 1) | (alt_lengths > 1)).tolist():
        allele = int(places[row]), new_refs[row], new_alts[row]
        places[row], new_refs[row], new_alts[row] = left_align(*allele, sequence) if sequence else trim(*allele)
    return places, new_refs, new_alts


def _check(chrom: str, pos: Ints, refs: list[str], alts: list[str], lengths: Ints, reference: "Reference") -> None:
    """BadFile unless each REF is what the reference has there."""
    length = reference.length(chrom)
    outside = (pos < 1) | (pos - 1 + lengths > length)
    for row in np.flatnonzero(outside).tolist():
        # The telomeres, at 0 and length + 1, have no bases; breakends may join them.
        if _in_letters(refs[row], alts[row]) or not (pos[row] == 0 or pos[row] == length + 1):
            raise _disagrees(chrom, pos[row], f"is outside the contig's {length:,} bases", reference)
    single = np.flatnonzero((lengths == 1) & ~outside)
    given = np.frombuffer("".join([refs[row] for row in single.tolist()]).encode("ascii"), dtype=np.uint8)
    wrong = single[_differ(given, reference.bases(chrom, pos[single]))]
    if len(wrong):
        raise _disagrees(chrom, pos[wrong[0]], "is not what the reference has there", reference)
    sequence = reference.contig(chrom)
    for row in np.flatnonzero((lengths > 1) & ~outside).tolist():
        start = int(pos[row]) - 1
        has = sequence(start, start + len(refs[row]))
        if has != refs[row] and _differ(_as_bytes(refs[row]), _as_bytes(has)).any():
            raise _disagrees(chrom, pos[row], "is not what the reference has there", reference)


def _as_bytes(text: str) -> Bytes:
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8)


def _differ(given: Bytes, has: Bytes) -> npt.NDArray[np.bool_]:
    differ: npt.NDArray[np.bool_] = (given != has) & ~_UNSURE[given] & ~_UNSURE[has]
    return differ


def _disagrees(chrom: str, pos: int, found: str, reference: "Reference") -> BadFile:
    return BadFile(
        "checking REF against the reference genome",
        f"REF at {chromosome(chrom)}:{pos} {found}",
        "use the reference that the variants were called with",
        file=reference.path.name,
    )


# -- The reference genome -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Contig:
    """Where a contig's bases stand in the text of a FASTA: a line of the index, as samtools writes it."""

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def at(self, base: int) -> int:
        """The byte of the text where a base stands, or would stand after the last."""
        return self.offset + base // self.line_bases * self.line_bytes + base % self.line_bases


class Reference:
    """An open reference genome; make one with `Reference.open`, and close it or use it in a `with`.

    Contigs go by the names of `nhsgen.genome.chromosome`: "chr22" and "22" are one.
    """

    def __init__(self, path: Path, text: "_Text", contigs: Mapping[str, _Contig]) -> None:
        self.path = path
        self._text = text
        self._contigs = contigs
        self._window = lru_cache(maxsize=64)(self._read_window)

    @classmethod
    def open(cls, path: str | Path) -> "Reference":
        """Open a FASTA, plain or compressed with bgzip.

        The index beside it (`.fai`) is read when there is one, by ourselves, and believed only where the FASTA bears it out;
        otherwise one is made, which takes some seconds for a whole genome. NotFound; BadFile for what is no FASTA.
        """
        fasta = Path(path)
        if not fasta.is_file():
            raise NotFound(f"opening the reference {fasta.name}", "there is no such file", "check the path")
        text = _Text(fasta)
        beside = fasta.with_name(f"{fasta.name}.fai")
        try:
            lines = beside.read_bytes() if beside.is_file() else _made_index(fasta)
            return cls(fasta, text, _contigs(fasta, text, lines))
        except BaseException:
            text.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._window.cache_clear()
        self._text.close()

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of each contig, in the order of the file."""
        return {name: contig.length for name, contig in self._contigs.items()}

    def length(self, chrom: str) -> int:
        """Bases of a contig; NotFound where the reference has none of that name."""
        return self._find(chrom).length

    def contig(self, chrom: str) -> Callable[[int, int], str]:
        """What gives a contig's bases from a start (0-based) to an end (excluded), in capitals; for `left_align`."""
        name = self._find(chrom).name
        return lambda start, end: self.fetch(name, start, end)

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Bases in capitals; `start` 0-based, `end` excluded. What lies outside the contig is left out."""
        contig = self._find(chrom)
        start, end = max(0, start), min(end, contig.length)
        if start >= end:
            return ""
        first, last = start // _WINDOW, (end - 1) // _WINDOW
        some = b"".join([self._window(contig, number) for number in range(first, last + 1)])
        return some[start - first * _WINDOW : end - first * _WINDOW].decode("ascii")

    def bases(self, chrom: str, pos: Ints) -> Bytes:
        """The base at each position (1-based), as its letter's number; every position is inside the contig."""
        contig = self._find(chrom)
        answer = np.empty(len(pos), dtype=np.uint8)
        windows = (pos - 1) // _WINDOW
        order = np.argsort(windows, kind="stable")
        numbers, firsts = np.unique(windows[order], return_index=True)
        for number, rows in zip(numbers.tolist(), np.split(order, firsts)[1:], strict=True):
            window = np.frombuffer(self._window(contig, number), dtype=np.uint8)
            answer[rows] = window[pos[rows] - 1 - number * _WINDOW]
        return answer

    def _find(self, chrom: str) -> _Contig:
        contig = self._contigs.get(chromosome(chrom))
        if contig is None:
            raise NotFound(
                f"reading the reference {self.path.name}",
                f"it has no contig '{chromosome(chrom)}'",
                "use the reference that the variants were called with",
            )
        return contig

    def _read_window(self, contig: _Contig, number: int) -> bytes:
        start, end = number * _WINDOW, min((number + 1) * _WINDOW, contig.length)
        found = self._text.read(contig.at(start), contig.at(end - 1) + 1).translate(None, b"\r\n").upper()
        if len(found) != end - start or not found.isalpha():
            raise _bad(self.path, f"contig '{contig.name}' is not as its index says")
        return found


def _bad(path: Path, found: str, do_next: str = "make the index again with samtools faidx") -> BadFile:
    return BadFile("reading a reference genome", found, do_next, file=path.name)


def _made_index(fasta: Path) -> bytes:
    """An index of our own: one that lies beside a file may be anybody's."""
    with tempfile.TemporaryDirectory() as room, quiet_htslib():
        made = Path(room) / "made.fai"
        try:
            pysam.faidx("--fai-idx", str(made), "--gzi-idx", f"{room}/made.gzi", str(fasta))
        except pysam.utils.SamtoolsError as error:
            raise _bad(fasta, "it is not a FASTA that can be indexed", "check it with samtools faidx") from error
        return made.read_bytes() if made.exists() else b""


def _contigs(fasta: Path, text: "_Text", index: bytes) -> dict[str, _Contig]:
    """The lines of an index, each believed only when the FASTA has that contig there, from its name to its end."""
    contigs: dict[str, _Contig] = {}
    for number, line in enumerate(index.decode("utf-8", "replace").splitlines(), 1):
        name, *fields = line.split("\t")
        if len(fields) != 4 or not all(field.isascii() and field.isdecimal() and len(field) < 16 for field in fields):
            raise BadFile("reading the index of a reference genome", "it is no line of samtools faidx",
                          "make the index again with samtools faidx", file=f"{fasta.name}.fai", line=number)  # fmt: skip
        contig = _Contig(name, *map(int, fields))
        if contig.length and not _borne_out(text, contig):
            raise _bad(fasta, f"contig '{name}' is not where its index says")
        if chromosome(name) in contigs:
            raise _bad(fasta, f"contig '{chromosome(name)}' is there twice", "keep one of the two")
        if contig.length:
            contigs[chromosome(name)] = contig
    if not contigs:
        raise _bad(fasta, "it has no contig", "give a FASTA, plain or compressed with bgzip")
    return contigs


def _borne_out(text: "_Text", contig: _Contig) -> bool:
    ends = 0 < contig.line_bases < contig.line_bytes <= contig.line_bases + 2
    if not ends and not contig.length == contig.line_bases == contig.line_bytes:  # a last line may lack its end
        return False
    stop = contig.at(contig.length - 1) + 1
    if stop > text.size:
        return False
    before = text.read(max(0, contig.offset - 65_536), contig.offset)
    header = before[before.rfind(b"\n", 0, max(0, len(before) - 1)) + 1 :]
    named = (
        header.startswith(b">") and (header[1:].split() or [b""])[0] == contig.name.encode() and header[-1:] == b"\n"
    )
    return named and text.read(stop, stop + 3).lstrip(b"\r\n")[:1] in {b"", b">"}


# -- The text of a file, plain or in blocks -----------------------------------------------------------------------------


class _Text:
    """The bytes of a file, whether it is plain or compressed with bgzip; a stretch at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise _bad(path, "it is empty", "have it sent again")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._places: list[int] = []
        self._starts: list[int] = []
        self.size = len(self._map)
        if self._map[:2] == b"\x1f\x8b":
            self.size = self._find_blocks()
        self._block = lru_cache(maxsize=8)(self._decompressed)

    def close(self) -> None:
        self._map.close()

    def read(self, start: int, end: int) -> bytes:
        """From a byte to another, excluded; shorter where the file ends."""
        end = min(end, self.size)
        if start >= end:
            return b""
        if not self._places:
            return self._map[start:end]
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        some = b"".join([self._block(number) for number in range(first, last + 1)])
        return some[start - self._starts[first] : end - self._starts[first]]

    def _find_blocks(self) -> int:
        """Note where each block of bgzip begins, in the file and in the text; the length of the text (SAM specification, 4.1)."""
        place = size = 0
        while place < len(self._map):
            head = self._map[place : place + 18]
            end = place + int.from_bytes(head[16:18], "little") + 1
            if len(head) < 18 or head[:4] != b"\x1f\x8b\x08\x04" or head[12:14] != b"BC" or end > len(self._map):
                raise _bad(
                    self._path, "its blocks are not those of bgzip, or it is cut short", "compress it with bgzip"
                )
            self._places.append(place)
            self._starts.append(size)
            size += int.from_bytes(self._map[end - 4 : end], "little")
            place = end
        self._places.append(place)
        return size

    def _decompressed(self, number: int) -> bytes:
        block = self._map[self._places[number] : self._places[number + 1]]
        try:
            text = zlib.decompress(block[18:-8], -zlib.MAX_WBITS)
        except zlib.error as error:
            raise _bad(self._path, "its compression is broken", "have it sent again") from error
        if zlib.crc32(text) != int.from_bytes(block[-8:-4], "little"):
            raise _bad(self._path, "its compression is broken", "have it sent again")
        return text
