"""The store counts as plink2 counts, and our Hardy-Weinberg p is plink2's, on every public file with genotypes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from oracles import (
    CHR22,
    CHRX,
    MANY_ALTS,
    SIX_DIGITS,
    WITH_GENOTYPES,
    Subject,
    as_written,
    by_allele,
    numbers,
    plink2,
    report,
    same,
)

from nhsgen.hardy import exact, exact_x

Make = Callable[[str], Subject]
Mask = npt.NDArray[np.bool_]

NEVER = 1e-307
"""A p below the smallest ordinary float64 is 0 to plink2."""

PLACE = "chrom,pos,ref,alt"


@pytest.fixture(scope="module")
def asked(subject: Make, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where plink2's reports on a file stand; it is told who is male, or it would not know what an X is."""
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp("plink2")
            store, arguments = subject(name).store, []
            if name == CHRX:
                sexes = zip(store.samples, np.where(males(subject(name), shared_data), 1, 2), strict=True)
                (folder / "sex.txt").write_text("#IID\tSEX\n" + "".join(f"{who}\t{sex}\n" for who, sex in sexes))
                arguments = ["--update-sex", folder / "sex.txt", "--split-par", "b37"]
            made[name] = folder / "all"
            plink2(subject(name).file, made[name], *arguments,
                   "--geno-counts", f"cols={PLACE},homref,refalt,altxy,hapref,hapalt,missing",
                   "--freq", f"cols={PLACE},altfreq,nobs",
                   "--hardy", f"cols={PLACE},ax,gcounts,p,femalep")  # fmt: skip
        return made[name]

    return of


def males(subject: Subject, shared_data: Path) -> Mask:
    """Who of a store is male in the pedigree of 1000 Genomes."""
    pedigree = report(shared_data / "pedigree" / "20130606_g1k.ped")
    sex = dict(pedigree.select("individual id", "gender").iter_rows())
    return np.array([sex[who] == "1" for who in subject.store.samples])


def autosomal(table: pl.DataFrame) -> pl.DataFrame:
    """plink2 calls the pseudo-autosomal regions of X chromosomes of their own."""
    return table.with_columns(pl.col("chrom").str.replace("^PAR[12]$", "X"))


@pytest.mark.parametrize("name", WITH_GENOTYPES)
def test_geno_counts(name: str, subject: Make, asked: Callable[[str], Path]) -> None:
    table = autosomal(report(asked(name).with_suffix(".gcount")))
    rows = []
    for row in by_allele(table).iter_rows(named=True):
        alts, this = row["alts"], row["allele"]
        het = [0, *map(int, row["het_ref_alt_cts"].split(","))]
        # Pairs of ALTs in the order of VCF: 1/1, 1/2, 2/2, 1/3, ...
        pairs = [(low, high) for high in range(1, alts + 1) for low in range(1, high + 1)]
        two = dict(zip(pairs, map(int, row["two_alt_geno_cts"].split(",")), strict=True))
        mixed = sum(n for pair, n in two.items() if this in pair and pair != (this, this))
        people = sum(het) + sum(two.values())
        hap = [int(n) for n in row["hap_alt_cts"].split(",")]
        rows.append({
            "key": row["key"], "hom_ref": int(row["hom_ref_ct"]), "missing": int(row["missing_ct"]),
            "het": het[this] + mixed, "hom_alt": two[this, this], "other": people - het[this] - mixed - two[this, this],
            "haploid": int(row["hap_ref_ct"]) + sum(hap), "hemizygous": hap[this - 1],
        })  # fmt: skip
    theirs = pl.DataFrame(rows)
    same(as_written(subject(name).store.counts()), theirs, *theirs.columns[1:])


@pytest.mark.parametrize("name", WITH_GENOTYPES)
def test_freq(name: str, subject: Make, asked: Callable[[str], Path]) -> None:
    theirs = numbers(by_allele(autosomal(report(asked(name).with_suffix(".afreq"))), "alt_freqs"), "obs_ct")
    theirs = theirs.with_columns(pl.col("alt_freqs").cast(pl.Float64, strict=False))  # "nan" where nobody was called
    counts = as_written(subject(name).store.counts())
    ours = counts.with_columns((pl.col("ac") / pl.col("an")).alias("alt_freqs"), pl.col("an").alias("obs_ct"))
    same(ours, theirs, "obs_ct")
    same(ours, theirs, "alt_freqs", **SIX_DIGITS)


@pytest.mark.parametrize("name", WITH_GENOTYPES)
def test_hardy(name: str, subject: Make, asked: Callable[[str], Path]) -> None:
    """plink2 tests an allele against all others; so hom_ref and other together are the people who have none of it."""
    theirs = hardy_rows(autosomal(report(asked(name).with_suffix(".hardy"))), "hom_a1_ct", "het_a1_ct", "two_ax_ct")
    ours = as_written(subject(name).store.counts())
    ours = ours.filter(pl.col("key").is_in(theirs["key"].implode()))
    assert name == CHRX or len(ours) == len(subject(name).store.counts())
    tested = ours.with_columns((pl.col("hom_ref") + pl.col("other")).alias("none"))
    same(tested, theirs, "hom_alt", "het", "none")
    p = exact(*(tested[kind].to_numpy() for kind in ("het", "hom_alt", "none")))
    # Of nobody, plink2 says 1.
    same(tested.with_columns(pl.Series("p", p).fill_nan(1.0)), theirs, "p", **(SIX_DIGITS | {"abs_tol": NEVER}))


