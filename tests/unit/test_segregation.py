"""Patterns of genotypes in trios, and the families in which a gene goes with the illness: small families, by hand."""

from itertools import product

import numpy as np
import polars as pl
import pytest

from nhsgen.statistics import segregation, trio_quality
from nhsgen.statistics.pedigrees import MODELS, Pedigree
from nhsgen.statistics.summary import Summary
from nhsgen.statistics.trios import AUTOSOME, MT, PLACES, Trios, X, Y, new, new_alleles

# A trio with an ill girl; a family of two ill brothers, their well mother and a well sister; somebody alone.
ROWS = pl.DataFrame(
    [
        ("dad", None, None, "male", False, "trio"), ("mum", None, None, "female", False, "trio"), ("girl", "dad", "mum", "female", True, "trio"),
        ("ma", None, None, "female", False, "boys"), ("one", None, "ma", "male", True, "boys"), ("two", None, "ma", "male", True, "boys"),
        ("sis", None, "ma", "female", False, "boys"), ("alone", None, None, "male", True, "lonely"),
    ],
    schema=["person", "father", "mother", "sex", "affected", "family"], orient="row",
)  # fmt: skip
SAMPLES = ["dad", "mum", "girl", "ma", "one", "two", "sis", "alone"]
PEDIGREE = Pedigree.from_rows(ROWS)
ALLELES = [
    # gene, place, dad mum girl, ma one two sis, alone
    ("NEW", AUTOSOME, (0, 0, 1), (0, 0, 0, 0), 1),
    ("HALVES", AUTOSOME, (1, 0, 1), (0, 0, 0, 0), 0),
    ("HALVES", AUTOSOME, (0, 1, 1), (0, 0, 0, 0), 0),
    ("ON_X", X, (0, 0, 0), (1, 2, 2, 1), 0),
    ("BOTH", AUTOSOME, (3, 0, 0), (1, 1, 1, 1), 0),
    (None, AUTOSOME, (1, 1, 2), (1, 1, 1, 1), 1),
]
GENES = pl.Series([gene for gene, *_ in ALLELES], dtype=pl.String)
PLACE = np.array([place for _, place, *_ in ALLELES], dtype=np.uint8)
COPIES = np.array([[*trio, *boys, alone] for _, _, trio, boys, alone in ALLELES], dtype=np.uint8)
TOLD = (COPIES, PLACE, PEDIGREE, SAMPLES, GENES)


def test_each_trio_shows_a_pattern_at_what_one_of_them_has() -> None:
    found = segregation.patterns(*TOLD)
    assert found.filter(pl.col("family") == "trio").drop("family").rows() == [
        ("HALVES", "0/0", "0/1", "0/1", "yes"),
        ("HALVES", "0/1", "0/0", "0/1", "yes"),
        ("NEW", "0/0", "0/0", "0/1", "yes"),
    ]
    assert found.filter(pl.col("family") == "boys").drop("family").rows() == [
        ("BOTH", "0/1", "./.", "0/1", "no"),
        ("BOTH", "0/1", "./.", "0/1", "yes"),
        ("ON_X", "0/1", ".", "0/1", "no"),
        ("ON_X", "0/1", ".", "1", "yes"),
    ]
    assert "lonely" not in set(found["family"])


def test_two_brothers_alike_are_one_family_with_the_pattern() -> None:
    total = segregation.summarise_patterns(segregation.patterns(*TOLD), 3)
    estimate = segregation.estimate_patterns(total + total, "gene")
    assert estimate.by == ("gene", "mother", "father", "child", "child affected")
    assert estimate.cells["ON_X", "0/1", ".", "1", "yes"] == 2
    assert estimate.families == 6


def test_a_family_counts_where_somebody_ill_carries_and_segregates_by_each_model() -> None:
    found = segregation.models(*TOLD)
    yes = {(family, gene, model) for family, gene, model, right in found.iter_rows() if right}
    assert yes == {
        ("trio", "NEW", "dominant"), ("trio", "NEW", "de novo"), ("trio", "HALVES", "compound heterozygous"),
        ("boys", "ON_X", "X-linked recessive"),
    }  # fmt: skip
    assert set(found.filter(pl.col("gene") == "ON_X")["model"]) == {
        model for model, where in MODELS.items() if X in where
    }
    assert "lonely" not in set(found["family"])  # nobody else was called
    incomplete = segregation.models(*TOLD, "incomplete")
    more = {(family, gene, model) for family, gene, model, right in incomplete.iter_rows() if right}
    assert more > yes
    assert ("boys", "BOTH", "dominant") in more


