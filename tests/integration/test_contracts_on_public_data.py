"""The shipped contracts meet files that nobody here wrote."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from nhsgen import contracts
from nhsgen.extracts.validation import validate, write_typed
from nhsgen.settings import Settings


@pytest.fixture(scope="module")
def released(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The typed tables of OHDSI's GiBleed example."""
    folder, out = shared_data / "phenotypes" / "omop_gibleed_cdm5.3", tmp_path_factory.mktemp("gibleed")
    for table in contracts.read(contracts.shipped("omop_gibleed")).tables:
        write_typed(folder, table, out / f"{table.name}.parquet")
    return out


def test_gibleed_passes_with_the_six_identifiers_that_stand_twice(shared_data: Path) -> None:
    report = validate(
        shared_data / "phenotypes" / "omop_gibleed_cdm5.3",
        [contracts.read(contracts.shipped("omop_gibleed"))],
        Settings(),
    )
    assert report.passed
    assert [(f.file, f.column, f.rule, f.count) for f in report.warnings] == [
        ("OBSERVATION.csv.gz", "OBSERVATION_ID", "unique", 6)
    ]
    assert {table.name: table.rows for table in report.tables} == {
        "person": 2694, "observation_period": 5343, "visit_occurrence": 1037, "condition_era": 65719, "drug_era": 52508,
        "procedure_occurrence": 37409, "observation": 1477, "death": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column", "concept", "people"),
    [
        ("drug_era", "drug_concept_id", 1118084, 1844),  # celecoxib
        ("drug_era", "drug_concept_id", 1124300, 850),  # diclofenac
        ("condition_era", "condition_concept_id", 192671, 479),  # gastrointestinal haemorrhage
    ],
)
def test_gibleed_people_are_those_that_ohdsi_counts(
    released: Path, table: str, column: str, concept: int, people: int
) -> None:
    rows = pl.read_parquet(released / f"{table}.parquet").filter(pl.col(column) == concept)
    assert rows["person_id"].n_unique() == people


def test_of_a_birth_only_the_year_is_released(released: Path) -> None:
    assert [name for name in pl.read_parquet(released / "person.parquet").columns if "birth" in name] == [
        "year_of_birth"
    ]


def test_the_csv_that_is_called_parquet(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(
        shared_data / "phenotypes" / "hes_artificial" / "not_really_parquet.parquet", tmp_path / "hes_apc.parquet"
    )
    report = validate(tmp_path, [contracts.read(contracts.shipped("hes_apc"))], Settings())
    assert [str(finding) for finding in report.findings] == [
        "hes_apc.parquet: its name says Parquet, but it begins like plain text; export it again under the right name"
    ]
