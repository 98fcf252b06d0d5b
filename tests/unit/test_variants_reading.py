"""Every way a variant file can be wrong has one sentence, with the file and the line; nothing is skipped."""

from pathlib import Path

import pytest
from variant_files import record, vcf, write

from nhsgen.errors import BadFile, NotFound
from nhsgen.variants import VariantStore, ingest

GOOD = record("22 100 A C", "0/0 0/1")
BAD_RECORDS = {
    "a column is missing": (GOOD.rpartition("\t")[0], "it has 10 columns, the header says 11"),
    "a column too many": (GOOD + "\t0/0", "it has 12 columns, the header says 11"),
    "no position": (record("22 abc A C", "0/0 0/1"), "POS is not a whole number"),
    "a negative position": (record("22 -5 A C", "0/0 0/1"), "POS is not a whole number"),
    "a position in scientific notation": (record("22 1e3 A C", "0/0 0/1"), "POS is not a whole number"),
    "beyond the contig": (record("22 51304568 A C", "0/0 0/1"), "POS is outside its contig of 51,304,566 bases"),
    "beyond any contig": (record("9 99999999999999 A C", "0/0 0/1"), "POS is outside its contig"),
    "no contig": (record(" 100 A C", "0/0 0/1"), "CHROM is not the name of a contig"),
    "a bad REF": (record("22 100 Q! C", "0/0 0/1"), "REF is not written in the letters of DNA"),
    "an empty REF": (record("22 100  C", "0/0 0/1"), "REF is not written in the letters of DNA"),
    "an empty ALT": (record("22 100 A ", "0/0 0/1"), "ALT is not an allele"),
    "ALT as REF": (record("22 100 A a", "0/0 0/1"), "ALT is the same as REF"),
    "ALT twice": (record("22 100 A C,C", "0/0 0/1"), "ALT names an allele twice"),
    "QUAL in words": (record("22 100 A C", "0/0 0/1", qual="high"), "QUAL is not a number"),
    "END in words": (record("22 100 A <DEL>", "0/0 0/1", info="END=far"), "INFO END is not a whole number"),
    "AC in words": (record("22 100 A C", "0/0 0/1", info="AC=abc"), "INFO AC is not a whole number"),
    "AN too large": (record("22 100 A C", "0/0 0/1", info="AN=99999999999"), "INFO AN is not a whole number"),
    "AC for another number of ALTs": (record("22 100 A C,G", "0/0 0/1", info="AC=1"), "INFO AC has 1 values where 2"),
    "an allele that is not there": (record("22 100 A C", "0/0 0/7"), "a genotype names an allele that the record"),
    "letters for a genotype": (record("22 100 A C", "0/0 a/b"), "not a genotype of one or two alleles"),
    "a negative allele": (record("22 100 A C", "0/0 -1"), "not a genotype of one or two alleles"),
    "three alleles": (record("22 100 A C", "0/0 0/0/1"), "not a genotype of one or two alleles"),
    "no GT": (GOOD.replace("\tGT\t", "\tDP\t"), "it has no genotypes (GT)"),
    "GT not first": (GOOD.replace("\tGT\t", "\tDP:GT\t"), "GT is not the first part of FORMAT"),
    "an empty line": ("", "it has 1 columns, the header says 11"),
}


