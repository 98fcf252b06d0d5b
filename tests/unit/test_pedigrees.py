"""Families larger than a trio: who is ill, who has the allele, and what that rules out."""

import numpy as np
import polars as pl
import pytest

from nhsgen.errors import BadInput
from nhsgen.statistics.pedigrees import REASONS, Pedigree, candidates, segregation

AUTOSOME, X, Y, MT = range(4)

# Grandmother and grandfather; their ill daughter and well son; the daughter's husband; her ill son and her well daughter.
THREE_GENERATIONS = pl.DataFrame(
    {
        "person": ["gran", "grandad", "mum", "uncle", "dad", "boy", "girl"],
        "father": [None, None, "grandad", "grandad", None, "dad", "dad"],
        "mother": [None, None, "gran", "gran", None, "mum", "mum"],
        "sex": ["female", "male", "female", "male", "male", "male", "female"],
        "affected": [True, False, True, False, False, True, False],
    }
)
PEOPLE = THREE_GENERATIONS["person"].to_list()


def why(model: str, place: int, *copies: int, affected: list[bool | None] | None = None, **others: str) -> str:
    rows = THREE_GENERATIONS if affected is None else THREE_GENERATIONS.with_columns(pl.Series("affected", affected))
    table = np.array([copies], dtype=np.uint8)
    where = np.array([place], dtype=np.uint8)
    answer = segregation(table, where, Pedigree.from_rows(rows), PEOPLE, model, **others)
    assert answer.shape == (1, 1)
    return REASONS[answer[0, 0]]


#                        gran grandad mum uncle dad boy girl
DOWN_THE_GENERATIONS = (1, 0, 1, 0, 0, 1, 0)
TOO_MANY, TOO_FEW = "somebody well has too many copies", "somebody ill has not enough copies"


def test_dominant() -> None:
    assert why("dominant", AUTOSOME, *DOWN_THE_GENERATIONS) == ""
    assert why("dominant", AUTOSOME, 1, 0, 1, 1, 0, 1, 0) == TOO_MANY
    assert why("dominant", AUTOSOME, 1, 0, 1, 0, 0, 0, 0) == TOO_FEW
    assert why("dominant", AUTOSOME, 1, 0, 1, 1, 0, 1, 0, penetrance="incomplete") == ""
    assert why("dominant", X, *DOWN_THE_GENERATIONS) == "not in this part of the genome"


def test_who_is_not_known_rules_nothing_out() -> None:
    # The grandmother, then the boy not called; then only healthy people called.
    assert why("dominant", AUTOSOME, 3, 0, 1, 0, 0, 1, 0) == ""
    assert why("dominant", AUTOSOME, 1, 0, 1, 3, 0, 3, 0) == ""
    assert why("dominant", AUTOSOME, 3, 0, 3, 0, 0, 3, 0) == "nobody ill was called"
    # The uncle has it, and nobody knows whether he is ill.
    unsure = [True, False, True, None, False, True, False]
    assert why("dominant", AUTOSOME, 1, 0, 1, 1, 0, 1, 0, affected=unsure) == ""


def test_recessive() -> None:
    boy_only = [False, False, False, False, False, True, False]
    assert why("recessive", AUTOSOME, 1, 0, 1, 0, 1, 2, 1, affected=boy_only) == ""
    assert why("recessive", AUTOSOME, 1, 0, 1, 0, 1, 1, 1, affected=boy_only) == TOO_FEW
    assert why("recessive", AUTOSOME, 1, 0, 1, 0, 1, 2, 2, affected=boy_only) == TOO_MANY


def test_x_linked() -> None:
    boy_only = [False, False, False, False, False, True, False]
    assert why("X-linked recessive", X, 1, 0, 1, 0, 0, 1, 1, affected=boy_only) == ""
    # A well uncle with it; a man's one copy may be written as two.
    assert why("X-linked recessive", X, 1, 0, 1, 2, 0, 2, 0, affected=boy_only) == TOO_MANY
    assert why("X-linked recessive", X, *DOWN_THE_GENERATIONS) == TOO_FEW
    assert why("X-linked dominant", X, *DOWN_THE_GENERATIONS) == ""
    assert why("X-linked dominant", X, *DOWN_THE_GENERATIONS, affected=boy_only) == TOO_MANY


def test_y_and_mitochondria() -> None:
    men = [False, True, False, True, False, False, False]
    assert why("Y-linked", Y, 3, 1, 3, 1, 0, 0, 3, affected=men) == ""
    assert why("Y-linked", Y, 0, 1, 0, 1, 0, 0, 0, affected=[True, *men[1:]]) == TOO_FEW
    assert why("mitochondrial", MT, 1, 0, 1, 1, 0, 1, 1) == ""
    assert why("mitochondrial", MT, 1, 0, 0, 1, 0, 1, 1) == TOO_FEW


def test_de_novo() -> None:
    mum_and_boy = [False, False, True, False, False, True, False]
    assert why("de novo", AUTOSOME, 0, 0, 1, 0, 0, 1, 0, affected=mum_and_boy) == ""
    unproven = "nobody ill has it and parents called without it"
    assert why("de novo", AUTOSOME, 0, 3, 1, 0, 0, 1, 0, affected=mum_and_boy) == unproven
    assert why("de novo", AUTOSOME, *DOWN_THE_GENERATIONS) == unproven
    boy_only = [False, False, False, False, False, True, False]
    # What is new on a boy's X does not depend on his father's call.
    assert why("de novo", X, 0, 0, 0, 0, 3, 1, 0, affected=boy_only) == ""