def hardy_rows(table: pl.DataFrame, one: str, het: str, two: str) -> pl.DataFrame:
    """A row an ALT: people with two copies of it, with one, with none. With one ALT plink2 may count REF instead of it."""
    table = numbers(table, one, het, two).with_columns(pl.col("alt").str.split(",").list.len().alias("alts"))
    swapped = pl.col("a1") == pl.col("ref")
    rows = table.filter((pl.col("alts") == 1) | ~swapped).with_columns(
        pl.when(swapped).then(two).otherwise(one).alias("hom_alt"),
        pl.col(het).alias("het"),
        pl.when(swapped).then(one).otherwise(two).alias("none"),
        pl.when(swapped).then("alt").otherwise("a1").alias("alt"),
        pl.col("p").cast(pl.Float64),
    )
    return by_allele(rows)


def test_many_alts_are_tested_one_by_one(asked: Callable[[str], Path]) -> None:
    """What `test_hardy` rests on: several rows for a record of several ALTs."""
    table = report(asked(MANY_ALTS).with_suffix(".hardy"))
    assert table.filter(pl.col("alt").str.contains(",")).height > 356


@pytest.mark.parametrize("mid", [False, True])
def test_hardy_midp_and_p(mid: bool, subject: Make, tmp_path: Path) -> None:
    """On the file with most missing calls, where ties between outcomes are common."""
    file, store = subject(MANY_ALTS)
    plink2(file, tmp_path / "all", "--hardy", *(["midp"] if mid else []), f"cols={PLACE},ax,gcounts,p")
    table = report(tmp_path / "all.hardy").rename({"midp": "p"}, strict=False)
    theirs = hardy_rows(table, "hom_a1_ct", "het_a1_ct", "two_ax_ct")
    p = exact(*(theirs[kind].to_numpy() for kind in ("het", "hom_alt", "none")), mid=mid)
    np.testing.assert_allclose(p, theirs["p"].to_numpy(), rtol=1e-5)
    assert len(theirs) == len(store.counts())


def test_hardy_on_x(subject: Make, asked: Callable[[str], Path], shared_data: Path) -> None:
    men = males(subject(CHRX), shared_data)
    table = report(Path(f"{asked(CHRX)}.hardy.x"))
    theirs = hardy_rows(table, "female_hom_a1_ct", "female_het_a1_ct", "female_two_ax_ct")
    theirs = numbers(theirs, "male_a1_ct", "male_ax_ct").with_columns(
        pl.when(pl.col("a1") == pl.col("ref")).then("male_ax_ct").otherwise("male_a1_ct").alias("hemizygous"),
        pl.col("female_only_p").cast(pl.Float64),
    )
    here = pl.col("key").is_in(theirs["key"].implode())
    store = subject(CHRX).store
    women_counts, men_counts = (as_written(store.counts(samples=who)).filter(here) for who in (~men, men))
    same(women_counts.rename({"hom_ref": "none"}), theirs, "hom_alt", "het", "none")
    same(men_counts, theirs, "hemizygous")
    women = [women_counts[kind].to_numpy() for kind in ("het", "hom_alt", "hom_ref")]
    with_allele, men_called = men_counts["hemizygous"].to_numpy(), men_counts["haploid"].to_numpy()
    p = exact_x(*women, with_allele, men_called - with_allele)
    same(women_counts.with_columns(pl.Series("p", p)), theirs, "p", **SIX_DIGITS)
    same(women_counts.with_columns(pl.Series("female_only_p", exact(*women))), theirs, "female_only_p", **SIX_DIGITS)
    assert len(theirs) == 50_043


# -- What plink2 said once, kept in a file --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_alt(subject: Make) -> pl.DataFrame:
    """The counts of the 6,081 records of chromosome 22 that have one ALT, with their ids, which are all different."""
    store = subject(CHR22).store
    listed = store.query(columns=["key", "id", "n_alleles"]).filter(pl.col("n_alleles") == 1)
    counts = store.counts().join(listed, on="key").sort("id")
    assert len(counts) == counts["id"].n_unique() == 6_081
    return counts


def test_freq_of_chromosome_22_as_it_was_said_once(one_alt: pl.DataFrame, shared_data: Path) -> None:
    theirs = report(shared_data / "stats" / "plink2_oracle_chr22" / "afreq.tsv.gz").sort("id")
    assert theirs.select("id", "ref", "alt").equals(one_alt.select("id", "ref", "alt"))
    assert theirs["obs_ct"].cast(pl.Int64).to_list() == one_alt["an"].to_list()
    np.testing.assert_allclose(one_alt["ac"] / one_alt["an"], theirs["alt_freqs"].cast(pl.Float64), rtol=1e-5)


def test_hardy_of_chromosome_22_as_it_was_said_once(one_alt: pl.DataFrame, shared_data: Path) -> None:
    theirs = report(shared_data / "stats" / "plink2_oracle_chr22" / "hardy.tsv.gz").sort("id")
    assert theirs["id"].to_list() == one_alt["id"].to_list()
    ref_is_a1 = theirs["a1"] == one_alt["ref"]
    for ours, if_so, if_not in (("hom_ref", "hom_a1_ct", "two_ax_ct"), ("hom_alt", "two_ax_ct", "hom_a1_ct")):
        assert theirs[if_so].zip_with(ref_is_a1, theirs[if_not]).cast(pl.Int64).to_list() == one_alt[ours].to_list()
    assert theirs["het_a1_ct"].cast(pl.Int64).to_list() == one_alt["het"].to_list()
    p = exact(*(one_alt[kind].to_numpy() for kind in ("het", "hom_ref", "hom_alt")))
    np.testing.assert_allclose(p, theirs["p"].cast(pl.Float64), rtol=1e-5, atol=NEVER)
