"""Gene burden as geneBurdenRD runs it and site by site, and several masks of rare variants at once: right on the demo, however split."""

from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from four_hospitals import SETTINGS
from test_analyses_split import EGFR, ILL, Splits, estimated, same, splits  # noqa: F401  (a fixture among them)

import nhsgen as ng
from nhsgen import plots, studies
from nhsgen.errors import BadStudy
from nhsgen.estimates import Burden
from nhsgen.fourfold import benjamini_hochberg
from nhsgen.results import Released, Value
from nhsgen.statistics import cmh
from nhsgen.studies import SUMS, Study

KIDNEY = ng.hpo("HP:0000107") | ng.icd10("Q61")
BREAST_CANCER = ng.icd10("C50")
DAMAGING = ng.variants(impact="high", max_af=0.001)
ALTERING = ng.variants(impact=["high", "moderate"], max_af=0.001)
EVERY_IMPACT = ng.variants(impact=["high", "moderate", "low"])


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


def genes_of(released: Released) -> dict[str, dict[str, Any]]:
    return {row["gene"]: row for row in released.to_polars().iter_rows(named=True)}


# -- As geneBurdenRD ----------------------------------------------------------------------------------------------------


def test_gene_burden_rd_is_a_name_for_its_settings() -> None:
    """Whoever approves the question reads what the name means."""
    study = Study("burden", KIDNEY, variants=DAMAGING, options={"preset": "geneBurdenRD"})
    assert study.alternative == "greater"
    assert study.options == {
        "preset": "geneBurdenRD", "min_cases": 5, "min_carriers": 4, "min_case_carriers": 1, "strata": "none",
    }  # fmt: skip
    assert Study.from_dict(study.to_dict()) == study
    assert "preset geneBurdenRD; min_cases 5; min_carriers 4; min_case_carriers 1" in study.describe()


def test_gene_burden_rd_finds_the_planted_gene_alone(lab: ng.Lab) -> None:
    released = lab.burden(KIDNEY, variants=DAMAGING, preset="geneBurdenRD")
    found = genes_of(released)
    assert [gene for gene, row in found.items() if row["q"] is not None and row["q"] < 0.05] == ["PKD1"]
    assert found["PKD1"]["95 % low"] < found["PKD1"]["odds ratio"] < found["PKD1"]["95 % high"]
    assert any("geneBurdenRD" in note for note in released.notes)
    spelt_out = lab.burden(
        KIDNEY, variants=DAMAGING, alternative="greater", min_cases=5, min_carriers=4, min_case_carriers=1
    )
    assert spelt_out.table == released.table


def test_minimums_leave_out_genes_and_q_is_of_the_others(lab: ng.Lab) -> None:
    everything = genes_of(lab.burden(BREAST_CANCER | KIDNEY, variants=ALTERING))
    some = genes_of(lab.burden(BREAST_CANCER | KIDNEY, variants=ALTERING, min_carriers=120))
    tested = {gene: row for gene, row in some.items() if row["q"] is not None}
    assert 2 < len(tested) < len([row for row in everything.values() if row["q"] is not None])
    assert all(row["cases with"] + row["controls with"] >= 120 for row in tested.values())
    assert {gene: row["p"] for gene, row in tested.items()} == {gene: everything[gene]["p"] for gene in tested}
    hidden = [1.0 for row in some.values() if "suppressed" in row["status"]]
    q = benjamini_hochberg([row["p"] for row in tested.values()] + hidden)
    assert [row["q"] for row in tested.values()] == pytest.approx(q[: len(tested)], rel=0.06)


# -- Site by site -------------------------------------------------------------------------------------------------------


def test_site_by_site_the_planted_genes_are_found_and_near_the_exact_answer(lab: ng.Lab) -> None:
    study = Study("burden", BREAST_CANCER | KIDNEY, variants=ALTERING, options={"strata": "site"})
    exact = {row.gene: row for row in estimated(study, [lab.workspace.site(name) for name in lab.sites]).rows}
    shown = {gene: row for gene, row in genes_of(lab.run(study)).items() if row["p"] is not None}
    assert len(shown) > 10
    for gene, row in shown.items():
        assert row["odds ratio"] == pytest.approx(exact[gene].odds_ratio, rel=0.25), gene
        assert row["95 % low"] < exact[gene].odds_ratio < row["95 % high"], gene
    assert [gene for gene, row in shown.items() if row["q"] < 0.05] == ["BRCA2", "BRCA1"]


def test_of_one_site_alone_nothing_is_compared_within_sites(lab: ng.Lab) -> None:
    released = lab.at("northgate").burden(BREAST_CANCER, variants=ALTERING, strata="site")
    assert not any(isinstance(cell, Value) for cell in released.table.column("p"))


BY_SITE = Study("burden", ILL, variants=ng.variants(), options={"strata": "site"})


def test_what_sites_send_adds_up_to_the_test_of_their_tables(splits: Splits) -> None:  # noqa: F811  (the fixture)
    """In whole numbers, which masks can cover. At the small site nobody is ill, and it lists few genes: it has nothing to compare."""
    parts = [studies.summarise(BY_SITE, site, SETTINGS).summary for site in splits["three"]]
    total = reduce(add, [part for part in parts if part is not None])
    estimate = SUMS["burden"].estimate(BY_SITE, total)
    assert isinstance(estimate, Burden)
    found = {row.gene: row for row in estimate.rows}
    assert {"PKD1", "UMOD", "GLA"} <= set(found)
    for gene, row in found.items():
        tables = np.array([[part.row(gene)[name] for name in ("case_carriers", "cases", "control_carriers", "controls")]
                           for part in parts if part is not None and gene in part.labels])  # fmt: skip
        expected = cmh.estimate(cmh.summarise(*(column[None, :] for column in tables.T)))
        if not expected.reason[0]:
            assert [row.odds_ratio, row.low, row.high, row.p] == pytest.approx(
                [float(each[0]) for each in (expected.odds_ratio, expected.low, expected.high, expected.p)], rel=1e-7
            )
            assert row.by_site is not None
            assert row.by_site.sites == 2
            assert row.by_site.fewest <= min(row.case_carriers, row.control_carriers)
        else:
            assert row.by_site is None
    assert sum(row.by_site is not None for row in found.values()) >= 3


