"""The gate on genes: minimums that tell nothing more than rounded counts, comparisons within sites, and several masks of one gene."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nhsgen.cauchy import cauchy
from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.estimates import Burden, BurdenRow, BySite, GeneTestRow, GeneTests
from nhsgen.fourfold import fisher, woolf
from nhsgen.results import NotRun, Receipt, Released, Suppressed, Value
from nhsgen.statistics import BACKGROUND, Summary, burden, cmh
from nhsgen.statistics.burden import BY_SITE, MEASURES

NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
DERIVED = ("odds ratio", "95 % low", "95 % high", "p", "q")
ACROSS = BySite(ratio=1.0, stretch=1.0, sites=3, fewest=20.0)


def row(gene: str, case_carriers: int, control_carriers: int, **parts: Any) -> BurdenRow:
    whole: dict[str, Any] = {"by_site": ACROSS} | parts
    return BurdenRow(gene, case_carriers, 400, control_carriers, 4000, 1.0, 0.5, 2.0, 0.5, 0.5, **whole)


def release(*rows: BurdenRow, policy: Policy = NHS, alternative: str = "two-sided", **options: Any) -> Released:
    question = {"alternative": alternative, "options": options}
    estimate = Burden(rows, 400, 4000)
    return gate(estimate, policy=policy, title="?", question=question, receipt=RECEIPT, sites=4)


def derived(released: Released, gene: str) -> tuple[Any, ...]:
    names = [str(cell) for cell in released.table.column("gene")]
    return tuple(released.table.column(name)[names.index(gene)] for name in DERIVED)


# -- Minimums -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["min_carriers", "min_case_carriers"])
def test_no_minimum_tells_the_counts_that_rounding_hides(option: str) -> None:
    """8 to 12 carriers are shown as 10: whatever the minimum, all of them are tested or none."""
    for least in range(5, 20):
        asked: dict[str, Any] = {option: least}
        answers = {release(row("PKD1", carriers, 0), **asked).table.rows for carriers in range(8, 13)}
        assert len(answers) == 1
        (shown,) = {type(derived(release(row("PKD1", carriers, 0), **asked), "PKD1")[0]) for carriers in range(8, 13)}
        assert shown is (Value if least <= 10 else NotRun)


def test_no_minimum_tells_a_hidden_count_by_the_q_of_another_gene() -> None:
    for least in range(9):
        q = {
            derived(release(row("PKD1", 40, 100), row("PKD2", hidden, 100), min_case_carriers=least), "PKD1")[4]
            for hidden in range(1, 8)
        }
        assert len(q) == 1


def test_q_is_of_the_genes_tested() -> None:
    """A gene that no case carries in is not tested by geneBurdenRD, and says so; one that is hidden may have been."""
    others = [row(f"G{n}", 0, 100) for n in range(9)]
    asked: dict[str, Any] = {"preset": "geneBurdenRD", "min_cases": 5, "min_carriers": 4, "min_case_carriers": 1}
    alone = release(row("PKD1", 30, 200), *others, alternative="greater", **asked)
    p, q = derived(alone, "PKD1")[3:]
    assert p == q
    assert derived(alone, "G1") == (NotRun("no cases carry such a variant"),) * 5
    assert "q is over 1 gene: those tested, and those that cannot be shown." in alone.notes
    assert any("geneBurdenRD" in note for note in alone.notes)
    crowded = release(row("PKD1", 30, 200), *others, row("PKD2", 3, 100), alternative="greater", **asked)
    assert float(derived(crowded, "PKD1")[4].value) == pytest.approx(2 * float(p.value), rel=0.05)
    assert isinstance(derived(crowded, "PKD2")[3], Suppressed)


def test_where_nobody_may_not_be_said_no_gene_is_said_to_be_untested() -> None:
    released = release(row("PKD1", 30, 200), row("PKD2", 0, 100), policy=ACRO, min_case_carriers=1)
    assert derived(released, "PKD2") == (Suppressed(ACRO.rule),) * 5


def test_a_suppressed_control_count_does_not_hide_that_no_case_carries() -> None:
    released = release(row("PKD1", 0, 3), min_case_carriers=1)
    assert isinstance(derived(released, "PKD1")[0], NotRun)
    assert isinstance(released.table.rows[0][3], Suppressed)


# -- Each site against itself ---------------------------------------------------------------------------------------------


def test_sites_that_change_nothing_leave_the_odds_ratio_and_its_interval() -> None:
    together, apart = (derived(release(row("PKD1", 40, 200), strata=strata), "PKD1") for strata in ("none", "site"))
    assert apart[:3] == together[:3]
    assert together[3] == Value(float(f"{fisher(40, 400, 200, 4000):.2g}"))
    ratio, low, high = woolf(40, 400, 200, 4000)
    z = 1.959964 * 2 * math.log(ratio) / math.log(high / low)
    assert float(apart[3].value) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.05)
    one_sided = derived(release(row("PKD1", 40, 200), strata="site", alternative="greater"), "PKD1")[3]
    assert float(one_sided.value) == pytest.approx(0.5 * math.erfc(z / math.sqrt(2)), rel=0.05)


def test_what_sites_change_is_put_on_the_rounded_counts_in_coarse_steps() -> None:
    def shown(ratio: float) -> float:
        released = release(row("PKD1", 10, 200, by_site=replace(ACROSS, ratio=ratio)), strata="site")
        return float(derived(released, "PKD1")[0].value)

    plain = woolf(10, 400, 200, 4000)[0]
    assert shown(1.0) == shown(1.2) == shown(0.85) == float(f"{plain:.2g}")  # the steps are of 1 + 5 / 10
    assert shown(1.4) == float(f"{1.5 * plain:.2g}")
    wider = release(row("PKD1", 10, 200, by_site=replace(ACROSS, stretch=1.31)), strata="site")
    narrow = release(row("PKD1", 10, 200), strata="site")
    widths = [
        math.log(float(high.value) / float(low.value))
        for _, low, high, *_ in (derived(wider, "PKD1"), derived(narrow, "PKD1"))
    ]
    assert widths[0] / widths[1] == pytest.approx(1.3, abs=0.03)


@pytest.mark.parametrize("within", [
    None, replace(ACROSS, sites=2), replace(ACROSS, sites=1), replace(ACROSS, fewest=7.9), replace(ACROSS, fewest=0.0),
])  # fmt: skip
def test_what_too_few_sites_or_people_tell_is_hidden_and_yet_counts_for_q(within: BySite | None) -> None:
    released = release(row("PKD1", 40, 200), row("PKD2", 40, 200, by_site=within), strata="site")
    assert derived(released, "PKD2") == (Suppressed(NHS.rule),) * 5
    p, q = derived(released, "PKD1")[3:]
    assert float(q.value) == pytest.approx(2 * float(p.value), rel=0.05)


def test_without_carriers_on_both_sides_there_is_nothing_to_compare() -> None:
    released = release(row("PKD1", 40, 0, by_site=None), strata="site")
    assert isinstance(derived(released, "PKD1")[0], NotRun)


def test_one_carrier_less_shows_hardly_more_often_than_in_the_rounded_counts() -> None:
    """Of the exact sums, two figures would tell nearly always."""
    chance, seen, tried = np.random.default_rng(5), {"none": 0, "site": 0, "two figures": 0}, 0
    while tried < 150:
        sites = chance.integers(3, 7)
        n1, n0 = chance.integers(50, 500, sites), chance.integers(500, 6000, sites)
        common = chance.uniform(0.004, 0.02) * np.exp(chance.normal(0, 0.7, sites))
        a, c = chance.binomial(n1, np.minimum(2 * common, 0.5)), chance.binomial(n0, np.minimum(common, 0.5))
        if a.sum() < 9 or c.sum() < 9:
            continue
        fewer = [a.copy(), c.copy()]
        one = fewer[tried % 2]
        one[chance.choice(sites, p=one / one.sum())] -= 1
        before, after = burden.estimate(total(a, n1, c, n0)), burden.estimate(total(fewer[0], n1, fewer[1], n0))
        for strata in ("none", "site"):
            tables = [
                gate(
                    one, policy=NHS, title="?", question={"options": {"strata": strata}}, receipt=RECEIPT, sites=4
                ).table
                for one in (before, after)
            ]
            seen[strata] += tables[0] != tables[1]
        seen["two figures"] += figures(before.rows[0]) != figures(after.rows[0])
        tried += 1
    assert seen["two figures"] > 0.9 * tried
    assert seen["site"] < 0.33 * tried
    assert seen["site"] - seen["none"] < 0.1 * tried


def figures(one: BurdenRow) -> list[str]:
    return [f"{x:.2g}" for x in (one.odds_ratio, one.low, one.high, one.p)]


def total(a: Any, n1: Any, c: Any, n0: Any) -> Summary:
    """One gene's table at each site, as `burden.summarise` sends it."""
    whole = Summary.zero((*MEASURES, *BY_SITE))
    for table in zip(a, n1, c, n0, strict=True):
        plain = [
            [int(n) for n in (*table, table[1], table[3])],
            [0, int(table[1]), 0, int(table[3]), int(table[1]), int(table[3])],
        ]
        sums = cmh.summarise(*([line[i] for line in plain] for i in range(4)))
        scaled = [[round(float(sums[name][place]) * 2**32) for name in BY_SITE] for place in range(2)]
        rows = {"PKD1": [*plain[0], *scaled[0]], BACKGROUND: [*plain[1], *scaled[1]]}
        whole += Summary.from_rows((*MEASURES, *BY_SITE), rows)
    return whole


