"""Every way a variant file can be wrong has one sentence, with the file and the line; nothing is skipped."""

import hashlib
import pickle
import re
from itertools import combinations_with_replacement, groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from variant_files import record, vcf, write

from nhsgen.errors import BadFile, NotFound
from nhsgen.variants import VariantStore, ingest, variants
from nhsgen.variants.headers import Field, Header, Notes, read_header
from nhsgen.variants.reading import CRLF, Order, check_checksum, open_variants
from nhsgen.variants.records import Wrong, read_record

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


# -- Notes --------------------------------------------------------------------------------------------------------------

NOTED_RECORDS = {
    "three alleles": (
        record("22 150 A C", "0/0 0/0/1"),
        "a genotype has three or more alleles, and counts as nothing called",
    ),
    "no GT": (
        record("22 150 A C", "1 2").replace("\tGT\t", "\tDP\t"),
        "a record has samples but no genotypes (GT), and counts as nothing called",
    ),
}


@pytest.mark.parametrize(("line", "found"), NOTED_RECORDS.values(), ids=NOTED_RECORDS.keys())
def test_what_is_nothing_called_is_noted_and_counted_as_missing(line: str, found: str, tmp_path: Path) -> None:
    text = vcf(GOOD, line, record("22 200 G T", "1/1 0/1"), samples="S1 S2")
    file = write(tmp_path / "a.vcf.gz", text)
    with open_variants(file) as opened:
        assert len(list(opened.records)) == 3
    where = 1 + text.splitlines().index(line)
    assert {"line": where, "found": found, "times": 1} in opened.notes.entries
    ingest([file], tmp_path / "store")
    row = VariantStore.open(tmp_path / "store").query(variants(keys=["22-150-A-C"]), ["missing", "ac"]).row(0)
    assert row == ((1, 0) if "three" in found else (2, 0))


def test_notes_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    file, notes = write(tmp_path / "a.vcf", vcf(GOOD).replace("\n", "\r\n")), Notes()
    with open_variants(file, notes) as opened:
        assert opened.notes is notes
        list(opened.records)
    assert {"line": 1, "found": CRLF, "times": len(vcf(GOOD).splitlines())} in notes.entries


FOUND = st.sampled_from(["INFO DP is not a number", "QUAL is negative", "FORMAT GQ is not a whole number"])
MET = st.lists(st.tuples(st.none() | st.integers(1, 99), FOUND), max_size=20)


@given(MET, MET)
def test_notes_of_two_parts_are_the_notes_of_the_whole(
    one: list[tuple[int | None, str]], other: list[tuple[int | None, str]]
) -> None:
    first, second, whole = Notes(), Notes(), Notes()
    for line, found in one:
        first.add(line, found)
        whole.add(line, found)
    for line, found in other:
        second.add(line, found)
        whole.add(None if line is None else line + 100, found)
    first.merge(pickle.loads(pickle.dumps(second)), line_offset=100)
    assert first.entries == whole.entries
    assert [entry["line"] or 0 for entry in first.entries] == sorted(entry["line"] or 0 for entry in first.entries)


def test_notes_stay_few_whatever_is_found() -> None:
    notes = Notes()
    for number in range(10_000):
        notes.add(number, f"INFO X{number} is not declared in the header")
    assert len(notes.entries) == 201
    assert sum(entry["times"] for entry in notes.entries) == 10_000


# -- Headers ------------------------------------------------------------------------------------------------------------


def test_a_header_as_it_is_declared() -> None:
    lines = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed",IDX=0>',
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="depth, \\"all\\" reads",IDX=1>',
        '##FORMAT=<ID=PL,Number=G,Type=Integer,Description="likelihoods",IDX=2>',
        "##contig=<ID=1,length=9,IDX=0>",
        "##contig=<ID=2>",
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1",
        "1\t5",
    ]
    rest, notes = iter(enumerate(lines, 1)), Notes()
    assert read_header("a.vcf", rest, notes) == Header(
        version="4.2",
        samples=("S1",),
        contigs={"1": 9, "2": None},
        info={"DP": Field("DP", "1", "Integer", 'depth, \\"all\\" reads')},
        formats={"PL": Field("PL", "G", "Integer", "likelihoods")},
        filters=frozenset({"PASS"}),
        lines=7,
    )
    assert (list(rest), notes.entries) == ([(8, "1\t5")], [])


# -- Records ------------------------------------------------------------------------------------------------------------


def header(**fields: Field) -> Header:
    return Header("4.3", ("S1",), {"22": 1000}, fields, {**fields, "GT": Field("GT", "1", "String")}, frozenset(), 9)


def found_in(line: str, of: Header) -> list[str]:
    notes = Notes()
    read_record(10, line, of, notes)
    return [entry["found"] for entry in notes.entries]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 40))
def test_a_number_of_g_is_one_value_for_each_genotype(alts: int, alleles: int, values: int) -> None:
    due = sum(1 for _ in combinations_with_replacement(range(alts + 1), alleles))
    line = record(f"22 100 A {','.join('CGT*'[:alts])}", "/".join("0" * alleles)).replace("GT", "GT:XG")
    found = found_in(f"{line}:{','.join('5' * values)}", header(XG=Field("XG", "G", "Integer")))
    assert ("FORMAT XG has another number of values than declared" in found) == (values != due)


