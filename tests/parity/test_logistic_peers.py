"""Logistic association says what plink2, REGENIE, statsmodels and firthmodels say, on REGENIE's example."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import chi2

from nhsgen.statistics import firth, logistic
from nhsgen.statistics.logistic import Hits, Null, People, Scale, Scores, estimate, moments, score_sums, start
from nhsgen.statistics.sums import solve

Floats = npt.NDArray[np.float64]
REMOVED = np.array([35, 77, 100, 136, 204, 474]) - 1
"""Whom REGENIE's example leaves out (--remove): recovered from the allele frequencies it prints."""

REGENIE = {
    1: (0.0775674, 0.230001, 0.133163), 2: (0.131068, 0.239808, 0.233077), 3: (-0.256723, 0.244611, 0.531739),
    25: (0.482245, 0.232228, 1.42207), 100: (-0.0079439, 0.258667, 0.0107727), 322: (-0.000149906, 0.246105, 0.00021112),
    372: (0.568191, 0.219481, 1.98849), 500: (0.119692, 0.231191, 0.218494), 557: (-0.820179, 0.360396, 1.64093),
    649: (-0.17034, 0.271135, 0.275854), 11: (-0.750767, 0.263409, 2.49291), 93: (-0.739102, 0.255729, 2.54344),
    138: (0.660426, 0.228858, 2.35885), 191: (0.581521, 0.216742, 2.11282), 236: (0.685354, 0.244762, 2.22113),
    260: (-0.641684, 0.249596, 2.07017), 266: (-0.664331, 0.251561, 2.16947), 344: (0.64969, 0.229737, 2.28741),
    406: (-0.719464, 0.260554, 2.33431), 417: (0.684579, 0.232363, 2.46487), 437: (0.737775, 0.246765, 2.55235),
    494: (-0.650522, 0.248596, 2.14038), 554: (0.820126, 0.294232, 2.20505), 619: (-1.50861, 0.434451, 3.82272),
    758: (0.814533, 0.308479, 2.02887), 786: (-0.933803, 0.339365, 2.45234), 794: (-0.968887, 0.38122, 2.10471),
    864: (-0.752217, 0.303083, 2.03027), 900: (1.09775, 0.296301, 3.67957), 938: (0.804481, 0.314108, 1.98163),
    741: (0.728732, 0.310343, 1.7243), 989: (0.00091681, 0.333017, 0.000955025), 1000: (-0.0405477, 0.280429, 0.0530405),
}  # fmt: skip
"""BETA, SE, LOG10P of example/test_bin_out_firth_Y1.regenie (MIT), six digits: --bt --firth --approx --pThresh 0.01."""


class Example(NamedTuple):
    """1,000 variants x 500 people, copies of the first allele; 121 cases; people on one scale."""

    folder: Path
    g: npt.NDArray[np.uint8]
    x: Floats
    y: Floats
    people: People
    scale: Scale
    null: Null
    scores: Scores
    every: Hits


