"""k-anonymity equals counting by hand, on any table."""

import tempfile
from collections import Counter
from pathlib import Path

import deidentification_cases as cases
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.contracts import Column, People, Table
from nhsgen.extracts.deidentification import Uniqueness, inspect
from nhsgen.settings import Settings

CELLS = st.sampled_from(["F", "M", "", "  x", "7", "7.0"])
ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), CELLS, CELLS, st.sampled_from(["p", "q", ""])), min_size=1, max_size=40
)


def uniqueness(rows: list[tuple[str, ...]], minimum_k: int = 3) -> Uniqueness:
    columns = (
        Column("who", "string"),
        Column("one", "string", quasi_identifier=True),
        Column("two", "string", quasi_identifier=True),
        Column("what", "string", classification="sensitive"),
    )
    with tempfile.TemporaryDirectory() as folder:
        frame = pl.DataFrame(rows, schema=["who", "one", "two", "what"], orient="row")
        frame.write_csv(Path(folder) / "t.csv", quote_style="always")
        contract = cases.contract(Table("t", "t.csv", columns), people=[People("t", "who")])
        (found,) = inspect(Path(folder), [contract], settings=Settings(threads=1), minimum_k=minimum_k).uniqueness
    return found


def by_hand(rows: list[tuple[str, ...]]) -> Counter[tuple[str, str]]:
    return Counter((one, two) for _, one, two in {(who, one.strip(), two.strip()) for who, one, two, _ in rows})


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(1, 6))
def test_it_equals_counting_by_hand(rows: list[tuple[str, ...]], minimum_k: int) -> None:
    sizes, found = by_hand(rows), uniqueness(rows, minimum_k)
    assert (found.people, found.groups, found.k) == (sum(sizes.values()), len(sizes), min(sizes.values()))
    assert found.alone == sum(1 for size in sizes.values() if size == 1)
    assert found.below == sum(size for size in sizes.values() if size < minimum_k)
    assert found.smallest == tuple(sorted(sizes.values())[:10])
    values: dict[tuple[str, str], set[str]] = {}
    for _, one, two, what in rows:
        values.setdefault((one.strip(), two.strip()), set()).add(what)
    assert found.diversity == {"what": min(map(len, values.values()))}


@settings(max_examples=8, deadline=None)
@given(ROWS)
def test_leaving_a_column_out_never_makes_people_stand_out_more(rows: list[tuple[str, ...]]) -> None:
    found = uniqueness(rows)
    assert min(found.without.values()) >= found.k


@settings(max_examples=8, deadline=None)
@given(ROWS)
def test_a_row_said_twice_changes_nothing(rows: list[tuple[str, ...]]) -> None:
    assert uniqueness(rows) == uniqueness(rows + rows)


@settings(max_examples=8, deadline=None)
@given(ROWS)
def test_one_more_person_alike_never_lowers_k(rows: list[tuple[str, ...]]) -> None:
    _, one, two, what = rows[0]
    assert uniqueness([*rows, ("new", one, two, what)]).k >= uniqueness(rows).k
