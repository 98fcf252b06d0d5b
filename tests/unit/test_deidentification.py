"""The report: what it says, what it never says, and what decides whether an extract may go."""

import dataclasses
import gzip
import json
from pathlib import Path

import deidentification_cases as cases
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nhsgen.contracts import Column, People, Table
from nhsgen.extracts import identifiers
from nhsgen.extracts.deidentification import DeidentificationReport, inspect
from nhsgen.extracts.detectors import DETECTORS, LEXICON, Cells
from nhsgen.settings import Settings

TODAY = cases.date(2026, 1, 1)


def report(folder: Path, *contracts: cases.Contract, minimum_k: int = 8) -> DeidentificationReport:
    return inspect(folder, contracts, settings=Settings(), minimum_k=minimum_k, today=TODAY)


def write(folder: Path, **columns: list[str]) -> Path:
    pl.DataFrame(columns).write_csv(folder / "t.csv")
    return folder


# -- NHS numbers and postcodes -----------------------------------------------------------------------------------------------

NUMBERS = {
    "943 476 5919": True,
    "943-476-5919": True,
    "9434765919": True,
    "'9434765919": True,
    "9434765919.0": True,
    "9.434765919e9": True,
    "9.434765919E+09": True,
    "943 476 5918": False,
    "987 654 3210": True,
    "987 654 3214": False,  # the number of many textbooks
    "999 000 0018": True,  # the range kept for tests
    "0000000000": False,
    "1111111111": False,
    "12345": False,
    "94347659190": False,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_an_nhs_number_by_its_check_digit(text: str) -> None:
    number = identifiers.ten_digits(pl.Series([text])).fill_null(0).to_numpy()
    assert bool(identifiers.is_nhs_number(number)[0]) is NUMBERS[text]


def test_the_check_digit_agrees_with_the_nhs_number_package() -> None:
    oracle = pytest.importorskip("nhs_number")
    numbers = np.random.default_rng(1).integers(4_000_000_000, 8_000_000_000, 3000)
    ours = identifiers.is_nhs_number(numbers)
    assert 200 < ours.sum() < 350
    assert ours.tolist() == [oracle.is_valid(str(number)) for number in numbers]


@pytest.mark.parametrize(("rows", "needed"), [(20, 11), (50, 18), (100, 26), (1000, 138)])
def test_a_column_is_flagged_beyond_chance_only(rows: int, needed: int, tmp_path: Path) -> None:
    valid = [cases.nhs_number("4") for _ in range(needed)]
    others = [
        str(int(number) ^ 1) for number in [cases.nhs_number("4") for _ in range(rows)]
    ]  # the last digit is wrong
    assert identifiers.chance_bound(rows) == needed
    beyond = report(write(tmp_path, x=valid + others[: rows - needed])).blocking
    within = report(write(tmp_path, x=valid[1:] + others[: rows - needed + 1])).findings
    assert "nhs_number" in {finding.detector for finding in beyond}
    assert "nhs_number" not in {finding.detector for finding in within}


POSTCODES = {
    "SW1A 1AA": True,
    "m1 1ae": True,
    "EC1A1BB": True,
    "GIR 0AA": True,
    "B33 8TH": True,
    "CR2 6XH": True,
    "W1A 0AX": True,
}
LOOK_ALIKES = ("T85 0DX", "C34 1DX", "I21 4AB", "Q61 2", "M01 3AB", "RGT00", "P91004", "LB15E")


def test_postcodes_and_codes_that_look_like_them() -> None:
    values = pl.Series([*POSTCODES, *LOOK_ALIKES])
    assert values.filter(values.str.contains(identifiers.POSTCODE)).to_list() == list(POSTCODES)


def test_an_area_is_one_of_124() -> None:
    assert len(identifiers._AREAS) == 124


# -- What the columns are called -----------------------------------------------------------------------------------------------

BY_NAME = ["NHSNumber", "nhs_no", "NEWNHSNO", "CHI", "Forename", "patient surname", "PatientName", "next_of_kin", "PostCode", "pcds",
           "home_address", "email", "E-mail address", "Mobile", "UPRN", "Latitude", "MRN", "HospitalNo", "LOPATID", "nino",
           "GMC code"]  # fmt: skip
NOT_BY_NAME = ["concept_name", "test_name", "hpo_name", "gene_name", "sample name", "stage", "addressed", "latency", "chip", "telomere_length",
               "Number in household", "Housing score", "enhanced", "person_id", "unit_source_value", "Forced vital capacity"]  # fmt: skip


def named(name: str) -> bool:
    cells = Cells(name, pl.DataFrame({"value": ["a"], "rows": [1], "first": [1]}))
    return any(cells.called(pattern) for pattern, _, _ in LEXICON)


def test_a_column_is_known_by_its_name() -> None:
    assert [name for name in BY_NAME if not named(name)] == []
    assert [name for name in NOT_BY_NAME if named(name)] == []


# -- What the report says, and never says ----------------------------------------------------------------------------------------


def test_no_cell_and_no_identifying_name_is_repeated(tmp_path: Path) -> None:
    secrets = {f"x{n}": cells for n, (_, cells, found) in enumerate(cases.COLUMNS.values()) if found}
    pl.DataFrame(secrets).write_csv(tmp_path / "NHS_9434765919.csv")
    (tmp_path / "smith_john.txt").write_text("anything")
    pl.DataFrame({"943 476 5919": ["a", "b"]}).write_csv(tmp_path / "headless.csv")
    header = "##SAMPLE=<ID=margaret_jones>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t9434765919\n"
    (tmp_path / "v.vcf").write_text("##fileformat=VCFv4.3\n" + header)
    made = report(tmp_path)
    everything = json.dumps(made.to_dict()) + str(made) + made._repr_html_()
    cells = {cell for column in secrets.values() for cell in column if len(cell) > 4}
    assert len(made.blocking) > 15
    assert [cell for cell in cells if cell in everything] == []
    for name in ("9434765919", "943 476 5919", "smith", "margaret"):
        assert name not in everything


def test_a_report_reads_well_and_survives_json(tmp_path: Path) -> None:
    made = report(write(tmp_path, comment=[cases.comment() for _ in range(50)], y=["a", "b"] * 25))
    assert str(made) == (
        "De-identification: 1 file inspected: 1 thing stops a release (0 must be taken out, 1 may be lifted with a reason); "
        "nothing else to look at.\n\nStops a release\n"
        "  t.csv, comment: holds sentences or phrases that people wrote. 50 rows (100 %). May be lifted with a reason.\n"
        "      [free_text:t.csv.comment]"
    )
    assert DeidentificationReport.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert "people wrote" in made._repr_html_()


def test_ids_are_stable_and_unique(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        pl.DataFrame({"x": [cases.nhs_number() for _ in range(40)], "E-mail": ["?"] * 40}).write_csv(tmp_path / name)
    ids = [finding.id for finding in report(tmp_path).findings]
    assert ids == ["nhs_number:a.csv.x", "named:a.csv.E-mail", "nhs_number:b.csv.x", "named:b.csv.E-mail"]
    assert ids == [finding.id for finding in report(tmp_path).findings]


def test_the_first_row_is_counted_from_one(tmp_path: Path) -> None:
    (finding,) = report(write(tmp_path, x=["ok", "ok", "write to a@b.org", "ok"])).findings
    assert (finding.rows, finding.share, finding.first_row) == (1, 0.25, 3)


def test_a_column_that_is_not_released_is_only_shown(tmp_path: Path) -> None:
    write(tmp_path, x=[cases.nhs_number() for _ in range(40)])
    kept = cases.contract(Table("t", "t.csv", (Column("x", "string"),)))
    left = cases.contract(Table("t", "t.csv", (Column("x", "string", excluded=True),)))
    assert report(tmp_path, kept).blocking
    made = report(tmp_path, left)
    assert made.passed
    assert "not released" in str(made)


def test_what_the_contract_says_is_heeded(tmp_path: Path) -> None:
    write(
        tmp_path,
        id=[cases.pseudonym(n) for n in range(50)],
        note=[cases.comment() for _ in range(50)],
        died=[f"2021-03-{n % 28 + 1:02d}" for n in range(50)],
        ward=["7"] * 50,
        lost=["#REF! a@b.org"] * 50,
    )
    plain = {finding.detector for finding in report(tmp_path).findings}
    columns = (
        Column("person", "string", source="id", primary_key=True),
        Column("note", "string", free_text_allowed=True),
        Column("died", "date", date_kind="death"),
        Column("ward", "string", identifying=True),
        Column("lost", "string", missing_markers=("#REF! a@b.org",)),
    )
    declared = {finding.id for finding in report(tmp_path, cases.contract(Table("t", "t.csv", columns))).findings}
    assert plain == {"identifier", "free_text", "contact"}
    assert declared == {"rare_date:t.died", "declared:t.ward"}


def test_a_reference_to_a_key_is_no_identifier(tmp_path: Path) -> None:
    ids = [str(n * 7919 % 10**9) for n in range(200)]
    write(tmp_path, visit_id=ids, preceding_visit_id=ids[::-1], other=[str(10**9 + n * 104729) for n in range(200)])
    table = cases.table("t.csv", ["visit_id", "preceding_visit_id", "other"], ["visit_id"])
    assert [f.id for f in report(tmp_path, cases.contract(table)).findings] == ["identifier:t.other"]


def test_of_a_file_that_stays_behind_only_what_may_be_nowhere_is_shown(tmp_path: Path) -> None:
    write(tmp_path, concept=[cases.comment() for _ in range(50)], x=[cases.nhs_number() for _ in range(50)])
    left = dataclasses.replace(cases.contract(), not_taken=("t.csv",))
    assert [(f.id, f.level) for f in report(tmp_path, left).findings] == [("nhs_number:t.csv.x", "look")]


def test_old_dates_are_birthdays_in_a_table_of_people_and_doubtful_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, id=[str(n) for n in range(300)], start=[f"{cases.day(*cases.BORN)}" for _ in range(300)])
    table = cases.table("t.csv", ["id", "start"], ["id"])
    assert [f.level for f in report(tmp_path, cases.contract(table)).findings] == ["look"]
    people = [People("t", "id", everyone=True)]
    assert [f.level for f in report(tmp_path, cases.contract(table, people=people)).findings] == ["blocks"]


# -- What cannot be read, and what hides beside the rows ---------------------------------------------------------------------------


def unreadable(folder: Path) -> list[str]:
    return [finding.id for finding in report(folder).blocking if finding.detector == "unreadable"]


def test_nothing_is_passed_over(tmp_path: Path) -> None:
    pl.DataFrame({"x": ["a"]}).write_parquet(tmp_path / "whole.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:-9])
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"x\n" + b"abc\n" * 9999)[:-20])
    (tmp_path / "cut.vcf.gz").write_bytes(gzip.compress(b"##fileformat=VCFv4.3\n" * 9999)[:-20])
    (tmp_path / "wide.csv").write_text("x,y\n1,2,3\n")
    (tmp_path / "latin.csv").write_bytes("x\nJosé\n".encode("latin-1"))
    (tmp_path / "letter.docx").write_bytes(b"PK")
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.xlsx").write_bytes(b"PK")
    names = [
        "cut.csv.gz",
        "cut.parquet",
        "cut.vcf.gz",
        "latin.csv",
        "letter.docx",
        "link.csv",
        "sub/more.xlsx",
        "wide.csv",
    ]
    assert sorted(name.removeprefix("unreadable:").removesuffix(".file") for name in unreadable(tmp_path)) == names


