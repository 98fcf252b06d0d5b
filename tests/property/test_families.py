"""Families: the answer does not depend on the split over sites, on names or on order; fast kernels are their slow twins."""

from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.genome import Assembly
from nhsgen.statistics import Summary
from nhsgen.statistics.kinship import count_pairs, kinship, relatives, unrelated
from nhsgen.statistics.pedigrees import Pedigree
from nhsgen.statistics.pedigrees import candidates as of_pedigrees
from nhsgen.statistics.tiering import MEASURES, estimate, summarise, tier
from nhsgen.statistics.trios import Trios, candidates, mendelian, places

Copies = npt.NDArray[np.uint8]
QUICK = settings(max_examples=15)
SEEDS = st.integers(0, 2**32 - 1)


def people(seed: int, alleles: int, trios: int) -> tuple[Copies, Copies, Trios, pl.Series]:
    """Alleles x people, three columns a trio: child, mother, father, of whom some are not known."""
    random = np.random.default_rng(seed)
    copies = random.choice(4, (alleles, 3 * trios), p=[0.45, 0.35, 0.1, 0.1]).astype(np.uint8)
    place = random.choice(4, alleles, p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8)
    numbers = np.arange(3 * trios).reshape(-1, 3)
    mother, father = (np.where(random.random(trios) < 0.2, -1, numbers[:, i]) for i in (1, 2))
    genes = pl.Series(random.choice(["A", "B", ""], alleles)).replace("", None)
    return copies, place, Trios(numbers[:, 0], mother, father, random.random(trios) < 0.5), genes


def some(trios: Trios, which: npt.NDArray[np.intp]) -> Trios:
    return Trios(trios.child[which], trios.mother[which], trios.father[which], trios.male[which])


# -- Trios ---------------------------------------------------------------------------------------------------------------


def fits_mendel(place: int, male: bool, child: int, mother: int, father: int) -> str:
    """Draw every allele that each parent could give, and look whether the child could come of them."""
    chromosomes = {0: (0, 0), 1: (0, 1), 2: (1, 1), 3: (0, 1)}
    from_mother, from_father = place != 2, place in (0, 2) or (place == 1 and not male)
    if (place == 2 and not male) or child == 3:
        return "skipped"
    one_father, one_mother = place in (1, 2), place == 3
    gifts = []
    if from_mother:
        gifts.append(chromosomes[{1: 2}.get(mother, mother)] if one_mother else chromosomes[mother])
    if from_father:
        gifts.append(chromosomes[{1: 2}.get(father, father)] if one_father else chromosomes[father])
    drawn = [(gift,) for gift in gifts[0]] if len(gifts) == 1 else [(a, b) for a in gifts[0] for b in gifts[1]]
    has = child if len(gifts) == 2 else min(child, 1)
    return "ok" if has in {sum(gift) for gift in drawn} else "errors"


@given(SEEDS)
@QUICK
def test_mendel_slowly(seed: int) -> None:
    copies, place, trios, _ = people(seed, 12, 9)
    counted = mendelian(copies, place, trios)
    slow = np.zeros((12, 9), dtype=object)
    for row in range(12):
        for trio in range(9):
            mother, father = (
                int(copies[row, who]) if who >= 0 else 3 for who in (trios.mother[trio], trios.father[trio])
            )
            slow[row, trio] = fits_mendel(
                int(place[row]), bool(trios.male[trio]), int(copies[row, trios.child[trio]]), mother, father
            )
    for verdict in ("ok", "errors", "skipped"):
        assert counted.variants[verdict].to_list() == (slow == verdict).sum(axis=1).tolist()
        assert counted.trios[verdict].to_list() == (slow == verdict).sum(axis=0).tolist()


@given(SEEDS, st.lists(st.integers(0, 3), min_size=9, max_size=9))
@QUICK
def test_trios_of_any_sites_in_any_order(seed: int, site_of: list[int]) -> None:
    copies, place, trios, genes = people(seed, 12, 9)
    whole, rows = mendelian(copies, place, trios).variants, candidates(copies, place, trios, genes)
    total, found = np.zeros(whole.shape, dtype=np.int64), []
    for site in range(4):
        here = np.flatnonzero(np.array(site_of) == site)[::-1].copy()
        total += mendelian(copies, place, some(trios, here)).variants.to_numpy()
        theirs = candidates(copies, place, some(trios, here), genes)
        found.append(theirs.with_columns(pl.Series("trio", here[theirs["trio"].to_numpy()], dtype=pl.Int64)))
    assert total.tolist() == whole.to_numpy().tolist()
    order = ("trio", "variant", "partner", "inheritance")
    assert pl.concat(found).sort(order).equals(rows.sort(order))


