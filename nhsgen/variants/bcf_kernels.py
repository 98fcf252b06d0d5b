"""BCF records at the speed of memory: where each begins and what it holds, and everybody's genotype as one byte.

BCF 2 (VCF specification, section 6): two lengths, then the shared part (CHROM .. INFO) and the samples' part, all as typed values:
a byte of type and length, then the values, least significant byte first. Codes are those of text_kernels.py.

Nothing is believed: every length is held against the end of its record before what it spans is looked at.
"""

import numpy as np
from numba import njit

from nhsgen.variants.fixed_kernels import JUDGE, NOT_A_NUMBER, same_letters
from nhsgen.variants.masks import codes_of_pairs, equal_mask, lowest, range_mask
from nhsgen.variants.text_kernels import ABSENT, BAD_GENOTYPES, HIGHEST_ALLELE, HOM_REF, WIDE

__all__ = ["BCF_COLUMNS", "BROKEN", "cut_records", "decode_bcf", "find_record", "parse_shared"]

# What cut_records writes of a record. Columns 0, 8, 10, 11, 12, 13 and 14 mean what they mean of a line of text: begin, end of the
# fixed part, end, ALTs, malformed, as before, next; 9 where the text of a symbolic ALT begins, of a record with one ALT. Then the
# contig's number, POS (1-based); and for GT, DP and GQ each where the values begin (0: none), their type, and values a sample.
BCF_COLUMNS = 24
_CONTIG, _POS, _SHARED_END, _END, _ALTS, _BROKEN, _SAME, _NEXT, _GT, _DP, _GQ = 1, 2, 8, 10, 11, 12, 13, 14, 15, 18, 21

_ALL = ~np.uint64(0)
_MISSING_FLOAT = np.uint32(0x7F800001)
_INT8, _INT16, _INT32, _FLOAT, _CHAR = 1, 2, 3, 5, 7

BROKEN = 4
"""Mark of a record in which no order is to be found; it stands beside those of fixed_kernels.py."""


@njit(cache=True, nogil=True)
def _u32(buf, at):  # type: ignore[no-untyped-def]
    return np.int64(buf[at]) | np.int64(buf[at + 1]) << 8 | np.int64(buf[at + 2]) << 16 | np.int64(buf[at + 3]) << 24


@njit(cache=True, nogil=True)
def _whole(buf, at, kind):  # type: ignore[no-untyped-def]
    """One whole number of a type; NOT_A_NUMBER for "missing" and "end of vector"."""
    if kind == _INT8:
        value = np.int64(buf[at])
        value -= 256 * (value > 127)
        return NOT_A_NUMBER if value < -120 else value
    if kind == _INT16:
        value = np.int64(buf[at]) | np.int64(buf[at + 1]) << 8
        value -= 65536 * (value > 32767)
        return NOT_A_NUMBER if value < -32760 else value
    value = _u32(buf, at)
    value -= (value > 2147483647) << 32
    return NOT_A_NUMBER if value < -2147483640 else value


@njit(cache=True, nogil=True)
def _size(kind):  # type: ignore[no-untyped-def]
    """Bytes of a value of a type; 0 for a type that there is not."""
    if kind == _INT8 or kind == _CHAR:
        return 1
    if kind == _INT16:
        return 2
    return 4 if kind == _INT32 or kind == _FLOAT else 0


@njit(cache=True, nogil=True)
def _typed(buf, at, stop):  # type: ignore[no-untyped-def]
    """Type, number of values and where they begin; -1 for the type where it would reach beyond `stop`."""
    if at >= stop:
        return -1, 0, at
    kind, count = np.int64(buf[at] & 15), np.int64(buf[at] >> 4)
    at += 1
    if count == 15:
        if at >= stop:
            return -1, 0, at
        of_count = np.int64(buf[at] & 15)
        if buf[at] >> 4 != 1 or not 1 <= of_count <= 3 or at + 1 + _size(of_count) > stop:
            return -1, 0, at
        count = _whole(buf, at + 1, of_count)
        at += 1 + _size(of_count)
    if count < 0 or (_size(kind) == 0 and (kind or count)) or at + count * _size(kind) > stop:
        return -1, 0, at
    return kind, count, at


