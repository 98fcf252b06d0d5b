"""A DuckDB that reads exactly the files it is handed, and nothing else.

Only SQL that nhsgen itself compiled comes here, with every value as a parameter; no SQL text from outside is ever executed.
The settings below are a second wall behind that one. They hold, tested with the attacks of `tests/unit/test_sandbox.py`:

- no file but the handed ones is read: not beside them, not above, not through `file:`, `/proc`, a glob or a link;
- nothing is written to a new file, attached, installed, loaded or fetched from a network, and no setting can be changed;
- no Python variable is read; a statement that is not one SELECT is refused before the engine sees it;
- a query stops after `Settings.query_seconds`; memory and spilled bytes are bounded; the spill folder is private, and gone afterwards.

What they do not hold, and what a process of its own with a read-only file system must add one day: a single function call on
a gigantic value ignores both the time and the memory limit; a COPY that reached the engine could overwrite a handed file,
because DuckDB has no permission to read without one to write; a malformed Parquet file may crash the process.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, TypeAlias

import duckdb
import polars as pl
import pyarrow as pa

from nhsgen.errors import BadFile, BadStudy, NhsgenError, NotFound, StorageFailed
from nhsgen.settings import Settings

__all__ = ["Sandbox", "open_sandbox"]

Frame: TypeAlias = pl.DataFrame | pa.Table

# Set when the engine starts. What each keeps out is in SAFETY.md's words: reading, writing, extensions, network, secrets.
_FROM_THE_START: Mapping[str, str] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
}
# Set once the files are named; the last one makes all of them final.
_BEFORE_THE_FIRST_QUERY: Mapping[str, str] = {
    "allow_persistent_secrets": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
_SPILL_PER_MEMORY = 8  # a query may spill this many times its memory to disk


@dataclass(frozen=True)
class Sandbox:
    """An open sandbox; made by `open_sandbox`. Queries may come from several threads: each has a cursor of its own."""

    settings: Settings
    _connection: duckdb.DuckDBPyConnection = field(repr=False)

    def query(self, sql: str, params: Sequence[object] = ()) -> pl.DataFrame:
        """The whole answer of one SELECT. Errors never carry the engine's text, in which a patient's value may stand.

        sql: compiled by nhsgen; `?` for every value, which stands in `params`.
        """
        with self._connection.cursor() as cursor, _told_in_our_words(self.settings):
            statements = cursor.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                raise NhsgenError("running a query", "it is not one SELECT", "report this: nhsgen made it")
            clock = Timer(self.settings.query_seconds, cursor.interrupt)
            clock.daemon = True
            clock.start()
            try:
                # Planning and running share the clock; firing just after the end interrupts a cursor nobody uses again.
                return cursor.sql(sql, params=list(params)).pl()
            finally:
                clock.cancel()


@contextmanager
def open_sandbox(
    files: Mapping[str, Path], settings: Settings, tables: Mapping[str, Frame] | None = None
) -> Iterator[Sandbox]:
    """A sandbox with one view per Parquet file and one table per frame, under the names given.

    NotFound when a file is not there, BadFile when it is not Parquet. Frames are copied: later changes to them are not seen.

    >>> with open_sandbox({}, Settings(threads=1), {"person": pl.DataFrame({"id": [1, 2]})}) as sandbox:
    ...     sandbox.query("SELECT count(*) AS people FROM person WHERE id > ?", [1]).item()
    1
    """
    paths = {name: _found(name, path) for name, path in files.items()}
    with tempfile.TemporaryDirectory(prefix="nhsgen-") as spill, duckdb.connect(
        ":memory:", config=_config(settings, spill)
    ) as connection:  # fmt: skip
        for name, frame in (tables or {}).items():
            _copy(connection, name, frame)
        allowed = ", ".join(_text(path) for path in paths.values())
        connection.execute(f"SET allowed_paths = [{allowed}]")
        for name, path in paths.items():
            _view(connection, name, path)
        for setting, value in _BEFORE_THE_FIRST_QUERY.items():
            connection.execute(f"SET {setting} = {value}")
        yield Sandbox(settings, connection)


def _config(settings: Settings, spill: str) -> dict[str, Any]:
    return {
        **_FROM_THE_START,
        "threads": str(settings.threads),
        "memory_limit": f"{settings.memory_mb}MB",
        "temp_directory": spill,
        "home_directory": spill,
        "secret_directory": spill,
        "extension_directory": spill,
        "max_temp_directory_size": f"{settings.memory_mb * _SPILL_PER_MEMORY}MB",
    }


def _found(name: str, path: Path) -> Path:
    if not path.is_file():
        raise NotFound(f"opening the table '{name}'", "its file is not there", "check the release", file=path)
    return path.resolve()


def _copy(connection: duckdb.DuckDBPyConnection, name: str, frame: Frame) -> None:
    # A registered frame is seen by this connection only, not by its cursors; and it would stay the caller's to change.
    arrow = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame
    connection.register("handed over", arrow)
    connection.execute(f'CREATE TABLE {_name(name)} AS FROM "handed over"')
    connection.unregister("handed over")


def _view(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    # hive_partitioning would make a column out of a folder called "sex=male".
    source = f"read_parquet([{_text(path)}], hive_partitioning = false, union_by_name = false)"
    try:
        connection.execute(f"CREATE VIEW {_name(name)} AS FROM {source}")
    except duckdb.Error:
        raise BadFile(
            f"opening the table '{name}'", "it is not a whole Parquet file", "check the release", file=path
        ) from None


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def _told_in_our_words(settings: Settings) -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise BadStudy(
            "answering a question",
            f"it took longer than {settings.query_seconds:g} seconds",
            "ask about fewer people or variants, or raise NHSGEN_QUERY_SECONDS",
        ) from None
    except duckdb.OutOfMemoryException:
        raise BadStudy(
            "answering a question",
            f"it needed more than {settings.memory_mb} MB of memory and {_SPILL_PER_MEMORY} times that on disk",
            "ask about fewer people or variants, or raise NHSGEN_MEMORY_MB",
        ) from None
    except duckdb.IOException:
        raise StorageFailed(
            "answering a question", "a file of the release could not be read", "check the disk and the release"
        ) from None
    except duckdb.Error as error:
        raise NhsgenError(
            "running a query",
            f"the engine refused it ({type(error).__name__})",
            "check that the release keeps the types its contract declares, and report this if it does",
        ) from None
