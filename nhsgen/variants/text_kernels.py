"""VCF text at the speed of memory: lines cut into columns, and everybody's genotype as one byte.

A genotype's *code* holds its two alleles, each plus one, in four bits: the first low, the second high. 0 is an allele that was
not called, 15 in the second place an allele that is not there (one X): "0/0" is 0x11, "./1" is 0x20, "1" is 0xF2.

A kernel accepts what is surely right and marks every other line, for records.py to judge: a mark is not a verdict.
"""

import numpy as np
from numba import njit

from nhsgen.variants.masks import codes_of_letters, equal_mask, lowest, ones, range_mask, squeezed

__all__ = [
    "ABSENT",
    "BAD_GENOTYPES",
    "COLUMNS",
    "HAPLOID_REF",
    "HIGHEST_ALLELE",
    "HOM_REF",
    "ODD_VALUES",
    "PADDING",
    "WIDE",
    "cut_lines",
    "decode_genotypes",
]

PADDING = 128
"""Bytes that must follow the text in its buffer, so that a wide load never leaves it."""

HOM_REF, HAPLOID_REF, ABSENT = 0x11, 0xF1, 15
HIGHEST_ALLELE = 13  # that a code can hold

# Marks of decode_genotypes.
BAD_GENOTYPES, WIDE, ODD_VALUES = 1, 2, 4

# What cut_lines writes of a line, a column each: where its ten fields begin, where it ends (without CR), and more.
COLUMNS = 15
_FORMAT, _SAMPLES, _END, _ALTS, _SHORT, _SAME, _NEXT = 8, 9, 10, 11, 12, 13, 14

_TAB, _NEWLINE, _CR, _COMMA, _COLON, _DOT = (np.uint8(ord(letter)) for letter in "\t\n\r,:.")
_EVERY = np.uint32(0x01010101)
_ONE = np.uint64(1)
_ALL = ~np.uint64(0)
# Where alleles, phases and tabs stand in "a|b" and a tab, over and over.
_ALLELES, _PHASES, _TABS = np.uint64(0x5555555555555555), np.uint64(0x2222222222222222), np.uint64(0x8888888888888888)


@njit(cache=True, nogil=True)
def cut_lines(buf, start, stop, fields, table):  # type: ignore[no-untyped-def]
    """Cut whole lines of buf[start:stop] into columns; how many there were, and where the first line not cut begins.

    fields: how many columns there are before the samples: 8, or 9 where the file has samples.
    table: (lines x COLUMNS) int64, written. Fields begin at columns 0..9; 10 the end; 11 how many ALTs; 12 whether there are
    fewer columns; 13 what is as in the line before (1 CHROM, 2 FORMAT, 4 CHROM and POS); 14 where the next line begins.
    """
    line, at = 0, start
    while at < stop and line < table.shape[0]:
        found, field, i = -1, 1, at
        table[line, 0] = at
        while i < stop and found < 0 and field <= fields:
            bits = equal_mask(buf, i, _EVERY * np.uint32(_TAB)) | equal_mask(buf, i, _EVERY * np.uint32(_NEWLINE))
            while bits:
                place = i + lowest(bits)
                bits &= bits - _ONE
                if place >= stop:
                    break
                if buf[place] == _NEWLINE:
                    found = place
                    break
                if field <= fields:
                    table[line, field] = place + 1
                field += 1
                if field > fields:
                    break
            i = place + 1 if field > fields else i + 64
        while i < stop and found < 0:
            bits = equal_mask(buf, i, _EVERY * np.uint32(_NEWLINE))
            if bits and i + lowest(bits) < stop:
                found = i + lowest(bits)
            i += 64
        if found < 0:
            break
        end = found - 1 if found > at and buf[found - 1] == _CR else found
        # The last field before the samples ends where they begin, or with the line.
        short = field < fields if fields == 8 else field <= fields
        for number in range(field, 10):
            table[line, number] = end + 1
        table[line, _END] = end
        table[line, _SHORT] = 1 if short else 0
        table[line, _NEXT] = found + 1
        alts = 1
        first, last = table[line, 4], table[line, 5] - 1
        for j in range(first, last):
            alts += buf[j] == _COMMA
        table[line, _ALTS] = 0 if last - first == 1 and buf[first] == _DOT else alts
        same = 0
        if line > 0 and not short:
            if _equal(buf, table[line, 0], table[line, 1], table[line - 1, 0], table[line - 1, 1]):
                same = 1
                if _equal(buf, table[line, 1], table[line, 2], table[line - 1, 1], table[line - 1, 2]):
                    same |= 4
            if _equal(buf, table[line, 8], table[line, 9], table[line - 1, 8], table[line - 1, 9]):
                same |= 2
        table[line, _SAME] = same
        line += 1
        at = found + 1
    return line, at


