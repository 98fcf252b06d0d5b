"""Rare variants: however people are split over sites, in whatever order, the tests say what the pooled people would have said."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.settings import Settings
from nhsgen.statistics import cmh, masks, skat
from nhsgen.statistics.masks import Carried, Mask
from nhsgen.statistics.sums import Sums, total

Floats = npt.NDArray[np.float64]
P = ("burden_p", "skat_p", "skat_o_p", "acat_o_p")
FEW = settings(max_examples=25, deadline=None)


@dataclass(frozen=True)
class People:
    """Three genes: one of rare variants, one of variants so rare that they are one row, one with a variant of rarer reference."""

    copies: npt.NDArray[np.uint8]
    residuals: Floats
    weights: Floats
    x: Floats

    def of(self, chosen: npt.NDArray[np.int64]) -> "People":
        return People(self.copies[:, chosen], self.residuals[chosen], self.weights[chosen], self.x[chosen])


def drawn(n: int = 240) -> People:
    rng = np.random.default_rng(7)
    often = np.concatenate([rng.uniform(0.01, 0.05, 6), np.full(5, 2.0 / n), rng.uniform(0.02, 0.1, 4)])
    copies = rng.binomial(2, often[:, None], (len(often), n)).astype(np.uint8)
    copies[-1] = 2 - copies[-1]
    copies[rng.random(copies.shape) < 0.01] = 3
    x = np.column_stack([np.ones(n), 1950.0 + 30.0 * rng.random(n), rng.integers(0, 2, n)])
    p = np.full(n, 0.3)
    y = rng.random(n) < p + 0.4 * (copies[:6] % 3).max(axis=0)
    return People(copies, y - y.mean(), p * (1.0 - p), x)


EVERYBODY = drawn()
ANNOTATED = pl.DataFrame(
    {"variant": range(15), "gene": ["A"] * 6 + ["B"] * 5 + ["C"] * 4, "consequence": ["missense_variant"] * 15}
)


def p_of(sites: list[People]) -> npt.NDArray[np.float64]:
    """Both rounds; a row a gene, a column a test."""
    carried = [Carried.of(site.copies) for site in sites]
    counts = total(masks.summarise(one) for one in carried)
    sets = masks.choose(ANNOTATED, counts, [Mask(max_af=0.2)], collapse_below=5)
    sums = total(
        skat.summarise(one, sets, site.residuals, site.weights, site.x)
        for one, site in zip(carried, sites, strict=True)
    )
    found = skat.estimate(sums, sets, settings=Settings())
    assert [row.reason for row in found.rows] == ["", "", ""]
    return np.array([[getattr(row, p) for p in P] for row in found.rows])


@pytest.fixture(scope="module")
def pooled() -> npt.NDArray[np.float64]:
    return p_of([EVERYBODY])


@given(st.lists(st.integers(0, 3), min_size=240, max_size=240), st.randoms(use_true_random=False))
@FEW
def test_any_split_in_any_order(pooled: Floats, of: list[int], chance: object) -> None:
    order = np.array(sorted(range(240), key=lambda _: chance.random()))  # type: ignore[attr-defined]
    site = np.array(of)[order]
    np.testing.assert_allclose(p_of([EVERYBODY.of(order[site == k]) for k in range(4)]), pooled, rtol=1e-9)


def _split(who: npt.NDArray[np.bool_]) -> list[People]:
    return [EVERYBODY.of(np.flatnonzero(who)), EVERYBODY.of(np.flatnonzero(~who))]


def test_hard_splits(pooled: Floats) -> None:
    """A site without carriers; one with all cases; one of five people; one of nobody."""
    five = np.arange(240) < 5
    for who in ((EVERYBODY.copies[:-1] == 0).all(axis=0), EVERYBODY.residuals > 0.0, five, np.zeros(240, bool)):
        np.testing.assert_allclose(p_of(_split(who)), pooled, rtol=1e-9)


def test_the_order_of_variants_and_the_choice_of_reference_do_not_matter(pooled: Floats) -> None:
    turned = EVERYBODY.copies.copy()
    turned[2] = np.where(turned[2] == 3, 3, 2 - turned[2].astype(int))
    turned[[0, 1, 3]] = turned[[3, 0, 1]]
    again = People(turned, EVERYBODY.residuals, EVERYBODY.weights, EVERYBODY.x)
    np.testing.assert_allclose(p_of([again]), pooled, rtol=1e-9)


def test_the_scale_of_a_covariate_and_of_the_trait_do_not_matter(pooled: Floats) -> None:
    x = (EVERYBODY.x - [0.0, 1960.0, 0.0]) * [1.0, 1e-3, 7.0]
    again = People(EVERYBODY.copies, 3.0 * EVERYBODY.residuals, 9.0 * EVERYBODY.weights, x)
    np.testing.assert_allclose(p_of([again]), pooled, rtol=1e-8)


TABLES = st.lists(
    st.tuples(*[st.integers(0, 6)] * 4).map(lambda n: (n[0], n[0] + n[1], n[2], n[2] + n[3])), min_size=1, max_size=5
)


@given(TABLES, st.randoms(use_true_random=False))
@FEW
def test_strata_may_be_anywhere(tables: list[tuple[int, int, int, int]], chance: object) -> None:
    """One site with all strata, or sites with one each in any order; cases and controls exchanged have the same p."""
    columns = np.array(tables).T[:, None, :]
    whole = cmh.summarise(*columns)
    chance.shuffle(tables)  # type: ignore[attr-defined]
    parts: Sums = total(cmh.summarise(*np.array(table)[:, None]) for table in tables)
    one, other = cmh.estimate(whole), cmh.estimate(parts)
    np.testing.assert_allclose(other.odds_ratio, one.odds_ratio, rtol=1e-9)
    np.testing.assert_allclose(other.p, one.p, rtol=1e-9)
    assert other.reason == one.reason
    exchanged = cmh.estimate(cmh.summarise(columns[2], columns[3], columns[0], columns[1]))
    np.testing.assert_allclose(exchanged.p, one.p, rtol=1e-9)
