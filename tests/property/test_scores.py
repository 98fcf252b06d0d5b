"""Scores, phenotypes and tumours: federated equals pooled under any split of people, and what must not matter does not."""

from collections.abc import Callable
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.genome import Assembly
from nhsgen.statistics import distributions, polygenic, ranking, similarity, sums, tumours
from nhsgen.statistics.distributions import Grid
from nhsgen.statistics.polygenic import Scoring
from nhsgen.statistics.summary import Summary

FEW = settings(max_examples=15)
GROUPS = ["case", "control", "nobody"]
GRID = Grid(-3.0, 3.0, 12)

Copies = npt.NDArray[np.uint8]

# Which site each of sixty people is at: evenly, nobody at one, five people, all cases (the first twenty), anyhow.
PEOPLE, CASES, SITES = 60, 20, 3
SPLITS = st.one_of(
    st.sampled_from(
        [
            [n % SITES for n in range(PEOPLE)],
            [n % 2 for n in range(PEOPLE)],
            [0 if n < 5 else 1 + n % 2 for n in range(PEOPLE)],
            [0 if n < CASES else 1 + n % 2 for n in range(PEOPLE)],
            [0] * PEOPLE,
        ]
    ),
    st.lists(st.integers(0, SITES - 1), min_size=PEOPLE, max_size=PEOPLE),
)
ORDERS = st.randoms(use_true_random=False).map(lambda draw: draw.sample(range(PEOPLE), PEOPLE))


def scoring(n: int, draw: np.random.Generator) -> tuple[Scoring, pl.DataFrame]:
    """n alleles, half of them with REF as their effect allele, and the variants they are; no two bases pair up."""
    swapped = draw.integers(0, 2, n).astype(bool)
    variants = pl.DataFrame({"chrom": ["1"] * n, "pos": list(range(1, n + 1)), "ref": ["A"] * n, "alt": ["C"] * n})
    alleles = pl.DataFrame(
        {
            "chrom": ["1"] * n,
            "pos": list(range(1, n + 1)),
            "rsid": pl.Series([None] * n, dtype=pl.String),
            "effect": ["A" if s else "C" for s in swapped],
            "other": ["C" if s else "A" for s in swapped],
            "frequency": pl.Series([None] * n, dtype=pl.Float64),
            "weight": draw.normal(size=n),
            "reason": [""] * n,
        }
    )
    return Scoring({}, Assembly.GRCh38, alleles), variants


