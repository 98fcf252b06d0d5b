"""The variant commands, as somebody at a terminal uses them: what they print, what they write, what they say of what is not there."""

from pathlib import Path

import polars as pl
import pysam
import pytest
import typer
from variant_files import CSQ, csq, record, vcf, write

from nhsgen import hardy
from nhsgen.cli import app, main
from nhsgen.errors import BadFile, BadInput, NotAllowed, NotFound
from nhsgen.variants import VariantStore, ingest

GTF = '22\tx\tgene\t{}\t{}\t.\t+\t.\tgene_id "{}"; gene_name "{}";\n'


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    """The exit code, the lines printed and what was said beside them, of `nhsgen variants` and these words."""
    code = 0
    try:
        main(["variants", *map(str, words)])
    except SystemExit as left:
        code = int(left.code or 0)
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of five alleles and four people, C and D of them men, and small files about them."""
    here = tmp_path_factory.mktemp("cli")
    annotated = {
        place: f"CSQ={csq(alt, term, impact, gene, ALLELE_NUM='1', gnomADe_AF=af)}"
        for place, alt, term, impact, gene, af in (
            (100, "C", "stop_gained", "HIGH", "INVS", ""),
            (200, "G", "missense_variant", "MODERATE", "INVS", "0.2"),
            (300, "T", "synonymous_variant", "LOW", "GLIS2", "0.01"),
        )
    }
    lines = (
        record("22 100 A C", "0/1 0/0 0/0 0/0", info=annotated[100]),
        record("22 200 A G", "0/1 1/1 0/0 ./.", info=annotated[200], filter="q10"),
        record("22 300 C T", "0/0 0/0 0/1 0/0", info=annotated[300], filter="."),
        record("22 400 C G", "./. ./. ./. ./."),
        record("X 5000000 A T", "0/1 0/0 1 0"),
    )
    source = write(here / "four.vcf.gz", vcf(*lines, samples="A B C D", info=[CSQ]))
    ingest([source], here / "store", absence="reference")
    (here / "women.txt").write_text("A\r\nB\n\n")
    (here / "some.txt").write_text("A\nnobody-here\n")
    (here / "strangers.txt").write_text("nobody-here\n")
    (here / "empty.txt").write_text("\n")
    (here / "latin.txt").write_bytes(b"A\xe9\n")
    (here / "names.tsv").write_text("A\tP1\nB\tP2\n")
    (here / "cut.tsv").write_text("A\tP1\nB\n")
    (here / "twice.tsv").write_text("A\tP1\nA\tP2\n")
    (here / "panel.txt").write_text("INVS\nNPHP99\n")
    (here / "genes.gtf").write_text(GTF.format(90, 110, "ENSG1", "INVS") + GTF.format(310, 320, "ENSG2", "GLIS2"))
    return here


# -- What there is ------------------------------------------------------------------------------------------------------


def test_info_says_what_a_store_holds_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, beside = told(capsys, "info", folder / "store")
    assert (code, beside) == (0, "")
    assert lines == [
        f"{folder / 'store'}: 4 samples, 5 alleles from 5 records, GRCh37",
        "  annotation: CSQ",
        "  where no variant is listed, everybody has the reference: a joint call set",
        "contigs",
        "  22               4 alleles, 100 to 400",
        "  X                 1 allele, 5,000,000 to 5,000,000",
        "made from",
        f"  four.vcf.gz  sha256 {VariantStore.open(folder / 'store').info()['sources'][0]['sha256'][:16]}...",
    ]


def test_ingest_says_what_was_made_and_at_most_ten_oddities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [record(f"22 {100 + number} A C", "0/1", info=f"ODD{number}=1") for number in range(12)]
    source = write(tmp_path / "odd.vcf", vcf(*lines, record("22 900 A .", "0/0")))
    code, said, _ = told(capsys, "ingest", source, "--out", tmp_path / "store", "--min-dp", 10, "--min-gq", 20)
    assert code == 0
    assert said[:6] == [
        f"{tmp_path / 'store'}: 1 sample, 12 alleles from 13 records, GRCh37",
        "  1 record without an ALT allele",
        "  annotation: none: no question about genes, consequences or impact finds anything",
        "  where no variant is listed, nothing is known, but for what a gVCF's blocks say",
        "  genotypes with DP below 10 count as not called",
        "  genotypes with GQ below 20 count as not called",
    ]
    odd = said[said.index("odd, but harmless") + 1 :]
    assert len(odd) == 11
    assert all(line.startswith("  odd.vcf") for line in odd[:-1])
    assert odd[-1].endswith("more in store.json")


def test_verify_says_what_the_files_claim_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = record("22 100 A C", "0/1 0/0", info="AC=1;AN=4"), record("22 200 A C", "0/1 0/0", info="AC=9;AN=90")
    told(capsys, "ingest", write(tmp_path / "cut.vcf", vcf(*lines)), "--out", tmp_path / "store")
    code, said, _ = told(capsys, "verify", tmp_path / "store")
    assert code == 0
    assert said[0] == "unchanged; the counts of all 2 alleles are what the genotypes say"
    assert said[1].startswith("for 1 of 2 the source files claim another AC or AN")


# -- Which alleles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ("", [100, 200, 300, 400, 5000000]),
        ("--region 22:150-250 --region X", [200, 5000000]),
        ("--gene INVS", [100, 200]),
        ("--gene ENSG_INVS --impact high", [100]),
        ("--consequence missense --consequence synonymous", [200, 300]),
        ("--gene INVS --max-af 0.1", [100]),
        ("--min-af 0.01 --max-af 0.1", [300]),
        ("--filter PASS --region 22:1-350", [100]),
        ("--filter . --filter q10", [200, 300]),
        ("--key 22-200-A-G --key X-5000000-A-T", [200, 5000000]),
        ("--panel {f}/panel.txt", [100, 200]),
        ("--genes-from {f}/genes.gtf --gene GLIS2", []),
        ("--genes-from {f}/genes.gtf --gene GLIS2 --padding 10", [300]),
        ("--genes-from {f}/genes.gtf --gene INVS --gene GLIS2 --padding 90", [100, 200, 300, 400]),
        ("--samples {f}/women.txt", [100, 200, 5000000]),
    ],
)
def test_each_choice_reaches_the_store(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, places: list[int]
) -> None:
    words = options.format(f=folder).split()
    code, lines, _ = told(capsys, "query", folder / "store", *words, "--out", tmp_path / "found.parquet")
    assert code == 0
    assert pl.read_parquet(tmp_path / "found.parquet")["pos"].to_list() == places
    assert lines == [f"{len(places)} allele{'s' * (len(places) != 1)}, in {tmp_path / 'found.parquet'}"]


def test_the_choice_is_the_same_for_every_question() -> None:
    group = typer.main.get_command(app).commands["variants"]  # type: ignore[attr-defined]
    options = {name: {option.name for option in group.commands[name].params} for name in ("query", "counts", "export")}
    assert options["query"] - {"carriers"} == options["counts"] == options["export"] - {"rename"}
    assert {"region", "gene", "panel", "confidence", "max_af", "min_af", "samples", "key"} < options["counts"]


def test_a_table_for_the_eye_and_one_for_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "query", folder / "store", "--gene", "INVS"
    assert told(capsys, *asked)[1] == [
        "key         gene  consequence       impact     af  ac  an  hom_alt  clinvar  filter",
        "----------  ----  ----------------  --------  ---  --  --  -------  -------  ------",
        "22-100-A-C  INVS  stop_gained       HIGH            1   8        0           PASS",
        "22-200-A-G  INVS  missense_variant  MODERATE  0.2   3   6        1           q10",
        "2 alleles",
    ]
    told(capsys, *asked, "--out", tmp_path / "found.tsv")
    found = pl.read_csv(tmp_path / "found.tsv", separator="\t")
    assert found.select("key", "gene", "af", "ac").rows() == [
        ("22-100-A-C", "INVS", None, 1),
        ("22-200-A-G", "INVS", 0.2, 3),
    ]
    assert "genes" not in found.columns  # a list, which .parquet alone can hold


def test_forty_rows_are_printed_and_the_others_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [record(f"22 {100 + number} A C", "0/1") for number in range(45)]
    told(capsys, "ingest", write(tmp_path / "many.vcf", vcf(*lines)), "--out", tmp_path / "store")
    _, said, _ = told(capsys, "query", tmp_path / "store")
    assert said[-3].startswith("22-139-A-C")
    assert said[-2:] == ["not shown: 5 more rows; --out writes all", "45 alleles"]


@pytest.mark.parametrize(
    ("columns", "header", "row", "also"),
    [
        (90, "key gene consequence impact af ac an hom_alt clinvar filter", "22-200-A-G INVS missense_variant MODERATE 0.2 3 6 1 q10", ""),
        (82, "key gene consequence impact af ac an hom_alt clinvar filter", "22-200-A-G INVS missense_varia… MODERATE 0.2 3 6 1 q10", ""),
        (60, "key gene consequence impact af ac an", "22-200-A-G INVS missense_varia… MODERATE 0.2 3 6",
         "not shown: the columns hom_alt, clinvar, filter; --out writes all"),
        (5, "key", "22-200-A-G", "not shown: the columns gene, consequence, impact, af, ac, an, hom_alt, clinvar, filter; --out writes all"),
    ],
)  # fmt: skip
def test_in_a_terminal_a_row_is_one_line_and_what_is_left_out_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    columns: int, header: str, row: str, also: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = told(capsys, "query", folder / "store", "--gene", "INVS")[1]
    assert [lines[0].split(), lines[3].split()] == [header.split(), row.split()]
    assert lines[4:] == [*([also] if also else []), "2 alleles"]
    assert max(map(len, lines[:4])) <= max(columns, 10)


def test_without_samples_it_shows_what_the_file_claims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told(
        capsys,
        "ingest",
        write(tmp_path / "sites.vcf", vcf(record("22 100 A C", info="AC=3;AN=6"))),
        "--out",
        tmp_path / "store",
    )
    _, said, _ = told(capsys, "query", tmp_path / "store")
    assert said[0].split()[-4:] == ["info_ac", "info_an", "clinvar", "filter"]
    assert said[2].split() == ["22-100-A-C", "3", "6", "PASS"]


# -- How many, and who --------------------------------------------------------------------------------------------------


def test_query_counts_among_the_samples_it_is_given(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, "query", folder / "store", "--samples", folder / "women.txt", "--out", tmp_path / "women.tsv")
    found = pl.read_csv(tmp_path / "women.tsv", separator="\t")
    assert found.select("pos", "hom_ref", "het", "hom_alt", "ac", "an").rows() == [
        (100, 1, 1, 0, 1, 4), (200, 0, 1, 1, 3, 4), (5000000, 1, 1, 0, 1, 4),
    ]  # fmt: skip


def test_carriers_are_a_row_for_each_person_and_allele(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "query", folder / "store", "--gene", "INVS", "--carriers"
    code, said, beside = told(capsys, *asked)
    assert (code, beside) == (0, "note: a row is a person: this is for use inside the site's walls only\n")
    assert [line.split() for line in said[2:]] == [
        ["A", "22-100-A-C", "INVS", "1", "stop_gained", "HIGH"],
        ["A", "22-200-A-G", "INVS", "1", "missense_variant", "MODERATE"],
        ["B", "22-200-A-G", "INVS", "2", "missense_variant", "MODERATE"],
        ["2", "samples", "with", "2", "alleles"],
    ]
    for name in ("who.tsv", "who.parquet"):
        assert told(capsys, *asked, "--out", tmp_path / name)[1] == [f"2 samples with 2 alleles, in {tmp_path / name}"]
    who = pl.read_csv(tmp_path / "who.tsv", separator="\t")
    assert who.columns == ["key", "gene", "impact", "consequence", "sample", "copies"]
    assert who.rows() == pl.read_parquet(tmp_path / "who.parquet").rows()


def test_counts_with_frequency_and_hardy_weinberg(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, said, _ = told(capsys, "counts", folder / "store", "--out", tmp_path / "counts.parquet")
    assert said == [f"5 alleles among 4 samples, in {tmp_path / 'counts.parquet'}"]
    counted = pl.read_parquet(tmp_path / "counts.parquet").select("pos", "ac", "an", "missing", "af", "hwe_p").rows()
    on_x = float(hardy.exact_x([1], [0], [1], [1], [1])[0])
    assert counted == [
        (100, 1, 8, 0, 1 / 8, 1.0),
        (200, 3, 6, 1, 1 / 2, float(hardy.exact([1], [1], [1])[0])),
        (300, 1, 8, 0, 1 / 8, 1.0),
        (400, 0, 0, 4, None, None),  # nobody was called: not a frequency of 0
        (5000000, 2, 6, 0, 1 / 3, on_x),
    ]


def test_hardy_weinberg_takes_all_other_alleles_as_one_and_leaves_out_what_does_not_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = record("22 100 A C,G", "0/1 1/2 2/2 1/1 0/2"), record("MT 100 A G", "0 1 0 1 0")
    source = write(tmp_path / "mixed.vcf", vcf(*lines, contigs={"22": 51304566, "MT": 16569}))
    told(capsys, "ingest", source, "--out", tmp_path / "store")
    told(capsys, "counts", tmp_path / "store", "--out", tmp_path / "counts.parquet")
    counted = pl.read_parquet(tmp_path / "counts.parquet")
    of_c = float(hardy.exact([2], [1], [2])[0])  # 0/1 and 1/2; 1/1; 2/2 and 0/2
    of_g = float(hardy.exact([2], [1], [2])[0])  # 1/2 and 0/2; 2/2; 0/1 and 1/1
    assert counted.select("key", "hwe_p").rows() == [("22-100-A-C", of_c), ("22-100-A-G", of_g), ("MT-100-A-G", None)]


# -- Files for other tools ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["query", "export"])
@pytest.mark.parametrize("suffix", [".vcf", ".vcf.gz", ".bcf"])
def test_a_file_of_a_cohort(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, suffix: str
) -> None:
    out = tmp_path / f"women{suffix}"
    code, said, beside = told(
        capsys, command, folder / "store", "--samples", folder / "women.txt", "--region", "22", "--out", out
    )
    assert (code, said) == (
        0,
        [f"2 records, 2 alleles, 2 samples, in {out}", "left out: 2 alleles that nobody of them carries"],
    )
    assert beside.startswith("note: a row is a person")
    with pysam.VariantFile(str(out)) as file:
        assert list(file.header.samples) == ["A", "B"]
        assert [(line.pos, [person["GT"] for person in line.samples.values()]) for line in file] == [
            (100, [(0, 1), (0, 0)]), (200, [(0, 1), (1, 1)]),
        ]  # fmt: skip
    code, _, beside = told(capsys, command, folder / "store", "--out", out)
    assert (code, "already there" in beside) == (NotAllowed.exit_code, True)


def test_people_get_new_names(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(
        capsys, "export", folder / "store", "--samples", folder / "women.txt", "--rename", folder / "names.tsv",
        "--out", tmp_path / "women.bcf",
    )  # fmt: skip
    assert said[0] == 0
    with pysam.VariantFile(str(tmp_path / "women.bcf")) as file:
        assert list(file.header.samples) == ["P1", "P2"]


# -- What is not there, and what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("--gene INVS --gene PDK1", "no allele here is annotated with a gene called PDK1"),
        ("--panel {f}/panel.txt", "no allele here is annotated with a gene called NPHP99"),
        ("--region chr7:1-9", "the store lists no allele on a chromosome called 7"),
        ("--key 22-100-A-C --key 22-101-A-C", "not listed: 1 of the 2 alleles asked for; nobody here carries these"),
        ("--samples {f}/some.txt", "not in the store: 1 of the 2 names in some.txt"),
    ],
)
def test_what_the_store_has_not_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], options: str, note: str
) -> None:
    for command in ("query", "counts"):
        code, _, beside = told(capsys, command, folder / "store", *options.format(f=folder).split())
        assert (code, beside) == (0, f"note: {note}\n")


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("counts {s} --samples {f}/gone.txt", NotFound, "there is no such file|gone.txt|check the path"),
        ("counts {s} --samples {f}/empty.txt", BadFile, "there are none|empty.txt"),
        ("counts {s} --samples {f}/latin.txt", BadFile, "not UTF-8|latin.txt"),
        ("counts {s} --samples {f}/strangers.txt", BadInput, "none of these names|strangers.txt"),
        ("counts {s} --max-af 7", BadInput, "not a number from 0 to 1"),
        ("counts {s} --panel {f}/gone.json", NotFound, "no such file|gone.json"),
        ("counts {s} --padding 5", BadInput, "it takes --genes-from"),
        ("counts {s} --genes-from {f}/genes.gtf", BadInput, "say which genes"),
        ("counts {s} --genes-from {f}/genes.gtf --gene INV", NotFound, "did you mean INVS?"),
        ("counts {s} --out {f}/counts.vcf", BadInput, "'.vcf' is not a form we write|use .tsv, .parquet"),
        ("query {s} --carriers --out {f}/who.vcf", BadInput, "'.vcf' is not a form we write|use .tsv, .parquet"),
        ("query {s} --out {f}/found.pgen", BadInput, "'.pgen' is not a form we write|.vcf.gz, .bcf"),
        ("export {s} --out {f}/out.tsv", BadInput, "'.tsv' is not a form we write|.bcf, .pgen"),
        ("export {s} --rename {f}/cut.tsv --out {f}/a.vcf", BadFile, "not two names|cut.tsv, line 2"),
        ("export {s} --rename {f}/twice.tsv --out {f}/a.vcf", BadFile, "an earlier line|twice.tsv, line 2"),
        ("export {s} --rename {f}/names.tsv --out {f}/a.vcf", BadInput, "2 of them have no new name"),
        ("ingest {f}/four.vcf.gz --out {f}/s --annotation ANN", BadFile, "declares no such INFO field"),
        ("ingest {f}/four.vcf.gz --out {f}/s --dask nowhere", BadInput, "not an address|tcp://"),
        ("ingest {f}/four.vcf.gz --out {f}/s --reference {f}/gone.fa", NotFound, "gone.fa"),
    ],
)
def test_a_mistake_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, kind: type[BadInput], sentence: str
) -> None:
    before = sorted(folder.iterdir())
    code, said, beside = told(capsys, *words.format(s=folder / "store", f=folder).split())
    assert (code, said) == (kind.exit_code, [])
    assert beside.startswith("nhsgen: ")
    assert len(beside.splitlines()) == 1
    assert all(part in beside for part in sentence.split("|"))
    assert "nobody-here" not in beside  # a name is a person's
    assert sorted(folder.iterdir()) == before
