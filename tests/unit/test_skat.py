"""Burden, SKAT and SKAT-O, against the SKAT package's published numbers, a slow twin, and draws of the null."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy import integrate, special, stats

from nhsgen.errors import BadInput
from nhsgen.settings import Settings
from nhsgen.statistics import masks, skat
from nhsgen.statistics.acat import acat_v
from nhsgen.statistics.masks import Carried, Mask, Sets
from nhsgen.statistics.quadratic_forms import tail
from nhsgen.statistics.skat import RHOS, Scores

Floats = npt.NDArray[np.float64]


def null(y: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Residuals and weights of a logistic model of y on x when y is 0 and 1, of a linear one otherwise."""
    if set(np.unique(y)) - {0.0, 1.0}:
        left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        variance = left @ left / (len(y) - x.shape[1])
        return left / variance, np.full(len(y), 1.0 / variance)
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = special.expit(x @ beta)
        beta += np.linalg.solve(x.T @ (x * (p * (1.0 - p))[:, None]), x.T @ (y - p))
    p = special.expit(x @ beta)
    return y - p, p * (1.0 - p)


def one_set(copies: npt.ArrayLike, *, collapse_below: int = 0) -> tuple[Carried, Sets]:
    carried = Carried.of(copies)
    n = len(carried.starts) - 1
    annotated = pl.DataFrame({"variant": range(n), "gene": ["PKD1"] * n, "consequence": ["stop_gained"] * n})
    counts = masks.summarise(carried)
    return carried, masks.choose(annotated, counts, [Mask(max_af=0.5)], collapse_below=collapse_below)


def of_one_set(copies: npt.ArrayLike, y: Floats, x: Floats) -> Scores:
    carried, sets = one_set(copies)
    return next(skat.scores(skat.summarise(carried, sets, *null(y, x), x), sets))


# -- The SKAT package's example -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    copies: npt.NDArray[np.uint8]
    measured: Floats
    cases: Floats
    x: Floats


@pytest.fixture(scope="module")
def example(shared_data: Path) -> Example:
    folder = shared_data / "stats" / "skat_example"
    z = pl.read_csv(folder / "Z_genotypes_2000x67.tsv.gz", separator="\t").drop("iid")
    y = pl.read_csv(folder / "y_X.tsv.gz", separator="\t").cast(pl.Float64)
    x = np.column_stack([np.ones(len(y)), y["X1"], y["X2"]])
    return Example(z.to_numpy().T.astype(np.uint8), y["y_c"].to_numpy(), y["y_b"].to_numpy(), x)


def test_what_the_vignette_prints(example: Example) -> None:
    """METHODS.md 3B: continuous SKAT; binary SKAT, burden, rho 0.9, other weights, SKAT-O with seven and with eight rhos."""
    continuous = of_one_set(example.copies, example.measured, example.x).weighted()
    assert skat.skat(*continuous) == pytest.approx(0.002877061, abs=2e-9)
    binary = of_one_set(example.copies, example.cases, example.x)
    weighted = binary.weighted()
    assert skat.skat(*weighted) == pytest.approx(0.140199107, abs=1e-9)
    assert skat.burden(*weighted) == pytest.approx(0.060955297, abs=1e-9)
    assert skat.skat_o(*weighted, [0.9]).p == pytest.approx(0.060310269, abs=1e-9)
    assert skat.skat(*binary.weighted(0.5, 0.5)) == pytest.approx(0.493163953, abs=1e-9)
    assert skat.skat_o(*weighted, published=True).p == pytest.approx(0.100897524, abs=1e-8)
    eight = (0.0, 0.01, 0.04, 0.09, 0.16, 0.25, 0.5, 1.0)
    assert skat.skat_o(*weighted, eight, published=True).p == pytest.approx(0.100956905, abs=2e-7)


