"""Principal components, against numpy's decomposition of the whole matrix, which no site has."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics import counts, pca, sample_qc
from nhsgen.statistics.sums import Floats, NotConverged, Sums, solve, total

Copies = npt.NDArray[np.uint8]


def populations(variants: int, people: int, seed: int = 3, missing: float = 0.0) -> Copies:
    """People of three populations whose frequencies differ: two components stand out."""
    rng = np.random.default_rng(seed)
    frequency = np.clip(rng.uniform(0.2, 0.8, (variants, 1)) + rng.normal(0, 0.15, (variants, 3)), 0.05, 0.95)
    copies = rng.binomial(2, frequency[:, np.arange(people) % 3]).astype(np.uint8)
    copies[rng.random(copies.shape) < missing] = 3
    return copies


def asked(sites: Sequence[Sequence[Copies]], least_frequency: float = 0.0, **how: float) -> tuple[pca.Loadings, int]:
    """The loadings of these sites' people, each site given as its blocks; and the number of rounds."""
    known = sample_qc.estimate(total(sample_qc.summarise(site) for site in sites))
    scale = pca.standardisation(known, least_frequency=least_frequency)
    rounds: list[Sums] = []

    def sums(state: pca.Krylov) -> Sums:
        rounds.append(total(pca.summarise(site, scale, state.ask) for site in sites))
        return rounds[-1]

    return solve(sums, pca.step, pca.start(scale, **how)).answer(scale), len(rounds)  # type: ignore[arg-type]


def slow(copies: Copies) -> tuple[Floats, Floats, Floats]:
    """Eigenvalues, loadings and coordinates, of the whole matrix at once."""
    called = copies < 3
    p = np.where(called, copies, 0).sum(axis=1) / (2 * called.sum(axis=1))
    z = np.where(called, copies - 2 * p[:, None], 0) / np.sqrt(2 * p * (1 - p))[:, None]
    values, loadings = np.linalg.eigh(z @ z.T)
    values, loadings = values[::-1], loadings[:, ::-1]
    return values / len(copies), loadings, z.T @ loadings


def off(one: Floats, other: Floats) -> Floats:
    """1 - |cos| of each column with its fellow."""
    lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return np.asarray(1 - np.abs((one * other).sum(axis=0)) / lengths, dtype=np.float64)


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_it_is_the_decomposition_of_the_whole_matrix(missing: float) -> None:
    copies = populations(90, 60, missing=missing)
    values, vectors, people = slow(copies)
    found, _ = asked([[copies[:40], copies[40:]]], components=5)
    np.testing.assert_allclose(found.eigenvalues, values[:5], rtol=1e-12)
    assert off(found.vectors, vectors[:, :5]).max() < 1e-13
    assert off(pca.project([copies], found), people[:, :5]).max() < 1e-13
    np.testing.assert_allclose((pca.project([copies], found) ** 2).mean(axis=0), 1.0)
    assert found.reason.tolist() == [""] * 5
    assert (np.abs(found.vectors).max(axis=0) == found.vectors.max(axis=0)).all()


def test_six_rounds_where_there_is_a_gap() -> None:
    """371 variants, as many as the demo has after pruning (METHODS.md 2); plain subspace iteration needs 11 or 19."""
    copies = populations(371, 600)
    found, rounds = asked([[copies]], components=2, tolerance=1e-5)
    assert rounds == 6
    apart = off(found.vectors, slow(copies)[1][:, :2])
    assert apart.max() < 1e-12
    assert (np.sqrt(2 * apart) < found.error).all()  # what it says of its own error is on the safe side


def test_where_no_eigenvalue_stands_out_it_takes_more_rounds_and_is_as_exact() -> None:
    copies = np.random.default_rng(1).binomial(2, 0.4, (150, 100)).astype(np.uint8)
    found, rounds = asked([[copies]], components=3)
    assert off(found.vectors, slow(copies)[1][:, :3]).max() < 1e-12
    assert rounds < 10
    with pytest.raises(NotConverged):
        solve(lambda s: Sums.of(product=np.zeros_like(s.ask) + s.ask), lambda s, _: (s, False), pca.start(found.scale))


