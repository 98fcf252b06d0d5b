"""One record of a VCF as text: judged exactly, read slowly, and either refused in a sentence or given with notes on what is odd.

Refused is whatever makes the fixed columns, the genotypes or the counts that a store is made of untrustworthy: columns missing or
too many, a POS, REF, ALT or QUAL that is none, a genotype that names an allele the record has not, AC, AN or END that is no
number. Noted is what is wrong in things that no store holds: an undeclared name, a value of another type or another number of
values than declared. A genotype of three or more alleles and a record without GT are noted, and count as nothing called.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nhsgen.variants.headers import FIXED, RESERVED_FORMAT, RESERVED_INFO, Field, Header, Notes, shown

__all__ = ["NOT_CALLED", "Fixed", "Record", "Wrong", "claimed", "read_fixed", "read_genotypes", "read_record"]

_AGAIN = "have the file made again by whoever made it"
_LAST_POSITION = 2**31 - 1
NOT_CALLED = "./."
"""What a genotype of three or more alleles is read as."""


class Wrong(Exception):
    """What is wrong with one record, and what to do about it; the caller knows the file and the line."""

    def __init__(self, found: str, do_next: str = _AGAIN) -> None:
        self.found, self.do_next = found, do_next
        super().__init__(found)

    def __reduce__(self) -> tuple[type["Wrong"], tuple[str, str]]:
        return Wrong, (self.found, self.do_next)


@dataclass(frozen=True)
class Fixed:
    """The fixed columns of one record; `contig` is the file's name for it, `pos` and `end` are 1-based and closed.

    ref and alts are in capitals, symbolic ALTs and breakends as they stand; qual, filter and id are None where "." stands.
    info: the text of each INFO field, "" for a flag; of a name given twice, the first.
    formats: the names in FORMAT; none when the record has no such column.
    """

    contig: str
    pos: int
    end: int
    id: str | None
    ref: str
    alts: tuple[str, ...]
    qual: float | None
    filter: str | None
    info: Mapping[str, str]
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Record(Fixed):
    """One record as it stands in the file: its fixed columns and its genotypes.

    number: the line of a VCF, the record of a BCF.
    genotypes: the GT text of each sample, "./." for one of three or more alleles; none at all when the record has no GT.
    """

    number: int
    genotypes: list[str]


def read_record(number: int, line: str, header: Header, notes: Notes) -> Record:
    """One line, without its end; Wrong when it cannot be trusted.

    >>> header = Header("4.3", ("S1", "S2"), {}, {}, {}, frozenset(), 2)
    >>> record = read_record(3, "\\t".join("22 100 rs1 A C,G 50 PASS AC=2,1 GT 0|1 1/2".split()), header, Notes())
    >>> record.pos, record.alts, record.genotypes
    (100, ('C', 'G'), ['0|1', '1/2'])
    """
    fields = line.split("\t")
    has_format = bool(header.samples) or len(fields) == len(FIXED) + 1
    expected = len(FIXED) + has_format + len(header.samples)
    if len(fields) != expected:
        raise Wrong(
            f"it has {len(fields):,} columns, the header says {expected:,}", "have it sent again: it may be cut short"
        )
    fixed = read_fixed(fields[:9], header, notes, number)
    genotypes = read_genotypes(fixed, fields[9:], header, notes, number) if header.samples else []
    return Record(**vars(fixed), number=number, genotypes=genotypes)


# -- The fixed columns --------------------------------------------------------------------------------------------------


def read_fixed(fields: Sequence[str], header: Header, notes: Notes, number: int) -> Fixed:
    """The eight fixed columns, and FORMAT when there are nine; Wrong when one cannot be trusted.

    number: where the record stands, for the notes.
    """
    contig, pos, name, ref, alt, qual, passed, info_text = fields[:8]
    _check_contig(contig, header, notes, number)
    if not _REF.fullmatch(ref):
        raise Wrong("REF is not written in the letters of DNA")
    place = _pos(pos, contig, header)
    alts = _alts(ref, alt)
    quality = _qual(qual, notes, number)
    if _AMBIGUOUS.search(ref) or any(_BASES.fullmatch(alt) and _AMBIGUOUS.search(alt) for alt in alts):
        notes.add(number, "REF or ALT has a letter that stands for several bases (R, Y, ...)")
    if any(_BARE_BREAKEND.fullmatch(alt) for alt in alts):
        notes.add(number, "ALT is a breakend without a base")
    _note_id(name, notes, number)
    _note_filter(passed, header, notes, number)
    info = _info(info_text, len(alts), header, notes, number)
    return Fixed(
        contig=contig,
        pos=place,
        end=_end(info, place, ref, contig, header, notes, number),
        id=None if name in {".", ""} else name,
        ref=ref.upper(),
        alts=alts,
        qual=quality,
        filter=None if passed in {".", ""} else passed,
        info=info,
        formats=tuple(fields[8].split(":")) if len(fields) > 8 else (),
    )


_CONTIG = re.compile(r"<[^<>\s]+>|[^<>,\s]+")
_REF = re.compile(r"[ACGTNRYSWKMBDHV]+", re.IGNORECASE)
_ALT = re.compile(
    r"[ACGTNRYSWKMBDHV]+|\*|<[^<>,\s]+>|\.[ACGTN]+|[ACGTN]+\.|[ACGTN]*[\[\]][^\[\]\s]+[\[\]][ACGTN]*", re.IGNORECASE
)
_BASES = re.compile(r"[A-Z]+")
_AMBIGUOUS = re.compile(r"[^ACGTN]", re.IGNORECASE)
_BARE_BREAKEND = re.compile(r"[\[\]].*[\[\]]")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(inf(inity)?|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,11}")
# Eight numbers at the bottom mean "missing" and the like in BCF (VCF 4.3, section 1.3).
_SMALLEST, _LARGEST = -(2**31) + 8, 2**31 - 1


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and _SMALLEST <= int(text) <= _LARGEST


def _is_number(text: str) -> bool:
    if _REAL.fullmatch(text):
        return not math.isinf(float(text))
    return _NOT_FINITE.fullmatch(text) is not None


def _check_contig(contig: str, header: Header, notes: Notes, number: int) -> None:
    if not _CONTIG.fullmatch(contig):
        raise Wrong("CHROM is not the name of a contig")
    if contig in header.contigs or contig.startswith("<"):
        return
    if ":" in contig or "*" in contig:
        notes.add(number, "CHROM has a character that the name of a contig may not have")
    if f"chr{contig}" in header.contigs or contig.removeprefix("chr") in header.contigs:
        with_chr = "records" if contig.startswith("chr") else "header"
        notes.add(
            number,
            f"contigs are named with chr in the {with_chr} only: name them alike with bcftools annotate --rename-chrs",
        )
    elif header.contigs:
        notes.add(number, f"contig {shown(contig)} is not declared in the header")


def _pos(text: str, contig: str, header: Header) -> int:
    if not text.isascii() or not text.isdecimal():
        raise Wrong("POS is not a whole number")
    # The telomeres stand at 0 and at length + 1.
    length = header.contigs.get(contig) or _LAST_POSITION - 1
    pos = int(text) if len(text) < 20 else _LAST_POSITION + 1
    if not 0 <= pos <= length + 1:
        raise Wrong(f"POS is outside its contig of {length:,} bases", "check that the header belongs to these records")
    return pos


def _alts(ref: str, text: str) -> tuple[str, ...]:
    if text == ".":
        return ()
    alts = tuple(alt if alt.startswith("<") or "[" in alt or "]" in alt else alt.upper() for alt in text.split(","))
    for alt in alts:
        if not _ALT.fullmatch(alt):
            raise Wrong("ALT is not an allele")
    if ref.upper() in alts:
        raise Wrong("ALT is the same as REF")
    if len(set(alts)) != len(alts):
        raise Wrong("ALT names an allele twice")
    return alts


def _qual(text: str, notes: Notes, number: int) -> float | None:
    if text == ".":
        return None
    if not _is_number(text):
        raise Wrong("QUAL is not a number")
    if text.startswith("-") and float(text) < 0:
        notes.add(number, "QUAL is negative")
    return float(text)


def _end(info: Mapping[str, str], pos: int, ref: str, contig: str, header: Header, notes: Notes, number: int) -> int:
    """The last base that the record speaks of: INFO/END of structural variants, else that of REF."""
    last = pos + len(ref) - 1
    text = info.get("END", ".").split(",")[0]
    if text == ".":
        return last
    if not re.fullmatch(r"-?[0-9]+", text):
        raise Wrong("INFO END is not a whole number")
    end = int(text[:20])
    if end < pos:
        notes.add(number, "INFO END is before POS")
    if end > (header.contigs.get(contig) or _LAST_POSITION - 1) + 1:
        notes.add(number, "INFO END is beyond the end of its contig")
    return min(max(last, end), _LAST_POSITION)


def _note_id(name: str, notes: Notes, number: int) -> None:
    ids = name.split(";")
    if not all(ids):
        notes.add(number, "ID is empty or has an empty part")
    elif len(set(ids)) != len(ids):
        notes.add(number, "ID names the same twice")
    if " " in name:
        notes.add(number, "ID has a space")


def _note_filter(text: str, header: Header, notes: Notes, number: int) -> None:
    if text in {"PASS", "."}:
        return
    names = text.split(";")
    if not all(names):
        notes.add(number, "FILTER is empty or has an empty part")
    if len(set(names)) != len(names):
        notes.add(number, "FILTER names the same twice")
    if " " in text or "0" in names or "." in names:
        notes.add(number, "FILTER has a space, or a 0 or . among its names")
    elif header.filters:
        for name in {*names} - header.filters - {"PASS", ""}:
            notes.add(number, f"FILTER {shown(name)} is not declared in the header")


# -- INFO ---------------------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*|1000G")
_USED = {"AC": "A", "AN": "1", "END": "1"}
"""The INFO fields that a store uses: refused when they are wrong."""
_FLAG_VALUES = {"", "0", "1"}
_NOT_NEGATIVE = {"AF", "DP", "MQ0", "NS"}
_CIGAR = re.compile(r"([0-9]+[MIDNSHP=X])+")
_CHARACTER = re.compile(r"%[0-9A-Fa-f]{2}|.")

_TYPED = {"Integer": (_is_whole, "a whole number"), "Float": (_is_number, "a number"),
          "Character": (lambda text: _CHARACTER.fullmatch(text) is not None, "one character")}  # fmt: skip


def claimed(info: Mapping[str, str], name: str, values: int) -> list[int | None]:
    """The counts that INFO `name` claims, None for each it does not; Wrong unless they are `values` whole numbers.

    >>> claimed({"AC": "3,."}, "AC", 2), claimed({}, "AN", 1)
    ([3, None], [None])
    """
    texts = info.get(name, ".").split(",")
    if texts == ["."]:
        return [None] * values
    if len(texts) != values:
        raise Wrong(f"INFO {name} has {len(texts)} values where {values} are due")
    if any(text != "." and not (text.isascii() and text.isdecimal() and len(text) < 11) for text in texts):
        raise Wrong(f"INFO {name} is not a whole number")
    return [None if text == "." else int(text) for text in texts]


def _info(text: str, alts: int, header: Header, notes: Notes, number: int) -> dict[str, str]:
    if text == ".":
        return {}
    info: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not part:
            notes.add(number, "INFO has an empty part")
        elif not _NAME.fullmatch(name):
            notes.add(number, "INFO has a name that VCF does not allow")
        elif name in info:
            notes.add(number, f"INFO {shown(name)} is given twice, and the first counts")
        elif declared := _declared("INFO", name, header.info, RESERVED_INFO, notes, number):
            _note_info(declared, value if equals else None, alts, notes, number)
        if part:
            info.setdefault(name, value)
    if " " in text and header.version < "4.3":
        notes.add(number, "INFO has a space")
    if alts:
        claimed(info, "AC", alts)
        claimed(info, "AN", 1)
    return info


def _declared(
    kind: str, name: str, fields: Mapping[str, Field], reserved: Mapping[str, Field], notes: Notes, number: int
) -> Field | None:
    """What is known of a field. A header that declares none of a kind makes no promise to declare them all."""
    found = fields.get(name) or reserved.get(name)
    if found is None and fields:
        notes.add(number, f"{kind} {shown(name)} is not declared in the header")
    return found


def _note_info(declared: Field, value: str | None, alts: int, notes: Notes, number: int) -> None:
    name = declared.name
    if declared.type == "Flag":
        if value is not None and value not in _FLAG_VALUES:
            notes.add(number, f"INFO {shown(name)} is a flag, and has a value")
        return
    if value is None:
        notes.add(number, f"INFO {shown(name)} has no value")
    elif value != ".":
        values = value.split(",")
        due = _due(declared.number, alts)
        if due is not None and due != len(values) and name not in {"AC", "AN"}:
            notes.add(number, f"INFO {shown(name)} has another number of values than declared")
        if name not in _USED:
            _note_type("INFO", declared, values, notes, number)
        if name in _NOT_NEGATIVE and any(text.startswith("-") for text in values):
            notes.add(number, f"INFO {name} is negative")
        if name == "CIGAR" and not all(_CIGAR.fullmatch(text) for text in values):
            notes.add(number, "INFO CIGAR is not one")


def _due(count: str, alts: int) -> int | None:
    """How many values are due for a Number; None when it does not say, or where ALT is "." and files differ."""
    if count.isdecimal():
        return int(count[:9])
    return {"A": alts, "R": alts + 1}.get(count) if alts else None


def _note_type(kind: str, declared: Field, values: Iterable[str], notes: Notes, number: int) -> None:
    if declared.type in _TYPED:
        fits, what = _TYPED[declared.type]
        if not all(text == "." or fits(text) for text in values):
            notes.add(number, f"{kind} {shown(declared.name)} is not {what}")


# -- The samples' columns -----------------------------------------------------------------------------------------------

_GENOTYPE = re.compile(r"[/|]?(?:\.|[0-9]+)(?:[/|](?:\.|[0-9]+))*")
_ALLELE = re.compile(r"[0-9]+")
_MOST_ALLELES = 8
_FORMAT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def read_genotypes(fixed: Fixed, columns: Sequence[str], header: Header, notes: Notes, number: int) -> list[str]:
    """The GT text of each sample, "./." for one of three or more alleles; [] when FORMAT has no GT. Wrong for a false one.

    columns: one for each sample. The other parts of each are judged against what the header declares of them.
    """
    names = fixed.formats
    if "GT" in names[1:]:
        raise Wrong("GT is not the first part of FORMAT", "give a file with genotypes, GT first")
    _note_format(names, notes, number)
    if names == ("GT",) and not any(":" in column for column in columns):
        genotypes, others = list(columns), []
    else:
        parts = [column.split(":") for column in columns]
        genotypes, others = [part[0] for part in parts] if names[0] == "GT" else [], parts
    if not genotypes:
        notes.add(number, "a record has samples but no genotypes (GT), and counts as nothing called")
    distinct = set(genotypes)
    polyploid = {text for text in distinct if _judge(text, len(fixed.alts)) > 2}
    if not fixed.alts and any(_called(text)[1] > 0 for text in distinct):
        notes.add(number, 'a genotype names an allele where ALT is ".", and no allele is kept')
    if others:
        _note_others(fixed, others, genotypes, header, notes, number)
    if not polyploid:
        return genotypes
    if any(_ALLELE.search(text) for text in polyploid):
        notes.add(number, "a genotype has three or more alleles, and counts as nothing called")
    return [NOT_CALLED if text in polyploid else text for text in genotypes]


def _judge(text: str, alts: int) -> int:
    """How many alleles a genotype has; Wrong when it is none or names an allele that is not there."""
    alleles, largest = _called(text) if len(text) < 16 else _called.__wrapped__(text)
    if not alleles:
        raise Wrong("the GT of a sample is not a genotype of one or two alleles")
    if largest > alts > 0:
        raise Wrong(f"a genotype names an allele that the record, of {alts} ALT, has not")
    return alleles


@lru_cache(100_000)
def _called(text: str) -> tuple[int, int]:
    """The alleles of a genotype, called or not, and the highest of them (-1: none called); (0, -1) when it is no genotype.

    >>> _called("0|1"), _called("."), _called("././1"), _called("a/b")
    ((2, 1), (1, -1), (3, 1), (0, -1))
    """
    if not _GENOTYPE.fullmatch(text):
        return 0, -1
    called = [int(each) if len(each) < 12 else _LAST_POSITION for each in _ALLELE.findall(text)]
    return len(called) + text.count("."), max(called, default=-1)


def _note_format(names: Sequence[str], notes: Notes, number: int) -> None:
    if len(set(names)) != len(names):
        notes.add(number, "FORMAT names the same twice")
    if names != (".",) and not all(_FORMAT_NAME.fullmatch(name) for name in names):
        notes.add(number, "FORMAT has a name that VCF does not allow")


def _note_others(
    fixed: Fixed, parts: list[list[str]], genotypes: list[str], header: Header, notes: Notes, number: int
) -> None:
    """Note what is wrong in the parts of the samples' columns other than GT; nothing of them is kept."""
    if max(map(len, parts)) > len(fixed.formats):
        notes.add(number, "a sample has more values than FORMAT has names")
    for place, name in enumerate(fixed.formats):
        if name == "GT" or not _FORMAT_NAME.fullmatch(name):
            continue
        declared = _declared("FORMAT", name, header.formats, RESERVED_FORMAT, notes, number)
        if declared is None or (declared.type not in _TYPED and declared.number == "."):
            continue
        alleles = _ploidies(genotypes, len(parts)) if declared.number == "G" else [0] * len(parts)
        given = {
            (part[place], count)
            for part, count in zip(parts, alleles, strict=True)
            if len(part) > place and part[place] != "."
        }
        _note_values(declared, given, len(fixed.alts), header, notes, number)


def _ploidies(genotypes: Sequence[str], samples: int) -> list[int]:
    """How many alleles each sample has, 2 where a record has no genotypes; 0 where "." or absurdly many are written."""
    counts = [0 if text == "." else text.count("/", 1) + text.count("|", 1) + 1 for text in genotypes]
    return [count if count <= _MOST_ALLELES else 0 for count in counts] or [2] * samples


def _note_values(
    declared: Field, given: set[tuple[str, int]], alts: int, header: Header, notes: Notes, number: int
) -> None:
    """Note a wrong number or type among distinct values; with each, how many alleles its sample has (0: not known)."""
    due = _due(declared.number, alts)
    for text, alleles in given:
        if not text and header.version >= "4.5":
            continue
        values = text.split(",")
        wanted = math.comb(alts + alleles, alleles) if declared.number == "G" and alleles and alts else due
        if wanted is not None and wanted != len(values) and values != ["."] * len(values):
            notes.add(number, f"FORMAT {shown(declared.name)} has another number of values than declared")
            break
    _note_type("FORMAT", declared, (value for text, _ in given if text for value in text.split(",")), notes, number)
