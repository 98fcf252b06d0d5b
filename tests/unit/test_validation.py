"""An extract is checked: every kind of fault becomes one clear sentence that repeats nobody's value."""

import gzip
import json
import logging
import socket
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from nhsgen import contracts
from nhsgen.contracts import Contract
from nhsgen.errors import BadContract, BadFile
from nhsgen.extracts.validation import ContractReport, validate, write_typed
from nhsgen.settings import Settings

PEOPLE = """
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
schema:
  - name: person
    physicalName: FILE
    properties:
      - {name: person_id, physicalName: Id, logicalType: string, primaryKey: true}
      - {name: sex, logicalType: string, required: true, quality: [{metric: invalidValues, arguments: {validValues: [M, F]}, mustBe: 0}]}
      - {name: born, logicalType: integer, physicalType: SMALLINT, logicalTypeOptions: {minimum: 1900, maximum: 2030}}
      - {name: weight, logicalType: number, logicalTypeOptions: {minimum: 0}, customProperties: [{property: severity, value: warning}]}
      - {name: seen, logicalType: date, logicalTypeOptions: {minimum: "2000-01-01"}}
      - {name: alive, logicalType: boolean, customProperties: [{property: optional, value: true}]}
      - {name: postcode, logicalType: string, logicalTypeOptions: {maxLength: 4}, customProperties: [{property: exclude, value: true}]}
    customProperties:
      - {property: missing_markers, value: ["-", "#N/A"]}
      - {property: words, value: {person: person_id, people: {everyone: true, sex: sex, birth_year: born}}}
  - name: sample
    physicalName: sample.csv
    properties:
      - {name: sample_id, logicalType: string, primaryKey: true}
      - {name: person_id, logicalType: string, required: true}
    customProperties:
      - {property: optional, value: true}
      - {property: words, value: {person: person_id, samples: {sample: sample_id}}}
"""
HEADER = "Id,sex,born,weight,seen,postcode\n"
GOOD = HEADER + "A,M,1950,80.5,2020-01-31,LS1\nB,F,1961,,2021-02-01,\n"


def contract(folder: Path, file: str = "person.csv", change: tuple[str, str] = ("", "")) -> Contract:
    path = folder.parent / "people.odcs.yaml"
    path.write_text(PEOPLE.replace("FILE", file).replace(*change), encoding="utf-8")
    return contracts.read(path)


def check(
    folder: Path, rows: str | bytes = GOOD, file: str = "person.csv", change: tuple[str, str] = ("", "")
) -> ContractReport:
    (folder / file).write_bytes(rows.encode() if isinstance(rows, str) else rows)
    return validate(folder, [contract(folder, file, change)], Settings())


def found(report: ContractReport) -> list[tuple[str | None, str, int, tuple[int, ...]]]:
    return [(finding.column, finding.rule, finding.count, finding.rows) for finding in report.findings]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "extract"
    inside.mkdir()
    return inside


def test_a_good_extract_passes_and_says_what_is_not_taken(folder: Path) -> None:
    report = check(folder)
    assert report.passed
    assert str(report) == (
        "Contract check passed: 0 errors, 0 warnings (9 rules on 1 table, under people 1.0.0).\n"
        "  read     person.csv: 2 rows; not taken: postcode"
    )


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ("A,M,1950,80.5,2020-01-31,LS1", "Id", "unique"),
        (",M,1950,80.5,2020-01-31,LS1", "Id", "required"),
        ("C,,1950,80.5,2020-01-31,LS1", "sex", "required"),
        ("C,X,1950,80.5,2020-01-31,LS1", "sex", "allowed_values"),
        ("C,M,1899,80.5,2020-01-31,LS1", "born", "minimum"),
        ("C,M,2031,80.5,2020-01-31,LS1", "born", "maximum"),
        ("C,M,1950.5,80.5,2020-01-31,LS1", "born", "type"),
        ("C,M,99999,80.5,2020-01-31,LS1", "born", "type"),
        ("C,M,nineteen,80.5,2020-01-31,LS1", "born", "type"),
        ("C,M,1950,1_000,2020-01-31,LS1", "weight", "type"),
        ("C,M,1950,nan,2020-01-31,LS1", "weight", "type"),
        ("C,M,1950,1e999,2020-01-31,LS1", "weight", "finite"),
        ("C,M,1950,80.5,31/01/2020,LS1", "seen", "type"),
        ("C,M,1950,80.5,2020-02-30,LS1", "seen", "type"),
        ("C,M,1950,80.5,1999-12-31,LS1", "seen", "minimum"),
        ("C,M,1950,80.5,2020-01-31,LS1 4AP", "postcode", "length"),
        ("C,M,1950,#REF!,2020-01-31,LS1", "weight", "spreadsheet_error"),
        ("C,#REF!,1950,80.5,2020-01-31,LS1", "sex", "spreadsheet_error"),
    ],
)
def test_one_bad_row(folder: Path, row: str, column: str, rule: str) -> None:
    report = check(folder, GOOD + row + "\n")
    rows = (1, 3) if rule == "unique" else (3,)
    assert found(report) == [(column, rule, 1, rows)]
    assert not report.passed
    said = str(report.findings[0])
    assert f"person.csv, column '{column}': 1 " in said
    assert not any(cell in said for cell in ("nineteen", "1950.5", "99999", "31/01", "4AP", "80.5", "1899"))