def test_what_leaves_adds_up() -> None:
    found = segregation.models(*TOLD)
    whole = segregation.summarise_models(found, 3)
    parts = [segregation.summarise_models(found.filter(pl.col("family") == name), 1) for name in PEDIGREE.families]
    assert sum(parts, Summary.zero(segregation.MEASURES)) == whole
    estimate = segregation.estimate_models(whole)
    assert estimate.cells["NEW", "dominant"] == (1, 1)
    assert estimate.cells["HALVES", "dominant"] == (0, 1)
    assert estimate.families == 3


def test_no_alleles_and_no_families_are_no_rows() -> None:
    nobody = Pedigree.from_rows(ROWS.head(0).with_columns(pl.col("affected").cast(pl.Boolean)))
    for pedigree, rows in ((PEDIGREE, slice(0)), (nobody, slice(None))):
        told = (COPIES[rows], PLACE[rows], pedigree, SAMPLES, GENES[rows])
        assert segregation.patterns(*told).is_empty()
        assert segregation.models(*told).is_empty()
        assert segregation.summarise_patterns(segregation.patterns(*told), 0).rows() == []


# -- Quality ----------------------------------------------------------------------------------------------------------


def test_new_alleles_are_those_of_the_rule() -> None:
    """Every combination, looked up by the kernel and asked of the rule."""
    cases = list(product(range(len(PLACES)), range(4), range(4), range(4)))
    copies = np.array([[c, m, f] for _, c, m, f in cases], dtype=np.uint8)
    place = np.array([where for where, *_ in cases], dtype=np.uint8)
    for male in (False, True):
        trio = Trios([0], [1], [2], [male])
        assert new_alleles(copies, place, trio).tolist() == [sum(new(where, male, c, m, f) for where, c, m, f in cases)]


@pytest.mark.parametrize(("place", "male", "copies", "is_new"), [
    (AUTOSOME, False, (1, 0, 0), True), (AUTOSOME, False, (1, 1, 0), False), (AUTOSOME, True, (1, 0, 3), False),
    (X, True, (1, 0, 1), True), (X, False, (1, 0, 1), False), (Y, True, (1, 0, 0), True), (Y, False, (1, 0, 0), False),
    (MT, True, (1, 0, 1), True), (MT, True, (1, 1, 0), False),
])  # fmt: skip
def test_only_who_could_have_given_it_must_be_without(
    place: int, male: bool, copies: tuple[int, int, int], is_new: bool
) -> None:
    assert new(place, male, *copies) is is_new


def test_trios_are_counted_in_bins_and_errors_together() -> None:
    copies = np.zeros((1000, 6), dtype=np.uint8)
    copies[:200, 2] = 1  # the father has them, the child need not
    copies[200, 0] = 1  # new, and so an error
    copies[:30, 3] = (
        2  # thirty errors of another child, whose mother has one copy and whose father none; none of them is new
    )
    copies[:600, 4] = 1
    place = np.zeros(1000, dtype=np.uint8)
    trios = Trios([0, 3], [1, 4], [2, 5], [False, True])
    half = slice(0, 500), slice(500, 1000)
    counted = sum(
        (trio_quality.count(copies[rows], place[rows], trios) for rows in half), trio_quality.Counted.nothing(trios)
    )
    found = trio_quality.estimate(trio_quality.summarise(counted))
    assert (found.trios, found.errors, found.checked) == (2, 31, 201 + 600)
    assert {what: {name: n for name, n in cells.items() if n} for what, cells in found.cells.items()} == {
        trio_quality.ERRORS: {"0.1 to 1 %": 1, "1 to 5 %": 1},
        trio_quality.NEW: {"0": 1, "1": 1},
    }
    for bins, cells in zip(trio_quality.BINS.values(), found.cells.values(), strict=True):
        assert [name for name, _ in bins] == list(cells)


def test_without_trios_every_bin_is_zero() -> None:
    nobody = trio_quality.Counted.nothing(Trios([], [], [], []))
    found = trio_quality.estimate(trio_quality.summarise(nobody))
    assert found.trios == 0
    assert not any(n for cells in found.cells.values() for n in cells.values())