# -- Masks --------------------------------------------------------------------------------------------------------------

MASKS: dict[str, Any] = {"impacts": ["high", "high+moderate"], "max_afs": [0.02, 0.05]}


def masked(**options: Any) -> tuple[Study, Study]:
    """Of a measurement, and of a disease."""
    chosen = {"site_effect": "none"} | MASKS | options
    return (
        Study("gene_tests", ng.everyone(), traits=(EGFR,), variants=ng.variants(), options=chosen),
        Study("gene_tests", ILL, variants=ng.variants(), options={"weights": "equal"} | chosen),
    )


@pytest.mark.parametrize("study", masked(), ids=["a measurement", "a disease"])
def test_however_people_are_split_the_masks_are_the_same(splits: Splits, study: Study) -> None:  # noqa: F811  (the fixture)
    one = estimated(study, splits["one"])
    for split in ("two", "three"):
        same(asdict(estimated(study, splits[split])), asdict(one))
    assert {row.mask for row in one.rows} >= {"high, up to 0.05", "high+moderate, up to 0.05"}
    assert ("high, up to 0.02", "high+moderate, up to 0.05") in one.nested
    assert ("high, up to 0.05", "high+moderate, up to 0.02") not in one.nested
    carriers = {(row.gene, row.mask): row.carriers for row in one.rows}
    compared = [(gene, mask) for gene, mask in carriers if (gene, mask.replace("+moderate", "")) in carriers]
    assert len(compared) > 4
    assert all(carriers[gene, mask] >= carriers[gene, mask.replace("+moderate", "")] for gene, mask in compared)


def test_a_mask_asks_what_a_study_of_its_own_would(splits: Splits) -> None:  # noqa: F811
    both = estimated(masked()[0], splits["one"])
    alone = estimated(masked(impacts=["high"], max_afs=0.05)[0], splits["one"])
    assert {row.mask for row in alone.rows} == {""}
    for row in alone.rows:
        twin = next(each for each in both.rows if (each.gene, each.mask) == (row.gene, "high, up to 0.05"))
        assert asdict(twin) | {"mask": ""} == asdict(row)


def test_the_broken_gene_is_found_over_all_masks_and_silent_variants_are_not(lab: ng.Lab) -> None:
    released = lab.gene_tests(
        BREAST_CANCER, ng.sex("female") & ~BREAST_CANCER, variants=EVERY_IMPACT, covariates="birth_year",
        impacts=["high", "low"], max_afs=[0.001, 0.01],
    )  # fmt: skip
    frame = released.to_polars()
    assert frame["gene"][0] == "BRCA2"
    assert frame["all masks p"][0] < 1e-20
    assert frame.filter(mask="low, up to 0.01", gene="BRCA2")["ACAT-O p"].item() > 0.05
    together = frame.unique("gene")
    assert set(together.filter(together["all masks p"] < 0.05 / len(together))["gene"]) >= {"BRCA1", "BRCA2"}
    (axes,) = released.plot().axes
    assert [text.get_text() for text in axes.get_yticklabels()][:2] == ["BRCA2", "BRCA1"]


def test_equal_weights_are_another_test_of_the_same_genes(splits: Splits) -> None:  # noqa: F811
    rarer, equal = (estimated(masked(weights=weights)[0], splits["one"]) for weights in ("beta(1,25)", "equal"))
    assert [(row.gene, row.mask, row.carriers) for row in rarer.rows] == [
        (row.gene, row.mask, row.carriers) for row in equal.rows
    ]
    assert any(abs(one.skat_p - other.skat_p) > 1e-3 for one, other in zip(rarer.rows, equal.rows, strict=True))
    for one, other in zip(rarer.rows, equal.rows, strict=True):
        assert one.acat_o_p == pytest.approx(other.acat_o_p, rel=1e-9)  # it asks with both


def test_a_burden_is_drawn_as_a_volcano(lab: ng.Lab) -> None:
    figure = plots.volcano(lab.burden(BREAST_CANCER, variants=ALTERING, strata="site"))
    assert "odds ratio" in figure.axes[0].get_xlabel()


# -- What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "options", "says"), [
    ("burden", {"preset": "geneBurden"}, "use none or geneBurdenRD"),
    ("burden", {"preset": "geneBurdenRD", "min_carriers": 10}, "its preset sets min_carriers to 4, not 10; leave out one of them"),
    ("burden", {"strata": "ancestry"}, "use none or site"),
    ("burden", {"min_cases": 0}, "give a number from 1 to 100000"),
    ("gene_tests", {"impacts": []}, "write a list of them, each once"),
    ("gene_tests", {"impacts": ["high", "high"]}, "write a list of them, each once"),
    ("gene_tests", {"impacts": ["severe"]}, "use all or high or moderate"),
    ("gene_tests", {"max_afs": [0.01, 0.9]}, "give a number from 1e-06 to 0.5"),
    ("gene_tests", {"max_afs": [True]}, "give a number"),
    ("gene_tests", {"weights": "flat"}, "use beta(1,25) or equal"),
])  # fmt: skip
def test_a_wrong_setting_is_answered_by_what_to_do(method: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadStudy) as refused:
        Study(method, KIDNEY, variants=DAMAGING, options=options)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