def test_what_the_regenie_example_gave_before(shared_data: Path) -> None:
    """METHODS.md 3A6: set 1 under its first mask, 18 variants, 500 people, as SKAT-O was computed then."""
    folder = shared_data / "stats" / "regenie_example"
    members = (folder / "example_3chr.setlist").read_text().split()[3].split(",")
    variants = [line.split()[1] for line in (folder / "example_3chr.bim").read_text().splitlines()]
    rows = [line.split() for line in (folder / "example_3chr.annotations").read_text().splitlines()]
    lost = {v for v, gene, kind in rows if gene == "SET1" and kind == "pLof"} & set(members)
    traits = np.array([line.split()[2:] for line in (folder / "phenotype_bin.txt").read_text().splitlines()[1:]])
    packed = np.frombuffer((folder / "example_3chr.bed").read_bytes()[3:], np.uint8).reshape(len(variants), -1)
    states = (packed[:, :, None] >> np.array([0, 2, 4, 6])).reshape(len(variants), -1)[:, : len(traits)] & 3
    copies = np.array([2, 3, 1, 0], np.uint8)[states[[variants.index(v) for v in members if v in lost]]]
    covariates = np.loadtxt(folder / "covariates.txt", skiprows=1)[:, 2:]
    x = np.column_stack([np.ones(len(traits)), covariates])
    kept = copies[copies.mean(axis=1) <= 0.4]
    found = of_one_set(kept, traits[:, 0].astype(float), x)
    u, v = found.weighted()
    assert len(kept) == 18
    assert skat.skat(u, v) == pytest.approx(0.97046184, abs=1e-8)
    assert skat.burden(u, v) == pytest.approx(0.31312051, abs=1e-8)
    assert skat.skat_o(u, v, published=True).p == pytest.approx(0.48848785, abs=1e-6)
    assert acat_v(found.u, found.v, found.copies, found.maf) == pytest.approx(0.76930847, abs=1e-8)


# -- The slow twins -----------------------------------------------------------------------------------------------------


