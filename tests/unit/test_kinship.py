"""KING-robust on people one can count by hand, and who is kept of those who are related."""

import numpy as np
import polars as pl
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics.kinship import FIRST_DEGREE, SECOND_DEGREE, count_pairs, kinship, relatives, unrelated


def packed(copies: np.ndarray) -> np.ndarray:
    """Alleles x samples, one byte each, as alleles x words of 32 samples."""
    words = np.zeros((len(copies), -(-copies.shape[1] // 32)), dtype=np.uint64)
    for who in range(copies.shape[1]):
        words[:, who // 32] |= copies[:, who].astype(np.uint64) << np.uint64(2 * (who % 32))
    return words


def slowly(copies: np.ndarray, i: int, j: int) -> float:
    """Manichaikul's equation 11 as it is written."""
    one, two = copies[:, i].astype(int), copies[:, j].astype(int)
    called = (one != 3) & (two != 3)
    one, two = one[called], two[called]
    fewer = min((one == 1).sum(), (two == 1).sum())
    return float("nan") if fewer == 0 else 0.5 - ((one - two) ** 2).sum() / (4 * fewer)


#  A, her twin, her opposite, a stranger, somebody never called, somebody never heterozygous
PEOPLE = np.array(
    [[0, 0, 2, 1, 3, 0], [1, 1, 1, 0, 3, 0], [2, 2, 0, 1, 3, 2], [1, 1, 1, 1, 3, 2], [1, 1, 1, 3, 3, 0]], dtype=np.uint8
)


def test_by_hand() -> None:
    counts = count_pairs(packed(PEOPLE), 6)
    assert [int(table[0, 3]) for table in (counts.called, counts.both_het, counts.opposite)] == [4, 1, 0]
    assert (int(counts.first_het[0, 3]), int(counts.second_het[0, 3]), int(counts.opposite[0, 2])) == (2, 3, 2)
    values = kinship(counts)
    assert values[0, 1] == 0.5
    assert values[0, 2] == pytest.approx(0.5 - 8 / 12)
    assert values[0, 3] == pytest.approx(0.5 - 3 / 8)
    assert np.isnan(values[0, 4])


def test_pairs_with_reasons() -> None:
    rows = relatives(packed(PEOPLE), 6, at_least=0.3)
    assert rows.row(0) == (0, 1, 5, 0.5, "")
    assert rows.filter(second=4)["reason"].unique().to_list() == ["not called"]
    assert rows.filter(second=5, first=0).row(0) == (0, 5, 5, None, "not heterozygous")
    assert rows.filter(reason="")["kinship"].min() >= 0.3


@pytest.mark.parametrize(("alleles", "people"), [(1, 2), (64, 33), (130, 70)])
def test_the_fast_way_is_the_slow_way(alleles: int, people: int) -> None:
    copies = np.random.default_rng(alleles).choice(4, (alleles, people), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
    slow = [[slowly(copies, i, j) for j in range(people)] for i in range(people)]
    np.testing.assert_allclose(kinship(count_pairs(packed(copies), people)), slow, rtol=1e-12, atol=1e-15)
    part = kinship(count_pairs(packed(copies), people, slice(1, None), slice(0, 1)))
    np.testing.assert_allclose(part, np.array(slow)[1:, :1], rtol=1e-12, atol=1e-15)


def related(*rows: tuple[int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"first": pl.Int64, "second": pl.Int64, "kinship": pl.Float64}, orient="row")


def test_most_people_are_kept() -> None:
    """A mother (1) with four children by four fathers: keep the children."""
    family = related(*((1, child, 0.25) for child in (0, 2, 3, 4)))
    answer = unrelated(family, 6)
    assert answer.kept.tolist() == [True, False, True, True, True, True]
    assert answer.excluded.rows() == [(1, 0, 0.25)]


def test_cases_come_first() -> None:
    family = related(*((1, child, 0.25) for child in (0, 2, 3, 4)))
    cases = np.array([False, True, False, False, False, False])
    answer = unrelated(family, 6, cases)
    assert answer.kept.tolist() == [False, True, False, False, False, True]
    assert answer.excluded.rows() == [(0, 1, 0.25), (2, 1, 0.25), (3, 1, 0.25), (4, 1, 0.25)]


def test_cuts() -> None:
    cousins = related((0, 1, 0.06), (1, 2, 0.09), (2, 3, None))
    assert unrelated(cousins, 4, at_least=SECOND_DEGREE).kept.sum() == 3
    assert unrelated(cousins, 4, at_least=0.0442).kept.tolist() == [True, False, True, True]
    assert unrelated(cousins, 4, at_least=FIRST_DEGREE).excluded.is_empty()


def test_nobody_and_nonsense() -> None:
    assert relatives(np.zeros((0, 0), dtype=np.uint64), 0).is_empty()
    assert unrelated(related(), 0).kept.shape == (0,)
    assert relatives(np.zeros((0, 1), dtype=np.uint64), 2)["reason"].to_list() == ["not called"]
    with pytest.raises(BadInput, match="not packed"):
        count_pairs(np.zeros((1, 1), dtype=np.uint64), 33)
    with pytest.raises(BadInput, match="not one of the samples"):
        unrelated(related((0, 7, 0.2)), 3)
    with pytest.raises(BadInput, match="not about the same people"):
        _ = count_pairs(packed(PEOPLE), 6) + count_pairs(packed(PEOPLE), 5)
