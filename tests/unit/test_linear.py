"""Linear association: each variant against least squares fitted by itself, and against numbers that others printed."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy.special import betaln
from scipy.stats import t as student

from nhsgen.errors import BadInput
from nhsgen.settings import Settings
from nhsgen.statistics import genotype_blocks as blocks
from nhsgen.statistics import linear
from nhsgen.statistics.inflation import genomic_inflation, inflation_of_1000, quantiles
from nhsgen.statistics.linear import Associations, Design, Missing, students_p

Floats = npt.NDArray[np.float64]
Copies = npt.NDArray[np.uint8]
EVERYTHING = ("beta", "se", "t", "p", "log10_p", "people", "copies", "alleles", "reason")


def scanned(copies: Copies, design: Design, missing: Missing = "complete", threads: int = 1) -> Associations:
    words = blocks.pack(copies)
    settings = Settings(threads=threads)
    return linear.scan(lambda a, b: words[a:b], len(words), design, missing=missing, settings=settings)


def exactly(g: Copies, y: Floats, covariates: Floats, missing: Missing) -> tuple[float, float, float, int]:
    """One variant, one phenotype, one person after the other: beta, se, p, people. nan in y leaves somebody out."""
    here = ~np.isnan(y) & ~np.isnan(covariates).any(axis=1)
    dosage = g.astype(np.float64)
    dosage[g == 3] = g[here & (g != 3)].mean()
    if missing == "complete":
        here &= g != 3
    centred = covariates[here] - covariates[here].mean(axis=0)
    x = np.column_stack([dosage[here], np.ones(here.sum()), centred])
    coefficients, _, rank, _ = np.linalg.lstsq(x, y[here], rcond=None)
    left = y[here] - x @ coefficients
    freedom = len(x) - rank
    of_g = x[:, 0] - x[:, 1:] @ np.linalg.lstsq(x[:, 1:], x[:, 0], rcond=None)[0]
    se = np.sqrt(left @ left / freedom / (of_g @ of_g))
    return float(coefficients[0]), float(se), float(2 * student.sf(abs(coefficients[0] / se), freedom)), len(x)


@pytest.fixture(scope="module")
def small() -> tuple[Copies, Design]:
    """Three phenotypes, two of them of the same people; people in no order, fewer than the samples; rare and common variants."""
    random = np.random.default_rng(5)
    shares = random.choice([0.06, 0.2, 0.5], (30, 1))
    copies = random.binomial(2, shares, (30, 90)).astype(np.uint8)
    copies[random.random(copies.shape) < 0.04] = 3
    people = random.permutation(90)[:70]
    age = random.normal(1970, 15, 70)
    covariates = np.column_stack([age, age**2 / 1000, random.integers(0, 2, 70)])
    phenotypes = random.normal(100, 7, (70, 3)) + covariates[:, 2:]
    phenotypes[3, 0] = phenotypes[[5, 9], 1] = phenotypes[[5, 9], 2] = covariates[11, 0] = np.nan
    return copies, Design(people, phenotypes, covariates)


@pytest.mark.parametrize("missing", ["complete", "mean"])
def test_each_row_is_its_own_least_squares(missing: Missing, small: tuple[Copies, Design]) -> None:
    copies, design = small
    found = scanned(copies, design, missing)
    assert not found.reason.any()
    assert len(set(found.people[0])) == 2 or missing == "mean"
    for variant, phenotype in np.ndindex(found.beta.shape):
        g = copies[variant, design.people]
        beta, se, p, people = exactly(g, design.phenotypes[:, phenotype], design.covariates, missing)
        row = [getattr(found, name)[variant, phenotype] for name in ("beta", "se", "p")]
        np.testing.assert_allclose(row, [beta, se, p], rtol=1e-9)
        assert found.people[variant, phenotype] == people
        called = g[design.members()[:, phenotype] & (g != 3)]
        assert found.copies[variant, phenotype] == called.sum()
        assert found.alleles[variant, phenotype] == 2 * len(called)
    np.testing.assert_allclose(found.log10_p, -np.log10(found.p), rtol=1e-12)


def test_threads_and_chunks_change_nothing(small: tuple[Copies, Design], monkeypatch: pytest.MonkeyPatch) -> None:
    copies, design = small
    once = scanned(copies, design)
    monkeypatch.setattr(linear, "CHUNK", 7)
    again = scanned(copies, design, threads=3)
    for name in EVERYTHING:
        np.testing.assert_allclose(getattr(again, name), getattr(once, name), rtol=1e-12, err_msg=name)


def test_a_small_table_that_a_person_can_check() -> None:
    """Six people, one apart from the next by one copy: 1.0, 2.1, 2.9 on average, slope 0.95."""
    design = Design(np.arange(6), np.array([[0.9], [1.1], [2.0], [2.2], [2.8], [3.0]]), np.empty((6, 0)))
    table = scanned(np.array([[0, 0, 1, 1, 2, 2]], np.uint8), design).frame(["height"])
    row = table.row(0, named=True)
    assert row["beta"] == pytest.approx(0.95)
    assert row["se"] == pytest.approx(
        0.075
    )  # what is left, squared, is 0.09; over 4 degrees of freedom and a spread of 4
    assert (row["phenotype"], row["people"], row["copies"], row["alleles"], row["reason"]) == ("height", 6, 6, 12, "")


def test_the_regenie_example(shared_data: Path) -> None:
    folder = shared_data / "stats" / "regenie_example"
    copies = bed(folder / "example.bed", 1000, 500)
    covariates = np.loadtxt(folder / "covariates.txt", skiprows=1)[:, 2:]
    phenotypes = np.loadtxt(folder / "phenotype.txt", skiprows=1)[:, 2:]
    found = scanned(copies, Design(np.arange(500), phenotypes, covariates), threads=2)
    digits = {
        "beta": [-0.0490844652, 0.0532484852, -0.0314731811], "se": [0.0449873624, 0.0457964711, 0.0477820962],
        "p": [0.2757718647, 0.2455032524, 0.5104065952],
    }  # fmt: skip
    for name, wanted in digits.items():
        np.testing.assert_allclose(getattr(found, name)[:3, 0], wanted, rtol=2e-9)
    theirs = pl.read_csv(folder / "plink2_oracle.Y1.glm.linear.tsv", separator="\t")
    for name in ("beta", "se", "p"):
        np.testing.assert_allclose(getattr(found, name)[:, 0], theirs[name.upper()].to_numpy(), rtol=5e-6)
    assert found.people[:, 0].tolist() == theirs["OBS_CT"].to_list()
    best = np.argsort(found.p[:, 0])[:2]
    np.testing.assert_allclose(found.beta[best, 0], [0.220933, 0.144870], rtol=3e-6)
    np.testing.assert_allclose(found.copies[:2, 0], [214, 217])
    from_p = student.isf(theirs["P"].to_numpy() / 2, 495) ** 2
    assert genomic_inflation(found.log10_p[:, 0]) == pytest.approx(np.median(from_p) / 0.4549364, rel=0.01)


def bed(file: Path, variants: int, people: int) -> Copies:
    """PLINK's .bed as copies of its first allele."""
    packed = np.frombuffer(file.read_bytes()[3:], dtype=np.uint8).reshape(variants, -1, 1)
    codes = (packed >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    copies: Copies = np.array([2, 3, 1, 0], dtype=np.uint8)[codes.reshape(variants, -1)[:, :people]]
    return copies


# -- Degenerate input ---------------------------------------------------------------------------------------------------


def reasons(copies: Copies, design: Design, missing: Missing = "complete") -> list[str]:
    found = scanned(copies, design, missing)
    for name in ("beta", "se", "t", "p", "log10_p"):
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), found.reason > 0)
    return found.frame()["reason"].to_list()


