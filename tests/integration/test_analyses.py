"""What was planted in the demo is found, each by its own method, and nothing else is; and what may not be asked is refused in a sentence."""

import re
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from four_hospitals import SETTINGS, federation

import nhsgen as ng
from nhsgen.cohorts import hpo
from nhsgen.demo.signals import COMMON_EFFECTS, PLANTED_ALLELES, SURVIVAL
from nhsgen.errors import BadInput, BadStudy, NotFound, NotSafe
from nhsgen.federation import Hub, Node, name_of, site_key
from nhsgen.federation.layouts import Pair, Rows, Shapes
from nhsgen.federation.messages import decode
from nhsgen.genome import Assembly
from nhsgen.results import Released, Suppressed, Value
from nhsgen.statistics import gwas_ssf as ssf
from nhsgen.studies import APART, METHODS, Reference, Study, run
from nhsgen.studies.exports import gwas_ssf
from nhsgen.studies.scoring import Score
from nhsgen.variants.panels import Panel, PanelGene
from nhsgen.workspace import Workspace

EGFR, DIABETES, BREAST_CANCER = ng.measurement("eGFR").latest(), ng.icd10("E11"), ng.icd10("C50")
DAMAGING = ng.variants(impact="high", max_af=0.001)
ALTERING = ng.variants(impact=["high", "moderate"])
SIDE: dict[str, Any] = {"covariates": ["sex", "birth_year"]}


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


def strong(released: Released, p: str = "p") -> pl.DataFrame:
    """The rows that remain when so many questions are allowed for (Bonferroni)."""
    frame = released.to_polars()
    return frame.filter(pl.col(p) < 0.05 / frame.height).sort(p)


def hazard(released: Released, term: str = "carriers against others") -> tuple[float, float, float, float]:
    """Ratio, its limits and p, as the note says them."""
    number = r"([\d.e+-]*\d)"
    (found,) = [
        match
        for note in released.notes
        if (match := re.fullmatch(rf"{term}: hazard ratio {number} \(95 % {number} to {number}\), p {number}\.", note))
    ]
    ratio, low, high, p = map(float, found.groups())
    return ratio, low, high, p


# -- What was planted -------------------------------------------------------------------------------------------------


def test_the_allele_that_costs_egfr_is_found_and_no_other_gene(lab: ng.Lab) -> None:
    planted = next(effect for effect in COMMON_EFFECTS if effect.trait == "eGFR")
    released = lab.gwas(EGFR, **SIDE)
    found = strong(released)
    assert set(found["gene"]) == {planted.gene}
    assert released.table.column("gene")[0] == Value(planted.gene)
    assert abs(found["beta"][0] - planted.per_copy) < 3 * found["se"][0]
    assert released.to_polars().height > 500
    (inflation,) = [float(note.split()[-1].rstrip(".")) for note in released.notes if "lambda" in note]
    assert 0.7 < inflation < 1.3


def test_the_allele_that_makes_diabetes_likelier_is_found_and_no_other_gene(lab: ng.Lab) -> None:
    planted = next(effect for effect in COMMON_EFFECTS if effect.trait == "E119")
    found = strong(lab.gwas(DIABETES, **SIDE))
    assert set(found["gene"]) == {planted.gene}
    assert abs(found["beta"][0] - planted.per_copy) < 3 * found["se"][0]


@pytest.mark.parametrize(("cases", "disease"), [
    (BREAST_CANCER, "breast cancer"), (hpo("HP:0000107") | ng.icd10("Q61"), "cystic kidneys"),
], ids=["breast cancer", "cystic kidneys"])  # fmt: skip
def test_genes_whose_rare_variants_make_ill_are_found_and_no_others(
    lab: ng.Lab, cases: ng.Cohort, disease: str
) -> None:
    controls = ng.sex("female") & ~cases if disease == "breast cancer" else ~cases
    released = lab.gene_tests(cases, controls, variants=DAMAGING, covariates="birth_year")
    assert set(strong(released, "SKAT-O p")["gene"]) == {one.gene for one in PLANTED_ALLELES if one.disease == disease}


