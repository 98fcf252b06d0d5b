"""The gate on families, trios and phenotypes: what is shown of them, and what never is."""

import json
import re

import pytest

from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.estimates import Cosegregation, Estimate, Families, PhenotypeMatch, Segregation, Similarity, TrioQuality
from nhsgen.results import Receipt, Released, Suppressed, Value, Zero

NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")


def release(estimate: Estimate, policy: Policy = NHS, **asked: object) -> Released:
    return gate(estimate, policy=policy, title="What?", question={}, receipt=RECEIPT, sites=3, **asked)  # type: ignore[arg-type]


def rows(released: Released) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in released.table.rows]


BY = ("gene", "mother", "father", "child", "child affected")
NEW, FROM_MOTHER, FROM_FATHER = ("0/0", "0/0", "0/1", "yes"), ("0/1", "0/0", "0/1", "yes"), ("0/0", "0/1", "0/1", "yes")
INFORMATION = {"root": 0.01, "kidney": 2.0, "brain": 3.0, "rare": 6.0}


def segregation(cells: dict[tuple[str, ...], int], families: int = 203) -> Segregation:
    return Segregation(BY, cells, families)


def alike(first: dict[str, int], second: dict[str, int]) -> Similarity:
    groups = {("a",): first, ("b",): second}
    return Similarity(("who",), {group: terms.get("root", 0) for group, terms in groups.items()}, groups, INFORMATION)


EVERY_KIND: dict[str, Estimate] = {
    "families": Families(("gene", "tier", "inheritance"), {("SCN1A", "1", "dominant"): 33}, 203, {("SCN1A", "1", "dominant"): 13}, 3),
    "segregation": segregation({("SCN1A", *NEW): 33, ("SCN1A", *FROM_MOTHER): 3}),
    "cosegregation": Cosegregation({("SCN1A", "dominant"): (13, 33), ("SCN1A", "recessive"): (0, 33)}, 203),
    "trio_quality": TrioQuality({"errors": {"none": 203, "few": 13}, "new": {"0": 183, "1": 33}}, 216, 41, 99_999),
    "similarity": alike({"root": 203, "kidney": 41, "rare": 3}, {"root": 33, "kidney": 13}),
    "phenotype_match": PhenotypeMatch("gene", {"PKD1": 33, "PKD2": 13, "TTN": 2}, 203, 10),
}  # fmt: skip


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_every_kind_under_every_policy_has_its_name_and_nothing_of_what_is_hidden(kind: str, policy: Policy) -> None:
    released = release(EVERY_KIND[kind], policy)
    assert released.kind == kind
    assert released.notes[0] == policy.describe()
    whole = json.loads(released.to_json())
    shown = f"{whole['rows']} {whole['notes'][1:]}".replace(policy.rule, "")
    for true in (203, 216, 183, 41, 33, 13):
        if policy.rounded(true) != true or policy.hides(true):
            assert not re.search(rf"(?<![\d.,]){true}(?![\d.])", shown), f"{true} in {shown}"


# -- Families ---------------------------------------------------------------------------------------------------------


def test_families_that_have_the_gene_among_the_first_are_a_part_of_their_row() -> None:
    cells = {
        ("A", "1", "dominant"): 33,
        ("B", "1", "dominant"): 33,
        ("C", "1", "dominant"): 33,
        ("D", "1", "dominant"): 3,
    }
    first = {
        ("A", "1", "dominant"): 13,
        ("B", "1", "dominant"): 30,
        ("C", "1", "dominant"): 0,
        ("D", "1", "dominant"): 3,
    }
    released = release(Families(("gene", "tier", "inheritance"), cells, 203, first, 3))
    assert released.table.columns[-1] == "among the first"
    assert [row[-2:] for row in released.table.rows] == [
        (Value(35), Value(15)), (Value(35), Suppressed(NHS.rule)), (Value(35), Zero()),
    ]  # fmt: skip
    assert any("one of the first 3" in note for note in released.notes)
    assert "among the first" not in release(Families(("gene", "tier", "inheritance"), cells, 203)).table.columns


def test_patterns_are_shown_the_most_frequent_first_and_small_ones_counted() -> None:
    released = release(
        segregation(
            {("A", *NEW): 9, ("A", *FROM_MOTHER): 33, ("B", *NEW): 12, ("B", *FROM_FATHER): 7, ("C", *NEW): 201}
        )
    )
    assert rows(released) == [("A", *FROM_MOTHER, "35"), ("A", *NEW, "10"), ("B", *NEW, "10")]
    assert "2 further patterns: too few families to show." in released.notes  # seven, and all but two
    assert "Of about 205 families." in released.notes
    assert "further" not in " ".join(release(segregation({("A", *NEW): 3}), ACRO).notes)


def test_of_a_common_variant_the_rest_of_all_families_is_not_told() -> None:
    """203 families each show one of three patterns: 203 - 150 - 50 would be the 3 that are hidden."""
    cells = {("A", *NEW): 150, ("A", *FROM_MOTHER): 50, ("A", *FROM_FATHER): 3}
    assert rows(release(segregation(cells), GEL)) == [("A", *NEW, "150")]
    few_carry = {("A", *NEW): 50, ("A", *FROM_MOTHER): 30, ("A", *FROM_FATHER): 3}
    assert len(rows(release(segregation(few_carry), GEL))) == 2