def test_a_mild_rule_warns_and_does_not_stop(folder: Path) -> None:
    report = check(folder, GOOD + "C,M,1950,-3,2020-01-31,LS1\n")
    assert report.passed
    assert [str(warning) for warning in report.warnings] == [
        "person.csv, column 'weight': 1 cell below 0; first rows 3"
    ]


def test_declared_markers_are_counted_and_become_missing(folder: Path) -> None:
    report = check(folder, GOOD + "C,M,-,#N/A,-,-\nD,F,-,,,\n")
    assert report.passed
    assert [(c.column, c.cells) for c in report.cleaned] == [("born", 2), ("weight", 1), ("seen", 1), ("postcode", 1)]
    table = contract(folder).tables[0]
    assert write_typed(folder, table, folder.parent / "out.parquet") == 4
    released = pl.read_parquet(folder.parent / "out.parquet")
    assert released.schema == {
        "person_id": pl.String, "sex": pl.String, "born": pl.Int16, "weight": pl.Float64, "seen": pl.Date, "alive": pl.Boolean,
    }  # fmt: skip
    assert released["born"].to_list() == [1950, 1961, None, None]


def test_a_rule_with_a_percentage(folder: Path) -> None:
    rule = "logicalTypeOptions: {minimum: 0}", "quality: [{metric: nullValues, unit: percent, mustBeLessThan: 50}]"
    report = check(folder, change=rule)
    assert [str(finding) for finding in report.errors] == [
        "person.csv, column 'weight': 1 empty cell (50 % of them; the contract asks for < 50 %); first rows 2"
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("quality: [{metric: duplicateValues, mustBe: 0}]", "1 repeated value; first rows 1, 2"),
        ("unique: true", "1 repeated value; first rows 1, 2"),
        ("quality: [{metric: nullValues, mustBe: 0}]", "1 empty cell; first rows 5"),
        ("quality: [{metric: missingValues, arguments: {missingValues: [Q]}, mustBe: 0}]", "2 empty cells; first rows 5"),
        ("quality: [{metric: invalidValues, arguments: {pattern: '^[A-P]'}, mustBe: 0}]", "1 cell not of the form /^[A-P]/; first rows 3"),
        ("quality: [{metric: invalidValues, arguments: {validValues: [A, Q]}, mustBeLessThan: 1}]",
         "1 cell with none of A, Q (the contract asks for < 1); first rows 4"),
        ("logicalTypeOptions: {minLength: 2}", "4 cells shorter than 2 characters; first rows 1, 2, 3"),
        ("logicalTypeOptions: {maxLength: 0}", "4 cells longer than 0 characters; first rows 1, 2, 3"),
        ("logicalTypeOptions: {pattern: '^[A-P]$'}", "1 cell not of the form /^[A-P]$/; first rows 3"),
    ],
)  # fmt: skip
def test_a_rule_of_every_kind_on_text(folder: Path, rule: str, expected: str) -> None:
    (folder / "t.csv").write_text("n,c\n1,A\n2,A\n3,Q\n4,C\n5,\n")
    assert sentences(folder, f"{{name: c, logicalType: string, {rule}}}") == [f"t.csv, column 'c': {expected}"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("minimum: 2", "1 cell below 2; first rows 1"),
        ("maximum: 3", "2 cells above 3; first rows 4, 5"),
        ("exclusiveMinimum: 1", "1 cell with exactly 1; first rows 1"),
        ("exclusiveMaximum: 5", "1 cell with exactly 5; first rows 5"),
    ],
)
def test_a_limit_of_every_kind_on_numbers(folder: Path, rule: str, expected: str) -> None:
    (folder / "t.csv").write_text("n,c\n1,A\n2,A\n3,Q\n4,C\n5,\n")
    column = f"{{name: n, logicalType: integer, logicalTypeOptions: {{{rule}}}}}"
    assert sentences(folder, column) == [f"t.csv, column 'n': {expected}"]


