"""The loops over bytes under `annotations`: entries of an annotation as numbers, and chosen parts of them as strings.

An entry is what stands between commas, its parts between bars; an empty entry is none. A kernel takes a `slot_of`, which says
for each part of an entry which slot it fills (-1: of no interest; of two parts for one slot the later counts). Places in the
text are 0-based and half-open, and lie within it: the caller has checked that, and that the text is read only (numba compiles a
kernel anew for arrays of another kind).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "GROUPS",
    "HAS_CLINVAR",
    "ODD_FREQUENCY",
    "SLOTS",
    "Entries",
    "Records",
    "Rules",
    "choose",
    "copy",
    "find",
    "measure",
    "split",
]

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

SLOTS = (
    "Allele", "ALLELE_NUM", "Consequence", "IMPACT", "CANONICAL", "BIOTYPE", "SYMBOL", "Gene", "MANE_SELECT", "dna_change",
    "CLIN_SIG", "Feature", "HGVSc", "HGVSp", "amino_acid_change", "LoF", "MAX_AF",
)  # fmt: skip
"""The parts of an entry that matter, by slot; from here on, frequencies in reference populations."""

GROUPS = np.array([(0, 2), (2, 6), (6, 8)])
"""The slots, from and up to, whose few distinct texts are numbered together: which allele, what happens to it, where."""

_MANE, _CHANGE, _CLINVAR, _MAX_AF, _POPULATIONS = 8, 9, 10, 16, 17

HAS_CLINVAR, ODD_FREQUENCY = 1, 2
"""Flags of an entry; a frequency is odd where only Python's own float() knows what it says."""
_IS_MANE = 4

_COMMA, _BAR, _AND, _PERCENT, _PLUS, _MINUS, _POINT, _ZERO, _GREATER, _A, _E = map(ord, ",|&%+-.0>ae")
_NONE, _ODD = -1.0, -2.0
_TENS = 10.0 ** np.arange(23)  # the powers of ten that a float64 holds exactly
_EXACT = 2**53


class Entries(NamedTuple):
    """The entries of all records, in order: where each stands, its distinct texts by number, its flags and frequency."""

    first: Numbers  # of each record (and one more)
    begin: Numbers
    end: Numbers
    which: Codes
    what: Codes
    where: Codes
    flags: Bytes
    frequency: Floats  # the highest it names, -1 where it names none


class Rules(NamedTuple):
    """What the rules say of each distinct text."""

    allele: Numbers  # by which: a number for each distinct Allele, 0 where none is said
    number: Numbers  # by which: ALLELE_NUM; 0 where none is said, -1 where it is no number
    severity: Numbers  # by what, without and with MANE Select: (whats, 2); the less the worse, -1 where nothing is said
    in_gene: Flags  # by what
    pair: Numbers  # by where: a number for each distinct symbol and id, 0 for none
    group: Numbers  # by pair: those of one gene are one
    order: Numbers  # by pair: how genes stand in order, less than 2**32


class Records(NamedTuple):
    """The alleles of the records; a row is one ALT of one record."""

    row: Numbers  # the first of each record (and one more)
    pos: Numbers  # 1-based
    wanted: (
        Numbers  # by row: the two numbers of `Rules.allele` that speak of it, -1 where nobody says the name: (rows, 2)
    )
    tells_change: bool  # whether an entry may name its change of the DNA; if not, the letters are left out
    ref_first: Numbers  # of each record's REF in `refs` (and one more)
    refs: Bytes
    alt_first: Numbers  # of each row's ALT in `alts` (and one more)
    alts: Bytes


# -- Text becomes numbers -----------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def measure(text: Bytes, starts: Numbers, ends: Numbers) -> tuple[int, Flags]:
    """How many entries there are at most, and which records hold more than ASCII."""
    most, wide = 0, np.zeros(len(starts), np.bool_)
    for record in range(len(starts)):
        commas, seen = 0, np.uint8(0)
        for letter in text[starts[record] : ends[record]]:
            commas += letter == _COMMA
            seen |= letter
        most += commas + (ends[record] > starts[record])
        wide[record] = seen > 127
    return most, wide


@njit(cache=True, nogil=True)
def _parts(text: Bytes, at: int, end: int, slot_of: Numbers, begin: Numbers, stop: Numbers) -> int:
    """Find the slots of the entry that begins at `at`; returns where it ends. Slots that it has not are left empty."""
    for slot in range(len(begin)):
        begin[slot] = stop[slot] = at
    part, since = 0, at
    while True:
        letter = text[at] if at < end else np.uint8(_COMMA)
        if letter in (_BAR, _COMMA):
            if part < len(slot_of) and slot_of[part] >= 0:
                begin[slot_of[part]], stop[slot_of[part]] = since, at
            if letter == _COMMA:
                return at
            part, since = part + 1, at + 1
        at += 1


