"""A synthetic cohort went through a spreadsheet: the contract catches it, and one declared line deals with it."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from nhsgen import contracts
from nhsgen.contracts import Contract
from nhsgen.extracts.validation import ContractReport, validate, write_typed
from nhsgen.settings import Settings

CLEANING = '      - {property: missing_markers, value: ["#REF!"]}\n'
LOST = 46_875
COLUMNS = 23


@pytest.fixture(scope="module")
def extract(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cineca")
    shutil.copy(shared_data / "phenotypes" / "cineca_uk1" / "uk1.tsv", folder)
    return folder


def without_the_cleaning_rule(folder: Path) -> Contract:
    text = contracts.shipped("cineca_uk1").read_text(encoding="utf-8")
    assert CLEANING in text
    (folder / "raw.odcs.yaml").write_text(text.replace(CLEANING, ""), encoding="utf-8")
    return contracts.read(folder / "raw.odcs.yaml")


@pytest.fixture(scope="module")
def report(extract: Path) -> ContractReport:
    return validate(extract, [contracts.read(contracts.shipped("cineca_uk1"))], Settings())


def test_without_the_rule_every_lost_cell_is_an_error(extract: Path, tmp_path: Path) -> None:
    raw = validate(extract, [without_the_cleaning_rule(tmp_path)], Settings())
    lost = [finding for finding in raw.errors if finding.rule == "spreadsheet_error"]
    assert not raw.passed
    assert raw.errors == tuple(lost)
    assert (len(lost), sum(finding.count for finding in lost)) == (COLUMNS, LOST)
    assert str(lost[1]) == (
        "uk1.tsv, column 'Age at recruitment-0.0': 2,504 cells where a spreadsheet lost the value and wrote #REF!; "
        "mend the export, or declare it in missing_markers; first rows 1, 2, 3"
    )


def test_with_the_rule_the_cells_are_counted_and_left_out(
    extract: Path, report: ContractReport, tmp_path: Path
) -> None:
    assert report.passed
    assert (len(report.cleaned), sum(cleaned.cells for cleaned in report.cleaned)) == (COLUMNS, LOST)
    table = contracts.read(contracts.shipped("cineca_uk1")).tables[0]
    assert write_typed(extract, table, tmp_path / "subject.parquet") == 2504
    released = pl.read_parquet(tmp_path / "subject.parquet")
    assert released["age_at_recruitment"].null_count() == 2504
    assert not (released.select(pl.col(pl.String)) == "#REF!").sum().sum_horizontal().item()


def test_counts_below_zero_are_warnings(report: ContractReport) -> None:
    below = {finding.column: finding.count for finding in report.warnings}
    assert below["Basophill count-0.0"] == 513
    assert len(below) == 16


def test_where_they_live_is_not_taken(extract: Path, report: ContractReport) -> None:
    left_out = report.tables[0].left_out
    assert {"Home location - east co-ordinate-0.0", "Home location - north co-ordinate-0.0", "eid"} <= set(left_out)