@njit(cache=True, nogil=True)
def _key(buf, at, stop):  # type: ignore[no-untyped-def]
    """The number of an INFO or FORMAT field and where what follows begins; -1 when it is none."""
    kind, count, at = _typed(buf, at, stop)
    if count != 1 or not 1 <= kind <= 3:
        return -1, at
    return _whole(buf, at, kind), at + _size(kind)


@njit(cache=True, nogil=True)
def _plausible(buf, at, stop, samples, contigs):  # type: ignore[no-untyped-def]
    """Where the record that seems to begin at `at` ends; -1 when none does, -2 when too little is there to tell."""
    if at + 32 > stop:
        return -2
    shared, indiv = _u32(buf, at), _u32(buf, at + 4)
    pos = _u32(buf, at + 12)  # 0-based; -1 at a telomere
    if shared < 24 or _u32(buf, at + 8) >= contigs or (pos > 2**31 - 2 and pos != 0xFFFFFFFF):
        return -1
    counts, sample_counts = _u32(buf, at + 24), _u32(buf, at + 28)
    if counts >> 16 == 0 or sample_counts & 0xFFFFFF != samples or (sample_counts >> 24 > 0) != (indiv > 0):
        return -1
    return at + 8 + shared + indiv


@njit(cache=True, nogil=True)
def find_record(buf, start, stop, at_end, samples, contigs):  # type: ignore[no-untyped-def]
    """The first place from `start` on where a record begins and others follow it; -1 when there is none, or too little to tell.

    at_end: whether the file ends at `stop`, where its last record must end too. contigs: how many the header declares.
    """
    for at in range(start, stop - 31):
        end, chained = _plausible(buf, at, stop, samples, contigs), 0
        while end >= 0 and chained < 3 and end < stop:
            end = _plausible(buf, end, stop, samples, contigs)
            chained += 1
        if end >= 0 and (chained == 3 or (at_end and end == stop)):
            return at
    return -1


@njit(cache=True, nogil=True)
def _symbolic(buf, place, stop):  # type: ignore[no-untyped-def]
    """Where the text of the third of the typed texts from `place` on begins, if it is a short "<...>"; else 0."""
    count = 0
    for _ in range(3):  # ID, REF, ALT
        kind, count, place = _typed(buf, place, stop)
        if kind < 0:
            return 0
        place += count
    return place - count if 0 < count < 15 and buf[place - count] == 60 else 0


@njit(cache=True, nogil=True)
def cut_records(buf, start, stop, samples, contigs, keys, table):  # type: ignore[no-untyped-def]
    """Find whole records in buf[start:stop]; how many there were, and where the first not found begins.

    keys: for each word of the header, whether it is GT, DP or GQ (1, 2, 3), another (0), or no word at all (-1).
    table: (records x BCF_COLUMNS) int64, written.
    """
    count, at = 0, start
    while count < table.shape[0] and at + 8 <= stop:
        shared_end = at + 8 + _u32(buf, at)
        end = shared_end + _u32(buf, at + 4)
        if end > stop:
            break
        row = table[count]
        row[:] = 0
        row[0], row[_SHARED_END], row[_END], row[_NEXT] = at, shared_end, end, end
        row[_BROKEN] = _plausible(buf, at, shared_end, samples, contigs) != end
        if not row[_BROKEN]:
            row[_CONTIG], row[_POS] = _u32(buf, at + 8), (_u32(buf, at + 12) + 1) & 0xFFFFFFFF
            row[_ALTS] = (_u32(buf, at + 24) >> 16) - 1
            if row[_ALTS] == 1:
                row[9] = _symbolic(buf, at + 32, shared_end)
            place = shared_end
            for _ in range(_u32(buf, at + 28) >> 24):
                key, place = _key(buf, place, end)
                if key < 0 or key >= keys.size or keys[key] < 0 or place >= end:
                    row[_BROKEN] = 1
                    break
                kind, values, place = _typed(buf, place, end)
                if kind < 0 or place + values * _size(kind) * samples > end:
                    row[_BROKEN] = 1
                    break
                if keys[key] > 0 and 1 <= kind <= 3:
                    column = _GT + 3 * (keys[key] - 1)
                    row[column], row[column + 1], row[column + 2] = place, kind, values
                place += values * _size(kind) * samples
            row[_BROKEN] |= place != end
        if count:
            same = row[_CONTIG] == table[count - 1, _CONTIG]
            row[_SAME] = same | (4 * (same & (row[_POS] == table[count - 1, _POS])))
        count += 1
        at = end
    return count, at


