"""GWAS-SSF: the standard's own example comes out as the standard prints it, and what it does not allow is counted."""

import gzip
import hashlib
from pathlib import Path

import polars as pl
import pytest
import yaml

from nhsgen.errors import BadFile, BadInput, NotFound
from nhsgen.genome import Assembly
from nhsgen.statistics import gwas_ssf
from nhsgen.statistics.gwas_ssf import Metadata

ABOUT = Metadata("breast carcinoma", Assembly.GRCh38, people=1640, ancestry=("European", "South Asian"))

# Out of order, as a scan of chunks would give them, with a column that the standard does not know.
ROWS = pl.DataFrame(
    {
        "p_value": [2.3e-8, 0.1, 9.7e-3, 3.5e-30],
        "rsid": ["rs5949233", None, "rs74143855", "rs142640435"],
        "chromosome": ["X", "1", "chr1", "2"],
        "base_pair_location": [24173186, 869388, 205813916, 70478797],
        "effect_allele": ["A", "a", "G", "T"],
        "other_allele": ["C", "G", "C", "TG"],
        "gene": ["", "SAMD11", "", ""],
        "beta": [0.00387762, -0.016619, -0.0089589, 0.0187528],
        "standard_error": [0.08757958, 0.00806496, 0.00331941, 0.00167685],
        "effect_allele_frequency": [0.627178, 0.997221, 0.983589, 0.934121],
        "n": [1200, 1640, 1640, 1639],
    }
)

PRINTED = """\
chromosome	base_pair_location	effect_allele	other_allele	beta	standard_error	effect_allele_frequency	p_value	rsid	n
1	869388	A	G	-0.016619	0.00806496	0.997221	0.1	#NA	1640
1	205813916	G	C	-0.0089589	0.00331941	0.983589	0.0097	rs74143855	1640
2	70478797	T	TG	0.0187528	0.00167685	0.934121	3.5e-30	rs142640435	1639
23	24173186	A	C	0.00387762	0.08757958	0.627178	2.3e-8	rs5949233	1200
"""


def test_columns_and_rows_are_in_the_standard_s_order(tmp_path: Path) -> None:
    written = gwas_ssf.write(tmp_path / "scan.tsv", ROWS, ABOUT)
    assert written.table.read_text() == PRINTED
    assert (written.rows, written.left_out) == (4, {})
    assert written.metadata.name == "scan.tsv-meta.yaml"


def test_the_metadata_vouch_for_the_table(tmp_path: Path) -> None:
    written = gwas_ssf.write(tmp_path / "scan.tsv", ROWS, ABOUT)
    said = yaml.safe_load(written.metadata.read_text())
    assert said["data_file_md5sum"] == hashlib.md5(written.table.read_bytes(), usedforsecurity=False).hexdigest()
    mandatory = (
        "genome_assembly coordinate_system trait_description genotyping_technology is_sorted is_harmonised file_type"
    )
    assert set(mandatory.split()) <= set(said)
    assert said["samples"] == [
        {
            "sample_ancestry_category": ["European", "South Asian"],
            "sample_size": 1640,
            "ancestry_method": ["genetically determined"],
            "case_control_study": False,
        }
    ]
    assert (said["genome_assembly"], said["is_sorted"], said["file_type"]) == ("GRCh38", True, "GWAS-SSF v1.0")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    about = Metadata("x", Assembly.GRCh37, 10, ("European",), cases=4, controls=6, covariates=("age", "sex"), notes="Ä")
    plain, _ = gwas_ssf.read(gwas_ssf.write(tmp_path / "scan.tsv", ROWS, about).table)
    written = gwas_ssf.write(tmp_path / "scan.tsv.gz", ROWS, about)
    packed, said = gwas_ssf.read(written.table)
    assert plain.equals(packed)
    assert gzip.decompress(written.table.read_bytes()).decode() == PRINTED
    assert plain["beta"].to_list() == [-0.016619, -0.0089589, 0.0187528, 0.00387762]
    assert said["author_notes"] == "Ä"
    assert said["samples"][0]["case_count"] == 4  # type: ignore[index]


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [
        gwas_ssf.write(tmp_path / f"{n}.tsv.gz", ROWS.sample(fraction=1.0, shuffle=True, seed=n), ABOUT)
        for n in range(2)
    ]
    assert files[0].table.read_bytes() == files[1].table.read_bytes()


