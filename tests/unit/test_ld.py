"""r2, pruning and clumping, on tables a person can check and against plain loops."""

import numpy as np
import numpy.typing as npt
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics import ld
from nhsgen.statistics.sums import Floats

Ints = npt.NDArray[np.int64]


def slow_r(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> tuple[int, float, str]:
    """The correlation of two variants by numpy's own, in the people in whom both are called."""
    both = (one < 3) & (other < 3)
    if not both.any():
        return 0, np.nan, "nobody called"
    if np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return int(both.sum()), np.nan, "monomorphic"
    return int(both.sum()), float(np.corrcoef(one[both], other[both])[0, 1]), ""


def slow_clump(
    p: Floats, chrom: list[str], pos: Ints, r2: Floats, p1: float, p2: float, kb: float, least: float
) -> list[int]:
    """The index variant of each, -1 for none; r2 is variants x variants."""
    index = [-1] * len(p)
    while True:
        left = [i for i in range(len(p)) if index[i] < 0 and p[i] <= p1]
        if not left:
            return index
        lead = min(left, key=lambda i: (p[i], i))
        for i in range(len(p)):
            close = chrom[i] == chrom[lead] and abs(pos[i] - pos[lead]) <= kb * 1000
            if i == lead or (index[i] < 0 and p[i] <= p2 and close and r2[i, lead] > least):
                index[i] = lead


def test_a_table_by_hand() -> None:
    copies = np.array([[0, 1, 2, 3], [0, 1, 2, 2], [2, 1, 0, 0], [1, 1, 1, 0], [3, 3, 3, 1]], dtype=np.uint8)
    sums = ld.summarise(copies, np.array([[0, 1]]))
    assert {name: float(sums[name][0]) for name in ("n", "x", "y", "xx", "yy", "xy")} == {
        "n": 3, "x": 3, "y": 3, "xx": 5, "yy": 5, "xy": 5,
    }  # fmt: skip
    found = ld.estimate(ld.summarise(copies, np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 3]])))
    assert found.people.tolist() == [3, 3, 3, 0, 4]
    assert found.reason.tolist() == ["", "", "monomorphic", "nobody called", ""]
    np.testing.assert_allclose(found.r, [1.0, -1.0, np.nan, np.nan, -0.75 / np.sqrt(2.75 * 0.75)])
    np.testing.assert_allclose(found.r2[:2], 1.0)


@pytest.mark.parametrize("people", [0, 1, 63, 64, 65, 200])
def test_every_pair_is_what_numpy_says(people: int) -> None:
    rng = np.random.default_rng(people)
    copies = rng.choice(4, (12, people), p=[0.5, 0.25, 0.15, 0.1]).astype(np.uint8)
    copies[0], copies[1] = 1, 3
    pairs = np.array([(i, j) for i in range(12) for j in range(12)])
    found = ld.estimate(ld.summarise(copies, pairs))
    expected = [slow_r(copies[i], copies[j]) for i, j in pairs]
    assert found.people.tolist() == [n for n, _, _ in expected]
    assert found.reason.tolist() == [reason for *_, reason in expected]
    np.testing.assert_allclose(found.r, [r for _, r, _ in expected], atol=1e-14)


def test_which_pairs() -> None:
    chrom, pos = ["1", "1", "1", "X", "X"], [100, 1100, 1101, 5, 6]
    assert ld.near(chrom, pos, kb=1).tolist() == [[0, 1], [1, 2], [3, 4]]
    assert ld.near(chrom, pos, variants=2).tolist() == [[0, 1], [1, 2], [3, 4]]
    assert ld.near(chrom, pos, kb=9).tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
    assert ld.near([], [], kb=9).shape == (0, 2)
    p = [1e-9, 1e-3, 0.9, np.nan, 1e-9]
    assert ld.around(chrom, pos, p, p1=1e-6, p2=0.01, kb=9).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("chrom", "pos", "how", "found"),
    [
        (["1", "1"], [2, 1], {"kb": 1}, "genome order"),
        (["1", "2", "1"], [1, 1, 1], {"kb": 1}, "genome order"),
        (["1"], [1, 2], {"kb": 1}, "genome order"),
        (["1"], [1], {}, "neither kb nor variants"),
    ],
)
def test_pairs_that_cannot_be_chosen(chrom: list[str], pos: list[int], how: dict[str, float], found: str) -> None:
    with pytest.raises(BadInput, match=found):
        ld.near(chrom, pos, **how)  # type: ignore[arg-type]


def test_pairs_of_variants_that_are_not_there() -> None:
    pairs, r2 = np.array([[0, 1]]), np.ones(1)
    with pytest.raises(BadInput, match="not there"):
        ld.summarise(np.zeros((1, 3), np.uint8), pairs)
    with pytest.raises(BadInput, match="not there"):
        ld.prune(pairs, r2, np.array([0.5]), most=0.5)
    with pytest.raises(BadInput, match="not there"):
        ld.clump([0.5], pairs, r2)


def test_of_two_the_commoner_stays_and_none_is_left_that_says_the_same() -> None:
    pairs, r2 = np.array([[0, 1], [0, 2], [1, 2], [2, 3]]), np.array([0.9, 0.1, 0.9, 0.9])
    frequency = np.array([0.1, 0.7, 0.2, 0.2])
    assert ld.prune(pairs, r2, frequency, most=0.5).tolist() == [False, True, False, True]
    assert ld.prune(pairs, r2, frequency, most=0.95).tolist() == [True] * 4
    # Where both are as common, the earlier stays; what cannot be compared is left out.
    assert ld.prune(pairs, np.full(4, np.nan), np.array([np.nan, 0.0, 1.0, 0.5]), most=0.5).tolist() == [False] * 3 + [
        True
    ]


def test_clumps_by_hand() -> None:
    p = [0.5, 1e-5, 1e-9, 0.005, 1e-6, np.nan, 0.009]
    pairs, r2 = np.array([[1, 2], [2, 3], [1, 4], [3, 4], [2, 5]]), np.array([0.8, 0.6, 0.9, 0.9, 0.9])
    found = ld.clump(p, pairs, r2)
    assert found.index.tolist() == [-1, 2, 2, 2, 4, -1, -1]
    assert found.reason.tolist() == ["p above p2", "", "", "", "", "not tested", "no index near"]
    assert found.leads.tolist() == [2, 4]
    assert ld.clump([], np.empty((0, 2), np.int64), np.empty(0)).leads.tolist() == []


@pytest.mark.parametrize("seed", range(6))
def test_clumps_are_those_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.choice(3, (8, 60)).astype(np.uint8)
    copies = np.where(rng.random((40, 60)) < 0.4, rng.choice(3, (40, 60)), base[np.arange(40) // 5]).astype(np.uint8)
    chrom, pos = ["1"] * 20 + ["2"] * 20, np.sort(rng.integers(1, 20_000, (2, 20)), axis=1).ravel()
    p = np.round(10 ** (-7 * rng.random(40)), 6)  # some are tied
    pairs = ld.around(chrom, pos, p, p1=1e-3, p2=0.1, kb=4)
    found = ld.clump(p, pairs, ld.estimate(ld.summarise(copies, pairs)).r2, p1=1e-3, p2=0.1, least=0.2)
    assert found.index.tolist() == slow_clump(p, chrom, pos, np.square(np.corrcoef(copies)), 1e-3, 0.1, 4, 0.2)