@given(SEEDS)
@QUICK
def test_trios_are_small_pedigrees(seed: int) -> None:
    """Two ways to the same candidates: rules for three people, and one question to each of a family."""
    copies, place, trios, genes = people(seed, 14, 5)
    names = [f"{trio}{who}" for trio in range(5) for who in ("child", "mum", "dad")]
    rows = []
    for i in range(5):
        sequenced = [int(trios.mother[i] >= 0), int(trios.father[i] >= 0)]
        mum, dad = (f"{i}{who}" if known else None for who, known in zip(("mum", "dad"), sequenced, strict=True))
        rows.append((f"{i}", f"{i}child", dad, mum, "male" if trios.male[i] else "female", True))
        rows += [(f"{i}", mum, None, None, "female", False)] * sequenced[0]
        rows += [(f"{i}", dad, None, None, "male", False)] * sequenced[1]
    schema = ["family", "person", "father", "mother", "sex", "affected"]
    pedigree = Pedigree.from_rows(pl.DataFrame(rows, schema=schema, orient="row"))
    order = ("family", "variant", "partner", "inheritance", "de_novo")
    theirs = of_pedigrees(copies, place, pedigree, names, genes).select(
        *order, "gene", phase=pl.col("note") == "phase unknown"
    )
    ours = candidates(copies, place, trios, genes).with_columns(pl.col("trio").cast(pl.String).alias("family"))
    ours = ours.select(*order, "gene", phase=pl.col("note") == "phase unknown")
    assert ours.sort(order).equals(theirs.sort(order))


@given(SEEDS)
@QUICK
def test_parents_are_alike_on_autosomes(seed: int) -> None:
    copies, _, trios, genes = people(seed, 12, 6)
    place = np.zeros(12, dtype=np.uint8)
    swapped = Trios(trios.child, trios.father, trios.mother, ~trios.male)
    assert candidates(copies, place, trios, genes).equals(candidates(copies, place, swapped, genes))
    assert mendelian(copies, place, trios).variants.equals(mendelian(copies, place, swapped).variants)


# -- Tiers ---------------------------------------------------------------------------------------------------------------

PANEL = pl.DataFrame({"gene": ["A"], "confidence": ["green"], "inheritance": ["BOTH monoallelic and biallelic"]})


@given(SEEDS, st.lists(st.integers(0, 3), min_size=12, max_size=12))
@QUICK
def test_families_of_any_sites(seed: int, site_of: list[int]) -> None:
    """Sites 0 to 3 have what chance gives them, one may have all families or none; a fifth has five people, no family at all."""
    copies, place, trios, genes = people(seed, 10, 12)
    random = np.random.default_rng(seed)
    variants = pl.DataFrame(
        {"impact": random.choice(["HIGH", "MODERATE", "LOW"], 10), "af": random.choice([0, 0.005, 0.5], 10)}
    )

    def summary(which: npt.NDArray[np.intp]) -> Summary:
        found = candidates(copies, place, some(trios, which), genes)
        tiered = tier(found, variants, PANEL)
        return summarise(
            tiered.with_columns(pl.Series("family", which[tiered["trio"].to_numpy()], dtype=pl.Int64)), len(which)
        )

    total = sum((summary(np.flatnonzero(np.array(site_of) == site)) for site in range(4)), Summary.zero(MEASURES))
    total += summary(np.zeros(0, dtype=np.intp))
    pooled = summary(random.permutation(12))
    assert estimate(total) == estimate(pooled)
    assert max(estimate(pooled).cells.values(), default=0) <= estimate(pooled).families == 12


