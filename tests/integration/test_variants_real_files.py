"""Files that nobody here wrote: what is known of them, the store says too."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from variant_files import random_mask, slow_carriers, slow_counts

from nhsgen.errors import NhsgenError
from nhsgen.genome import Assembly
from nhsgen.variants import VariantStore, ingest, variants
from nhsgen.variants.reading import open_variants

CHR22, CHR1 = "g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz", "g1k_p3_chr1_10-175kb.GRCh37.vcf.gz"


@pytest.fixture(scope="module")
def make(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> object:
    """A store of real files, made once."""
    made: dict[tuple[str, ...], VariantStore] = {}

    def store(*names: str) -> VariantStore:
        if names not in made:
            out = tmp_path_factory.mktemp("real") / "store"
            ingest(
                [shared_data / "variants" / name for name in names],
                out,
                assembly=names[0].split("GRCh")[1][:2].join(["GRCh", ""]),
            )
            made[names] = VariantStore.open(out)
        return made[names]

    return store


def test_1000_genomes_chr22_and_chr1(make) -> None:
    store = make(CHR22, CHR1)
    info = store.info()
    assert (info["records"], info["samples"], len(info["contigs"])) == (6109 + 1042, 2504, 2)
    assert store.assembly is Assembly.GRCh37
    # Every AC and AN that the files claim is what the genotypes say.
    assert store.verify() == {"alleles": 7183, "claimed": 7183, "differing": 0}
    first = store.query(variants().in_region("1:10177"), ["key", "id", "ac", "an"])
    assert first.row(0) == ("1-10177-A-AC", "rs367896724", 2130, 5008)
    assert store.query(variants().in_region("22"), ["allele"]).filter(pl.col("allele") == 2).height == 28


def test_a_copy_number_variant_with_four_alts(make) -> None:
    found = make(CHR22, CHR1).query(
        variants().in_region("22:16050654"), ["alt", "end", "ac", "an", "hom_ref", "het", "other", "id"]
    )
    assert found["alt"].to_list() == ["<CN0>", "<CN2>", "<CN3>", "<CN4>"]
    assert found["ac"].to_list() == [9, 87, 599, 20]
    assert found["id"].to_list() == ["esv3647175", "esv3647176", "esv3647177", "esv3647178"]
    assert set(found["end"]) == {16063474}
    assert set(found["an"]) == {5008}
    assert found["hom_ref"].n_unique() == 1


def test_half_of_the_people_of_chr22_counted_slowly(make, shared_data: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.vcf"
    with gzip.open(shared_data / "variants" / CHR22, "rt") as file:
        part.write_text(
            "".join(line for line in file if line.startswith("#") or "\t1605065" in line or "\t160546" in line)
        )
    store, mask = make(CHR22, CHR1), random_mask(2504)
    expected = slow_counts(part, list(mask))
    assert {"22-16050654-A-<CN2>"} < set(expected)
    counted = {row["key"]: row for row in store.counts(variants(keys=expected), mask).to_dicts()}
    assert {key: {name: counted[key][name] for name in row} for key, row in expected.items()} == expected
    carriers = store.carriers(variants(keys=expected), mask).select("key", "sample", "copies").rows()
    assert set(carriers) == slow_carriers(part, list(mask))


def test_men_have_one_x(make, shared_data: Path) -> None:
    store = make("g1k_ph1_chrX_26s_haploid.GRCh37.vcf.gz")
    belongs = pq.read_table(store.path / "samples.parquet")["haploid"].to_pylist()
    assert sum(bool(numbers) for numbers in belongs) == 11
    men = np.array([bool(numbers) for numbers in belongs])
    assert set(store.counts(samples=men)["haploid"]) == {0, 11}
    assert store.counts(samples=men)["haploid"].sum() == 11 * 50_043
    women = store.counts(samples=~men)
    assert women["haploid"].sum() == 0
    assert women["an"].unique().to_list() == [30]


def test_many_alts_and_missing_calls(make) -> None:
    store = make("g1k_chr22_100s_multiallelic_missing.GRCh37.vcf.gz")
    found = store.query(columns=["allele", "n_alleles", "missing"]).filter(pl.col("allele") == 1)
    assert (len(found), (found["n_alleles"] > 1).sum(), found["missing"].sum()) == (735, 356, 10_228)


def test_two_thirds_missing(make) -> None:
    store = make("g1k_chr22_100s_missing68pct.GRCh38.vcf.gz")
    assert store.query(columns=["allele", "missing"]).filter(pl.col("allele") == 1)["missing"].sum() == 6_808


def test_a_bcf(make) -> None:
    store = make("g1k_p3_chr20_1-4Mb_300s.GRCh37.bcf")
    letters = pl.col("ref").str.len_chars() + pl.col("alt").str.len_chars()
    found = store.query(columns=["ref", "alt"]).select(
        (letters == 2).sum().alias("snv"), (letters > 2).sum().alias("indel")
    )
    assert found.row(0) == (23_670, 1_320)
    assert store.verify()["differing"] == 0


def test_an_exome(make) -> None:
    store = make("g1k_wex1182_OR4F5_SAMD11.GRCh37.vcf.gz")
    assert (store.info()["records"], store.info()["samples"], store.verify()["differing"]) == (122, 1182, 0)


def test_vep_without_samples_in_plain_gzip(make) -> None:
    store = make("vep_CSQ_802rec_sites.GRCh37.plaingzip.vcf.gz")
    assert (store.info()["records"], store.samples, store.info()["annotation"]) == (802, (), "CSQ")
    # Each allele was matched with its part of the annotation, multi-allelic or not; VEP has nothing to say of "*".
    found = store.query(columns=["alt", "consequence", "n_alleles"])
    assert set(found.filter(pl.col("consequence").is_null())["alt"]) == {"*"}
    assert found.filter((pl.col("n_alleles") > 1) & pl.col("consequence").is_not_null()).height > 30
    first = store.query(variants().in_region("1:14464"), ["gene", "gene_id", "consequence", "impact", "af"])
    assert first.row(0) == ("WASH7P", "ENSG00000227232", "non_coding_transcript_exon_variant", "MODIFIER", 0.1943)
    assert store.carriers().is_empty()


def test_snpeff_in_plain_gzip(make) -> None:
    store = make("g1k_p3_chr1_10-175kb.snpeff_ANN.GRCh37.plaingzip.vcf.gz")
    assert store.verify() == {"alleles": 1044, "claimed": 1044, "differing": 0}
    first = store.query(variants(keys=["1-10177-A-AC"]), ["genes"])["genes"].to_list()[0]
    assert {"DDX11L1", "WASH7P", "LOC102725121"} <= {effect["gene"] for effect in first}


def test_bcftools_csq(make) -> None:
    store = make("giab_trio_bcsq_4rec.GRCh37.vcf")
    assert store.genes() == ["EFHD2", "EFNA3", "EFNA4", "MST1P2", "NR5A2"]
    assert store.carriers(variants(consequence="5_prime_utr").in_genes("EFNA3"))["sample"].to_list() == ["HG002"]


def test_chek2_with_loftee(make) -> None:
    store = make("g1k_CHEK2_1rec_2504s_VEP_LoF.GRCh37.vcf")
    # Of its 22 transcripts most say missense; one says stop.
    row = store.query(variants(impact="high").in_genes("CHEK2"), ["key", "consequence", "lof", "ac"]).row(0)
    assert row == ("22-29091698-C-T", "stop_gained", "HC", 2)
    assert store.carriers(variants(impact="high").in_genes("CHEK2"))["copies"].to_list() == [2]
    assert store.query(variants(impact="moderate").in_genes("CHEK2")).is_empty()


def test_clinvar(make) -> None:
    said = make("clinvar_chr1_2000.GRCh37.vcf.gz").query(columns=["clinvar"])["clinvar"]
    counted = dict(said.value_counts().iter_rows())
    assert (counted["Likely_benign"], counted["Benign"], counted["Pathogenic"]) == (715, 135, 19)


# -- Files meant to do harm ---------------------------------------------------------------------------------------------


def test_a_file_on_which_htslib_gives_up_is_not_an_empty_store(shared_data: Path, tmp_path: Path) -> None:
    """Its GQ holds fractions where its header says whole numbers; the genotypes, which are all we read, are sound."""
    info = ingest(
        [shared_data / "hostile" / "g1k_wex_1182s_GQfloat.GRCh37.vcf.gz"], tmp_path / "store", assembly="GRCh37"
    )
    assert (info["records"], info["samples"]) == (122, 1182)
    assert VariantStore.open(tmp_path / "store").verify()["differing"] == 0


@pytest.mark.parametrize("name", ["HiSeq.10000_trailing_tab_header.vcf.bgz", "dbsnp_135_trailing_tab_header.vcf"])
def test_a_header_with_a_tab_too_many_is_refused(name: str, shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(NhsgenError) as error:
        ingest([shared_data / "hostile" / name], tmp_path / "store", assembly="GRCh37")
    assert error.value.file == name
    assert not (tmp_path / "store").exists()


def test_the_example_files_of_the_format_end_in_a_sentence(shared_data: Path, tmp_path: Path) -> None:
    """No file of hts-specs, however wrong, ends in anything but records or one of our errors."""
    with tarfile.open(shared_data / "hostile" / "hts-specs_vcf_passed_failed.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    refused = {"passed": 0, "failed": 0}
    for path in sorted(tmp_path.rglob("*.vcf")):
        try:
            with open_variants(path) as file:
                for _ in file.records:
                    pass
        except NhsgenError:
            refused[path.parent.name] += 1
    # The valid files that are refused have samples without genotypes; there is nothing in them for a store of genotypes.
    assert refused["passed"] <= 8
    assert refused["failed"] >= 60