@pytest.fixture(scope="module")
def example(shared_data: Path) -> Example:
    folder = shared_data / "stats" / "regenie_example"
    packed = np.fromfile(folder / "example.bed", np.uint8)[3:].reshape(1000, 125)
    codes = ((packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3).reshape(1000, 500)
    g = np.array([2, 3, 1, 0], np.uint8)[codes]
    x = np.column_stack([np.ones(500), np.loadtxt(folder / "covariates.txt", skiprows=1)[:, 2:]])
    y = np.loadtxt(folder / "phenotype_bin.txt", skiprows=1)[:, 2]
    people = People.of(x, y)
    scale = Scale.of(moments(people))
    people = people.scaled(scale)
    null = Null.of(solve(lambda fits: logistic.summarise(people, fits), logistic.step, start(1, 4)))
    scores = estimate(null, score_sums(g, people, null))
    return Example(folder, g, x, y, people, scale, null, scores, scores.hits(1.1))


def fitted(example: Example, fits: logistic.Fits) -> logistic.Fits:
    g = example.g[example.every.variant]
    return solve(lambda fits: logistic.summarise(example.people, fits, g), logistic.step, fits, most_rounds=100)


def test_regenie(example: Example) -> None:
    """Scores where p is 0.01 or more, approximate Firth below."""
    stay = np.setdiff1d(np.arange(500), REMOVED)
    (found,) = firth.scan(
        lambda a, b: np.ascontiguousarray(example.g[a:b, stay]), 1000, People.of(example.x[stay], example.y[stay])
    )
    rows = np.array(list(REGENIE)) - 1
    ours = np.column_stack([getattr(found.effects, name)[rows, 0] for name in ("beta", "se", "log10_p")])
    np.testing.assert_allclose(ours, list(REGENIE.values()), rtol=2e-5)
    assert (found.score**2 / found.variance > 6.6348966).sum() == 20
    assert found.people[0, 0] == 494
    assert found.copies[0, 0] / 988 == pytest.approx(0.214575, rel=1e-5)


def test_all_thousand_rows_by_regenies_recipe(example: Example) -> None:
    """Its file was not at hand whole: its recipe, written plainly with statsmodels and scipy, gives the rows that were, and all others."""
    models = pytest.importorskip("statsmodels.api")
    stay = np.setdiff1d(np.arange(500), REMOVED)
    g, x, y = example.g[:, stay].astype(np.float64), example.x[stay], example.y[stay]
    (found,) = firth.scan(lambda a, b: np.ascontiguousarray(example.g[a:b, stay]), 1000, People.of(x, y))
    ours = np.column_stack([getattr(found.effects, name)[:, 0] for name in ("beta", "se", "log10_p")])
    null = models.Logit(y, x).fit(disp=0, method="newton", tol=1e-13).fittedvalues
    offset = x @ penalised(x, y)
    theirs = np.array([one_row(copies, x, y, null, offset) for copies in g])
    rows = np.array(list(REGENIE)) - 1
    np.testing.assert_allclose(theirs[rows], list(REGENIE.values()), rtol=2e-5)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)


def penalised(x: Floats, y: Floats) -> Floats:
    """Firth's estimates of the covariates alone, by his modified score."""
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        p = expit(x @ beta)
        w = p * (1 - p)
        inverse = np.linalg.inv(x.T @ (x * w[:, None]))
        hat = w * np.einsum("ij,jk,ik->i", x, inverse, x)
        beta = beta + inverse @ x.T @ (y - p + hat * (0.5 - p))
    return beta


def one_row(copies: Floats, x: Floats, y: Floats, null: Floats, offset: Floats) -> tuple[float, float, float]:
    """beta, se and -log10 p of REGENIE: the score test, and approximate Firth where its p is below 0.01."""
    p = expit(null)
    w = p * (1 - p)
    left = copies - x @ np.linalg.solve(x.T @ (x * w[:, None]), x.T @ (w * copies))
    score, variance = left @ (y - p), w @ left**2
    if chi2.sf(score**2 / variance, 1) >= 0.01:
        return score / variance, variance**-0.5, -chi2.logsf(score**2 / variance, 1) / np.log(10)

    def value(beta: float) -> float:
        eta = offset + left * beta
        q = expit(eta)
        return float(y @ eta - np.logaddexp(0, eta).sum() + 0.5 * np.log((q * (1 - q)) @ left**2))

    beta = float(minimize_scalar(lambda b: -value(b), bracket=(0.0, score / variance), tol=1e-12).x)
    q = expit(offset + left * beta)
    ratio = 2 * (value(beta) - value(0.0))
    return beta, float(((q * (1 - q)) @ left**2) ** -0.5), -chi2.logsf(ratio, 1) / np.log(10)


def same_as_plink2(effects: logistic.Effects, beta: Floats, se: pl.Series, p: pl.Series, tolerance: float) -> None:
    """plink2 stops when a step changes little, so it is a share of a standard error away from where the likelihood is highest."""
    rows = slice(0, len(beta))
    assert np.abs((effects.beta[rows] - beta) / effects.se[rows]).max() < tolerance
    np.testing.assert_allclose(effects.se[rows], se, rtol=tolerance)
    assert np.abs(effects.log10_p[rows] + np.log10(p.to_numpy())).max() < tolerance


