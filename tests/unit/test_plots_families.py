"""Pictures of families and phenotypes: what is in the table is in the picture, and what is not shown is said."""

from collections.abc import Sequence
from typing import Any

import pytest

from nhsgen import plots
from nhsgen.errors import BadInput
from nhsgen.results import Receipt, Released, Suppressed, Table, Value, Zero

KINDS: dict[str, tuple[str, ...]] = {
    "segregation": ("gene", "mother", "father", "child", "child affected", "families"),
    "cosegregation": ("gene", "model", "families", "of"),
    "trio_quality": ("what", "number", "trios"),
    "similarity": ("group", "other", "similarity", "people"),
    "phenotype_match": ("gene", "people"),
}


def released(kind: str, rows: Sequence[Sequence[Any]]) -> Released:
    cells = tuple(
        tuple(Suppressed("few") if cell is None else Zero() if cell == 0 else Value(cell) for cell in row)
        for row in rows
    )
    receipt = Receipt("0" * 64, "nhs", (), (), "2026-11-23T09:00:00+00:00")
    return Released(kind, "Invented", Table(KINDS[kind], cells), (), {}, receipt)


def words(kind: str, rows: Sequence[Sequence[Any]]) -> list[str]:
    """Every text in the panels."""
    figure = released(kind, rows).plot()
    figure.set_dpi(40)
    figure.draw_without_rendering()
    labels = [label for axes in figure.axes for label in (*axes.get_yticklabels(), *axes.get_xticklabels())]
    titles = [axes.get_title() + axes.get_title(loc="left") for axes in figure.axes]
    texts = [text.get_text().strip() for axes in figure.axes for text in axes.texts] + [
        text.get_text() for text in labels
    ]
    return [*texts, *titles, str(figure.get_supxlabel())]


def test_genes_are_named_where_there_are_several() -> None:
    one, other = ["SCN1A", "0/0", "0/0", "0/1", "yes", 10], ["ABCA4", "0/0", "0/1", "0/1", "no", None]
    assert {"SCN1A\n10 families", "ABCA4\nfamilies: suppressed"} <= set(words("segregation", [one, other]))
    assert "10 families" in words("segregation", [one, one])


def test_families_in_which_it_goes_with_the_illness_are_a_part_of_a_bar() -> None:
    said = words("cosegregation", [["A", "dominant", 15, 35], ["A", "recessive", 0, 35], ["B", "dominant", None, 20]])
    assert {"15 of 35", "0 of 35", "suppressed", "A, dominant", "B, dominant"} <= set(said)


def test_trios_have_a_panel_for_each_of_what_is_counted() -> None:
    said = words("trio_quality", [["errors", "none", 380], ["errors", "few", None], ["new", "0", 380], ["new", "1", 0]])
    assert {"errors", "new", "380", "suppressed", "0"} <= set(said)


def test_groups_are_squares_with_their_similarity() -> None:
    rows = [["a", "a", 1.0, 40], ["a", "b", 0.25, 40], ["b", "a", 0.25, 15], ["b", "b", None, 15]]
    said = words("similarity", rows)
    assert {"1.00", "0.25", "suppressed", "a (40)", "b (15)"} <= set(said)
    many = [[f"g{n}", f"g{m}", 0.5, 10] for n in range(25) for m in range(25)]
    assert any("5 more groups in the table" in text for text in words("similarity", many))


def test_the_genes_of_most_people_have_bars() -> None:
    said = words("phenotype_match", [[f"G{n}", 200 - 5 * n] for n in range(30)])
    assert {"G0", "200", "G24"} <= set(said)
    assert "G25" not in said
    assert "5 more in the table." in said


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_an_empty_picture_and_other_columns_are_refused(kind: str) -> None:
    words(kind, [])
    wrong = Released(kind, "Invented", Table(("a",), ()), (), {}, released(kind, []).receipt)
    with pytest.raises(BadInput, match="has no column"):
        wrong.plot()
    assert plots.__all__