@njit(cache=True, nogil=True)
def _same(text: Bytes, begin: Numbers, stop: Numbers, group: int, known: Numbers, number: int) -> bool:
    """Whether the slots of a group hold what stands at the places of a known number."""
    place = 1
    for slot in range(GROUPS[group, 0], GROUPS[group, 1]):
        at, other = begin[slot], known[group, number, place]
        if stop[slot] - at != known[group, number, place + 1] - other:
            return False
        for letter in range(stop[slot] - at):
            if text[at + letter] != text[other + letter]:
                return False
        place += 2
    return True


@njit(cache=True, nogil=True)
def _number(
    text: Bytes, begin: Numbers, stop: Numbers, group: int, tables: Codes, known: Numbers, count: int, last: int
) -> int:
    """The number of what a group's slots hold, tried first against the `last` one met; `count`, and made known, where it is new."""
    if count and _same(text, begin, stop, group, known, last):
        return last
    value = np.uint64(14695981039346656037)  # FNV-1a
    for slot in range(GROUPS[group, 0], GROUPS[group, 1]):
        for at in range(begin[slot], stop[slot]):
            value = (value ^ np.uint64(text[at])) * np.uint64(1099511628211)
        value = (value ^ np.uint64(_BAR)) * np.uint64(1099511628211)
    hashed = np.int64(value >> np.uint64(20))
    place = hashed & (tables.shape[1] - 1)
    while tables[group, place]:
        number: int = tables[group, place] - 1
        if known[group, number, 0] == hashed and _same(text, begin, stop, group, known, number):
            return number
        place = (place + 1) & (tables.shape[1] - 1)
    tables[group, place], known[group, count, 0] = count + 1, hashed
    column = 1
    for slot in range(GROUPS[group, 0], GROUPS[group, 1]):
        known[group, count, column], known[group, count, column + 1] = begin[slot], stop[slot]
        column += 2
    return count


@njit(cache=True, nogil=True)
def _frequency(text: Bytes, at: int, stop: int) -> float:
    """The highest of the numbers from 0 to 1 between "&"; exact, for as many digits as a float64 holds in full."""
    best = _NONE
    while at < stop:
        mantissa, digits, scale, point = 0, 0, 0, False
        while at < stop and (_ZERO <= text[at] <= _ZERO + 9 or (text[at] == _POINT and not point)):
            if text[at] == _POINT:
                point = True
            else:
                mantissa, digits, scale = mantissa * 10 + (text[at] - _ZERO), digits + 1, scale - point
                if mantissa > _EXACT:
                    return _ODD
            at += 1
        if digits and at + 2 < stop and text[at] | 32 == _E:
            sign, power, at = text[at + 1], 0, at + 2
            if sign not in (_MINUS, _PLUS) or not _ZERO <= text[at] <= _ZERO + 9:
                return _ODD
            while at < stop and _ZERO <= text[at] <= _ZERO + 9 and power < 1_000:
                power, at = power * 10 + (text[at] - _ZERO), at + 1
            scale += -power if sign == _MINUS else power
        if (at < stop and text[at] != _AND) or not -len(_TENS) < scale < len(_TENS):
            return _ODD
        if digits:
            value = mantissa / _TENS[-scale] if scale < 0 else mantissa * _TENS[scale]
            best = max(best, value) if value <= 1 else best
        at += 1
    return best


@njit(cache=True, nogil=True)
def _frequencies(text: Bytes, begin: Numbers, stop: Numbers) -> float:
    """The highest frequency that an entry names in a population; what it says of the highest only where it names none."""
    best = _NONE
    for slot in range(_POPULATIONS, len(begin)):
        value: float = _frequency(text, begin[slot], stop[slot])
        if value == _ODD:
            return value
        best = max(best, value)
    if best < 0:
        best = _frequency(text, begin[_MAX_AF], stop[_MAX_AF])
    return best


@njit(cache=True, nogil=True)
def split(
    text: Bytes, starts: Numbers, ends: Numbers, slot_of: Numbers, slots: int, entries: Entries, tables: Codes, known: Numbers
) -> Numbers:  # fmt: skip
    """Fill the `entries`, which have room for all; how many distinct texts each of the `GROUPS` has.

    tables: by group its numbers, and one, by their hash; zeros, a power of two of them, more than there are entries: (3, size).
    known: of each group's numbers the hash, then where each slot begins and stops: (3, entries, 9).
    """
    counts, last = np.zeros(3, np.int64), np.zeros(3, np.int64)
    begin, stop = np.empty(slots, np.int64), np.empty(slots, np.int64)
    entry = 0
    for record in range(len(starts)):
        at, end = starts[record], ends[record]
        while at < end:
            since, at = at, _parts(text, at, end, slot_of, begin, stop) + 1
            if at == since + 1:
                continue
            for group in range(len(GROUPS)):
                last[group] = _number(text, begin, stop, group, tables, known, counts[group], last[group])
                counts[group] += last[group] == counts[group]
            entries.which[entry], entries.what[entry], entries.where[entry] = last[0], last[1], last[2]
            entries.begin[entry], entries.end[entry] = since, at - 1
            value = _frequencies(text, begin, stop)
            entries.frequency[entry] = max(value, _NONE)
            entries.flags[entry] = (
                HAS_CLINVAR * (stop[_CLINVAR] > begin[_CLINVAR])
                | ODD_FREQUENCY * (value == _ODD)
                | _IS_MANE * (stop[_MANE] > begin[_MANE])
            )
            entry += 1
        entries.first[record + 1] = entry
    return counts


