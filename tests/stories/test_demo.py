"""What `nhsgen demo` shows a newcomer: no hospital alone finds the gene, all of them together do."""

import shutil
from pathlib import Path

import pytest

import nhsgen as ng
from nhsgen import demo
from nhsgen.errors import BadInput
from nhsgen.results import Released, Suppressed, Value

KIDNEY = ng.hpo("HP:0000107") | ng.icd10("Q61")
DAMAGING = ng.variants(impact="high", max_af=0.001)


@pytest.fixture(scope="module")
def answer(demo_workspace: Path) -> Released:
    return ng.open(demo_workspace).burden(KIDNEY, variants=DAMAGING)


def test_together_they_find_the_planted_gene_first_and_nothing_else(answer: Released) -> None:
    genes, p = answer.table.column("gene"), answer.table.column("p")
    assert genes[0] == Value("PKD1")
    assert isinstance(p[0], Value)
    assert float(p[0].value) < 1e-4
    assert not [cell for cell in p[1:] if isinstance(cell, Value) and float(cell.value) < 0.05]


@pytest.mark.parametrize("site", ["moorland", "northgate", "riverside"])
def test_no_hospital_alone_may_show_it(demo_workspace: Path, site: str) -> None:
    result = ng.open(demo_workspace).at(site).burden(KIDNEY, variants=DAMAGING)
    rows = [row for row in result.table.rows if row[0] == Value("PKD1")]
    assert all(isinstance(cell, Suppressed) for row in rows for cell in (row[1], row[-2], row[-1]))


def test_the_question_in_the_file_is_the_question_in_the_notebook(demo_workspace: Path, answer: Released) -> None:
    from_file = ng.open(demo_workspace).run(demo_workspace / "question.toml")
    assert from_file.table == answer.table
    assert {**from_file.question, "purpose": ""} == {**answer.question, "purpose": ""}
    assert from_file.receipt.study != answer.receipt.study  # the purpose is part of what a steward signs


def test_the_answer_is_saved_as_table_picture_and_receipt(demo_workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(demo_workspace, tmp_path / "demo")
    demo.ask(tmp_path / "demo")
    saved = sorted(path.name for path in (tmp_path / "demo" / "answers").iterdir())
    assert saved == ["first-question.csv", "first-question.html", "first-question.json", "first-question.png"]
    assert b"PKD1" in (tmp_path / "demo" / "answers" / "first-question.csv").read_bytes()


def test_it_does_not_build_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="something is there already"):
        list(demo.build(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_gene_that_nobody_lists_is_named_not_counted_as_zero_in_silence(demo_workspace: Path) -> None:
    lab = ng.open(demo_workspace)
    mistyped = lab.carriers(ng.everyone(), DAMAGING.in_genes("PKD1", "PDK1"))
    assert [note for note in mistyped.notes if "PDK1" in note and "no variant" in note] == [
        f"{site} has no variant on a gene called PDK1." for site in lab.sites
    ]
    assert not [note for note in mistyped.notes if "no variant on a gene called PKD1" in note]
