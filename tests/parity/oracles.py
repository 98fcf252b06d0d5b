"""The tools people trust, run on a file, and what they say as tables; and the public files they are asked about."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nhsgen.genome import chromosome
from nhsgen.variants import VariantStore

CHR22 = "g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz"
CHR1 = "g1k_p3_chr1_10-175kb.GRCh37.vcf.gz"
CHR1_SPLIT = "g1k_p3_chr1_10-175kb.snpeff_ANN.GRCh37.plaingzip.vcf.gz"
CHR1_3202 = "g1k_hc3202_chr1_10-66kb.GRCh38.vcf.gz"
CHR20 = "g1k_p3_chr20_1-4Mb_300s.GRCh37.bcf"
CHRX = "g1k_ph1_chrX_26s_haploid.GRCh37.vcf.gz"
TRIO = "giab_ashkenazi_trio.GRCh37.vcf.gz"
MANY_ALTS = "g1k_chr22_100s_multiallelic_missing.GRCh37.vcf.gz"
TWO_THIRDS_MISSING = "g1k_chr22_100s_missing68pct.GRCh38.vcf.gz"
EXOME = "g1k_wex1182_OR4F5_SAMD11.GRCh37.vcf.gz"
GENOME_WIDE = "g1k_ph1_genomewide_14k_1092s.GRCh37.bcf"
CHEK2 = "g1k_CHEK2_1rec_2504s_VEP_LoF.GRCh37.vcf"
BCSQ = "giab_trio_bcsq_4rec.GRCh37.vcf"
CLINVAR = "clinvar_chr1_2000.GRCh37.vcf.gz"

WITH_GENOTYPES = (
    CHR22, CHR1, CHR1_SPLIT, CHR1_3202, CHR20, CHRX, TRIO, MANY_ALTS, TWO_THIRDS_MISSING, EXOME, GENOME_WIDE, CHEK2, BCSQ,
)  # fmt: skip
REWRITABLE = tuple(name for name in WITH_GENOTYPES if name != CHEK2)
"""Files that bcftools will write again: CHEK2's has no ##contig."""

CLAIMING_COUNTS = tuple(name for name in WITH_GENOTYPES if name not in {CHRX, GENOME_WIDE})
"""Files whose records have INFO AC and AN."""


class Subject(NamedTuple):
    """A public file, and the store made of it."""

    file: Path
    store: VariantStore


FILE = "FILE"
"""Where in a step's arguments the file goes, or what the step before wrote."""


def bcftools(file: Path, fields: Sequence[str], *steps: Sequence[str | Path]) -> pl.DataFrame:
    """What `bcftools query` says of a file after other commands of bcftools: a row a record, everything as text.

    fields: INFO fields by their names, anything else as `query` writes it ("%CHROM", '%N_PASS(GT="het")').
    """
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not on this machine")
    wanted = "\t".join(field if field.startswith("%") else f"%INFO/{field}" for field in fields) + "\n"
    given: str | Path = file
    said = b""
    for step in (*steps, ("query", "-f", wanted, FILE)):
        arguments = [given if part == FILE else part for part in step]
        said = subprocess.run(["bcftools", *arguments], input=said, capture_output=True, check=True).stdout
        given = "-"
    names = [field.removeprefix("%").lower() for field in fields]
    rows = [line.split("\t") for line in said.decode().splitlines()]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def plink2(file: Path, out: Path, *arguments: str | Path) -> None:
    """Run plink2 on a file; its reports stand in out.afreq, out.gcount and so on."""
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on this machine")
    kind = "--bcf" if file.suffix == ".bcf" else "--vcf"
    command = ["plink2", "--threads", "1", kind, file, "--allow-extra-chr", "--out", out, *arguments]
    subprocess.run(command, capture_output=True, check=True)


def report(path: Path) -> pl.DataFrame:
    """A report of plink2: everything as text, names of columns in small letters without "#"."""
    table = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
    return table.rename(lambda name: name.lstrip("#").lower())


def by_allele(records: pl.DataFrame, *each: str) -> pl.DataFrame:
    """A row an ALT allele: its `key`, which of its record's it is (`allele`, from 1), of how many (`alts`), and the columns.

    each: columns that have a value for each ALT, divided by commas.
    """
    lists = ["alt", *each]
    split = records.with_columns(pl.col(name).str.split(",") for name in lists)
    counted = split.with_columns(pl.col("alt").list.len().alias("alts"))
    exploded = counted.with_columns(pl.int_ranges(1, pl.col("alts") + 1).alias("allele")).explode(*lists, "allele")
    chrom = pl.col("chrom").replace_strict({name: chromosome(name) for name in records["chrom"].unique()})
    return as_written(exploded.with_columns(chrom))


def as_written(table: pl.DataFrame) -> pl.DataFrame:
    """With each allele's `key` as its file writes it: the store's own is the normal form, which other tools do not make."""
    return table.with_columns(pl.concat_str("chrom", "pos", "ref", "alt", separator="-").alias("key"))


def numbers(table: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The columns as whole numbers; "." is null."""
    return table.with_columns(pl.col(name).replace(".", None).cast(pl.Int64) for name in columns)


SIX_DIGITS = {"rel_tol": 1e-5, "abs_tol": 0.0}
"""As both tools print fractions."""


def same(ours: pl.DataFrame, theirs: pl.DataFrame, *columns: str, **tolerance: float) -> None:
    """Each allele once, and each column the same, allele by allele."""
    assert len(ours) == len(theirs) == theirs["key"].n_unique()
    left, right = (table.select("key", *columns).sort("key") for table in (ours, theirs))
    assert_frame_equal(left, right, check_dtypes=False, **tolerance)  # type: ignore[arg-type]