@njit(cache=True, nogil=True)
def _pairs(buf, at, samples, alts, codes):  # type: ignore[no-untyped-def]
    """Two alleles of one byte each: the usual record. Its mark."""
    mark, highest = 0, np.uint8(min(alts, HIGHEST_ALLELE) + 1)
    pattern = np.uint32(0x03020302) if buf[at + 1] & 1 else np.uint32(0x02020202)
    for first in range(0, samples, 32):
        last = min(first + 32, samples)
        if last - first == 32:
            if equal_mask(buf, at + 2 * first, pattern) == _ALL:
                codes[first:last] = HOM_REF
                continue
            if range_mask(buf, at + 2 * first, np.uint8(0), np.uint8(2 * highest + 2)) == _ALL:
                codes_of_pairs(buf, at + 2 * first, codes, first)
                continue
        wrong = np.uint8(0)
        for sample in range(first, last):
            a, b = buf[at + 2 * sample], buf[at + 2 * sample + 1]
            low, high = np.uint8(a >> np.uint8(1)), np.uint8(b >> np.uint8(1))
            called = np.uint8(b != 0x81)
            wrong |= np.uint8(low > highest) | (np.uint8(high > highest) & called)
            # One allele alone: 0x81 stands where the other would be, half of it is 0x40, and ABSENT is to stand there.
            codes[sample] = low | np.uint8(
                (np.uint8(high & (np.uint8(0) - called)) | np.uint8(15 - 15 * called)) << np.uint8(4)
            )
        if wrong:
            mark = BAD_GENOTYPES
    return mark


@njit(cache=True, nogil=True)
def _any_width(buf, at, kind, values, samples, alts, codes):  # type: ignore[no-untyped-def]
    """Genotypes of whatever type and length; the mark."""
    mark, size = 0, _size(kind)
    for sample in range(samples):
        alleles, first, second = 0, 0, ABSENT
        for j in range(values):
            place = at + (sample * values + j) * size
            ended = buf[place] == 0x81
            if kind == _INT16:
                ended = buf[place] == 1 and buf[place + 1] == 0x80
            elif kind == _INT32:
                ended = _u32(buf, place) == 0x80000001
            if ended:
                break
            value = _whole(buf, place, kind)
            allele = value >> 1 if value >= 0 else -1
            if allele < 0 or allele > alts + 1:
                mark |= BAD_GENOTYPES
            elif allele > HIGHEST_ALLELE + 1:
                mark |= WIDE
            if j == 0:
                first = allele
            elif j == 1:
                second = allele
            alleles += 1
        if alleles == 0:
            mark |= BAD_GENOTYPES
        elif alleles > 2:
            mark |= WIDE
        codes[sample] = (first & 15) | (second & 15) << 4
    return mark