def test_each_variant_left_out_says_why() -> None:
    copies = np.array([[0, 1, 2, 1], [0, 0, 0, 3], [2, 2, 2, 2], [3, 3, 3, 3], [0, 0, 1, 0]], dtype=np.uint8)
    scale = pca.standardisation(sample_qc.estimate(sample_qc.summarise([copies])), least_frequency=0.2)
    assert scale.reason.tolist() == ["", "monomorphic", "monomorphic", "nobody called", "rare"]
    assert scale.used == 1
    assert scale.mean[0] == 1.0
    assert scale.per.tolist() == [pytest.approx(2**0.5), 0, 0, 0, 0]
    found, _ = asked([[copies]], 0.2)
    assert found.vectors.tolist() == [[1.0], [0.0], [0.0], [0.0], [0.0]]


def test_components_that_are_not_there_and_some_that_are_one_plane() -> None:
    plane = np.array([[0, 0, 2, 2], [0, 2, 0, 2]], dtype=np.uint8)
    found, _ = asked([[plane]], components=2)
    assert found.reason.tolist() == ["no gap", "no gap"]
    np.testing.assert_allclose(found.eigenvalues, [4.0, 4.0])
    copies = populations(50, 4)
    found, _ = asked([[copies]], components=10)
    assert len(found.eigenvalues) == 3  # four people about their mean


def test_nobody_and_nothing_that_varies() -> None:
    for copies in (np.zeros((5, 0), np.uint8), np.zeros((5, 9), np.uint8), np.full((5, 9), 3, np.uint8)):
        with pytest.raises(BadInput, match="no variant varies"):
            asked([[copies]])
    copies = populations(20, 12)
    with_nobody, _ = asked([[copies], [copies[:, :0]]])
    assert off(with_nobody.vectors, asked([[copies]])[0].vectors).max() < 1e-13
    assert pca.project([copies[:, :0]], with_nobody).shape == (0, 10)


def test_people_are_placed_on_the_loadings_of_others() -> None:
    copies = populations(80, 45)
    found, _ = asked([[copies[:, :30]]], components=2)
    everybody = pca.project([copies], found)
    np.testing.assert_allclose(everybody[30:], pca.project([copies[:, 30:]], found))
    centres = np.stack([everybody[:30][np.arange(30) % 3 == group].mean(axis=0) for group in range(3)])
    nearest = ((everybody[30:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == [person % 3 for person in range(15)]


@pytest.mark.parametrize(
    "blocks",
    [
        (block for block in [populations(20, 12)]),  # read once, gone at the second pass
        [populations(19, 12)],
        [populations(20, 12), populations(20, 12)],
        [populations(10, 12), populations(10, 11)],
        [populations(20, 12) + np.uint8(8)],
        [populations(20, 12).astype(np.int64)],
    ],
)
def test_blocks_that_are_not_of_the_variants_counted(blocks: Iterable[Copies]) -> None:
    scale = pca.standardisation(sample_qc.estimate(sample_qc.summarise([populations(20, 12)])))
    with pytest.raises(BadInput):
        pca.summarise(blocks, scale, pca.start(scale).ask)


def test_what_is_drawn_is_people_on_a_fixed_grid() -> None:
    pcs = np.array([[-0.5, 0.5, 9.0], [-0.1, 0.9, 9.0], [7.0, -7.0, 9.0], [np.nan, 0.0, 9.0]])
    edges = [-2.0, -1.0, 0.0, 1.0, 2.0]
    one = pca.binned(pcs[:1], ["EUR"], edges)
    everybody = one + pca.binned(pcs[1:], ["EUR", "AFR", None], edges)
    cells = counts.estimate(everybody, ["ancestry", "pc1", "pc2"]).cells
    assert dict(cells) == {
        ("EUR", "-0.5", "0.5"): 2,
        ("AFR", "1.5", "-1.5"): 1,
        ("not recorded", "not recorded", "0.5"): 1,
    }
    assert everybody == pca.binned(pcs, ["EUR", "EUR", "AFR", None], edges)
    for bad in ([0.0], [1.0, 0.0], [0.0, 0.0, 1.0]):
        with pytest.raises(BadInput, match="edges do not ascend"):
            pca.binned(pcs, ["EUR"] * 4, bad)
    with pytest.raises(BadInput, match="two or more"):
        pca.binned(pcs[:, :1], ["EUR"] * 4, edges)
