"""A check finds the planted faults, all of them and no others, and a sound table comes out as it went in."""

import datetime
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen import contracts
from nhsgen.extracts.validation import validate, write_typed
from nhsgen.settings import Settings

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
schema:
  - name: visit
    physicalName: visit.FORM
    properties:
      - {name: visit_id, logicalType: integer, physicalType: BIGINT, primaryKey: true}
      - name: kind
        logicalType: string
        required: true
        quality: [{metric: invalidValues, arguments: {validValues: [ward, clinic]}, mustBe: 0}]
      - {name: code, logicalType: string, logicalTypeOptions: {pattern: "^[A-Z][0-9]{2}$"}}
      - {name: days, logicalType: integer, physicalType: SMALLINT, logicalTypeOptions: {minimum: 0, maximum: 400}}
      - {name: began, logicalType: date}
"""

rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 6),
        st.sampled_from(["ward", "clinic", "Ward", None]),
        st.sampled_from(["E11", "Q61", "E11.2", "e11", None]),
        st.none() | st.integers(-2, 403),
        st.none() | st.dates(datetime.date(1950, 1, 1), datetime.date(2026, 1, 1)),
    ),
    max_size=12,
)
SCHEMA = {"visit_id": pl.Int64, "kind": pl.String, "code": pl.String, "days": pl.Int16, "began": pl.Date}


def expected(table: pl.DataFrame) -> Counter[tuple[str, str]]:
    """The same rules, said plainly in Python."""
    faults: Counter[tuple[str, str]] = Counter()
    seen = Counter(visit for visit in table["visit_id"] if visit is not None)
    faults["visit_id", "unique"] = sum(1 for times in seen.values() if times > 1)
    for visit, kind, code, days, _ in table.iter_rows():
        faults["visit_id", "required"] += visit is None
        faults["kind", "required"] += kind is None
        faults["kind", "allowed_values"] += kind is not None and kind not in ("ward", "clinic")
        faults["code", "pattern"] += code is not None and code not in ("E11", "Q61")
        faults["days", "minimum"] += days is not None and days < 0
        faults["days", "maximum"] += days is not None and days > 400
    return +faults


@settings(max_examples=12, deadline=None)
@given(rows, st.sampled_from(["parquet", "csv", "tsv.gz"]))
def test_a_check_finds_exactly_what_is_wrong(drawn: list[tuple[object, ...]], form: str) -> None:
    table = pl.DataFrame(drawn, schema=SCHEMA, orient="row")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "extract"
        folder.mkdir()
        path = Path(scratch) / "visits.odcs.yaml"
        path.write_text(CONTRACT.replace("FORM", form), encoding="utf-8")
        write(table, folder / f"visit.{form}")
        contract = contracts.read(path)
        report = validate(folder, [contract], Settings())
        assert Counter({(str(f.column), f.rule): f.count for f in report.findings}) == expected(table)
        assert report.tables[0].rows == table.height
        assert all(1 <= row <= table.height for finding in report.findings for row in finding.rows)
        if report.passed:
            assert write_typed(folder, contract.tables[0], Path(scratch) / "out.parquet") == table.height
            assert pl.read_parquet(Path(scratch) / "out.parquet").equals(table)


def write(table: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        compression = "gzip" if path.suffix == ".gz" else "uncompressed"
        table.write_csv(path, separator="\t" if ".tsv" in path.name else ",", compression=compression)