@njit(cache=True, nogil=True)
def _equal(buf, a, a_end, b, b_end):  # type: ignore[no-untyped-def]
    if a_end - a != b_end - b:
        return False
    for i in range(a_end - a):
        if buf[a + i] != buf[b + i]:
            return False
    return True


@njit(cache=True, nogil=True)
def _genotype(buf, at, end, alts):  # type: ignore[no-untyped-def]
    """The code of the genotype that begins at `at`, and where it ends; -1 for what is none, -2 for more than a code holds."""
    if at < end and (buf[at] == 47 or buf[at] == 124):  # VCF 4.4 may begin with the phase
        at += 1
    first, at = _allele(buf, at, end)
    if first < 0 or first > alts + 1:
        return -1, at
    if at >= end or buf[at] == _COLON or buf[at] == _TAB:
        return (-2 if first > HIGHEST_ALLELE + 1 else first | ABSENT << 4), at
    if buf[at] != 47 and buf[at] != 124:
        return -1, at
    second, at = _allele(buf, at + 1, end)
    if second < 0 or second > alts + 1:
        return -1, at
    if at < end and (buf[at] == 47 or buf[at] == 124):
        return -2, at
    if at < end and buf[at] != _COLON and buf[at] != _TAB:
        return -1, at
    return (-2 if max(first, second) > HIGHEST_ALLELE + 1 else first | second << 4), at


@njit(cache=True, nogil=True)
def _three_letters(buf, at, alts):  # type: ignore[no-untyped-def]
    """The code of "a/b" or "a|b", alleles of one digit; -1 when it is something else."""
    a, b, phase = np.int64(buf[at]), np.int64(buf[at + 2]), buf[at + 1]
    first, second = (0 if a == 46 else a - 47), (0 if b == 46 else b - 47)
    fine = (
        (a != 47)
        & (b != 47)
        & (first >= 0)
        & (second >= 0)
        & (first <= min(alts, 9) + 1)
        & (second <= min(alts, 9) + 1)
    )
    return first | second << 4 if fine & ((phase == 47) | (phase == 124)) else -1


@njit(cache=True, nogil=True)
def _allele(buf, at, end):  # type: ignore[no-untyped-def]
    """The allele plus one, 0 for ".", -1 for neither; and where it ends."""
    if at < end and buf[at] == _DOT:
        return 0, at + 1
    value, begin = 0, at
    while at < end and 48 <= buf[at] <= 57 and at - begin < 7:
        value = value * 10 + buf[at] - 48
        at += 1
    return (value + 1 if at > begin else -1), at


@njit(cache=True, nogil=True)
def _four_letters(buf, at, samples, alts, codes):  # type: ignore[no-untyped-def]
    """Every sample as "a|b" and a tab, alleles of one digit: the usual line of a joint call set. False when it is not so."""
    pattern = np.uint32(0x09302F30) if buf[at + 1] == 47 else np.uint32(0x09307C30)
    known = np.uint8(min(alts, 9) + 3)  # ".", "/" and the digits of REF and the ALTs
    whole = (samples - 1) // 16 * 16  # the last sample has no tab
    for i in range(0, whole, 16):
        place = at + 4 * i
        if equal_mask(buf, place, pattern) == _ALL:
            codes[i : i + 16] = HOM_REF
            continue
        slashes = equal_mask(buf, place, _EVERY * np.uint32(47))
        fine = range_mask(buf, place, np.uint8(46), known) & ~slashes & _ALLELES
        fine |= (slashes | equal_mask(buf, place, _EVERY * np.uint32(124))) & _PHASES
        fine |= equal_mask(buf, place, _EVERY * np.uint32(_TAB)) & _TABS
        if fine != _ALL:
            return False
        codes_of_letters(buf, place, codes, i)
    for j in range(whole, samples):
        place = at + 4 * j
        code, end = _genotype(buf, place, place + 3, alts)
        if code < 0 or end != place + 3 or (j + 1 < samples and buf[place + 3] != _TAB):
            return False
        codes[j] = code
    return True


