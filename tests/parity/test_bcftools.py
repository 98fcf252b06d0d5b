"""The store says what bcftools says of every public file with genotypes; and where bcftools distorts, it does not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from oracles import (
    CHR1,
    CHR22,
    CLAIMING_COUNTS,
    FILE,
    MANY_ALTS,
    REWRITABLE,
    SIX_DIGITS,
    WITH_GENOTYPES,
    Subject,
    as_written,
    bcftools,
    by_allele,
    numbers,
    same,
)
from polars.testing import assert_frame_equal

from nhsgen.hardy import exact

Make = Callable[[str], Subject]

ALLELE = ("%CHROM", "%POS", "%REF", "%ALT")
HOM_REF, MISSING = '%N_PASS(GT="RR")', '%N_PASS(GT="mis")'
AS_FLOAT32 = {"abs_tol": 1e-37}
"""bcftools keeps p in 32 bits, where the smallest are 0."""


@pytest.mark.parametrize("name", WITH_GENOTYPES)
def test_query_says_the_same_of_each_record(name: str, subject: Make) -> None:
    file, store = subject(name)
    counts = ("AC", "AN") if name in CLAIMING_COUNTS else ()
    records = bcftools(file, [*ALLELE, "%ID", "%QUAL", "%FILTER", *counts])
    assert store.info()["records"] == len(records)
    theirs = by_allele(records, *(["ac"] if counts else []))
    # A record with as many ids as ALTs names each of them; otherwise all its ids are each one's.
    ids = pl.col("id").str.split(";")
    own = ids.list.get(pl.col("allele") - 1, null_on_oob=True)
    theirs = theirs.with_columns(pl.when(ids.list.len() == pl.col("alts")).then(own).otherwise("id").alias("id"))
    theirs = theirs.with_columns(pl.col("id", "filter", "qual").replace(".", None)).cast({"qual": pl.Float32})
    columns = ["chrom", "pos", "ref", "alt", "id", "qual", "filter", "allele", "n_alleles", "info_ac", "info_an"]
    ours = as_written(store.query(columns=columns))
    same(ours.rename({"n_alleles": "alts"}), theirs, "id", "filter", "allele", "alts")
    same(ours, theirs, "qual", **SIX_DIGITS)
    if counts:
        same(ours.rename({"info_ac": "ac", "info_an": "an"}), numbers(theirs, "ac", "an"), "ac", "an")


@pytest.mark.parametrize("name", REWRITABLE)
def test_view_counts_the_same_among_half_of_the_people(name: str, subject: Make, tmp_path: Path) -> None:
    file, store = subject(name)
    half = np.arange(len(store.samples)) % 2 == 0
    chosen = [who for who, is_in in zip(store.samples, half, strict=True) if is_in]
    (tmp_path / "half.txt").write_text("".join(f"{who}\n" for who in chosen))
    records = bcftools(file, [*ALLELE, "AC", "AN"], ("view", "-Ou", "-S", tmp_path / "half.txt", FILE))
    counted = store.counts(samples=half)
    same(as_written(counted), numbers(by_allele(records, "ac"), "ac", "an"), "ac", "an")
    assert_frame_equal(store.counts(samples=chosen), counted)


TAGS = ("AC", "AN", "AF", "AC_Het", "AC_Hom", "AC_Hemi", "NS", "HWE", "F_MISSING")
EACH = ("ac", "af", "ac_het", "ac_hom", "ac_hemi", "hwe")
FRACTIONS = ("af", "hwe", "f_missing")


@pytest.mark.parametrize("name", REWRITABLE)
def test_fill_tags_fills_in_the_same(name: str, subject: Make) -> None:
    file, store = subject(name)
    records = bcftools(file, [*ALLELE, *TAGS], ("+fill-tags", FILE, "-Ou", "--", "-t", ",".join(TAGS)))
    theirs = numbers(by_allele(records, *EACH), "ac", "an", "ac_het", "ac_hom", "ac_hemi", "ns").with_columns(
        pl.col(name).replace(".", None).cast(pl.Float64) for name in FRACTIONS
    )
    people = len(store.samples)
    ours = as_written(store.counts()).with_columns(
        pl.col("het").alias("ac_het"),
        (2 * pl.col("hom_alt")).alias("ac_hom"),
        pl.col("hemizygous").alias("ac_hemi"),
        (people - pl.col("missing")).alias("ns"),
        (pl.col("missing") / people).alias("f_missing"),
        pl.when(pl.col("an") > 0).then(pl.col("ac") / pl.col("an")).alias("af"),
    )
    same(ours, theirs, "ac", "an", "ac_het", "ac_hom", "ac_hemi", "ns")
    same(ours, theirs, "af", "f_missing", **SIX_DIGITS)
    # With several ALTs bcftools tests one of them against REF alone; with one we mean the same.
    one = theirs.filter(pl.col("alts") == 1)
    tested = ours.filter(pl.col("key").is_in(one["key"].implode()))
    p = pl.Series("hwe", exact(*(tested[kind].to_numpy() for kind in ("het", "hom_ref", "hom_alt")))).fill_nan(1.0)
    same(tested.with_columns(p), one.with_columns(pl.col("hwe").fill_null(1.0)), "hwe", **(SIX_DIGITS | AS_FLOAT32))


# -- Records with several ALTs ------------------------------------------------------------------------------------------

SEVERAL = (CHR22, CHR1, MANY_ALTS)


@pytest.mark.parametrize("name", REWRITABLE)
def test_norm_splits_into_the_same_alleles_with_the_same_counts(name: str, subject: Make) -> None:
    file, store = subject(name)
    split = ("norm", "-m-any", "-Ou", FILE)
    records = bcftools(file, [*ALLELE, "AC", "AN"], split, ("+fill-AN-AC", FILE, "-Ou"))
    theirs = numbers(by_allele(records), "ac", "an")
    assert theirs["alts"].unique().to_list() == [1]
    same(as_written(store.counts()), theirs, "ac", "an")


@pytest.mark.parametrize("name", SEVERAL)
def test_norm_makes_people_of_two_alts_homozygous_reference_and_we_do_not(name: str, subject: Make) -> None:
    """Split by bcftools, 1/2 becomes 1/0 and 0/1, and 2/2 becomes 0/0: whoever has another ALT seems to have REF."""
    file, store = subject(name)
    ours = as_written(store.counts())
    whole = by_allele(bcftools(file, [*ALLELE, HOM_REF, MISSING]))
    whole = whole.rename(dict(zip(whole.columns[4:6], ("hom_ref", "missing"), strict=True)))
    # Of the record as it stands, bcftools and we say the same.
    same(ours, numbers(whole, "hom_ref", "missing"), "hom_ref", "missing")
    split = by_allele(bcftools(file, [*ALLELE, HOM_REF], ("norm", "-m-any", "-Ou", FILE)))
    split = numbers(split.rename({split.columns[4]: "hom_ref"}), "hom_ref")
    same(ours.with_columns(pl.col("hom_ref") + pl.col("other")), split, "hom_ref")
    assert ours["other"].sum() > 0
    # So Hardy-Weinberg is tested on people who are not there.
    distorted = exact(ours["het"].to_numpy(), (ours["hom_ref"] + ours["other"]).to_numpy(), ours["hom_alt"].to_numpy())
    counted = exact(ours["het"].to_numpy(), ours["hom_ref"].to_numpy(), ours["hom_alt"].to_numpy())
    alts = store.query(columns=["n_alleles"])["n_alleles"].to_numpy()
    assert np.nanmax(np.abs(distorted - counted)[alts > 1]) > 0.001
    np.testing.assert_array_equal(distorted[alts == 1], counted[alts == 1])
