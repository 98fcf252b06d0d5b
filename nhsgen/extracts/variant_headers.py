"""What the header, the sample names and the records of a VCF or BCF file say about people beyond their genotypes.

A release keeps positions, alleles, ids, consequences and genotypes, never the header; so a header that only names programs
and paths is for the steward to look at, and one that names people stops the extract. The file is read as text or as plain
bytes: no index is opened and no BCF record is parsed, because damaged ones crash their readers.
"""

import gzip
import io
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import polars as pl

from nhsgen.extracts.identifiers import (
    FORENAMES,
    SURNAMES,
    chance_bound,
    identifier_in,
    is_nhs_number,
    ten_digits,
)

__all__ = ["HEADER_RULES", "HeaderRule", "Leak", "compression_leaks", "variant_leaks"]

_A_SAMPLE = "a sample's name"
_LONGEST_LINE = 1 << 26  # bytes; SAFETY: a line beyond it is not a variant
_FULLY_READ = (
    10_000  # records in which every text INFO field is searched for sample names; suspicious fields are in all
)


@dataclass(frozen=True)
class Leak:
    """`place` is the kind of header line, "samples", "ID" or an INFO field; `count` how many lines, samples or records."""

    detector: str
    place: str
    count: int
    says: str
    blocks: bool = False
    may_be_lifted: bool = True


@dataclass(frozen=True)
class HeaderRule:
    """A kind of header line that says more than a header must."""

    name: str
    pattern: re.Pattern[str]
    says: str
    blocks: bool = False


HEADER_RULES: tuple[HeaderRule, ...] = (
    HeaderRule(
        "vcf_people",
        re.compile(r"^##(SAMPLE|PEDIGREE|pedigreeDB|INDIVIDUAL|FAMILY)="),
        "lines that describe samples or families",
        blocks=True,
    ),
    HeaderRule("vcf_people", re.compile(r"^##META="), "lines that say what is recorded about samples"),
    HeaderRule(
        "vcf_sample_list",
        re.compile(
            r"^##[^=]*(?i:command|cmd)[^=]*=.*\s(-s|-S|--samples|--samples-file|-sn|--sample_name)[ =]\^?[^\s-]"
        ),
        "command lines that chose samples by name or list; a person taken out may be named there",
        blocks=True,
    ),
    HeaderRule(
        "vcf_command_line",
        re.compile(r"(?i)^##[^=]*(command|cmd)[^=]*="),
        "command lines, which name files and samples",
    ),
    HeaderRule(
        "vcf_path",
        re.compile(r"file:/|(?<![:/\w])/(?:[\w.+-]+/)+[\w.+-]+|[A-Za-z]:\\\w"),
        "names of files and folders of the laboratory",
    ),
    HeaderRule("vcf_date", re.compile(r"(?i)^##[^=]*date[^=]*=|[^a-z]date=|epoch="), "the day the file was made"),
)


def variant_leaks(path: Path) -> Iterator[Leak]:
    """Everything found in one file; a file that cannot be read through to its end is a leak that may not be lifted."""
    header = _Header(file_names=frozenset({path.name, path.name.split(".")[0]}))
    try:
        with _opened(path) as stream:
            if stream.peek(3)[:3] == b"BCF":
                (length,) = struct.unpack("<I", stream.read(9)[5:])
                header.read(io.BytesIO(stream.read(min(length, _LONGEST_LINE)).rstrip(b"\0")))
                yield from header.leaks()
                yield Leak("vcf_records", "records", 0, "records in BCF, of which only the header is inspected")
                return
            first = header.read(stream)
            yield from header.leaks()
            yield from _record_leaks(stream, first, header)
    except (OSError, EOFError, zlib.error, struct.error, UnicodeError):
        yield Leak("unreadable", "file", 0, "cannot be read to its end, so nobody knows what is in it", True, False)


def _opened(path: Path) -> io.BufferedReader:
    with path.open("rb") as start:
        packed = start.read(2) == b"\x1f\x8b"
    return io.BufferedReader(cast(io.RawIOBase, gzip.open(path)), 1 << 20) if packed else path.open("rb")


# -- The header ----------------------------------------------------------------------------------------------------------


