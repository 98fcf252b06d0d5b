"""What a variant file says of itself before its first record, and the notes on what is odd but does no harm.

A header is refused where that makes the records untrustworthy: an unknown version, a #CHROM line whose columns or samples are
not what they should be, a contig without a name or with two lengths. What only breaks the specification (a Number that VCF
does not know, an open quotation mark) is noted once, with its line, and the file is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nhsgen.errors import BadFile

__all__ = ["FIXED", "RESERVED_FORMAT", "RESERVED_INFO", "Field", "Header", "Notes", "read_header", "shown"]

FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
"""The columns that every file has, as the header names them."""

_AGAIN = "have the file made again by whoever made it"


@dataclass(frozen=True)
class Field:
    """One INFO or FORMAT field as declared; `number` is digits, A, R, G or "." and `type` one of `_TYPES`, if the file is sound."""

    name: str
    number: str
    type: str
    description: str = ""


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    version: of VCF, as "4.3".
    contigs: length in bases by contig as the file names it, None where the header does not say.
    filters: the FILTERs it declares.
    lines: how many lines the header has, the #CHROM line included.
    """

    version: str
    samples: tuple[str, ...]
    contigs: Mapping[str, int | None]
    info: Mapping[str, Field]
    formats: Mapping[str, Field]
    filters: frozenset[str]
    lines: int


# -- Notes --------------------------------------------------------------------------------------------------------------

_KINDS = 200
_OTHERS = "there are oddities of further kinds, not listed"


@dataclass
class Notes:
    """Oddities that do no harm, each kind once: where it was first met, what it is, how often.

    A `found` never holds what differs from record to record, nor what belongs to a person. At most 200 kinds are kept apart.

    >>> notes = Notes()
    >>> notes.add(9, "INFO DP is not a whole number"), notes.add(7, "INFO DP is not a whole number")
    (None, None)
    >>> notes.entries
    [{'line': 7, 'found': 'INFO DP is not a whole number', 'times': 2}]
    """

    _met: dict[str, tuple[int | None, int]] = field(default_factory=dict)

    def add(self, line: int | None, found: str, times: int = 1) -> None:
        """Note what was found at a line (of a BCF: at a record); None where no line is to blame."""
        if found not in self._met and len(self._met) >= _KINDS:
            found = _OTHERS
        first, before = self._met.get(found, (line, 0))
        lines = [each for each in (first, line) if each is not None]
        self._met[found] = (min(lines, default=None), before + times)

    def merge(self, other: "Notes", line_offset: int = 0) -> None:
        """Add the notes of a part of the file that begins `line_offset` lines after where its own count began."""
        for found, (line, times) in other._met.items():
            self.add(None if line is None else line + line_offset, found, times)

    @property
    def kinds(self) -> int:
        """How many kinds of oddity were met."""
        return len(self._met)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Line, found, times; by line, those without one first."""
        return [
            {"line": line, "found": found, "times": times}
            for found, (line, times) in sorted(self._met.items(), key=lambda item: (item[1][0] or 0, item[0]))
        ]


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.*:+-]{1,40}")
_MANY_DIGITS = re.compile(r"\d{8}")


def shown(name: str) -> str:
    """The name of a field, filter or contig, to be said in a note; only "?" when it is not plainly such a name.

    >>> shown("BaseQRankSum"), shown("KI270706v1"), shown("943 476 5919"), shown("9434765919")
    ('BaseQRankSum', 'KI270706v1', '?', '?')
    """
    return name if _PLAIN_NAME.fullmatch(name) and not _MANY_DIGITS.search(name) else "?"


# -- What the specification fixes ---------------------------------------------------------------------------------------

_TYPES: Mapping[str, tuple[str, ...]] = {"INFO": ("Integer", "Float", "Flag", "Character", "String"),
          "FORMAT": ("Integer", "Float", "Character", "String"),
          "META": ("Integer", "Float", "Character", "String")}  # fmt: skip
_NUMBER = re.compile(r"\d+|[ARG.]|L[ARG]|[MP]")

# Name, Number, Type; what is empty is left open (VCF 4.1 to 4.3, sections 1.6.1 and 1.6.2; section 1.4 in 4.1 and 4.2).
_INFO_TABLE = """
    AA 1 String, AC A Integer, AD R Integer, ADF R Integer, ADR R Integer, AF A Float, AN 1 Integer, BQ 1 Float, CIGAR A String,
    DB 0 Flag, DP 1 Integer, END 1 Integer, H2 0 Flag, H3 0 Flag, MQ 1, MQ0 1 Integer, NS 1 Integer, SB, SOMATIC 0 Flag,
    VALIDATED 0 Flag, 1000G 0 Flag
