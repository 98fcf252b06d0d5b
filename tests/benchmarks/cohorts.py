"""A cohort count against the DuckDB query a person would write for it: 1,000,000 people, 20,000,000 condition rows.

Both read the same Parquet files with the same threads and memory, and both leave out who does not consent and who has
withdrawn. Ours is timed whole: opening the sandbox, compiling, counting. They take turns, so that both meet the same machine.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
import polars as pl

from nhsgen.cohorts import Cohort, born, icd10, omop, sex
from nhsgen.contracts import Event, People, Words
from nhsgen.sandbox import open_sandbox
from nhsgen.settings import Settings

__all__ = ["LIMIT", "main"]

LIMIT = 1.2
TURNS = 11
PEOPLE, CONDITIONS, WITHDRAWN = 1_000_000, 20_000_000, 50
SETTINGS = Settings(threads=2, memory_mb=2048)

WORDS = Words(
    people=(
        People(
            "person", "person_id", everyone=True, sex="gender_concept_id", sex_values={"8532": "female", "8507": "male"},
            birth_year="year_of_birth", consent=("consent", ("yes",)),
        ),
    ),
    events=(
        Event("condition_occurrence", "person_id", ("condition_source_value",), "ICD10", "condition_start_date"),
        Event("condition_occurrence", "person_id", ("condition_concept_id",), "OMOP", "condition_start_date"),
    ),
)  # fmt: skip

TABLES = {
    "person": f"""
        SELECT 1 + range AS person_id, [8507, 8532][1 + (hash(range) % 2)::INT] AS gender_concept_id,
               1930 + (hash(range + 7) % 80)::INT AS year_of_birth, ['no', 'yes'][1 + least(hash(range + 9) % 50, 1)::INT] AS consent
        FROM range({PEOPLE})""",
    "condition_occurrence": f"""
        SELECT (1 + hash(range) % {PEOPLE})::BIGINT AS person_id, (1 + hash(range + 5) % 5000)::BIGINT AS condition_concept_id,
               chr((65 + hash(range + 1) % 26)::INT) || lpad((hash(range + 2) % 100)::VARCHAR, 2, '0') || '.' || hash(range + 3) % 10
                   AS condition_source_value,
               DATE '2000-01-01' + (hash(range + 4) % 9000)::INT AS condition_start_date
        FROM range({CONDITIONS})""",
}

ASKED = "consent = 'yes' AND CAST(person_id AS VARCHAR) NOT IN (SELECT person_id FROM withdrawn)"

# What is asked, and how a person would write it.
QUESTIONS: dict[str, tuple[Callable[[], Cohort], str]] = {
    "one ICD-10 code": (
        lambda: icd10("Q61"),
        f"""SELECT count(*) FROM person WHERE {ASKED}
            AND person_id IN (SELECT person_id FROM condition_occurrence WHERE condition_source_value LIKE 'Q61%')""",
    ),
    "women with one of two, but not a third": (
        lambda: (icd10("Q61", "N18") & sex("female") & born(1950, 1980)).exclude(icd10("E11")),
        f"""SELECT count(*) FROM person WHERE {ASKED} AND gender_concept_id = 8532 AND year_of_birth BETWEEN 1950 AND 1980
            AND person_id IN (SELECT person_id FROM condition_occurrence
                              WHERE condition_source_value LIKE 'Q61%' OR condition_source_value LIKE 'N18%')
            AND person_id NOT IN (SELECT person_id FROM condition_occurrence WHERE condition_source_value LIKE 'E11%')""",
    ),
    "one code or another vocabulary's": (
        lambda: icd10("Q61.2") | omop(4711),
        f"""SELECT count(*) FROM person WHERE {ASKED}
            AND (person_id IN (SELECT person_id FROM condition_occurrence WHERE condition_source_value LIKE 'Q61.2%')
              OR person_id IN (SELECT person_id FROM condition_occurrence WHERE condition_concept_id = 4711))""",
    ),
    "one code within a year after another": (
        lambda: icd10("N18").after(icd10("E11"), within_days=365),
        f"""WITH diabetes AS (SELECT person_id, min(condition_start_date) AS day FROM condition_occurrence
                              WHERE condition_source_value LIKE 'E11%' GROUP BY person_id)
            SELECT count(DISTINCT person_id) FROM person JOIN diabetes USING (person_id) JOIN condition_occurrence c USING (person_id)
            WHERE {ASKED} AND condition_source_value LIKE 'N18%' AND condition_start_date - day BETWEEN 1 AND 365""",
    ),
}  # fmt: skip


def main() -> bool:
    """Print a line per question; whether every one costs at most LIMIT times the query written by hand."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.parquet" for name in TABLES}
        for name, rows in TABLES.items():
            duckdb.sql(f"COPY ({rows}) TO '{files[name]}' (FORMAT parquet)")
        withdrawn = pl.DataFrame({"person_id": [str(1 + 1000 * place) for place in range(WITHDRAWN)]})
        print(f"{PEOPLE:,} people, {CONDITIONS:,} condition rows; median of {TURNS} turns, {SETTINGS.threads} threads")
        within = [_compared(name, *question, files, withdrawn) for name, question in QUESTIONS.items()]
        return all(within)


def _compared(
    name: str, cohort: Callable[[], Cohort], by_hand: str, files: dict[str, Path], withdrawn: pl.DataFrame
) -> bool:
    ours, theirs = [], []
    for _ in range(TURNS):
        counted, seconds = _timed(lambda: _ours(cohort(), files, withdrawn))
        ours.append(seconds)
        expected, seconds = _timed(lambda: _by_hand(by_hand, files, withdrawn))
        theirs.append(seconds)
        assert counted == expected, f"{name}: we count {counted}, the query written by hand {expected}"
    ratio = median(our / their for our, their in zip(ours, theirs, strict=True))  # turn by turn: the machine drifts
    print(
        f"{name:42} nhsgen {median(ours):6.3f} s   by hand {median(theirs):6.3f} s   ratio {ratio:5.2f}   {counted:,} people"
    )
    return ratio <= LIMIT


def _ours(cohort: Cohort, files: dict[str, Path], withdrawn: pl.DataFrame) -> int:
    with open_sandbox(files, SETTINGS, {"withdrawn": withdrawn}) as sandbox:
        query = cohort.compile(WORDS)
        return int(sandbox.query(f"SELECT count(*) FROM ({query.sql})", query.params).item())


def _by_hand(sql: str, files: dict[str, Path], withdrawn: pl.DataFrame) -> int:
    limits = {"threads": SETTINGS.threads, "memory_limit": f"{SETTINGS.memory_mb}MB"}
    with duckdb.connect(config=limits) as connection:
        connection.register("withdrawn", withdrawn)
        for name, file in files.items():
            connection.execute(f"CREATE VIEW {name} AS FROM '{file}'")
        return int(connection.execute(sql).fetchall()[0][0])


def _timed(count: Callable[[], int]) -> tuple[int, float]:
    start = perf_counter()
    return count(), perf_counter() - start
