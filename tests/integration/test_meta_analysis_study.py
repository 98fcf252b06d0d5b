"""A meta-analysis is made of the sites' own released answers and of nothing else; it is not the analysis of all people together."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from four_hospitals import SETTINGS, federation
from matplotlib.patches import Polygon

import nhsgen as ng
from nhsgen.demo.signals import COMMON_EFFECTS
from nhsgen.disclosure import PRESETS, gate
from nhsgen.errors import BadStudy, NotFound
from nhsgen.estimates import AtSite, Combined, MetaAnalysis
from nhsgen.federation import Hub, Node, name_of, site_key
from nhsgen.results import NotRun, Receipt, Released, Value
from nhsgen.statistics import meta
from nhsgen.studies import Study, run
from nhsgen.workspace import Workspace

EGFR, DIABETES = ng.measurement("eGFR").latest(), ng.icd10("E11")
SIDE: dict[str, Any] = {"covariates": ["sex", "birth_year"]}
SITES = ("moorland", "northgate", "riverside")
UMOD = ng.variants(min_af=0.05).in_genes("UMOD")


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


@pytest.fixture(scope="module")
def alone(lab: ng.Lab) -> dict[str, pl.DataFrame]:
    """What each site says when it is asked alone for its association."""
    return {site: lab.at(site).gwas(EGFR, variants=UMOD, **SIDE).to_polars() for site in SITES}


def test_it_is_the_sites_own_answers_combined(lab: ng.Lab, alone: dict[str, pl.DataFrame]) -> None:
    released = lab.meta_analysis(EGFR, variants=UMOD, **SIDE).to_polars()
    assert released["variant"].n_unique() == released.height > 10
    for row in released.iter_rows(named=True):
        found = [frame.filter(pl.col("variant") == row["variant"]) for frame in alone.values()]
        beta, se = (
            [frame[name][0] for frame in found if len(frame) and frame[name][0] is not None] for name in ("beta", "se")
        )
        expected = meta.combine(beta, se)
        assert row["sites"] == len(beta)
        assert row["estimate"] == pytest.approx(float(expected.beta), rel=0.006)
        assert row["se"] == pytest.approx(float(expected.se), rel=0.006)
    assert released["p"].is_sorted()


def test_the_planted_allele_is_found_and_agrees_with_all_people_together(
    lab: ng.Lab, alone: dict[str, pl.DataFrame]
) -> None:
    planted = next(effect for effect in COMMON_EFFECTS if effect.trait == "eGFR")
    top = lab.gwas(EGFR, variants=UMOD, **SIDE).to_polars().row(0, named=True)
    released = lab.meta_analysis(EGFR, variants=ng.variants(keys=[top["variant"]]), model="reml", **SIDE)
    sites, all_sites = released.table.rows[:-1], released.to_polars().row(-1, named=True)
    assert [str(row[0]) for row in sites] == list(SITES)
    assert all_sites["site"] == "all sites"
    assert abs(all_sites["estimate"] - top["beta"]) < 0.5 * top["se"]
    assert all_sites["low"] < planted.per_copy < all_sites["high"]
    assert sum(row[12].value for row in sites if isinstance(row[12], Value)) == pytest.approx(1, abs=0.01)
    for row in sites:
        assert row[6] == Value(alone[str(row[0])].filter(pl.col("variant") == top["variant"])["beta"][0])
    assert any(note.startswith("A meta-analysis: each site answered alone") for note in released.notes)
    (axes,) = released.plot().axes
    assert len([patch for patch in axes.patches if isinstance(patch, Polygon)]) == 1
    assert [text.get_text() for text in axes.get_yticklabels()] == [*SITES, "all sites"]


def test_of_cases_it_combines_log_odds_ratios(lab: ng.Lab) -> None:
    planted = next(effect for effect in COMMON_EFFECTS if effect.trait == "E119")
    released = lab.meta_analysis(DIABETES, variants=ng.variants(min_af=0.05).in_genes("TCF7L2"), **SIDE)
    top = released.to_polars().row(0, named=True)
    assert abs(top["estimate"] - planted.per_copy) < 3 * top["se"]
    assert top["p"] < 1e-4
    assert any("log odds ratios" in note for note in released.notes)
    names = [text.get_text() for text in released.plot().axes[0].get_yticklabels()]
    assert names[0] == f"TCF7L2 {top['variant']}"


def test_every_log_remembers_the_study_that_was_approved(lab: ng.Lab) -> None:
    study = Study("meta_analysis", ng.everyone(), variants=UMOD, traits=(EGFR,))
    lab.run(study)
    for site in SITES:
        last = [entry for entry in lab.workspace.site(site).log.entries() if entry.kind == "study answered"][-1]
        assert (last.facts["study"], last.facts["method"]) == (study.hash, "meta_analysis")


# -- Sites that keep small counts, and sites too small ----------------------------------------------------------------


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Moorland may not add small counts to others'."""
    return federation(tmp_path_factory.mktemp("four"))


def test_a_site_that_may_not_add_small_counts_takes_part(four: Workspace) -> None:
    sites = list(four.sites.values())
    study = Study("meta_analysis", ng.icd10("Q61"), variants=ng.variants(), options={"min_count": 10})
    together, apart = (
        run(replace(study, method="association", options={"min_count": 10}), sites, SETTINGS),
        run(study, sites, SETTINGS),
    )
    assert dict(together.receipt.silent).keys() == {"moorland"}
    assert {site for site, _ in apart.receipt.answered} >= {"moorland", "northgate"}
    two = run(study, [site for site in sites if site.name in {"moorland", "northgate"}], SETTINGS)  # nothing is pooled
    assert len(two.receipt.answered) == 2
    assert all(math.isfinite(row["estimate"]) for row in two.to_polars().iter_rows(named=True))


