"""SAFETY 3: every seeded column and every seeded VCF leak is found; tables without one are left in peace."""

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import deidentification_cases as cases
import polars as pl
import pytest

from nhsgen.extracts.deidentification import DeidentificationReport, inspect
from nhsgen.settings import Settings

RECORD = "1\t{pos}\t{id}\tA\tG\t50\tPASS\t{info}\tGT\t0/1\t0/0\n"


def report(folder: Path, *contracts: cases.Contract) -> DeidentificationReport:
    return inspect(folder, contracts, settings=Settings(), today=cases.date(2026, 1, 1))


def vcf(samples: str = "S0001 S0002", header: str = "", id: str = ".", info: str = "AC=1;AN=4") -> bytes:
    names = "\t".join(samples.split())
    lines = f"##fileformat=VCFv4.3\n{header}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n"
    return (lines + "".join(RECORD.format(pos=pos, id=id, info=info) for pos in (10, 20))).encode()


def bgzf(data: bytes, extra: bytes = b"") -> bytes:
    """One BGZF block, with an extra field of somebody's own when asked, and the empty block that ends a file."""

    def block(content: bytes, extra: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(content) + packer.flush()
        size = 12 + 6 + len(extra) + len(packed) + 8
        fields = b"BC\x02\x00" + struct.pack("<H", size - 1) + extra
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<H", len(fields)) + fields
        return head + packed + struct.pack("<II", zlib.crc32(content), len(content))

    return block(data, extra) + block(b"", b"")


STRING = '##INFO=<ID={name},Number=.,Type=String,Description="{about}">\n'
LEAKS: dict[str, tuple[str, bytes, str]] = {
    "the command line of bcftools view with the samples' names": (
        "a.vcf", vcf(header="##bcftools_viewCommand=view -s S0001,S0002 in.vcf.gz; Date=Mon Jan  5 2026\n"), "vcf_sample_list"),
    "a home directory and an NHS number in an input path": (
        "a.vcf", vcf(header="##bcftools_viewCommand=view /data/home_jsmith/NHS_9434765919.vcf.gz\n"), "vcf_names_people"),
    "a command line without names": (
        "a.vcf", vcf(header='##DRAGENCommandLine=<ID=dragen,CommandLineOptions="--vc-emit">\n'), "vcf_command_line"),
    "a SAMPLE line": ("a.vcf", vcf(header="##SAMPLE=<ID=S0001,Sex=F,Disease=x>\n"), "vcf_people"),
    "a PEDIGREE line": ("a.vcf", vcf(header="##PEDIGREE=<ID=S0001,Mother=S0002>\n"), "vcf_people"),
    "a path of the laboratory": ("a.vcf", vcf(header="##reference=file:///labs/ward7/ref.fa\n"), "vcf_path"),
    "a date": ("a.vcf", vcf(header="##fileDate=20260105\n"), "vcf_date"),
    "samples named by NHS numbers": ("a.vcf", vcf(samples="9434765919 9876543210"), "vcf_sample_names"),
    "samples named by names": ("a.vcf", vcf(samples="smith_margaret khan_oliver"), "vcf_sample_names"),
    "a sample with the name of the file": ("S0001.vcf", vcf(), "vcf_file_name"),
    "an INFO field that lists carriers": (
        "a.vcf", vcf(header=STRING.format(name="CARRIERS", about="Who has it"), info="AC=1;CARRIERS=S0999"), "vcf_sample_list"),
    "ids of the laboratory's own": ("a.vcf", vcf(id="WARD7-0012"), "vcf_ids"),
    "a field between the blocks": ("a.vcf.gz", bgzf(vcf(), extra=b"XX\x04\x00abcd"), "compression"),
    "sites of somebody who was taken out": ("a.vcf", vcf(info="AC=0;AN=4"), "vcf_private_sites"),
}  # fmt: skip


@pytest.mark.parametrize("case", cases.COLUMNS)
def test_a_seeded_column(case: str, tmp_path: Path) -> None:
    name, cells, detector = cases.COLUMNS[case]
    pl.DataFrame({name: cells}).write_csv(tmp_path / "t.csv")
    found = {finding.detector for finding in report(tmp_path).findings}
    if case == "one NHS number in text":
        assert found <= {
            "nhs_number"
        }  # ten digits pass by chance once in eleven: shown when they pass, and never blocking
        assert report(tmp_path).passed
    elif detector is None:
        assert found == set()
    else:
        assert detector in found


@pytest.mark.parametrize("case", LEAKS)
def test_a_seeded_leak_in_a_vcf(case: str, tmp_path: Path) -> None:
    name, content, detector = LEAKS[case]
    (tmp_path / name).write_bytes(content)
    assert detector in {finding.detector for finding in report(tmp_path).findings}


def test_a_plain_vcf_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "cohort.vcf").write_bytes(
        vcf(header='##contig=<ID=1,length=248956422>\n##INFO=<ID=AC,Number=A,Type=Integer,Description="x">\n')
    )
    (tmp_path / "packed.vcf.gz").write_bytes(bgzf(vcf(id="rs123")))
    assert report(tmp_path).findings == ()


def test_the_counts_of_safety_3(tmp_path: Path) -> None:
    """All columns and leaks found, at most two false flags on twenty clean tables."""
    tables = cases.clean_tables()
    contract = cases.contract(*(cases.table(file, list(columns), keys) for file, (columns, keys) in tables.items()))
    for file, (columns, _) in tables.items():
        pl.DataFrame(columns).write_csv(tmp_path / file)
    false = report(tmp_path, contract).findings
    assert len(tables) == 20
    assert [finding.id for finding in false] == []


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "t.csv": lambda frame, path: frame.write_csv(path),
    "t.tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "t.parquet": lambda frame, path: frame.write_parquet(path),
    "t.csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv().encode())),
    "t.tsv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.write_csv(separator="\t").encode())),
}


@pytest.mark.parametrize("file", WRITERS)
def test_every_form_of_a_table_is_read(file: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [f"{cases.nhs_number('4')}" for _ in range(30)]})
    WRITERS[file](frame, tmp_path / file)
    (finding,) = report(tmp_path).blocking
    assert (finding.id, finding.rows, finding.first_row, finding.may_be_lifted) == (
        f"nhs_number:{file}.x",
        30,
        1,
        False,
    )


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64])
def test_nhs_numbers_stored_as_numbers(kind: type[pl.DataType], tmp_path: Path) -> None:
    pl.DataFrame({"x": [int(cases.nhs_number("6")) for _ in range(30)]}, schema={"x": kind}).write_parquet(
        tmp_path / "t.parquet"
    )
    assert [finding.detector for finding in report(tmp_path).blocking] == ["nhs_number"]