@njit(cache=True, nogil=True)
def decode_bcf(buf, table, first, last, samples, low_dp, low_gq, codes, marks):  # type: ignore[no-untyped-def]
    """Codes of everybody at records first..last-1 of a table that `cut_records` wrote; see text_kernels.decode_genotypes."""
    for record in range(first, last):
        row, out = table[record], record - first
        at, kind, values = row[_GT], row[_GT + 1], row[_GT + 2]
        if row[_BROKEN] or at == 0 or values < 1:
            marks[out] = BAD_GENOTYPES
        elif kind == _INT8 and values == 2:
            marks[out] = _pairs(buf, at, samples, row[_ALTS], codes[out])
        else:
            marks[out] = _any_width(buf, at, kind, values, samples, row[_ALTS], codes[out])
        for column, low in ((_DP, low_dp), (_GQ, low_gq)):
            if low >= 0 and row[column] and row[column + 2] == 1:
                size = _size(row[column + 1])
                for sample in range(samples):
                    if 0 <= _whole(buf, row[column] + sample * size, row[column + 1]) < low:
                        codes[out, sample] = ABSENT << 4 if codes[out, sample] >> 4 == ABSENT else 0


@njit(cache=True, nogil=True)
def _float(buf, at):  # type: ignore[no-untyped-def]
    """A float of 32 bits; nan for "missing" and its like."""
    bits = np.uint32(_u32(buf, at))
    if bits & np.uint32(0x7F800000) == np.uint32(0x7F800000):
        return np.nan
    exponent, fraction = np.int64(bits >> np.uint32(23)) & 255, np.float64(bits & np.uint32(0x7FFFFF)) / 8388608.0
    value = fraction * 2.0**-126 if exponent == 0 else (1.0 + fraction) * 2.0 ** np.float64(exponent - 127)
    return -value if bits >> np.uint32(31) else value


@njit(cache=True, nogil=True)
def parse_shared(  # type: ignore[no-untyped-def]
    text, begins, ends, alts, roles, letters,
    pos, end, an, qual, small, annotation, clinvar, mark, blamed, alt, record, ac, af, ref, name, filters,
):  # fmt: skip
    """Read the shared parts of some records: fixed_kernels.parse_fixed says what is written.

    text[begins[i]:ends[i]] is the shared part of record i, without the two lengths; alts how many ALTs each has.
    mark: 0, JUDGE, or BROKEN where nothing behind can be found. roles: for each word of the header, what its INFO is read for;
    -1 for no word at all. letters: kinds of letters, 1 and 2 DNA, 0 none.
    ref, name (the ID), filters: (start, end) in text; filters of the typed value as it stands.
    """
    row = 0
    for i in range(begins.size):
        at, stop, fine, whole = begins[i], ends[i], True, True
        for j in range(alts[i]):
            record[row + j], ac[row + j], af[row + j] = i, NOT_A_NUMBER, np.nan
        an[i] = NOT_A_NUMBER
        pos[i] = (_u32(text, at + 4) + 1) & 0xFFFFFFFF
        qual[i] = _float(text, at + 12)
        infos = _u32(text, at + 16) & 0xFFFF
        kind, count, place = _typed(text, at + 24, stop)
        whole &= kind == _CHAR or (kind >= 0 and count == 0)
        name[i, 0], name[i, 1] = place, place + max(count, 0)
        for j in range(place, place + count):
            fine &= 32 < text[j] < 127 and text[j] != 59 and text[j] != 44
        place += count
        for allele in range(alts[i] + 1):
            kind, count, place = _typed(text, place, stop)
            if kind != _CHAR or count == 0:
                whole = False
                break
            fine &= _is_allele(text, place, place + count, allele, letters, small, i)
            if allele == 0:
                ref[i, 0], ref[i, 1] = place, place + count
            else:
                alt[row + allele - 1, 0], alt[row + allele - 1, 1] = place, place + count
                for other in range(allele):
                    begin, close = (
                        (ref[i, 0], ref[i, 1]) if other == 0 else (alt[row + other - 1, 0], alt[row + other - 1, 1])
                    )
                    fine &= not same_letters(text, place, place + count, begin, close)
            place += count
        end[i] = pos[i] + ref[i, 1] - ref[i, 0] - 1
        filters[i, 0] = place
        kind, count, place = _typed(text, place, stop)
        whole &= 0 <= kind <= 3
        place += max(count, 0) * _size(kind) if kind > 0 else 0
        filters[i, 1] = place
        # Of a record to be judged too: where its annotation stands is found nowhere else.
        if whole:
            whole, sound = _parse_info(
                text, place, stop, infos, alts[i], roles, i, row, pos, end, an, annotation, clinvar, ac, af
            )
            fine &= sound
        mark[i] = BROKEN if not whole else 0 if fine else JUDGE
        row += alts[i]


