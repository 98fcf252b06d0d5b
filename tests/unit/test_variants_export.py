"""Files written from a store: what stands in them, what does not, and what other tools make of them."""

import gzip
import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pysam
import pytest
from variant_files import CSQ, csq, record, vcf, write

from nhsgen.errors import BadInput, MissingExtra, NotAllowed, NotFound, StorageFailed, Tampered
from nhsgen.variants import VariantFilter, VariantStore, ingest, variants
from nhsgen.variants.export import export
from nhsgen.variants.export.files import BGZF_END

FORMS = (".vcf", ".vcf.gz", ".bcf")


def stored(folder: Path, *records: str, **more: object) -> VariantStore:
    ingest([write(folder / "source.vcf", vcf(*records, **more))], folder / "store")  # type: ignore[arg-type]
    return VariantStore.open(folder / "store")


def body(path: Path) -> list[str]:
    """The lines below the header, blanks for tabs."""
    with pysam.VariantFile(str(path)) as file:
        return [str(line).rstrip("\n").replace("\t", " ") for line in file]


# -- What is written ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMS)
def test_a_store_as_a_file(tmp_path: Path, suffix: str) -> None:
    store = stored(
        tmp_path,
        record("22 100 A C", "0|1 1/1 ./. 0/0", info="AC=3;AN=6", id="rs1", qual="12.5"),
        record("22 200 A C,G", "1|2 ./2 0/0 2/2", info="AC=1,.;AN=9", id="rs2;rs3", filter="q10;s50"),
        record("22 200 A <DEL>,*", "0/2 1/1 0/0 0/0", info="END=300", filter=".", qual="."),
        record("X 300 AT A", "0 1 . 0/1"),
    )
    assert export(store, tmp_path / f"out{suffix}") == {
        "samples": 4, "records": 4, "alleles": 6, "absent": 0, "not_called": 0,
    }  # fmt: skip
    assert body(tmp_path / f"out{suffix}") == [
        "22 100 rs1 A C 12.5 PASS AC=3;AN=6 GT 0/1 1/1 ./. 0/0",
        "22 200 . A <DEL>,* . . END=300 GT 0/2 1/1 0/0 0/0",
        "22 200 rs2;rs3 A C,G 50 q10;s50 AC=1,.;AN=9 GT 1/2 ./2 0/0 2/2",
        "X 300 . AT A 50 PASS . GT 0 1 . 0/1",
    ]