def test_an_index_is_not_opened_and_an_empty_table_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "v.vcf.gz.tbi").write_bytes(b"rubbish")
    pl.DataFrame({"nhs_number": []}, schema={"nhs_number": pl.String}).write_parquet(tmp_path / "t.parquet")
    assert report(tmp_path).findings == ()


def test_a_parquet_footer_and_a_pandas_index(tmp_path: Path) -> None:
    table = pa.table({"x": ["a"]})
    about = {"pandas": '{"index_columns": ["__index_level_0__"]}', "made_by": "margaret.jones@example.org"}
    pq.write_table(table.replace_schema_metadata(about), tmp_path / "t.parquet")
    assert {(f.detector, f.level) for f in report(tmp_path).findings} == {
        ("parquet_metadata", "blocks"),
        ("pandas_index", "look"),
    }


def test_gzip_remembers_the_name_of_the_file(tmp_path: Path) -> None:
    with (tmp_path / "t.csv.gz").open("wb") as out, gzip.GzipFile("NHS_9434765919.csv", "wb", fileobj=out) as file:
        file.write(b"x\n1\n")
    assert [(f.detector, f.level) for f in report(tmp_path).findings] == [("compression", "blocks")]


def test_numbers_given_out_in_the_order_of_admission(tmp_path: Path) -> None:
    days = [f"2022-{n // 28 + 1:02d}-{n % 28 + 1:02d}" for n in range(300)]
    made = report(write(tmp_path, spell=[f"SP{n:06d}" for n in range(1000, 1300)], admitted=days))
    assert "order:t.csv.spell" in {finding.id for finding in made.findings}


