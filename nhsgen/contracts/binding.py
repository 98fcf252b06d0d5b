"""Read what a table's contract binds to the words of cohorts: the custom property "words" of a schema object.

The column that says whose a row is stands once, under `person`; every other part of a binding names a column, or what is
said instead of one. The parts are those of the dataclasses in `nhsgen.contracts.words`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from nhsgen.codes import VOCABULARIES
from nhsgen.contracts.contract import Column, Table
from nhsgen.contracts.odcs import Place
from nhsgen.contracts.words import Always, Event, Family, Measurement, Observation, People, Phenotype, Sample, Words

__all__ = ["bind"]

_RANGE = re.compile(r"(?P<stem>\w*?)(?P<first>\d+)\.\.(?P=stem)(?P<last>\d+)")


@dataclass(frozen=True)
class _Binding:
    """Where a binding is written and which columns it may name."""

    place: Place
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

    def several_columns(self, value: object) -> tuple[str, ...]:
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
    "tumour_samples": (Sample, False),
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
        "codes": binding.several_columns,
        "vocabulary": binding.vocabulary,
        "name": binding.column_or_text,
        "unit": binding.column_or_text,
        "present_values": binding.values,
        "absent_values": binding.values,
        "affected_values": binding.values,
        "unaffected_values": binding.values,
    }


def bind(said: object, table: Table, place: Place) -> Words:
    """The words that `said`, the value of the property "words", binds to columns of `table`."""
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