def test_a_ratio_and_a_log_p_take_their_places(tmp_path: Path) -> None:
    rows = ROWS.with_columns(odds_ratio=pl.col("beta").exp(), neg_log_10_p_value=pl.lit(400.0)).drop("beta", "p_value")
    table, _ = gwas_ssf.read(gwas_ssf.write(tmp_path / "scan.tsv", rows, ABOUT).table)
    assert table.columns[4] == "odds_ratio"
    assert table.columns[7] == "neg_log_10_p_value"


def test_rare_alleles_can_be_written_as_less_rare(tmp_path: Path) -> None:
    about = Metadata("x", Assembly.GRCh38, 10, ("European",), lowest_frequency=0.01)
    table, said = gwas_ssf.read(gwas_ssf.write(tmp_path / "scan.tsv", ROWS, about).table)
    assert table["effect_allele_frequency"].to_list() == [0.99, 0.983589, 0.934121, 0.627178]
    assert said["minor_allele_freq_lower_limit"] == 0.01


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("chromosome", "GL000207.1", "not on a chromosome"),
        ("base_pair_location", None, "no position"),
        ("effect_allele", "<DEL>", "an allele is not of bases"),
        ("other_allele", None, "an allele is not of bases"),
        ("beta", float("nan"), "no effect"),
        ("beta", float("inf"), "no effect"),
        ("standard_error", None, "no standard error"),
        ("standard_error", float("nan"), "no standard error"),
        ("effect_allele_frequency", 1.5, "no frequency"),
        ("p_value", None, "no p value"),
        ("p_value", -0.1, "no p value"),
    ],
)
def test_a_row_the_standard_does_not_allow_is_left_out(tmp_path: Path, column: str, value: object, reason: str) -> None:
    spoilt = pl.when(pl.int_range(pl.len()) == 1).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    written = gwas_ssf.write(tmp_path / "scan.tsv", ROWS.with_columns(spoilt), ABOUT)
    assert (written.rows, written.left_out) == (3, {reason: 1})


def test_chromosomes_are_numbers(tmp_path: Path) -> None:
    rows = pl.concat([ROWS, ROWS.head(2)]).with_columns(
        chromosome=pl.Series(["chrX", "22", "23", "Y", "MT", "chrM"]), n=pl.lit(10.0)
    )
    table, _ = gwas_ssf.read(gwas_ssf.write(tmp_path / "scan.tsv", rows, ABOUT).table)
    assert table["chromosome"].to_list() == [22, 23, 23, 24, 25, 25]
    assert table["n"].to_list() == [10] * 6


def test_no_rows_are_a_table_of_no_rows(tmp_path: Path) -> None:
    table, _ = gwas_ssf.read(gwas_ssf.write(tmp_path / "scan.tsv", ROWS.head(0), ABOUT).table)
    assert len(table) == 0


def test_what_cannot_be_written_or_trusted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no standard_error"):
        gwas_ssf.write(tmp_path / "scan.tsv", ROWS.drop("standard_error"), ABOUT)
    with pytest.raises(BadInput, match="not a form we write"):
        gwas_ssf.write(tmp_path / "scan.csv", ROWS, ABOUT)
    written = gwas_ssf.write(tmp_path / "scan.tsv", ROWS, ABOUT)
    written.table.write_text(PRINTED.replace("0.0097", "0.0096"))
    with pytest.raises(BadFile, match="changed after it was written"):
        gwas_ssf.read(written.table)
    with pytest.raises(NotFound):
        gwas_ssf.read(tmp_path / "nowhere.tsv")
