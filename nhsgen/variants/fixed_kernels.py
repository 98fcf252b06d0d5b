"""The fixed columns of VCF text, CHROM to INFO, read for a batch of records at once.

As everywhere in the fast reader, what is surely right is accepted and all else is marked, for records.py to judge. INFO is held
against a table of the fields that the header declares: `InfoTable`, made once for a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from nhsgen.variants.masks import equal_mask, lowest

__all__ = [
    "JUDGE",
    "LETTERS",
    "NOT_A_NUMBER",
    "REREAD",
    "ROLES",
    "InfoTable",
    "nothing_parsed",
    "parse_fixed",
    "same_letters",
]

# Marks: the record is to be judged; its frequencies are to be read again.
JUDGE, REREAD = 1, 2

NOT_A_NUMBER = -(2**62)
"""Stands for a whole number that is not given."""

# What a record's INFO is read for; a population's frequency has the last role.
ROLES = ("AC", "AN", "END", "annotation", "clinvar", "population")
_AC, _AN, _END, _ANNOTATION, _CLINVAR, _POPULATION = range(1, 7)

_TYPES = {"Integer": 1, "Float": 2, "Flag": 3, "String": 4}
ANY_NUMBER, ANY_TYPE, ALWAYS_JUDGED = -1, 0, 9
_NEVER_NEGATIVE = {"AF", "DP", "MQ0", "NS"}
_NUMBERS = {".": ANY_NUMBER, "A": -2, "R": -3, "G": -4}

_COMMA, _DOT, _SEMICOLON, _EQUALS = (np.uint8(ord(letter)) for letter in ",.;=")

LETTERS = np.zeros(256, dtype=np.uint8)
"""Kinds of letters: 1 a base in capitals, 2 in small letters, 0 anything else."""
LETTERS[[ord(letter) for letter in "ACGTN"]] = 1
LETTERS[[ord(letter) for letter in "acgtn"]] = 2


@dataclass
class InfoTable:
    """The INFO fields a file may have.

    names: all names one after the other; starts: where each begins, and the end.
    types: 0 any, 1 whole numbers, 2 numbers, 3 a flag, 4 text, 11 and 12 numbers that are not negative, 9 to be judged.
    numbers: how many values: -1 any, -2 one an ALT, -3 one an allele, -4 one a genotype. roles: what a field is read for, 0 nothing.
    """

    keys: list[str]
    names: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    types: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    roles: npt.NDArray[np.int64]

    @classmethod
    def of(cls, declared: Mapping[str, tuple[str, str]], roles: Mapping[str, str]) -> "InfoTable":
        """From the (Type, Number) of each declared field, and the role of those that are read."""
        keys = list(declared)
        text = [key.encode() for key in keys]
        return cls(
            keys,
            np.frombuffer(b"".join(text) + b"\0", dtype=np.uint8).copy(),
            np.cumsum([0, *(len(key) for key in text)]).astype(np.int64),
            np.array([_type(key, kind) for key, (kind, _) in declared.items()], dtype=np.int64),
            np.array([_number(number) for _, number in declared.values()], dtype=np.int64),
            np.array([ROLES.index(roles[key]) + 1 if key in roles else 0 for key in keys], dtype=np.int64),
        )

    def allowing(self, key: str) -> "InfoTable":
        """The same, `key` holding whatever it holds: it was judged once, and noted."""
        declared = dict.fromkeys(self.keys, ("Integer", ".")) | {key: ("", ".")}
        table = InfoTable.of(declared, {})
        for old, name in enumerate(self.keys):
            if name != key:
                new = table.keys.index(name)
                table.types[new], table.numbers[new], table.roles[new] = (
                    self.types[old],
                    self.numbers[old],
                    self.roles[old],
                )
        return table


def _type(key: str, kind: str) -> int:
    if not kind:
        return ANY_TYPE
    number = _TYPES.get(kind, ALWAYS_JUDGED)
    if key == "CIGAR":
        return ALWAYS_JUDGED
    return number + 10 if key in _NEVER_NEGATIVE and number < 3 else number


def _number(text: str) -> int:
    return _NUMBERS[text] if text in _NUMBERS else int(text) if text.isdecimal() else ANY_NUMBER


def parse_fixed(
    text: npt.NDArray[np.uint8], fields: npt.NDArray[np.int64], alts: npt.NDArray[np.int64], table: InfoTable
) -> dict[str, Any]:
    """Read the fixed columns of some records.

    text: their bytes, 64 more behind them. fields: (records x 9) where CHROM .. INFO begin, and where INFO ends; a tab stands
    before each next field. alts: how many ALTs each record has.

    One value a record: pos, end (1-based, closed); an; small (are there small letters of DNA); qual;
    (start, end) of annotation and clinvar in `text`, equal where there is none; mark (0, JUDGE or REREAD), and
    (start, end) of the INFO key that is to blame for JUDGE. One value an ALT, records in order: alt (start, end), record, ac, af.
    """
    answer = nothing_parsed(len(alts), int(alts.sum()))
    _parse(text, fields, alts, table.names, table.starts, table.types, table.numbers, table.roles, *answer.values())
    return answer


def nothing_parsed(records: int, rows: int) -> dict[str, Any]:
    """Room for what `parse_fixed` says of so many records and ALTs, in the order in which kernels take it."""
    return {
        name: np.zeros(shape, dtype=kind)
        for name, shape, kind in (
            ("pos", records, np.int64), ("end", records, np.int64), ("an", records, np.int64),
            ("qual", records, np.float64), ("small", records, np.uint8),
            ("annotation", (records, 2), np.int64), ("clinvar", (records, 2), np.int64),
            ("mark", records, np.uint8), ("blamed", (records, 2), np.int64),
            ("alt", (rows, 2), np.int64), ("record", rows, np.int64), ("ac", rows, np.int64), ("af", rows, np.float64),
        )
    }  # fmt: skip


@njit(cache=True, nogil=True)
def _parse(  # type: ignore[no-untyped-def]
    text, fields, alts, names, starts, types, numbers, roles,
    pos, end, an, qual, small, annotation, clinvar, mark, blamed, alt, record, ac, af,
):  # fmt: skip
    seen = np.full(types.size, -1, dtype=np.int64)
    row = 0
    for i in range(alts.size):
        fine = True
        pos[i] = _whole(text, fields[i, 1], fields[i, 2] - 1)
        fine &= 0 <= pos[i] < 2**31 - 1 and fields[i, 3] - 1 > fields[i, 2]
        for j in range(fields[i, 2], fields[i, 3] - 1):
            fine &= text[j] > 32 and text[j] < 127 and text[j] != _COMMA and text[j] != _SEMICOLON
        begin, stop = fields[i, 3], fields[i, 4] - 1
        fine &= stop > begin
        for j in range(begin, stop):
            kind = LETTERS[text[j]]
            fine &= kind > 0
            small[i] |= kind == 2
        end[i] = pos[i] + stop - begin - 1
        fine &= _parse_alts(text, fields[i, 4], fields[i, 5] - 1, begin, stop, alts[i], row, alt, small, i)
        qual[i], known = _number_of(text, fields[i, 5], fields[i, 6] - 1)
        fine &= known and not qual[i] < 0
        for j in range(alts[i]):
            record[row + j], ac[row + j], af[row + j] = i, NOT_A_NUMBER, np.nan
        an[i] = NOT_A_NUMBER
        fine &= fields[i, 7] - 1 > fields[i, 6] and fields[i, 8] > fields[i, 7]
        marked = 0 if fine else JUDGE
        # Of a record to be judged too: where its annotation stands is found nowhere else.
        if fields[i, 8] > fields[i, 7] and not (fields[i, 8] - fields[i, 7] == 1 and text[fields[i, 7]] == _DOT):
            marked |= _parse_info(
                text, fields[i, 7], fields[i, 8], alts[i], names, starts, types, numbers, roles, seen, i, row,
                pos, end, an, annotation, clinvar, blamed, ac, af,
            )  # fmt: skip
        mark[i] = marked
        row += alts[i]


@njit(cache=True, nogil=True)
def _parse_alts(text, begin, stop, ref, ref_end, alts, row, alt, small, i):  # type: ignore[no-untyped-def]
    """Where each ALT stands; False for what is not letters of DNA, "*" or "<...>", or is REF or another ALT."""
    if alts == 0:
        return True
    fine, count, at = True, 0, begin
    for j in range(begin, stop + 1):
        if j < stop and text[j] != _COMMA:
            continue
        alt[row + count, 0], alt[row + count, 1] = at, j
        fine &= j > at
        if j > at and text[at] == 60:
            fine &= j - at > 2 and text[j - 1] == 62
            for k in range(at + 1, j - 1):
                fine &= 32 < text[k] < 127 and text[k] != 60 and text[k] != 62
        elif not (j - at == 1 and text[at] == 42):
            for k in range(at, j):
                kind = LETTERS[text[k]]
                fine &= kind > 0
                small[i] |= kind == 2
        fine &= not same_letters(text, at, j, ref, ref_end)
        for other in range(count):
            fine &= not same_letters(text, at, j, alt[row + other, 0], alt[row + other, 1])
        count, at = count + 1, j + 1
    return fine


@njit(cache=True, nogil=True)
def same_letters(text, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    """Whether text[a:a_end] and text[b:b_end] are the same, in capitals or small letters."""
    if a_end - a != b_end - b:
        return False
    for i in range(a_end - a):
        if (text[a + i] | 32) != (text[b + i] | 32):
            return False
    return True


@njit(cache=True, nogil=True)
def _parse_info(  # type: ignore[no-untyped-def]
    text, begin, stop, alts, names, starts, types, numbers, roles, seen, i, row,
    pos, end, an, annotation, clinvar, blamed, ac, af,
):  # fmt: skip
    """The mark that an INFO earns; what it is read for is written."""
    at, expected, fine, marked = begin, 0, not _has(text, begin, stop, 32), 0
    while at <= stop:
        equals, close = at, _next_semicolon(text, at, stop)
        while equals < close and text[equals] != _EQUALS:
            equals += 1
        equals = equals if equals < close else -1
        name_end = equals if equals >= 0 else close
        field = _find(text, at, name_end, names, starts, expected)
        expected = field + 1
        first = field >= 0 and seen[field] != i  # of a field that is given twice the first counts
        good = first
        if field >= 0:
            seen[field] = i
            value = equals + 1 if equals >= 0 else close
            good &= _fits(text, value, close, equals >= 0, alts, types[field], numbers[field])
            role = roles[field]
            if good and role == _AC:
                good = _read_counts(text, value, close, ac, row, alts)
            elif good and role == _AN:
                an[i] = _whole(text, value, close)
                good = an[i] >= 0 or (close - value == 1 and text[value] == _DOT)
                an[i] = an[i] if an[i] >= 0 else NOT_A_NUMBER
            elif good and role == _END:
                last = _whole(text, value, close)
                good = last >= pos[i]
                end[i] = min(max(end[i], last), 2**31 - 1)
            elif first and role == _ANNOTATION:
                annotation[i, 0], annotation[i, 1] = value, close
            elif first and role == _CLINVAR:
                clinvar[i, 0], clinvar[i, 1] = value, close
            elif good and role == _POPULATION and not _read_frequencies(text, value, close, af, row, alts):
                marked = REREAD
        if not good and fine:
            blamed[i, 0], blamed[i, 1] = at, name_end
        fine &= good
        at = close + 1
    return marked if fine else JUDGE


@njit(cache=True, nogil=True)
def _next_semicolon(text, at, stop):  # type: ignore[no-untyped-def]
    for i in range(at, stop, 64):
        bits = equal_mask(text, i, np.uint32(0x3B3B3B3B))
        if bits:
            return min(i + lowest(bits), stop)
    return stop


@njit(cache=True, nogil=True)
def _has(text, at, stop, letter):  # type: ignore[no-untyped-def]
    """Whether a letter stands in text[at:stop]."""
    pattern = np.uint32(0x01010101) * np.uint32(letter)
    for i in range(at, stop, 64):
        bits = equal_mask(text, i, pattern)
        if bits and i + lowest(bits) < stop:
            return True
    return False


@njit(cache=True, nogil=True)
def _find(text, at, stop, names, starts, expected):  # type: ignore[no-untyped-def]
    """The number of the field of this name, looked for from `expected` on, for files keep their order; -1 when it is none."""
    count = starts.size - 1
    for step in range(count):
        field = expected + step
        if field >= count:
            field -= count
        if starts[field + 1] - starts[field] == stop - at:
            same = True
            for j in range(stop - at):
                if names[starts[field] + j] != text[at + j]:
                    same = False
                    break
            if same:
                return field
    return -1


@njit(cache=True, nogil=True)
def _fits(text, at, stop, has_value, alts, kind, number):  # type: ignore[no-untyped-def]
    """Whether a value has the type and the number of values that the header declares."""
    if kind == 0:
        return True
    if kind == 9:
        return False
    if kind > 10:
        kind -= 10
        for j in range(at, stop):
            if text[j] == 45 and (j == at or text[j - 1] == _COMMA):
                return False
    if kind == 3:
        return not has_value
    if not has_value or stop <= at:
        return False
    if (stop - at == 1 and text[at] == _DOT) or (kind == 4 and number == -1):
        return True
    values = 1
    for j in range(at, stop):
        values += text[j] == _COMMA
    due = number
    if number == -2:
        due = alts
    elif number == -3:
        due = alts + 1
    elif number == -4:
        due = (alts + 1) * (alts + 2) // 2
    if due >= 0 and values != due:
        return False
    return kind == 4 or _numeric(text, at, stop, kind)


@njit(cache=True, nogil=True)
def _numeric(text, at, stop, kind):  # type: ignore[no-untyped-def]
    """Numbers or dots between commas; of kind 1 whole ones of at most nine digits, of kind 2 with fraction and small exponent."""
    digits, exponent, begin = 0, -1, at
    for j in range(at, stop + 1):
        if j == stop or text[j] == _COMMA:
            if digits == 0 and not (j - begin == 1 and text[begin] == _DOT):
                return False
            if exponent >= 0 and not 1 <= digits - exponent <= 2:
                return False
            digits, exponent, begin = 0, -1, j + 1
        elif 48 <= text[j] <= 57:
            digits += 1
            if kind == 1 and digits > 9:
                return False
        elif text[j] == 45 or text[j] == 43:
            if j != begin and not (kind == 2 and (text[j - 1] | 32) == 101):
                return False
        elif text[j] == _DOT:
            if kind == 1 and not (j == begin and (j + 1 == stop or text[j + 1] == _COMMA)):
                return False
            if exponent >= 0:
                return False
        elif kind == 2 and (text[j] | 32) == 101 and digits and exponent < 0:
            exponent = digits
        else:
            return False
    return True


@njit(cache=True, nogil=True)
def _whole(text, at, stop):  # type: ignore[no-untyped-def]
    """A whole number of digits alone, at most ten of them; -1 where there is none."""
    if stop <= at or stop - at > 10:
        return -1
    value = np.int64(0)
    for j in range(at, stop):
        if not 48 <= text[j] <= 57:
            return np.int64(-1)
        value = value * 10 + np.int64(text[j]) - 48
    return value


@njit(cache=True, nogil=True)
def _number_of(text, at, stop):  # type: ignore[no-untyped-def]
    """A number as Python's float would read it (nan for "."), and whether we surely read it right."""
    if stop - at == 1 and text[at] == _DOT:
        return np.nan, True
    mantissa, scale, digits, dot, j = np.int64(0), 0, 0, False, at
    negative = j < stop and text[j] == 45
    j += negative
    while j < stop and (48 <= text[j] <= 57 or (text[j] == _DOT and not dot)):
        if text[j] == _DOT:
            dot = True
        else:
            mantissa = mantissa * 10 + np.int64(text[j]) - 48
            digits += 1
            scale += dot
            if mantissa > 2**53:
                return 0.0, False
        j += 1
    if digits == 0:
        return 0.0, False
    if j < stop:
        if (text[j] | 32) != 101:
            return 0.0, False
        j += 1
        down = j < stop and text[j] == 45
        j += j < stop and (text[j] == 45 or text[j] == 43)
        power = _whole(text, j, stop)
        if not 0 <= power <= 40:
            return 0.0, False
        scale += power if down else -power
    # Both are exact, so that their quotient is the nearest double (Clinger 1990).
    if scale > 22 or scale < -22:
        return 0.0, False
    value = mantissa / _TENS[scale] if scale >= 0 else mantissa * _TENS[-scale]
    return (-value if negative else value), True