def sentences(folder: Path, column: str) -> list[str]:
    """What is found in t.csv, whose columns are n and c, under a contract that says `column` of one of them."""
    names = [name for name in ("n", "c") if f"name: {name}," not in column]
    path = folder.parent / "t.odcs.yaml"
    path.write_text(
        "{apiVersion: v3.1.0, kind: DataContract, id: t, version: 1.0.0, status: active, schema: [{name: t, physicalName: t.csv, "
        f"properties: [{{name: {names[0]}, logicalType: string}}, {column}]}}]}}"
    )
    return [str(finding) for finding in validate(folder, [contracts.read(path)], Settings()).findings]


def test_rules_of_the_whole_table(folder: Path) -> None:
    rules = "quality: [{metric: rowCount, mustBeGreaterThan: 9}, {metric: duplicateValues, arguments: {properties: [sex, born]}, mustBe: 0}]"
    report = check(
        folder,
        GOOD + "C,M,1950,80,2020-01-31,\n",
        change=("    physicalName: person.csv\n", f"    physicalName: person.csv\n    {rules}\n"),
    )
    assert found(report) == [(None, "row_count", 3, ()), (None, "unique", 1, (1, 3))]


def test_rows_of_people_nobody_lists(folder: Path) -> None:
    (folder / "sample.csv").write_text("sample_id,person_id\ns1,A\ns2,Z\n")
    report = check(folder)
    assert report.passed
    assert [str(warning) for warning in report.warnings] == [
        "sample.csv, column 'person_id': 1 row of people whom person.csv does not list"
    ]


# -- Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("person.csv", b"", "it is empty"),
        ("person.csv", b"PAR1....PAR1", "its name says plain text, but it begins like Parquet"),
        ("person.csv", b"PK\x03\x04....", "a zip archive or a spreadsheet"),
        ("person.csv", b"A,M,1950,80.5,2020-01-31,LS1\n", "none of the contract's columns is in its header"),
        ("person.csv", GOOD.encode() + b"C,M\n", "line 4 does not fit the header"),
        ("person.csv", GOOD.encode() + b'C,"M,1950,80.5,2020-01-31,LS1\n', "line 4 does not fit the header"),
        ("person.csv", GOOD.encode() + b"C,M,1950,80.5,2020-01-31,\xff\n", "cannot be read as UTF-8"),
        ("person.csv", GOOD.encode("utf-16"), "cannot be read as UTF-8"),
        ("person.csv", GOOD.replace("weight", "Sex").encode(), "two of its columns have the same name"),
        ("person.parquet", GOOD.encode(), "its name says Parquet, but it begins like plain text"),
        ("person.parquet", b"PAR1 and no end", "cut short"),
        ("person.parquet", b"PAR1 a long middle of nothing PAR1", "part of it is damaged"),
        ("person.csv.gz", GOOD.encode(), "its name says gzip, but it begins like plain text"),
        ("person.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-9], "does not unpack to its checksum"),
    ],
)
def test_a_file_that_cannot_be_opened_is_a_finding_and_not_a_crash(
    folder: Path, file: str, content: bytes, complaint: str
) -> None:
    report = check(folder, content, file)
    assert not report.passed
    assert [finding.rule for finding in report.findings] == ["file_form"]
    assert complaint in str(report.findings[0])
    assert "LS1" not in str(report)
    assert report.tables == ()


def test_a_headerless_file_does_not_lend_its_values_as_column_names(folder: Path) -> None:
    assert "LS1" not in json.dumps(check(folder, "A,M,1950,80.5,2020-01-31,LS1\n").to_dict())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Id,sex,born,weight,seen", ("postcode", "missing_column")),
        ("Id,sex,born,weight,seen,Postcode", ("postcode", "missing_column")),
        ("Id,sex,born,weight,seen,postcode,name", ("name", "unexpected_column")),
    ],
)
def test_columns_are_exactly_those_of_the_contract(folder: Path, header: str, expected: tuple[str, str]) -> None:
    report = check(folder, header + "\n")
    assert expected in [(finding.column, finding.rule) for finding in report.errors]


def test_a_compressed_tab_separated_file_with_a_byte_order_mark(folder: Path) -> None:
    assert check(folder, gzip.compress(b"\xef\xbb\xbf" + GOOD.replace(",", "\t").encode()), "person.tsv.gz").passed


