"""A record as BCF writes it (VCF specification, section 6): genotypes two bytes a person, from a table.

Written here and not through htslib, which would have every genotype as text first.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput
from nhsgen.variants.export.header import Header, csq, id_text, public_id
from nhsgen.variants.export.joining import ABSENT, Pairs, Record
from nhsgen.variants.export.vcf import claimed, column_names

__all__ = ["beginning", "lines"]

_CHARS = 7
_MISSING_QUAL = struct.pack("<I", 0x7F80_0001)
# By bytes a number: its type, the lowest and highest value, "missing" and "there is no more". The lowest eight are reserved.
_INTEGERS = {
    size: (kind, -(1 << bits) + 8, (1 << bits) - 1, -(1 << bits), -(1 << bits) + 1)
    for size, kind, bits in ((1, 1, 7), (2, 2, 15), (4, 3, 31))
}
_PACKED = {1: "b", 2: "h", 4: "i"}


def beginning(header: Header, samples: Sequence[str]) -> bytes:
    """What stands before the records."""
    text = "\n".join([*header.lines(numbered=True), column_names(samples)]).encode() + b"\n\0"
    return b"BCF\2\2" + struct.pack("<I", len(text)) + text


def lines(records: Iterable[Record], header: Header, *, cohort: bool) -> Iterator[bytes]:
    """The bytes of the records; `header` and `cohort` as in `vcf.lines`."""
    for record in records:
        notes = csq(record.alleles)
        header.meet(record.alleles, bool(notes))
        shared, first = _shared(record, header, cohort, notes), record.alleles[0]
        genotypes = b""
        if len(record.calls):
            cells, size = _cells(record.pairs)
            kind = _INTEGERS[size][0]
            genotypes = _integers([header.ids["GT"]]) + bytes([2 << 4 | kind]) + cells[record.calls].tobytes()
        if len(shared) + len(genotypes) + 32 > 2**32 - 1:
            raise _too_large(first.chrom, first.pos)
        yield struct.pack("<2I", len(shared), len(genotypes)) + shared + genotypes


def _shared(record: Record, header: Header, cohort: bool, notes: str | None) -> bytes:
    """All of a record but the genotypes."""
    first = record.alleles[0]
    ac, an = (record.ac, record.an) if cohort else claimed(record.alleles)
    last = first.pos + len(first.ref) - 1
    try:
        info = {
            "AC": _integers(ac) if set(ac) - {None} else None,
            "AN": _integers([an]) if an is not None else None,
            "END": _integers([first.end]) if first.end != last else None,
            "CSQ": _chars(notes) if notes else None,
        }
    except OverflowError as error:
        raise _too_large(first.chrom, first.pos) from error
    present = [(header.ids[name], value) for name, value in info.items() if value is not None]
    ids = id_text([public_id(allele.id) if cohort else allele.id for allele in record.alleles])
    filters = [header.ids[name] for name in first.filter.split(";")] if first.filter else []
    samples = len(record.calls)
    return b"".join(
        (
            # 1-based and closed -> 0-based, and how many bases.
            struct.pack("<3i", header.contigs[first.chrom], first.pos - 1, first.end - first.pos + 1),
            _MISSING_QUAL if first.qual is None else struct.pack("<f", first.qual),
            struct.pack("<2H", len(present), len(record.alleles) + 1),
            struct.pack("<I", bool(samples) << 24 | samples),
            _chars(ids) if ids != "." else _typed(_CHARS, 0),
            _chars(first.ref),
            *(_chars(allele.alt) for allele in record.alleles),
            _integers(filters) if filters else _typed(0, 0),
            *(_integers([key]) + value for key, value in present),
        )
    )


def _too_large(chrom: str, pos: int) -> BadInput:
    return BadInput(
        f"exporting the record at {chrom}:{pos}", "a number in it is larger than BCF can hold", "write .vcf.gz instead"
    )


def _typed(kind: int, count: int) -> bytes:
    """What says how many values of which kind follow."""
    return bytes([count << 4 | kind]) if count < 15 else bytes([15 << 4 | kind]) + _integers([count])


def _chars(text: str) -> bytes:
    data = text.encode()
    return _typed(_CHARS, len(data)) + data


def _integers(values: Sequence[int | None]) -> bytes:
    """Typed integers, in the fewest bytes that hold them all; None is a missing one. OverflowError beyond 32 bits.

    >>> _integers([1, None]).hex(), _integers([300]).hex()
    ('210180', '122c01')
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0), max(known, default=0)
    for size, (kind, lowest, highest, missing, _) in _INTEGERS.items():
        if lowest <= low and high <= highest:
            filled = (missing if value is None else value for value in values)
            return _typed(kind, len(values)) + struct.pack(f"<{len(values)}{_PACKED[size]}", *filled)
    raise OverflowError("beyond 32 bits")


@lru_cache(maxsize=64)
def _cells(pairs: Pairs) -> tuple[npt.NDArray[Any], int]:
    """Each genotype as two numbers of so many bytes: twice the allele's number plus one, 0 for one that was not called."""
    coded = (pairs.table.astype(np.int64) + 1) * 2
    size = next(size for size, (_, _, highest, _, _) in _INTEGERS.items() if coded.max() <= highest)
    coded[pairs.table == ABSENT] = _INTEGERS[size][4]
    return np.ascontiguousarray(coded.astype(f"<i{size}")).view(f"<u{2 * size}")[:, 0], size
