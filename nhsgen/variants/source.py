"""The record of the source file behind an allele, through pysam: phase, DP, GQ, AD, PS and whatever else no store keeps.

A store knows where in its source each row group came from, so that the file's own index is never opened. The source stays the
truth: it is hashed before it is believed, once in a process. What is read here is row-level, and stays inside the site's wall.
"""

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pysam

from nhsgen import durable
from nhsgen.errors import BadFile, BadInput, NotFound
from nhsgen.genome import chromosome, chromosome_order
from nhsgen.variants.filters import VariantFilter
from nhsgen.variants.htslib import quiet_htslib
from nhsgen.variants.store import VariantStore
from nhsgen.variants.streams import Packing, Place, blocks, packing_of

__all__ = ["source_records"]

_TRIED = "looking up source records"


def source_records(store: VariantStore, filter: VariantFilter, source: str | Path) -> Iterator[pysam.VariantRecord]:
    """The records of the file `source` that the matching alleles came from, as pysam gives them, each once.

    source: one of the files that the store was made of, wherever it is now. `record.pos` is 1-based, `record.start` 0-based.
    NotFound when it is not there; BadInput when the store was not made of it, or it changed since.
    """
    path = Path(source)
    if not path.is_file():
        raise NotFound(_TRIED, "there is no such file", "check the path", file=path.name)
    number = _which(store, path)
    with tempfile.TemporaryDirectory() as folder, quiet_htslib():
        alone, packing = Path(folder, "source"), packing_of(path)
        if packing is Packing.GZIP:  # pysam reads no plain gzip
            with alone.open("wb") as copy:
                copy.writelines(data for _, data in blocks(path, packing))
        else:  # by another name: given its own, pysam would open the index that stands beside it
            alone.symlink_to(path.resolve())
        try:
            for place, wanted in store.source_places(filter, number):
                with pysam.VariantFile(str(alone)) as file:
                    yield from _found(file, _offset(packing, place), wanted)
        except (OSError, ValueError, UnicodeDecodeError) as error:
            raise BadFile(
                _TRIED, "pysam cannot read its records", "ingest it again to see why", file=path.name
            ) from error


def _found(
    file: pysam.VariantFile, offset: int | None, wanted: set[tuple[str, int, str]]
) -> Iterator[pysam.VariantRecord]:
    """The wanted (chrom, pos, ref), from an offset on; from the beginning of the file, in no order, where there is none."""
    last = max((chromosome_order(chrom), pos) for chrom, pos, _ in wanted)
    chroms, begun = {chrom for chrom, _, _ in wanted}, False
    if offset is not None:
        file.seek(offset)
    for record in file:
        place = chromosome(record.chrom), record.pos
        begun |= place[0] in chroms
        if offset is not None and begun and (place[0] not in chroms or (chromosome_order(place[0]), place[1]) > last):
            return
        if (*place, str(record.ref).upper()) in wanted:
            yield record


def _offset(packing: Packing, place: Place | None) -> int | None:
    """A place as htslib counts: in a bgzip file a virtual offset, in a plain one a byte."""
    if place is None or packing is Packing.GZIP:
        return None
    return place[0] << 16 | place[1] if packing is Packing.BGZF else sum(place)


def _which(store: VariantStore, path: Path) -> int:
    status = path.stat()
    sources = [source["sha256"] for source in store.info()["sources"]]
    found = _hash(path, status.st_ino, status.st_size, status.st_mtime_ns)
    if found not in sources:
        raise BadInput(
            _TRIED,
            "the store was not made of it, or it changed since",
            "give the file that was ingested",
            file=path.name,
        )
    return sources.index(found)


@lru_cache(maxsize=64)
def _hash(path: Path, inode: int, size: int, changed_ns: int) -> str:
    return durable.hash_of(path)