@pytest.mark.parametrize("missing", ["complete", "mean"])
def test_every_row_without_an_answer_says_why(missing: Missing) -> None:
    random = np.random.default_rng(1)
    n = 40
    sex = np.arange(n) % 2
    covariates = np.column_stack([sex, random.normal(size=n)]).astype(np.float64)
    phenotypes = np.column_stack([random.normal(size=n), np.full(n, 3.7), 2 * covariates[:, 1] + 1, np.full(n, np.nan)])
    some = random.integers(0, 3, n)
    copies = np.array([some, np.zeros(n), np.full(n, 2), np.full(n, 3), sex, 2 - sex * 2], dtype=np.uint8)
    bad = [
        "monomorphic",
        "monomorphic",
        "no genotypes called",
        "collinear with the covariates",
        "collinear with the covariates",
    ]
    none = "constant given the covariates"
    found = np.array(reasons(copies, Design(np.arange(n), phenotypes, covariates), missing)).reshape(-1, 4)
    assert found[:, 0].tolist() == ["", *bad]
    assert found[0].tolist() == ["", none, none, "nobody"]
    assert (found[:, 3] == "nobody").all()


def test_too_few_people_and_a_perfect_fit() -> None:
    copies = np.array([[0, 1, 2, 1, 0, 2, 1]], dtype=np.uint8)
    y = np.arange(7.0)[:, np.newaxis] ** 2
    assert reasons(copies, Design(np.arange(7), y, np.random.default_rng(2).normal(size=(7, 5)))) == ["too few people"]
    assert reasons(copies, Design(np.arange(7), copies.T * 2.0 + 1, np.empty((7, 0)))) == ["fitted exactly"]
    assert reasons(copies, Design(np.arange(0), np.empty((0, 1)), np.empty((0, 2)))) == ["nobody"]


