"""The three extracts, as the hospitals would hand them in: de-identified tables, an annotated variant file each, and one of tumours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from nhsgen.demo import genotypes as drawing
from nhsgen.demo import tumours as tumours_of
from nhsgen.demo.identities import name_people
from nhsgen.demo.people import SITES, assemble, generalise
from nhsgen.demo.records import write_records
from nhsgen.demo.signals import choose_carriers, choose_diseased
from nhsgen.demo.tables_hes import hes_tables
from nhsgen.demo.tables_omop import omop_tables
from nhsgen.demo.variant_files import annotations, low_quality, write_variants
from nhsgen.progress import track

__all__ = ["DemoExtract", "write_extracts"]

VARIANT_FILE = "small_variants.vcf.gz"
TUMOUR_FILE = "somatic_variants.vcf.gz"


@dataclass(frozen=True)
class DemoExtract:
    """One site's extract: where it lies, the short names of the contracts it keeps, the site's disclosure policy."""

    site: str
    folder: Path
    contracts: tuple[str, ...]
    policy: str


def write_extracts(out: Path, seed: int = 20261123) -> tuple[DemoExtract, ...]:
    """Write a folder a site under `out`; the same seed writes the same bytes."""
    # A stream of random numbers a step, so that a change in one step leaves the others as they are.
    who, families, alleles, ill, happened, files, acquired = (
        np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(7)
    )
    people = assemble(families)
    carried = choose_carriers(people, who)
    genotypes = drawing.draw(people, carried, alleles)
    having = choose_diseased(people, carried, genotypes.broken(), ill)
    label, birth_year = generalise(people)
    records = write_records(people, birth_year, genotypes, carried, having, happened)
    csq, low = annotations(genotypes), low_quality(genotypes, files)
    tumours = tumours_of.draw(people, records, acquired)
    written = []
    for number, site in track(list(enumerate(SITES)), "writing extracts"):
        folder = out / site.name
        folder.mkdir(parents=True)
        ids = name_people(people, number, files)
        tables = (omop_tables if site.keeps_omop else hes_tables)(people, label, birth_year, records, ids, files)
        theirs = acquired.permutation(tumours.at(number, people))
        names = tumours_of.name_samples(len(theirs), acquired)
        tables = {**tables, tumours_of.TABLE: tumours_of.table(tumours, theirs, names, ids, omop=site.keeps_omop)}
        for name, frame in tables.items():
            _write_table(folder / name, frame)
        in_order = np.array(sorted(ids.persons.tolist(), key=lambda one: ids.sample[one]))
        samples = [ids.sample[one] for one in in_order.tolist()]
        write_variants(
            folder / VARIANT_FILE, genotypes, csq, low, in_order, samples, people.male, site.contig_prefix, files
        )
        tumours_of.write(folder / TUMOUR_FILE, tumours, theirs, names, site.contig_prefix, acquired)
        written.append(DemoExtract(site.name, folder, site.contracts, site.policy))
    return tuple(written)


def _write_table(path: Path, frame: pl.DataFrame) -> None:
    """Parquet without statistics or notes in its footer: both may tell what the rows do not."""
    pq.write_table(frame.to_arrow(), path, compression="zstd", write_statistics=False, store_schema=False)
