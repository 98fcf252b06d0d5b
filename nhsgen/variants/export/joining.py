"""From the store's rows, one an allele, back to records: the alleles of one source record together, and everybody's genotype.

A store keeps a row for each ALT, and in each row a person's state says only how many copies of that ALT there are. The rows of
one record, taken together, say the genotype: what is neither copy of an ALT is REF. Phase is not in a store, so genotypes come
back unphased, the lower allele first ("0/1", "./1").

An ALT that only stands for whatever else there may be (`rows.PLACEHOLDERS`) has no row: it is put back where the numbers of the
other ALTs leave room for it, and left out of a cohort's file.

When a filter keeps some alleles of a record only, its other rows are read all the same: a person who carries one of them must
not be written as REF. Such an allele becomes "." ("not called").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from itertools import groupby, islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.errors import Tampered
from nhsgen.genome import Region
from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.genotypes import HALF, HAPLOID, MISSING, OTHER
from nhsgen.variants.rows import PLACEHOLDERS
from nhsgen.variants.store import VariantStore

__all__ = ["ABSENT", "NOT_CALLED", "Allele", "Pairs", "Record", "Tally", "alleles", "carried", "records"]

States = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

NOT_CALLED, ABSENT = -1, -2
"""In place of an allele's number: one that was not called, and the second of a person who has one allele only."""

_COPIES = 3
_PLACES_AT_ONCE = 1_000
_REGIONS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Allele:
    """One row of a store: `pos` and `end` 1-based and closed, `states` one byte a sample (see genotypes.py)."""

    chrom: str
    pos: int
    end: int
    ref: str
    alt: str
    id: str | None
    qual: float | None = field(compare=False)
    filter: str | None
    allele: int
    n_alleles: int
    info_ac: int | None
    info_an: int | None
    af: float | None
    clinvar: str | None
    genes: list[dict[str, str | None]]
    states: States = field(compare=False)

    @property
    def place(self) -> tuple[str, int, str]:
        return self.chrom, self.pos, self.ref


_UNKNOWN: States = np.empty(0, dtype=np.uint8)
"""The states of a placeholder, until its record is known."""

