"""A child, a mother, a father and an allele: small families that a person can check by hand."""

import numpy as np
import polars as pl
import pytest

from nhsgen.errors import BadInput
from nhsgen.genome import Assembly
from nhsgen.statistics.trios import PLACES, Trios, candidates, mendelian, places

AUTOSOME, X, Y, MT = range(4)


def one_trio(male: bool = False, mother: int = 1, father: int = 2) -> Trios:
    return Trios([0], [mother], [father], [male])


def table(*rows: tuple[int, int, int]) -> np.ndarray:
    """A row an allele: copies of child, mother, father; 3 not called."""
    return np.array(rows, dtype=np.uint8).reshape(-1, 3)


def seen(place: int, male: bool, *rows: tuple[int, int, int], gene: str | None = "G", **parents: int) -> list[tuple]:
    where = np.full(len(rows), place, dtype=np.uint8)
    found = candidates(table(*rows), where, one_trio(male, **parents), pl.Series([gene] * len(rows), dtype=pl.String))
    return [
        (inheritance + (", de novo" if new else ""), note)
        for inheritance, new, note in found.select("inheritance", "de_novo", "note").iter_rows()
    ]


@pytest.mark.parametrize(
    ("place", "male", "child", "mother", "father", "inheritance", "note"),
    [
        # An autosome. Neither parent has it: new in the child.
        (AUTOSOME, False, 1, 0, 0, ["dominant, de novo"], ""),
        # A parent who was not called rules nothing out, and proves nothing.
        (AUTOSOME, False, 1, 3, 0, ["dominant"], "parent not called"),
        (AUTOSOME, False, 1, 3, 3, ["dominant"], "parent not called"),
        # A parent who has it is well: it makes nobody ill by itself.
        (AUTOSOME, False, 1, 1, 0, [], ""),
        (AUTOSOME, True, 1, 3, 1, [], ""),
        # Two copies of well carriers, who may be cousins.
        (AUTOSOME, False, 2, 1, 1, ["recessive"], ""),
        (AUTOSOME, True, 2, 1, 3, ["recessive"], "parent not called"),
        # A well parent with two copies rules it out.
        (AUTOSOME, False, 2, 2, 1, [], ""),
        (AUTOSOME, False, 1, 2, 0, [], ""),
        # Two copies, one carrier: a deletion, or both chromosomes of one parent.
        (AUTOSOME, False, 2, 1, 0, ["recessive"], "not Mendelian"),
        (AUTOSOME, False, 2, 0, 0, ["dominant, de novo", "recessive, de novo"], "not Mendelian"),
        # X: a son has one copy, however it is written, from his mother.
        (X, True, 1, 1, 0, ["X-linked recessive"], ""),
        (X, True, 2, 1, 3, ["X-linked recessive"], ""),
        (X, True, 1, 3, 0, ["X-linked dominant", "X-linked recessive"], "parent not called"),
        (X, True, 1, 0, 0, ["X-linked dominant, de novo", "X-linked recessive, de novo"], ""),
        # A well father has the same one copy.
        (X, True, 1, 1, 1, [], ""),
        (X, True, 1, 2, 0, [], ""),
        # A daughter.
        (X, False, 1, 0, 0, ["X-linked dominant, de novo"], ""),
        (X, False, 1, 1, 0, [], ""),
        (X, False, 2, 1, 1, [], ""),
        (X, False, 2, 1, 3, ["X-linked recessive"], "parent not called"),
        # Y comes from the father, mitochondria from the mother.
        (Y, True, 1, 3, 0, ["Y-linked, de novo"], ""),
        (Y, True, 1, 0, 1, [], ""),
        (Y, False, 1, 0, 0, [], ""),
        (MT, False, 1, 0, 3, ["mitochondrial, de novo"], ""),
        (MT, True, 1, 1, 0, ["mitochondrial"], ""),
        # Nothing to report.
        (AUTOSOME, False, 0, 0, 0, [], ""),
        (AUTOSOME, False, 3, 0, 0, [], ""),
    ],
)
def test_one_allele(
    place: int, male: bool, child: int, mother: int, father: int, inheritance: list[str], note: str
) -> None:
    assert seen(place, male, (child, mother, father)) == [(each, note) for each in inheritance]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, 1, 0), (1, 0, 1), [("compound heterozygous", "")]),
        # Both from the mother: on one chromosome.
        ((1, 1, 0), (1, 1, 0), []),
        # The mother has both, and is well; the father has one of them.
        ((1, 1, 1), (1, 1, 0), []),
        # A new allele may be on either chromosome.
        ((1, 0, 0), (1, 0, 1), [("dominant, de novo", ""), ("compound heterozygous, de novo", "phase unknown")]),
        # The father was not called at the second: phase unknown, not dropped.
        ((1, 1, 0), (1, 0, 3), [("compound heterozygous", "phase unknown"), ("dominant", "parent not called")]),
        # A well parent with two copies of one of them.
        ((1, 2, 0), (1, 0, 1), []),
        # Two copies of one: recessive by itself, not one of a pair.
        ((2, 1, 1), (1, 0, 1), [("recessive", "")]),
    ],
)
def test_two_alleles_in_a_gene(
    first: tuple[int, int, int], second: tuple[int, int, int], expected: list[tuple[str, str]]
) -> None:
    assert sorted(seen(AUTOSOME, False, first, second)) == sorted(expected)
    assert [row for row in seen(AUTOSOME, False, first, second, gene=None) if "compound" in row[0]] == []