_TENS = np.array([float(10**power) for power in range(23)])


@njit(cache=True, nogil=True)
def _read_counts(text, at, stop, ac, row, alts):  # type: ignore[no-untyped-def]
    """INFO AC, one value an ALT; False when it is anything else."""
    if stop - at == 1 and text[at] == _DOT:
        return True
    count, begin = 0, at
    for j in range(at, stop + 1):
        if j < stop and text[j] != _COMMA:
            continue
        if count >= alts:
            return False
        value = _whole(text, begin, j)
        if value < 0 and not (j - begin == 1 and text[begin] == _DOT):
            return False
        ac[row + count] = value if value >= 0 else NOT_A_NUMBER
        count, begin = count + 1, j + 1
    return count == alts


@njit(cache=True, nogil=True)
def _read_frequencies(text, at, stop, af, row, alts):  # type: ignore[no-untyped-def]
    """The highest frequency so far of each ALT; what is not from 0 to 1 is none."""
    count, begin = 0, at
    for j in range(at, stop + 1):
        if j < stop and text[j] != _COMMA:
            continue
        value, known = _number_of(text, begin, j)
        if not known:
            return False
        if count < alts and 0 <= value <= 1 and not af[row + count] >= value:
            af[row + count] = value
        count, begin = count + 1, j + 1
    return True