def slow_scores(copies: npt.NDArray[np.uint8], y: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """u, v and frequencies by whole matrices."""
    g = copies.astype(float)
    g[g == 3] = np.nan
    g = np.where(np.nanmean(g, axis=1, keepdims=True) > 1.0, 2.0 - g, g)
    g = np.where(np.isnan(g), np.nanmean(g, axis=1, keepdims=True), g).T
    r, w = null(y, x)
    gwx, xwx = g.T @ (x * w[:, None]), x.T @ (x * w[:, None])
    return g.T @ r, g.T @ (g * w[:, None]) - gwx @ np.linalg.solve(xwx, gwx.T), g.mean(axis=0) / 2.0


def slow_skat_o(u: Floats, v: Floats, rhos: Sequence[float]) -> float:
    """The chance that any mixture is beyond its quantile, given the sum of the scores, by adaptive quadrature."""
    m, total = len(u), v.sum()
    mixtures, p = [], []
    for rho in rhos:
        values, vectors = np.linalg.eigh((1.0 - rho) * np.eye(m) + rho)
        half = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
        mixtures.append(np.maximum(np.linalg.eigvalsh(half @ v @ half), 0.0))
        p.append(tail((1.0 - rho) * (u @ u) + rho * u.sum() ** 2, mixtures[-1]))
    least = min(p)
    quantiles = [bisected(least, mixture) for mixture in mixtures]
    with_sum = v.sum(axis=0) / math.sqrt(total)
    rest = v - np.outer(with_sum, with_sum)
    values, vectors = np.linalg.eigh(rest)
    values, vectors = values[values > 1e-10 * values.max()], vectors[:, values > 1e-10 * values.max()]
    pull = (vectors.T @ with_sum) ** 2 / values
    fixed = with_sum @ with_sum - pull @ values

    def given(z: float) -> float:
        left = [
            (q - rho * total * z * z) / (1.0 - rho) - fixed * z * z
            for q, rho in zip(quantiles, rhos, strict=True)
            if rho < 1.0
        ]
        certain = min(left) <= 0.0 or any(
            rho == 1.0 and z * z * total > q for q, rho in zip(quantiles, rhos, strict=True)
        )
        return float(2.0 * stats.norm.pdf(z) * (1.0 if certain else tail(min(left), values, z * z * pull)))

    corners = [math.sqrt(q / (rho * total + (1.0 - rho) * fixed)) for q, rho in zip(quantiles, rhos, strict=True)]
    ends = sorted({*np.arange(0.0, 7.0, 0.25).tolist(), *(corner for corner in corners if corner < 7.0)})
    return float(sum(integrate.quad(given, a, b, epsrel=1e-7, epsabs=1e-10)[0] for a, b in pairwise(ends)))


def bisected(p: float, mixture: Floats) -> float:
    low, high = 0.0, 1e4 * mixture.sum()
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if tail(middle, mixture) > p else (low, middle)
    return low


def people(n: int = 300, variants: int = 7, seed: int = 0) -> tuple[npt.NDArray[np.uint8], Floats, Floats]:
    rng = np.random.default_rng(seed)
    copies = rng.binomial(2, rng.uniform(0.01, 0.1, (variants, 1)), (variants, n)).astype(np.uint8)
    copies[-1] = 2 - copies[-1]
    copies[rng.random(copies.shape) < 0.02] = 3
    x = np.column_stack([np.ones(n), rng.standard_normal((n, 2))])
    y = (rng.random(n) < special.expit(x[:, 1] - 1.0 + (copies[0] == 1))).astype(float)
    return copies, y, x


def test_sums_over_carriers_are_what_whole_matrices_give() -> None:
    copies, y, x = people()
    found = of_one_set(copies, y, x)
    u, v, maf = slow_scores(copies, y, x)
    np.testing.assert_allclose(found.u, u, atol=1e-10)
    np.testing.assert_allclose(found.v, v, atol=1e-10)
    np.testing.assert_allclose(found.maf, maf, rtol=1e-12)
    minor = np.where(copies == 3, 0, copies)
    minor[-1] = np.where(copies[-1] == 3, 0, 2 - copies[-1].astype(int))
    assert found.carriers == (minor > 0).any(axis=0).sum()
    assert found.variants == 7


@pytest.mark.parametrize("seed", [1, 2])
def test_skat_o_is_what_adaptive_quadrature_gives(seed: int) -> None:
    u, v = of_one_set(*people(seed=seed)).weighted()
    for rhos in (RHOS, (0.0, 1.0), (0.1, 0.5)):
        assert skat.skat_o(u, v, rhos).p == pytest.approx(slow_skat_o(u, v, rhos), rel=1e-6)


def test_skat_o_is_how_often_chance_does_as_much() -> None:
    """Within four standard errors of 400,000 draws from the null, which the approximations of the paper are not always."""
    _, v = of_one_set(*people(seed=3)).weighted()
    half = np.linalg.cholesky(v)
    rng = np.random.default_rng(4)
    u = half @ rng.standard_normal(len(v))
    u *= 1.6
    found = skat.skat_o(u, v)
    draws = rng.standard_normal((400_000, len(v))) @ half.T
    least, beyond = min(found.each), np.zeros(len(draws), bool)
    for rho in RHOS:
        values, vectors = np.linalg.eigh((1.0 - rho) * np.eye(len(v)) + rho)
        root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
        quantile = bisected(least, np.maximum(np.linalg.eigvalsh(root @ v @ root), 0.0))
        beyond |= (1.0 - rho) * (draws**2).sum(axis=1) + rho * draws.sum(axis=1) ** 2 > quantile
    assert found.p == pytest.approx(beyond.mean(), abs=4.0 * math.sqrt(found.p / len(draws)))


@pytest.mark.parametrize("variants", [7, 40])
def test_the_smallest_p_bounds_skat_o_at_any_depth(variants: int) -> None:
    u, v = of_one_set(*people(variants=variants, seed=5)).weighted()
    before = 0.0
    for scale in (1.0, 4.0, 10.0, 30.0, 100.0):
        found = skat.skat_o(u * scale, v)
        least = min(skat.skat_o(u * scale, v, [rho]).log_p for rho in RHOS)
        assert least <= found.log_p <= least + math.log(len(RHOS))
        assert found.log_p < before
        before = found.log_p
    assert before < -2_000.0


# -- Nothing to test ----------------------------------------------------------------------------------------------------


def test_one_variant_makes_all_tests_one() -> None:
    copies, y, x = people(variants=2)
    u, v = of_one_set(copies[:1], y, x).weighted()
    expected = math.erfc(abs(u[0]) / math.sqrt(2.0 * v[0, 0]))
    for p in (skat.burden(u, v), skat.skat(u, v), skat.skat_o(u, v).p):
        assert p == pytest.approx(expected, rel=1e-10)


def test_the_same_variant_twice_changes_nothing() -> None:
    copies, y, x = people(variants=2)
    u, v = of_one_set(np.repeat(copies[:1], 3, axis=0), y, x).weighted()
    assert skat.skat_o(u, v).p == pytest.approx(skat.burden(u, v), rel=1e-9)
    assert skat.skat(u, v) == pytest.approx(skat.burden(u, v), rel=1e-9)


def test_variants_that_cancel_leave_skat_alone() -> None:
    u, v = np.array([2.0, -2.0]), np.array([[1.0, -1.0], [-1.0, 1.0]])
    found = skat.skat_o(u, v)
    assert math.isnan(skat.burden(u, v))
    assert found.p == pytest.approx(skat.skat(u, v)) == pytest.approx(tail(8.0, [2.0]))


def test_a_score_of_zero_is_certain() -> None:
    assert skat.skat_o(np.zeros(3), np.eye(3)).p == 1.0


def test_each_set_without_an_answer_says_why() -> None:
    n = 40
    x = np.column_stack([np.ones(n), np.arange(n) % 2])
    y = (np.arange(n) % 3 == 0).astype(float)
    copies = np.zeros((3, n), np.uint8)
    copies[0] = np.arange(n) % 2  # a covariate of its own
    copies[1, :5] = 1
    copies[2, 7] = 1
    annotated = pl.DataFrame({"variant": [0, 1, 2], "gene": ["A", "B", "C"], "consequence": ["stop"] * 3})
    counts = masks.summarise(Carried.of(copies))
    sets = masks.choose(annotated, counts, [Mask(max_af=0.5)])
    later = copies.copy()
    later[2] = 0  # whoever carried it has left the model
    total = skat.summarise(Carried.of(later), sets, *null(y, x), x)
    found = skat.estimate(total, sets, trait="kidney", cases=14, settings=Settings())
    assert [row.reason for row in found.rows] == ["covariates explain it", "", "nobody carries any"]
    assert [math.isnan(row.skat_o_p) for row in found.rows] == [True, False, True]
    assert (found.rows[1].trait, found.rows[1].gene, found.rows[1].variants, found.rows[1].carriers) == (
        "kidney",
        "B",
        1,
        5,
    )
    assert (found.people, found.cases) == (40, 14)
    nobody = skat.summarise(Carried.of(later[:, :0]), sets, y[:0], y[:0], x[:0])
    assert {row.reason for row in skat.estimate(nobody, sets, settings=Settings()).rows} == {"nobody"}


def test_collinear_covariates_are_one() -> None:
    copies, y, x = people()
    plain = of_one_set(copies, y, x)
    carried, sets = one_set(copies)
    again = np.column_stack([x, 1e6 * x[:, 1] + x[:, 2], np.zeros(len(x))])
    twice = next(skat.scores(skat.summarise(carried, sets, *null(y, x), again), sets))
    np.testing.assert_allclose(twice.v, plain.v, rtol=1e-7, atol=1e-9)


def test_the_rarest_are_one_row_and_a_person_counts_their_most() -> None:
    copies = np.zeros((3, 20), np.uint8)
    copies[0, 3], copies[1, 3], copies[1, 4], copies[2, :6] = 1, 1, 1, 1
    copies[0, 9] = 3
    carried, sets = one_set(copies, collapse_below=3)
    r = np.arange(20.0)
    total = skat.summarise(carried, sets, r, np.ones(20), np.ones((20, 1)))
    assert total["u"].tolist() == [0 + 1 + 2 + 3 + 4 + 5, 3 + 4]
    assert total["copies"].tolist() == [6, 2]
    assert total["gwg"].tolist() == [6, 2, 2]
    assert total["carriers"].tolist() == [6]


def test_what_does_not_fit_is_refused() -> None:
    carried, sets = one_set(people()[0])
    for r, w, x in (([1.0], [1.0], [[1.0]]), (np.ones(300), np.ones(300), np.ones(300))):
        with pytest.raises(BadInput, match="different numbers of people"):
            skat.summarise(carried, sets, r, w, x)
    with pytest.raises(BadInput, match="other variants"):
        skat.summarise(Carried.of(np.ones((2, 300), np.uint8)), sets, np.ones(300), np.ones(300), np.ones((300, 1)))
    for rhos in ([], [-0.1], [1.1]):
        with pytest.raises(BadInput, match="rho"):
            skat.skat_o(np.ones(2), np.eye(2), rhos)
