"""What is known of the public files, one fact a test, asked of the store: counts, frequencies, families, sexes, genes."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from oracles import (
    CHR1,
    CHR1_3202,
    CHR1_SPLIT,
    CHR20,
    CHR22,
    CHRX,
    CLINVAR,
    EXOME,
    GENOME_WIDE,
    MANY_ALTS,
    TRIO,
    TWO_THIRDS_MISSING,
    Subject,
    report,
)

from nhsgen.genome import Assembly, ploidy
from nhsgen.variants import VariantStore, variants
from nhsgen.variants.genotypes import HAPLOID, MISSING
from nhsgen.variants.normalise import normalised

Make = Callable[[str], Subject]

POPULATIONS = {
    "EAS": ("CHB", "JPT", "CHS", "CDX", "KHV"),
    "EUR": ("CEU", "TSI", "FIN", "GBR", "IBS"),
    "AFR": ("YRI", "LWK", "GWD", "MSL", "ESN", "ASW", "ACB"),
    "AMR": ("MXL", "PUR", "CLM", "PEL"),
    "SAS": ("GIH", "PJL", "BEB", "STU", "ITU"),
}
"""The five super-populations of 1000 Genomes, phase 3."""


@pytest.fixture(scope="module")
def pedigree(shared_data: Path) -> pl.DataFrame:
    return report(shared_data / "pedigree" / "20130606_g1k.ped")


@pytest.mark.parametrize(
    ("name", "records", "people"),
    [
        (CHR22, 6_109, 2_504),
        (CHR1, 1_042, 2_504),
        (CHR1_SPLIT, 1_044, 2_504),
        (CHR1_3202, 889, 3_202),
        (CHR20, 24_990, 300),
        (CHRX, 51_608, 26),
        (TRIO, 9_940, 3),
        (MANY_ALTS, 735, 100),
        (TWO_THIRDS_MISSING, 100, 100),
        (EXOME, 122, 1_182),
        (GENOME_WIDE, 14_079, 1_092),
        (CLINVAR, 2_000, 0),
    ],
)
def test_records_and_people(name: str, records: int, people: int, subject: Make) -> None:
    store = subject(name).store
    assert (store.info()["records"], len(store.samples)) == (records, people)


# -- Frequencies --------------------------------------------------------------------------------------------------------


def claims(file: Path, names: list[str]) -> Iterator[tuple[tuple[str, str, str], dict[str, list[str]]]]:
    """Position, REF and ALT of each allele, and what the record's INFO says of it, as it is written there."""
    with gzip.open(file, "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            _, pos, _, ref, alts, _, _, text = line.split("\t", 8)[:8]
            info = dict(part.partition("=")[::2] for part in text.split(";"))
            for number, alt in enumerate(alts.split(",")):
                yield (pos, ref, alt), {name: info[name].split(",")[number] for name in names}


@pytest.mark.parametrize("name", [CHR22, CHR1])
def test_frequencies_in_five_populations_to_the_last_digit(name: str, subject: Make, pedigree: pl.DataFrame) -> None:
    file, store = subject(name)
    population = dict(pedigree.select("individual id", "population").iter_rows())
    columns = {}
    for group, members in POPULATIONS.items():
        counted = store.counts(samples=[who for who in store.samples if population[who] in members])
        columns[f"{group}_AF"] = (counted["ac"] / counted["an"]).to_list()
    everybody = store.counts()
    columns["AF"] = (everybody["ac"] / everybody["an"]).to_list()
    keys = list(everybody.select(pl.col("pos").cast(pl.String), "ref", "alt").iter_rows())
    ours = {key: {each: values[row] for each, values in columns.items()} for row, key in enumerate(keys)}
    theirs = dict(claims(file, list(columns)))
    assert ours.keys() == theirs.keys()
    # Four digits after the point for populations, six digits for all; half a unit of the last, and no more.
    wrong = [
        (key, each)
        for key, said in theirs.items()
        for each, text in said.items()
        if abs(ours[key][each] - float(text)) > (0.5000001e-4 if each != "AF" else 5e-6 * float(text))
    ]
    assert wrong == []


def test_the_same_people_on_chromosomes_1_and_22_and_698_more_in_the_newer_set(subject: Make) -> None:
    first, other, newer = (subject(name).store.samples for name in (CHR1, CHR22, CHR1_3202))
    assert first == other == subject(CHR1_SPLIT).store.samples
    assert set(first) < set(newer)
    assert len(set(newer) - set(first)) == 698


def test_split_beforehand_or_by_us_the_alleles_have_the_same_counts(subject: Make) -> None:
    whole, split = subject(CHR1).store.counts(), subject(CHR1_SPLIT).store.counts()
    # Whoever split the file also took away the bases that REF and ALT of one record share.
    pos, refs, alts = normalised("1", whole["pos"].to_numpy(), whole["ref"].to_list(), whole["alt"].to_list())
    trimmed = whole.with_columns(pl.Series("pos", pos, pl.Int32), pl.Series("ref", refs), pl.Series("alt", alts))
    columns = ("pos", "ref", "alt", "ac", "an", "het", "hom_alt")
    assert trimmed.select(columns).sort(columns).equals(split.select(columns).sort(columns))
    # By key, which is the normal form, they are the same alleles already.
    assert whole["pos"].to_list() == split["pos"].to_list()
    assert whole["ref"].to_list() != split["ref"].to_list()
    assert sorted(whole["key"]) == sorted(split["key"])
    # But who had another ALT is homozygous reference in the file that was split beforehand.
    assert whole["other"].sum() > split["other"].sum() == 0


def test_the_genome_wide_file_has_all_autosomes_and_no_other_chromosome(subject: Make) -> None:
    store = subject(GENOME_WIDE).store
    assert [contig["chrom"] for contig in store.info()["contigs"]] == [str(number) for number in range(1, 23)]
    assert store.counts()["missing"].sum() == 0


# -- Families -----------------------------------------------------------------------------------------------------------

GIVES = {0: {0}, 1: {0, 1}, 2: {1}, MISSING: {0, 1}}
"""By the copies a parent has, the copies it may give to a child; who was not called may have given anything."""

POSSIBLE = np.array(
    [[[any(hers + his == child for hers in GIVES[mother] for his in GIVES[father]) for child in range(3)]
      for father in GIVES] for mother in GIVES]
)  # fmt: skip
"""By the copies of mother, father and child, whether the child can have them."""


def mendel(store: VariantStore, trios: list[tuple[str, str, str]]) -> tuple[int, int, int]:
    """Of each child at each allele: how often it agrees with its mother and father, does not, and was not called."""
    number = {who: at for at, who in enumerate(store.samples)}
    children, mothers, fathers = (np.array([number[trio[role]] for trio in trios]) for role in range(3))
    good = bad = skipped = 0
    for _, states in store.genotypes():
        assert states.max() <= MISSING  # nobody is haploid or half called, and there is one ALT
        child, mother, father = states[:, children], states[:, mothers], states[:, fathers]
        called = child != MISSING
        agrees = POSSIBLE[mother[called], father[called], child[called]]
        good, bad, skipped = good + int(agrees.sum()), bad + int((~agrees).sum()), skipped + int((~called).sum())
    return good, bad, skipped


def test_602_families_inherit_as_mendel_says(subject: Make, shared_data: Path) -> None:
    trios = report(shared_data / "pedigree" / "trios_602_in_hc3202.tsv")
    families = list(trios.select("child", "mother", "father").iter_rows())
    assert len(families) == 602
    assert mendel(subject(CHR1_3202).store, families) == (534_832, 346, 0)  # bcftools +mendelian


def test_one_family_inherits_as_mendel_says(subject: Make) -> None:
    """Of the 55 records where somebody was not called, 16 lack the child; 3 cannot be, whatever the other parent has."""
    assert mendel(subject(TRIO).store, [("HG002", "HG004", "HG003")]) == (9_833, 91, 16)  # bcftools +mendelian


# -- Sexes ----------------------------------------------------------------------------------------------------------------


def test_men_have_one_x_but_for_1565_records_and_no_man_has_two_alleles_there(
    subject: Make, pedigree: pl.DataFrame
) -> None:
    store = subject(CHRX).store
    sex = dict(pedigree.select("individual id", "gender").iter_rows())
    men = np.array([sex[who] == "1" for who in store.samples])
    assert men.sum() == 11
    paired = 0
    for alleles, states in store.genotypes():
        expected = [ploidy("X", pos, "male", Assembly.GRCh37) for pos in alleles["pos"]]
        haploid = (states & HAPLOID) != 0
        assert not haploid[:, ~men].any()
        # All men together, and where the assembly says that X pairs with Y.
        assert np.array_equal(haploid[:, men], np.repeat(np.array(expected)[:, None] == 1, 11, axis=1))
        paired += expected.count(2)
    assert paired == 1_565
    counts = store.counts(samples=men)
    assert counts.filter(pl.col("haploid") > 0)["het"].sum() == 0
    assert counts.filter(pl.col("haploid") == 0)["het"].sum() > 0


# -- Genes and annotations ------------------------------------------------------------------------------------------------


def test_an_exome_with_105_records_in_samd11_and_many_rare_alleles(subject: Make, shared_data: Path) -> None:
    store = subject(EXOME).store
    with gzip.open(shared_data / "reference" / "ensembl_genes_GRCh37.txt.gz", "rt") as lines:
        genes = [line.split("\t")[:4] for line in lines]
    (place,) = [f"{chrom}:{start}-{end}" for chrom, start, end, gene in genes if gene == "SAMD11" and chrom == "1"]
    assert store.counts(variants().in_region(place))["pos"].n_unique() == 105
    # In the whole file, 91 of 123 alleles have at most 12 copies; 31 have one copy, and one of these shares its record.
    counts = store.counts()
    alleles = (len(counts), counts.filter(pl.col("ac") <= 12).height, counts.filter(pl.col("ac") == 1).height)
    assert alleles == (123, 91, 31)
    assert counts.group_by("pos").agg(pl.col("ac").sum()).filter(pl.col("ac") == 1).height == 30
    everything = store.query(columns=["allele", "missing"]).filter(pl.col("allele") == 1)
    assert everything["missing"].sum() / (122 * 1_182) == pytest.approx(0.121, abs=5e-4)


def test_people_of_the_exome_who_are_in_a_cohort_of_phenotypes(subject: Make, shared_data: Path) -> None:
    cohort = report(shared_data / "phenotypes" / "cineca_uk1" / "uk1.tsv")["subject id"].to_list()
    assert int(subject(EXOME).store.mask(cohort).sum()) == 1_144
    assert sorted(cohort) == sorted(subject(CHR22).store.samples)


def test_what_clinvar_says(subject: Make) -> None:
    """1,079 records are of uncertain significance; one of them has no ALT, and so is no allele of the store."""
    store = subject(CLINVAR).store
    counted = dict(store.query(columns=["clinvar"])["clinvar"].value_counts().iter_rows())
    assert store.info()["records_without_alt"] == 1
    assert {name: counted[name] for name in ("Uncertain_significance", "Likely_benign", "Benign", "Pathogenic")} == {
        "Uncertain_significance": 1_078,
        "Likely_benign": 715,
        "Benign": 135,
        "Pathogenic": 19,
    }


# -- Missing calls and many ALTs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "missing"), [(MANY_ALTS, 10_228), (TWO_THIRDS_MISSING, 6_808), (TRIO, 62)])
def test_missing_calls(name: str, missing: int, subject: Make) -> None:
    store = subject(name).store
    first = pl.col("allele") == 1
    assert store.query(columns=["allele", "missing"]).filter(first)["missing"].sum() == missing
    states = sum(int(((states & 3) == MISSING)[alleles["allele"] == 1].sum()) for alleles, states in store.genotypes())
    assert states == missing


def test_somebody_is_in_one_kind_at_every_allele(subject: Make) -> None:
    """Two ALTs of a record: who has one of each is heterozygous at both, and homozygous reference at neither."""
    counts = subject(MANY_ALTS).store.counts()
    kinds = ("hom_ref", "het", "hom_alt", "other", "missing", "half", "haploid")
    assert counts.select(pl.sum_horizontal(kinds).unique()).to_series().to_list() == [100]
    of_record = counts.group_by("pos", "ref").agg(pl.col("hom_ref").n_unique(), pl.col("missing").n_unique())
    assert of_record.filter((pl.col("hom_ref") > 1) | (pl.col("missing") > 1)).is_empty()