# -- Masks --------------------------------------------------------------------------------------------------------------

NESTED = (("high, up to 0.001", "high, up to 0.01"),)


def masked(mask: str, carriers: int, variants: int, p: float = 0.01, gene: str = "BRCA2") -> GeneTestRow:
    return GeneTestRow("breast cancer", gene, variants, carriers, p, p, p, p, acat_v_p=p, mask=mask)


def masks_of(*rows: GeneTestRow, policy: Policy = NHS, **options: Any) -> Released:
    estimate = GeneTests(rows, 500, 100, NESTED)
    return gate(estimate, policy=policy, title="?", question={"options": options}, receipt=RECEIPT, sites=3)


def test_a_mask_that_differs_by_few_people_from_a_wider_one_is_hidden() -> None:
    narrow, wide = NESTED[0]
    for difference in range(12):
        released = masks_of(masked(narrow, 40 - difference, 9), masked(wide, 40, 10))
        shown = [str(cell) for cell in released.table.column("mask")]
        assert shown == ([narrow, wide] if difference >= NHS.least else [wide])
    same = masks_of(masked(narrow, 40, 10), masked(wide, 40, 10))  # the same variants: there is nothing to subtract
    assert len(same.table.rows) == 2
    apart = masks_of(masked(narrow, 40, 10), masked("low", 41, 11))
    assert len(apart.table.rows) == 2