def test_what_is_missing_or_was_not_asked_for(folder: Path) -> None:
    (folder / "notes.txt").write_text("...")
    report = validate(folder, [contract(folder)], Settings())
    assert [(finding.file, finding.rule) for finding in report.errors] == [
        ("notes.txt", "unexpected_file"),
        ("person.csv", "absent"),
    ]


def test_a_link_is_not_followed(folder: Path) -> None:
    (folder.parent / "elsewhere.csv").write_text(GOOD)
    (folder / "person.csv").symlink_to(folder.parent / "elsewhere.csv")
    assert [finding.rule for finding in validate(folder, [contract(folder)], Settings()).errors] == ["link"]


def parquet(folder: Path, **other: pl.Series) -> ContractReport:
    columns: Mapping[str, pl.Series] = {
        "Id": pl.Series(["A", "B"]), "sex": pl.Series(["M", "F"]), "born": pl.Series([1950, 1961], dtype=pl.Int16),
        "weight": pl.Series([80.5, None]), "seen": pl.Series([None, None], dtype=pl.Date), "postcode": pl.Series(["LS1", None]),
    }  # fmt: skip
    pl.DataFrame({**columns, **other}).write_parquet(folder / "person.parquet")
    return validate(folder, [contract(folder, "person.parquet")], Settings())


@pytest.mark.parametrize(
    ("column", "values", "rules"),
    [
        ("weight", pl.Series([1, 2], dtype=pl.Int16), []),  # every small whole number is a DOUBLE
        ("weight", pl.Series([None, None], dtype=pl.String), []),  # nothing in it can be misread
        ("weight", pl.Series(["80.5", None]), ["type"]),
        ("weight", pl.Series([float("nan"), 1.0]), ["finite"]),
        ("weight", pl.Series([float("inf"), 1.0]), ["finite"]),
        ("born", pl.Series([1950, 1961], dtype=pl.Int64), ["type"]),
        ("Id", pl.Series([1, 2]), ["type"]),
        ("seen", pl.Series(["2020-01-31", None]), ["type"]),
        ("sex", pl.Series(["M", "F"], dtype=pl.Categorical), []),
    ],
)
def test_parquet_has_the_declared_types(folder: Path, column: str, values: pl.Series, rules: list[str]) -> None:
    assert [finding.rule for finding in parquet(folder, **{column: values}).findings] == rules


def test_destroyed_pages_are_found_although_the_footer_is_whole(folder: Path) -> None:
    parquet(folder)
    content = bytearray((folder / "person.parquet").read_bytes())
    content[4:60] = bytes(56)
    (folder / "person.parquet").write_bytes(content)
    assert not validate(folder, [contract(folder, "person.parquet")], Settings()).passed


def test_what_does_not_satisfy_the_contract_is_never_written(folder: Path) -> None:
    (folder / "person.csv").write_text(GOOD + "C,M,nineteen,,,\n")
    with pytest.raises(BadFile, match="column 'born': 1 cell that cannot be read as SMALLINT; first rows 3") as refusal:
        write_typed(folder, contract(folder).tables[0], folder.parent / "out.parquet")
    assert "nineteen" not in str(refusal.value)
    assert not (folder.parent / "out.parquet").exists()


# -- Contracts together, and what a check leaves behind ------------------------------------------------------------------------


def test_two_contracts_may_not_describe_the_same_file(folder: Path) -> None:
    hes = contracts.read(contracts.shipped("hes_apc"))
    with pytest.raises(BadContract, match="both describe 'hes_apc"):
        validate(folder, [hes, contracts.read(contracts.shipped("hes_apc"))], Settings())


def test_two_contracts_may_not_both_list_everyone(folder: Path) -> None:
    with pytest.raises(BadContract, match="claim to list everyone"):
        validate(folder, [contract(folder), contract(folder)], Settings())


def test_a_report_can_be_kept_and_read_again(folder: Path) -> None:
    report = check(folder, GOOD + "C,X,-,-3,2020-01-31,LS1 4AP\n")
    assert ContractReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_check_is_silent_and_stays_on_this_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a check went to the network")

    for way_out in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way_out, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with caplog.at_level(logging.DEBUG):
        check(folder, GOOD + "A,X,1,,,LS1 4AP\n")
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_a_check_leaves_the_extract_as_it_was(folder: Path) -> None:
    check(folder)
    assert [path.name for path in folder.iterdir()] == ["person.csv"]
    assert (folder / "person.csv").read_text() == GOOD