def test_one_parent_missing_leaves_the_phase_unknown() -> None:
    rows = [(1, 1, 3), (1, 0, 3)]
    assert ("compound heterozygous", "phase unknown") in seen(AUTOSOME, False, *rows, father=-1)
    assert ("compound heterozygous", "phase unknown") in seen(AUTOSOME, False, *rows)


def test_a_pair_says_which_two_alleles_of_which_trio() -> None:
    copies = np.array([[1, 1, 0, 0], [1, 0, 1, 1], [1, 0, 1, 0]], dtype=np.uint8)
    trios = Trios([0, 3], [1, -1], [2, -1], [False, True])
    found = candidates(copies, np.zeros(3, dtype=np.uint8), trios, pl.Series(["A", "A", "B"]))
    assert found.rows() == [
        (0, 0, 1, "A", "compound heterozygous", False, ""),
        (1, 1, None, "A", "dominant", False, "parent not called"),
    ]


@pytest.mark.parametrize(
    ("place", "male", "child", "mother", "father", "verdict"),
    [
        (AUTOSOME, False, 1, 0, 1, "ok"),
        (AUTOSOME, False, 1, 0, 0, "errors"),
        (AUTOSOME, False, 0, 2, 0, "errors"),
        (AUTOSOME, False, 1, 2, 2, "errors"),
        # Who was not called may have given either.
        (AUTOSOME, False, 1, 3, 1, "ok"),
        (AUTOSOME, False, 2, 3, 0, "errors"),
        (AUTOSOME, False, 3, 0, 0, "skipped"),
        (X, True, 1, 1, 3, "ok"),
        (X, True, 1, 0, 1, "errors"),
        (X, False, 0, 0, 1, "errors"),
        (X, False, 2, 1, 2, "ok"),
        (Y, True, 1, 3, 1, "ok"),
        (Y, False, 1, 0, 1, "skipped"),
        (MT, False, 1, 0, 1, "errors"),
    ],
)
def test_mendel(place: int, male: bool, child: int, mother: int, father: int, verdict: str) -> None:
    counted = mendelian(table((child, mother, father)), np.array([place], dtype=np.uint8), one_trio(male))
    assert counted.variants.row(0, named=True) == {"ok": 0, "errors": 0, "skipped": 0} | {verdict: 1}
    assert counted.trios.equals(counted.variants)


def test_places() -> None:
    frame = pl.DataFrame({"chrom": ["1", "X", "X", "Y", "MT", "GL000207.1"], "pos": [5, 50_000, 50_000_000, 5, 5, 5]})
    named = [PLACES[place] for place in places(frame, Assembly.GRCh38)]
    assert named == ["autosome", "autosome", "X", "Y", "MT", "autosome"]


def test_no_alleles_and_no_trios() -> None:
    nothing = np.zeros((0, 3), dtype=np.uint8)
    assert candidates(nothing, np.zeros(0, dtype=np.uint8), one_trio(), pl.Series([], dtype=pl.String)).is_empty()
    nobody = Trios([], [], [], [])
    copies = table((1, 0, 0))
    assert candidates(copies, np.zeros(1, dtype=np.uint8), nobody, pl.Series(["G"])).is_empty()
    assert mendelian(copies, np.zeros(1, dtype=np.uint8), nobody).variants.rows() == [(0, 0, 0)]


def test_what_cannot_be_is_refused() -> None:
    for numbers in ([[-1], [1], [2]], [[0], [0], [2]], [[0], [1], [1]], [[0], [1, 2], [2]]):
        with pytest.raises(BadInput, match="looking at trios"):
            Trios(*numbers, [True])
    with pytest.raises(BadInput, match="beyond the last column"):
        mendelian(np.zeros((1, 2), dtype=np.uint8), np.zeros(1, dtype=np.uint8), one_trio())
    with pytest.raises(BadInput, match="place"):
        mendelian(table((0, 0, 0)), np.array([7], dtype=np.uint8), one_trio())
