"""A record as a line of a VCF: the columns of genotypes come from a table, no person is looked at in Python."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.variants.export.header import Header, csq, id_text, public_id, qual_text
from nhsgen.variants.export.joining import ABSENT, NOT_CALLED, Allele, Pairs, Record

__all__ = ["beginning", "claimed", "column_names", "fixed_columns", "info_text", "lines"]

_FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")


def column_names(samples: Sequence[str]) -> str:
    """The line above the records.

    >>> column_names(["S1"]).split("\\t")[-2:]
    ['FORMAT', 'S1']
    """
    return "\t".join([*_FIXED, *(["FORMAT", *samples] if samples else [])])


def beginning(header: Header, samples: Sequence[str]) -> bytes:
    """What stands before the records."""
    return "\n".join([*header.lines(genotypes=bool(samples)), column_names(samples), ""]).encode()


def lines(records: Iterable[Record], header: Header, *, cohort: bool) -> Iterator[bytes]:
    """The lines of the records; what they need said is said in `header`.

    cohort: only public ids are written, and AC and AN are those of the genotypes that are written; else ids are written as they
        are kept, and AC and AN as the source claims them.
    """
    for record in records:
        notes = csq(record.alleles)
        header.meet(record.alleles, bool(notes))
        ac, an = (record.ac, record.an) if cohort else claimed(record.alleles)
        start = "\t".join(fixed_columns(record.alleles, cohort, info_text(record.alleles[0], ac, an, notes)))
        if not len(record.calls):
            yield f"{start}\n".encode()
            continue
        cells, is_short = _cells(record.pairs)
        people = cells[record.calls].tobytes()
        # A genotype shorter than the table is wide ends in NULs.
        if record.tally[is_short].any():
            people = people.translate(None, b"\0")
        yield b"".join((start.encode(), b"\tGT", people, b"\n"))


@lru_cache(maxsize=64)
def _cells(pairs: Pairs) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The text of each genotype with the tab before it, all of one width; and which are shorter than that."""
    texts = [_text(*pair).encode() for pair in pairs.table.tolist()]
    width = max(map(len, texts))
    width = next((whole for whole in (4, 8) if width <= whole), width)
    cells = np.array(texts, dtype=f"S{width}")
    # numpy moves numbers faster than texts of the same width.
    return cells.view(f"u{width}") if width in {4, 8} else cells, np.array([len(text) < width for text in texts])


def _text(first: int, second: int) -> str:
    """
    >>> _text(0, 1), _text(NOT_CALLED, 1), _text(1, ABSENT)
    ('\\t0/1', '\\t./1', '\\t1')
    """
    one, other = ("." if allele == NOT_CALLED else str(allele) for allele in (first, second))
    return f"\t{one}" if second == ABSENT else f"\t{one}/{other}"


def claimed(alleles: Sequence[Allele]) -> tuple[tuple[int | None, ...], int | None]:
    """AC of each allele and AN, as the source claims them."""
    return tuple(allele.info_ac for allele in alleles), alleles[0].info_an


def fixed_columns(alleles: Sequence[Allele], cohort: bool, info: str) -> tuple[str, ...]:
    """The eight columns before the genotypes."""
    first = alleles[0]
    return (
        first.chrom,
        str(first.pos),
        id_text([public_id(allele.id) if cohort else allele.id for allele in alleles]),
        first.ref,
        ",".join(allele.alt for allele in alleles),
        qual_text(first.qual),
        first.filter or ".",
        info,
    )


def info_text(first: Allele, ac: Sequence[int | None], an: int | None, notes: str | None) -> str:
    """The INFO column; END where it is not simply the last base of REF."""
    parts = {
        "AC": ",".join("." if count is None else str(count) for count in ac) if set(ac) - {None} else None,
        "AN": an,
        "END": first.end if first.end != first.pos + len(first.ref) - 1 else None,
        "CSQ": notes,
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value is not None) or "."