def test_the_p_over_all_masks_is_of_those_shown() -> None:
    narrow, wide = NESTED[0]
    shown = masks_of(masked(narrow, 20, 5, 0.012), masked(wide, 40, 10, 0.3), masked("low", 40, 10, 1e-9, gene="LDLR"))
    assert [str(cell) for cell in shown.table.column("gene")] == ["LDLR", "BRCA2", "BRCA2"]
    assert shown.table.column("all masks p")[1:] == (Value(float(f"{cauchy([0.012, 0.3]):.2g}")),) * 2
    hidden = [
        masks_of(masked(narrow, 36, 5, p), masked(wide, 40, 10, 0.3)).table.column("all masks p") for p in (1e-9, 0.9)
    ]
    assert hidden == [(Value(0.3),)] * 2
    assert "all masks p" not in masks_of(masked("", 40, 10)).table.columns


def test_the_fewest_carriers_are_of_the_rounded_ones() -> None:
    for least in range(8, 14):
        shown = {len(masks_of(masked("", carriers, 5), min_carriers=least).table.rows) for carriers in range(8, 13)}
        assert len(shown) == 1


def test_a_mask_without_an_answer_says_why() -> None:
    strange = replace(masked("low", 40, 10, math.nan), reason="covariates explain it")
    released = masks_of(strange, masked(NESTED[0][1], 40, 10))
    assert released.table.column("burden p")[0] == NotRun("covariates explain it")
    alone = masks_of(strange)
    assert alone.table.column("all masks p") == (NotRun("covariates explain it"),)