def test_a_site_too_small_to_answer_is_silent_and_named(lab: ng.Lab) -> None:
    """A rare disease: no site alone has cases enough of the rarer ancestries, or copies enough."""
    few = DIABETES & ng.ancestry("SAS")
    answered = lab.meta_analysis(
        few, ng.ancestry("SAS") & ~DIABETES, variants=ng.variants(min_af=0.3).in_genes("TCF7L2")
    )
    assert {site for site, _ in (*answered.receipt.answered, *answered.receipt.silent)} == set(SITES)
    with pytest.raises(NotFound) as refused:
        lab.meta_analysis(few & ng.sex("female") & ng.ancestry("EAS"), variants=UMOD)
    assert all(site in str(refused.value) for site in SITES)
    assert "\n" not in str(refused.value)


def test_a_hub_says_that_it_is_not_needed(four: Workspace) -> None:
    pooling = [site for site in four.sites.values() if site.name != "moorland"]
    keys = {site.name: site_key(four.path / f"{site.name}.key") for site in pooling}
    nodes = [Node(site, keys[site.name], {n: name_of(key) for n, key in keys.items()}, SETTINGS) for site in pooling]
    study = Study("meta_analysis", ng.icd10("Q61"), variants=ng.variants())
    for node in nodes:
        node.approve(study.hash, "ben")
    with pytest.raises(BadStudy, match="in a meta-analysis each site answers alone, which needs no hub"):
        Hub(nodes).ask(study, asked_by="rita")


@pytest.mark.parametrize(("options", "says"), [
    ({"model": "random"}, "use fixed or dersimonian_laird or reml"),
    ({"site_effect": "none"}, "the option 'site_effect' is unknown"),
    ({"min_count": 5}, "give a number from 10 to 10000"),
])  # fmt: skip
def test_a_mistake_is_answered_by_what_to_do(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadStudy) as refused:
        Study("meta_analysis", DIABETES, variants=UMOD, options=options)
    assert says in str(refused.value)


# -- The gate ---------------------------------------------------------------------------------------------------------

NAN = math.nan


def combined(*at: tuple[str, float, float], variant: str = "16-20353914-C-A", model: str = "reml") -> Combined:
    found = meta.combine([beta for _, beta, _ in at], [se for _, _, se in at], model)  # type: ignore[arg-type]
    numbers = {name: float(getattr(found, name)) for name in ("beta", "se", "low", "high", "p", "q_p", "i2", "tau2")}
    return Combined(
        "eGFR",
        variant,
        "UMOD",
        tuple(AtSite(*one) for one in at),
        int(found.sites),
        reason=str(found.reason),
        **numbers,
    )


def release(
    *rows: Combined, model: str = "reml", odds: bool = False, silent: tuple[tuple[str, str], ...] = ()
) -> Released:
    receipt = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64), ("York", "b" * 64)), silent, "2026-11-23T09:00:00+00:00")
    policy = replace(PRESETS["nhs"], pooled=False)
    return gate(MetaAnalysis(rows, model, odds), policy=policy, title="What?", question={}, receipt=receipt, sites=2)


def test_a_forest_reads_like_this() -> None:
    row = combined(("Bath", NAN, NAN), ("Leeds", -2.0, 0.5), ("York", -3.0, 0.5))
    released = release(row, silent=(("Hull", "it has no release"),))
    frame = released.to_polars()
    assert frame["site"].to_list() == ["Bath", "Leeds", "York", "Hull", "all sites"]
    assert frame["estimate"].to_list() == [None, -2.0, -3.0, None, -2.5]
    assert frame["weight"].to_list() == [None, 0.5, 0.5, None, None]
    assert (frame["sites"][-1], frame["reason"][-1]) == (2, "two sites")
    assert released.table.rows[3][6] == NotRun("it has no release")
    assert released.table.rows[0][6] == NotRun("the site's own answer has no estimate of this allele")
    assert np.allclose(frame["low"][1], -2.0 - 1.96 * 0.5, atol=0.01)


def test_one_site_says_nothing_of_differences_and_a_fixed_effect_has_none() -> None:
    last = release(combined(("Leeds", -2.0, 0.5), ("York", NAN, NAN))).table.rows[-1]
    assert last[14:17] == (NotRun("one site"),) * 3
    assert last[6] == Value(-2.0)
    fixed = release(combined(("Leeds", -2.0, 0.5), ("York", -3.0, 0.5), model="fixed"), model="fixed")
    assert fixed.table.rows[-1][16] == NotRun("one effect at all sites is assumed")


def test_several_alleles_have_a_row_each_the_strongest_first() -> None:
    weak = combined(("Leeds", 0.1, 0.5), ("York", -0.1, 0.5), variant="16-5-A-C")
    strong = combined(("Leeds", -2.0, 0.5), ("York", -3.0, 0.5))
    none = combined(("Leeds", NAN, NAN), ("York", NAN, NAN), variant="16-9-A-C")
    released = release(none, weak, strong, odds=True)
    assert [str(cell) for cell in released.table.column("variant")] == ["16-20353914-C-A", "16-5-A-C", "16-9-A-C"]
    assert isinstance(released.table.rows[-1][6], NotRun)
    assert not re.search(r"\b(nan|inf)\b", released.to_json().lower())
    released.plot()
