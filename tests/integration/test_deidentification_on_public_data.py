"""What the report says of real public files, where we know what is in them."""

from pathlib import Path

import pytest

from nhsgen.extracts.deidentification import inspect
from nhsgen.extracts.variant_headers import variant_leaks
from nhsgen.settings import Settings


def found(folder: Path) -> set[str]:
    return {
        finding.id.split(":")[0] + ":" + str(finding.column)
        for finding in inspect(folder, [], settings=Settings()).findings
    }


def test_artificial_hes(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(
        (shared_data / "phenotypes/hes_artificial/artificial_hes_apc_0102.parquet").read_bytes()
    )
    assert found(tmp_path) == {
        "age:STARTAGE", "age:STARTAGE_CALC", "birth_date:MYDOB", "identifier:AEKEY", "identifier:EPIKEY", "identifier:SUSRECID",
        "named:GPPRAC", "small_area:LSOA01", "small_area:MSOA01",
    }  # fmt: skip


def test_uk1(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes((shared_data / "phenotypes/cineca_uk1/uk1.tsv").read_bytes())
    assert found(tmp_path) == {
        "identifier:eid", "identifier:Sample name", "identifier:Accession", "identifier:Subject id", "identifier:EGA sample id",
        "named:Home location - east co-ordinate-0.0", "named:Home location - north co-ordinate-0.0",
        "free_text:Operative procedures - OPCS4-0.0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "blocking"),
    [
        ("g1k_p3_chr1_10-175kb.GRCh37.vcf.gz", []),
        ("g1k_hc3202_chr1_10-66kb.GRCh38.vcf.gz", []),
        ("clinvar_chr1_2000.GRCh37.vcf.gz", []),
        ("giab_trio_bcsq_4rec.GRCh37.vcf", ["INFO denovo"]),  # slivar wrote the child's name into every record
        ("g1k_p3_chr20_1-4Mb_300s.GRCh37.bcf", ["##bcftools_viewCommand"]),  # view -S ^samples
    ],
)
def test_headers(file: str, blocking: list[str], shared_data: Path) -> None:
    assert [leak.place for leak in variant_leaks(shared_data / "variants" / file) if leak.blocks] == blocking
