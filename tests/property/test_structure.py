"""Components, linkage and quality of calls do not depend on how people are split over sites, nor on what is called what."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nhsgen.statistics import ld, pca, sample_qc
from nhsgen.statistics.sums import Sums, solve, total

Copies = npt.NDArray[np.uint8]
People = npt.NDArray[np.int64]

N, M = 45, 60
QUICK = settings(max_examples=15, deadline=None)


def _genotypes() -> Copies:
    """Three populations, a few calls missing; the first variant has few carriers, the last two are one."""
    rng = np.random.default_rng(11)
    frequency = np.clip(rng.uniform(0.2, 0.8, (M, 1)) + rng.normal(0, 0.2, (M, 3)), 0.05, 0.95)
    copies = rng.binomial(2, frequency[:, np.arange(N) % 3]).astype(np.uint8)
    copies[rng.random((M, N)) < 0.02] = 3
    copies[0] = 0
    copies[0, [4, 17, 30]] = 1
    copies[-1] = copies[-2]
    return copies


COPIES = _genotypes()
CARRIERS = np.flatnonzero(COPIES[0])

splits = st.tuples(st.permutations(range(N)), st.lists(st.integers(0, N), max_size=3)).map(
    lambda drawn: np.split(np.array(drawn[0]), sorted(drawn[1]))
)
"""Everybody in any order, over one to four sites, some of which may have nobody."""

FIVE_PEOPLE = np.split(np.arange(N), [5])
NO_CARRIERS = [np.setdiff1d(np.arange(N), CARRIERS), CARRIERS]
ONE_EACH = np.split(np.arange(N), N)


def _loadings(sites: Sequence[Copies], components: int = 2) -> pca.Loadings:
    known = sample_qc.estimate(total(sample_qc.summarise([site]) for site in sites))
    scale = pca.standardisation(known)

    def sums(state: pca.Krylov) -> Sums:
        return total(pca.summarise([site], scale, state.ask) for site in sites)

    return solve(sums, pca.step, pca.start(scale, components=components)).answer(scale)


POOLED = _loadings([COPIES])


@given(splits)
@example(FIVE_PEOPLE)
@example(NO_CARRIERS)
@example(ONE_EACH)
@QUICK
def test_loadings_are_those_of_everybody(sites: list[People]) -> None:
    found = _loadings([COPIES[:, people] for people in sites])
    np.testing.assert_allclose(found.vectors, POOLED.vectors, atol=1e-10)
    np.testing.assert_allclose(found.eigenvalues, POOLED.eigenvalues, rtol=1e-12)
    whole = pca.project([COPIES], POOLED)
    for people in sites:
        np.testing.assert_allclose(pca.project([COPIES[:, people]], found), whole[people], atol=1e-9)


@given(splits)
@example(FIVE_PEOPLE)
@example(NO_CARRIERS)
@QUICK
def test_linkage_and_quality_are_those_of_everybody_to_the_last_digit(sites: list[People]) -> None:
    pairs = ld.near(["1"] * M, np.arange(M), variants=9)
    one, other = (
        ld.estimate(total(ld.summarise(COPIES[:, people], pairs) for people in split))
        for split in (sites, [np.arange(N)])
    )
    np.testing.assert_array_equal(one.r, other.r)
    assert one.people.tolist() == other.people.tolist()

    known = sample_qc.estimate(total(sample_qc.summarise([COPIES[:, people]]) for people in sites))
    kinds = (np.arange(M) % 3).astype(np.uint8)
    whole = sample_qc.of_people([COPIES], sample_qc.estimate(sample_qc.summarise([COPIES])), kinds)
    edges = np.linspace(0, 1, 11)
    binned = [sample_qc.binned("call rate", whole.call_rate[people], edges) for people in sites]
    assert sum(binned[1:], binned[0]) == sample_qc.binned("call rate", whole.call_rate, edges)
    for people in sites:
        here = sample_qc.of_people([COPIES[:, people]], known, kinds)
        for measure in ("called", "het", "singletons", "transitions", "transversions", "inbreeding"):
            np.testing.assert_array_equal(getattr(here, measure), getattr(whole, measure)[people])


@given(st.sets(st.integers(0, M - 1)), st.integers(1, M))
@QUICK
def test_which_allele_is_counted_and_how_large_blocks_are_do_not_matter(flipped: set[int], rows: int) -> None:
    turned, signs = COPIES.copy(), np.ones(M)
    for variant in flipped:
        turned[variant] = np.array([2, 1, 0, 3], np.uint8)[COPIES[variant]]
        signs[variant] = -1.0
    found = _loadings([turned])
    one_sign = np.sign((found.vectors * POOLED.vectors * signs[:, None]).sum(axis=0))
    np.testing.assert_allclose(found.vectors * signs[:, None] * one_sign, POOLED.vectors, atol=1e-9)

    blocks = [COPIES[at : at + rows] for at in range(0, M, rows)]
    ask = pca.start(POOLED.scale).ask
    np.testing.assert_allclose(
        pca.summarise(blocks, POOLED.scale, ask)["product"],
        pca.summarise([COPIES], POOLED.scale, ask)["product"],
        atol=1e-9,
    )

    pairs = ld.near(["1"] * M, np.arange(M), variants=9)
    before, after = (ld.estimate(ld.summarise(copies, pairs)).r for copies in (COPIES, turned))
    np.testing.assert_allclose(after, before * signs[pairs[:, 0]] * signs[pairs[:, 1]], atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.9), st.integers(2, 30))
@QUICK
def test_pruning_leaves_no_pair_and_takes_nothing_without_need(seed: int, most: float, window: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.choice(3, (10, 40))
    copies = np.where(rng.random((M, 40)) < 0.3, rng.choice(3, (M, 40)), base[np.arange(M) // 6]).astype(np.uint8)
    pairs = ld.near(["1"] * (M // 2) + ["2"] * (M // 2), np.arange(M), variants=window)
    r2 = ld.estimate(ld.summarise(copies, pairs)).r2
    known = sample_qc.estimate(sample_qc.summarise([copies]))
    keep = ld.prune(pairs, r2, known.frequency, most=most)
    linked = pairs[r2 > most]
    assert not (keep[linked[:, 0]] & keep[linked[:, 1]]).any()
    assert keep[np.setdiff1d(np.arange(M), linked.ravel())].all()
    assert keep.tolist() == _slow_prune(copies, known.frequency, pairs, most)


def _slow_prune(copies: Copies, frequency: npt.NDArray[np.float64], pairs: People, most: float) -> list[bool]:
    """Each variant as it comes against those kept before it."""
    r2 = np.square(np.corrcoef(copies))
    near = {(int(i), int(j)) for i, j in pairs}
    minor = np.minimum(frequency, 1 - frequency)
    keep = [True] * len(copies)
    for later in range(len(copies)):
        for earlier in range(later):
            if keep[earlier] and keep[later] and (earlier, later) in near and r2[earlier, later] > most:
                keep[earlier if minor[earlier] < minor[later] - 1e-9 else later] = False
    return keep


def test_one_person_changes_a_sum_by_no_more_than_is_said() -> None:
    scale = pca.standardisation(sample_qc.estimate(sample_qc.summarise([COPIES])), least_frequency=0.05)
    ask = pca.start(scale).ask
    pairs = ld.near(["1"] * M, np.arange(M), variants=9)
    most = {"people": 1, "het": 1, "hom_alt": 1, "called": 1, "n": 1, "x": 2, "y": 2, "xx": 4, "yy": 4, "xy": 4}
    for person in range(N):
        alone = COPIES[:, [person]]
        for sums in (sample_qc.summarise([alone]), ld.summarise(alone, pairs)):
            assert all(np.abs(array).max() <= most[name] for name, array in sums.arrays.items())
        along = pca.summarise([alone], scale, ask)["product"]
        z = np.where(alone[:, 0] < 3, alone[:, 0] - scale.mean, 0.0) * scale.per
        assert np.abs(z).max() <= np.sqrt(2 / 0.05)
        np.testing.assert_allclose(along, np.outer(z, z @ ask), atol=1e-12)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_components_do_not_depend_on_how_many_are_asked_for(components: int) -> None:
    found = _loadings([COPIES], components)
    both = min(components, 2)
    np.testing.assert_allclose(found.vectors[:, :both], POOLED.vectors[:, :both], atol=1e-8)
