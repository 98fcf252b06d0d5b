"""A released table keeps the type of every cell, wherever it goes."""

import json
from pathlib import Path

import polars as pl
import pytest

from nhsgen import disclosure, plots
from nhsgen.errors import BadInput
from nhsgen.estimates import Counts
from nhsgen.results import NoSuchColumn, NotRun, Receipt, Released, Suppressed, Value, Zero

RECEIPT = Receipt(
    "ab" * 32, "nhs", (("leeds", "cd" * 32),), (("york", "it has no release"),), "2026-11-23T06:00:00+00:00"
)


@pytest.fixture
def released() -> Released:
    counts = Counts(
        ("site", "group <b>"), {("leeds", "a"): 42, ("leeds", "b"): 3, ("leeds", "c"): 5, ("leeds", "d"): 0}
    )
    return disclosure.gate(
        counts, policy=disclosure.PRESETS["nhs"], title="How many?", question={"purpose": "<script>"}, receipt=RECEIPT,
        sites=1, population=1000,
    )  # fmt: skip


def test_cells_say_what_they_are() -> None:
    cells = (
        Value(1234),
        Value(0.00012345),
        Value("PKD1"),
        Suppressed("too few"),
        Zero(),
        NotRun("why"),
        NoSuchColumn("sex"),
    )
    assert [str(cell) for cell in cells] == [
        "1,234",
        "0.000123",
        "PKD1",
        "suppressed",
        "0",
        "not run",
        "no such column",
    ]


def test_a_suppressed_cell_is_never_a_zero(released: Released, tmp_path: Path) -> None:
    people = dict(
        zip((str(c) for c in released.table.column("group <b>")), released.table.column("people"), strict=True)
    )
    assert isinstance(people["b"], Suppressed)
    frame = released.to_polars()
    row = frame.filter(pl.col("group <b>") == "b")
    assert row["people"].item() is None
    assert row["status"].item() == "people: suppressed"
    for name, reader in ((".csv", pl.read_csv), (".parquet", pl.read_parquet)):
        saved = reader(released.save(tmp_path / f"answer{name}"))
        assert saved.filter(pl.col("group <b>") == "b")["people"].item() is None


def test_json_keeps_types_question_and_receipt(released: Released, tmp_path: Path) -> None:
    whole = json.loads(released.save(tmp_path / "answer.json").read_text())
    types = {row["people"]["type"] for row in whole["rows"]}
    assert {"Value", "Suppressed", "NotRun"} <= types
    assert whole["receipt"]["study"] == RECEIPT.study
    assert whole["question"] == {"purpose": "<script>"}


def test_html_escapes_and_gives_the_reason_with_the_cell(released: Released) -> None:
    page = released._repr_html_()
    assert "group &lt;b&gt;" in page
    assert "<script>" not in page
    assert 'title="fewer than 8 people' in page
    assert 'title="it has no release"' in page


def test_a_form_that_nobody_reads_is_refused(released: Released, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.csv"):
        released.save(tmp_path / "answer.docx")
    assert not list(tmp_path.iterdir())


def test_the_receipt_reads_aloud() -> None:
    assert str(RECEIPT).splitlines()[-1] == "york did not answer: it has no release."


def test_the_picture_draws_what_is_shown_and_says_what_is_not(released: Released) -> None:
    axes = released.plot().axes[0]
    written = {text.get_text().strip() for text in axes.texts}
    assert "suppressed" in written
    assert len(axes.patches) == sum(isinstance(cell, Value | Zero) for cell in released.table.column("people"))
    assert axes.get_xlabel() == "people"
    assert plots.counts(released)._repr_png_().startswith(b"\x89PNG")
