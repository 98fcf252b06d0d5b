"""Execute a contract's rules with datacontract-cli, and say what they found in our words.

This is the only file that runs datacontract-cli. It gets our DuckDB connection, which reaches no network and no other file,
and a contract that we wrote: the rules of the columns that could be read, and nothing else of what came from outside.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import duckdb
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty, Server

from nhsgen.contracts.contract import Column, Contract, Table
from nhsgen.contracts.reading import merge_words
from nhsgen.contracts.submitted import Finding, counted, first_rows, identifier, literal, number

__all__ = ["execute", "strangers"]

# What a check measured, or what it was limited by -> our name of the rule, what we say, and the cells that break it:
# {c} is the column, {v} what the contract says.
_RULES: Mapping[str, tuple[str, str, str]] = {
    "missing_count": ("required", "empty cells", "{c} IS NULL"),
    "duplicate_count": ("unique", "repeated values", ""),
    "row_count": ("row_count", "rows", ""),
    "valid_values": ("allowed_values", "cells with none of {v}", "{c} NOT IN {v}"),
    "invalid_values": ("limit", "cells with exactly {v}", "{c} IN {v}"),
    "pattern": ("pattern", "cells not of the form /{v}/", "NOT regexp_matches({c}, {v})"),
    "minimum": ("minimum", "cells below {v}", "{c} < {v}"),
    "maximum": ("maximum", "cells above {v}", "{c} > {v}"),
    "min_length": ("length", "cells shorter than {v} characters", "length({c}) < {v}"),
    "max_length": ("length", "cells longer than {v} characters", "length({c}) > {v}"),
}
_VALUE_CHECKS = frozenset(
    {"field_minimum", "field_maximum", "field_not_equal", "field_regex", "field_min_length", "field_max_length"}
)
_ANSWERED_ABOVE = frozenset({"field_is_present", "field_type"})  # datacontract-cli does not check a file's types


def execute(
    desk: duckdb.DuckDBPyConnection, scratch: Path, contracts: Sequence[Contract], sound: Mapping[str, list[Column]]
) -> tuple[list[Finding], int]:
    """Have the rules on sound columns executed; returns what they found and how many they were."""
    tables = {table.name: table for contract in contracts for table in contract.tables}
    schemas = [
        executable
        for contract in contracts
        for schema in contract.raw.schema_ or []
        if schema.name is not None
        and schema.name in sound
        and (executable := _executable(schema, sound[schema.name])).properties
    ]
    checks = [check for check in _run_datacontract(desk, scratch, schemas) if check.type not in _ANSWERED_ABOVE]
    asked = {check.model for check in checks}
    findings = [
        Finding(tables[name].file, None, "not_checked", "its rules could not be executed")
        for name in sorted({cast(str, schema.name) for schema in schemas} - asked)
    ]
    findings += [_broken_rule(desk, check, tables.get(check.model)) for check in checks if check.result != "passed"]
    return findings, len(checks)


def _executable(schema: SchemaObject, columns: Iterable[Column]) -> SchemaObject:
    """Only the rules of a schema object, on its sound columns, under their released names: nothing else is handed over."""
    said = {prop.name: prop for prop in schema.properties or []}
    sound = {column.name for column in columns}
    whole_key = {prop.name for prop in said.values() if prop.primaryKey} <= sound
    properties = []
    for column in columns:
        prop = said[column.name]
        quality = [rule for rule in prop.quality or [] if rule.type != "text"]
        if any((column.required, column.unique, column.primary_key, prop.logicalTypeOptions, quality)):
            properties.append(
                SchemaProperty(
                    name=column.name,
                    logicalType=column.logical_type,
                    physicalType="timestamp_ntz" if column.duckdb_type == "TIMESTAMP" else column.duckdb_type,
                    required=column.required,
                    unique=column.unique,
                    primaryKey=column.primary_key and whole_key,
                    primaryKeyPosition=prop.primaryKeyPosition,
                    logicalTypeOptions=prop.logicalTypeOptions,
                    quality=quality or None,
                )
            )
    rules = [rule for rule in schema.quality or [] if rule.type != "text"]
    return SchemaObject(name=schema.name, properties=properties, quality=rules or None)


def _run_datacontract(desk: duckdb.DuckDBPyConnection, scratch: Path, schemas: list[SchemaObject]) -> list[Any]:
    """The only place that runs datacontract-cli: on our connection, on a contract we wrote, silently and without a network."""
    if not schemas:
        return []
    contract = OpenDataContractStandard(
        apiVersion="v3.1.0", kind="DataContract", id="extract", version="1", status="active", schema=schemas,
        servers=[Server(server="extract", type="local", format="parquet", path=f"{scratch.resolve()}/{{model}}.parquet")],
    )  # fmt: skip
    with _silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datacontract.data_contract import DataContract  # noqa: PLC0415  (two seconds, and only a check needs it)

        run = DataContract(
            data_contract=contract, duckdb_connection=desk, inline_references=False, untrusted_contract=True, config={}
        ).test()
    return list(run.checks or ())


@contextmanager
def _silence() -> Iterator[None]:
    """Its log quotes rows of the tables."""
    loggers = [logging.getLogger(name) for name in ("datacontract", "ibis", "sqlglot")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _broken_rule(desk: duckdb.DuckDBPyConnection, check: Any, table: Table | None) -> Finding:
    """Say it in our words: datacontract-cli's reason may quote a cell."""
    measured = check.diagnostics or {}
    if table is None or "value" not in measured or measured.get("metric") not in {*_RULES, "invalid_count"}:
        name = next((c.source for c in table.columns if c.name == check.field), None) if table else None
        return Finding(
            table.file if table else "the extract",
            name,
            "not_checked",
            f"its rule ({check.type}) could not be executed",
        )
    column = next((column for column in table.columns if column.name == check.field), None)
    limits = measured.get("constraint") or {measured["metric"]: None}
    rule = " or ".join(dict.fromkeys(_RULES[limit][0] for limit in limits))
    broken = " or ".join(_RULES[limit][1].format(v=_spoken(value)) for limit, value in limits.items())
    says = counted(int(measured["value"]), broken)
    if measured.get("threshold") != "= 0":
        percent = f"{measured['percent']:g} % of them; " if "percent" in measured else ""
        says += f" ({percent}the contract asks for {measured.get('threshold')}{' %' if percent else ''})"
    mild = check.result == "warning" or (column and column.severity == "warning" and check.type in _VALUE_CHECKS)
    relation = identifier(table.name)
    keys = measured.get("columns") or ([column.name] if column else [])
    if measured["metric"] == "duplicate_count":
        key = ", ".join(map(identifier, keys))
        where = f"({key}) IN (SELECT ({key}) FROM {relation} GROUP BY {key} HAVING count(*) > 1)" if keys else "false"
    else:
        name = identifier(column.name) if column else "NULL"
        where = " OR ".join(_RULES[limit][2].format(c=name, v=literal(v)) or "false" for limit, v in limits.items())
    return Finding(
        table.file,
        column.source if column else None,
        rule,
        says,
        "warning" if mild else "error",
        int(measured["value"]),
        first_rows(desk, relation, where),
    )