# Two ill siblings, a well one, and their parents.
SIBLINGS = pl.DataFrame(
    {
        "family": ["F"] * 5,
        "person": ["ma", "pa", "ann", "bob", "cat"],
        "father": ["", "0", "pa", "pa", "pa"],
        "mother": ["", "0", "ma", "ma", "ma"],
        "sex": ["female", "male", "female", "male", "female"],
        "affected": [False, False, True, True, False],
    }
)


def pairs(
    *rows: tuple[int, ...], people: tuple[str, ...] = ("ma", "pa", "ann", "bob", "cat"), penetrance: str = "complete"
) -> list[tuple]:
    copies = np.array(rows, dtype=np.uint8)
    genes = pl.Series(["G"] * len(rows))
    found = candidates(
        copies, np.zeros(len(rows), dtype=np.uint8), Pedigree.from_rows(SIBLINGS), people, genes, penetrance
    )
    chosen = found.filter(inheritance="compound heterozygous")
    return chosen.select("family", "variant", "partner", "note").rows()


def test_compound_heterozygous_siblings() -> None:
    from_ma, from_pa = (1, 0, 1, 1, 1), (0, 1, 1, 1, 0)
    assert pairs(from_ma, from_pa) == [("F", 0, 1, "")]
    # The well sister has both as well.
    assert pairs(from_ma, (0, 1, 1, 1, 1)) == []
    assert pairs(from_ma, (0, 1, 1, 1, 1), penetrance="incomplete") == [("F", 0, 1, "")]
    # Bob has only one of them.
    assert pairs(from_ma, (0, 1, 1, 0, 0)) == []
    # Bob was not called at one; the father was not sequenced.
    assert pairs(from_ma, (0, 1, 1, 3, 0)) == [("F", 0, 1, "")]
    assert pairs((1, 1, 1, 1), (0, 1, 1, 0), people=("ma", "ann", "bob", "cat")) == [("F", 0, 1, "phase unknown")]


def test_candidates_of_a_family() -> None:
    copies = np.array([(0, 0, 1, 1, 0), (1, 1, 2, 2, 3), (0, 0, 0, 0, 1)], dtype=np.uint8)
    found = candidates(
        copies,
        np.zeros(3, dtype=np.uint8),
        Pedigree.from_rows(SIBLINGS),
        SIBLINGS["person"].to_list(),
        pl.Series(["A"] * 3),
    )
    assert found.rows() == [
        ("F", 0, None, "A", "dominant", True, ""),
        ("F", 1, None, "A", "recessive", False, "somebody not called"),
    ]


def test_rows_become_families_and_trios() -> None:
    loner = pl.DataFrame({"person": ["eve"], "father": ["adam"], "mother": [None], "sex": [None], "affected": [None]})
    everybody = pl.concat([THREE_GENERATIONS, loner], how="vertical_relaxed")
    pedigree = Pedigree.from_rows(everybody)
    assert pedigree.families == ("gran", "eve")
    assert pedigree.people[-1] == "adam"
    assert pedigree.family[-1] == "eve"
    samples = ["girl", "mum", "boy", "eve", "gran"]
    trios = pedigree.trios(samples)
    named = [samples[i] for i in trios.child], [samples[i] if i >= 0 else None for i in trios.mother]
    assert named == (["mum", "boy", "girl", "eve"], ["gran", "mum", "mum", None])
    assert trios.father.tolist() == [-1] * 4
    assert trios.male.tolist() == [False, True, False, False]
    # The boy's mother is ill, and so is hers.
    assert len(pedigree.trios(samples, of_well_parents=True)) == 0
    siblings = Pedigree.from_rows(SIBLINGS).trios(["cat", "bob", "ann", "pa"], of_well_parents=True)
    assert sorted(siblings.child) == [1, 2]


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("person", ["gran", "gran", "mum", "uncle", "dad", "boy", "girl"], "two rows"),
        ("person", [None, "grandad", "mum", "uncle", "dad", "boy", "girl"], "no name"),
        ("father", ["boy", None, "grandad", "grandad", None, "dad", "dad"], "own ancestor"),
        ("mother", [None, None, "grandad", "gran", None, "mum", "mum"], "other sex"),
        ("affected", [2, 1, 2, 1, 1, 2, 0], "not true"),
    ],
)
def test_pedigrees_that_cannot_be(column: str, values: list[str | int | None], found: str) -> None:
    rows = THREE_GENERATIONS.with_columns(pl.Series(column, values))
    with pytest.raises(BadInput, match=found):
        Pedigree.from_rows(rows)


def test_what_is_not_asked_well_is_refused() -> None:
    pedigree = Pedigree.from_rows(SIBLINGS)
    with pytest.raises(BadInput, match="is not known"):
        segregation(np.zeros((1, 5), dtype=np.uint8), np.zeros(1, dtype=np.uint8), pedigree, list("abcde"), "polygenic")
    with pytest.raises(BadInput, match="alleles x samples"):
        segregation(np.zeros((1, 4), dtype=np.uint8), np.zeros(1, dtype=np.uint8), pedigree, list("abcde"), "dominant")