def slow_scores(listed: Scoring, copies: Copies, frequencies: npt.NDArray[np.float64]) -> list[float]:
    """One person and one allele at a time."""
    answer = []
    for person in range(copies.shape[1]):
        total, called = 0.0, False
        for row, (effect, weight) in enumerate(listed.alleles.select("effect", "weight").iter_rows()):
            g = float(copies[row, person])
            called |= g != 3
            alt = 2 * frequencies[row] if g == 3 else g
            total += weight * (alt if effect == "C" else 2 - alt)
        answer.append(total if called else float("nan"))
    return answer


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 6))
@FEW
def test_the_kernel_is_one_person_and_one_allele_at_a_time(seed: int, n: int, people: int) -> None:
    draw = np.random.default_rng(seed)
    listed, variants = scoring(n, draw)
    copies = draw.choice(4, p=[0.5, 0.2, 0.1, 0.2], size=(n, people)).astype(np.uint8)
    frequencies = draw.uniform(0, 1, n)
    cut = int(draw.integers(0, n + 1))
    found = polygenic.score(polygenic.match(listed, variants), [copies[:cut], copies[cut:]], frequencies)
    np.testing.assert_allclose(found.scores, slow_scores(listed, copies, frequencies), rtol=1e-11, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
@FEW
def test_which_allele_is_called_reference_and_the_other_strand_do_not_matter(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    listed, variants = scoring(n, draw)
    copies = draw.choice(4, p=[0.5, 0.2, 0.2, 0.1], size=(n, 5)).astype(np.uint8)
    frequencies = draw.uniform(0, 1, n)
    one = polygenic.score(polygenic.match(listed, variants), [copies], frequencies).scores
    swapped = variants.with_columns(ref=pl.col("alt"), alt=pl.col("ref"))
    other = np.where(copies == 3, 3, 2 - copies).astype(np.uint8)
    two = polygenic.score(polygenic.match(listed, swapped), [other], 1 - frequencies).scores
    np.testing.assert_allclose(one, two, rtol=1e-11, atol=1e-12)
    flipped = variants.with_columns(ref=pl.lit("T"), alt=pl.lit("G"))
    np.testing.assert_array_equal(one, polygenic.score(polygenic.match(listed, flipped), [copies], frequencies).scores)


@given(SPLITS, ORDERS)
@FEW
def test_scores_by_group(sites: list[int], order: list[int]) -> None:
    draw = np.random.default_rng(7)
    listed, variants = scoring(50, draw)
    copies = draw.choice(4, p=[0.6, 0.25, 0.1, 0.05], size=(50, PEOPLE)).astype(np.uint8)
    copies[:, 3] = 3
    frequencies = draw.uniform(0.05, 0.5, 50)
    matched = polygenic.match(listed, variants)
    grid = polygenic.expected(matched, frequencies)
    groups = np.array(["case"] * CASES + ["control"] * (PEOPLE - CASES))

    def site(people: list[int]) -> sums.Sums:
        scores = polygenic.score(matched, [np.ascontiguousarray(copies[:, people])], frequencies).scores
        return distributions.summarise(scores, groups[people].tolist(), GROUPS, grid)

    pooled = distributions.estimate(site(list(range(PEOPLE))), GROUPS, grid)
    split = sums.total(site([n for n in order if sites[n] == s]) for s in range(SITES))
    federated = distributions.estimate(split, GROUPS, grid)
    for one, two in zip(pooled.groups, federated.groups, strict=True):
        assert (one.people, one.steps, one.median, one.reason) == (two.people, two.steps, two.median, two.reason) or (
            one.reason == two.reason == "nobody"
        )
        np.testing.assert_allclose([one.mean, one.sd], [two.mean, two.sd], rtol=1e-12)
    assert pooled.auc("case", "control") == federated.auc("case", "control")
    assert pooled.groups[0].people == CASES - 1


VALUES = st.lists(st.floats(-3, 3), min_size=2, max_size=30)


@given(VALUES)
@FEW
def test_mean_and_deviation_are_numpy_s_and_the_median_is_within_a_step(values: list[float]) -> None:
    (group,) = distributions.estimate(
        distributions.summarise(values, ["a"] * len(values), ["a"], GRID), ["a"], GRID
    ).groups
    np.testing.assert_allclose([group.mean, group.sd], [np.mean(values), np.std(values, ddof=1)], rtol=1e-9, atol=1e-7)
    lower = np.sort(values)[(len(values) - 1) // 2]
    assert abs(group.median - lower) <= 0.25 + 1e-9


def summed(frame: pl.DataFrame, sites: list[int], summarise: Callable[[pl.DataFrame, list[int]], Summary]) -> Summary:
    """`summarise` at each site, from the rows and the numbers of its people."""
    at = [[n for n in range(PEOPLE) if sites[n] == s] for s in range(SITES)]
    return reduce(add, (summarise(frame.filter(pl.col("person_id").is_in(people)), people) for people in at))


@given(SPLITS, st.integers(0, 100))
@FEW
def test_tumours(sites: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    genes = ["TP53", "KRAS", "PIK3CA", "NRAS"]
    terms = ["missense_variant", "stop_gained", "synonymous_variant", "missense_variant&splice_donor_variant"]
    frame = pl.DataFrame(
        {
            "person_id": draw.integers(0, PEOPLE, 80),
            "gene": draw.choice(genes[:3], 80).tolist(),
            "consequence": draw.choice(terms, 80).tolist(),
        }
    )
    pooled, everybody = [0] * PEOPLE, frame.sample(fraction=1.0, shuffle=True, seed=seed)

    def drivers(rows: pl.DataFrame, people: list[int]) -> Summary:
        return tumours.drivers(rows, people, genes)

    def patterns(rows: pl.DataFrame, people: list[int]) -> Summary:
        return tumours.patterns(rows, people, genes)

    by_gene = tumours.estimate_drivers(summed(frame, sites, drivers))
    assert by_gene == tumours.estimate_drivers(summed(everybody, pooled, drivers))
    found = tumours.estimate_patterns(summed(frame, sites, patterns))
    assert found == tumours.estimate_patterns(summed(everybody, pooled, patterns))
    for gene in genes:
        mutated = sum(people for pattern, people in found.cells.items() if gene in pattern)
        assert sum(people for (name, _), people in by_gene.cells.items() if name == gene) == mutated
    assert sum(found.cells.values()) == found.people == PEOPLE


@given(SPLITS, st.integers(0, 100))
@FEW
def test_phenotypes_and_ranks(sites: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    terms = ["HP:0000107", "HP:0000822", "HP:0001250", "HP:0000006", "HP:0000057"]
    frame = pl.DataFrame(
        {"person_id": draw.integers(0, PEOPLE, 90), "hpo": draw.choice(terms, 90).tolist()}
    ).with_columns(cohort=pl.when(pl.col("person_id") < CASES).then(pl.lit("case")).otherwise(pl.lit("control")))

    def summarise(rows: pl.DataFrame, people: list[int]) -> Summary:
        return similarity.summarise(rows, ["cohort"])

    assert summed(frame, sites, summarise) == similarity.summarise(frame, ["cohort"])
    ranked = pl.DataFrame(
        {
            "person_id": list(range(PEOPLE)),
            "family": list(range(PEOPLE)),
            "gene": draw.choice(["A", "B", "C"], PEOPLE).tolist(),
            "rank": draw.integers(1, 4, PEOPLE),
        }
    )

    def first(rows: pl.DataFrame, people: list[int]) -> Summary:
        return ranking.summarise(rows, len(people), first=2)

    pooled = ranking.estimate(ranking.summarise(ranked, PEOPLE, first=2))
    assert ranking.estimate(summed(ranked, sites, first)) == pooled