"""
_FORMAT_TABLE = """
    AD R Integer, ADF R Integer, ADR R Integer, DP 1 Integer, EC A Integer, FT 1 String, GL G Float, GLE G String, GP G Float,
    GQ 1 Integer, GT 1 String, HQ 2 Integer, MQ 1 Integer, PL G Integer, PQ 1 Integer, PS 1 Integer
"""
_SINCE_4_3 = {"AD", "ADF", "ADR"}


def _table(text: str) -> Mapping[str, Field]:
    rows = (row.split() for row in text.split(","))
    return {name: Field(name, *[*said, "", ""][:2]) for name, *said in rows}


RESERVED_INFO: Mapping[str, Field] = _table(_INFO_TABLE)
"""INFO fields that the specification declares, by name; a file may use them without declaring them."""

RESERVED_FORMAT: Mapping[str, Field] = _table(_FORMAT_TABLE)
"""The same of FORMAT."""

# The keys that a line of each kind must begin with, in this order.
_KEYS = {
    "INFO": ("ID", "Number", "Type", "Description"), "FORMAT": ("ID", "Number", "Type", "Description"),
    "FILTER": ("ID", "Description"), "ALT": ("ID", "Description"), "META": ("ID", "Number", "Type", "Values"),
    "contig": ("ID",), "SAMPLE": ("ID",), "PEDIGREE": ("ID",),
}  # fmt: skip
# Before VCF 4.3.
_OLD_KEYS = {"PEDIGREE": (), "SAMPLE": ("ID", "Genomes", "Mixture")}

_ALT_KINDS = ("BND", "CNV", "DEL", "DUP", "INS", "INV", "TRA", "*")
_VERSION = re.compile(r"##fileformat=VCFv(4\.[0-5])\s*")
_URL = re.compile(r"\w+://(?:[^@/]+@)?(?:[A-Za-z][\w.-]*|\d+(?:\.\d+){3})(?::\d+)?(?:/.*)?")
_DIGITS = re.compile(r"[0-9]{1,18}")


# -- Reading ------------------------------------------------------------------------------------------------------------


def read_header(file: str, lines: Iterator[tuple[int, str]], notes: Notes) -> Header:
    """Read numbered lines up to #CHROM; `file` is the name to say in a BadFile.

    VCF 4.0 to 4.5, and the text of a BCF's header (with its IDX). The lines after #CHROM are left in `lines`.
    """
    reader = _Reader(file, notes)
    for number, line in lines:
        if number == 1:
            reader.version = _version(file, line)
        elif line.startswith("##"):
            reader.read(number, line)
        elif line.startswith("#CHROM"):
            samples = _samples(file, number, line, notes)
            return Header(
                reader.version, samples, reader.contigs, reader.fields["INFO"], reader.fields["FORMAT"],
                frozenset(reader.filters), number,
            )  # fmt: skip
        else:
            break
        reader.number = number
    raise _bad(file, reader.number + 1, "the header has no #CHROM line")


def _bad(file: str, line: int, found: str, do_next: str = _AGAIN) -> BadFile:
    return BadFile("reading variants", found, do_next, file=file, line=line)


def _version(file: str, line: str) -> str:
    match = _VERSION.fullmatch(line)
    if match is None:
        raise _bad(file, 1, "its version of VCF is not one of 4.0 to 4.5", "convert it with bcftools view")
    return match[1]


def _samples(file: str, number: int, line: str, notes: Notes) -> tuple[str, ...]:
    columns = line.split("\t")
    if tuple(columns[:8]) != FIXED:
        raise _bad(file, number, "the #CHROM line has not the eight columns of VCF, divided by tabs")
    if len(columns) > 8 and columns[8] != "FORMAT":
        raise _bad(file, number, "the ninth column is not FORMAT")
    if len(columns) == 9:
        notes.add(number, "the #CHROM line has FORMAT but no samples")
    names = columns[9:]
    seen: set[str] = set()
    for column, name in enumerate(names, 10):
        if not name.strip():
            raise _bad(file, number, f"the sample of column {column} has no name", "name it, or take the tab away")
        if name in seen:
            raise _bad(file, number, f"the sample of column {column} has the name of another", "rename one of them")
        seen.add(name)
    return tuple(names)


@dataclass
class _Reader:
    """The header read so far."""

    file: str
    notes: Notes
    version: str = ""
    number: int = 0
    contigs: dict[str, int | None] = field(default_factory=dict)
    fields: dict[str, dict[str, Field]] = field(default_factory=lambda: {"INFO": {}, "FORMAT": {}})
    filters: set[str] = field(default_factory=set)

    def read(self, number: int, line: str) -> None:
        """One line that begins with ##."""
        kind, equals, text = line[2:].partition("=")
        if not equals:
            self.notes.add(number, "a line of the header is not a key and a value")
        elif not text or text == "<>":
            self.notes.add(number, f"##{shown(kind)} has no value")
        elif kind in {"assembly", "pedigreeDB"} and "://" in text and not _URL.fullmatch(text.strip("<>")):
            self.notes.add(number, f"##{kind} is not an address")
        elif kind in _KEYS:
            self._structured(number, kind, text)

    def _structured(self, number: int, kind: str, text: str) -> None:
        closed = text.startswith("<") and text.endswith(">")
        if kind == "contig" and not closed:
            raise _bad(self.file, number, "a contig's line is not closed with >")
        if not closed:
            self.notes.add(number, f"a line ##{kind} does not begin with < and end with >")
        inside = text[1:-1] if closed else text.removeprefix("<")
        parts, fault = _parts(inside)
        values = {key: value for key, value, _ in reversed(parts)}
        found = fault or self._fault(kind, parts, values)
        if found:
            self.notes.add(number, f"a line ##{kind} {found}")
        name = values.get("ID", "")
        if kind == "contig":
            self._contig(number, name, values.get("length"))
        elif kind == "FILTER":
            self._once(number, kind, name, self.filters)
            self.filters.add(name)
        elif kind in self.fields and name:
            self._once(number, kind, name, self.fields[kind])
            # A description with quotation marks in it is still read whole: an annotation's parts are named there.
            whole = re.search(r'Description="(.*)"', inside)
            description = values.get("Description", "") if not fault else whole[1] if whole else ""
            declared = Field(name, values.get("Number", "."), values.get("Type", "String"), description)
            self._reserved(number, kind, declared)
            self.fields[kind].setdefault(name, declared)

    def _once(self, number: int, kind: str, name: str, known: Any) -> None:
        if name in known:
            self.notes.add(number, f"{kind} {shown(name)} is declared twice, and the first counts")

    def _contig(self, number: int, name: str, length: str | None) -> None:
        if not name:
            raise _bad(self.file, number, "a contig has no ID")
        if length is not None and not _DIGITS.fullmatch(length):
            raise _bad(self.file, number, "the length of a contig is not a number")
        bases = None if length is None else int(length)
        before = self.contigs.get(name)
        if before is not None and bases is not None and before != bases:
            raise _bad(self.file, number, "a contig is declared twice, with two lengths")
        self.contigs[name] = before if bases is None else bases

    def _fault(self, kind: str, parts: list[tuple[str, str, bool]], values: Mapping[str, str]) -> str | None:
        """What is wrong with a line of this kind; None when nothing is."""
        old = self.version < "4.3"
        due = _OLD_KEYS.get(kind, _KEYS[kind]) if old else _KEYS[kind]
        keys = tuple(key for key, _, _ in parts)
        name = values.get("ID", "")
        quoted = {key for key, _, marks in parts if marks}
        faults = (
            (
                keys[: len(due)] != due and not (len(due) == 1 and due[0] in keys),
                f"does not begin with {', '.join(due)}",
            ),
            (re.search(r"[\s<>]", name), "has a space or an angle bracket in its ID"),
            ("Description" in due and "Description" not in quoted, "has a Description without quotation marks"),
            (kind in _TYPES and not _NUMBER.fullmatch(values.get("Number", "")), "has a Number that VCF does not know"),
            (kind in _TYPES and values.get("Type") not in _TYPES[kind], "has a Type that VCF does not know"),
            (
                kind == "META" and not re.fullmatch(r"\[.*\]", values.get("Values", "")),
                "has Values without square brackets",
            ),
            (
                kind == "ALT" and ":" in name and name.split(":")[0] not in _ALT_KINDS,
                "has an ID that begins with no kind of structural variant",
            ),
            (
                kind == "SAMPLE" and (not re.fullmatch(r"[\w.+-]*", name) or (old and quoted - {"Description"})),
                "has a character that is not allowed there",
            ),
            (
                kind == "PEDIGREE" and any(re.search(r"[\s:]", value) for value in values.values()),
                "has a character that is not allowed there",
            ),
        )
        return next((found for wrong, found in faults if wrong), None)

    def _reserved(self, number: int, kind: str, declared: Field) -> None:
        """Whether a field with a meaning of its own is declared as the specification has it."""
        due = (RESERVED_INFO if kind == "INFO" else RESERVED_FORMAT).get(declared.name)
        if due is None or (self.version < "4.3" and due.name in _SINCE_4_3):
            return
        if due.number and declared.number != due.number:
            self.notes.add(number, f"{kind} {due.name} is declared with another Number than VCF has for it")
        if due.type and declared.type != due.type:
            self.notes.add(number, f"{kind} {due.name} is declared with another Type than VCF has for it")


def _parts(inside: str) -> tuple[list[tuple[str, str, bool]], str | None]:
    r"""The key, value and whether it is quoted of each part between < and >; and what is wrong with their form, if anything.

    >>> _parts('ID=DP,Number=1,Description="a, \\"b\\""')
    ([('ID', 'DP', False), ('Number', '1', False), ('Description', 'a, \\"b\\"', True)], None)
    >>> _parts('ID=1,A')[1], _parts('ID=DP,Description="open')[1]
    ('has a part that is not a key and a value', 'has a quotation mark that is not closed')
    """
    parts: list[tuple[str, str, bool]] = []
    place = 0
    while place < len(inside):
        match = _PART.match(inside, place)
        if match is None:
            opened = re.match(r'[^=,]+="', inside[place:])
            told = "has a quotation mark that is not closed" if opened else "has a part that is not a key and a value"
            return parts, told
        place = match.end()
        parts.append((match["key"].strip(), match["quoted"] or match["plain"] or "", match["quoted"] is not None))
        if inside[place : place + 1] not in {"", ","}:
            return parts, "has text after a closed quotation mark"
        place += 1
    return parts, None


_PART = re.compile(r'(?P<key>[^=,"]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?!")(?P<plain>\[[^\]]*\]|[^,]*))')