@dataclass
class _Header:
    file_names: frozenset[str]
    lines: list[str] = field(default_factory=list)
    samples: tuple[str, ...] = ()

    def read(self, stream: BinaryIO) -> bytes:
        """Take the header's lines off the stream and return the first line after it."""
        while (line := stream.readline(_LONGEST_LINE)).startswith(b"#"):
            if line.startswith(b"##"):
                self.lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
            else:
                self.samples = tuple(line.decode("utf-8", "replace").rstrip("\r\n").split("\t")[9:])
        if not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
            raise OSError("a line without an end")
        return line

    def leaks(self) -> Iterator[Leak]:
        yield from self._line_leaks()
        yield from self._sample_leaks()

    def _line_leaks(self) -> Iterator[Leak]:
        people = set(self.samples)
        named: dict[str, list[str]] = {}
        ruled: dict[HeaderRule, list[str]] = {}
        for line in self.lines:
            if what := identifier_in(line):
                named.setdefault(what, []).append(_key(line))
            elif not people.isdisjoint(re.split(r"[^\w.-]+|(?<=\w)\.(?=\D)", line)):
                named.setdefault(_A_SAMPLE, []).append(_key(line))
            for rule in HEADER_RULES:
                if rule.pattern.search(line):
                    ruled.setdefault(rule, []).append(_key(line))
        for what, keys in named.items():
            says = f"what may be {what}, in the header"
            yield Leak("vcf_names_people", _some(keys), len(keys), says, True, what == _A_SAMPLE)
        for rule, keys in ruled.items():
            yield Leak(rule.name, _some(keys), len(keys), rule.says, rule.blocks)

    def _sample_leaks(self) -> Iterator[Leak]:
        if not self.samples:
            return
        names = pl.Series(self.samples)
        numbers = ten_digits(names).drop_nulls().to_numpy()
        valid = int(is_nhs_number(numbers).sum())
        if valid and (valid == len(self.samples) or valid >= chance_bound(len(np.unique(numbers)))):
            yield Leak("vcf_sample_names", "samples", valid, "names that are NHS numbers", True, False)
        elif valid:
            yield Leak("vcf_sample_names", "samples", valid, "names that may be NHS numbers")
        people = [
            name for name in self.samples if identifier_in(name) not in {None, "an NHS number"} or _is_a_name(name)
        ]
        if people:
            yield Leak(
                "vcf_sample_names",
                "samples",
                len(people),
                "names that may be people's names or addresses",
                True,
                False,
            )
        inside = sum(1 for name in self.samples if identifier_in(name) == "an NHS number") - valid
        if inside > 0:
            yield Leak("vcf_sample_names", "samples", inside, "names with NHS numbers in them", True, False)
        if same := sum(1 for name in self.samples if name in self.file_names):
            yield Leak(
                "vcf_file_name",
                "samples",
                same,
                "a sample has the name of the file: whoever sees the file's name knows whose it is",
            )


def _some(keys: list[str]) -> str:
    """The first three kinds of line, and how many more there are."""
    kinds = list(dict.fromkeys(keys))
    return ", ".join(kinds[:3]) + (f" and {len(kinds) - 3} more" if len(kinds) > 3 else "")


def _key(line: str) -> str:
    """ "##INFO=<ID=AC,..." is "##INFO AC"; what identifies somebody is not repeated even when it stands there."""
    match = re.match(r"##([^=]{1,60})=(?:<ID=([\w.]{1,40}))?", line)
    if match is None:
        return "a header line"
    named = match[2] if match[2] and match[1] in {"INFO", "FORMAT", "FILTER", "contig", "ALT"} else ""
    key = f"##{match[1]} {named}".rstrip()
    return key if identifier_in(key) is None else "a header line"


def _is_a_name(text: str) -> bool:
    words = [word for word in re.split(r"[^a-z]+", text.lower()) if word]
    return len(words) > 1 and any(word in FORENAMES or word in SURNAMES for word in words)


# -- The records -----------------------------------------------------------------------------------------------------------

_GOOD_ID = re.compile(
    rb"(?:(?:rs|COSV|COSM|COSN|ss|esv|nsv|essv|nssv)\d+|\.)(?:;(?:rs|COSV|COSM|COSN|ss|esv|nsv|essv|nssv)\d+)*"
)
_PLACE_ID = re.compile(rb"(?:chr)?[\dXYMT]{1,2}[:_-]\d+(?:[:_-][\w<>*:.,]+)*")
_BETWEEN_NAMES = re.compile(rb"[\s,;|:&/=()\[\]]+")
_WORDY = re.compile(rb"[A-Za-z]{2}|[0-9]{4}")  # a list of names or of sample numbers, not a flag
_ABOUT_PEOPLE = re.compile(r"(?i)sample|carrier|individual|patient|proband|participant|family|person")


