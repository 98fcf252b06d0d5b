"""Tumours: a table of mutations in, counts that can be checked by hand out."""

import polars as pl
import pytest

from nhsgen.errors import BadInput, BadStudy
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


def test_steps_of_the_burden_hold_what_they_begin_with() -> None:
    frame = pl.DataFrame({"x": [0.0, 0.99, 1.0, 9.99, 10.0, 99.9, 100.0]}).select(tumours.step("x"))
    assert frame["x"].to_list() == ["0 to 1", "0 to 1", "1 to 2", "5 to 10", "10 to 20", "50 to 100", "100 and more"]


def test_drivers_by_gene_and_gravest_class() -> None:
    found = tumours.estimate_drivers(tumours.drivers(MUTATIONS, PEOPLE, GENES))
    assert found.people == 4
    assert {cell: people for cell, people in found.cells.items() if people} == {
        ("TP53", "truncating"): 2,
        ("KRAS", "missense"): 1,
    }
    assert {gene for gene, _ in found.cells} == set(GENES)


def test_of_several_terms_the_gravest_counts() -> None:
    both = MUTATIONS.head(1).with_columns(consequence=pl.lit("missense_variant&stop_gained"))
    found = tumours.estimate_drivers(tumours.drivers(both, PEOPLE, ["TP53"]))
    assert found.cells == {
        ("TP53", "truncating"): 1,
        ("TP53", "splice"): 0,
        ("TP53", "inframe"): 0,
        ("TP53", "missense"): 0,
    }


def test_each_person_has_one_pattern() -> None:
    found = tumours.estimate_patterns(tumours.patterns(MUTATIONS, PEOPLE, GENES))
    assert found.cells == {(): 2, ("KRAS", "TP53"): 1, ("TP53",): 1}
    assert next(iter(found.cells)) == ()
    assert found.people == 4


def test_a_pattern_kept_back_leaves_the_others() -> None:
    found = tumours.estimate_patterns(tumours.patterns(MUTATIONS, PEOPLE, GENES).without(["TP53"]))
    assert (found.people, found.cells) == (4, {(): 2, ("KRAS", "TP53"): 1})


def test_nobody_at_all_has_no_pattern() -> None:
    nobody = tumours.estimate_patterns(tumours.patterns(MUTATIONS, [], GENES))
    assert (nobody.cells, nobody.people) == ({}, 0)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(BadStudy, match="there are 0 genes"):
        tumours.patterns(MUTATIONS, PEOPLE, [])
    with pytest.raises(BadStudy, match="no length"):
        tumours.burden(MUTATIONS, PEOPLE, megabases=0.0)
    with pytest.raises(BadInput, match="they have no consequence"):
        tumours.drivers(MUTATIONS.drop("consequence"), PEOPLE, GENES)