# -- Choosing -----------------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _letter(text: Bytes, at: int, stop: int) -> tuple[int, int]:
    """The byte at `at`, percent-decoded, and where the next begins."""
    if text[at] == _PERCENT and at + 2 < stop:
        value = 0
        for digit in text[at + 1 : at + 3]:
            if _ZERO <= digit <= _ZERO + 9:
                value = value * 16 + digit - _ZERO
            elif _A <= digit | 32 <= _A + 5:
                value = value * 16 + (digit | 32) - _A + 10
            else:
                return text[at], at + 1
        return value, at + 3
    return text[at], at + 1


@njit(cache=True, nogil=True)
def _tells(
    text: Bytes, at: int, stop: int, pos: int, ref: Bytes, ref_at: int, ref_stop: int, alt: Bytes, alt_at: int, alt_stop: int
) -> bool:  # fmt: skip
    """Whether among the changes that stand here, joined by "+", is that of REF to ALT at `pos`, as bcftools writes it: 100A>G.

    Where nothing stands, it may be.
    """
    if at >= stop:
        return True
    digits, tens = 1, 10
    while tens <= pos:
        digits, tens = digits + 1, tens * 10
    greater = digits + ref_stop - ref_at
    length = greater + 1 + alt_stop - alt_at
    fits, place, rest = True, 0, tens
    while at < stop:
        letter, at = _letter(text, at, stop)
        if letter == _PLUS:
            if fits and place == length:
                return True
            fits, place, rest = True, 0, tens
            continue
        if place < digits:
            rest //= 10
            expected = _ZERO + pos // rest % 10
        elif place < greater:
            expected = ref[ref_at + place - digits]
        elif place == greater:
            expected = _GREATER
        else:
            expected = alt[alt_at + place - greater - 1] if place < length else 0
        fits, place = fits and place < length and letter == expected, place + 1
    return fits and place == length


@njit(cache=True, nogil=True)
def _sort(keys: Numbers, values: Numbers, first: int, last: int) -> None:
    """Put both in the order of the keys, in place, between two places; Shell's sort, for they are few."""
    gap = (last - first) // 2
    while gap:
        for at in range(first + gap, last):
            key, value, to = keys[at], values[at], at
            while to >= first + gap and keys[to - gap] > key:
                keys[to], values[to], to = keys[to - gap], values[to - gap], to - gap
            keys[to], values[to] = key, value
        gap = 1 if gap == 2 else gap * 5 // 11


@njit(cache=True, nogil=True)
def _longer(numbers: Numbers) -> Numbers:
    """The numbers, with room for as many again."""
    more = np.empty(2 * len(numbers), np.int64)
    for place in range(len(numbers)):
        more[place] = numbers[place]
    return more


@njit(cache=True, nogil=True)
def _speak(
    text: Bytes, entries: Entries, rules: Rules, records: Records, record: int, row: int, slot_of: Numbers, begin: Numbers,
    stop: Numbers, mine: Flags,
) -> None:  # fmt: skip
    """Fill `mine`: which entries of a record speak of one of its rows. `begin` and `stop` are for the work."""
    first, count = entries.first[record], entries.first[record + 1] - entries.first[record]
    alts, allele = records.row[record + 1] - records.row[record], row - records.row[record] + 1
    numbered = named = found = False
    for entry in range(count):
        which = entries.which[first + entry]
        numbered |= alts > 1 and rules.number[which] != 0
        named |= rules.allele[which] != 0
        mine[entry] = not records.tells_change
    if numbered:
        for entry in range(count):
            mine[entry] = rules.number[entries.which[first + entry]] == allele
    elif named:
        for name in range(2):
            wanted = records.wanted[row, name]
            for entry in range(0 if found else count):
                mine[entry] = rules.allele[entries.which[first + entry]] == wanted
            for entry in range(count):
                found |= mine[entry]
    elif records.tells_change:
        for entry in range(count):
            _parts(text, entries.begin[first + entry], entries.end[first + entry], slot_of, begin, stop)
            mine[entry] = _tells(
                text, begin[_CHANGE], stop[_CHANGE], records.pos[record],
                records.refs, records.ref_first[record], records.ref_first[record + 1],
                records.alts, records.alt_first[row], records.alt_first[row + 1],
            )  # fmt: skip
    if alts == 1:
        for entry in range(count):
            found |= mine[entry]
        # Alleles may be written in a way we do not know ("deletion" for <DEL>): then all is said of the only ALT there is.
        for entry in range(0 if found else count):
            mine[entry] = True