@njit(cache=True, nogil=True)
def _only_genotypes(buf, at, end, samples, alts, codes):  # type: ignore[no-untyped-def]
    """Samples that hold a GT and nothing else, of any width; the mark they earn."""
    mark = 0
    for sample in range(samples):
        code, at = _genotype(buf, at, end, alts)
        if code == -2:
            mark |= WIDE
            while at < end and buf[at] != _TAB:
                at += 1
        elif code < 0:
            return BAD_GENOTYPES
        last = sample + 1 == samples
        if (at != end) if last else (at >= end or buf[at] != _TAB):
            return BAD_GENOTYPES
        at += 1
        codes[sample] = max(code, 0)
    return mark


@njit(cache=True, nogil=True)
def _number_at(buf, at, end):  # type: ignore[no-untyped-def]
    """A whole number, or -1 where there is none."""
    value = -1
    for i in range(at, end):
        if not 48 <= buf[i] <= 57:
            return -1
        value = max(value, 0) * 10 + buf[i] - 48
    return value


@njit(cache=True, nogil=True)
def _separators(buf, at, end, places, kinds):  # type: ignore[no-untyped-def]
    """Where every tab, colon and comma of buf[at:end] stands, `end` last as a tab; how many; and whether all else is plain.

    Plain: digits, dots that touch no digit, minus signs, and one slash or bar for each tab: what whole numbers and GT hold.
    """
    count, tabs, phases = 0, 1, 0
    strange, carry = np.uint64(0), np.uint64(0)
    for i in range(at, end, 64):
        tab = equal_mask(buf, i, _EVERY * np.uint32(_TAB))
        separators = (
            tab | equal_mask(buf, i, _EVERY * np.uint32(_COLON)) | equal_mask(buf, i, _EVERY * np.uint32(_COMMA))
        )
        digits = range_mask(buf, i, np.uint8(48), np.uint8(10))
        dots = equal_mask(buf, i, _EVERY * np.uint32(_DOT))
        slashes = equal_mask(buf, i, _EVERY * np.uint32(47)) | equal_mask(buf, i, _EVERY * np.uint32(124))
        after = _ONE << np.uint64(63) if 48 <= buf[i + 64] <= 57 else np.uint64(0)
        other = ~(digits | dots | separators | slashes | equal_mask(buf, i, _EVERY * np.uint32(45)))
        other |= dots & (digits << _ONE | carry | digits >> _ONE | after)
        carry = digits >> np.uint64(63)
        # What is no text at all: NUL and its like, and bytes beyond ASCII, which may be no UTF-8.
        no_text = range_mask(buf, i, np.uint8(0), np.uint8(9)) | range_mask(buf, i, np.uint8(128), np.uint8(128))
        if end - i < 64:
            no_text &= (_ONE << np.uint64(end - i)) - _ONE
        if no_text:
            return 0, False
        if end - i < 64:
            inside = (_ONE << np.uint64(end - i)) - _ONE
            separators &= inside
            other &= inside
            slashes &= inside
            tab &= inside
        strange |= other
        tabs += ones(tab)
        phases += ones(slashes)
        for j in range(count, count + ones(separators)):
            place = i + lowest(separators)
            separators &= separators - _ONE
            places[j] = place
            kinds[j] = buf[place]
            count += 1
    places[count] = end
    kinds[count] = _TAB
    return count + 1, strange == 0 and tabs == phases