def test_plink2_without_firth(example: Example) -> None:
    effects = fitted(example, logistic.wald(example.null, example.every)).effects
    theirs = pl.read_csv(example.folder / "plink2_oracle.bin_Y1.glm.logistic.tsv", separator="\t")
    assert theirs.height == len(effects.beta) == 1000
    same_as_plink2(effects, np.log(theirs["OR"].to_numpy()), theirs["LOG(OR)_SE"], theirs["P"], 3e-5)
    assert effects.beta[0] == pytest.approx(0.0810736239, abs=1e-10)
    assert effects.se[2] == pytest.approx(0.2483894516, abs=1e-10)


def test_plink2_firth(example: Example, tmp_path: Path) -> None:
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on this machine")
    command = [
        "plink2", "--bfile", example.folder / "example", "--pheno", example.folder / "phenotype_bin.txt", "--pheno-name", "Y1",
        "--covar", example.folder / "covariates.txt", "--1", "--to-bp", "200", "--from-bp", "1", "--chr", "1", "--glm", "firth",
        "hide-covar", "omit-ref", "cols=+beta,-orbeta", "--threads", "1", "--out", tmp_path / "firth",
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    theirs = pl.read_csv(next(tmp_path.glob("firth.Y1.glm.*")), separator="\t")
    assert theirs.height == 200
    fits = fitted(example, firth.exact(example.null, example.every))
    effects = fits.effects
    version = subprocess.run(["plink2", "--version"], capture_output=True, check=True, text=True).stdout
    old = logistic.Effects.of(fits.best[:, -1], fits.inverse[:, -1, -1] ** 0.5, fits.reason)
    beta = theirs["BETA"].to_numpy() * np.where(theirs["A1"] == 1, 1, -1)
    assert theirs["ID"].to_list() == list(range(1, 201))
    # Until 2023 its standard error was that of X'WX, as logistf's was before 1.24.
    same_as_plink2(old if "v2.00a3" in version else effects, beta, theirs["SE"], theirs["P"], 3e-4)
    assert effects.beta[:3].round(6).tolist() == [0.085825, 0.141455, -0.23247]
    assert effects.se[:3].round(6).tolist() == [0.223943, 0.232714, 0.243778]


def test_statsmodels(example: Example) -> None:
    models = pytest.importorskip("statsmodels.api")
    null = models.Logit(example.y, example.x).fit(disp=0, method="newton", tol=1e-12)
    np.testing.assert_allclose(example.scale.original(example.null.coefficients)[0], null.params, rtol=1e-10)
    assert example.null.log_likelihood[0] == pytest.approx(null.llf, rel=1e-12)
    assert example.null.log_likelihood[0] == pytest.approx(-177.3785829317, abs=1e-9)
    effects = fitted(example, logistic.wald(example.null, example.every)).effects
    for row in range(0, 1000, 250):
        design = np.column_stack([example.x, example.g[row]])
        theirs = models.Logit(example.y, design).fit(disp=0, method="newton", tol=1e-12)
        assert effects.beta[row] == pytest.approx(theirs.params[-1], rel=1e-9)
        assert effects.se[row] == pytest.approx(theirs.bse[-1], rel=1e-9)
        assert effects.p[row] == pytest.approx(theirs.pvalues[-1], rel=1e-9)


def test_firthmodels(example: Example) -> None:
    models = pytest.importorskip("firthmodels")
    effects = fitted(example, firth.exact(example.null, example.every)).effects
    for row in range(0, 1000, 250):
        theirs = models.FirthLogisticRegression(backend="numpy", gtol=1e-10, xtol=1e-10, max_iter=200)
        theirs.fit(np.column_stack([example.x[:, 1:], example.g[row]]), example.y)
        assert effects.beta[row] == pytest.approx(theirs.coef_[-1], rel=1e-6, abs=1e-8)