_COLUMNS = [part.name for part in fields(Allele) if part.name != "states"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the numbers of genotypes mean.

    table: genotypes x 2: allele numbers (0 is REF, 1 the first ALT), NOT_CALLED, or ABSENT in the second place.
    """

    table: npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Record:
    """One record to be written: the alleles that are written, and the genotypes of the samples.

    calls: the number of each sample's genotype in `pairs`, one for each sample.
    tally: how many samples have each genotype.
    """

    alleles: tuple[Allele, ...]
    calls: npt.NDArray[Any]
    pairs: Pairs
    tally: Ints

    @property
    def an(self) -> int:
        """Alleles called in the genotypes as they are written."""
        return int(self.tally @ (self.pairs.table >= 0).sum(axis=1))

    @property
    def ac(self) -> tuple[int, ...]:
        """Copies of each allele in the genotypes as they are written."""
        return tuple(int(self.tally @ (self.pairs.table == n).sum(axis=1)) for n in range(1, len(self.alleles) + 1))


@dataclass
class Tally:
    """What was written so far, growing.

    absent: alleles that match and that none of the chosen samples carries; they are not written.
    not_called: genotypes that lost an allele, because a filter leaves that allele out or the form cannot say it.
    """

    records: int = 0
    alleles: int = 0
    absent: int = 0
    not_called: int = 0


def alleles(store: VariantStore, filter: VariantFilter, samples: Mask | None) -> Iterator[Allele]:
    """The store's rows that match, in its order, with the states of the chosen samples."""
    for frame, states in store.genotypes(filter, samples):
        # Choosing samples can leave the rows lying column by column; each row is walked many times.
        whole = np.ascontiguousarray(states)
        for row, mine in zip(frame.select(_COLUMNS).iter_rows(), whole, strict=True):
            yield Allele(*(*row, mine))


def records(store: VariantStore, filter: VariantFilter, samples: Mask | None, tally: Tally) -> Iterator[Record]:
    """The matching alleles, those of one source record together, in the store's order.

    samples: a cohort; alleles that none of them carries, and records without any other, are left out. None: all samples, and
        alleles that nobody carries stay.
    Tampered when the rows of a record contradict each other.
    """
    places = ([*group] for _, group in groupby(alleles(store, filter, samples), key=lambda allele: allele.place))
    # Regions and FILTER hold of a whole record or of none of it.
    whole = replace(filter, regions=(), filters=()) == VariantFilter()
    for here, asked in ((here, here) for here in places) if whole else _with_sisters(store, places, samples):
        for joined in _joined_at(here):
            matching = [any(allele is one for one in asked) for allele in joined]
            kept = [
                matches and (samples is None or carried(allele))
                for matches, allele in zip(matching, joined, strict=True)
            ]
            tally.absent += sum(matching) - sum(kept)
            if not any(kept):
                continue
            if whole and samples is None:
                kept = [True] * len(joined)
            record = _alone(joined[0]) if len(joined) == 1 else _together(joined, kept, tally)
            tally.records += 1
            tally.alleles += sum(matches and stays for matches, stays in zip(matching, kept, strict=True))
            yield record


def carried(allele: Allele) -> bool:
    """Whether any of the samples has a copy."""
    copies = allele.states & _COPIES
    return bool(((copies == 1) | (copies == 2)).any())


# -- The alleles that a filter leaves out of a record -------------------------------------------------------------------


def _with_sisters(
    store: VariantStore, places: Iterator[list[Allele]], samples: Mask | None
) -> Iterator[tuple[list[Allele], list[Allele]]]:
    """At each place all rows that share a record with a match, and those of them that match."""
    while some := list(islice(places, _PLACES_AT_ONCE)):
        wanted = {matching[0].place for matching in some if any(allele.n_alleles > 1 for allele in matching)}
        found: dict[tuple[str, int, str], list[Allele]] = {place: [] for place in wanted}
        for allele in _at(store, [matching[0].place for matching in some if matching[0].place in wanted], samples):
            if allele.place in found:
                found[allele.place].append(allele)
        for matching in some:
            here = found.get(matching[0].place, matching)
            asked = [allele for allele in here if allele in matching]
            if len(asked) != len(matching):
                raise _contradiction(matching[0], "its alleles are not found again")
            mine = {_record_of(allele) for allele in asked}
            yield [allele for allele in here if _record_of(allele) in mine], asked


def _at(store: VariantStore, places: Sequence[tuple[str, int, str]], samples: Mask | None) -> Iterator[Allele]:
    """All rows at these places and some more between them, so that the store is asked once and few things."""
    if not places:
        return iter(())
    # 1-based and closed -> 0-based and half-open. Nothing is left of base 1, where telomeres stand: then read all there is.
    if any(pos == 0 for _, pos, _ in places):
        return alleles(store, VariantFilter(), samples)
    gaps = [np.inf if one[0] != other[0] else other[1] - one[1] for one, other in pairwise(places)]
    widest = np.argsort(gaps, kind="stable")[::-1][: max(_REGIONS_AT_ONCE - 1, gaps.count(np.inf))]
    begins = [0, *(int(gap) + 1 for gap in np.sort(widest))]
    regions = tuple(
        Region(places[begin][0], places[begin][1] - 1, places[end - 1][1])
        for begin, end in pairwise([*begins, len(places)])
    )
    return alleles(store, VariantFilter(regions=regions), samples)


# -- Which rows were one record -----------------------------------------------------------------------------------------


def _record_of(allele: Allele) -> tuple[Any, ...]:
    """What all alleles of one record share; two records at one place may share it too. (A QUAL that is no number is not itself.)"""
    return allele.n_alleles, allele.end, allele.filter, str(allele.qual), allele.info_an


def _joined_at(here: Sequence[Allele]) -> Iterator[list[Allele]]:
    """The records at one place, each as its alleles by number, in the order of their first rows."""
    if len(here) == 1 and here[0].n_alleles == 1:
        yield [*here]
        return
    found: list[list[Allele]] = []
    shared: dict[tuple[Any, ...], list[Allele]] = {}
    for allele in here:
        shared.setdefault(_record_of(allele), []).append(allele)
    for rows in shared.values():
        count = rows[0].n_alleles
        if count == 1:
            found += [[row] for row in rows]
            continue
        numbered = [[row for row in rows if row.allele == number] for number in range(1, count + 1)]
        joined = _joined(_padded(numbered)) if len(rows) == sum(map(len, numbered)) else None
        if joined is None:
            raise _contradiction(rows[0], "the rows of its alleles contradict each other")
        found += [_named(record) for record in joined]
    order = {id(allele): number for number, allele in enumerate(here)}
    yield from sorted(found, key=lambda record: min(order.get(id(allele), len(here)) for allele in record))


def _contradiction(allele: Allele, found: str) -> Tampered:
    return Tampered(
        f"exporting the record at {allele.chrom}:{allele.pos}", found, "verify the store, and ingest the variants again"
    )


def _padded(numbered: Sequence[Sequence[Allele]]) -> list[list[Allele]]:
    """The same with a placeholder wherever an allele has no row: as many rows of each number as there are records."""
    most = max(numbered, key=len)
    return [
        [*rows, *(replace(most[0], allele=number, alt="", states=_UNKNOWN) for _ in range(len(most) - len(rows)))]
        for number, rows in enumerate(numbered, 1)
    ]


def _joined(numbered: Sequence[Sequence[Allele]]) -> list[list[Allele]] | None:
    """One allele of each number to a record until none is left; None where they do not fit.

    Nearly always there is one of each. Where two records of one place share all that the store says of records, their genotypes
    tell; and where even those fit both ways, the rows that come back are the same both ways.
    """
    if not numbered[0]:
        return []
    for record in _extended([numbered[0][0]], numbered[1:]):
        rest = _joined([[row for row in rows if not any(row is one for one in record)] for rows in numbered])
        if rest is not None:
            return [record, *rest]
    return None


def _extended(begun: list[Allele], numbered: Sequence[Sequence[Allele]]) -> Iterator[list[Allele]]:
    if not numbered:
        if _fit(begun, whole=True):
            yield begun
        return
    for row in numbered[0]:
        further = [*begun, row]
        # With one row of each number there is nothing to choose: they are looked at once, at the end.
        if len(numbered[0]) == 1 or _fit(further, whole=False):
            yield from _extended(further, numbered[1:])


def _fit(record: Sequence[Allele], whole: bool) -> bool:
    """Whether these may be alleles of one record; whole: whether they may be all of them."""
    rows = [row for row in record if row.states is not _UNKNOWN]
    if not rows:
        return not whole
    ids = {row.id for row in rows}
    if len({row.alt for row in rows}) != len(rows) or (len(ids) > 1 and any(not id or ";" in id for id in ids)):
        return False
    states = np.stack([row.states for row in rows])
    kinds, called = states & (HALF | HAPLOID), (states & _COPIES) != MISSING
    copies = np.where(called, states & _COPIES, 0)
    total = copies.sum(axis=0)
    must = called & (kinds == 0) & (copies == 0) & (total > 0)
    is_other = (states & OTHER) != 0
    alone = len(rows) == len(record) and whole
    return len(record) - len(rows) <= len(PLACEHOLDERS) and not (
        (called != called[0]).any()
        or ((kinds != kinds[0]) & called).any()
        or (total > np.where(kinds[0], 1, 2)).any()
        or (must & ~is_other).any()
        or (alone and (is_other & ~must).any())
    )


def _named(record: list[Allele]) -> list[Allele]:
    """The record with its placeholders under their names, and with the people who carry one.

    Who has two alleles called, not both REF and none of these, has a placeholder once or twice: twice says the same of all others.
    """
    rows = [row for row in record if row.states is not _UNKNOWN]
    if len(rows) == len(record):
        return record
    ids, names = {row.id for row in rows}, iter(PLACEHOLDERS)
    states = np.stack([row.states for row in rows])
    is_carried = ((states & OTHER) != 0).all(axis=0)
    blank = np.where((states[0] & _COPIES) == MISSING, states[0], states[0] & (HALF | HAPLOID)).astype(np.uint8)
    mine = replace(
        rows[0], id=ids.pop() if len(ids) == 1 else None, info_ac=None, af=None, clinvar=None, genes=[],
        states=np.where(is_carried, np.uint8(2), blank),
    )  # fmt: skip
    first = [number for number, row in enumerate(record) if row.states is _UNKNOWN][:1]
    nobody = replace(mine, states=blank)
    return [
        row if row.states is not _UNKNOWN
        else replace(mine if number in first else nobody, allele=number + 1, alt=next(names))
        for number, row in enumerate(record)
    ]  # fmt: skip


# -- Genotypes ----------------------------------------------------------------------------------------------------------

_STATES: dict[int, tuple[int, int]] = {
    0: (0, 0), 1: (0, 1), 2: (1, 1), MISSING: (NOT_CALLED, NOT_CALLED),
    HALF: (NOT_CALLED, 0), HALF | 1: (NOT_CALLED, 1),
    HAPLOID: (0, ABSENT), HAPLOID | 1: (1, ABSENT), HAPLOID | MISSING: (NOT_CALLED, ABSENT),
}  # fmt: skip
"""What each state means where there is one ALT."""

_ALONE = Pairs(np.array([_STATES.get(state, (NOT_CALLED, ABSENT)) for state in range(32)], dtype=np.int16))
_NOT_ALONE = np.array([state not in _STATES for state in range(32)])


def _alone(allele: Allele) -> Record:
    """The record of one ALT: its states are the numbers of its genotypes."""
    tally = np.bincount(allele.states, minlength=32)
    if len(tally) > 32 or tally[_NOT_ALONE].any():
        raise _contradiction(allele, "a genotype names another allele than its only one")
    return Record((allele,), allele.states, _ALONE, tally)


@lru_cache(maxsize=64)
def _pairs(count: int) -> Pairs:
    """The genotypes of a record of `count` ALTs, by number: (first + 1) * (count + 3) + second + 2.

    >>> _pairs(1).table[(0 + 1) * 4 + 1 + 2].tolist()
    [0, 1]
    """
    first, second = np.divmod(np.arange((count + 2) * (count + 3)), count + 3)
    return Pairs(np.stack([first - 1, second - 2], axis=1).astype(np.int16))


def _together(joined: Sequence[Allele], kept: Sequence[bool], tally: Tally) -> Record:
    """The record of several ALTs, of which those that are `kept` are written."""
    written = tuple(allele for allele, stays in zip(joined, kept, strict=True) if stays)
    count = len(written)
    numbers = np.where(kept, np.cumsum(kept), NOT_CALLED)
    states = np.stack([allele.states for allele in joined])
    missing = (states[0] & _COPIES) == MISSING
    carries = ((states & _COPIES) != 0) & ~missing
    tally.not_called += int(carries[~np.array(kept)].any(axis=0).sum())
    total = np.where(missing, 0, (states & _COPIES).sum(axis=0))
    # The first and the last ALT that somebody carries; REF for who carries none.
    lowest = np.where(total > 0, numbers[carries.argmax(axis=0)], 0)
    highest = np.where(total > 0, numbers[len(joined) - 1 - carries[::-1].argmax(axis=0)], 0)
    one, half = (states[0] & HAPLOID) != 0, (states[0] & HALF) != 0
    first = np.where(half, NOT_CALLED, np.where(total == 2, lowest, 0))
    second = highest
    first, second = np.minimum(first, second), np.maximum(first, second)
    first = np.where(missing, NOT_CALLED, np.where(one, highest, first))
    second = np.where(one, ABSENT, np.where(missing, NOT_CALLED, second))
    calls = ((first + 1) * (count + 3) + second + 2).astype(np.min_scalar_type((count + 2) * (count + 3)))
    pairs = _pairs(count)
    return Record(written, calls, pairs, np.bincount(calls, minlength=len(pairs.table)))