def test_no_gene_is_found_for_what_no_gene_does(lab: ng.Lab) -> None:
    assert strong(lab.gene_tests(EGFR, variants=DAMAGING, **SIDE), "SKAT-O p").is_empty()
    assert strong(lab.gwas(ng.measurement("haemoglobin").latest(), **SIDE)).is_empty()


def test_families_with_a_new_allele_and_with_two_broken_ones_are_found(lab: ng.Lab) -> None:
    children = hpo("HP:0001250") | hpo("HP:0000556")
    rare = ng.variants(impact=["high", "moderate"], max_af=0.01)
    wanted = [("ABCA4", "compound heterozygous"), ("SCN1A", "dominant, de novo")]
    panel = lab.families(children, rare.in_genes("SCN1A", "ABCA4")).to_polars().sort("gene")
    assert list(zip(panel["gene"], panel["inheritance"], strict=True)) == wanted
    assert set(panel["tier"]) == {"tier 1"}
    for row in panel.iter_rows(named=True):
        planted = sum(sum(one.cases) for one in PLANTED_ALLELES if one.gene == row["gene"])
        assert abs(row["families"] - planted) <= 5  # rounded to 5, and a sample may lack a call
    every = lab.families(children, rare).to_polars().sort("gene")
    assert list(zip(every["gene"], every["inheritance"], strict=True)) == wanted
    assert set(every["tier"]) == {"tier 3"}  # without a panel no gene is one of its genes
    alone = lab.at("riverside").families(children, rare)
    assert alone.table.rows == ()


def test_carriers_of_the_planted_gene_die_sooner(lab: ng.Lab) -> None:
    carriers = DAMAGING.in_genes(SURVIVAL.gene)
    released = lab.survival(BREAST_CANCER, since=BREAST_CANCER, variants=carriers, months=6)
    _, low, high, p = hazard(released)
    assert p < 0.01
    assert low <= SURVIVAL.hazard_ratio <= high
    curves = released.to_polars().filter(pl.col("time") == 60).sort("group")
    assert curves["group"].to_list() == ["carriers", "others"]
    assert curves["survival"][0] < curves["survival"][1]
    older = lab.survival(
        BREAST_CANCER, since=BREAST_CANCER, variants=carriers, months=6, covariates=["birth_year", "eGFR"]
    )
    assert hazard(older)[3] < 0.01
    assert hazard(older, "eGFR")[1] < 1 < hazard(older, "eGFR")[2]


def test_carriers_in_a_gene_without_effect_live_as_long(lab: ng.Lab) -> None:
    released = lab.survival(BREAST_CANCER, since=BREAST_CANCER, variants=ALTERING.in_genes("GLA"), months=6)
    _, low, high, p = hazard(released)
    assert low < 1 < high
    assert p > 0.05


def test_small_groups_have_no_curve_and_no_ratio(lab: ng.Lab) -> None:
    released = lab.survival(BREAST_CANCER, since=BREAST_CANCER, by="ancestry", months=24)
    frame = released.to_polars()
    hidden = set(frame.filter(pl.col("at risk").is_null())["group"])
    assert hidden
    for name in hidden:
        row = next(row for row in released.table.rows if str(row[0]) == name)
        assert all(isinstance(cell, Suppressed) for cell in row[2:])
    said = [note for note in released.notes if "hazard ratio" in note and any(name in note for name in hidden)]
    assert said
    assert all("no hazard ratio, because fewer than 8 people" in note for note in said)


def test_sites_that_are_all_alike_in_a_group_are_not_compared(lab: ng.Lab) -> None:
    """Cox's model has a stratum a site, so it cannot say whether a site itself is better; nor does it break down over it."""
    released = lab.survival(BREAST_CANCER, since=BREAST_CANCER, by="site", months=24)
    assert {str(row[0]) for row in released.table.rows} == {"moorland", "northgate", "riverside"}
    assert not any(": hazard ratio" in note or "Log-rank" in note for note in released.notes)


