"""A few variants in, a few numbers out."""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.errors import BadFile, BadInput, NotAllowed, NotFound, Tampered
from nhsgen.variants import VariantFilter, VariantStore, ingest, variants
from nhsgen.variants.source import source_records

FINISHING = sys.modules["nhsgen.variants.finishing"]

PEOPLE = "ANN BOB CAT DAN"
RECORDS = [
    record("1 1000 G A", "0/1 0/0 0/0 1/1", filter="q10", info="EAS_AF=0.2;CSQ=" + csq("A", "missense_variant", "MODERATE", "AAA")),
    record("16 100 C T", "0/0 0/1 ./. 0/0", info="CSQ=" + ",".join([
        csq("T", "stop_gained", "HIGH", "TSC2", gnomADe_AF="0.00001", LoF="HC"),
        csq("T", "downstream_gene_variant", "MODIFIER", "PKD1"),
        csq("T", "synonymous_variant&splice_region_variant", "LOW", "TSC2"),
    ])),
    record("16 200 CTT C,CT", "0/1 1/2 2/2 0/2", info="CSQ=" + ",".join([
        csq("-", "frameshift_variant", "HIGH", "PKD1"), csq("T", "frameshift_variant", "HIGH", "PKD1", gnomADe_AF="0.3"),
    ])),
    record("16 300 A <DEL>", "0/1 0/0 0/0 0/0", info="END=400;CSQ=" + csq("deletion", "feature_truncation", "HIGH", "PKD1")),
    record("X 500 A G", "1 0/1 0 .", filter="."),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VariantStore:
    folder = tmp_path_factory.mktemp("few")
    ingest(
        [write(folder / "few.vcf.gz", vcf(*RECORDS, samples=PEOPLE, info=[CSQ], contigs={"1": 248956422}))],
        folder / "store",
    )
    return VariantStore.open(folder / "store")


def keys(store: VariantStore, filter: VariantFilter) -> list[str]:
    return store.query(filter)["key"].to_list()


def test_what_is_in_it(store: VariantStore) -> None:
    info = store.info()
    assert store.samples == ("ANN", "BOB", "CAT", "DAN")
    assert (store.assembly, store.absence, info["annotation"]) == ("GRCh38", "unknown", "CSQ")
    assert (info["records"], info["alleles"], info["samples"]) == (5, 6, 4)
    assert [(contig["chrom"], contig["alleles"], contig["first"], contig["last"]) for contig in info["contigs"]] == [
        ("1", 1, 1000, 1000), ("16", 4, 100, 300), ("X", 1, 500, 500),
    ]  # fmt: skip
    assert [source["file"] for source in info["sources"]] == ["few.vcf.gz"]
    assert store.genes() == ["AAA", "PKD1", "TSC2"]
    assert store.verify() == {"alleles": 6, "claimed": 0, "differing": 0}


def test_counts_of_everybody(store: VariantStore) -> None:
    names = [
        "key",
        "hom_ref",
        "het",
        "hom_alt",
        "other",
        "missing",
        "haploid",
        "hemizygous",
        "ac",
        "an",
        "carriers",
        "homozygous",
    ]
    assert store.counts().select(names).rows() == [
        ("1-1000-G-A", 2, 1, 1, 0, 0, 0, 0, 3, 8, 2, 1),
        ("16-100-C-T", 2, 1, 0, 0, 1, 0, 0, 1, 6, 1, 0),
        ("16-200-CTT-C", 0, 2, 0, 2, 0, 0, 0, 2, 8, 2, 0),
        ("16-200-CT-C", 0, 2, 1, 1, 0, 0, 0, 4, 8, 3, 1),
        ("16-300-A-<DEL>", 3, 1, 0, 0, 0, 0, 0, 1, 8, 1, 0),
        ("X-500-A-G", 0, 1, 0, 0, 1, 2, 1, 2, 4, 2, 0),
    ]


def test_counts_of_some(store: VariantStore) -> None:
    by_name = store.counts(samples=["BOB", "ANN", "NEVER SEQUENCED"])
    assert by_name.equals(store.counts(samples=np.array([True, True, False, False])))
    assert by_name.select("key", "ac", "an").rows()[-1] == ("X-500-A-G", 2, 3)
    nobody = store.counts(samples=[])
    assert len(nobody) == 6
    assert nobody.select("ac", "an", "missing", "hom_ref").sum().row(0) == (0, 0, 0, 0)


def test_a_mask_of_another_length_is_refused(store: VariantStore) -> None:
    with pytest.raises(BadInput, match="one truth for each sample"):
        store.counts(samples=np.array([True]))


def test_carriers(store: VariantStore) -> None:
    assert store.carriers(variants(impact="high").in_genes("PKD1"), ["ANN", "BOB", "CAT"]).rows() == [
        ("16-200-CTT-C", "PKD1", "HIGH", "frameshift_variant", "ANN", 1),
        ("16-200-CTT-C", "PKD1", "HIGH", "frameshift_variant", "BOB", 1),
        ("16-200-CT-C", "PKD1", "HIGH", "frameshift_variant", "BOB", 1),
        ("16-200-CT-C", "PKD1", "HIGH", "frameshift_variant", "CAT", 2),
        ("16-300-A-<DEL>", "PKD1", "HIGH", "feature_truncation", "ANN", 1),
    ]


def test_an_allele_on_two_genes_has_a_carrier_row_for_each(store: VariantStore) -> None:
    assert store.carriers(variants(keys=["16-100-C-T"])).rows() == [
        ("16-100-C-T", "TSC2", "HIGH", "stop_gained", "BOB", 1),
        ("16-100-C-T", "PKD1", "MODIFIER", "downstream_gene_variant", "BOB", 1),
    ]


def test_an_allele_on_no_gene_still_has_carriers(store: VariantStore) -> None:
    assert store.carriers(variants(keys=["X-500-A-G"])).rows() == [
        ("X-500-A-G", None, None, None, "ANN", 1),
        ("X-500-A-G", None, None, None, "BOB", 1),
    ]


PKD1 = ["16-200-CTT-C", "16-200-CT-C", "16-300-A-<DEL>"]
QUESTIONS = {
    "high impact must be on the gene itself": (variants(impact="high").in_genes("PKD1"), PKD1),
    "a gene by its id": (variants(impact="high").in_genes("ENSG_PKD1"), PKD1),
    "a second gene of a variant": (variants().in_genes("pkd1"), ["16-100-C-T", *PKD1]),
    "two genes": (variants(consequence=["stop_gained", "missense"]).in_genes("TSC2", "AAA"), ["1-1000-G-A", "16-100-C-T"]),
    "rare, unknown counting as never seen": (variants(impact="high", max_af=0.001), ["16-100-C-T", "16-200-CTT-C", "16-300-A-<DEL>"]),
    "common": (variants(min_af=0.2), ["1-1000-G-A", "16-200-CT-C"]),
    "a region is 1-based and closed": (variants().in_region("chr16:200-300"), PKD1),
    "a deletion that reaches into a region": (variants().in_region("16:400"), ["16-300-A-<DEL>"]),
    "one base after it": (variants().in_region("16:401"), []),
    "a long REF that reaches into a region": (variants().in_region("16:202-203"), PKD1[:2]),
    "two regions": (variants().in_region("X", "1:1000"), ["1-1000-G-A", "X-500-A-G"]),
    "PASS": (variants(filters="PASS"), ["16-100-C-T", *PKD1]),
    "unfiltered or failed": (variants(filters=[".", "q10"]), ["1-1000-G-A", "X-500-A-G"]),
    "no key at all": (variants(keys=[]), []),
    "keys": (variants(keys=["X-500-A-G", "9-1-A-C"]), ["X-500-A-G"]),
    "a gene nobody has": (variants().in_genes("BRCA1"), []),
    "a chromosome nobody has": (variants().in_region("7"), []),
}  # fmt: skip


@pytest.mark.parametrize(("filter", "expected"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_questions(filter: VariantFilter, expected: list[str], store: VariantStore) -> None:
    assert keys(store, filter) == expected
    assert store.counts(filter)["key"].to_list() == expected
    assert set(store.carriers(filter)["key"]) == set(expected)


def test_a_row_speaks_of_the_effect_that_matched(store: VariantStore) -> None:
    columns = ["gene", "impact", "consequence", "lof"]
    assert store.query(variants(keys=["16-100-C-T"]), columns).row(0) == ("TSC2", "HIGH", "stop_gained", "HC")
    downstream = variants(keys=["16-100-C-T"]).in_genes("PKD1")
    assert store.query(downstream, columns).row(0) == ("PKD1", "MODIFIER", "downstream_gene_variant", None)
    assert store.counts(downstream)["gene"].to_list() == ["PKD1"]


def test_a_pooled_frequency_is_for_all_sites_to_resolve(store: VariantStore) -> None:
    asked = variants(max_af=0.2, af="pooled")
    with pytest.raises(BadInput, match="resolve"):
        store.query(asked)
    counted = store.counts(asked.without_af())
    resolved = asked.resolved(dict(zip(counted["key"], counted["ac"] / counted["an"], strict=True)))
    assert not resolved.needs_pooled_af
    assert keys(store, resolved) == ["16-100-C-T", "16-300-A-<DEL>"]


def test_an_unknown_column_is_refused(store: VariantStore) -> None:
    with pytest.raises(BadInput, match="no column 'gt'"):
        store.query(columns=["gt"])


# -- The folder ---------------------------------------------------------------------------------------------------------

TWO = [record("22 100 A C", "0/0 0/1"), record("22 200 G T", "1/1 0/1")]


def made(folder: Path, *records: str, name: str = "a", **options: object) -> VariantStore:
    ingest([write(folder / f"{name}.vcf.gz", vcf(*records))], folder / name, **options)  # type: ignore[arg-type]
    return VariantStore.open(folder / name)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf.gz", vcf(*TWO))
    for out in ("one", "other"):
        ingest([file], tmp_path / out)
    files = [sorted(path for path in (tmp_path / out).rglob("*") if path.is_file()) for out in ("one", "other")]
    assert [path.name for path in files[0]] == ["index.parquet", "samples.parquet", "store.json", "00000.parquet"]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_nothing_is_left_behind_but_the_store(tmp_path: Path) -> None:
    made(tmp_path, *TWO)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.vcf.gz"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "index.parquet",
        "samples.parquet",
        "store.json",
        "variants",
    ]


def test_a_store_is_never_written_over(tmp_path: Path) -> None:
    made(tmp_path, *TWO)
    with pytest.raises(NotAllowed, match="already there"):
        ingest([tmp_path / "a.vcf.gz"], tmp_path / "a")


def test_several_files_make_one_store_in_genome_order(tmp_path: Path) -> None:
    files = [
        write(
            tmp_path / f"{chrom}.vcf", vcf(record(f"{chrom} 5 A C", "0/1 0/0"), record(f"{chrom} 9 G T,A", "0/2 0/0"))
        )
        for chrom in ("X", "chr2", "10", "GL000207.1", "1")
    ]
    ingest(files, tmp_path / "store")
    found = VariantStore.open(tmp_path / "store").query(columns=["chrom", "pos", "ref", "alt"])
    assert found["chrom"].unique(maintain_order=True).to_list() == ["1", "2", "10", "X", "GL000207.1"]
    assert found.rows()[:3] == [("1", 5, "A", "C"), ("1", 9, "G", "A"), ("1", 9, "G", "T")]


def test_files_of_other_people_are_refused(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{names[0]}.vcf", vcf(TWO[0], samples=names)) for names in ("A B", "B A", "C D")]
    with pytest.raises(BadFile, match=r"another order \(B.vcf\)"):
        ingest(files[:2], tmp_path / "store")
    with pytest.raises(BadFile, match=r"not those of the first file \(C.vcf\)"):
        ingest(files[::2], tmp_path / "store")


def test_the_assembly_is_told_or_detected_or_asked_for(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.vcf", vcf(TWO[0], contigs={}))
    with pytest.raises(BadInput, match="no header tells the assembly"):
        ingest([silent], tmp_path / "a")
    assert ingest([silent], tmp_path / "a", assembly="GRCh38")["assembly"] == "GRCh38"
    telling = write(tmp_path / "telling.vcf", vcf(TWO[1]))
    assert ingest([silent, telling], tmp_path / "b")["assembly"] == "GRCh37"
    with pytest.raises(BadFile, match="of GRCh37, not of GRCh38"):
        ingest([telling], tmp_path / "c", assembly="GRCh38")
    with pytest.raises(BadInput, match="'hg19' is unknown"):
        ingest([telling], tmp_path / "c", assembly="hg19")
    other = write(tmp_path / "other.vcf", vcf(TWO[1], contigs={"1": 248956422}))
    with pytest.raises(BadFile, match="keep assemblies apart"):
        ingest([telling, other], tmp_path / "c")


def test_an_annotation_that_was_expected_and_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="declares no such INFO field"):
        made(tmp_path, *TWO, annotation="CSQ")


def test_positions_out_of_order_are_sorted(tmp_path: Path) -> None:
    store = made(tmp_path, *reversed(TWO))
    assert store.query()["key"].to_list() == ["22-100-A-C", "22-200-G-T"]
    assert store.counts()["ac"].to_list() == [1, 3]


def test_a_chromosome_that_comes_back_is_sorted_and_noted(tmp_path: Path) -> None:
    store = made(tmp_path, TWO[0], record("X 1 A C", "0/0 0/1"), TWO[1])
    assert store.query()["key"].to_list() == ["22-100-A-C", "22-200-G-T", "X-1-A-C"]
    assert store.counts()["ac"].to_list() == [1, 3, 1]
    assert [note["found"] for note in store.info()["notes"]] == [
        "its records are not in order of chromosome and position, and were sorted"
    ]


NAMES = ["chrM", "chr1", "chr10", "chr11", "chr2", "chr21", "chr3", "chrX", "chrUn_9", "chrUn_10", "chr1_alt"]


@pytest.mark.parametrize("suffix", ["vcf.gz", "bcf"])
def test_chromosomes_may_stand_in_any_order(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reference has them, or by the alphabet: a file that is sorted in its own order is no smaller for it."""
    monkeypatch.setattr(FINISHING, "SORT_IN_MEMORY", 0)
    lines = [record(f"{name} {pos} A C", "0/0 0/1") for name in NAMES for pos in range(1, 1_500)]
    contigs = {name: 16_569 if name == "chrM" else 100_000_000 for name in NAMES}
    file = write(tmp_path / f"a.{suffix}", vcf(*lines, contigs=contigs))
    ingest([file], tmp_path / "store", assembly="GRCh38")
    store = VariantStore.open(tmp_path / "store")
    found = store.query(columns=["chrom", "pos"])
    assert found["chrom"].unique(maintain_order=True).to_list() == [
        "1", "2", "3", "10", "11", "21", "X", "MT", "1_alt", "Un_10", "Un_9",
    ]  # fmt: skip
    assert found.group_by("chrom").agg(pl.col("pos").is_sorted())["pos"].all()
    assert len(found) == len(lines)
    assert store.info()["notes"] == []
    assert [row["alleles"] for row in store.info()["contigs"]] == [1_499] * len(NAMES)
    asked = variants(keys=["2-700-A-C", "MT-5-A-C", "Un_10-1400-A-C"])
    assert store.counts(asked)["ac"].to_list() == [1, 1, 1]
    assert len(list(source_records(store, asked, file))) == 3


def test_too_many_out_of_order_are_not_sorted_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FINISHING, "SORT_IN_MEMORY", 1)
    # Within one batch the order is mended at no cost.
    assert made(tmp_path, *reversed(TWO)).query()["pos"].to_list() == [100, 200]
    files = [write(tmp_path / f"{pos}.vcf", vcf(record(f"22 {pos} A C", "0/0 0/1"), TWO[1])) for pos in (5, 7)]
    with pytest.raises(BadFile, match="sort them by position"):
        ingest(files, tmp_path / "b")


def test_the_variants_of_one_position_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["nhsgen.variants.batches"], "_RECORDS", 2)
    monkeypatch.setattr(FINISHING, "SORT_IN_MEMORY", 0)
    lines = [record(f"22 {pos} A {alt}", "0/0 0/1") for pos in (5, 6, 7) for alt in "TGC"]
    assert made(tmp_path, *lines, workers="threads").query(columns=["pos", "alt"]).rows() == [
        (pos, alt) for pos in (5, 6, 7) for alt in "CGT"
    ]


def test_a_variant_listed_twice_is_refused_but_not_a_structural_one(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="listed twice at 22:100"):
        made(tmp_path, TWO[0], TWO[0], name="snv")
    deletions = [record("22 100 A <DEL>", "0/0 0/1", info=f"END={end}") for end in (900, 300)]
    assert made(tmp_path, *deletions, name="sv").query()["end"].to_list() == [300, 900]


def test_records_without_alt_have_no_row_and_are_counted(tmp_path: Path) -> None:
    info = made(tmp_path, record("22 50 A .", "0/0 0/0"), *TWO).info()
    assert (info["records"], info["records_without_alt"], info["alleles"]) == (3, 1, 2)


def test_a_file_without_records_is_a_store_without_rows(tmp_path: Path) -> None:
    ingest([write(tmp_path / "a.vcf", vcf(samples="A B"))], tmp_path / "a")
    store = VariantStore.open(tmp_path / "a")
    assert store.counts(variants().in_genes("PKD1")).is_empty()
    assert store.carriers().columns == ["key", "gene", "impact", "consequence", "sample", "copies"]
    assert (store.query(variants().in_region("22")).shape[0], store.genes(), store.verify()["alleles"]) == (0, [], 0)


def test_half_calls_and_haploid_calls_keep_their_kind(tmp_path: Path) -> None:
    store = made(
        tmp_path, record("X 100 A C", "./1 0/. . 1 0 ./. 0/0 1/1"), record("X 200 A C", "0/0 0/1 0 1 . 0/0 0/0 0/0")
    )
    assert store.counts().select("half", "haploid", "hemizygous", "missing", "ac", "an", "carriers").rows() == [
        (2, 2, 1, 2, 4, 8, 3),
        (0, 2, 1, 1, 2, 12, 2),
    ]
    # The man without a call at one of the two places is one of the same set of men.
    assert pq.read_table(tmp_path / "a" / "samples.parquet")["haploid"].to_pylist() == [
        [],
        [],
        [0],
        [0],
        [0],
        [],
        [],
        [],
    ]


def test_the_claims_of_a_file_are_compared_with_its_genotypes(tmp_path: Path) -> None:
    claims = ("AC=1;AN=4", "AC=3;AN=4", "AC=.;AN=4", ".")
    store = made(tmp_path, *(record(f"22 {pos} A C", "0/0 0/1", info=claim) for pos, claim in enumerate(claims, 1)))
    assert store.verify() == {"alleles": 4, "claimed": 2, "differing": 1}


def test_row_groups_are_pruned_and_cross_no_boundary_wrongly(tmp_path: Path) -> None:
    lines = [record(f"22 {pos} {'A' * 30} C", "0/0 0/1") for pos in range(1, 4003, 2)]
    store = made(tmp_path, *lines)
    assert len(pq.read_table(tmp_path / "a" / "index.parquet")) == 2
    assert store.query(variants(keys=[f"22-{pos}-{'A' * 30}-C" for pos in (1, 2001, 4001)]))["pos"].to_list() == [
        1,
        2001,
        4001,
    ]
    for start, end in ((1990, 2010), (2001, 2001), (1, 5000), (4030, 4030), (4031, 4031)):
        expected = [pos for pos in range(1, 4003, 2) if pos <= end and pos + 29 >= start]
        assert store.query(variants().in_region(f"22:{start}-{end}"))["pos"].to_list() == expected
    assert store.counts()["pos"].to_list() == list(range(1, 4003, 2))


def test_a_column_may_be_empty_in_one_stretch_and_not_in_another(tmp_path: Path) -> None:
    lines = [record(f"22 {pos} A C", "0/0 0/1") for pos in range(1, 9_000)]
    store = made(tmp_path, *lines, record("22 9000 CTT CT", "./. 1/1"))
    counted = store.counts()
    assert counted["key"].to_list()[-1] == "22-9000-CT-C"
    assert counted.select("missing", "homozygous").sum().row(0) == (1, 1)
    assert len(store.query()) == 9_000


@pytest.mark.parametrize("name", ["variants/00000.parquet", "samples.parquet", "index.parquet"])
def test_a_changed_store_is_not_believed(name: str, tmp_path: Path) -> None:
    store = made(tmp_path, *TWO)
    file = tmp_path / "a" / name
    data = bytearray(file.read_bytes())
    for place in (len(data) // 4, len(data) // 2, len(data) - 9):
        data[place] ^= 1
        file.write_bytes(data)
        for look in (lambda: list(VariantStore.open(tmp_path / "a").genotypes()), store.verify):
            with pytest.raises(Tampered, match="its bytes changed"):
                look()
        data[place] ^= 1
    file.unlink()
    with pytest.raises(Tampered, match="a file is gone"):
        VariantStore.open(tmp_path / "a")


def test_what_is_no_store_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        VariantStore.open(tmp_path)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(BadFile, match="cannot be read"):
        VariantStore.open(tmp_path)
    (tmp_path / "store.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(BadFile, match="another version"):
        VariantStore.open(tmp_path)


def test_anybody_can_read_it_with_polars(store: VariantStore) -> None:
    table = pl.read_parquet(store.path / "variants" / "*.parquet")
    carriers = table.filter(pl.col("pos") == 1000).select("one_copy", "two_copies", "no_call").row(0)
    assert carriers == ([0], [3], [])


# -- Filters in words ---------------------------------------------------------------------------------------------------

SENTENCES = {
    "all alleles": variants(),
    "alleles in PKD1": variants().in_genes("PKD1"),
    "alleles with HIGH or MODERATE impact on PKD1 or PKD2": variants(impact=["moderate", "high"]).in_genes(
        "PKD2", "PKD1"
    ),
    "alleles with the consequence stop_gained": variants(consequence="stop_gained"),
    "alleles in 16:100-200 with a pooled frequency of at most 0.01": variants(max_af=0.01, af="pooled").in_region(
        "16:100-200"
    ),
    "2 given alleles with FILTER PASS": variants(keys=["1-5-A-C", "1-6-A-C"], filters="PASS"),
    "alleles with a reference population frequency of at least 0.01 and at most 0.05": variants(min_af=0.01).rare(0.05),
}


@pytest.mark.parametrize(("sentence", "filter"), SENTENCES.items())
def test_filters_speak_english(sentence: str, filter: VariantFilter) -> None:
    assert filter.describe() == sentence


@pytest.mark.parametrize(
    ("plain", "found"),
    [
        ({"impact": "hgih"}, "did you mean HIGH"),
        ({"consequence": "missence"}, "did you mean missense_variant"),
        ({"colour": "red"}, "'colour' is unknown"),
        ({"gene": "A", "genes": ["B"]}, "said twice"),
        ({"genes": 7}, "not a list of texts"),
        ({"genes": ["A, B"]}, "not one gene"),
        ({"max_af": 2}, "not a number from 0 to 1"),
        ({"max_af": "rare"}, "not a number from 0 to 1"),
        ({"max_af": 0.1, "min_af": 0.2}, "min_af is above max_af"),
        ({"max_af": 0.1, "af": "mine"}, "'mine' is unknown"),
        ({"region": "chr1:5-2"}, "ends before it starts"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(plain: dict[str, object], found: str) -> None:
    with pytest.raises(BadInput, match=found):
        VariantFilter.from_dict(plain)
