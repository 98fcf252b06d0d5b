"""Frequencies by group, quality, linkage and relatives on hand-made numbers: what adds up, what is released, and what never is."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen import hardy
from nhsgen.disclosure import PRESETS, Policy, gate, withhold
from nhsgen.disclosure.cells import BACKGROUND, SEPARATOR
from nhsgen.errors import NotSafe
from nhsgen.estimates import (
    Estimate,
    Frequencies,
    FrequenciesByGroup,
    FrequencyRow,
    Genotypes,
    Linkage,
    LinkedPair,
    Relatedness,
    SampleQuality,
    VariantQuality,
)
from nhsgen.genome import Assembly
from nhsgen.results import Cell, NotRun, Receipt, Released, Suppressed, Value, Zero
from nhsgen.statistics import Summary, frequencies, variant_quality

NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))
RECEIPT = Receipt(
    "0" * 64, "nhs", (("Leeds", "a" * 64),), (("York", "it has no release"),), "2026-11-23T09:00:00+00:00"
)


def release(estimate: Estimate, policy: Policy = NHS, **parts: Any) -> Released:
    return gate(estimate, policy=policy, title="What?", question={}, receipt=RECEIPT, **({"sites": 3} | parts))


def carried(*carriers: int, people: tuple[int, ...] = (), by: str = "sex", variants: int = 1) -> FrequenciesByGroup:
    """So many carriers in each of some groups, each with one copy; the same for every variant."""
    sizes = people or (500,) * len(carriers)
    names = [(f"g{number}",) for number in range(len(carriers))]
    rows = tuple(
        FrequencyRow(f"16-{v + 1}-A-C", "UMOD", n, 2 * size, n, 0, size, "stop_gained", name)
        for v in range(variants)
        for n, size, name in zip(carriers, sizes, names, strict=True)
    )
    return FrequenciesByGroup((by,), rows, dict(zip(names, sizes, strict=True)))


def told(released: Released, column: str = "carriers") -> list[object]:
    """Numbers as they are, other cells as words."""
    return [cell.value if isinstance(cell, Value) else str(cell) for cell in released.table.column(column)]


# -- Sums by group ----------------------------------------------------------------------------------------------------


def counts(*keys: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"key": keys, "gene": ["PKD1"] * len(keys), "consequence": ["stop_gained"] * len(keys), "chrom": ["16"] * len(keys),
         "pos": [int(key.split("-")[1]) for key in keys], "hom_alt": [1] * len(keys), "ac": [12] * len(keys), "an": [40] * len(keys),
         "carriers": [11] * len(keys)}
    )  # fmt: skip


def site(group: str, *keys: str, people: int = 20, absence: Any = "reference") -> Summary:
    return frequencies.summarise(
        counts(*keys), {"female": people}, assembly=Assembly.GRCh38, absence=absence, group=[group]
    )


def test_a_group_of_a_site_that_does_not_list_an_allele_is_reference_there() -> None:
    total = site("Leeds", "16-10-C-T") + site("York", "16-20-C-T", people=30)
    found = frequencies.estimate_by_group(total, ["site"])
    assert found.people == {("Leeds",): 20, ("York",): 30}
    assert [(row.variant, row.group, row.alternate, row.called, row.consequence) for row in found.rows] == [
        ("16-10-C-T", ("Leeds",), 12, 40, "stop_gained"), ("16-10-C-T", ("York",), 0, 60, "stop_gained"),
        ("16-20-C-T", ("Leeds",), 0, 40, "stop_gained"), ("16-20-C-T", ("York",), 12, 40, "stop_gained"),
    ]  # fmt: skip


def test_where_absence_says_nothing_nobody_is_known() -> None:
    total = site("Leeds", "16-10-C-T", absence="unknown") + site("York", "16-20-C-T", absence="unknown")
    rows = {(row.variant, row.group): row for row in frequencies.estimate_by_group(total, ["site"]).rows}
    assert rows["16-10-C-T", ("York",)].called == 0
    released = release(frequencies.estimate_by_group(total, ["site"]), GEL)
    assert "not run" in told(released)


def test_a_group_too_small_for_a_site_to_add_goes_as_a_whole() -> None:
    """Else its people, kept back, would count as reference; and how many they are would be told by those who list the allele."""
    both = site("a", "16-10-C-T") + site("b", "16-10-C-T", people=5)
    kept, withheld = withhold(both, NHS)
    assert {name.split(SEPARATOR)[-1] for name in kept.labels} == {"a"}
    assert f"{BACKGROUND}{SEPARATOR}b" in withheld
    assert frequencies.estimate_by_group(kept, ["sex"]).people == {("a",): 20}


def test_a_row_too_small_for_a_site_to_add_stays_listed() -> None:
    few = counts("16-10-C-T").with_columns(carriers=pl.lit(3), ac=pl.lit(3), hom_alt=pl.lit(0))
    summary = frequencies.summarise(few, {"female": 100}, assembly=Assembly.GRCh38, absence="reference", group=["a"])
    (row,) = frequencies.estimate_by_group(withhold(summary, NHS)[0], ["sex"]).rows
    assert (row.alternate, row.called, row.people) == (0, 0, 0)


# -- Frequencies by group ---------------------------------------------------------------------------------------------


def test_each_group_reads_like_a_cohort_of_its_own() -> None:
    released = release(carried(120, 40))
    assert released.kind == "frequencies_by_group"
    assert released.table.rows == (
        (*map(Value, ("16-1-A-C", "UMOD", "stop_gained", "g0", 500, 120, 0.12)),),
        (*map(Value, ("16-1-A-C", "UMOD", "stop_gained", "g1", 500, 40, 0.04)),),
    )


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_few_carriers_of_a_group_are_hidden_under_every_policy(policy: Policy) -> None:
    released = release(carried(120, 3, 200, people=(2000, 2000, 2000)), policy, sites=1)
    shown = {str(row[3]): row[-2:] for row in released.table.rows}
    assert all(isinstance(cell, Suppressed) for cell in shown.get("g1", ()))
    assert any(isinstance(cells[0], Value) for cells in shown.values())


def test_a_hidden_group_is_not_left_over_from_the_total() -> None:
    """Without rounding, who asks without groups and takes away what is shown would have it: another goes with it."""
    assert told(release(carried(120, 3, 40), GEL)) == [120, "suppressed", "suppressed"]
    assert told(release(carried(120, 20, 40), GEL)) == [120, 20, 40]


def test_all_but_few_of_a_group_are_hidden_and_few_people_with_them() -> None:
    assert told(release(carried(497, 100))) == ["suppressed", 100]
    released = release(carried(300, 4, 100, people=(500, 5, 300)))
    assert told(released, "people") == [500, "suppressed", 300]
    assert told(released) == [300, "suppressed", 100]


def test_a_list_too_long_for_a_group_is_hidden_there_and_refused_when_for_all() -> None:
    released = release(carried(120, 40, people=(500, 90), variants=10))
    assert told(released)[:2] == [120, "suppressed"]
    assert any("too few people for so long a list" in note for note in released.notes)
    with pytest.raises(NotSafe, match="51 alleles are too many for each of these groups") as refused:
        release(carried(120, 40, people=(502, 503), variants=51))
    assert "502" not in str(refused.value)


def test_nobody_is_zero_and_a_silent_site_is_not_run() -> None:
    released = release(carried(0, 40, by="site"))
    assert told(released) == ["0", 40, "not run"]
    assert released.table.rows[-1][3:] == (Value("York"), *[NotRun("it has no release")] * 3)


def test_without_groups_there_is_a_consequence_too() -> None:
    row = FrequencyRow("16-1-A-C", "UMOD", 50, 1000, 50, 0, 500, "stop_gained")
    released = release(Frequencies((row,), 500))
    assert released.table.columns == ("variant", "gene", "consequence", "carriers", "allele frequency")
    assert released.table.rows[0] == (*map(Value, ("16-1-A-C", "UMOD", "stop_gained", 50, 0.05)),)


# -- Alleles ----------------------------------------------------------------------------------------------------------


def genotypes(het: int = 402, hom_alt: int = 99, ref: int = 499, people: int = 1003, **parts: Any) -> Genotypes:
    whole = {"hemizygous": 0, "single": 0, "variant": "16-1-A-C"} | parts
    return Genotypes(
        whole["variant"],
        "UMOD",
        "stop_gained",
        people,
        het,
        hom_alt,
        het + hom_alt + ref,
        whole["hemizygous"],
        whole["single"],
    )


def quality(*rows: Genotypes, people: int = 1003) -> VariantQuality:
    return VariantQuality(rows, people, 2011, 998)


def test_alleles_read_like_this_and_their_p_is_that_of_rounded_people() -> None:
    released = release(quality(genotypes()))
    p, mid = (float(hardy.exact([400], [100], [500], mid=mid)[0]) for mid in (False, True))
    row = released.table.rows[0]
    assert row[3:8] == (*map(Value, (1005, 1.0, 0.3, 0.4, 0.42)),)
    assert row[8:] == (Value(float(f"{p:.2g}")), Value(float(f"{mid:.2g}")))
    assert "Transitions to transversions, of all alleles seen: 2.0." in released.notes


def test_people_who_round_alike_look_alike() -> None:
    """So no p, rate or heterozygosity gives the counts back."""
    rows = {
        release(quality(genotypes(het, hom, ref, 1003))).table.rows[0][6:]
        for het in range(398, 403) for hom in range(98, 103) for ref in (498, 499)
    }  # fmt: skip
    assert len(rows) == 1


@pytest.mark.parametrize(("hom_alt", "shown"), [(0, True), (3, False), (12, True)])
def test_p_needs_every_genotype_to_be_shown_or_nobodys(hom_alt: int, shown: bool) -> None:
    released = release(quality(genotypes(60, hom_alt, 840 - hom_alt)))
    for column in ("HWE p", "HWE mid-p", "heterozygous", "expected heterozygous"):
        assert (told(released, column) != ["suppressed"]) == shown


def test_rare_alleles_are_counted_only_and_long_lists_have_no_frequencies() -> None:
    released = release(quality(genotypes(), genotypes(19, 0, 900)))
    assert len(released.table.rows) == 1
    assert "1 alleles with fewer than 20 copies of the rarer allele are not shown." in released.notes
    long = release(quality(*[genotypes()] * 101))
    for column in ("allele frequency", "heterozygous", "expected heterozygous"):
        assert set(told(long, column)) == {"suppressed"}
    assert isinstance(long.table.rows[0][8], Value)


@pytest.mark.parametrize("policy", [NHS, GEL, ACRO], ids=lambda policy: policy.name)
def test_a_call_rate_leaves_open_how_few_were_not_called(policy: Policy) -> None:
    people = 1003
    for missing in range(40):
        cell = release(quality(genotypes(ref=people - 501 - missing)), policy, sites=1).table.rows[0][4]
        assert isinstance(cell, Value)
        alike = [n for n in range(people) if round((people - n) / people, 2) == cell.value]
        assert len(alike) >= policy.open_counts
        assert missing in alike


def test_on_x_men_count_by_their_allele() -> None:
    row = genotypes(200, 50, 250, hemizygous=150, single=350, people=850, variant="X-101397800-G-A")
    released = release(quality(row, people=850))
    p = float(hardy.exact_x([200], [50], [250], [150], [200])[0])
    assert released.table.rows[0][8] == Value(float(f"{p:.2g}"))
    only_men = genotypes(0, 0, 0, hemizygous=150, single=350, people=850, variant="Y-5000000-G-A")
    assert told(release(quality(only_men, people=850)), "HWE p") == ["not run"]


def test_genotypes_of_sites_that_list_nothing_are_reference() -> None:
    frame = pl.DataFrame({"key": ["X-101397800-G-A"], "gene": ["GLA"], "consequence": [None], "chrom": ["X"], "pos": [101397800],
                          "hom_ref": [5], "het": [3], "hom_alt": [1], "other": [1], "haploid": [8], "hemizygous": [4]})  # fmt: skip

    def summary(rows: pl.DataFrame, women: int, men: int) -> Summary:
        return variant_quality.summarise(
            rows, {"female": women, "male": men}, assembly=Assembly.GRCh38, absence="reference"
        )

    found = variant_quality.estimate(summary(frame, 10, 8) + summary(frame.clear(), 7, 6))
    assert found.rows == (Genotypes("X-101397800-G-A", "GLA", "", 31, 3, 1, 17, 4, 14),)
    assert (found.people, found.transitions, found.transversions) == (31, 1, 0)


# -- Samples, linkage, relatives --------------------------------------------------------------------------------------


def on_steps(*people: int) -> SampleQuality:
    return SampleQuality({("Ti/Tv", float(at), at + 1.0): n for at, n in enumerate(people)}, sum(people), 5000)


def test_steps_with_few_people_are_hidden_and_not_left_over_from_the_others() -> None:
    assert told(release(on_steps(3, 120, 400)), "people") == ["suppressed", 120, 400]
    assert told(release(on_steps(3, 120, 400), GEL), "people") == ["suppressed", "suppressed", 400]
    assert told(release(on_steps(3, 120, 400), ACRO), "people") == [120, 400]  # nobody and few look alike
    assert told(release(on_steps(2, 600)), "people") == ["suppressed", "suppressed"]  # all but two are on the other
    with pytest.raises(NotSafe):
        release(on_steps(3, 2))


def pair(r: float = 0.7, people: int = 990, spread: float = 400.0, rarer: int = 100, reason: str = "") -> LinkedPair:
    return LinkedPair("16-1-A-C", "16-2-A-C", people, rarer, r, spread, reason)


def test_pairs_read_like_this() -> None:
    released = release(
        Linkage((pair(), pair(spread=900.0), pair(math.nan, reason="monomorphic"), pair(rarer=19)), 1003)
    )
    assert released.kind == "ld"
    assert released.table.rows[0][2:] == (Value(0.5), Value(990))
    assert told(released, "r2") == [0.5, 0.49, "not run"]
    assert "1 further pair: too few copies to show." in released.notes


@given(st.integers(20, 300), st.integers(0, 300), st.integers(500, 2000))
@settings(max_examples=60)
def test_an_r2_leaves_open_how_many_carry_both(copies: int, together: int, people: int) -> None:
    """Two alleles of as many carriers, each with one copy: of the numbers who may carry both, several give the r2 that is shown."""
    together = min(copies, together)

    def linked(both: int) -> LinkedPair:
        varied = copies - copies**2 / people
        return pair((both - copies**2 / people) / varied, people, varied, copies)

    cell = release(Linkage((linked(together),), people)).table.rows[0][2]
    if isinstance(cell, Value):
        decimals = len(str(cell.value).split(".")[1])
        alike = [both for both in range(copies + 1) if round(linked(both).r ** 2, decimals) == cell.value]
        assert len(alike) >= 4  # as many as rounding leaves, less the ends of the stretch


def test_more_pairs_than_one_for_ten_people_are_refused() -> None:
    with pytest.raises(NotSafe, match="101 pairs are too many"):
        release(Linkage((pair(),) * 101, 1003))
    few = release(Linkage((pair(people=999),), 1003), GEL)
    assert told(few, "people") == ["suppressed"]  # unrounded, it would tell that four were not called


def kin(pairs: Mapping[str, int], people: Mapping[str, int], uncertain: tuple[str, ...] = ()) -> Relatedness:
    return Relatedness(
        ("degree",),
        {(name,): n for name, n in pairs.items()},
        {(name,): n for name, n in people.items()},
        803,
        1500,
        uncertain,
    )


def test_pairs_need_enough_people_and_not_all_but_few() -> None:
    found = kin(
        {"twins": 12, "first": 15, "second": 4, "third": 900, "none": 0},
        {"twins": 24, "first": 6, "second": 8, "third": 800, "none": 0},
    )
    released = release(found)
    assert told(released, "pairs") == [10, "suppressed", "suppressed", "suppressed", "0"]
    assert told(released, "people") == [25, "suppressed", "suppressed", "suppressed", "0"]
    uncertain = release(kin({"third": 900}, {"third": 500}, ("third",)))
    assert all(isinstance(cell, NotRun) for cell in uncertain.table.rows[0][1:])


EVERY_KIND: Mapping[str, Estimate] = {
    "frequencies_by_group": carried(123, 41),
    "variant_quality": quality(genotypes()),
    "sample_quality": on_steps(123, 419),
    "ld": Linkage((pair(people=987),), 1003),
    "relatedness": kin({"first": 123}, {"first": 206}),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_no_exact_count_is_anywhere(kind: str) -> None:
    released = release(EVERY_KIND[kind])
    assert released.kind == kind
    assert released.notes[0] == NHS.describe()
    whole = json.loads(released.to_json())
    shown = f"{whole['title']} {whole['rows']} {whole['notes'][1:]}"
    for true in (123, 41, 402, 99, 499, 1003, 419, 542, 987, 803, 206):
        assert not re.search(rf"(?<![\d.,]){true}(?![\d.])", shown), f"{true} in {shown}"


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_has_a_picture(kind: str) -> None:
    assert release(EVERY_KIND[kind]).plot().axes


def test_cells_are_typed() -> None:
    cells: list[Cell] = [cell for row in release(carried(0, 3, 120)).table.rows for cell in row]
    assert {type(cell) for cell in cells} == {Value, Zero, Suppressed}
