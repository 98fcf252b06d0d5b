"""Tumours: a table of mutations in, counts that can be checked by hand out."""

from math import isnan

import polars as pl
import pytest

from nhsgen.errors import BadInput, BadStudy
from nhsgen.fourfold import fisher, woolf
from nhsgen.statistics import tumours

PEOPLE = ["p1", "p2", "p3", "p4"]
GENES = ["TP53", "KRAS", "PIK3CA"]

MUTATIONS = pl.DataFrame(
    [
        ("p1", "TP53", "17", 100, "C", "T", "stop_gained"),
        ("p1", "TP53", "17", 100, "C", "T", "missense_variant"),  # the same mutation in another transcript
        ("p1", "KRAS", "12", 200, "G", "A", "missense_variant&splice_region_variant"),
        ("p1", "TTN", "2", 300, "G", "A", "synonymous_variant"),
        ("p2", "TP53", "17", 101, "C", "CA", "frameshift_variant"),
        ("p2", "TP53", "17", 110, "C", "T", "splice_donor_variant"),
        ("p2", "TTN", "2", 301, "G", "G" + "A" * 49, "inframe_insertion"),
        ("p2", "TTN", "2", 302, "G", "G" + "A" * 50, "inframe_insertion"),  # too long
        ("p2", "TTN", "2", 303, "G", "<DEL>", "frameshift_variant"),  # a structural variant
        ("p3", "KRAS", "12", 200, "G", "A", "intron_variant"),
        ("stranger", "KRAS", "12", 200, "G", "A", "missense_variant"),
    ],
    schema=["person_id", "gene", "chrom", "pos", "ref", "alt", "consequence"],
    orient="row",
)


def test_burden_counts_each_mutation_that_changes_a_protein_once() -> None:
    found = tumours.burden(MUTATIONS, PEOPLE)
    assert found.select("person_id", "mutations").rows() == [("p1", 2), ("p2", 2), ("p3", 0), ("p4", 0)]
    assert found["per_megabase"].to_list() == [2 / 32.61, 2 / 32.61, 0.0, 0.0]
    assert tumours.burden(MUTATIONS, PEOPLE, megabases=1.0, longest=50)["per_megabase"].to_list() == [2, 3, 0, 0]


def test_burden_of_nobody_and_without_mutations() -> None:
    assert tumours.burden(MUTATIONS, []).shape == (0, 3)
    assert tumours.burden(MUTATIONS.head(0), PEOPLE)["mutations"].to_list() == [0, 0, 0, 0]


def test_drivers_by_gene_and_class() -> None:
    found = tumours.estimate_drivers(tumours.drivers(MUTATIONS, PEOPLE, GENES))
    assert found.people == 4
    assert found.cells == {
        ("TP53", "any"): 2,
        ("TP53", "truncating"): 2,
        ("TP53", "missense"): 1,
        ("TP53", "splice"): 1,
        ("KRAS", "any"): 1,
        ("KRAS", "missense"): 1,
    }


def test_of_several_terms_the_gravest_counts() -> None:
    both = MUTATIONS.head(1).with_columns(consequence=pl.lit("missense_variant&stop_gained"))
    assert ("TP53", "missense") not in tumours.estimate_drivers(tumours.drivers(both, PEOPLE, GENES)).cells


def test_each_person_has_one_pattern() -> None:
    found = tumours.estimate_patterns(tumours.patterns(MUTATIONS, PEOPLE, GENES), GENES)
    assert found.cells == {(): 2, ("KRAS", "TP53"): 1, ("TP53",): 1}
    assert next(iter(found.cells)) == ()
    assert found.genes == {"KRAS": 1, "PIK3CA": 0, "TP53": 2}
    assert (found.people, found.kept_back) == (4, 0)


def test_pairs_have_fisher_s_table_or_a_reason() -> None:
    pairs = {
        pair.genes: pair for pair in tumours.estimate_patterns(tumours.patterns(MUTATIONS, PEOPLE, GENES), GENES).pairs
    }
    together = pairs["KRAS", "TP53"]
    assert (together.both, together.first, together.second, together.neither) == (1, 0, 1, 2)
    assert (together.odds_ratio, together.low, together.high) == woolf(1, 1, 1, 3)
    assert together.p == together.q == fisher(1, 1, 1, 3)
    never = pairs["KRAS", "PIK3CA"]
    assert (never.p, never.q, never.reason) == (1.0, 1.0, "PIK3CA is mutated in nobody")
    assert isnan(never.odds_ratio)


def test_mutual_exclusion_is_an_odds_ratio_below_one() -> None:
    rows = [(f"p{n}", "A" if n < 10 else "B", "missense_variant") for n in range(20)]
    frame = pl.DataFrame(rows, schema=["person_id", "gene", "consequence"], orient="row")
    pair = tumours.estimate_patterns(
        tumours.patterns(frame, [f"p{n}" for n in range(20)], ["A", "B"]), ["A", "B"]
    ).pairs[0]
    assert pair.odds_ratio < 0.01
    assert pair.p < 1e-4


def test_a_pattern_kept_back_leaves_the_others() -> None:
    summary = tumours.patterns(MUTATIONS, PEOPLE, GENES).without(["TP53"])
    found = tumours.estimate_patterns(summary, GENES)
    assert (found.people, found.kept_back) == (4, 1)
    assert found.genes["TP53"] == 1


def test_everybody_mutated_and_nobody_at_all() -> None:
    everybody = tumours.estimate_patterns(tumours.patterns(MUTATIONS, ["p1"], ["TP53", "KRAS"]), ["TP53", "KRAS"])
    assert everybody.pairs[0].reason == "KRAS is mutated in everybody"
    nobody = tumours.estimate_patterns(tumours.patterns(MUTATIONS, [], GENES), GENES)
    assert (nobody.cells, nobody.people) == ({}, 0)
    assert {pair.p for pair in nobody.pairs} == {1.0}
    assert isnan(nobody.pairs[0].odds_ratio)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(BadStudy, match="there are 0 genes"):
        tumours.patterns(MUTATIONS, PEOPLE, [])
    with pytest.raises(BadStudy, match="no length"):
        tumours.burden(MUTATIONS, PEOPLE, megabases=0.0)
    with pytest.raises(BadInput, match="they have no consequence"):
        tumours.drivers(MUTATIONS.drop("consequence"), PEOPLE, GENES)
