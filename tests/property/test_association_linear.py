"""Linear association over sites is that of everybody together, however the people are split; and what must not matter does not."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nhsgen.settings import Settings
from nhsgen.statistics import genotype_blocks as blocks
from nhsgen.statistics.linear import (
    Associations,
    Design,
    Missing,
    Null,
    Site,
    crossed,
    estimate,
    fitted,
    moments,
    scale,
    scan,
    summarise,
)
from nhsgen.statistics.sums import total

Copies = npt.NDArray[np.uint8]
PEOPLE = 120
WAYS = st.sampled_from(["complete", "mean"])
SEEDS = st.integers(0, 2**20)


def cohort(seed: int) -> tuple[Copies, Design]:
    """Everybody: sample i is row i. Rare, common and constant variants; phenotypes of different people; ages as years of birth."""
    random = np.random.default_rng(seed)
    copies = random.binomial(2, random.choice([0.0, 0.01, 0.1, 0.5, 0.99], (40, 1)), (40, PEOPLE)).astype(np.uint8)
    copies[random.random(copies.shape) < 0.03] = 3
    born = random.integers(1930, 2005, PEOPLE).astype(np.float64)
    covariates = np.column_stack([born, born**2, random.normal(size=PEOPLE)])
    phenotypes = random.normal(90, 12, (PEOPLE, 3)) + random.normal(size=3) * covariates[:, 2:] + copies[[3]].T
    phenotypes[random.random(PEOPLE) < 0.1, 1:] = np.nan
    return copies, Design(np.arange(PEOPLE), phenotypes, covariates, haploid=random.random(PEOPLE) < 0.3)


def of(design: Design, rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Design]:
    """These people as a site has them: with sample numbers of its own."""
    assert design.haploid is not None
    return rows, Design(np.arange(len(rows)), design.phenotypes[rows], design.covariates[rows], design.haploid[rows])


def federated(
    copies: Copies, sites: list[tuple[npt.NDArray[np.intp], Design]], missing: Missing = "complete"
) -> Associations:
    designs = [design for _, design in sites]
    shared = scale(total(moments(design) for design in designs))
    model = Null.start(shared)
    for _ in range(2):
        model = fitted(model, total(crossed(design, model) for design in designs))
    sums = [summarise(blocks.pack(copies[:, rows]), Site.of(design, model), missing) for rows, design in sites]
    return estimate(model, total(sums))


def local(copies: Copies, design: Design, missing: Missing = "complete") -> Associations:
    words = blocks.pack(copies)
    return scan(lambda a, b: words[a:b], len(words), design, missing=missing, settings=Settings(threads=1))


def same(a: Associations, b: Associations, tolerance: float = 1e-12) -> None:
    """Counts and reasons are equal, standard errors relatively so, betas as shares of their standard errors."""
    for name in ("people", "copies", "alleles", "reason"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    tested = a.reason == 0
    assert tested.any()
    np.testing.assert_allclose(a.se[tested], b.se[tested], rtol=tolerance)
    np.testing.assert_allclose(
        a.beta[tested] / b.se[tested], b.beta[tested] / b.se[tested], rtol=tolerance, atol=tolerance
    )
    np.testing.assert_allclose(a.log10_p[tested], b.log10_p[tested], rtol=10 * tolerance, atol=10 * tolerance)


@settings(max_examples=12)
@given(seed=SEEDS, cuts=st.lists(st.integers(0, PEOPLE), min_size=1, max_size=4), missing=WAYS)
@example(seed=1, cuts=[5], missing="complete")  # a site of five people
@example(seed=2, cuts=[0, 40], missing="mean")  # a site of nobody
def test_any_split_is_everybody_together(seed: int, cuts: list[int], missing: Missing) -> None:
    copies, design = cohort(seed)
    order = np.random.default_rng(seed + 1).permutation(PEOPLE)
    sites = [of(design, rows) for rows in np.split(order, sorted(cuts))]
    same(federated(copies, sites, missing), local(copies, design, missing))


@pytest.mark.parametrize("missing", ["complete", "mean"])
def test_a_site_without_carriers_and_one_with_all_of_them(missing: Missing) -> None:
    copies, design = cohort(7)
    copies[0] = 0
    copies[0, :9] = 1
    carriers = np.isin(np.arange(PEOPLE), np.arange(9))
    sites = [of(design, np.flatnonzero(carriers)), of(design, np.flatnonzero(~carriers))]
    same(federated(copies, sites, missing), local(copies, design, missing))


def test_a_mean_of_its_own_for_each_site_is_a_covariate_of_the_pooled_model() -> None:
    copies, design = cohort(9)
    where = np.arange(PEOPLE) % 3
    sites = [of(design, np.flatnonzero(where == site)) for site in range(3)]
    apart = [(rows, each.at(number, 3)) for number, (rows, each) in enumerate(sites)]
    pooled = np.hstack([design.covariates, np.eye(3)[where][:, 1:]])
    same(federated(copies, apart), local(copies, replace(design, covariates=pooled)))
    same(
        federated(copies, [(rows, each.at(number, 3, "none")) for number, (rows, each) in enumerate(sites)]),
        local(copies, design),
    )


@settings(max_examples=6)
@given(seed=SEEDS, missing=WAYS)
def test_order_scale_and_the_other_allele(seed: int, missing: Missing) -> None:
    copies, design = cohort(seed)
    design = replace(design, haploid=None)
    found = local(copies, design, missing)
    order = np.random.default_rng(seed).permutation(PEOPLE)
    same(local(copies, Design(order, design.phenotypes[order], design.covariates[order]), missing), found, 1e-11)
    same(
        local(copies, replace(design, covariates=design.covariates * [-3.0, 1e-6, 1e6] + [5.0, 0.0, 1e4]), missing),
        found,
        1e-10,
    )
    times = local(copies, replace(design, phenotypes=design.phenotypes * 1000 - 4), missing)
    np.testing.assert_allclose(times.beta, found.beta * 1000, rtol=1e-8, atol=1e-8)
    flipped = local(np.where(copies == 3, 3, 2 - copies % 3).astype(np.uint8), design, missing)
    np.testing.assert_allclose(flipped.beta, -found.beta, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(flipped.copies, found.alleles - found.copies)


def test_phenotypes_together_are_phenotypes_one_by_one() -> None:
    copies, design = cohort(11)
    whole = local(copies, design)
    for number in range(3):
        alone = local(copies, replace(design, phenotypes=design.phenotypes[:, [number]]))
        for name in ("t", "se", "log10_p", "people", "copies"):
            np.testing.assert_allclose(
                getattr(alone, name)[:, 0], getattr(whole, name)[:, number], rtol=1e-8, err_msg=name
            )


def test_one_person_changes_a_sum_by_little() -> None:
    """Leverage bounds what a person adds: the row of Q is no longer than 1."""
    _, design = cohort(13)
    model = Null.start(scale(moments(design)))
    for _ in range(2):
        model = fitted(model, crossed(design, model))
    site = Site.of(design, model)
    groups, size = site.null.rotation.shape[:2]
    for group in range(groups):
        rows = site.columns[:, group * size : (group + 1) * size]
        assert ((rows**2).sum(axis=1) <= 1 + 1e-12).all()
    assert (site.columns[:, groups * size : groups * size + 3] ** 2 <= site.null.rss * (1 + 1e-12)).all()
