"""Small tables in, small tables out."""

import math

import numpy as np
import polars as pl
import pytest

from nhsgen.errors import BadInput, BadStudy
from nhsgen.genome import Assembly
from nhsgen.statistics import (
    BACKGROUND,
    Summary,
    burden,
    carriers,
    counts,
    frequencies,
    label,
    parts,
)


def test_a_group_of_several_columns_has_one_name() -> None:
    assert parts(label(["Leeds", "female"])) == ("Leeds", "female")
    assert parts(label([1960])) == ("1960",)
    assert parts(label([""])) == ("not recorded",)
    with pytest.raises(BadInput, match="control character"):
        label(["Leeds\x1ffemale"])


@pytest.mark.parametrize(
    "rows",
    [{"a": [-1]}, {"a": [2**62]}, {"a": [2**63]}, {"a": [2**70]}, {"a": [0.5]}, {"a": ["7"]}, {"a": [1, 2]}, {"a": []}],
)
def test_a_summary_refuses_nonsense(rows: dict[str, list[object]]) -> None:
    with pytest.raises(BadInput):
        Summary.from_rows(("people",), rows)  # type: ignore[arg-type]


def test_a_summary_does_not_overflow() -> None:
    most = Summary.from_rows(("people",), {"a": [2**62 - 1]})
    with pytest.raises(BadInput, match="beyond 2"):
        most + most
    with pytest.raises(BadInput):
        Summary.from_vector(["a"], ["people"], np.array([2**63 + 1], dtype=np.uint64))


def test_a_summary_cannot_be_changed_nor_added_to_another_kind() -> None:
    summary = Summary.from_rows(("people",), {"a": [1]})
    with pytest.raises(ValueError, match="read-only"):
        summary.values[0, 0] = 2
    with pytest.raises(BadInput, match="different things"):
        summary + Summary.zero(("carriers",))
    with pytest.raises(BadInput, match="not sorted"):
        Summary(("b", "a"), ("people",), np.ones((2, 1), dtype=np.int64))
    with pytest.raises(BadInput, match="no measures or no rows"):
        Summary.from_dict({"rows": {}})
    with pytest.raises(BadInput, match="not asked for"):
        summary.vector(["b"])


def test_people_are_counted_not_rows() -> None:
    frame = pl.DataFrame({"person_id": ["x", "x", "y", "z"], "sex": ["female", "female", "male", None]})
    assert counts.estimate(counts.summarise(frame, ["sex"]), ["sex"]).cells == {
        ("female",): 1,
        ("male",): 1,
        ("not recorded",): 1,
    }
    assert counts.estimate(counts.summarise(frame, []), []).cells == {(): 3}


def test_a_carrier_of_two_alleles_in_a_gene_counts_once_there() -> None:
    frame = pl.DataFrame(
        {"person_id": [1, 1, 1, 2], "gene": ["PKD1", "PKD1", "PKD2", "PKD1"], "sex": ["f", "f", "f", "m"]}
    )
    by_gene = carriers.estimate(carriers.summarise(frame, 50, ["gene", "sex"]), ["gene", "sex"])
    assert by_gene.cells == {("PKD1", "f"): 1, ("PKD2", "f"): 1, ("PKD1", "m"): 1}
    assert by_gene.people == 50
    assert carriers.estimate(carriers.summarise(frame, 50, []), []).cells == {(): 2}


def _allele(key: str, gene: str | None, ac: int, an: int, carriers: int, homozygous: int = 0) -> pl.DataFrame:
    chrom, pos = key.split("-")[:2]
    return pl.DataFrame(
        {"key": [key], "gene": [gene], "chrom": [chrom], "pos": [int(pos)], "ac": [ac], "an": [an], "carriers": [carriers],
         "hom_alt": [homozygous]}, schema_overrides={"gene": pl.String}
    )  # fmt: skip