def test_a_store_without_samples(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C,G", info="AC=3,1;AN=6"))
    for suffix in FORMS:
        export(store, tmp_path / f"out{suffix}")
        assert body(tmp_path / f"out{suffix}") == ["22 100 . A C,G 50 PASS AC=3,1;AN=6"]
    with pytest.raises(BadInput, match=r"the store has no samples, and a \.pgen cannot be empty"):
        export(store, tmp_path / "out.pgen")


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("alts", [12, 63, 130])
def test_more_alleles_than_one_digit_or_one_byte_can_name(tmp_path: Path, suffix: str, alts: int) -> None:
    names = ["A" * number + "C" for number in range(1, alts + 1)]
    calls = ["0/0", f"{alts - 1}/{alts}", f"{alts}", "./9", "./."]
    store = stored(tmp_path, record(f"22 100 A {','.join(names)}", " ".join(calls)))
    export(store, tmp_path / f"out{suffix}")
    # The store has the alleles in its own order; in the record they have the source's.
    assert body(tmp_path / f"out{suffix}")[0].split(" ")[4:5] == [",".join(names)]
    assert body(tmp_path / f"out{suffix}")[0].split(" ")[9:] == calls


@pytest.mark.parametrize("suffix", FORMS)
def test_somebody_with_an_allele_that_the_filter_leaves_out_is_never_ref(tmp_path: Path, suffix: str) -> None:
    store = stored(tmp_path, record("22 100 A C,G,T", "0/0 0/1 0/2 1/2 2/2 ./2 2 1 3/3 ./."))
    said = export(store, tmp_path / f"out{suffix}", filter=variants(keys=["22-100-A-C", "22-100-A-T"]))
    assert body(tmp_path / f"out{suffix}") == ["22 100 . A C,T 50 PASS . GT 0/0 0/1 ./0 ./1 ./. ./. . 1 2/2 ./."]
    assert said == {"samples": 10, "records": 1, "alleles": 2, "absent": 0, "not_called": 5}


def test_sisters_are_found_at_many_places_and_at_the_telomere(tmp_path: Path) -> None:
    places = [f"{contig} {pos}" for contig in ("1", "2") for pos in range(0 if contig == "1" else 7, 9_000, 60)]
    records = [record(f"{place} N C,G", "1/2 0/2 0/0") for place in places]
    store = stored(tmp_path, *records)
    keys = [f"{place.replace(' ', '-')}-N-C" for place in places]
    for number, some in enumerate((keys, keys[1:])):
        export(store, tmp_path / f"{number}.vcf", filter=variants(keys=some))
        assert [line.split(" ")[9:] for line in body(tmp_path / f"{number}.vcf")] == [["./1", "./0", "0/0"]] * len(some)


def test_two_records_of_one_place_are_told_apart_by_their_genotypes(tmp_path: Path) -> None:
    store = stored(
        tmp_path, record("22 100 A C,T", "0/1 0/2 0/0 1/2 0/0"), record("22 100 A <DEL>,G", "0/2 1/1 0/0 0/0 1/2")
    )
    export(store, tmp_path / "out.vcf")
    assert [line.split(" ", 8)[4:] for line in body(tmp_path / "out.vcf")] == [
        ["<DEL>,G", "50", "PASS", ".", "GT 0/2 1/1 0/0 0/0 1/2"],
        ["C,T", "50", "PASS", ".", "GT 0/1 0/2 0/0 1/2 0/0"],
    ]


@pytest.mark.parametrize("suffix", FORMS)
def test_what_stands_for_any_other_allele_is_put_back(tmp_path: Path, suffix: str) -> None:
    store = stored(
        tmp_path,
        record("22 100 A C,<NON_REF>", "0/1 2/2 ./. 0 1/1", info="AC=3,2;AN=7"),
        record("22 100 A <*>,G", "0/0 0/2 ./2 ./. 0/0", id="rs1"),
    )
    export(store, tmp_path / f"out{suffix}")
    lines = [line.split(" ") for line in body(tmp_path / f"out{suffix}")]
    assert lines[0][4:5] + lines[0][7:] == ["C,<NON_REF>", "AC=3,.;AN=7", "GT", "0/1", "2/2", "./.", "0", "1/1"]
    # Which of the two names it had a store does not remember.
    assert lines[1][2:5] + lines[1][8:] == ["rs1", "A", "<NON_REF>,G", "GT", "0/0", "0/2", "./2", "./.", "0/0"]
    said = export(store, tmp_path / f"cohort{suffix}", samples=["S1", "S2", "S3"])
    lines = [line.split(" ") for line in body(tmp_path / f"cohort{suffix}")]
    assert [line[4:5] + line[9:] for line in lines] == [["C", "0/1", "./.", "./."], ["G", "0/0", "0/1", "./1"]]
    assert (said["alleles"], said["not_called"]) == (2, 1)


def test_effects_frequency_and_clinvar_are_read_again(tmp_path: Path) -> None:
    said = ",".join(
        (
            csq("C", "stop_gained", "HIGH", "PKD1", HGVSp="ENSP1:p.Arg5%3D", LoF="HC", CLIN_SIG="benign&likely_benign", ALLELE_NUM="1"),
            csq("C", "intron_variant", "MODIFIER", "", Gene="ENSG9", gnomADe_AF="1.5e-05", ALLELE_NUM="1"),
            csq("G", "", "", "", gnomADe_AF="0.25", ALLELE_NUM="2"),
            csq("T", "intergenic_variant", "MODIFIER", "", BIOTYPE="", Feature="", ALLELE_NUM="3"),
        )
    )  # fmt: skip
    store = stored(tmp_path, record("22 100 A C,G,T", "0/1 0/0", info=f"CSQ={said}"), info=[CSQ])
    for suffix in FORMS:
        export(store, tmp_path / f"out{suffix}")
        ingest([tmp_path / f"out{suffix}"], tmp_path / f"again{suffix}")
        assert VariantStore.open(tmp_path / f"again{suffix}").query().equals(store.query())
    assert store.query()["af"].to_list() == [1.5e-05, 0.25, None]
    assert "p.Arg5%3D" in (tmp_path / "out.vcf").read_text()


def test_genes_on_which_the_effect_is_equally_severe_stay_in_their_order(tmp_path: Path) -> None:
    said = ",".join(
        (
            csq("C", "intron_variant", "MODIFIER", "AAA"),
            csq("C", "intron_variant", "MODIFIER", "CCC", CANONICAL="YES"),
            csq("C", "intron_variant", "MODIFIER", "BBB", MANE_SELECT="NM_1"),
        )
    )
    store = stored(tmp_path, record("22 100 A C", "0/1", info=f"CSQ={said}"), info=[CSQ])
    assert [gene["gene"] for gene in store.query()["genes"][0]] == ["BBB", "CCC", "AAA"]
    export(store, tmp_path / "out.vcf")
    ingest([tmp_path / "out.vcf"], tmp_path / "again")
    assert VariantStore.open(tmp_path / "again").query().equals(store.query())


# -- A cohort -----------------------------------------------------------------------------------------------------------

LEAKS = (
    "##bcftools_viewCommand=view -s Nobody,MrSmith /home/jsmith/NHS_9434765919.vcf.gz; Date=Mon Jan  1 00:00:00 2024",
    "##SAMPLE=<ID=MrSmith,Description=\"secret\">", "##PEDIGREE=<ID=MrSmith,Father=MrJones>", "##source=secretCaller",
    "##reference=file:///home/jsmith/ref.fa", "##fileDate=20240101", "##FILTER=<ID=secretFilter,Description=\"MrSmith\">",
    "##INFO=<ID=CARRIERS,Number=.,Type=String,Description=\"secret\">", "##META=<ID=secret,Values=[MrSmith]>",
)  # fmt: skip


def leaky(folder: Path) -> VariantStore:
    return stored(
        folder,
        record("22 100 A C,G,T", "0/1 0/2 0/0 1/1", info="AC=3,1,0;AN=8;CARRIERS=MrSmith", id="rs1;lab-MrSmith;COSV5"),
        record("22 200 A C", "0/0 0/1 0/0 0/0", info="AC=1;AN=8;CARRIERS=MrSmith", id="secret", filter="secretFilter"),
        record("22 300 A <DEL>,<secret>", "0/1 0/2 ./. 0", id="secret;COSM7"),
        record("Unplaced_secret 7 A C", "0/0 1/1 0/0 0/0"),
        samples="Asha MrSmith Ben MrJones",
        info=LEAKS,
    )


def everything(path: Path) -> bytes:
    """All bytes that a file says, unpacked."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.mark.parametrize("suffix", [*FORMS, ".pgen"])
def test_a_cohorts_file_says_nothing_of_anybody_else(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    if suffix == ".pgen":
        pytest.importorskip("pgenlib", reason="the 'pgen' extra is not installed")
    names = {"Asha": "P1", "Ben": "P2", "MrJones": "P3", "MrSmith": "P4"}
    said = export(leaky(tmp_path), out, samples=["MrJones", "Asha", "Ben", "never sequenced"], rename=names)
    assert (said["samples"], said["alleles"], said["absent"]) == (3, 2, 5)
    files = sorted(path for path in tmp_path.iterdir() if path.name.startswith("out."))
    for word in (
        b"secret",
        b"Smith",
        b"Jones",
        b"Asha",
        b"CARRIERS",
        b"home",
        b"2024",
        b"lab",
        b"Caller",
        b"PEDIGREE",
        b"P4",
    ):
        assert [path.name for path in files if word in everything(path) or word in path.read_bytes()] == []
    if suffix != ".pgen":
        assert body(out) == [
            "22 100 rs1 A C 50 PASS AC=3;AN=6 GT 0/1 0/0 1/1",
            "22 300 . A <DEL> 50 PASS AC=1;AN=3 GT 0/1 ./. 0",
        ]


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_the_header_is_made_of_an_allow_list(tmp_path: Path, suffix: str) -> None:
    export(leaky(tmp_path), tmp_path / f"out{suffix}", samples=["Asha"], rename={"Asha": "P1"})
    with pysam.VariantFile(str(tmp_path / f"out{suffix}")) as file:
        lines = [re.sub("Description=.*", "...", line) for line in str(file.header).splitlines()]
    contigs = [line for line in lines if line.startswith("##contig")]
    assert len(contigs) == 25
    assert "##contig=<ID=22,length=51304566,assembly=GRCh37>" in contigs
    assert sorted(line for line in lines if line not in contigs) == sorted([
        "##fileformat=VCFv4.3", "##FILTER=<ID=PASS,...", "##INFO=<ID=AC,Number=A,Type=Integer,...",
        "##INFO=<ID=AN,Number=1,Type=Integer,...", "##INFO=<ID=END,Number=1,Type=Integer,...",
        "##FORMAT=<ID=GT,Number=1,Type=String,...", "##ALT=<ID=DEL,...",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1",
    ])  # fmt: skip


def test_a_block_has_no_room_for_a_name_or_a_date(tmp_path: Path) -> None:
    store = stored(tmp_path, *(record(f"22 {pos} A C", "0/1 0/0 " * 300) for pos in range(1, 101)))
    export(store, tmp_path / "out.vcf.gz")
    data, blocks = (tmp_path / "out.vcf.gz").read_bytes(), 0
    assert data.endswith(BGZF_END)
    while data:
        assert data[:16].hex() == "1f8b08040000000000ff060042430200"
        data = data[int.from_bytes(data[16:18], "little") + 1 :]
        blocks += 1
    assert blocks > 3


def test_of_nobody_or_under_bad_names_nothing_is_written(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1 0/0"), samples="Asha Ben")
    for samples, rename, found in (
        (["Carys"], None, "nobody of it is in the store"),
        (None, {"Asha": "P1"}, "1 of them have no new name"),
        (None, {"Asha": "P1", "Ben": "P1"}, "two of them get the same name"),
        (["Asha"], {"Asha": " "}, "a new name is empty"),
        (["Asha"], {"Asha": "P\t1"}, "has a tab or line break in it"),
    ):
        with pytest.raises(BadInput, match=found) as told:
            export(store, tmp_path / "out.vcf", samples=samples, rename=rename)
        assert "Asha" not in str(told.value)
    assert {path.name for path in tmp_path.iterdir()} == {"source.vcf", "store"}


def test_a_cohort_without_any_variant_is_a_file_without_records(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1 0/0"))
    for suffix in FORMS:
        said = export(store, tmp_path / f"out{suffix}", samples=["S2"])
        assert said == {"samples": 1, "records": 0, "alleles": 0, "absent": 1, "not_called": 0}
        assert body(tmp_path / f"out{suffix}") == []


# -- Whole or not there -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "there"), [("out.vcf", "out.vcf"), ("out.vcf.gz", "out.vcf.gz.csi"), ("out.bcf", "out.bcf"), ("out.pgen", "out.pvar")]
)  # fmt: skip
def test_what_is_there_stays(tmp_path: Path, out: str, there: str) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1"))
    (tmp_path / there).write_text("mine")
    with pytest.raises(NotAllowed, match=f"exporting variants failed: {there} is already there"):
        export(store, tmp_path / out)
    assert (tmp_path / there).read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"source.vcf", "store", there}


def test_a_place_that_is_taken_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, link = stored(tmp_path, record("22 100 A C", "0/1")), os.link

    def late(source: Path, target: Path) -> None:
        if target.name == "out.vcf.gz":
            target.write_text("mine")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(NotAllowed, match=r"out\.vcf\.gz is already there"):
        export(store, tmp_path / "out.vcf.gz")
    assert {path.name for path in tmp_path.iterdir()} == {"source.vcf", "store", "out.vcf.gz"}
    assert (tmp_path / "out.vcf.gz").read_text() == "mine"


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk is to whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [*FORMS, ".pgen"])
@pytest.mark.parametrize("size", [0, 100, 1_500, 3_500])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, suffix: str, size: int) -> None:
    if suffix == ".pgen":
        pytest.importorskip("pgenlib", reason="the 'pgen' extra is not installed")
    random = np.random.default_rng(1)
    calls = [" ".join(random.choice(["0/0", "0/1", "1/1"], 400)) for _ in range(200)]
    store = stored(tmp_path, *(record(f"22 {pos} A C", text) for pos, text in enumerate(calls, 1)))
    with no_file_larger_than(size), pytest.raises(StorageFailed, match="run it again"):
        export(store, tmp_path / f"out{suffix}")
    assert {path.name for path in tmp_path.iterdir()} == {"source.vcf", "store"}
    export(store, tmp_path / f"out{suffix}")


def test_what_breaks_in_between_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stored(tmp_path, record("22 100 A C,G,T,AT", "1/2 0/0"))
    alleles, states = next(store.genotypes())
    wrong = states.copy()
    wrong[:, 1] = [1, 3, 0, 0]  # called at one allele of the record, not called at the other
    monkeypatch.setattr(VariantStore, "genotypes", lambda *_: iter([(alleles, wrong)]))
    for suffix in FORMS:
        with pytest.raises(
            Tampered, match=r"the record at 22:100 failed: the rows of its alleles contradict each other"
        ):
            export(store, tmp_path / f"out{suffix}")
    assert {path.name for path in tmp_path.iterdir()} == {"source.vcf", "store"}
    monkeypatch.setattr(VariantStore, "genotypes", lambda *_: iter([(alleles.head(1), states[:1])]))
    with pytest.raises(Tampered, match="contradict"):
        export(store, tmp_path / "out.vcf")


def test_a_name_that_no_header_can_hold_is_refused(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1", filter='a,Description="x"'))
    with pytest.raises(BadInput, match="the name of its FILTER cannot stand in a header"):
        export(store, tmp_path / "out.vcf")


def test_a_count_that_bcf_cannot_hold_is_refused(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1", info="AC=4000000000;AN=4000000000"))
    with pytest.raises(BadInput, match=r"a number in it is larger than BCF can hold; write \.vcf\.gz instead"):
        export(store, tmp_path / "out.bcf")


def test_a_form_or_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    store = stored(tmp_path, record("22 100 A C", "0/1"))
    with pytest.raises(BadInput, match=r"'\.bed' is not a form we write; use \.vcf, \.vcf\.gz, \.bcf, \.pgen"):
        export(store, tmp_path / "out.bed")
    with pytest.raises(NotFound, match="there is no such file or folder"):
        export(store, tmp_path / "nowhere" / "out.vcf")


def test_without_pgenlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pgenlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'nhsgen\[pgen\]'"):
        export(stored(tmp_path, record("22 100 A C", "0/1")), tmp_path / "out.pgen")


# -- What other tools make of it ----------------------------------------------------------------------------------------


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


FILES = ("g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz", "g1k_chr22_100s_multiallelic_missing.GRCh37.vcf.gz",
         "g1k_ph1_chrX_26s_haploid.GRCh37.vcf.gz")  # fmt: skip


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, VariantStore]:
    folder = tmp_path_factory.mktemp("real")
    for name in FILES:
        ingest([shared_data / "variants" / name], folder / name, assembly="GRCh37")
    return {name: VariantStore.open(folder / name) for name in FILES}


QUERY = "%CHROM %POS %REF %ALT %QUAL %FILTER %AC %AN[ %GT]\n"


def unphased(text: str) -> list[str]:
    """bcftools' lines, genotypes without phase, in one order."""

    def plain(found: re.Match[str]) -> str:
        return "/".join(sorted((found[1], found[2]), key=lambda allele: -1 if allele == "." else int(allele)))

    return sorted(re.sub(r"(?<= )(\.|\d+)[|/](\.|\d+)(?= |$)", plain, line) for line in text.splitlines())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_a_cohort_is_what_bcftools_makes_of_it(
    real: dict[str, VariantStore], shared_data: Path, tmp_path: Path, name: str, suffix: str
) -> None:
    bcftools, store, out = tool("bcftools"), real[name], tmp_path / f"out{suffix}"
    keep = store.samples[1::3]
    said = export(store, out, samples=keep)
    (tmp_path / "keep").write_text("\n".join(keep) + "\n")
    view = (
        bcftools,
        "view",
        "--no-version",
        "-S",
        tmp_path / "keep",
        "-c1",
        "-a",
        "-Ou",
        "-o",
        tmp_path / "theirs.bcf",
    )
    run(*view, shared_data / "variants" / name)
    theirs = unphased(run(bcftools, "query", "-f", QUERY, tmp_path / "theirs.bcf"))
    assert unphased(run(bcftools, "query", "-f", QUERY, out)) == theirs
    assert said["records"] == len(theirs) > 100
    assert said["absent"] > 0
    # Our index: from the middle to the end.
    middle = store.query(columns=["chrom", "pos"]).row(len(theirs) // 2)
    region = f"{middle[0]}:{middle[1]}-"
    through_index = run(bcftools, "view", "-H", "-r", region, out).splitlines()
    assert through_index == run(bcftools, "view", "-H", "-t", region, out).splitlines()
    assert len(through_index) > 100


@pytest.mark.parametrize("name", FILES)
def test_pgen_counts_what_the_store_counts(real: dict[str, VariantStore], tmp_path: Path, name: str) -> None:
    pgenlib = pytest.importorskip("pgenlib", reason="the 'pgen' extra is not installed")
    store, chosen = real[name], real[name].samples[::2]
    said = export(store, tmp_path / "out.pgen", samples=chosen, rename={who: f"P{n}" for n, who in enumerate(chosen)})
    counts = store.counts(samples=chosen).filter(pl.col("ac") > 0)
    expected = counts.select(
        pl.col("hom_ref") + pl.col("haploid") - pl.col("hemizygous"),
        "het",
        pl.col("hom_alt") + pl.col("hemizygous"),
        pl.col("missing") + pl.col("half") + pl.col("other"),
    ).rows()
    reader, found = pgenlib.PgenReader(bytes(tmp_path / "out.pgen")), np.empty(4, dtype=np.uint32)
    for number, row in enumerate(expected):
        reader.count(number, found)
        assert tuple(found) == row
    assert reader.get_variant_ct() == said["alleles"] == len(expected)
    assert said["not_called"] == counts["half"].sum() + counts["other"].sum()
    reader.close()
    run(tool("plink2"), "--pfile", tmp_path / "out", "--geno-counts", "--out", tmp_path / "plink")
    theirs = pl.read_csv(tmp_path / "plink.gcount", separator="\t", schema_overrides={"#CHROM": pl.String})
    people = ("HOM_REF_CT", "HET_REF_ALT_CTS", "TWO_ALT_GENO_CTS", "MISSING_CT")
    assert theirs.select(people).rows() == expected  # whose sex is unknown counts as diploid on X
    assert theirs["REF", "ALT"].rows() == counts["ref", "alt"].rows()


def test_pgen_of_men(tmp_path: Path) -> None:
    """What PLINK 2 makes of people with one allele: without their sex, and with it."""
    if importlib.util.find_spec("pgenlib") is None:
        pytest.skip("the 'pgen' extra is not installed")
    plink2 = tool("plink2")
    store = stored(
        tmp_path, record("X 3000000 A C", "0 1 0/1 1/1 ./1"), record("Y 3000000 A C", "0 1 . . ."), record("MT 5 A C", "0 1 1 . 0"),
        contigs={"X": 155270560, "Y": 59373566, "MT": 16569},
    )  # fmt: skip
    export(store, tmp_path / "out.pgen")
    (tmp_path / "sex").write_text("#IID\tSEX\nS1\t1\nS2\t1\nS3\t2\nS4\t2\nS5\t2\n")

    def counted(*more: str | Path) -> list[tuple[int, ...]]:
        run(plink2, "--pfile", tmp_path / "out", *more, "--geno-counts", "--out", tmp_path / "plink")
        return [
            tuple(map(int, line.split("\t")[4:])) for line in (tmp_path / "plink.gcount").read_text().splitlines()[1:]
        ]

    # Homozygous REF, het, homozygous ALT, one allele REF, one allele ALT, missing.
    assert counted() == [(1, 1, 2, 0, 0, 1), (0, 0, 0, 0, 0, 0), (0, 0, 0, 2, 2, 1)]
    assert counted("--update-sex", tmp_path / "sex") == [(0, 1, 1, 1, 1, 1), (0, 0, 0, 1, 1, 0), (0, 0, 0, 2, 2, 1)]


def test_plink2_takes_no_blank_in_a_name(tmp_path: Path) -> None:
    pytest.importorskip("pgenlib", reason="the 'pgen' extra is not installed")
    store = stored(tmp_path, record("22 100 A C", "0/1"))
    with pytest.raises(BadInput, match="give other names with rename"):
        export(store, tmp_path / "out.pgen", rename={"S1": "P 1"})


def test_a_filter_and_a_cohort_together(tmp_path: Path) -> None:
    said = (
        csq("C", "stop_gained", "HIGH", "PKD1", ALLELE_NUM="1")
        + ","
        + csq("G", "intron_variant", "MODIFIER", "PKD1", ALLELE_NUM="2")
    )
    store = stored(
        tmp_path, record("22 100 A C,G", "0/1 1/2 0/2 0/0", info=f"CSQ={said}"), record("22 101 A T", "1/1 1/1 1/1 1/1"), info=[CSQ]
    )  # fmt: skip
    asked: VariantFilter = variants(impact="high")
    assert export(store, tmp_path / "one.vcf", filter=asked, samples=["S2", "S3"])["not_called"] == 2
    assert [line.split(" ")[4:5] + line.split(" ")[9:] for line in body(tmp_path / "one.vcf")] == [["C", "./1", "./0"]]
    assert export(store, tmp_path / "two.vcf", filter=asked, samples=["S3", "S4"])["absent"] == 1
    assert body(tmp_path / "two.vcf") == []