def test_a_gene_goes_with_the_illness_in_so_many_of_those_who_carry() -> None:
    released = release(Cosegregation({
        ("A", "dominant"): (13, 33), ("A", "de novo"): (12, 33), ("A", "recessive"): (0, 33), ("B", "dominant"): (13, 15),
                ("C", "dominant"): (3, 5),
    }, 203))  # fmt: skip
    assert rows(released) == [
        ("A", "de novo", "suppressed", "35"),  # else one family is dominant and not new
        ("A", "dominant", "15", "35"),
        ("A", "recessive", "0", "35"),
        ("B", "dominant", "suppressed", "15"),  # all but two
    ]
    assert "1 further row: too few families to show." in released.notes


def test_trios_lie_in_bins_and_the_rate_is_of_all() -> None:
    released = release(
        TrioQuality(
            {"errors": {"none": 203, "few": 13, "many": 0}, "new": {"0": 183, "1": 30, "2": 3}}, 216, 41, 99_999
        )
    )
    assert rows(released) == [
        ("errors", "none", "205"), ("errors", "few", "15"), ("errors", "many", "0"),
        ("new", "0", "185"), ("new", "1", "30"), ("new", "2", "suppressed"),
    ]  # fmt: skip
    assert "About 215 trios, which have 460 alleles each; 0.041 % of these break Mendel's law." in released.notes


def test_a_bin_cannot_be_worked_out_from_the_others() -> None:
    """Both parts are of the same trios, so 203 + 13 is known where the rules round nothing."""
    released = release(
        TrioQuality({"errors": {"none": 203, "few": 13}, "new": {"0": 200, "1": 13, "2": 3}}, 216, 41, 99_999), GEL
    )
    assert rows(released)[2:] == [("new", "0", "200"), ("new", "1", "suppressed"), ("new", "2", "suppressed")]


def test_of_few_trios_no_rate_is_told() -> None:
    released = release(TrioQuality({"errors": {"none": 3}}, 3, 1, 900))
    assert rows(released) == [("errors", "none", "suppressed")]
    assert released.notes[1] == "Too few trios to say how many errors there are."
    assert "%" not in " ".join(released.notes)
    assert release(TrioQuality({"errors": {"none": 0}}, 0, 0, 0)).table.rows == (
        (Value("errors"), Value("none"), Zero()),
    )


# -- Phenotypes -------------------------------------------------------------------------------------------------------


def test_similarity_reads_like_this() -> None:
    released = release(alike({"root": 203, "kidney": 41}, {"root": 33, "kidney": 13}))
    both = (0.01 + 2 * 40 / 205) / (0.01 + 2 * 15 / 35)
    assert rows(released) == [
        ("a", "a", "1", "205"), ("a", "b", f"{round(both, 2):.3g}", "205"), ("b", "a", f"{round(both, 2):.3g}", "35"), ("b", "b", "1", "35"),
    ]  # fmt: skip


@pytest.mark.parametrize("policy", [NHS, GEL])
def test_what_few_have_changes_nothing(policy: Policy) -> None:
    """Whatever a handful of people have, and whoever of them is in the cohort."""
    few = policy.least - 1
    plain = alike({"root": 203, "kidney": 41}, {"root": 33, "kidney": 23})
    odd = alike({"root": 203, "kidney": 41, "rare": few}, {"root": 33, "kidney": 23, "brain": 1})
    assert release(plain, policy).table == release(odd, policy).table


def test_one_person_moves_no_similarity_unless_a_rounded_count_moves() -> None:
    one = release(alike({"root": 203, "kidney": 41}, {"root": 33, "kidney": 13}))
    without = release(alike({"root": 204, "kidney": 42}, {"root": 33, "kidney": 13}))
    assert one.table == without.table


def test_a_group_of_few_is_not_named() -> None:
    released = release(alike({"root": 203}, {"root": 7, "kidney": 7}))
    assert {row[0] for row in rows(released)} == {"a"}
    assert "1 further group: too few people to show." in released.notes
    assert release(alike({}, {})).table.rows == ()


def test_genes_that_fit_are_shown_the_most_people_first() -> None:
    released = release(
        PhenotypeMatch(
            "disease",
            {"OMIM:1": 9, "OMIM:2": 33, "OMIM:3": 3, "OMIM:4": 200},
            203,
            10,
            {"OMIM:1": "One", "OMIM:2": "Two"},
        )
    )
    assert rows(released) == [("OMIM:2", "Two", "35"), ("OMIM:1", "One", "10")]
    assert released.table.columns == ("disease", "name", "people")
    assert "2 further diseases: too few people to show." in released.notes


def test_of_genes_that_the_asker_named_the_rest_cannot_be_worked_out() -> None:
    """Each of 66 people has one of three genes first: who sees 33 and 30 knows the third."""
    cells = {"ABCA4": 30, "PKD1": 3, "SCN1A": 33}
    assert rows(release(PhenotypeMatch("gene", cells, 66, 1, named=True), GEL)) == [("SCN1A", "33")]
    assert rows(release(PhenotypeMatch("gene", cells, 66, 1, named=True), NHS)) == [("SCN1A", "35"), ("ABCA4", "30")]
    assert len(rows(release(PhenotypeMatch("gene", cells, 66, 1), GEL))) == 2


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_what_sites_kept_back_is_said(kind: str) -> None:
    label = {"trio_quality": "errors\x1ffew"}.get(kind, "x\x1fy\x1fz")
    assert any("may not add" in note for note in release(EVERY_KIND[kind], withheld={label: 1}).notes)
