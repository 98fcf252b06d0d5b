"""From the bytes of a contract to the ODCS model, refusing whatever we would not understand or dare not execute.

A contract comes from outside. It is data: no SQL, no other engine's rule, no ${variable} and no YAML alias in it is followed,
and a key that ODCS does not have is an error, because a mistyped rule that is silently skipped protects nobody.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml
from open_data_contract_standard.model import CustomProperty, DataQuality, OpenDataContractStandard
from pydantic import ValidationError

from nhsgen.errors import BadContract

__all__ = ["Place", "check_quality", "check_value_rules", "parse", "properties"]

_LARGEST = 4_000_000  # bytes; the largest contract we ship has under 50 kB
_DEEPEST = 40
_VALUE_RULES: Mapping[str, frozenset[str]] = {  # rule -> the logical types it makes sense for
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), frozenset({"integer", "number", "date"})
    ),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), frozenset({"string"})),
}
_METRICS = frozenset({"rowCount", "duplicateValues", "nullValues", "missingValues", "invalidValues"})
_COMPARATORS = tuple(name for name in DataQuality.model_fields if name.startswith("must"))


@dataclass(frozen=True)
class Place:
    """Where in the contract we are: it knows how to complain."""

    file: str
    path: tuple[str, ...] = ()

    def __truediv__(self, part: str) -> "Place":
        return Place(self.file, (*self.path, part))

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


def parse(content: bytes, place: Place) -> OpenDataContractStandard:
    """The ODCS model of a contract file's bytes."""
    if len(content) > _LARGEST:
        raise place.bad(f"it has more than {_LARGEST:,} bytes", "a contract describes columns, it does not hold data")
    try:
        text = content.decode("utf-8")
        _check_events(text, place)
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


def _check_events(text: str, place: Place) -> None:
    """Aliases and deep nesting make a small file a large or slow one; an ODCS contract needs neither."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise place.bad("it uses YAML aliases (*name)", "write the repeated part out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise place.bad(f"it is nested deeper than {_DEEPEST} levels", "give an ODCS file")


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


def properties(several: list[CustomProperty] | None, place: Place) -> dict[str, Any]:
    """Custom properties by name; those of a named vendor are theirs and not ours."""
    ours = [item for item in several or [] if item.vendor is None]
    place.unique("the custom property", [place.text("property", item.property) for item in ours])
    return {cast(str, item.property): item.value for item in ours}


def check_value_rules(rules: Mapping[str, Any], logical: str, place: Place) -> None:
    """Refuse logicalTypeOptions that make no sense for a column of the logical type `logical`."""
    place.keys(rules, (rule for rule, types in _VALUE_RULES.items() if logical in types))
    if {"minimum", "exclusiveMinimum"} <= set(rules) or {"maximum", "exclusiveMaximum"} <= set(rules):
        raise place.bad("it has two limits on the same side", "keep one of them")
    for rule, value in rules.items():
        kind: tuple[type, ...] = (str,) if rule == "pattern" or logical == "date" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise place.bad(f"its {rule} is not a {'text' if kind == (str,) else 'number'}", "correct it; quote a date")
    _check_pattern(rules.get("pattern"), place)


def check_quality(rules: list[DataQuality] | None, place: Place) -> None:
    """Refuse quality rules other than ODCS library metrics with one comparison each."""
    executed = [rule for rule in rules or [] if rule.type != "text"]
    for rule in executed:
        if rule.type not in (None, "library") or any((rule.query, rule.engine, rule.implementation, rule.rule)):
            raise place.bad(
                f"it has a quality rule of type '{rule.type or 'library'}' with text to be executed",
                "nhsgen executes no SQL or code from a contract: use a library metric (invalidValues, nullValues, rowCount ...)",
            )
        metric = place.choice("metric", rule.metric, sorted(_METRICS))
        if sum(getattr(rule, name) is not None for name in _COMPARATORS) != 1:
            raise place.bad(
                f"its rule on {metric} does not have exactly one comparison", "write one, such as mustBe: 0"
            )
        arguments = rule.arguments or {}
        place.keys(arguments, ("validValues", "pattern", "missingValues", "properties"))
        if metric == "invalidValues" and not {"validValues", "pattern"} & set(arguments):
            raise place.bad(
                "its rule on invalidValues says neither validValues nor pattern", "write one under arguments"
            )
        if any(isinstance(value, bool) for value in arguments.get("validValues") or ()):
            raise place.bad("YAML reads its valid value Yes or No as true or false", 'quote it: "Yes"')
        _check_pattern(arguments.get("pattern"), place)
    place.unique("the quality metric", [cast(str, rule.metric) for rule in executed])  # they would share one answer


def _check_pattern(pattern: object, place: Place) -> None:
    try:
        re.compile(str(pattern or ""))
    except re.error as error:
        raise place.bad("its pattern is not a regular expression", "mend the pattern") from error
