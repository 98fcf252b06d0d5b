"""Read an ODCS 3.1 file into a `Contract`, find those that nhsgen ships, and merge the words of several."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

from open_data_contract_standard.model import SchemaObject, SchemaProperty

from nhsgen.contracts.binding import bind
from nhsgen.contracts.contract import DUCKDB_TYPES, Column, Contract, Table, VariantFiles
from nhsgen.contracts.odcs import Place, check_quality, check_value_rules, parse, properties
from nhsgen.contracts.words import Words
from nhsgen.errors import NotFound
from nhsgen.genome import Assembly

__all__ = ["merge_words", "names", "read", "shipped"]

_SUFFIX = ".odcs.yaml"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(parquet|csv|tsv|csv\.gz|tsv\.gz)")
_VARIANT_FILE = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*\.(vcf|vcf\.gz|vcf\.bgz|bcf)")

# What a contract may say in customProperties.
_TABLE_PROPERTIES = frozenset({"words", "optional", "missing_markers", "exclude"})
_VARIANT_PROPERTIES = frozenset({"optional", "assembly", "absence", "annotation", "samples"})
_COLUMN_PROPERTIES = frozenset({"exclude", "optional", "missing_markers", "free_text_allowed", "date_kind", "severity"})
_DATE_KINDS = frozenset({"birth", "death"})


def read(path: str | Path) -> Contract:
    """The contract in the file `path`; BadContract, naming the file and the place in it, when it cannot be used."""
    file = Path(path)
    if not file.is_file():
        raise NotFound(
            f"reading the contract {file.name}", "there is no such file", "give the path of an ODCS file", file=file
        )
    content = file.read_bytes()
    place = Place(file.name)
    model = parse(content, place)
    tables: list[Table] = []
    variants: list[VariantFiles] = []
    words: list[Words] = []
    not_taken: list[str] = []
    for schema in model.schema_ or []:
        where = place / (schema.name or "a schema object without a name")
        if (schema.physicalType or "table") == "vcf":
            variants.append(_variant_files(schema, where))
        elif properties(schema.customProperties, where).get("exclude") is True:
            not_taken.append(_table_file(schema, where))
        else:
            table = _table(schema, where)
            tables.append(table)
            words.append(bind(properties(schema.customProperties, where).get("words"), table, where / "words"))
    if not tables and not variants:
        raise place.bad("its schema is empty", "describe at least one table or one set of variant files")
    place.unique("the name", [*(table.name for table in tables), *(files.name for files in variants)])
    place.unique("the file", [*(table.file for table in tables), *(files.file for files in variants), *not_taken])
    return Contract(
        id=place.text("id", model.id),
        version=place.text("version", model.version),
        name=model.name or place.text("id", model.id),
        sha256=hashlib.sha256(content).hexdigest(),
        path=file,
        tables=tuple(tables),
        variants=tuple(variants),
        words=_merged(words, place),
        not_taken=tuple(not_taken),
        raw=model,
    )


def merge_words(contracts: Iterable[Contract]) -> Words:
    """The words of an extract that is under several contracts; BadContract when two of them claim the universe."""
    several = tuple(contracts)
    return _merged([contract.words for contract in several], Place(", ".join(c.path.name for c in several)))


def shipped(name: str) -> Path:
    """The file of a contract that nhsgen brings along.

    >>> shipped("hes_apc").name
    'hes_apc.odcs.yaml'
    """
    if name not in names():
        raise NotFound(
            f"finding the contract '{name}'", "nhsgen ships none of that name", f"use one of {', '.join(names())}"
        )
    return _folder() / f"{name}{_SUFFIX}"


def names() -> tuple[str, ...]:
    """The contracts that nhsgen brings along, by short name."""
    return tuple(sorted(path.name.removesuffix(_SUFFIX) for path in _folder().glob(f"*{_SUFFIX}")))


def _folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "data_contracts"
    return installed if installed.is_dir() else package.parent / "data_contracts"  # the second in a checkout


# -- Tables, columns, variant files ------------------------------------------------------------------------------------


def _table(schema: SchemaObject, place: Place) -> Table:
    name = _name(schema.name, place)
    said = properties(schema.customProperties, place)
    place.keys(said, _TABLE_PROPERTIES)
    check_quality(schema.quality, place)
    markers = place.texts("missing_markers", said["missing_markers"]) if "missing_markers" in said else ()
    columns = tuple(_column(column, markers, place) for column in schema.properties or [])
    if not columns:
        raise place.bad("it has no columns", "list them under properties")
    place.unique("the column", [column.name for column in columns])
    place.unique("the file's column", [column.source for column in columns])
    return Table(
        name, _table_file(schema, place), columns, required=not place.flag("optional", said.get("optional", False))
    )


def _table_file(schema: SchemaObject, place: Place) -> str:
    file = place.text("physicalName", schema.physicalName)
    if not _TABLE_FILE.fullmatch(file):
        raise place.bad(
            "its physicalName is not a table's file name", "name a .parquet, .csv(.gz) or .tsv(.gz) file, no folder"
        )
    return file


def _column(schema: SchemaProperty, table_markers: tuple[str, ...], table: Place) -> Column:
    name = _name(schema.name, table)
    place = table / name
    said = properties(schema.customProperties, place)
    place.keys(said, _COLUMN_PROPERTIES)
    logical = place.choice("logicalType", schema.logicalType, DUCKDB_TYPES)
    check_value_rules(schema.logicalTypeOptions or {}, logical, place)
    check_quality(schema.quality, place)
    if schema.relationships:
        raise place.bad("relationships are not executed here", "remove them: every row's person is looked for anyway")
    kinds = DUCKDB_TYPES[logical]
    markers = place.texts("missing_markers", said["missing_markers"]) if "missing_markers" in said else ()
    kind = said.get("date_kind")
    return Column(
        name=name,
        logical_type=logical,
        physical_type=place.choice("physicalType", (schema.physicalType or kinds[0]).upper(), kinds),
        source=schema.physicalName or name,
        required=bool(schema.required or schema.primaryKey),
        unique=bool(schema.unique),
        primary_key=bool(schema.primaryKey),
        classification=schema.classification,
        missing_markers=tuple(dict.fromkeys((*table_markers, *markers))),
        optional=place.flag("optional", said.get("optional", False)),
        excluded=place.flag("exclude", said.get("exclude", False)),
        identifying=schema.classification == "identifying",
        quasi_identifier=schema.classification == "quasi-identifier",
        free_text_allowed=place.flag("free_text_allowed", said.get("free_text_allowed", False)),
        date_kind=None if kind is None else place.choice("date_kind", kind, _DATE_KINDS),
        severity=cast(
            Literal["error", "warning"], place.choice("severity", said.get("severity", "error"), ("error", "warning"))
        ),
    )


def _variant_files(schema: SchemaObject, place: Place) -> VariantFiles:
    file = place.text("physicalName", schema.physicalName)
    if not _VARIANT_FILE.fullmatch(file):
        raise place.bad(
            "its physicalName is not a variant file's name", "name a .vcf, .vcf.gz or .bcf file; * stands for anything"
        )
    if schema.properties or schema.quality:
        raise place.bad("variant files have no columns or quality rules here", "remove properties and quality")
    said = properties(schema.customProperties, place)
    place.keys(said, _VARIANT_PROPERTIES)
    annotation = said.get("annotation")
    return VariantFiles(
        name=_name(schema.name, place),
        file=file,
        assembly=Assembly(place.choice("assembly", said.get("assembly"), [a.value for a in Assembly])),
        absence=cast(Any, place.choice("absence", said.get("absence"), ("reference", "unknown"))),
        annotation=None
        if annotation is None
        else cast(Any, place.choice("annotation", annotation, ("CSQ", "ANN", "BCSQ"))),
        required=not place.flag("optional", said.get("optional", False)),
        samples=cast(Any, place.choice("samples", said.get("samples", "germline"), ("germline", "tumours"))),
    )


def _name(value: object, place: Place) -> str:
    name = place.text("name", value)
    if not _NAME.fullmatch(name):
        raise place.bad(
            f"the name '{name}' has other characters than letters, digits and _",
            "give it a plain name here and the file's own name in physicalName",
        )
    return name


def _merged(words: Iterable[Words], place: Place) -> Words:
    together = Words.union(words)
    if [people.everyone for people in together.people].count(True) > 1:
        raise place.bad("two tables claim to list everyone", "let one table have everyone: true")
    return together