@given(SEEDS)
@QUICK
def test_rarer_is_never_worse(seed: int) -> None:
    copies, place, trios, genes = people(seed, 10, 6)
    impact = np.random.default_rng(seed).choice(["HIGH", "MODERATE", "LOW"], 10)
    found = candidates(copies, place, trios, genes)
    common, rare = (tier(found, pl.DataFrame({"impact": impact, "af": [af] * 10}), PANEL) for af in (0.005, None))
    kept = common.filter(pl.col("tier").is_not_null())
    assert kept.join(rare, on=kept.columns, nulls_equal=True, how="anti").is_empty()


# -- Kinship -------------------------------------------------------------------------------------------------------------


def packed(copies: Copies) -> npt.NDArray[np.uint64]:
    words = np.zeros((len(copies), -(-copies.shape[1] // 32)), dtype=np.uint64)
    for who in range(copies.shape[1]):
        words[:, who // 32] |= copies[:, who].astype(np.uint64) << np.uint64(2 * (who % 32))
    return words


@given(SEEDS, st.integers(0, 90), st.integers(0, 90))
@QUICK
def test_counts_of_pairs_add_up_over_alleles(seed: int, one: int, two: int) -> None:
    random = np.random.default_rng(seed)
    copies = random.choice(4, (90, 35)).astype(np.uint8)
    first, second = sorted((one, two))
    parts = [count_pairs(packed(copies[here]), 35) for here in np.split(random.permutation(90), [first, second])]
    whole = count_pairs(packed(copies), 35)
    total = parts[0] + parts[1] + parts[2]
    for name in ("called", "both_het", "opposite", "first_het", "second_het"):
        assert np.array_equal(getattr(total, name), getattr(whole, name))


@given(SEEDS)
@QUICK
def test_kinship_knows_no_order_and_no_reference_allele(seed: int) -> None:
    random = np.random.default_rng(seed)
    copies = random.choice(4, (70, 33)).astype(np.uint8)
    values = kinship(count_pairs(packed(copies), 33))
    order = random.permutation(33)
    assert np.array_equal(
        kinship(count_pairs(packed(copies[:, order]), 33)), values[np.ix_(order, order)], equal_nan=True
    )
    swapped = np.array([2, 1, 0, 3], dtype=np.uint8)[copies]
    assert np.array_equal(kinship(count_pairs(packed(swapped), 33)), values, equal_nan=True)
    assert np.array_equal(values, values.T, equal_nan=True)
    listed = relatives(packed(copies), 33, at_least=-np.inf)
    assert len(listed) == 33 * 32 // 2


PAIRS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda pair: pair[0] != pair[1]), max_size=14)


@given(PAIRS, st.lists(st.booleans(), min_size=9, max_size=9), st.booleans())
@settings(max_examples=80)
def test_who_is_kept(pairs: list[tuple[int, int]], cases: list[bool], trees: bool) -> None:
    if trees:  # each relative once, to somebody with a lower number
        pairs = list({max(pair): (min(pair), max(pair)) for pair in pairs}.values())
    frame = pl.DataFrame([(*pair, 0.25) for pair in pairs], schema=["first", "second", "kinship"], orient="row")
    schema = {"first": pl.Int64, "second": pl.Int64, "kinship": pl.Float64}
    frame = frame.cast(schema) if pairs else pl.DataFrame(schema=schema)
    answer = unrelated(frame, 9, np.array(cases))
    close = {frozenset(pair) for pair in pairs}
    kept = set(np.flatnonzero(answer.kept).tolist())
    assert not any(frozenset(pair) in close for pair in combinations(sorted(kept), 2))
    assert {person for person, *_ in answer.excluded.iter_rows()} == set(range(9)) - kept
    for person, relative, _ in answer.excluded.iter_rows():
        assert frozenset((person, relative)) in close
        assert relative in kept
        assert not cases[person] or cases[relative]
    if trees and not any(cases):
        assert len(kept) == most(close)


def most(close: set[frozenset[int]]) -> int:
    """The most of nine people who can be kept, by trying all choices."""
    choices = (sum(1 << i for i in pair) for pair in close)
    masks = list(choices)
    return max(bits.bit_count() for bits in range(2**9) if all(bits & mask != mask for mask in masks))


def test_a_place_is_a_place_in_both_assemblies() -> None:
    frame = pl.DataFrame({"chrom": ["X", "X"], "pos": [2_700_000, 2_781_480]})
    assert places(frame, Assembly.GRCh38).tolist() == [0, 1]
    assert places(frame, Assembly.GRCh37).tolist() == [1, 1]