@given(st.sampled_from(["A", "R", "1", "3", "."]), st.integers(0, 3), st.integers(1, 6))
def test_a_number_is_what_the_declaration_says(number: str, alts: int, values: int) -> None:
    due = {"A": alts or None, "R": alts + 1 if alts else None, ".": None}.get(number, number)
    line = record(f"22 100 A {','.join('CGT'[:alts]) or '.'}", "0/0", info=f"XN={','.join('5' * values)}")
    found = found_in(line, header(XN=Field("XN", number, "Integer")))
    assert ("INFO XN has another number of values than declared" in found) == (due is not None and int(due) != values)


TYPES = {
    "Integer": ({"0": True, "-5": True, "+7": True, ".": True, "2147483647": True, "2147483648": False, "-2147483648": False,
                 "1.0": False, "1e3": False, "x": False, "٣": False}),
    "Float": ({"1": True, "-.5": True, "1e-400": True, "1e400": False, "inf": True, "-Infinity": True, "NaN": True, "1,5x": False,
               "0x1": False, "": False}),
    "Character": ({"A": True, "%3A": True, "AB": False, "": False}),
    "String": ({"anything": True, "": True}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TYPES.items() for text in texts])
def test_a_value_is_of_its_type(kind: str, text: str) -> None:
    found = found_in(record("22 100 A C", "0/0", info=f"XT={text}"), header(XT=Field("XT", ".", kind)))
    assert any(entry.startswith("INFO XT is not") for entry in found) != TYPES[kind][text]


GENOTYPES = st.lists(st.sampled_from([".", "0", "1", "2", "12"]), min_size=1, max_size=4).flatmap(
    lambda alleles: st.lists(st.sampled_from("/|"), min_size=len(alleles) - 1, max_size=len(alleles) - 1).map(
        lambda bars: "".join(a + b for a, b in zip(alleles, [*bars, ""], strict=True))
    )
)


@given(st.lists(GENOTYPES, min_size=1, max_size=5), st.integers(1, 12))
def test_genotypes_come_back_as_they_were_written(texts: list[str], alts: int) -> None:
    of = Header("4.3", tuple(f"S{n}" for n in range(len(texts))), {}, {}, {}, frozenset(), 1)
    alleles = [[int(each) for each in re.split("[/|]", text) if each != "."] for text in texts]
    line = record(f"22 100 A {','.join(f'<{n}>' for n in range(alts))}", *texts)
    if max((max(each, default=0) for each in alleles), default=0) > alts:
        with pytest.raises(Wrong, match="a genotype names an allele that the record"):
            read_record(2, line, of, Notes())
    else:
        read = read_record(2, line, of, Notes()).genotypes
        assert read == ["./." if len(re.split("[/|]", text)) > 2 else text for text in texts]


PLACES = st.lists(st.tuples(st.sampled_from("12X"), st.integers(1, 9)), max_size=8)


@given(PLACES)
def test_the_order_of_records_is_judged_as_a_person_would(places: list[tuple[str, int]]) -> None:
    of, order, notes = Header("4.3", (), {}, {}, {}, frozenset(), 1), Order(), Notes()
    for number, (contig, pos) in enumerate(places):
        order.follow(read_record(number, record(f"{contig} {pos} A <DEL>"), of, notes), notes, number)
    found = str(notes.entries)
    parts = [contig for contig, _ in groupby(places, key=lambda place: place[0])]
    assert ("a chromosome was left and is met again" in found) == (len(parts) != len(set(parts)))
    runs = [[pos for _, pos in run] for _, run in groupby(places, key=lambda place: place[0])]
    assert ("the records are not in order of position" in found) == any(run != sorted(run) for run in runs)


def test_what_is_wrong_with_a_record_travels_between_processes() -> None:
    again = pickle.loads(pickle.dumps(Wrong("POS is not a whole number", "look")))
    assert (again.found, again.do_next) == ("POS is not a whole number", "look")


# -- Checksums ----------------------------------------------------------------------------------------------------------

GOOD_MD5 = hashlib.md5(vcf(GOOD).encode(), usedforsecurity=False).hexdigest()
CHECKSUMS = {
    "as md5sum writes it": (f"{GOOD_MD5}  a.vcf\n", None),
    "as md5sum -b writes it": (f"{GOOD_MD5} *a.vcf\n", None),
    "as BSD writes it": (f"MD5 (a.vcf) = {GOOD_MD5}\n", None),
    "the bare number": (GOOD_MD5.upper(), None),
    "with a path": (f"{GOOD_MD5}  /somewhere/a.vcf\n", None),
    "one of several files": (f"{'0' * 32}  b.vcf\n{GOOD_MD5}  a.vcf\n{'1' * 32}  aa.vcf\n", None),
    "of another file": (f"{'0' * 32}  a.vcf\n", "it is not the file that a.vcf.md5 was made of"),
    "only of other files": (f"{GOOD_MD5}  b.vcf\n", "no checksum of it, or more than one, is written there"),
    "two of it": (f"{'0' * 32}  a.vcf\n{GOOD_MD5}  a.vcf\n", "no checksum of it, or more than one, is written there"),
    "nothing": ("", "no checksum of it, or more than one, is written there"),
}


@pytest.mark.parametrize(("beside", "found"), CHECKSUMS.values(), ids=CHECKSUMS.keys())
def test_a_checksum_beside_the_file_is_compared(beside: str, found: str | None, tmp_path: Path) -> None:
    file = write(tmp_path / "a.vcf", vcf(GOOD))
    (tmp_path / "a.vcf.md5").write_text(beside)
    if found is None:
        check_checksum(file)
    else:
        with pytest.raises(BadFile) as error:
            check_checksum(file)
        assert error.value.found == found