@pytest.mark.parametrize(("line", "found"), BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_a_bad_record_is_named_with_its_line(line: str, found: str, tmp_path: Path) -> None:
    text = vcf(GOOD, line, record("22 200 G T", "1/1 0/1"), samples="S1 S2")
    where = 1 + text.splitlines().index(line)
    with pytest.raises(BadFile) as error:
        ingest([write(tmp_path / "a.vcf.gz", text)], tmp_path / "store")
    assert found in error.value.found
    assert (error.value.file, error.value.line) == ("a.vcf.gz", where)
    assert not (tmp_path / "store").exists()


HEADERS = {
    "a sample twice": (vcf(GOOD, samples="S1 S1"), "the sample of column 11 has the name of another"),
    "a sample without a name": (vcf(GOOD, samples=["S1", ""]), "the sample of column 11 has no name"),
    "a tab after the last sample": (vcf(samples="S1").replace("S1", "S1\t"), "the sample of column 11 has no name"),
    "no #CHROM line": ("##fileformat=VCFv4.3\n" + GOOD + "\n", "the header has no #CHROM line"),
    "columns of another format": (vcf(GOOD).replace("#CHROM\tPOS", "#CHROM\tSTART"), "the #CHROM line has not"),
    "a contig of no length": (vcf(GOOD).replace("length=249250621", "length=long"), "the length of a contig"),
    "contigs of two assemblies": (vcf(GOOD, contigs={"1": 248956422, "2": 243199373}), "some belong to GRCh37"),
}


@pytest.mark.parametrize(("text", "found"), HEADERS.values(), ids=HEADERS.keys())
def test_a_bad_header_is_named(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile) as error:
        ingest([write(tmp_path / "a.vcf", text)], tmp_path / "store")
    assert found in error.value.found
    assert error.value.file == "a.vcf"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        ingest([tmp_path / "none.vcf.gz"], tmp_path / "store")


MANY = vcf(*(record(f"22 {pos} A C", "0/0 0/1", id=f"rs{pow(7, pos, 10**9 + 7)}") for pos in range(1, 9000)))


@pytest.mark.parametrize("name", ["a.vcf.gz", "a.plain.vcf.gz", "a.bcf"])
@pytest.mark.parametrize("part", [0.3, 0.999])
def test_a_file_cut_short_is_never_a_smaller_store(name: str, part: float, tmp_path: Path) -> None:
    file = write(tmp_path / name, MANY)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(BadFile, match="cut short"):
        ingest([file], tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_bgzip_file_without_its_last_block_is_cut_short(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf.gz", vcf(GOOD))
    file.write_bytes(file.read_bytes()[:-28])
    with pytest.raises(BadFile, match="do not end as bgzip ends a file"):
        ingest([file], tmp_path / "store")


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf.gz", MANY)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadFile):
        ingest([file], tmp_path / "store")


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 a spreadsheet", b"chrom,pos\n22,100\n", b"\x1f\x8b garbage", b"##fileformat=VCFv3.3\n"]
)
def test_what_is_no_variant_file(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.vcf.gz").write_bytes(data)
    with pytest.raises(BadFile):
        ingest([tmp_path / "a.vcf.gz"], tmp_path / "store")


def test_characters_that_are_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="not UTF-8"):
        ingest([write(tmp_path / "a.vcf", vcf(GOOD).encode() + b"22\t200\t\xff\n")], tmp_path / "store")


@pytest.mark.parametrize("name", ["a.vcf", "a.vcf.gz", "a.plain.vcf.gz", "a.bcf", "named_wrongly.txt"])
def test_the_same_variants_however_they_are_packed(name: str, tmp_path: Path) -> None:
    text = vcf(
        record("22 100 A C,G", "0|1 1/2", info="AC=2,1;AN=4"), record("X 5 G <DEL>", "0 .", info="END=90", qual=".")
    )
    ingest([write(tmp_path / name, text)], tmp_path / "store")
    found = VariantStore.open(tmp_path / "store").query(
        columns=["key", "end", "qual", "ac", "an", "info_ac", "info_an"]
    )
    assert found.rows() == [
        ("22-100-A-C", 100, 50.0, 2, 4, 2, 4),
        ("22-100-A-G", 100, 50.0, 1, 4, 1, 4),
        ("X-5-G-<DEL>", 90, None, 0, 1, None, None),
    ]


def test_lines_that_end_as_on_windows(tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf", vcf(GOOD).replace("\n", "\r\n"))
    assert ingest([file], tmp_path / "store")["alleles"] == 1


def test_a_bad_record_of_a_bcf_is_named_by_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "a.bcf", vcf(GOOD, record("22 101 A C", "0/0 0/7")))
    with pytest.raises(BadFile, match=r"in record 2, a genotype names an allele"):
        ingest([file], tmp_path / "store")


def test_an_index_beside_the_file_is_never_opened(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("a.bcf", "b.vcf.gz"):
        file = write(tmp_path / name, vcf(GOOD))
        for suffix in (".csi", ".tbi"):
            Path(f"{file}{suffix}").write_bytes(b"no index at all")
        capfd.readouterr()
        ingest([file], tmp_path / f"store of {name}")
        assert capfd.readouterr().err == ""