def test_covariates_that_others_make_up_are_left_out(small: tuple[Copies, Design]) -> None:
    copies, design = small
    age = design.covariates[:, :1]
    more = np.hstack([design.covariates, 2 * age - 7, np.full_like(age, 12.5)])
    once, again = scanned(copies, design), scanned(copies, Design(design.people, design.phenotypes, more))
    for name in EVERYTHING:
        np.testing.assert_allclose(getattr(again, name), getattr(once, name), rtol=1e-9, err_msg=name)


def test_a_covariate_that_is_constant_among_the_called() -> None:
    random = np.random.default_rng(3)
    covariate = np.r_[np.ones(3), np.zeros(27)]
    y = random.normal(size=30)
    g = np.r_[3, 3, 3, random.integers(0, 3, 27)].astype(np.uint8)
    found = scanned(g[np.newaxis], Design(np.arange(30), y[:, np.newaxis], covariate[:, np.newaxis]))
    beta, se, p, _ = exactly(g, y, covariate[:, np.newaxis], "complete")
    np.testing.assert_allclose([found.beta[0, 0], found.se[0, 0], found.p[0, 0]], [beta, se, p], rtol=1e-10)


def test_what_is_no_design_is_refused(small: tuple[Copies, Design]) -> None:
    one = np.ones((3, 1))
    for broken in (
        lambda: Design(np.arange(2), one, one),
        lambda: Design(np.arange(3), one, np.full((3, 1), np.inf)),
        lambda: Design(np.arange(3), one, one, haploid=np.zeros(2, np.bool_)),
        lambda: Design(np.arange(3), one, one).at(2, 2),
        lambda: scanned(*small, "guess"),  # type: ignore[arg-type]
        lambda: scanned(np.zeros((1, 3), np.uint8), Design(np.array([0, 1, 99]), one, one)),
        lambda: scanned(np.zeros((1, 3), np.uint8), Design(np.arange(3), np.empty((3, 0)), one)),
        lambda: blocks.pack([[4]]),
    ):
        with pytest.raises(BadInput):
            broken()


# -- X ------------------------------------------------------------------------------------------------------------------


def test_one_copy_of_a_man_counts_as_two() -> None:
    random = np.random.default_rng(8)
    men = random.random(60) < 0.5
    copies = np.where(men, random.integers(0, 2, (4, 60)), random.integers(0, 3, (4, 60))).astype(np.uint8)
    copies[random.random(copies.shape) < 0.1] = 3
    y, covariates = random.normal(size=(60, 1)), men[:, np.newaxis].astype(np.float64)
    doubled = np.where(men & (copies == 1), 2, copies).astype(np.uint8)
    plain = scanned(doubled, Design(np.arange(60), y, covariates))
    found = scanned(copies, Design(np.arange(60), y, covariates, haploid=men))
    apart = scanned(copies, Design(np.arange(60), y, covariates, haploid=men, compensated=False))
    np.testing.assert_array_equal(found.beta, plain.beta)
    np.testing.assert_array_equal(apart.beta, scanned(copies, Design(np.arange(60), y, covariates)).beta)
    called = copies != 3
    for each in (found, apart):
        assert each.copies[:, 0].tolist() == np.where(called, copies, 0).sum(axis=1).tolist()
        assert each.alleles[:, 0].tolist() == (2 * called - (called & men)).sum(axis=1).tolist()


