"""PLINK 2's three files: .pgen (genotypes), .pvar (alleles) and .psam (samples), through pgenlib, which an extra installs.

A record of several ALTs is written as one variant for each ALT, in which "no copy of it" is all that 0 says. What a hard call
cannot say is missing: a half-call (./1), and somebody without a copy of this ALT who carries another ALT of the record. A person
with one copy of this ALT is a heterozygote, whatever the other allele is.

Somebody with one allele (X and Y of men, mitochondria) is written as homozygous for it, as PLINK expects. Whose chromosomes those
are it learns from SEX in the .psam, which says NA here, for a store does not know: PLINK 2 then counts people on X as diploid,
takes MT as haploid, and leaves Y out; with SEX filled in (--update-sex), it counts X and Y of men as haploid.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nhsgen.errors import BadInput, MissingExtra, StorageFailed
from nhsgen.variants.export.files import append_file, body_of, write
from nhsgen.variants.export.header import Header, csq
from nhsgen.variants.export.joining import Allele, Tally
from nhsgen.variants.export.vcf import fixed_columns, info_text
from nhsgen.variants.genotypes import HALF, HAPLOID, MISSING, OTHER

__all__ = ["pgenlib", "write_pgen"]

_NOTHING = -9
_CODES: dict[int, int] = {
    0: 0, 1: 1, 2: 2, MISSING: _NOTHING, HALF: _NOTHING, HALF | 1: _NOTHING, OTHER: _NOTHING,
    HAPLOID: 0, HAPLOID | 1: 2, HAPLOID | MISSING: _NOTHING,
}  # fmt: skip
"""How PLINK writes each state: copies of the ALT, or nothing called."""
_TABLE = np.array([_CODES.get(state, _NOTHING) for state in range(256)], dtype=np.int8)
_LOST = (HALF, HALF | 1, OTHER)

_AT_ONCE = 256
_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def pgenlib() -> Any:
    """The library that writes .pgen; MissingExtra where it is not installed."""
    try:
        return import_module("pgenlib")
    except ImportError as error:
        raise MissingExtra("a .pgen file", "pgen") from error


def write_pgen(
    target: Path,
    alleles: Iterable[Allele],
    count: int,
    header: Header,
    samples: Sequence[str],
    *,
    cohort: bool,
    tally: Tally,
) -> tuple[Path, Path, Path]:
    """Write the alleles, `count` of them, at `target` (.pgen) and beside it; the .psam, the .pvar and the .pgen."""
    pvar, psam = target.with_suffix(".pvar"), target.with_suffix(".psam")
    body = body_of(pvar)
    if not count or not samples:
        found = "no allele is left to write" if samples else "the store has no samples"
        raise BadInput(
            f"writing {target.name}", f"{found}, and a .pgen cannot be empty", "write .vcf.gz, or choose others"
        )
    if any(name == "0" or name.startswith("#") or name.split() != [name] for name in samples):
        raise BadInput(
            f"writing {target.name}", "the name of a sample is 0, begins with # or has a blank in it, which PLINK takes otherwise",
            "give other names with rename",
        )  # fmt: skip
    with _Writer(target, len(samples), count) as writer:
        write(body, (_part(writer, some, header, cohort, tally) for some in _batches(alleles)))
    beginning = [*header.lines(genotypes=False), _COLUMNS]
    write(pvar, ["\n".join(beginning).encode()])
    append_file(pvar, body)
    write(psam, [b"#IID\tSEX\n", *(f"{name}\tNA\n".encode() for name in samples)])
    return psam, pvar, target


def _batches(alleles: Iterable[Allele]) -> Iterator[list[Allele]]:
    stream = iter(alleles)
    while some := list(islice(stream, _AT_ONCE)):
        yield some


def _part(writer: "_Writer", some: Sequence[Allele], header: Header, cohort: bool, tally: Tally) -> bytes:
    """Hand the genotypes of some alleles to pgenlib; their lines of the .pvar."""
    states: npt.NDArray[np.uint8] = np.stack([allele.states for allele in some])
    writer.append(_TABLE[states])
    tally.not_called += int(np.isin(states, _LOST).sum())
    tally.records += len(some)
    tally.alleles += len(some)
    text = []
    for allele in some:
        notes = csq([allele])
        header.meet([allele], bool(notes))
        text.append("\t".join(fixed_columns([allele], cohort, info_text(allele, [None], None, notes))) + "\n")
    return "".join(text).encode()


class _Writer:
    """pgenlib's writer of the .pgen at `target`; StorageFailed for the numbers by which it tells what the disk says."""

    def __init__(self, target: Path, samples: int, count: int) -> None:
        self._name = target.name
        try:
            self._writer = pgenlib().PgenWriter(bytes(target), samples, variant_ct=count, nonref_flags=False)
        except RuntimeError as error:
            raise self._failed() from error

    def append(self, codes: npt.NDArray[np.int8]) -> None:
        """Add variants x samples."""
        try:
            self._writer.append_biallelic_batch(codes)
        except RuntimeError as error:
            raise self._failed() from error

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._writer.close()
        except RuntimeError as error:
            kind = RuntimeError
            raise self._failed() from error
        finally:
            if kind is not None:
                self._forget()

    def _forget(self) -> None:
        # Forgotten unfinished, it tries once more to finish, and complains to the terminal, where nobody can help it.
        complains, sys.unraisablehook = sys.unraisablehook, lambda _: None
        self._writer = None
        sys.unraisablehook = complains

    def _failed(self) -> StorageFailed:
        return StorageFailed(
            f"writing {self._name}", "pgenlib could not write it", "see that there is room left, and run it again"
        )