def _record_leaks(stream: BinaryIO, first: bytes, header: _Header) -> Iterator[Leak]:
    """One pass over the first eight columns; the genotypes themselves are what the file is for."""
    search, ids, absent = _SampleLists(header), Counter[str](), 0
    for line in _lines(stream, first):
        columns = line.split(b"\t", 8)
        if len(columns) == 9:  # a file without genotypes is about variants, not about people
            info = columns[7]
            ids[_kind_of_id(columns[2])] += 1
            absent += _nobody_carries(info)
            search.look_at(info)
    for name, count in search.found.items():
        yield Leak(
            "vcf_sample_list",
            f"INFO {name.decode()}",
            count,
            "lists of samples or people beside the genotypes",
            True,
        )
    if ids["numbered"]:
        yield Leak("vcf_ids", "ID", ids["numbered"], "what may be NHS numbers", True, False)
    if ids["own"]:
        says = "names of the laboratory's own; ids other than rs, COSV and positions may point to a person"
        yield Leak("vcf_ids", "ID", ids["own"], says)
    if absent:
        says = "sites that nobody in the file carries (AC=0); they point to somebody who was taken out"
        yield Leak("vcf_private_sites", "records", absent, says)


class _SampleLists:
    """Counts, by INFO field, the records in which it names samples.

    A field whose name or description speaks of people is searched in every record, the others in the first few thousand.
    """

    def __init__(self, header: _Header) -> None:
        declared = (re.match(r"##INFO=<ID=([^,]+),.*Type=String,?(.*)", line) for line in header.lines)
        texts = {match[1].encode(): f"{match[1]} {match[2]}" for match in declared if match}
        self.people = {name.encode() for name in header.samples}
        self.suspicious = {name for name, about in texts.items() if _ABOUT_PEOPLE.search(about)}
        self.texts = set(texts)
        self.found, self.records = Counter[bytes](), 0

    def look_at(self, info: bytes) -> None:
        self.records += 1
        wanted = self.texts if self.records <= _FULLY_READ else self.suspicious
        if not wanted:
            return
        for entry in info.split(b";"):
            name, _, value = entry.partition(b"=")
            if name in wanted and (
                (name in self.suspicious and _WORDY.search(value))
                or not self.people.isdisjoint(_BETWEEN_NAMES.split(value))
            ):
                self.found[name] += 1


def _kind_of_id(text: bytes) -> str:
    if _GOOD_ID.fullmatch(text) or _PLACE_ID.fullmatch(text):
        return "good"
    numbered = len(text) > 9 and identifier_in(text.decode("utf-8", "replace")) == "an NHS number"
    return "numbered" if numbered else "own"


def _lines(stream: BinaryIO, first: bytes) -> Iterator[bytes]:
    line = first
    while line:
        yield line
        line = stream.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            raise OSError("a line without an end")


_ALLELE_COUNTS = re.compile(rb"(?:^|;)AC=([0-9,]+)")


def _nobody_carries(info: bytes) -> bool:
    counts = _ALLELE_COUNTS.search(info)
    return counts is not None and not counts[1].strip(b"0,")


# -- The compressed file itself ----------------------------------------------------------------------------------------------


def compression_leaks(path: Path) -> Iterator[Leak]:
    """What stands in a gzip or BGZF file between the data: the original file's name, comments, fields of no known meaning.

    A BGZF block is a gzip member with one extra field, BC, that says how long it is (SAM specification, 4.1).
    """
    found: Counter[tuple[str, bool]] = Counter()
    with path.open("rb") as file:
        while len(start := file.read(12)) == 12 and start[:2] == b"\x1f\x8b":
            flags, extra_length = start[3], struct.unpack("<H", start[10:])[0]
            if not flags & 4:
                found.update(_gzip_names(flags, file, start[10:]))
                break  # plain gzip: one member, whose length nobody knows without unpacking it
            length, fields = _extra_fields(file.read(extra_length))
            found.update((("has an extra field of unknown meaning between its blocks", False),) * fields)
            if flags & 0b11000:
                found["keeps a file name or a comment between its blocks", True] += 1
            if length is None:
                break
            file.seek(length - 12 - extra_length, io.SEEK_CUR)
        else:
            if start and start[:2] != b"\x1f\x8b" and file.tell() > 12:
                found["has something after its last block", False] += 1
    for (says, blocks), count in found.items():
        yield Leak("compression", "file", count, says, blocks)


def _gzip_names(flags: int, file: BinaryIO, begun: bytes) -> list[tuple[str, bool]]:
    if not flags & 0b11000:
        return []
    kept = (begun + file.read(4096)).split(b"\0", 1)[0].decode("latin-1")
    what = identifier_in(kept)
    if what:
        return [(f"keeps the file's original name or a comment, with what may be {what} in it", True)]
    return [("keeps the file's original name or a comment", False)]


def _extra_fields(extra: bytes) -> tuple[int | None, int]:
    """The block's length from BC (None without one), and how many other fields there are."""
    length, others, place = None, 0, 0
    while place + 4 <= len(extra):
        (size,) = struct.unpack_from("<H", extra, place + 2)
        if extra[place : place + 2] == b"BC" and size == 2:
            length = struct.unpack_from("<H", extra, place + 4)[0] + 1
        else:
            others += 1
        place += 4 + size
    return length, others