# -- Packed genotypes, p and inflation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 31, 32, 33, 200])
def test_packed_genotypes(samples: int) -> None:
    random = np.random.default_rng(samples)
    copies = random.integers(0, 4, (9, samples)).astype(np.uint8)
    copies[:4] *= random.random((4, samples)) < 0.02
    words = blocks.pack(copies)
    assert words.shape == (9, blocks.words_for(samples))
    np.testing.assert_array_equal(blocks.copies(words, samples), copies)
    members = random.random(samples) < 0.6
    counted = blocks.count(words, blocks.membership(members))
    np.testing.assert_array_equal(counted, [[(row[members] == code).sum() for code in (1, 2, 3)] for row in copies])
    columns = random.normal(size=(samples, 3))
    np.testing.assert_allclose(
        blocks.products(words, blocks.widened(columns), (copies > 0).sum(axis=1))[:, :3],
        np.where(copies == 3, 0, copies) @ columns,
        atol=1e-12,
    )
    people = random.permutation(samples)[: samples // 2 + 1]
    np.testing.assert_array_equal(blocks.copies(blocks.chosen(words, people), len(people)), copies[:, people])
    centred = np.empty((9, 32 * words.shape[1]), np.float32)
    means = random.random((9, 1))
    blocks.decode(words, np.hstack([0 - means, 1 - means, 2 - means, 0 * means]).astype(np.float32), 0, centred)
    wanted = np.where(copies == 3, 0, copies - means)
    np.testing.assert_allclose(centred[:, :samples], wanted, rtol=1e-6, atol=1e-6)


def series(t: float, df: float) -> float:
    """-log10 p by the hypergeometric series of the incomplete beta function (DLMF 8.17.8), a term after the other."""
    a, x = df / 2, df / (df + t * t)
    total, term, k = 1.0, 1.0, 0
    while term > 1e-17 * total:
        term *= (a + 0.5 + k) / (a + 1 + k) * x
        total, k = total + term, k + 1
    return float(-(a * np.log(x) + 0.5 * np.log1p(-x) - np.log(a) - betaln(a, 0.5) + np.log(total)) / np.log(10))


@pytest.mark.parametrize(("t", "df"), [(2.0, 10), (30.0, 5000), (60.0, 5000), (40.0, 78_000), (1e9, 60), (38.0, 5000)])
def test_p_has_its_digits_however_small(t: float, df: float) -> None:
    p, log10_p = students_p(-t, df)
    assert float(log10_p) == pytest.approx(series(t, df), rel=1e-10)
    assert float(p) == pytest.approx(10 ** -series(t, df), rel=1e-9)


def test_inflation_and_quantiles() -> None:
    uniform = -np.log10((np.arange(100_000) + 0.5) / 100_000)
    assert genomic_inflation(uniform) == pytest.approx(1.0, abs=1e-4)
    assert np.isnan(genomic_inflation([np.nan]))
    assert inflation_of_1000(1.2, 1000, 1000) == pytest.approx(1.2)
    seen = quantiles(np.r_[uniform, np.nan], points=200)
    assert len(seen.expected) <= 210
    assert ((seen.low < seen.expected) & (seen.expected < seen.high)).all()
    np.testing.assert_allclose(seen.expected[0], np.log10(100_001))
    np.testing.assert_allclose(seen.observed, seen.expected, rtol=0.06, atol=0.01)
    assert not len(quantiles([]).expected)
    with pytest.raises(BadInput, match="below 0"):
        genomic_inflation([-1.0])
    with pytest.raises(BadInput, match="no controls"):
        inflation_of_1000(1.1, 10, 0)