def strangers(
    desk: duckdb.DuckDBPyConnection, scratch: Path, contracts: Sequence[Contract], sound: Mapping[str, list[Column]]
) -> list[Finding]:
    """Rows of people whom the table of everyone does not list: no cohort will ever find them, which is seldom meant."""
    tables = {table.name: table for contract in contracts for table in contract.tables}
    words = merge_words(contracts).only(sound)
    persons = {binding.table: binding.person for kind in vars(words).values() for binding in kind}
    if not words.people:
        return []
    everyone = words.people[0]
    findings = []
    for name, person in persons.items():
        column = next((column for column in sound[name] if column.name == person), None)
        if name == everyone.table or column is None:
            continue
        known, rows = (
            f"SELECT CAST({identifier(p)} AS VARCHAR) AS person FROM read_parquet({literal(str(scratch.resolve() / t) + '.parquet')})"
            for t, p in ((everyone.table, everyone.person), (name, person))
        )
        count = number(
            desk, f"SELECT count(*) FROM ({rows}) ANTI JOIN ({known}) USING (person) WHERE person IS NOT NULL"
        )
        if count:
            says = counted(count, f"rows of people whom {tables[everyone.table].file} does not list")
            findings.append(Finding(tables[name].file, column.source, "unknown_person", says, "warning", count))
    return findings


def _spoken(value: object) -> str:
    """A limit as a sentence has it: of a long list, only the beginning."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value[:8])) + (f" (and {len(value) - 8} more)" if len(value) > 8 else "")
    return str(value)