@njit(cache=True, nogil=True)
def _parse_info(  # type: ignore[no-untyped-def]
    text, place, stop, infos, alts, roles, i, row, pos, end, an, annotation, clinvar, ac, af
):
    """Whether every field was found, and whether what is read of them is surely right; it is written."""
    fine, met = True, 0
    for _ in range(infos):
        key, place = _key(text, place, stop)
        if key < 0 or key >= roles.size or roles[key] < 0:
            return False, False
        kind, count, place = _typed(text, place, stop)
        if kind < 0:
            return False, False
        role, size = roles[key], _size(kind)
        again = role < 6 and met >> role & 1  # of a field that is given twice the first counts
        met |= 1 << role if role else 0
        counted = role == 1 or role == 2 or role == 3
        if again or (counted and count and not 1 <= kind <= 3):
            fine = False
        elif role == 1:
            fine &= count == alts or (count == 1 and _whole(text, place, kind) == NOT_A_NUMBER)
            for j in range(min(count, alts)):
                ac[row + j] = _whole(text, place + j * size, kind)
                fine &= ac[row + j] >= 0 or ac[row + j] == NOT_A_NUMBER
        elif role == 2 and count:
            an[i] = _whole(text, place, kind)
            fine &= count == 1 and (an[i] >= 0 or an[i] == NOT_A_NUMBER)
        elif role == 3 and count:
            last = _whole(text, place, kind)
            if last != NOT_A_NUMBER:
                fine &= last >= pos[i]
                end[i] = max(end[i], last)
        elif (role == 4 or role == 5) and kind == _CHAR:
            span = annotation[i] if role == 4 else clinvar[i]
            span[0], span[1] = place, place + count
            fine &= _is_plain(text, place, place + count)
        elif role == 6 and kind == _FLOAT:
            for j in range(min(count, alts)):
                value = _float(text, place + j * size)
                if 0 <= value <= 1 and not af[row + j] >= value:
                    af[row + j] = value
        elif role == 6 and count:
            fine = False
        place += count * size
    return place == stop, fine


@njit(cache=True, nogil=True)
def _is_plain(text, at, stop):  # type: ignore[no-untyped-def]
    """Whether text[at:stop] is ASCII that can be seen, and that can stand in INFO: without a semicolon."""
    for i in range(at, stop, 64):
        bits = ~range_mask(text, i, np.uint8(32), np.uint8(95)) | equal_mask(text, i, np.uint32(0x3B3B3B3B))
        if bits and i + lowest(bits) < stop:
            return False
    return True


@njit(cache=True, nogil=True)
def _is_allele(text, at, stop, allele, letters, small, i):  # type: ignore[no-untyped-def]
    if allele and text[at] == 60:
        fine = stop - at > 2 and text[stop - 1] == 62
        for j in range(at + 1, stop - 1):
            fine &= 32 < text[j] < 127 and text[j] != 60 and text[j] != 62 and text[j] != 44
        return fine
    if allele and stop - at == 1 and text[at] == 42:
        return True
    fine = True
    for j in range(at, stop):
        fine &= letters[text[j]] > 0
        small[i] |= letters[text[j]] == 2
    return fine
