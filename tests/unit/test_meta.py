"""Meta-analysis, by the trials of the BCG vaccine that every package is tried on."""

import numpy as np
import numpy.typing as npt
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics.meta import BETWEEN, combine

# Tuberculosis: vaccinated with, without; not vaccinated with, without (Colditz et al., JAMA 1994).
BCG = np.array([
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
])  # fmt: skip
ILL, WELL, ILL0, WELL0 = BCG.T
RATIO = np.log(ILL / (ILL + WELL)) - np.log(ILL0 / (ILL0 + WELL0))
SE = np.sqrt(1 / ILL - 1 / (ILL + WELL) + 1 / ILL0 - 1 / (ILL0 + WELL0))

Floats = npt.NDArray[np.float64]


def test_fixed_effect() -> None:
    fixed = combine(RATIO, SE)
    assert [round(float(x), 4) for x in (fixed.beta, fixed.q)] == [-0.4303, 152.2330]
    assert (int(fixed.sites), float(fixed.tau2), str(fixed.reason)) == (13, 0.0, "")
    assert float(fixed.q_p) < 1e-20


def test_dersimonian_laird() -> None:
    random = combine(RATIO, SE, "dersimonian_laird")
    assert [round(float(x), 4) for x in (random.tau2, random.beta)] == [0.3088, -0.7141]
    assert float(random.i2) == pytest.approx((152.2330 - 12) / 152.2330, abs=1e-6)  # Q and I2 say the same


def test_reml_as_metafor_has_it() -> None:
    reml = combine(RATIO, SE, "reml")
    found = [float(x) for x in (reml.tau2, reml.beta, reml.se, 100 * reml.i2)]
    assert found == pytest.approx([0.313243, -0.714532, 0.179782, 92.22], abs=5e-3)
    assert found[:3] == pytest.approx([0.313243, -0.714532, 0.179782], abs=1e-6)
    assert [round(float(x), 4) for x in (reml.low, reml.high)] == [-1.0669, -0.3622]


def test_hartung_knapp_is_of_the_scatter() -> None:
    plain, adjusted = (combine(RATIO, SE, "reml", hartung_knapp=adjust) for adjust in (False, True))
    w = 1 / (SE**2 + float(plain.tau2))
    se = np.sqrt((w * (RATIO - float(plain.beta)) ** 2).sum() / 12 / w.sum())
    assert float(adjusted.se) == pytest.approx(float(se), rel=1e-12)
    assert float(adjusted.beta) == float(plain.beta)
    assert float(adjusted.high - adjusted.low) == pytest.approx(
        2 * 2.1788128297 * float(se), rel=1e-9
    )  # t on 12 degrees
    assert float(adjusted.predicted_low) < float(adjusted.low)


def restricted(tau2: Floats, y: Floats, v: Floats) -> Floats:
    """The restricted log likelihood, written out."""
    w = 1 / (v + tau2[:, None])
    mean = (w * y).sum(axis=1) / w.sum(axis=1)
    return -0.5 * (-np.log(w).sum(axis=1) + np.log(w.sum(axis=1)) + (w * (y - mean[:, None]) ** 2).sum(axis=1))


@pytest.mark.parametrize("sites", [2, 3, 8])
def test_reml_settles_where_no_neighbour_is_likelier(sites: int) -> None:
    rng = np.random.default_rng(sites)
    y, se = rng.normal(size=(2000, sites)) * rng.choice([0.1, 1, 5], (2000, 1)), rng.uniform(0.05, 3, (2000, sites))
    tau2 = combine(y, se, "reml").tau2
    assert np.isfinite(tau2).all()
    best = restricted(tau2, y, se**2)
    for neighbour in (tau2 * 1.001 + 1e-4, np.maximum(0.0, tau2 * 0.999 - 1e-4)):
        assert (restricted(neighbour, y, se**2) <= best + 1e-9).all()


@pytest.mark.parametrize("method", BETWEEN)
def test_sites_that_agree_are_simply_weighted(method: str) -> None:
    both = combine([0.5, 0.5, 0.5], [0.1, 0.2, 0.2], method)  # type: ignore[arg-type]
    assert [float(x) for x in (both.beta, both.tau2, both.q, both.i2)] == pytest.approx([0.5, 0, 0, 0])
    assert float(both.se) == pytest.approx(1 / np.sqrt(100 + 25 + 25))


@pytest.mark.parametrize("method", BETWEEN)
def test_rows_are_each_their_own_and_order_does_not_matter(method: str) -> None:
    rng = np.random.default_rng(7)
    beta, se = rng.normal(size=(2, 3, 6)), rng.uniform(0.1, 1, (2, 3, 6))
    beta[0, 1, 2], se[1, 2, 3] = np.nan, 0.0
    together, order = combine(beta, se, method), rng.permutation(6)  # type: ignore[arg-type]
    for row in np.ndindex(2, 3):
        used = np.isfinite(beta[row]) & (se[row] > 0)
        alone = combine(beta[row][used], se[row][used], method)  # type: ignore[arg-type]
        mixed = combine(beta[row][order], se[row][order], method)  # type: ignore[arg-type]
        for name in ("beta", "se", "low", "high", "p", "q", "q_p", "tau2", "i2", "predicted_low", "predicted_high"):
            value = float(getattr(together, name)[row])
            assert value == pytest.approx(float(getattr(alone, name)), rel=1e-9, abs=1e-12)
            assert value == pytest.approx(float(getattr(mixed, name)), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("adjust", [False, True])
def test_rows_say_what_cannot_be_said(adjust: bool) -> None:
    few = combine(
        [[np.nan, np.nan], [1, np.nan], [1, 2], [1, 2]],
        [[1, 1], [1, 1], [1, np.inf], [1, 1]],
        "reml",
        hartung_knapp=adjust,
    )
    assert few.reason.tolist() == ["no site", "one site", "one site", "two sites"]
    assert few.sites.tolist() == [0, 1, 1, 2]
    assert np.isfinite(few.beta).tolist() == [False, True, True, True]
    assert np.isfinite(few.se).tolist() == [False, not adjust, not adjust, True]
    assert np.isfinite(few.q).tolist() == [False, False, False, True]
    assert np.isnan(few.predicted_low).all()
    assert combine(np.empty((0, 3)), np.empty((0, 3))).beta.shape == (0,)
    assert combine([], []).reason == "no site"


@pytest.mark.parametrize(
    ("beta", "se", "more"),
    [
        ([1, 2], [1], {}),
        (1.0, 1.0, {}),
        ([1, 2], [1, 1], {"method": "random"}),
        ([1, 2], [1, 1], {"hartung_knapp": True}),
    ],
)
def test_what_cannot_be_combined_is_refused(beta: object, se: object, more: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="combining sites' estimates"):
        combine(beta, se, **more)  # type: ignore[arg-type]