def test_genomes_tell_recorded_ancestries_apart(lab: ng.Lab) -> None:
    """Without having been told them."""
    released = lab.structure(ng.everyone())
    middle = {
        row["ancestry"]: row
        for row in released.to_polars()
        .group_by("ancestry")
        .agg(*((pl.col(pc) * pl.col("people")).sum() / pl.col("people").sum() for pc in ("pc1", "pc2")))
        .iter_rows(named=True)
    }
    assert abs(middle["AFR"]["pc1"] - middle["EUR"]["pc1"]) > 2
    assert abs(middle["SAS"]["pc2"] - middle["EUR"]["pc2"]) > 1
    assert all(people >= 10 for people in released.to_polars()["people"])  # eight, rounded


# -- What is refused --------------------------------------------------------------------------------------------------

MISTAKES: Mapping[str, tuple[Callable[[ng.Lab], object], str]] = {
    "an option nobody knows": (
        lambda lab: lab.gwas(EGFR, min_copies=20), "the option 'min_copies' is unknown; did you mean 'min_count'"),
    "an option of another method": (
        lambda lab: lab.structure(ng.everyone(), years=5), "the option 'years' is unknown"),
    "an option that is too low": (lambda lab: lab.gwas(EGFR, min_count=1), "give a number from 10 to 10000"),
    "an option that is too high": (lambda lab: lab.structure(ng.everyone(), min_af=0.6), "give a number from 0.01 to 0.5"),
    "an option that is no whole number": (
        lambda lab: lab.survival(BREAST_CANCER, BREAST_CANCER, months=1.5), "give a whole number"),
    "an option that is a truth": (lambda lab: lab.gwas(EGFR, min_count=True), "give a whole number"),
    "an option with another choice": (lambda lab: lab.gwas(EGFR, relatives="some"), "use drop or keep"),
    "covariates that are numbers": (lambda lab: lab.gwas(EGFR, covariates=[1]), "write a list of texts"),  # type: ignore[list-item]
    "a measurement and controls": (lambda lab: lab.gwas(EGFR, DIABETES), "it has controls; leave them out"),
    "cases and people": (lambda lab: lab.gwas(DIABETES, people=BREAST_CANCER), "it also names people"),
    "traits and controls": (
        lambda _: Study("association", ng.everyone(), DIABETES, ng.variants(), traits=(EGFR,)),
        "it has both traits and controls"),
    "traits of a count": (lambda _: Study("counts", ng.everyone(), traits=(EGFR,)), "it has traits"),
    "several traits for genes": (
        lambda lab: lab.run(Study("gene_tests", ng.everyone(), variants=DAMAGING, traits=(EGFR, ng.measurement("potassium").latest()))),
        "it has several traits"),
    "survival since nothing": (lambda _: Study("survival", BREAST_CANCER), "it needs an event to count time from"),
    "a count since something": (
        lambda _: Study("counts", BREAST_CANCER, since=BREAST_CANCER), "it has an event to count time from"),
    "a scan without variants": (lambda _: Study("association", DIABETES), "it needs variants"),
    "a group that the answer has not": (
        lambda lab: lab.survival(BREAST_CANCER, BREAST_CANCER, by="gene"), "the group 'gene' is unknown"),
    "one of several measurements": (lambda lab: lab.gwas(ng.measurement("eGFR")), "say which one: .latest(), .first()"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(lab: ng.Lab, mistake: str) -> None:
    asked, says = MISTAKES[mistake]
    with pytest.raises(BadStudy) as refused:
        asked(lab)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


EMPTY: Mapping[str, Callable[[ng.Lab], object]] = {
    "a measurement that nobody has": lambda lab: lab.gwas(ng.measurement("no such test").latest()),
    "a covariate that nobody has": lambda lab: lab.gwas(EGFR, covariates="no such test"),
    "an event that nobody has": lambda lab: lab.survival(ng.everyone(), since=ng.icd10("Z99.9")),
    "a gene without variants": lambda lab: lab.gwas(EGFR, variants=ng.variants().in_genes("TTN")),
    "a gene without variants, by genes": lambda lab: lab.gene_tests(EGFR, variants=DAMAGING.in_genes("TTN")),
    "too few alleles for components": lambda lab: lab.structure(ng.everyone(), DAMAGING),
}


@pytest.mark.parametrize("nothing", EMPTY)
def test_where_there_is_nothing_to_look_at_it_is_said(lab: ng.Lab, nothing: str) -> None:
    with pytest.raises(NotFound) as refused:
        EMPTY[nothing](lab)
    assert "\n" not in str(refused.value)


def test_families_without_a_variant_are_none(lab: ng.Lab) -> None:
    released = lab.families(hpo("HP:0001250"), ALTERING.in_genes("TTN"))
    assert released.table.rows == ()
    assert "moorland has no variant on a gene called TTN." in released.notes


def test_a_site_that_lacks_a_word_is_silent_and_named(lab: ng.Lab) -> None:
    """Only moorland's contract has OMOP concepts; the others are not zero, they did not answer."""
    people = ~ng.omop(4)
    for released in (
        lab.gwas(EGFR, people=people),
        lab.structure(people),
        lab.survival(people, since=BREAST_CANCER, months=24),
        lab.families(people, ALTERING),
    ):
        assert [site for site, _ in released.receipt.answered] == ["moorland"]
        assert dict(released.receipt.silent) == dict.fromkeys(
            ("northgate", "riverside"), "its contract has no OMOP concepts"
        )
        assert "northgate did not answer: its contract has no OMOP concepts." in released.notes


# -- The question -----------------------------------------------------------------------------------------------------

EPILEPSY = Panel(
    "Epilepsy", "1.0", "PanelApp", (PanelGene("SCN1A", None, "green", "MONOALLELIC, autosomal or pseudoautosomal"),)
)
COMMON: dict[str, Any] = {"purpose": "To test it.", "expires": date(2999, 12, 31)}
SCORE = Score("PGS000004", "toy", Assembly.GRCh38, ("10 112998590 T C 0.3", "1 55505647 G . -0.1 0.25"), unused=2)
PANEL = Reference(
    "toy", Assembly.GRCh38, ("16-20353914-C-A 0.25 1.5", "16-20342275-C-T 0.1 0.5"),
    tuple(f"{group} {place + n / 10}" for group, place in (("north", -1), ("south", 1)) for n in range(5)),
)  # fmt: skip
QUESTIONS = {
    "counts": Study("counts", DIABETES, by=("sex", "site"), **COMMON),
    "carriers": Study("carriers", DIABETES, variants=DAMAGING, by=("gene",), **COMMON),
    "frequencies": Study("frequencies", ng.everyone(), variants=DAMAGING.in_genes("PKD1"), **COMMON),
    "frequencies by group": Study("frequencies", ng.everyone(), variants=DAMAGING.in_genes("PKD1"), by=("ancestry", "site"), **COMMON),
    "variant_quality": Study("variant_quality", ng.everyone(), variants=ng.variants(), **COMMON),
    "sample_quality": Study("sample_quality", DIABETES, variants=ng.variants(), **COMMON),
    "linkage": Study(
        "linkage", ng.everyone(), variants=ng.variants().in_genes("UMOD"), options={"kb": 100, "lead": "16-20353914-C-A"}, **COMMON),
    "relatedness": Study("relatedness", ng.everyone(), variants=ng.variants(), by=("site",), options={"min_af": 0.1}, **COMMON),
    "burden": Study("burden", DIABETES, ng.sex("female"), DAMAGING, alternative="greater", **COMMON),
    "burden as geneBurdenRD": Study("burden", DIABETES, variants=DAMAGING, options={"preset": "geneBurdenRD"}, **COMMON),
    "burden by site": Study("burden", DIABETES, variants=DAMAGING, options={"strata": "site", "min_carriers": 20}, **COMMON),
    "association": Study(
        "association", ng.everyone(), variants=ng.variants(), traits=(EGFR, ng.measurement("potassium", "mmol/L").first()),
        options=SIDE | {"site_effect": "none", "min_count": 50}, **COMMON,
    ),
    "association of cases": Study("association", DIABETES, variants=ng.variants(), options={"firth_below": 1}, **COMMON),
    "association of several diseases": Study(
        "association", ng.sex("female"), variants=ng.variants(), diseases={"type 2 diabetes": DIABETES, "breast cancer": BREAST_CANCER},
        options={"test": "saddlepoint", "components": 3}, **COMMON),
    "association by full Firth": Study(
        "association", DIABETES, variants=ng.variants().in_genes("TCF7L2"), options={"test": "firth"}, **COMMON),
    "association with a prediction": Study(
        "association", ng.everyone(), variants=ng.variants(), traits=(EGFR,),
        options={"offset": "potassium", "missing": "mean", "clump_r2": 0.2, "clump_kb": 500, "clump_p": 1e-5}, **COMMON),
    "gene_tests": Study("gene_tests", DIABETES, ng.sex("male"), DAMAGING, options={"max_afs": 0.05, "min_carriers": 20}, **COMMON),
    "gene_tests of masks": Study(
        "gene_tests", ng.everyone(), variants=ng.variants(), traits=(EGFR,),
        options={"impacts": ["high", "high+moderate"], "max_afs": [0.001, 0.01], "weights": "equal"}, **COMMON,
    ),
    "survival": Study("survival", ng.everyone(), since=BREAST_CANCER, by=("sex",), options={"months": 6, **SIDE}, **COMMON),
    "survival of carriers": Study(
        "survival", ng.everyone(), since=BREAST_CANCER.after(DIABETES, within_days=365), variants=DAMAGING, **COMMON),
    "survival from birth to an event": Study(
        "survival", ng.everyone(), since="birth", until=BREAST_CANCER, entry=DIABETES, options={"years": 90}, **COMMON),
    "hazards": Study("hazards", ng.everyone(), since=DIABETES, by=("sex",), variants=DAMAGING, entry="origin", options=SIDE, **COMMON),
    "hazards without strata": Study("hazards", ng.everyone(), since="birth", by=("sex",), options={"strata": "none"}, **COMMON),
    "families": Study("families", hpo("HP:0001250"), variants=ALTERING.in_genes("SCN1A"), **COMMON),
    "families, ranked": Study(
        "families", hpo("HP:0001250"), variants=ALTERING.in_panel(EPILEPSY), options={"ranked": "phenotype", "first": 5,
                                                                                     "penetrance": "incomplete"}, **COMMON),
    "segregation": Study("segregation", hpo("HP:0001250"), variants=ALTERING, options={"each": "variant"}, **COMMON),
    "cosegregation": Study("cosegregation", ng.everyone(), variants=ALTERING, options={"penetrance": "incomplete"}, **COMMON),
    "trio_quality": Study("trio_quality", ng.everyone(), variants=ng.variants(), **COMMON),
    "similarity of groups": Study("similarity", ng.everyone(), by=("site", "sex"), **COMMON),
    "similarity of cases": Study("similarity", DIABETES, ng.sex("female"), **COMMON),
    "phenotype_match": Study("phenotype_match", DIABETES, options={"to": "diseases", "first": 20}, **COMMON),
    "phenotype_match of genes": Study("phenotype_match", DIABETES, options={"among": ["SCN1A", "ABCA4"], "first": 1}, **COMMON),
    "polygenic": Study("polygenic", DIABETES, score=SCORE, options={"ambiguous": "keep"}, **COMMON),
    "polygenic by ancestry": Study("polygenic", ng.everyone(), by=("ancestry", "sex"), score=SCORE, **COMMON),
    "meta_analysis": Study(
        "meta_analysis", ng.everyone(), variants=ng.variants(), traits=(EGFR,), options=SIDE | {"model": "reml"}, **COMMON),
    "meta_analysis of cases": Study("meta_analysis", DIABETES, ng.sex("female"), ng.variants().in_genes("TCF7L2"), **COMMON),
    "drivers": Study("drivers", BREAST_CANCER, variants=ALTERING, **COMMON),
    "mutation_patterns": Study("mutation_patterns", BREAST_CANCER, variants=ALTERING.in_genes("TP53", "GATA3"), **COMMON),
    "tumour_burden": Study("tumour_burden", ng.everyone(), variants=ng.variants(), by=("sex",), options={"megabases": 1.1}, **COMMON),
    "ancestry": Study("ancestry", ng.everyone(), by=("ancestry",), reference=PANEL, options={"least": 0.6}, **COMMON),
    "structure": Study("structure", ng.everyone(), variants=ng.variants(), options={"components": 2, "min_af": 0.1}, **COMMON),
}  # fmt: skip


def test_there_is_a_question_of_every_method() -> None:
    assert {study.method for study in QUESTIONS.values()} == set(METHODS)


@pytest.mark.parametrize("study", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_that_was_written_down_is_the_same_question(study: Study, tmp_path: Path) -> None:
    again = Study.from_dict(study.to_dict())
    assert again == study
    assert (again.hash, again.options) == (study.hash, study.options)
    file = tmp_path / "question.toml"
    file.write_text("\n".join(f"{key} = {toml(part)}" for key, part in study.to_dict().items()), encoding="utf-8")
    assert tomllib.loads(file.read_text(encoding="utf-8")) == study.to_dict()
    assert Study.read(file) == study
    assert Study.read(file).hash == study.hash
    for line in study.describe().splitlines():
        assert line.endswith((".", "?"))


def toml(part: Any) -> str:
    """A value in TOML, tables in one line."""
    if isinstance(part, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(value)}" for key, value in part.items()) + "}"
    if isinstance(part, list):
        return f"[{', '.join(map(toml, part))}]"
    if isinstance(part, bool):
        return str(part).lower()
    return f'"{part}"' if isinstance(part, str) else repr(part)


def test_an_option_left_unsaid_is_the_same_question_as_its_default_said() -> None:
    for name, study in QUESTIONS.items():
        said = {option: each.default for option, each in METHODS[study.method].options.items()}
        plain = Study.from_dict({key: part for key, part in study.to_dict().items() if key != "options"})
        written = Study.from_dict({**plain.to_dict(), **({"options": said} if said else {})})
        assert (written, written.hash) == (plain, plain.hash), name


def test_every_option_changes_the_hash() -> None:
    """Else a steward would approve one question and another would run."""
    study = QUESTIONS["association of cases"]
    others: dict[str, Any] = {
        "covariates": ["sex"],
        "components": 4,
        "offset": "polygenic prediction",
        "site_effect": "none",
        "relatives": "keep",
        "min_count": 51,
        "missing": "mean",
        "test": "wald",
        "firth_below": 0.5,
        "clump_r2": 0.1,
        "clump_kb": 500,
        "clump_p": 1e-6,
    }
    assert set(others) == set(study.options)
    for name, other in others.items():
        changed = Study.from_dict({**study.to_dict(), "options": {**study.to_dict()["options"], name: other}})
        assert changed.hash != study.hash, name


def test_a_gene_that_nobody_lists_is_named_in_rounds_too(lab: ng.Lab) -> None:
    released = lab.gwas(EGFR, variants=ng.variants().in_genes("UMOD", "GANAB"), **SIDE)
    named = [note for note in released.notes if "no variant on a gene called" in note]
    assert named == [
        f"{site} has no variant on a gene called GANAB." for site in ("moorland", "northgate", "riverside")
    ]


# -- In the form that others read ------------------------------------------------------------------------------------


def test_a_short_scan_is_written_for_the_gwas_catalog(lab: ng.Lab, tmp_path: Path) -> None:
    near = ng.variants(min_af=0.05).in_region("16:20,340,000-20,360,000")
    released = lab.gwas(EGFR, variants=near, **SIDE)
    written = gwas_ssf(released, tmp_path / "egfr.tsv.gz", assembly=Assembly.GRCh38, ancestry=("European",))
    table, said = ssf.read(tmp_path / "egfr.tsv.gz")
    assert written.rows == len(table) == len(released.table.rows)
    assert said["adjusted_covariates"] == ["sex", "birth_year"]
    strongest = table.sort("neg_log_10_p_value").row(-1, named=True)
    assert f"16_{strongest['base_pair_location']}_" in strongest["variant_id"]
    assert released.table.column("pos")[0] == Value(strongest["base_pair_location"])


def test_cases_and_controls_are_counted_for_the_gwas_catalog(lab: ng.Lab, tmp_path: Path) -> None:
    short = ng.variants().in_genes("TCF7L2")
    one = lab.gwas(DIABETES, variants=short)
    several = lab.gwas({"type 2 diabetes": DIABETES, "breast cancer": BREAST_CANCER}, variants=short)
    for released, trait in ((one, "cases and controls"), (several, "type 2 diabetes")):
        written = gwas_ssf(
            released, tmp_path / f"{trait}.tsv", assembly=Assembly.GRCh38, ancestry=("European",), trait=trait
        )
        said = written.metadata.read_text(encoding="utf-8")
        assert "case_control_study: true" in said
        assert re.search(r"case_count: \d+[05]\b", said)
        assert re.search(r"control_count: \d+[05]\b", said)


def test_a_long_scan_is_written_without_the_frequencies_it_may_not_show(lab: ng.Lab, tmp_path: Path) -> None:
    written = gwas_ssf(lab.gwas(EGFR, **SIDE), tmp_path / "egfr.tsv", assembly=Assembly.GRCh38, ancestry=("European",))
    assert written.rows == 0
    assert sum(written.left_out.values()) > 500


def test_what_is_no_scan_is_not_written_as_one(lab: ng.Lab, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no association"):
        gwas_ssf(lab.count(BREAST_CANCER), tmp_path / "a.tsv", assembly=Assembly.GRCh38, ancestry=("European",))
    assert not list(tmp_path.iterdir())


# -- Across walls -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nodes(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Node]:
    """A node for each site of a copy of the demo: approvals are written to its logs."""
    workspace = Workspace.open(shutil.copytree(demo_workspace, tmp_path_factory.mktemp("walls") / "demo"))
    keys = {name: site_key(workspace.path / f"{name}.key") for name in workspace.sites}
    peers = {name: name_of(key) for name, key in keys.items()}
    return [Node(site, keys[name], peers, SETTINGS) for name, site in workspace.sites.items()]


@dataclass(frozen=True)
class Overheard:
    """A node, and the names of all that it was heard to send."""

    node: Node
    said: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.node.name

    def reply(self, question: bytes) -> bytes:
        answer = self.node.reply(question)
        message = decode(answer)
        self.said.update(getattr(message, "measures", ()), names(getattr(message, "layout", None)))
        return answer


def names(layout: object) -> set[str]:
    match layout:
        case Rows(measures=measures):
            return set(measures)
        case Shapes(arrays=arrays):
            return {name for name, _ in arrays}
        case Pair(one=one, two=two):
            return names(one) | names(two)
    return set()


ACROSS = [name for name, study in QUESTIONS.items() if study.method not in APART]


@pytest.mark.parametrize("name", ACROSS)
def test_a_hub_asks_it_and_hears_nothing_but_what_the_table_of_methods_says(nodes: list[Node], name: str) -> None:
    """Whatever a method knows between two rounds can travel; that the answer is the same, test_federation_rounds.py says."""
    study, heard = QUESTIONS[name], [Overheard(node) for node in nodes]
    for node in nodes:
        node.approve(study.hash, next(name for name, roles in node.site.staff.items() if "steward" in roles))
    try:
        assert len(Hub(heard).ask(study, asked_by="rita").receipt.answered) == 3  # type: ignore[arg-type]
    except (
        NotFound,
        NotSafe,
    ) as nothing:  # a question that is here to be read, and finds too little to look at in the demo
        with pytest.raises(type(nothing), match=re.escape(str(nothing))):
            run(study, [node.site for node in nodes], SETTINGS)
    for one in heard:
        assert one.said
        assert not one.said - set(METHODS[study.method].sends)


def test_a_site_that_keeps_small_counts_back_does_not_add_what_cannot_be_rounded(tmp_path: Path) -> None:
    """Moorland is named as silent among the others; asked alone it answers, and the gate applies its thresholds to its own numbers."""
    sites = federation(tmp_path).sites.values()
    study = Study("association", ng.icd10("Q61"), variants=ng.variants())
    together = run(study, sites, SETTINGS)
    assert [site for site, _ in together.receipt.silent] == ["moorland"]
    assert any(
        "moorland did not answer: its rules do not let small counts be pooled" in note for note in together.notes
    )
    alone = run(study, [site for site in sites if site.name == "moorland"], SETTINGS)
    assert not alone.receipt.silent