def test_an_allele_of_one_site_is_reference_at_a_joint_call_set_elsewhere() -> None:
    """10 men and 10 women here; there 5 men, 3 women; on X outside the PAR they have 5 + 6 alleles."""
    here = frequencies.summarise(
        _allele("X-50000000-G-A", "FMR1", 4, 30, 3, 1),
        {"female": 10, "male": 10},
        assembly=Assembly.GRCh38,
        absence="reference",
    )
    there = frequencies.summarise(
        _allele("1-100-A-C", None, 1, 16, 1), {"female": 3, "male": 5}, assembly=Assembly.GRCh38, absence="reference"
    )
    first, second = frequencies.estimate(here + there).rows
    assert (second.variant, second.gene, second.alternate, second.called, second.people) == (
        "X-50000000-G-A",
        "FMR1",
        4,
        41,
        28,
    )
    assert (first.called, first.people, first.gene) == (16 + 40, 28, "")


def test_an_allele_of_one_site_is_unknown_at_single_calls_elsewhere() -> None:
    here, there = (
        frequencies.summarise(
            _allele(key, "PKD1", 4, 20, 4), {"female": 10}, assembly=Assembly.GRCh38, absence="unknown"
        )
        for key in ("16-10-C-T", "16-20-C-T")
    )
    total = frequencies.estimate(here + there)
    assert [(row.called, row.people) for row in total.rows] == [(20, 10), (20, 10)]
    assert total.people == 20


def test_sites_may_name_the_gene_of_an_allele_differently() -> None:
    here, there = (
        frequencies.summarise(
            _allele("16-10-C-T", gene, 4, 20, 4), {"female": 10}, assembly=Assembly.GRCh38, absence="reference"
        )
        for gene in ("PKD1", "PKD1P1")
    )
    (row,) = frequencies.estimate(here + there).rows
    assert (row.gene, row.alternate, row.called) == ("PKD1, PKD1P1", 8, 40)


def _burden(*tables: tuple[str, int, int], cases: int = 73, controls: int = 1567) -> Summary:
    rows = {gene: [a, cases, b, controls, cases, controls] for gene, a, b in tables}
    return Summary.from_rows(burden.MEASURES, rows | {BACKGROUND: [0, cases, 0, controls, cases, controls]})


def test_genes_come_in_order_of_p() -> None:
    answer = burden.estimate(_burden(("UMOD", 1, 20), ("PKD1", 24, 10), ("ABCA4", 0, 0)))
    assert [row.gene for row in answer.rows] == ["PKD1", "UMOD", "ABCA4"]
    top, middle, last = answer.rows
    assert top.p == pytest.approx(5.8e-27, rel=0.01)
    assert top.odds_ratio == pytest.approx(76.26, rel=1e-3)
    assert top.q == pytest.approx(2 * top.p)  # two genes were tested, not three
    assert middle.q == middle.p
    assert (last.p, last.q) == (1.0, 1.0)
    assert math.isnan(last.odds_ratio)
    assert (answer.cases, answer.controls) == (73, 1567)


def test_a_gene_below_gene_burden_rds_minimum_is_not_tested() -> None:
    answer = burden.estimate(
        _burden(("PKD1", 24, 10), ("UMOD", 0, 9)), "greater", burden.Minimum(cases=5, carriers=4, case_carriers=1)
    )
    assert [row.q for row in answer.rows] == [answer.rows[0].p, 1.0]


def test_burden_refuses_a_case_who_is_a_control_and_an_unknown_alternative() -> None:
    with pytest.raises(BadStudy, match="somebody is both"):
        burden.summarise(pl.DataFrame({"gene": ["PKD1"], "person_id": [1]}), {1}, {1}, ["PKD1"])
    with pytest.raises(BadStudy, match="no alternative"):
        burden.estimate(_burden(("PKD1", 1, 1)), "less")


def test_burden_counts_people_and_only_the_genes_asked_for() -> None:
    frame = pl.DataFrame({"gene": ["PKD1", "PKD1", "TTN"], "person_id": [1, 1, 2]})
    assert burden.summarise(frame, {1, 2}, {3}, ["PKD1"]).row("PKD1")["case_carriers"] == 1
    assert burden.summarise(frame, {1, 2}, {3}, ["PKD1"]).labels == (BACKGROUND, "PKD1")


def test_a_site_with_too_few_people_keeps_everything_back() -> None:
    summary = _burden(("PKD1", 2, 1), cases=3)
    assert summary.without([BACKGROUND]) == Summary.zero(burden.MEASURES)
