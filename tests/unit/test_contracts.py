"""Contracts are read as data: what they say is understood or refused, never skipped."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from nhsgen import contracts
from nhsgen.contracts import Always, Event, People, Words
from nhsgen.errors import BadContract, NotFound

SMALL = """
apiVersion: v3.1.0
kind: DataContract
id: small
version: 1.0.0
status: active
schema:
  - name: person
    physicalName: person.csv
    properties:
      - {name: person_id, logicalType: string, primaryKey: true}
      - {name: sex, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [M, F]}, mustBe: 0}]}
      - {name: born, physicalName: "Year of birth", logicalType: integer, physicalType: SMALLINT, logicalTypeOptions: {minimum: 1900}}
      - {name: diag_01, logicalType: string}
      - {name: diag_02, logicalType: string}
      - {name: home, logicalType: string, classification: identifying, customProperties: [{property: exclude, value: true}]}
    customProperties:
      - property: words
        value:
          person: person_id
          people: {everyone: true, sex: sex, sex_values: {M: male, F: female}, birth_year: born}
          events: [{codes: diag_01..diag_02, vocabulary: ICD10}]
          measurements: [{name: {always: age}, value: born, unit: {always: years}}]
"""


def written(folder: Path, text: str = SMALL, name: str = "small") -> Path:
    path = folder / f"{name}.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def columns_in(words: Words) -> Iterator[tuple[str, str]]:
    """Every (table, column) a word is bound to, found without knowing what the parts of a binding are called."""
    for kind in fields(words):
        for binding in getattr(words, kind.name):
            for part in fields(binding):
                value = getattr(binding, part.name)
                several = (
                    value if part.name == "codes" else (value[0],) if part.name == "consent" and value else (value,)
                )
                if part.name not in {"table", "vocabulary", "everyone"} and not part.name.endswith("_values"):
                    yield from ((binding.table, one) for one in several if isinstance(one, str))


@pytest.mark.parametrize("name", contracts.names())
def test_a_shipped_contract_binds_its_words_to_columns_that_are_released(name: str) -> None:
    contract = contracts.read(contracts.shipped(name))
    released = {(table.name, column.name) for table in contract.tables for column in table.released}
    assert set(columns_in(contract.words)) <= released
    assert contract.tables or contract.variants
    assert not [c.name for table in contract.tables for c in table.released if c.identifying or c.date_kind == "birth"]


def test_the_shipped_contracts() -> None:
    assert contracts.names() == (
        "cineca_uk1", "genomics_omop", "genomics_programme", "hes_apc", "omop_cdm_5.4", "omop_gibleed", "variants_vep",
    )  # fmt: skip
    with pytest.raises(NotFound, match="use one of cineca_uk1"):
        contracts.shipped("hes_ae")


def test_the_twenty_diagnoses_of_an_episode_are_bound_in_one_line() -> None:
    diagnoses, procedures = contracts.read(contracts.shipped("hes_apc")).words.events
    assert (diagnoses.codes[0], diagnoses.codes[19], len(diagnoses.codes)) == ("diag_01", "diag_20", 20)
    assert (procedures.vocabulary, procedures.codes[23], len(procedures.codes)) == ("OPCS4", "opertn_24", 24)


def test_a_small_contract(tmp_path: Path) -> None:
    contract = contracts.read(written(tmp_path))
    (table,) = contract.tables
    assert [(c.name, c.source, c.duckdb_type, c.required, c.excluded) for c in table.columns] == [
        ("person_id", "person_id", "VARCHAR", True, False),
        ("sex", "sex", "VARCHAR", False, False),
        ("born", "Year of birth", "SMALLINT", False, False),
        ("diag_01", "diag_01", "VARCHAR", False, False),
        ("diag_02", "diag_02", "VARCHAR", False, False),
        ("home", "home", "VARCHAR", False, True),
    ]
    assert contract.words.people == (
        People("person", "person_id", True, sex="sex", sex_values={"M": "male", "F": "female"}, birth_year="born"),
    )
    assert contract.words.events == (Event("person", "person_id", ("diag_01", "diag_02"), "ICD10"),)
    assert contract.words.measurements[0].unit == Always("years")


def test_one_changed_byte_is_another_contract(tmp_path: Path) -> None:
    one = contracts.read(written(tmp_path))
    other = contracts.read(written(tmp_path, SMALL + "#", "other"))
    assert one.sha256 != other.sha256


def test_the_universe_comes_first_whatever_the_order_of_the_contracts() -> None:
    omop, companion = (contracts.read(contracts.shipped(name)) for name in ("omop_cdm_5.4", "genomics_omop"))
    for order in ((omop, companion), (companion, omop)):
        assert contracts.merge_words(order).people[0].table == "person"


def test_two_universes_are_refused() -> None:
    several = [contracts.read(contracts.shipped(name)) for name in ("omop_cdm_5.4", "genomics_programme")]
    with pytest.raises(BadContract, match="two tables claim to list everyone"):
        contracts.merge_words(several)


@pytest.mark.parametrize(
    ("change", "into", "complaint"),
    [
        ("kind: DataContract", "kind: DataProduct", "not an ODCS contract"),
        ("v3.1.0", "v2.0.0", "apiVersion is not v3"),
        ("schema:", "shcema:", "not ODCS at shcema"),
        ("primaryKey: true", "primarykey: true", r"no key 'schema\[0\].properties\[0\].primarykey'"),
        ("primaryKey: true}", "primaryKey: true", "not YAML"),
        ("id: small", "id: small\nid: other", "not YAML"),
        ("id: small", "id: ${HOME}", "refers to a variable"),
        ("id: small", "id: &one small\nname: *one", "YAML aliases"),
        ("version: 1.0.0", "version: 2", "not ODCS at version"),
        ("version: 1.0.0", "version: ' '", "'version' is missing"),
        ("physicalName: person.csv", "physicalName: ../person.csv", "not a table's file name"),
        ("name: diag_02, l", "name: DIAG_01, l", "'DIAG_01' is there twice"),
        ("name: diag_02, l", "name: diag-02, l", "other characters than"),
        ("physicalType: SMALLINT", "physicalType: DECIMAL", "'physicalType' is not one of the words"),
        ("logicalTypeOptions: {minimum: 1900}", "logicalTypeOptions: {minimun: 1900}", "'minimun' is not a word"),
        ("{minimum: 1900}", "{minimum: '1900'}", "minimum is not a number"),
        ("{minimum: 1900}", "{minimum: 1900, exclusiveMinimum: 3}", "two limits on the same side"),
        ("validValues: [M, F]", "validValues: [Yes, No]", 'quote it: "Yes"'),
        ("validValues: [M, F]", "pattern: '[M'", "not a regular expression"),
        ("mustBe: 0", "mustbe: 0", "no key"),
        ("mustBe: 0", "mustBe: 0, mustBeLessThan: 4", "exactly one comparison"),
        ("metric: invalidValues", "metric: inventedValues", "'metric' is not one of the words"),
        ("metric: invalidValues", "type: sql, query: 'SELECT 1'", "type 'sql'"),
        ("metric: invalidValues", "type: custom, engine: soda, implementation: x", "type 'custom'"),
        ("metric: invalidValues", "metric: invalidValues, query: 'DROP TABLE person'", "executes no SQL"),
        ("property: exclude", "property: exlude", "'exlude' is not a word we know here"),
        ("value: true", "value: 'yes'", "neither true nor false"),
        ("person: person_id", "person: nobody", "the column 'nobody'"),
        ("birth_year: born", "birth_year: home", "excluded from the release"),
        ("birth_year: born", "birthyear: born", "'birthyear' is not a word we know here"),
        ("vocabulary: ICD10", "vocabulary: ICD11", "'vocabulary' is not one of the words"),
        (", vocabulary: ICD10", "", "'vocabulary' is missing"),
        ("diag_01..diag_02", "diag_01..diag_03", "the column 'diag_03'"),
        ("M: male", "M: man", "'word' is not one of the words"),
        ("{always: years}", "{sometimes: years}", "'a column' is missing or is not text"),
    ],
)
def test_a_contract_that_says_something_else_is_refused(tmp_path: Path, change: str, into: str, complaint: str) -> None:
    assert change in SMALL
    with pytest.raises(BadContract, match=complaint) as refusal:
        contracts.read(written(tmp_path, SMALL.replace(change, into, 1)))
    assert refusal.value.file == "small.odcs.yaml"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"- a\n- b", b"a: [", b"{" * 5000])
def test_what_is_not_a_contract_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.odcs.yaml"
    path.write_bytes(content)
    with pytest.raises(BadContract, match=r"odd\.odcs\.yaml"):
        contracts.read(path)


def test_a_contract_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        contracts.read(tmp_path / "none.odcs.yaml")
