"""The attacks that beat simple suppression, one by one, by the number they have in the safety notes.

Six to eleven, fourteen and twenty-one need a memory of earlier answers; seventeen and nineteen need quantiles and means. There
is neither here, so those have no test here.
"""

import math

import pytest

from nhsgen.disclosure import PRESETS, Margin, Policy, dominated, gate, protect, ranges
from nhsgen.errors import NotSafe
from nhsgen.estimates import Burden, BurdenRow, Carriers, Counts, Frequencies, FrequencyRow
from nhsgen.fourfold import fisher, woolf
from nhsgen.results import Cell, Receipt, Released, Suppressed, Value, Zero

NHS = PRESETS["nhs"]
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
EXACT_ROWS_AND_COLUMNS = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8)]


def release(estimate: Counts | Carriers | Frequencies | Burden, policy: Policy = NHS, **more: object) -> Released:
    given: dict[str, object] = {"title": "?", "question": {}, "receipt": RECEIPT, "sites": 3} | more
    return gate(estimate, policy=policy, **given)  # type: ignore[arg-type]


def people(released: Released) -> tuple[Cell, ...]:
    return released.table.column("people")


def by_ward(*counts: int) -> Counts:
    return Counts(("ward",), {(f"ward {i}",): n for i, n in enumerate(counts)})


def exact_margins(table: list[int]) -> list[Margin]:
    sums = [sum(table[i] for i in cells) for cells in EXACT_ROWS_AND_COLUMNS]
    return [Margin(cells, n, n) for cells, n in zip(EXACT_ROWS_AND_COLUMNS, sums, strict=True)]


def test_vector_1_a_total_less_what_is_shown_is_the_hidden_cell() -> None:
    released = release(by_ward(1, 10, 15, 25))
    cells = people(released)
    assert isinstance(cells[0], Suppressed)
    assert cells[-1] == Value(50)  # not 51
    assert any("that are shown" in note for note in released.notes)


def test_vector_2_one_hidden_cell_in_exact_totals_is_no_secret() -> None:
    table = [3, 20, 15, 12, 18, 30, 25, 11, 40]
    margins = exact_margins(table)

    def hiding(*cells: int) -> tuple[int, int]:
        bounds = {i: (0, 99) if i in cells else (n, n) for i, n in enumerate(table)}
        return ranges(bounds, margins, [0])[0]

    assert hiding(0) == (3, 3)
    assert hiding(0, 3) == (3, 3)
    assert hiding(0, 1, 3, 4) == (0, 15)
    assert len(protect(table, {0}, margins, PRESETS["gel"])) >= 4


def test_vector_3_a_hidden_block_that_can_only_be_ones() -> None:
    table = [1, 1, 20, 1, 1, 20, 20, 20, 40]
    margins = exact_margins(table)
    block = {0, 1, 3, 4}
    bounds = {i: (1, 7) if i in block else (n, n) for i, n in enumerate(table)}
    assert ranges(bounds, margins, block) == dict.fromkeys(block, (1, 1))
    hidden = protect(table, block, margins, NHS)
    assert hidden > block  # secondary suppression was not enough, and the audit goes on


def test_vector_4_a_total_rounded_on_its_own_gives_the_cells_away() -> None:
    for n, cells in ((8, 4), (4, 12), (9, 8)):
        released = release(by_ward(*[n] * cells))
        shown = [cell.value for cell in people(released)[:cells] if isinstance(cell, Value)]
        if shown:
            assert people(released)[-1] == Value(sum(shown))  # type: ignore[arg-type]
    assert people(release(by_ward(8, 8, 8, 8)))[-1] == Value(40)  # not 30


def test_vector_5_the_threshold_reaches_up_to_where_rounding_starts() -> None:
    assert Policy("old", suppress_at_most=5, round_to=5).least == 8  # else a 5 could only be 6 or 7
    for policy in PRESETS.values():
        low, high = policy.meaning(policy.rounded(policy.least))
        assert low == policy.least
        assert high - low + 1 == policy.round_to


