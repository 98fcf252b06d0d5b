"""Which variants make a set, with which weights, and genotypes as lists."""

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nhsgen.errors import BadInput
from nhsgen.statistics import masks
from nhsgen.statistics.masks import Carried, Mask
from nhsgen.statistics.sums import Sums

COPIES = np.array(
    [  # eight people
        [0, 1, 0, 0, 0, 0, 0, 0],  # a singleton
        [0, 0, 2, 0, 0, 0, 0, 3],  # one with two copies, one not called
        [1, 1, 1, 1, 0, 0, 0, 0],
        [2, 2, 2, 2, 2, 2, 1, 3],  # the reference is the rarer allele
        [0, 0, 0, 0, 0, 0, 0, 0],
        [3, 3, 3, 3, 3, 3, 3, 3],
    ],
    dtype=np.uint8,
)
ANNOTATED = pl.DataFrame(
    {
        "variant": [0, 1, 2, 3, 4, 5, 0, 2],
        "gene": ["A", "A", "A", "A", "A", "A", "A", "B"],
        "consequence": ["stop", "missense", "stop", "stop", "stop", "stop", "missense", "stop"],
    }
)


def sets(*chosen: Mask, collapse_below: int = 0) -> masks.Sets:
    return masks.choose(ANNOTATED, masks.summarise(Carried.of(COPIES)), chosen, collapse_below=collapse_below)


def content(found: masks.Sets) -> dict[str, list[list[int]]]:
    """Each set's rows, and the variants of each row."""
    rows = [found.variants[a:b].tolist() for a, b in zip(found.members, found.members[1:], strict=False)]
    return {name: rows[a:b] for name, a, b in zip(found.names, found.rows, found.rows[1:], strict=False)}


def test_a_list_is_what_the_table_says() -> None:
    carried = Carried.of(COPIES)
    again = np.zeros_like(COPIES)
    variant = np.repeat(np.arange(len(COPIES)), np.diff(carried.starts))
    again[variant, carried.person] = carried.copies
    assert (again == COPIES).all()


def test_alleles_are_counted_among_those_called() -> None:
    total = masks.summarise(Carried.of(COPIES))
    assert total["alternate"].tolist() == [1, 2, 4, 13, 0, 0]
    assert total["called"].tolist() == [16, 14, 16, 14, 16, 0]


def test_a_mask_takes_consequences_and_the_rarer_allele_and_each_variant_once() -> None:
    rare = Mask("rare", max_af=0.2)
    stop = Mask("stop", ("stop",), max_af=0.5)
    assert content(sets(rare, stop)) == {
        "A rare": [[0], [1], [3]],
        "A stop": [[0], [2], [3]],
        "B stop": [[2]],
    }
    assert content(sets(Mask(max_af=0.1))) == {"A": [[0], [3]]}


def test_the_rarest_are_one_row() -> None:
    found = sets(Mask(max_af=0.5), collapse_below=3)
    assert content(found) == {"A": [[2], [0, 1, 3]], "B": [[2]]}
    assert found.sizes.tolist() == [2, 1]
    assert found.variant_counts.tolist() == [4, 1]


def test_means_are_of_the_rarer_allele() -> None:
    found = sets(Mask(max_af=0.5))
    assert found.turned.tolist() == [False, False, False, True, False, False]
    assert found.mean.tolist() == [2 / 16, 4 / 14, 8 / 16, 2 / 14, 0.0, 0.0]


def test_no_variant_no_set() -> None:
    found = sets(Mask(consequences=("frameshift",)))
    assert found.names == ()
    assert found.sizes.tolist() == []
    assert found.variant_counts.tolist() == []


def test_beta_weights_are_its_density() -> None:
    maf = np.array([1e-5, 0.01, 0.3, 0.5])
    for a, b in ((1.0, 25.0), (0.5, 0.5), (1.0, 1.0)):
        np.testing.assert_allclose(masks.beta_weights(maf, a, b), stats.beta.pdf(maf, a, b), rtol=1e-12)
    assert masks.beta_weights([0.0, 1.0], 0.5, 0.5).tolist() == [0.0, 0.0]


def test_what_is_no_list_is_refused() -> None:
    starts, person, copies = np.array([0, 2]), np.array([0, 1], np.int32), np.array([1, 3], np.uint8)
    Carried(2, starts, person, copies)
    for wrong in (
        (1, starts, person, copies),
        (2, np.array([0, 1]), person, copies),
        (2, starts, person[::-1], copies),
        (2, starts, np.array([1, 1], np.int32), copies),
        (2, starts, person, np.array([0, 1], np.uint8)),
    ):
        with pytest.raises(BadInput, match="choosing rare variants"):
            Carried(*wrong)
    for table in ([[0, 4]], [0, 1], [[0.5]]):
        with pytest.raises(BadInput, match="choosing rare variants"):
            Carried.of(table)
    with pytest.raises(BadInput, match="no mask"):
        masks.choose(ANNOTATED, Sums.of(alternate=[1.0] * 6, called=[9.0] * 6), [])
    with pytest.raises(BadInput, match="frequency"):
        masks.beta_weights([1.5])
    assert math.isclose(masks.beta_weights([0.0]).sum(), 0.0)
