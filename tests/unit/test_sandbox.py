"""The attacks of SAFETY.md 1.3 against an open sandbox, past our own check, straight at the engine; and its everyday use."""

import threading
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from nhsgen.errors import BadFile, BadStudy, NhsgenError, NotFound
from nhsgen.sandbox import Sandbox, open_sandbox
from nhsgen.settings import Settings

SETTINGS = Settings(threads=1, memory_mb=256, query_seconds=20)

# {folder}: where the handed file person.parquet stands, and an unhanded one, secret.parquet, beside it.
REFUSED_BY_THE_ENGINE = """
FROM read_csv('/etc/passwd')
FROM read_text('/etc/passwd')
FROM read_blob('/etc/hostname')
FROM read_text('/proc/self/environ')
FROM read_text('/proc/self/maps')
FROM read_csv('/dev/stdin')
FROM read_text('file:///etc/passwd')
FROM read_text('file:/etc/passwd')
FROM read_text('file://localhost/etc/passwd')
FROM read_text('~/.bashrc')
FROM '/etc/passwd'
FROM glob('/etc/*')
FROM glob('{folder}/*')
FROM read_parquet('{folder}/secret.parquet')
FROM '{folder}/secret.parquet'
FROM read_parquet('{folder}/*.parquet')
FROM read_parquet('{folder}/./secret.parquet')
FROM read_parquet('{folder}/person.parquet/../secret.parquet')
FROM read_parquet('{folder}/../{name}/secret.parquet')
FROM read_parquet('{folder}//secret.parquet')
FROM read_parquet('{folder}/link.parquet')
FROM parquet_metadata('{folder}/secret.parquet')
FROM sniff_csv('/etc/passwd')
COPY person TO '{folder}/stolen.parquet'
COPY person TO '{folder}/stolen.csv' (FORMAT csv)
COPY (SELECT 1) TO '/dev/shm/stolen.csv'
EXPORT DATABASE '{folder}/stolen'
IMPORT DATABASE '{folder}'
ATTACH '{folder}/new.duckdb' AS other
ATTACH '{folder}/secret.parquet' AS other
INSTALL httpfs
LOAD httpfs
LOAD spatial
LOAD '/lib/x86_64-linux-gnu/libc.so.6'
INSTALL h3 FROM community
FROM read_csv('http://localhost/person.csv')
FROM read_csv('https://localhost/person.csv')
FROM read_parquet('s3://bucket/person.parquet')
ATTACH 'md:' AS other
ATTACH 'host=localhost' AS other (TYPE postgres)
CREATE PERSISTENT SECRET s (TYPE http)
SET enable_external_access = true
SET GLOBAL allowed_paths = ['/etc/passwd']
SET allowed_directories = ['/']
SET lock_configuration = false
RESET lock_configuration
SET memory_limit = '1TB'
SET threads = 64
SET temp_directory = '/'
SET home_directory = '/'
SET python_enable_replacements = true
SET autoload_known_extensions = true
PRAGMA memory_limit = '1TB'
FROM a_python_variable
""".strip().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pl.DataFrame({"person_id": [1, 2, 3]}).write_parquet(tmp_path / "person.parquet")
    pl.DataFrame({"person_id": [9]}).write_parquet(tmp_path / "secret.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "secret.parquet")
    return tmp_path


@pytest.mark.parametrize("attack", REFUSED_BY_THE_ENGINE)
def test_the_engine_itself_refuses(attack: str, folder: Path) -> None:
    a_python_variable = pl.DataFrame({"person_id": [9]})
    before = sorted(folder.iterdir())
    with open_sandbox({"person": folder / "person.parquet"}, SETTINGS) as sandbox:
        cursor = sandbox._connection.cursor()
        with pytest.raises(duckdb.Error):
            cursor.execute(attack.format(folder=folder, name=folder.name)).fetchall()
    assert sorted(folder.iterdir()) == before
    assert a_python_variable.height == 1


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '{folder}/person.parquet' (USE_TMP_FILE false)",  # the engine itself would overwrite it
        "COPY person TO '{folder}/person.parquet' (PER_THREAD_OUTPUT true, OVERWRITE true)",
        "CALL enable_logging(storage = 'file')",
        "CREATE TABLE copy AS FROM person",
        "DROP VIEW person",
        "SET VARIABLE x = 1",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_only_one_select_reaches_the_engine(statement: str, folder: Path) -> None:
    content = (folder / "person.parquet").read_bytes()
    with (
        open_sandbox({"person": folder / "person.parquet"}, SETTINGS) as sandbox,
        pytest.raises(NhsgenError, match="not one SELECT"),
    ):
        sandbox.query(statement.format(folder=folder))
    assert (folder / "person.parquet").read_bytes() == content


def test_files_are_views_and_frames_are_tables(folder: Path) -> None:
    tables = {"withdrawn": pl.DataFrame({"person_id": ["2"]}), "arrow": pa.table({"x": [1]})}
    with open_sandbox({"person": folder / "person.parquet"}, SETTINGS, tables) as sandbox:
        asked = "SELECT person_id FROM person WHERE person_id >= ? AND person_id::VARCHAR NOT IN (FROM withdrawn) ORDER BY 1"
        assert sandbox.query(asked, [1]).to_dict(as_series=False) == {"person_id": [1, 3]}
        assert sandbox.query("FROM arrow").rows() == [(1,)]
        assert (
            sandbox.query("SELECT count(*) FROM person WHERE person_id IN (SELECT unnest(?))", [[1, 2, 7]]).item() == 2
        )


def test_an_empty_frame_keeps_its_type() -> None:
    nobody = pl.DataFrame({"person_id": []}, schema={"person_id": pl.String})
    with open_sandbox({}, SETTINGS, {"withdrawn": nobody}) as sandbox:
        assert sandbox.query("FROM withdrawn").schema == {"person_id": pl.String}


@pytest.mark.parametrize(
    "name", ["it's.parquet", "a b.parquet", 'say "hi".parquet', "ünïcode.parquet", "p[1]*?.parquet"]
)
def test_a_path_is_taken_as_it_is_written(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "sex=male" / "project [2026]"
    inside.mkdir(parents=True)
    pl.DataFrame({"person_id": [1]}).write_parquet(inside / name)
    pl.DataFrame({"person_id": [9]}).write_parquet(inside / "p1xx.parquet")
    with open_sandbox({'the "people"': inside / name}, SETTINGS) as sandbox:
        assert sandbox.query('FROM "the ""people"""').to_dict(as_series=False) == {"person_id": [1]}


def test_a_missing_file_is_not_found_and_a_broken_one_is_bad(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("person_id\n1\n")
    with pytest.raises(NotFound, match=r"gone\.parquet"), open_sandbox({"person": tmp_path / "gone.parquet"}, SETTINGS):
        pass
    with pytest.raises(BadFile, match=r"broken\.parquet"), open_sandbox({"person": broken}, SETTINGS):
        pass


def test_a_query_that_takes_too_long_is_stopped() -> None:
    endless = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE a.range % 7 = b.range"
    with open_sandbox({}, Settings(threads=1, memory_mb=256, query_seconds=0.2)) as sandbox:
        with pytest.raises(BadStudy, match=r"longer than 0\.2 seconds"):
            sandbox.query(endless)
        assert sandbox.query("SELECT 1").item() == 1  # the sandbox itself is still good


def test_a_query_that_needs_too_much_memory_is_told_so() -> None:
    with (
        open_sandbox({}, Settings(threads=1, memory_mb=20, query_seconds=20)) as sandbox,
        pytest.raises(BadStudy, match="20 MB"),
    ):
        sandbox.query("SELECT list(range) FROM range(30000000)")


def test_an_error_never_repeats_what_stood_in_a_cell() -> None:
    with open_sandbox({}, SETTINGS, {"person": pl.DataFrame({"name": ["pt-7"]})}) as sandbox:
        with pytest.raises(NhsgenError) as raised:
            sandbox.query("SELECT CAST(name AS INTEGER) FROM person")
        assert "pt-7" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__


def test_the_spill_folder_is_private_and_gone_afterwards() -> None:
    def spill_folder(sandbox: Sandbox) -> Path:
        return Path(sandbox.query("SELECT current_setting('temp_directory')").item())

    with open_sandbox({}, SETTINGS) as sandbox:
        folder = spill_folder(sandbox)
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_several_threads_may_ask_at_once(folder: Path) -> None:
    answers: list[int] = []
    with open_sandbox({"person": folder / "person.parquet"}, SETTINGS) as sandbox:

        def ask() -> None:
            answers.append(sandbox.query("SELECT count(*) FROM person").item())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [3, 3, 3, 3]