@njit(cache=True, nogil=True)
def _all_regular(buf, at, end, samples, alts, usual, letters, codes):  # type: ignore[no-untyped-def]
    """Whether every sample has all its values, none empty, all plain, and a GT of three letters; then their codes are written.

    letters[:usual]: the separators of one sample. Sixty-four bytes at a time, with nothing done sample by sample but for those
    who are not homozygous reference: the separators of a stretch, pushed together, must be the usual ones over and over.
    """
    tabs_due, commas_due = np.zeros(usual, dtype=np.uint64), np.zeros(usual, dtype=np.uint64)
    for phase in range(usual):
        for j in range(64):
            letter = letters[(phase + j) % usual]
            tabs_due[phase] |= np.uint64(letter == _TAB) << np.uint64(j)
            commas_due[phase] |= np.uint64(letter == _COMMA) << np.uint64(j)
    codes[:samples] = HOM_REF
    highest = min(alts, 9) + 1
    phase, sample, wrong = 0, 0, np.uint64(0)
    # The stretch before: a tab stands right before the first sample.
    tab_0, separators_0, digits_0, zeros_0 = _ONE << np.uint64(63), _ONE << np.uint64(63), np.uint64(0), np.uint64(0)
    for i in range(at, end + 1, 64):
        inside = _ALL
        tab = equal_mask(buf, i, _EVERY * np.uint32(_TAB))
        if end - i < 64:  # the line's end closes the last sample as a tab would
            last = _ONE << np.uint64(end - i)
            inside = last | (last - _ONE)
            tab = tab & inside | last
        comma = equal_mask(buf, i, _EVERY * np.uint32(_COMMA)) & inside
        colon = equal_mask(buf, i, _EVERY * np.uint32(_COLON)) & inside
        separators = tab | comma | colon
        count = ones(separators)
        chosen = _ALL if count == 64 else (_ONE << np.uint64(count)) - _ONE
        wrong |= squeezed(tab, separators) ^ (tabs_due[phase] & chosen)
        wrong |= squeezed(comma, separators) ^ (commas_due[phase] & chosen)
        phase = (phase + count) % usual
        digits = range_mask(buf, i, np.uint8(48), np.uint8(10))
        zeros = equal_mask(buf, i, _EVERY * np.uint32(48))
        dots = equal_mask(buf, i, _EVERY * np.uint32(_DOT))
        phases = equal_mask(buf, i, _EVERY * np.uint32(47)) | equal_mask(buf, i, _EVERY * np.uint32(124))
        # No value is empty; a dot touches no digit; phases stand in GT alone; GT is three letters.
        after = _ONE << np.uint64(63) if 48 <= buf[i + 64] <= 57 else np.uint64(0)
        wrong |= separators & (separators << _ONE | separators_0 >> np.uint64(63))
        strange = ~(digits | dots | phases | separators | equal_mask(buf, i, _EVERY * np.uint32(45)))
        strange |= dots & (digits << _ONE | digits_0 >> np.uint64(63) | digits >> _ONE | after)
        first = tab << _ONE | tab_0 >> np.uint64(63)
        second, third = tab << np.uint64(2) | tab_0 >> np.uint64(62), tab << np.uint64(3) | tab_0 >> np.uint64(61)
        fourth = tab << np.uint64(4) | tab_0 >> np.uint64(60)
        strange |= phases ^ second
        strange |= (first | third) & ~(digits | dots)
        strange |= fourth & (~colon if usual > 1 else ~tab)
        body = inside if end - i >= 64 else inside >> _ONE
        wrong |= strange & body
        if wrong:
            return False
        third &= body
        other = third & ~(zeros & (zeros << np.uint64(2) | zeros_0 >> np.uint64(62)))
        while other:
            bit = lowest(other)
            other &= other - _ONE
            place = i + bit
            who = sample + ones(third & ((_ONE << np.uint64(bit)) - _ONE))
            a, b = np.int64(buf[place - 2]), np.int64(buf[place])
            low, high = (0 if a == 46 else a - 47), (0 if b == 46 else b - 47)
            if who >= samples or low > highest or high > highest:
                return False
            codes[who] = low | high << 4
        sample += ones(third)
        tab_0, separators_0, digits_0, zeros_0 = tab, separators, digits, zeros
    return sample == samples and phase == 0


@njit(cache=True, nogil=True)
def _regular(plan, numbers, alts, letters):  # type: ignore[no-untyped-def]
    """The separators of a sample that has all its values, written to `letters`; how many, 0 when FORMAT does not fix it."""
    count = 0
    for field in range(plan[0]):
        due = _due(numbers[field], alts, True) if field else 1
        if due < 1 or count + due > letters.size:
            return 0
        for _ in range(due - 1):
            letters[count] = _COMMA
            count += 1
        letters[count] = _COLON
        count += 1
    letters[count - 1] = _TAB
    return count


@njit(cache=True, nogil=True)
def _due(number, alts, diploid):  # type: ignore[no-untyped-def]
    """How many values a field holds; -1 for any number."""
    if number == -2:
        return alts
    if number == -3:
        return alts + 1
    if number == -4:
        return (alts + 1) * (alts + 2) // 2 if diploid else alts + 1
    return number


