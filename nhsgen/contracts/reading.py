"""Read an ODCS 3.1 file into a `Contract`, and refuse whatever we would not understand or dare not execute.

A contract comes from outside. It is data: no SQL, no other engine's rule, no ${variable}, no YAML alias in it is followed,
and a key or a property we do not know is an error, because a mistyped rule that is silently skipped protects nobody.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from nhsgen.codes import VOCABULARIES
from nhsgen.contracts.contract import DUCKDB_TYPES, Column, Contract, Table, VariantFiles
from nhsgen.contracts.words import (
    Always,
    Event,
    Family,
    Measurement,
    Observation,
    People,
    Phenotype,
    Sample,
    Words,
)
from nhsgen.errors import BadContract, NotFound
from nhsgen.genome import Assembly

__all__ = ["merge_words", "names", "read", "shipped"]

_LARGEST = 4_000_000  # bytes; the largest contract we ship has under 50 kB
_SUFFIX = ".odcs.yaml"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(parquet|csv|tsv|csv\.gz|tsv\.gz)")
_VARIANT_FILE = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*\.(vcf|vcf\.gz|vcf\.bgz|bcf)")
_RANGE = re.compile(r"(?P<stem>\w*?)(?P<first>\d+)\.\.(?P=stem)(?P<last>\d+)")

# What the contract may say in customProperties, and nowhere else. Properties of a named vendor are theirs: not read.
_TABLE_PROPERTIES = frozenset({"words", "optional", "missing_markers"})
_VARIANT_PROPERTIES = frozenset({"optional", "assembly", "absence", "annotation"})
_COLUMN_PROPERTIES = frozenset({"exclude", "missing_markers", "free_text_allowed", "date_kind", "severity"})
_VALUE_RULES = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"}
)
_METRICS = frozenset({"rowCount", "duplicateValues", "nullValues", "missingValues", "invalidValues"})
_DATE_KINDS = frozenset({"birth", "death"})


def read(path: str | Path) -> Contract:
    """The contract in the file `path`; BadContract, naming the file and the place in it, when it cannot be used."""
    file = Path(path)
    if not file.is_file():
        raise NotFound(f"reading the contract {file.name}", "there is no such file", "give the path of an ODCS file")
    content = file.read_bytes()
    place = _Place(file.name)
    model = _model(content, place)
    tables: list[Table] = []
    variants: list[VariantFiles] = []
    words: list[Words] = []
    for schema in model.schema_ or []:
        where = place / (schema.name or "a schema object without a name")
        if (schema.physicalType or "table") == "vcf":
            variants.append(_variant_files(schema, where))
        else:
            table = _table(schema, where)
            tables.append(table)
            words.append(_words(_properties(schema.customProperties, where).get("words"), table, where / "words"))
    if not tables and not variants:
        raise place.bad("its schema is empty", "describe at least one table or one set of variant files")
    place.unique("the name", [*(table.name for table in tables), *(files.name for files in variants)])
    place.unique("the file", [*(table.file for table in tables), *(files.file for files in variants)])
    return Contract(
        id=place.text("id", model.id),
        version=place.text("version", model.version),
        name=model.name or place.text("id", model.id),
        sha256=hashlib.sha256(content).hexdigest(),
        path=file,
        tables=tuple(tables),
        variants=tuple(variants),
        words=_merged(words, place),
        raw=model,
    )


def merge_words(contracts: Iterable[Contract]) -> Words:
    """The words of an extract that is under several contracts; BadContract when two of them claim the universe."""
    several = tuple(contracts)
    return _merged([contract.words for contract in several], _Place(", ".join(c.path.name for c in several)))


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


# -- From bytes to the ODCS model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where in the contract we are: it knows how to complain."""

    file: str
    path: tuple[str, ...] = ()

    def __truediv__(self, part: str) -> "_Place":
        return _Place(self.file, (*self.path, part))

    def bad(self, found: str, do_next: str, line: int | None = None) -> BadContract:
        what = f"reading the contract's {' / '.join(self.path)}" if self.path else "reading the contract"
        return BadContract(what, found, do_next, file=self.file, line=line)

    def text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.bad(
                f"'{key}' is missing or is not text", f"write {key}: and a text, quoted if it looks like a number"
            )
        return value

    def choice(self, key: str, value: object, choices: Iterable[str]) -> str:
        allowed = tuple(choices)
        if value not in allowed:
            raise self.bad(f"'{key}' is not one of the words we know", f"use {', '.join(allowed)}")
        return str(value)

    def flag(self, key: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise self.bad(f"'{key}' is neither true nor false", "write true or false")
        return value

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        """A list of texts; YAML reads an unquoted Yes as true and 1 as a number: a stored text is written as text."""
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self.bad(f"'{key}' is not a list of texts", 'write a list and quote its items, such as ["Yes"]')
        return tuple(value)

    def keys(self, found: Iterable[str], known: Iterable[str]) -> None:
        if unknown := sorted(set(found) - set(known)):
            raise self.bad(f"'{unknown[0]}' is not a word we know here", f"use {', '.join(sorted(known))}")

    def unique(self, what: str, values: list[str]) -> None:
        folded = [value.casefold() for value in values]
        for position, value in enumerate(folded):
            if value in folded[:position]:
                raise self.bad(f"{what} '{values[position]}' is there twice (letter case aside)", "keep one of the two")


def _model(content: bytes, place: _Place) -> OpenDataContractStandard:
    if len(content) > _LARGEST:
        raise place.bad(f"it has more than {_LARGEST:,} bytes", "a contract describes columns, it does not hold data")
    try:
        text = content.decode("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise place.bad("it uses YAML aliases (*name)", "write the repeated part out")
        data = yaml.load(text, Loader=_PlainDates)
    except UnicodeDecodeError as error:
        raise place.bad("it is not UTF-8 text", "give an ODCS file in YAML") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        raise place.bad("it is not YAML", "mend it at that line", line=mark.line + 1 if mark else None) from error
    if not isinstance(data, dict) or data.get("kind") != "DataContract":
        raise place.bad("it is not an ODCS contract: 'kind: DataContract' is missing", "give an ODCS 3.1 file")
    if not str(data.get("apiVersion", "")).startswith("v3."):
        raise place.bad("its apiVersion is not v3", "give an ODCS 3.1 file (apiVersion: v3.1.0)")
    if "${" in text:
        raise place.bad("it refers to a variable with ${...}", "write the value itself")
    try:
        model = OpenDataContractStandard(**data)
    except (ValidationError, TypeError) as error:
        spot = " / ".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else "its top level"
        raise place.bad(f"it is not ODCS at {spot}", "compare it with the ODCS 3.1 reference") from error
    if stray := _stray(data, model.model_dump(by_alias=True, exclude_unset=True)):
        raise place.bad(f"ODCS has no key '{stray}' there", "correct the key or remove it")
    return model


class _PlainDates(yaml.SafeLoader):  # type: ignore[misc]
    """Dates stay text, as ODCS has them, and a key written twice is an error, not the last one's win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.MarkedYAMLError(problem="a key is there twice", problem_mark=node.start_mark)
        return cast(dict[Any, Any], super().construct_mapping(node, deep))


_PlainDates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _stray(data: object, understood: object, path: str = "") -> str | None:
    """The path of the first key that the ODCS model dropped; its inner models ignore keys that they do not know."""
    if isinstance(data, dict) and isinstance(understood, dict):
        for key, value in data.items():
            here = f"{path}.{key}".lstrip(".")
            if key not in understood:
                return here
            if below := _stray(value, understood[key], here):
                return below
    if isinstance(data, list) and isinstance(understood, list):
        for position, (value, known) in enumerate(zip(data, understood, strict=True)):
            if below := _stray(value, known, f"{path}[{position}]"):
                return below
    return None


# -- Tables, columns, variant files ------------------------------------------------------------------------------------


def _properties(several: list[CustomProperty] | None, place: _Place) -> dict[str, Any]:
    ours = [item for item in several or [] if item.vendor is None]
    place.unique("the custom property", [place.text("property", item.property) for item in ours])
    return {cast(str, item.property): item.value for item in ours}


def _table(schema: SchemaObject, place: _Place) -> Table:
    name = _name(schema.name, place)
    file = place.text("physicalName", schema.physicalName)
    if not _TABLE_FILE.fullmatch(file):
        raise place.bad(
            "its physicalName is not a table's file name", "name a .parquet, .csv(.gz) or .tsv(.gz) file, no folder"
        )
    said = _properties(schema.customProperties, place)
    place.keys(said, _TABLE_PROPERTIES)
    _check_quality(schema.quality, place)
    markers = place.texts("missing_markers", said["missing_markers"]) if "missing_markers" in said else ()
    columns = tuple(_column(column, markers, place) for column in schema.properties or [])
    if not columns:
        raise place.bad("it has no columns", "list them under properties")
    place.unique("the column", [column.name for column in columns])
    place.unique("the file's column", [column.source for column in columns])
    return Table(name, file, columns, required=not place.flag("optional", said.get("optional", False)))


def _column(schema: SchemaProperty, table_markers: tuple[str, ...], table: _Place) -> Column:
    name = _name(schema.name, table)
    place = table / name
    said = _properties(schema.customProperties, place)
    place.keys(said, _COLUMN_PROPERTIES)
    place.keys(schema.logicalTypeOptions or {}, _VALUE_RULES)
    _check_quality(schema.quality, place)
    _check_pattern((schema.logicalTypeOptions or {}).get("pattern"), place)
    logical = place.choice("logicalType", schema.logicalType, DUCKDB_TYPES)
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
        excluded=place.flag("exclude", said.get("exclude", False)),
        identifying=schema.classification == "identifying",
        quasi_identifier=schema.classification == "quasi-identifier",
        free_text_allowed=place.flag("free_text_allowed", said.get("free_text_allowed", False)),
        date_kind=None if kind is None else place.choice("date_kind", kind, _DATE_KINDS),
        severity=cast(
            Literal["error", "warning"], place.choice("severity", said.get("severity", "error"), ("error", "warning"))
        ),
    )


def _variant_files(schema: SchemaObject, place: _Place) -> VariantFiles:
    file = place.text("physicalName", schema.physicalName)
    if not _VARIANT_FILE.fullmatch(file):
        raise place.bad(
            "its physicalName is not a variant file's name", "name a .vcf, .vcf.gz or .bcf file; * stands for anything"
        )
    if schema.properties or schema.quality:
        raise place.bad("variant files have no columns or quality rules here", "remove properties and quality")
    said = _properties(schema.customProperties, place)
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
    )


def _name(value: object, place: _Place) -> str:
    name = place.text("name", value)
    if not _NAME.fullmatch(name):
        raise place.bad(
            f"the name '{name}' has other characters than letters, digits and _",
            "give it a plain name here and the file's own name in physicalName",
        )
    return name


def _check_quality(rules: list[DataQuality] | None, place: _Place) -> None:
    for rule in rules or []:
        if rule.type == "text":
            continue
        if rule.type not in (None, "library") or any(
            value is not None for value in (rule.query, rule.engine, rule.implementation, rule.rule)
        ):
            raise place.bad(
                f"it has a quality rule of type '{rule.type or 'library'}' with text to be executed",
                "nhsgen executes no SQL or code from a contract: use a library metric (invalidValues, nullValues, rowCount ...)",
            )
        place.choice("metric", rule.metric, sorted(_METRICS))
        _check_pattern((rule.arguments or {}).get("pattern"), place)


def _check_pattern(pattern: object, place: _Place) -> None:
    try:
        re.compile(str(pattern or ""))
    except re.error as error:
        raise place.bad("its pattern is not a regular expression", "mend the pattern") from error


# -- Words -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Binding:
    """Where a binding is written and which columns it may name."""

    place: _Place
    columns: Mapping[str, Column]

    def column(self, value: object) -> str:
        name = self.place.text("a column", value)
        if name not in self.columns:
            raise self.place.bad(
                f"it names the column '{name}', which the table does not have", "name one of its columns"
            )
        if self.columns[name].excluded:
            raise self.place.bad(
                f"it names the column '{name}', which is excluded from the release", "keep it or bind another"
            )
        return name

    def columns_(self, value: object) -> tuple[str, ...]:
        several = value if isinstance(value, list) else [value]
        return tuple(self.column(name) for item in several for name in _expanded(item))

    def column_or_text(self, value: object) -> str | Always:
        if isinstance(value, dict) and list(value) == ["always"]:
            return Always(self.place.text("always", value["always"]))
        return self.column(value)

    def values(self, value: object) -> tuple[str, ...]:
        return self.place.texts("values", value)

    def word_of(self, *words: str) -> Callable[[object], dict[str, str]]:
        def read_mapping(value: object) -> dict[str, str]:
            if not isinstance(value, dict) or any(isinstance(key, bool) for key in value):
                raise self.place.bad(
                    "it does not map stored values to words", f'write "stored": word, with {", ".join(words)}'
                )
            return {str(stored): self.place.choice("word", word, words) for stored, word in value.items()}

        return read_mapping

    def consent(self, value: object) -> tuple[str, tuple[str, ...]]:
        if not isinstance(value, dict) or set(value) != {"column", "accepts"}:
            raise self.place.bad("consent is not a column and what it accepts", 'write {column: ..., accepts: ["Yes"]}')
        return self.column(value["column"]), self.values(value["accepts"])

    def flag(self, value: object) -> bool:
        return self.place.flag("everyone", value)

    def vocabulary(self, value: object) -> str:
        return self.place.choice("vocabulary", value, VOCABULARIES)


def _expanded(text: object) -> Iterator[object]:
    """`diag_01..diag_20` is twenty columns; anything else is itself.

    >>> list(_expanded("diag_08..diag_10"))
    ['diag_08', 'diag_09', 'diag_10']
    """
    span = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if span is None:
        yield text
    else:
        width = len(span["first"])
        for number in range(int(span["first"]), min(int(span["last"]), 10_000) + 1):
            yield f"{span['stem']}{number:0{width}d}"


_KINDS: Mapping[str, tuple[type, bool]] = {  # the word -> what it becomes, and whether a table has several
    "people": (People, False),
    "events": (Event, True),
    "phenotypes": (Phenotype, True),
    "measurements": (Measurement, True),
    "observations": (Observation, True),
    "family": (Family, False),
    "samples": (Sample, False),
}
_SEXES = ("male", "female")
_ROLES = ("proband", "mother", "father", "sibling", "other")


def _readers(binding: _Binding) -> Mapping[str, Callable[[Any], Any]]:
    """How each part of a binding is read; every other part is the name of a column."""
    return {
        "everyone": binding.flag,
        "sex_values": binding.word_of(*_SEXES),
        "role_values": binding.word_of(*_ROLES),
        "consent": binding.consent,
        "codes": binding.columns_,
        "vocabulary": binding.vocabulary,
        "name": binding.column_or_text,
        "unit": binding.column_or_text,
        "present_values": binding.values,
        "absent_values": binding.values,
        "affected_values": binding.values,
        "unaffected_values": binding.values,
    }


def _words(said: object, table: Table, place: _Place) -> Words:
    if said is None:
        return Words()
    if not isinstance(said, dict):
        raise place.bad("it is not a mapping", "write person: and the words this table is bound to")
    place.keys(said, ("person", *_KINDS))
    columns = {column.name: column for column in table.columns}
    person = _Binding(place / "person", columns).column(said.get("person"))
    bound: dict[str, tuple[Any, ...]] = {}
    for word, (kind, several) in _KINDS.items():
        if word not in said:
            continue
        entries = said[word] if several else [said[word]]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise (place / word).bad(
                "it is not of the form we know", f"write a {'list of mappings' if several else 'mapping'}"
            )
        bound[word] = tuple(
            _bound(kind, entry, table.name, person, _Binding(place / word, columns)) for entry in entries
        )
    return Words(**bound)


def _bound(kind: type, entry: Mapping[str, Any], table: str, person: str, binding: _Binding) -> Any:
    parts = {part.name: part for part in fields(kind) if part.name not in {"table", "person"}}
    binding.place.keys(entry, parts)
    for name, part in parts.items():
        if part.default is MISSING and part.default_factory is MISSING and name not in entry:
            raise binding.place.bad(f"'{name}' is missing", f"name the column that is its {name}")
    readers = _readers(binding)
    return kind(table, person, **{name: readers.get(name, binding.column)(value) for name, value in entry.items()})


def _merged(words: Iterable[Words], place: _Place) -> Words:
    together = Words.union(words)
    if [people.everyone for people in together.people].count(True) > 1:
        raise place.bad("two tables claim to list everyone", "let one table have everyone: true")
    return together