@njit(cache=True, nogil=True)
def choose(
    text: Bytes, entries: Entries, rules: Rules, records: Records, slot_of: Numbers, slots: int
) -> tuple[Numbers, Numbers, Floats, Numbers]:
    """What is kept of each row.

    The first of its effects, by row (and one more); the entry of each effect, the worst on each gene, in order; by row its highest
    frequency, nan where there is none, and the entry that holds its ClinVar significance, -1 where none does.
    """
    rows, most = records.row[-1], 0
    for record in range(len(entries.first) - 1):
        most = max(most, entries.first[record + 1] - entries.first[record])
    first, frequency, clinvar = np.zeros(rows + 1, np.int64), np.full(rows, np.nan), np.full(rows, -1, np.int64)
    chosen, keys = np.empty(rows + 16, np.int64), np.empty(rows + 16, np.int64)
    seats = np.full(len(rules.group), -1, np.int64)  # of each gene, where its last effect sits among the chosen
    begin, stop, mine = np.empty(slots, np.int64), np.empty(slots, np.int64), np.empty(most, np.bool_)
    count = 0
    for record in range(len(entries.first) - 1):
        here, there = entries.first[record], entries.first[record + 1]
        for row in range(records.row[record], records.row[record + 1]):
            since, highest = count, _NONE
            _speak(text, entries, rules, records, record, row, slot_of, begin, stop, mine)
            for entry in range(here, there):
                if not mine[entry - here]:
                    continue
                highest = max(highest, entries.frequency[entry])
                if clinvar[row] < 0 and entries.flags[entry] & HAS_CLINVAR:
                    clinvar[row] = entry
                what = entries.what[entry]
                severity = rules.severity[what, 1 if entries.flags[entry] & _IS_MANE else 0]
                if severity < 0:
                    continue
                pair = rules.pair[entries.where[entry]] if rules.in_gene[what] else 0
                key, seat = (severity << 32) | rules.order[pair], seats[rules.group[pair]]
                if seat < since:
                    if count == len(chosen):
                        chosen, keys = _longer(chosen), _longer(keys)
                    chosen[count], keys[count], seats[rules.group[pair]] = entry, key, count
                    count += 1
                elif severity < keys[seat] >> 32:
                    chosen[seat], keys[seat] = entry, key
            _sort(keys, chosen, since, count)
            first[row + 1] = count
            if highest >= 0:
                frequency[row] = highest
    return first, chosen[:count], frequency, clinvar


# -- Numbers become text ------------------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def find(
    text: Bytes, begins: Numbers, ends: Numbers, chosen: Numbers, slot_of: Numbers, slots: int, first: int, last: int
) -> tuple[Numbers, Numbers]:
    """Where the slots from `first` up to `last` of the chosen entries begin and stop: (slots, chosen); -1 chooses nothing."""
    found_begin = np.zeros((last - first, len(chosen)), np.int64)
    found_stop = np.zeros((last - first, len(chosen)), np.int64)
    begin, stop = np.empty(slots, np.int64), np.empty(slots, np.int64)
    for place in range(len(chosen)):
        if chosen[place] >= 0:
            _parts(text, begins[chosen[place]], ends[chosen[place]], slot_of, begin, stop)
            for slot in range(first, last):
                found_begin[slot - first, place], found_stop[slot - first, place] = begin[slot], stop[slot]
    return found_begin, found_stop


@njit(cache=True, nogil=True)
def copy(text: Bytes, begin: Numbers, stop: Numbers, room: int) -> tuple[Codes, Bytes, Flags]:
    """What stands at these places, `room` bytes in all, percent-decoded: as offsets and bytes, as Arrow keeps strings.

    The flags tell where the decoded is more than ASCII: there the bytes may not be UTF-8.
    """
    offsets, data, odd = np.empty(len(begin) + 1, np.int32), np.empty(room, np.uint8), np.zeros(len(begin), np.bool_)
    to = 0
    for place in range(len(begin)):
        offsets[place], at = to, begin[place]
        while at < stop[place]:
            data[to] = text[at]
            if text[at] == _PERCENT:
                letter, after = _letter(text, at, stop[place])
                data[to], odd[place] = letter, odd[place] or (after > at + 1 and letter > 127)
                at = after - 1
            at, to = at + 1, to + 1
    offsets[len(begin)] = to
    return offsets, data[:to], odd
