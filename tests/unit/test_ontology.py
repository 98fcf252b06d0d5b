"""HPO as hpo3 carries it."""

import pytest

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.errors import BadCode

RENAL_CYST, KIDNEY, CLITOROMEGALY = HPO("HP:0000107"), HPO("HP:0000077"), HPO("HP:0000057")


def test_a_term_includes_itself_and_what_is_narrower() -> None:
    cysts = ontology.descendants(RENAL_CYST)
    assert {"HP:0000107", "HP:0000113"} <= cysts < ontology.descendants(KIDNEY)


def test_broader_and_narrower_are_each_others_inverse() -> None:
    for narrower in ontology.descendants(RENAL_CYST):
        assert "HP:0000107" in ontology.ancestors(HPO(narrower))


def test_everything_is_a_kind_of_the_root() -> None:
    assert "HP:0000001" in ontology.ancestors(RENAL_CYST)
    assert len(ontology.descendants(HPO("HP:0000001"))) > 19_000


def test_a_retired_term_names_its_successor_and_is_still_found_in_old_records() -> None:
    with pytest.raises(BadCode, match="obsolete; use HP:0008665"):
        ontology.descendants(CLITOROMEGALY)
    assert "HP:0000057" in ontology.with_former(["HP:0008665"])


def test_an_unknown_term_is_refused_with_terms_one_slip_away() -> None:
    with pytest.raises(BadCode, match="no such term"):
        ontology.name(HPO("HP:9999999"))
    with pytest.raises(BadCode, match=r"did you mean .*HP:0000107 \(Renal cyst\)"):
        ontology.name(HPO("HP:0000170"))


def test_terms_are_found_by_their_words_and_by_near_misses() -> None:
    assert ontology.find("cyst renal", most=1) == [(RENAL_CYST, "Renal cyst")]
    assert (RENAL_CYST, "Renal cyst") in ontology.find("renl cyst")
    assert ontology.find("zzzzzz") == []


def test_a_term_has_the_genes_of_all_narrower_terms() -> None:
    cysts = set(ontology.genes(RENAL_CYST))
    assert {"PKD1", "PKD2", "PKHD1"} <= cysts < set(ontology.genes(KIDNEY))
    for narrower in ontology.descendants(RENAL_CYST):
        assert set(ontology.genes(HPO(narrower))) <= cysts
    assert "-" not in ontology.genes(KIDNEY)


def test_a_term_written_by_name_is_refused_with_its_number() -> None:
    assert ontology.term("hp:0000107") == RENAL_CYST
    with pytest.raises(BadCode, match=r"did you mean .*HP:0000107 \(Renal cyst\)"):
        ontology.term("renal cyst")
    with pytest.raises(BadCode, match="write it like"):
        ontology.term("zzzzzz")
