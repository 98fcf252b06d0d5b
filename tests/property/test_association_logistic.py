"""Logistic association over sites is that of everybody together, however the people are split; and what must not matter does not."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from nhsgen.statistics import firth, logistic, saddlepoint
from nhsgen.statistics.logistic import Effects, Hits, Null, People, Scale, Scores, adjusted, estimate, moments
from nhsgen.statistics.sums import Sums, solve, total

Copies = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
PEOPLE, VARIANTS = 300, 24
TESTS = ("score", "wald", "firth", "approximate", "saddlepoint")


def cohort(seed: int) -> tuple[Copies, People]:
    """Rare, common and constant variants with missing calls; two diseases, one not known of everybody; years of birth and squares."""
    random = np.random.default_rng(seed)
    g = random.binomial(2, random.choice([0.0, 0.02, 0.1, 0.5, 0.97], (VARIANTS, 1)), (VARIANTS, PEOPLE))
    born = random.integers(1930, 2005, PEOPLE).astype(np.float64)
    x = np.column_stack([np.ones(PEOPLE), born, born**2, random.normal(size=PEOPLE)])
    odds = x[:, 3] - 1.5 + 1.2 * g[1]
    y = (random.random((PEOPLE, 2)) < expit(odds[:, None] + [0.0, 0.5])).astype(np.float64)
    y[random.random(PEOPLE) < 0.1, 1] = np.nan
    g = g.astype(np.uint8)
    g[random.random(g.shape) < 0.02] = 3
    return g, People.of(x, y, random.normal(0, 0.3, PEOPLE))


def part(people: People, rows: Rows) -> People:
    return People.of(people.x[rows], people.y[rows], people.offset[rows])


def null_of(sites: list[People], *, penalised: bool) -> Null:
    start = logistic.start(sites[0].y.shape[1], sites[0].x.shape[1], penalised=penalised)

    def asked(fits: logistic.Fits) -> Sums:
        return total(logistic.summarise(site, fits) for site in sites)

    return Null.of(solve(asked, logistic.step, start, most_rounds=200))


def federated(g: Copies, people: People, split: list[Rows]) -> tuple[Scores, Hits, dict[str, Effects]]:
    """Every test, each round a sum over the sites; all the variants but the least likely are hits."""
    scale = Scale.of(total(moments(part(people, rows)) for rows in split))
    sites = [part(people, rows).scaled(scale) for rows in split]
    null, covariates = (null_of(sites, penalised=penalised) for penalised in (False, True))
    scores = estimate(
        null,
        total(logistic.score_sums(g[:, rows], site, null) for rows, site in zip(split, sites, strict=True)),
    )
    hits = scores.hits(0.5)
    genotypes = [adjusted(g[:, rows], site, hits) for rows, site in zip(split, sites, strict=True)]

    def exactly(fits: logistic.Fits) -> Effects:
        def asked(fits: logistic.Fits) -> Sums:
            each = zip(split, sites, strict=True)
            return total(logistic.summarise(site, fits, g[hits.variant][:, rows]) for rows, site in each)

        return solve(asked, logistic.step, fits, most_rounds=200).effects

    def approximately(state: firth.Approximate) -> Sums:
        return total(firth.summarise(a, site, state) for a, site in zip(genotypes, sites, strict=True))

    def at_saddlepoints(state: saddlepoint.Saddlepoints) -> Sums:
        return total(saddlepoint.summarise(a, site, state) for a, site in zip(genotypes, sites, strict=True))

    approximate = solve(approximately, firth.step, firth.approximate(hits, covariates), most_rounds=200)
    saddlepoints = solve(at_saddlepoints, saddlepoint.step, saddlepoint.approximate(hits, null), most_rounds=200)
    found = {
        "score": scores.effects,
        "wald": exactly(logistic.wald(null, hits)),
        "firth": exactly(firth.exact(null, hits)),
        "approximate": approximate.effects(),
        "saddlepoint": saddlepoints.effects(),
    }
    return scores, hits, found


def everybody(g: Copies, people: People) -> tuple[Scores, Hits, dict[str, Effects]]:
    return federated(g, people, [np.arange(PEOPLE)])


def same(found: dict[str, Effects], wanted: dict[str, Effects], tolerance: float = 1e-10, sign: int = 1) -> None:
    for test in TESTS:
        ours, theirs = found[test], wanted[test]
        np.testing.assert_array_equal(ours.reason, theirs.reason, err_msg=test)
        for name in ("beta", "se", "log10_p"):
            values = getattr(theirs, name) * (sign if name == "beta" else 1)
            np.testing.assert_allclose(
                getattr(ours, name), values, rtol=tolerance, atol=tolerance, err_msg=f"{test} {name}"
            )


@pytest.fixture(scope="module")
def pooled() -> tuple[Copies, People, tuple[Scores, Hits, dict[str, Effects]]]:
    g, people = cohort(3)
    return g, people, everybody(g, people)


@settings(max_examples=5)
@given(where=st.lists(st.integers(0, 4), min_size=PEOPLE, max_size=PEOPLE))
def test_any_split(pooled: tuple[Copies, People, tuple[Scores, Hits, dict[str, Effects]]], where: list[int]) -> None:
    g, people, (scores, hits, wanted) = pooled
    at = np.array(where)
    ours, our_hits, found = federated(g, people, [np.flatnonzero(at == site) for site in range(5)])
    same(found, wanted)
    assert ours.copies.tolist() == scores.copies.tolist()
    assert ours.case_copies.tolist() == scores.case_copies.tolist()
    assert ours.people.tolist() == scores.people.tolist()
    assert our_hits.variant.tolist() == hits.variant.tolist()


@pytest.mark.parametrize(
    "kind", ["all the cases", "all the carriers", "five people", "nobody", "nobody known", "in another order"]
)
def test_splits_that_one_does_not_expect(
    pooled: tuple[Copies, People, tuple[Scores, Hits, dict[str, Effects]]], kind: str
) -> None:
    g, people, (_, _, wanted) = pooled
    everyone = np.arange(PEOPLE)
    inside = {
        "all the cases": people.y[:, 0] == 1,
        "all the carriers": np.isin(g[1], [1, 2]),
        "five people": everyone < 5,
        "nobody": everyone < 0,
        "nobody known": np.isnan(people.y[:, 1]),
        "in another order": everyone < 0,
    }[kind]
    order = np.random.default_rng(0).permutation(PEOPLE) if kind == "in another order" else everyone
    _, _, found = federated(g, people, [order[inside[order]], order[~inside[order]]])
    same(found, wanted)


def test_there_is_something_to_compare(
    pooled: tuple[Copies, People, tuple[Scores, Hits, dict[str, Effects]]],
) -> None:
    _, _, (scores, hits, found) = pooled
    assert len(hits.variant) > 10
    assert (found["firth"].reason == 0).all()
    assert {0, 5} <= set(scores.effects.reason.ravel().tolist())


@settings(max_examples=3)
@given(seed=st.integers(0, 2**20))
def test_which_allele_is_counted_and_the_unit_of_covariates(seed: int) -> None:
    g, people = cohort(seed)
    _, _, wanted = everybody(g, people)
    flipped = np.where(g == 3, 3, 2 - g % 3).astype(np.uint8)
    _, _, found = everybody(flipped, people)
    same(found, wanted, 1e-7, sign=-1)
    units = People.of(people.x * [1.0, -3.0, 1e-6, 1e6] + [0.0, 5.0, 0.0, 1e4], people.y, people.offset)
    _, _, found = everybody(g, units)
    same(found, wanted, 1e-7)


def test_one_person_changes_a_score_by_two_at_most() -> None:
    """u by 2 (1 - p), g'Wg by 4 / 4, and g'WX by half of their covariates, in standard deviations."""
    g, people = cohort(5)
    people = people.scaled(Scale.of(moments(people)))
    null = null_of([people], penalised=False)
    for who in range(0, PEOPLE, 50):
        alone = logistic.score_sums(g[:, [who]], part(people, np.array([who])), null)
        assert (np.abs(alone["u"]) <= 2).all()
        assert (np.abs(alone["gwg"]) <= 1).all()
        assert (np.abs(alone["gwx"]) <= 0.5 * np.abs(people.x[who]) + 1e-12).all()