def test_vector_12_all_but_a_few_is_as_telling_as_a_few() -> None:
    assert isinstance(people(release(Counts((), {(): 998}), population=1000))[0], Suppressed)
    assert people(release(Counts((), {(): 992}), population=1000))[0] == Value(990)


def test_vector_13_what_is_derived_is_derived_from_released_numbers() -> None:
    tables = [(23, 8), (24, 9), (25, 10), (27, 12)]
    derived = {release(burden_of(("PKD1", a, b))).table.rows for a, b in tables}
    assert len(derived) == 1  # everything that rounds to 25 and 10 looks the same, p included
    frequencies = release(alleles(*[(8, 3000)] * 3, people=1500))
    assert frequencies.table.rows[0][3:] == (Value(10), Value(0.0))


def test_vector_13_an_exact_p_to_one_figure_would_give_the_counts_back() -> None:
    """Why derived numbers are not the exact ones made coarser: of 25 tables that round alike, one has these."""

    def one_figure(a: int, b: int) -> tuple[str, ...]:
        table = (a, 73, b, 1567)
        return tuple(f"{x:.1g}" for x in (*woolf(*table), fisher(*table)))

    fitting = [(a, b) for a in range(23, 28) for b in range(8, 13) if one_figure(a, b) == one_figure(24, 10)]
    assert fitting == [(24, 10)]


def test_vectors_15_and_16_dominance_needs_both_rules() -> None:
    nk_alone = [900.0] + [1.0] * 99
    assert dominated(nk_alone, PRESETS["acro"])
    assert not dominated([450.0, 440.0] + [1.0] * 110, PRESETS["acro"])
    p_alone = [100.0, 1.0, 1.0]
    assert dominated(p_alone, Policy("p", 9, 5, top_two_share=1.1))
    assert not dominated(nk_alone, Policy("p", 9, 5, top_two_share=1.1))


def test_vector_18_nobody_and_everybody_are_flagged_or_hidden() -> None:
    table = Carriers(("gene",), {("PKD1",): 0, ("PKD2",): 25}, people=25)
    openly = release(table)
    assert openly.table.column("carriers") == (Zero(), Value(25))
    assert any("true zero" in note for note in openly.notes)
    assert any("Everybody in the cohort" in note and "PKD2" in note for note in openly.notes)
    assert release(table, PRESETS["acro"]).table.rows == ()


def test_vector_20_two_sites_that_pool_small_counts_see_each_others() -> None:
    pooled = Policy("pooled", 7, 5, pooled=True)
    with pytest.raises(NotSafe, match="2 sites answered"):
        release(by_ward(4, 40), pooled, sites=2)
    assert release(by_ward(40, 50), pooled, sites=3).table.rows
    assert release(by_ward(40, 50), pooled, sites=1).table.rows  # one site pools nothing
    assert release(by_ward(40, 50), NHS, sites=2).table.rows  # each applied its own thresholds before adding


# -- Genomic membership (2.4) -------------------------------------------------------------------------------------------


def alleles(*carriers_and_called: tuple[int, int], people: int) -> Frequencies:
    return Frequencies(
        tuple(
            FrequencyRow(f"16-{i + 1}-C-T", "PKD1", carriers, called, carriers, 0, people)
            for i, (carriers, called) in enumerate(carriers_and_called)
        ),
        people,
    )


def test_a_long_list_of_frequencies_shows_who_is_in_the_cohort() -> None:
    assert release(alleles(*[(20, 2000)] * 100, people=1000)).table.rows
    with pytest.raises(NotSafe, match="at most one for every 10 people") as refused:
        release(alleles(*[(20, 2000)] * 101, people=1000))
    assert "1000" not in str(refused.value)  # nor may the refusal say how many they are
    with pytest.raises(NotSafe):
        release(alleles((5, 14), people=7))