# -- How easily people stand out -----------------------------------------------------------------------------------------------------

QUASI = ("Teacher", "Gender", "Ethnic", "Freeredu", "wesson")


@pytest.mark.parametrize(("file", "k"), [("", 1), ("_k2", 2), ("_k5", 5), ("_k7", 7)])
def test_k_of_published_tables(file: str, k: int, tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "t.csv").write_bytes((shared_data / f"disclosure/StudentsMath_Score{file}.csv").read_bytes())
    columns = (
        *(Column(name, "string", quasi_identifier=True) for name in QUASI),
        Column("Score", "number", classification="sensitive"),
    )
    made = report(
        tmp_path, cases.contract(Table("student", "t.csv", (Column("Student", "number", primary_key=True), *columns)))
    )
    (unique,) = made.uniqueness
    assert (unique.k, unique.smallest[0], unique.diversity["Score"] >= 1) == (k, k, True)
    (gate,) = [finding for finding in made.blocking if finding.detector == "k_anonymity"]
    assert (gate.id, gate.may_be_lifted, gate.rows) == ("k_anonymity:student", True, unique.below)


def test_people_are_counted_not_rows_and_k_is_told_without_each_column(tmp_path: Path) -> None:
    write(
        tmp_path,
        who=["a", "a", "b", "c", "c", "d"],
        sex=["F", "F", "F", "M", "M", "M"],
        town=["X", "X", "Y", "Y", "Y", "Y"],
    )
    columns = (Column("who", "string"), *(Column(name, "string", quasi_identifier=True) for name in ("sex", "town")))
    made = report(tmp_path, cases.contract(Table("t", "t.csv", columns), people=[People("t", "who")]), minimum_k=2)
    (unique,) = made.uniqueness
    assert (unique.people, unique.groups, unique.k, unique.alone, unique.below) == (4, 3, 1, 2, 2)
    assert unique.smallest == (1, 1, 2)
    assert unique.without == {"sex": 1, "town": 2}
    assert "Without town k would be 2." in str(unique)
    assert "k_anonymity:t" in {finding.id for finding in made.blocking}


def test_enough_alike_is_enough(tmp_path: Path) -> None:
    write(tmp_path, sex=["F"] * 8 + ["M"] * 9)
    contract = cases.contract(Table("t", "t.csv", (Column("sex", "string", quasi_identifier=True),)))
    assert report(tmp_path, contract).passed
    assert not report(tmp_path, contract, minimum_k=9).passed


def test_every_detector_is_named_once_and_says_what_it_looks_for() -> None:
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)
    assert all(detector.looks_for for detector in DETECTORS)
    assert dataclasses.is_dataclass(DETECTORS[0])