@njit(cache=True, nogil=True)
def _all_fields(  # type: ignore[no-untyped-def]
    buf, at, end, samples, alts, plan, whole, numbers, low_dp, low_gq, places, kinds, letters, codes
):
    """Samples of several fields, GT first; every field's values counted and, where whole numbers are due, looked at.

    plan: how many fields FORMAT names, and which of them are DP and GQ (-1: none).
    whole, numbers: for each field, whether it holds whole numbers, and how many values: -1 any, -2 one an ALT, -3 one an
    allele, -4 one a genotype.
    low_dp, low_gq: a genotype below either is no call; -1 for no such limit.
    places, kinds, letters: room to work in.
    """
    usual = _regular(plan, numbers, alts, letters) if low_dp < 0 and low_gq < 0 else 0
    if usual and _all_regular(buf, at, end, samples, alts, usual, letters, codes):
        return 0
    count, plain = _separators(buf, at, end, places, kinds)
    usual = usual if plain else 0
    mark, k = 0, 0
    for sample in range(samples):
        if k >= count:
            return BAD_GENOTYPES
        code = _three_letters(buf, at, alts) if places[k] - at == 3 else -1
        if code < 0:
            code, _ = _genotype(buf, at, places[k], alts)
            if code == -1:
                return BAD_GENOTYPES
        same = usual > 0 and k + usual <= count
        if same:
            for j in range(usual):
                same &= kinds[k + j] == letters[j]
        if same:
            for j in range(1, usual):
                if places[k + j] == places[k + j - 1] + 1:
                    mark |= ODD_VALUES
            k += usual
        else:
            code, k, odd = _sample(buf, code, k, count, alts, plan, whole, numbers, low_dp, low_gq, places, kinds)
            if k < 0:
                return BAD_GENOTYPES
            mark |= odd
        if code == -2:
            mark |= WIDE
        codes[sample] = max(code, 0)
        at = places[k - 1] + 1
    return mark if k == count else BAD_GENOTYPES


@njit(cache=True, nogil=True)
def _sample(buf, code, k, count, alts, plan, whole, numbers, low_dp, low_gq, places, kinds):  # type: ignore[no-untyped-def]
    """One sample field by field: its code under the limits, the separator after it (-1: too many fields, or GTs), its mark."""
    mark, field, begin, values = 0, 0, 0, 1
    while k < count:
        place, letter = places[k], kinds[k]
        k += 1
        if letter == _COMMA:
            values += 1
            continue
        if field >= plan[0] or (field == 0 and values > 1):
            return code, -1, 0
        if field and not (place - begin == 1 and buf[begin] == _DOT):
            due = _due(numbers[field], alts, code >> 4 != ABSENT)
            if (due >= 0 and values != due) or place == begin or (whole[field] and not _is_whole(buf, begin, place)):
                mark = ODD_VALUES
            number = _number_at(buf, begin, place)
            if (field == plan[1] and 0 <= number < low_dp) or (field == plan[2] and 0 <= number < low_gq):
                code = ABSENT << 4 if code >> 4 == ABSENT else 0
        if letter == _TAB:
            return code, k, mark
        field, begin, values = field + 1, place + 1, 1
    return code, -1, 0


@njit(cache=True, nogil=True)
def _is_whole(buf, at, end):  # type: ignore[no-untyped-def]
    """Whether buf[at:end] is whole numbers or dots between commas."""
    begin = at
    for i in range(at, end + 1):
        if i == end or buf[i] == _COMMA:
            if i == begin:
                return False
            begin = i + 1
        elif buf[i] == _DOT:
            if i != begin or (i + 1 < end and buf[i + 1] != _COMMA):
                return False
        elif not (48 <= buf[i] <= 57 or (buf[i] == 45 and i == begin)):
            return False
    return True


@njit(cache=True, nogil=True)
def decode_genotypes(  # type: ignore[no-untyped-def]
    buf, table, first, last, samples, formats, plans, whole, numbers, low_dp, low_gq, codes, marks
):
    """Codes of everybody at lines first..last-1 of a table that `cut_lines` wrote; a line with a mark has none to rely on.

    formats: for each line, which plan its FORMAT has; plans, whole, numbers: see `_all_fields`, one row a plan.
    codes: (lines x samples and more) uint8; marks: for each line 0, or BAD_GENOTYPES, WIDE, ODD_VALUES added up.
    """
    room = max(1, np.max(table[first:last, _END] - table[first:last, _SAMPLES])) + 1
    places, kinds = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.uint8)
    letters = np.empty(64, dtype=np.uint8)
    for line in range(first, last):
        out = line - first
        at, end, alts = table[line, _SAMPLES], table[line, _END], table[line, _ALTS]
        plan = formats[line]
        if plans[plan, 0] != 1:
            marks[out] = _all_fields(
                buf,
                at,
                end,
                samples,
                alts,
                plans[plan],
                whole[plan],
                numbers[plan],
                low_dp,
                low_gq,
                places,
                kinds,
                letters,
                codes[out],
            )
        elif end - at == 4 * samples - 1 and _four_letters(buf, at, samples, alts, codes[out]):
            marks[out] = 0
        else:
            marks[out] = _only_genotypes(buf, at, end, samples, alts, codes[out])