def test_rare_alleles_are_hidden_and_frequencies_are_coarse() -> None:
    released = release(alleles((7, 2000), (8, 2000), (0, 2000), (123, 2000), (996, 2000), people=1000))
    assert released.table.column("allele frequency")[:3] == (Value(0.0), Zero(), Value(0.06))
    assert released.table.column("carriers")[:3] == (Value(10), Zero(), Value(125))
    assert [str(cell) for cell in released.table.column("variant")[3:]] == ["16-1-C-T", "16-5-C-T"]
    assert all(isinstance(cell, Suppressed) for cell in released.table.column("carriers")[3:])


@pytest.mark.parametrize("carriers", range(8, 40))
@pytest.mark.parametrize("people", [40, 120, 275, 550])
def test_a_frequency_leaves_its_carriers_as_open_as_rounding_does(carriers: int, people: int) -> None:
    called = 2 * people
    row = release(alleles((carriers, called), people=people)).table.rows[0][3:]
    if isinstance(row[0], Suppressed):
        assert isinstance(row[1], Suppressed)
        return
    assert isinstance(row[0], Value)
    assert isinstance(row[1], Value)
    decimals = max(len(str(row[1].value).split(".")[1]), 1)
    open_to = [
        n
        for n in range(max(NHS.least, int(row[0].value) - 2), int(row[0].value) + 3)
        if any(round(copies / called, decimals) == row[1].value for copies in range(n, 2 * n + 1))
    ]
    assert len(open_to) == 5


# -- Burden -------------------------------------------------------------------------------------------------------------


def burden_of(*tables: tuple[str, int, int], cases: int = 75, controls: int = 1565) -> Burden:
    return Burden(
        tuple(BurdenRow(gene, a, cases, b, controls, 1.5, 1.0, 2.0, 0.01, 0.02) for gene, a, b in tables),
        cases,
        controls,
    )


def test_a_small_number_of_carriers_hides_whatever_follows_from_it() -> None:
    released = release(burden_of(("TTN", 7, 100), ("UMOD", 20, 3), ("PKD1", 24, 10), ("NPHS2", 3, 2), ("AAA", 0, 0)))
    rows = {str(row[0]): row for row in released.table.rows}
    assert [*rows] == ["PKD1", "AAA", "TTN", "UMOD"]  # in order of p; then, by name, what must not show its p
    assert all(isinstance(cell, Suppressed) for name in ("TTN", "UMOD") for cell in rows[name][5:])
    assert [str(cell) for cell in rows["PKD1"][1:5]] == ["25", "75", "10", "1,565"]
    assert str(rows["AAA"][5]) == "not run"
    assert "1 further gene: too few people to show." in released.notes


def test_the_order_of_suppressed_genes_does_not_tell_their_p() -> None:
    there = [("B", 6, 200), ("A", 1, 200), ("C", 3, 200)]
    orders = {
        tuple(str(cell) for cell in release(burden_of(*tables)).table.column("gene"))
        for tables in (there, there[::-1], [there[1], there[2], there[0]])
    }
    assert orders == {("A", "B", "C")}


def test_too_few_cases_hide_everything() -> None:
    released = release(burden_of(("PKD1", 5, 40), cases=5))
    assert released.table.column("controls with") == (Value(40),)
    assert all(
        isinstance(cell, Suppressed)
        for name in ("cases with", "cases", "p", "q")
        for cell in released.table.column(name)
    )


def test_q_counts_the_genes_that_cannot_be_shown() -> None:
    alone = release(burden_of(("PKD1", 12, 100)))
    crowded = release(burden_of(("PKD1", 12, 100), *[(f"G{i}", 3, 100) for i in range(9)]))
    p, q = (crowded.table.rows[0][i] for i in (8, 9))
    assert isinstance(p, Value)
    assert isinstance(q, Value)
    assert alone.table.rows[0][8] == p
    assert math.isclose(float(q.value), min(1.0, 10 * float(p.value)), rel_tol=0.06)
