"""A store's alleles as a file that other tools read: VCF, BCF, or PLINK 2's .pgen; for an analyst, or for an approved lab.

joining   rows, one an allele, back to records with everybody's genotype
header    what the file says of itself, from an allow-list; the texts of ID, QUAL, FILTER and CSQ
vcf       a record as a line
bcf       a record as BCF's bytes
pgen      .pgen, .pvar and .psam
files     bgzip's blocks, the index, and names given whole or not at all

Read again by `ingest`, a VCF or BCF of a whole store gives the same store: the same alleles, annotation and genotypes. Not kept
is what a store does not hold: phase, FORMAT fields other than GT, INFO fields other than AC, AN, END and the annotation; and the
stretches of a gVCF in which people are homozygous reference.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nhsgen import durable
from nhsgen.errors import BadInput
from nhsgen.progress import track
from nhsgen.settings import Settings
from nhsgen.variants.export import bcf, vcf
from nhsgen.variants.export.files import BGZF_END, append_file, bgzip, body_of, index, publish, taken, write
from nhsgen.variants.export.header import Header
from nhsgen.variants.export.joining import Allele, Tally, alleles, carried, records
from nhsgen.variants.export.pgen import pgenlib, write_pgen
from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.store import VariantStore

__all__ = ["export"]

Mask = npt.NDArray[np.bool_]
_EVERYTHING = VariantFilter()
_SETTINGS = Settings()


@dataclass(frozen=True)
class _Form:
    """A form that can be written.

    beside: how the names of the files that belong to it end: behind the whole name, or instead of the suffix.
    bgzipped: in BGZF blocks, and with an index.
    """

    suffix: str
    beside: tuple[str, ...] = ()
    bgzipped: bool = False

    def place(self, target: Path) -> list[Path]:
        """Where its files will stand; the one that was asked for last."""
        whole = target.name if self.bgzipped else target.name.removesuffix(self.suffix)
        return [*(target.with_name(whole + ending) for ending in self.beside), target]


_FORMS = (
    _Form(".vcf"),
    _Form(".vcf.gz", (".csi",), bgzipped=True),
    _Form(".bcf", (".csi",), bgzipped=True),
    _Form(".pgen", (".psam", ".pvar")),
)


@dataclass(frozen=True)
class _Asked:
    """What is to be written; `samples` None for all, when nobody chose; `names` the names that the samples get."""

    store: VariantStore
    filter: VariantFilter
    samples: Mask | None
    names: tuple[str, ...]
    settings: Settings

    @property
    def cohort(self) -> bool:
        return self.samples is not None


def export(
    store: VariantStore,
    out: str | Path,
    *,
    filter: VariantFilter = _EVERYTHING,
    samples: Mask | Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    settings: Settings = _SETTINGS,
) -> dict[str, int]:
    """Write a store's alleles and genotypes to `out`, in the form that its suffix says: .vcf, .vcf.gz, .bcf or .pgen.

    samples: the cohort, by name or as one truth for each sample of the store. Then the file says nothing of anybody else:
        alleles that nobody of the cohort carries are left out, AC and AN are counted in the cohort, and of ids only those of
        public registers (rs, COSV, COSM) stay. QUAL and FILTER stay as the source's caller gave them. None: everybody, and
        alleles that nobody carries, ids, AC and AN as they are kept.
    rename: the new name of every chosen sample.
    settings: its `threads` says how many cores may compress.

    The header is made anew (see header.py). Alleles of one source record are one record again (.pgen: one each); somebody who
    carries an allele of it that `filter` leaves out has "." for that allele, never REF. Beside .vcf.gz and .bcf an index (.csi)
    is written, beside .pgen the .pvar and the .psam. Whatever happens, no part of a file appears under its name.

    What was written: `records`, `alleles`, `samples`; `absent`: matching alleles that nobody of the cohort carries; `not_called`:
    genotypes that lost an allele, to `filter` or because a .pgen cannot say it (see pgen.py).

    BadInput for a suffix, names or records that cannot be written, NotAllowed when a file is there, MissingExtra for .pgen
    without pgenlib, StorageFailed when the disk is full, Tampered when the store contradicts itself.
    """
    target = Path(out)
    form = _form(target)
    asked = _asked(store, filter, samples, rename, settings)
    for place in form.place(target):
        if place.exists():
            raise taken(place)
    tally = Tally()
    with durable.building(target.parent) as room:
        written = _written(form, room / target.name, asked, tally)
        publish(written, target.parent)
    return {"samples": len(asked.names), **asdict(tally)}


def _form(target: Path) -> _Form:
    for form in _FORMS:
        if target.name.endswith(form.suffix) and target.name != form.suffix:
            return form
    raise BadInput(
        f"exporting variants to {target.name}",
        f"'{target.suffix}' is not a form we write",
        f"use {', '.join(form.suffix for form in _FORMS)}",
    )


def _asked(
    store: VariantStore,
    filter: VariantFilter,
    samples: Mask | Sequence[str] | None,
    rename: Mapping[str, str] | None,
    settings: Settings,
) -> _Asked:
    mask = None if samples is None else store.mask(samples)
    if mask is not None and not mask.any():
        raise BadInput("exporting a cohort", "nobody of it is in the store", "choose samples that the store has")
    chosen = [name for name, is_in in zip(store.samples, store.mask(samples), strict=True) if is_in]
    if rename is None:
        return _Asked(store, filter, mask, tuple(chosen), settings)
    unnamed = sum(name not in rename for name in chosen)
    if unnamed:
        raise BadInput("renaming samples", f"{unnamed:,} of them have no new name", "give every sample one")
    names = tuple(rename[name] for name in chosen)
    if len(set(names)) != len(names):
        raise BadInput("renaming samples", "two of them get the same name", "give every sample a name of its own")
    if any(not name.strip() or re.search(r"[\x00-\x1f\x7f]", name) for name in names):
        raise BadInput("renaming samples", "a new name is empty or has a tab or line break in it", "give another")
    return _Asked(store, filter, mask, names, settings)


# -- Writing ------------------------------------------------------------------------------------------------------------


def _written(form: _Form, path: Path, asked: _Asked, tally: Tally) -> Sequence[Path]:
    """Write the files of a form at `path` and beside it; all of them, the one that was asked for last."""
    header = Header(asked.store.assembly)
    if form.suffix == ".pgen":
        pgenlib()  # known missing before the alleles are counted
        chosen = track(_kept(asked, tally), f"writing {path.name}")
        return write_pgen(path, chosen, _count(asked), header, asked.names, cohort=asked.cohort, tally=tally)
    encoding = bcf if form.suffix == ".bcf" else vcf
    found = track(records(asked.store, asked.filter, asked.samples, tally), f"writing {path.name}")
    body = encoding.lines(found, header, cohort=asked.cohort)
    # The header says what the records use, so they go first, to a file of their own.
    aside = body_of(path)
    write(aside, bgzip(body, asked.settings) if form.bgzipped else body)
    start = encoding.beginning(header, asked.names)
    write(path, bgzip([start], asked.settings) if form.bgzipped else [start])
    append_file(path, aside)
    if form.bgzipped:
        write(path, [BGZF_END])
    return [*([index(path)] if form.bgzipped else []), path]


def _kept(asked: _Asked, tally: Tally) -> Iterator[Allele]:
    """The alleles of a .pgen, one by one."""
    for allele in alleles(asked.store, asked.filter, asked.samples):
        if not asked.cohort or carried(allele):
            yield allele
        else:
            tally.absent += 1


def _count(asked: _Asked) -> int:
    """How many alleles there will be: a .pgen wants to know before the first."""
    if not asked.cohort:
        return len(asked.store.query(asked.filter, ["pos"]))
    return sum(carried(allele) for allele in alleles(asked.store, asked.filter, asked.samples))
