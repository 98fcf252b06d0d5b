"""Families and phenotypes, asked of the demo: what was planted is found; and of invented families, however they are split over sites."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, reduce
from operator import add
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from four_hospitals import OPEN, PEDIGREE, SETTINGS, release, rows, staffed
from variant_files import CSQ, csq, record, vcf, write

import nhsgen as ng
from nhsgen import studies
from nhsgen.cohorts import everyone, hpo, sex
from nhsgen.contracts import shipped
from nhsgen.demo.signals import PLANTED_ALLELES
from nhsgen.errors import BadStudy
from nhsgen.methods import METHODS
from nhsgen.results import Released
from nhsgen.statistics import tiering, trio_quality
from nhsgen.studies import SUMS, Study
from nhsgen.variants import variants
from nhsgen.variants.panels import Panel, PanelGene
from nhsgen.workspace import Site, Workspace

SEIZURES, RETINAL = hpo("HP:0001250"), hpo("HP:0000556")
CHILDREN = SEIZURES | RETINAL
RARE = variants(impact=["high", "moderate"], max_af=0.01)
BOTH = RARE.in_genes("SCN1A", "ABCA4")
DOMINANT, RECESSIVE = (
    "MONOALLELIC, autosomal or pseudoautosomal, NOT imprinted",
    "BIALLELIC, autosomal or pseudoautosomal",
)
PLANTED = {gene: sum(sum(one.cases) for one in PLANTED_ALLELES if one.gene == gene) for gene in ("SCN1A", "ABCA4")}


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


def panel(scn1a: tuple[Any, str], abca4: tuple[Any, str]) -> Panel:
    genes = (PanelGene("SCN1A", None, *scn1a), PanelGene("ABCA4", None, *abca4))
    return Panel("Seizures and retina", "1.0", "PanelApp", genes)


def told(released: Released, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(released.to_polars().select(columns).rows())


# -- What was planted -------------------------------------------------------------------------------------------------


def test_a_panel_says_how_its_genes_make_ill(lab: ng.Lab) -> None:
    asked = panel(("green", DOMINANT), ("green", RECESSIVE))
    assert told(lab.families(CHILDREN, RARE.in_panel(asked)), "gene", "inheritance", "tier") == [
        ("ABCA4", "compound heterozygous", "tier 1"), ("SCN1A", "dominant, de novo", "tier 1"),
    ]  # fmt: skip


def test_a_gene_of_another_mode_has_no_candidate_and_an_amber_gene_has_tier_3(lab: ng.Lab) -> None:
    asked = panel(("green", RECESSIVE), ("amber", RECESSIVE))
    assert told(lab.families(CHILDREN, RARE.in_panel(asked, "amber")), "gene", "tier") == [("ABCA4", "tier 3")]


def test_the_planted_gene_comes_first_by_the_childrens_phenotypes(lab: ng.Lab) -> None:
    released = lab.families(CHILDREN, RARE, ranked="phenotype", first=1)
    frame = released.to_polars()
    assert set(frame["gene"]) == set(PLANTED)
    assert (frame["among the first"] == frame["families"]).all()
    assert "among the first" not in lab.families(CHILDREN, RARE).to_polars().columns


def test_with_incomplete_penetrance_a_well_parent_rules_nothing_out(lab: ng.Lab) -> None:
    complete, incomplete = (
        set(told(lab.families(CHILDREN, BOTH, penetrance=word), "gene", "inheritance"))
        for word in ("complete", "incomplete")
    )
    assert complete < incomplete
    assert ("ABCA4", "dominant") in incomplete


def test_families_show_how_the_planted_alleles_came(lab: ng.Lab) -> None:
    released = lab.segregation(CHILDREN, BOTH)
    assert told(released, "gene", "mother", "father", "child", "child affected") == [
        ("ABCA4", "0/0", "0/1", "0/1", "yes"), ("ABCA4", "0/1", "0/0", "0/1", "yes"), ("SCN1A", "0/0", "0/0", "0/1", "yes"),
    ]  # fmt: skip
    for gene, families in told(released, "gene", "families"):
        assert abs(families - PLANTED[gene]) <= 5  # rounded to 5
    released.plot()
    by_variant = lab.segregation(CHILDREN, variants().in_genes("SCN1A"), each="variant")
    assert by_variant.table.columns[0] == "variant"
    assert all(key.startswith("2-") for (key,) in told(by_variant, "variant"))


def test_what_goes_with_the_illness_is_told_of_those_who_carry(lab: ng.Lab) -> None:
    frame = lab.cosegregation(CHILDREN, RARE).to_polars()
    assert set(PLANTED) <= set(frame["gene"])
    assert set(frame["model"]) <= {"dominant", "recessive", "compound heterozygous", "de novo"}
    assert (frame["families"].drop_nulls() <= frame["of"].max()).all()
    by_gene_and_model = {(gene, model): n for gene, model, n in frame.select("gene", "model", "families").iter_rows()}
    assert by_gene_and_model["ABCA4", "dominant"] == 0  # the parents, who are well, have an allele each


def test_trios_are_what_they_are_said_to_be(lab: ng.Lab) -> None:
    released = lab.trio_quality(everyone())
    numbers = {(what, number): n for what, number, n in told(released, "what", "number", "trios")}
    assert numbers[trio_quality.ERRORS, "none"] > 300
    assert numbers[trio_quality.ERRORS, "above 5 %"] == 0
    assert abs(numbers[trio_quality.NEW, "1"] - PLANTED["SCN1A"]) <= 3
    (rate,) = [note for note in released.notes if "break Mendel's law" in note]
    assert rate.startswith("About ")
    released.plot()


def test_sites_of_one_country_look_alike_and_cases_do_not_look_like_others(lab: ng.Lab) -> None:
    by_site = lab.similarity(everyone(), by="site").to_polars()
    assert by_site.height == 9
    assert by_site.filter(pl.col("group") != pl.col("other"))["similarity"].min() > 0.75  # type: ignore[operator]
    compared = lab.similarity(SEIZURES, RETINAL).to_polars()
    assert set(compared["group"]) == {"cases", "controls"}
    assert compared.filter(pl.col("group") != pl.col("other"))["similarity"].max() < 0.6  # type: ignore[operator]
    against_all = lab.similarity(SEIZURES)
    assert "Controls: everyone except" in " ".join(against_all.notes)


def test_the_planted_gene_fits_the_most_children(lab: ng.Lab) -> None:
    genes = ["SCN1A", "ABCA4", "PKD1", "BRCA1", "UMOD"]
    for cohort, gene in ((SEIZURES, "SCN1A"), (RETINAL, "ABCA4")):
        frame = lab.phenotype_match(cohort, among=genes, first=1).to_polars()
        assert frame["gene"][0] == gene
        assert frame["people"][0] >= 2 * (frame["people"][1] if frame.height > 1 else 0)
    diseases = lab.phenotype_match(RETINAL, to="diseases", first=20)
    assert diseases.table.columns == ("disease", "name", "people")
    assert any("retinitis pigmentosa" in name.lower() for (name,) in told(diseases, "name"))


# -- What is refused --------------------------------------------------------------------------------------------------

MISTAKES: Mapping[str, tuple[str, dict[str, Any], str]] = {
    "another preset": ("families", {"preset": "ours"}, "use genomics-england-grch38"),
    "another penetrance": ("families", {"penetrance": "half"}, "use complete or incomplete"),
    "another way to rank": ("families", {"ranked": "yes"}, "use no or phenotype"),
    "too many first": ("families", {"first": 11}, "give a number from 1 to 10"),
    "another count": ("segregation", {"each": "exon"}, "use gene or variant"),
    "no penetrance": ("cosegregation", {"penetrance": ""}, "use complete or incomplete"),
    "another match": ("phenotype_match", {"to": "people"}, "use genes or diseases"),
    "none first": ("phenotype_match", {"first": 0}, "give a number from 1 to 100"),
    "genes that are numbers": ("phenotype_match", {"among": [1]}, "write a list of texts"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(mistake: str) -> None:
    method, options, says = MISTAKES[mistake]
    with pytest.raises(BadStudy, match=says) as refused:
        Study(method, everyone(), variants=variants() if METHODS[method].needs_variants else None, options=options)
    assert "\n" not in str(refused.value)


def test_a_gene_that_hpo_does_not_know_is_named(lab: ng.Lab) -> None:
    with pytest.raises(BadStudy, match="HPO links no phenotype to 'NOSUCH'"):
        lab.phenotype_match(SEIZURES, among=["NOSUCH", "SCN1A"], first=1)
    with pytest.raises(BadStudy, match="all of them would be among the first 10"):
        lab.phenotype_match(SEIZURES, among=["SCN1A", "ABCA4"])


def test_the_presets_that_may_be_asked_are_those_there_are() -> None:
    assert METHODS["families"].options["preset"].choices == tuple(tiering.PRESETS)


# -- However families are split over sites ----------------------------------------------------------------------------

PHENOTYPES = """\
  - name: phenotypes
    physicalName: phenotypes.csv
    physicalType: table
    properties:
      - {name: person, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: hpo, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: seen, logicalType: string, physicalType: VARCHAR, required: true}
    customProperties:
      - property: words
        value:
          person: person
          phenotypes: [{term: hpo, present: seen, present_values: ["yes"], absent_values: ["no"]}]
"""
LENGTHS = {"1": 248956422, "2": 242193529, "X": 156040895}
PLACES = [("1 94000000 C T", "ABCA4", "MODERATE"), ("1 94000500 G A", "ABCA4", "HIGH"), ("2 166000000 G A", "SCN1A", "HIGH"),
          ("X 108600000 G T", "COL4A5", "HIGH")]  # fmt: skip
TERMS = ("HP:0001250", "HP:0000556", "HP:0000107", "HP:0001263", "HP:0002069")


@cache
def households() -> tuple[tuple[dict[str, Any], ...], ...]:
    """60 families of a father, a mother, an ill child and, in each third, a sibling; alleles are passed on, one is sometimes new."""
    chance = Random(11)
    made = []
    for number in range(60):
        father, mother = ({"calls": [int(chance.random() < 0.2) for _ in PLACES], "affected": "no"} for _ in range(2))
        children = [
            {"sex": chance.choice(["female", "male"]), "affected": "no" if sibling else "yes", "calls": [
                0 if chance.random() < 0.5 else father["calls"][at] for at in range(len(PLACES))
            ]}
            for sibling in range(1 + (number % 3 == 0))
        ]  # fmt: skip
        people = [father | {"sex": "male"}, mother | {"sex": "female"}, *children]
        for place, person in enumerate(people):
            person |= {"id": f"p{number:02}{place}x", "family": f"f{number:02}", "terms": []}
        for child in people[2:]:
            child |= {"father": people[0]["id"], "mother": people[1]["id"]}
            copies = [c + (chance.random() < 0.5 and m) for c, m in zip(child["calls"], mother["calls"], strict=True)]
            if number % 3 == 1 and child["affected"] == "yes":
                copies[2] = 1  # new in the child, whether or not a parent has it
            child["calls"] = copies
            if child["affected"] == "yes":
                child["terms"] = [TERMS[number % 2], *chance.sample(TERMS, 2)]
        made.append(tuple(people))
    return tuple(made)


def called(person: dict[str, Any], at: int) -> str:
    copies = int(person["calls"][at])
    if PLACES[at][0].startswith("X") and person["sex"] == "male":
        return str(min(copies, 1))
    return ("0/0", "0/1", "1/1")[copies]


def hospital(workspace: Workspace, name: str, homes: Sequence[tuple[dict[str, Any], ...]]) -> Site:
    site = workspace.add_site(name, policy="nhs", pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / f"{name}.odcs.yaml"
    folder.mkdir()
    contract.write_text(OPEN + PEDIGREE + PHENOTYPES, encoding="utf-8")
    people = [person for home in homes for person in home]
    rows(folder / "people.csv", "person,sex,ancestry", [(p["id"], p["sex"], "EUR") for p in people])
    rows(folder / "diagnoses.csv", "person,code", [(p["id"], "Z00") for p in people[:1]])
    rows(folder / "samples.csv", "sample,person", [(f"S{p['id']}", p["id"]) for p in people])
    family = [(p["id"], p["family"], p.get("father", ""), p.get("mother", ""), p["affected"]) for p in people]
    rows(folder / "pedigree.csv", "person,family,father,mother,affected", family)
    seen = [(p["id"], term, "yes") for p in people for term in p["terms"]] + [(people[0]["id"], "HP:0000107", "no")]
    rows(folder / "phenotypes.csv", "person,hpo,seen", seen)
    records = []
    for at, (place, gene, impact) in enumerate(PLACES):
        calls = [called(person, at) for person in people]
        if any("1" in call for call in calls):
            records.append(record(place, *calls, info=f"CSQ={csq(place.split(' ')[3], 'stop_gained', impact, gene)}"))
    samples = [f"S{person['id']}" for person in people]
    write(folder / "all.vcf.gz", vcf(*records, samples=samples, contigs=LENGTHS, info=[CSQ]))
    return release(site, folder, contract, shipped("variants_vep"))


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Site]]:
    """The same families at one site, and at three; families stay together."""
    workspace = Workspace.create(tmp_path_factory.mktemp("families") / "federation", "split")
    homes = list(households())
    Random(5).shuffle(homes)
    parts = {"all": households(), "first": homes[:31], "second": homes[31:56], "third": homes[56:]}
    site = {name: hospital(workspace, name, part) for name, part in parts.items()}
    return {"one": [site["all"]], "three": [site["first"], site["second"], site["third"]]}


PATIENTS = hpo("HP:0000118")
STUDIES = {
    "families": Study("families", PATIENTS, variants=variants()),
    "families on a panel": Study("families", PATIENTS, variants=variants().in_panel(panel(("green", DOMINANT), ("green", RECESSIVE)))),
    "families, ranked": Study("families", PATIENTS, variants=variants(), options={"ranked": "phenotype", "first": 1}),
    "families, incomplete penetrance": Study("families", PATIENTS, variants=variants(), options={"penetrance": "incomplete"}),
    "patterns by gene": Study("segregation", PATIENTS, variants=variants()),
    "patterns by variant": Study("segregation", everyone(), variants=variants(), options={"each": "variant"}),
    "going with the illness": Study("cosegregation", everyone(), variants=variants()),
    "trios": Study("trio_quality", everyone(), variants=variants()),
    "likeness by sex": Study("similarity", everyone(), by=("sex",)),
    "likeness of cases": Study("similarity", SEIZURES, RETINAL),
    "genes": Study("phenotype_match", PATIENTS, options={"first": 30}),
    "named genes": Study("phenotype_match", PATIENTS, options={"first": 1, "among": ["SCN1A", "ABCA4", "PKD1"]}),
    "diseases": Study("phenotype_match", sex("female"), options={"to": "diseases"}),
}  # fmt: skip


def asked(study: Study, sites: Sequence[Site]) -> list[studies.SiteAnswer]:
    return [studies.summarise(study, site, SETTINGS) for site in sites]


def estimated(study: Study, answers: Sequence[studies.SiteAnswer]) -> Any:
    """What all sites together say, exact: for inside the walls."""
    sums = [one.summary for one in answers if one.summary is not None]
    assert {one.measures for one in sums} == {METHODS[study.method].sends}
    return SUMS[study.method].estimate(study, reduce(add, sums))


def exactly(study: Study, sites: Sequence[Site]) -> Any:
    return estimated(study, asked(study, sites))


@pytest.mark.parametrize("name", STUDIES)
def test_however_families_are_split_the_answer_is_the_same(splits: Mapping[str, list[Site]], name: str) -> None:
    study = STUDIES[name]
    one, three = (asked(study, splits[split]) for split in ("one", "three"))
    assert asdict(estimated(study, one)) == asdict(estimated(study, three))
    whole, parts = (studies.conclude(study, answers) for answers in (one, three))
    assert whole.table == parts.table
    assert whole.notes == parts.notes
    assert whole.table.rows
    whole.plot()


def test_only_families_of_the_cohort_are_looked_at(splits: Mapping[str, list[Site]]) -> None:
    """Half of the ill children have a seizure for sure; whose child has none is in no row."""
    everybody, some = (
        exactly(replace(STUDIES["patterns by gene"], cohort=who), splits["one"]) for who in (PATIENTS, SEIZURES)
    )
    assert everybody.families == 60
    seizing = sum(any("HP:0001250" in p["terms"] or "HP:0002069" in p["terms"] for p in home) for home in households())
    assert some.families == seizing < 60


def test_patterns_are_those_of_the_families(splits: Mapping[str, list[Site]]) -> None:
    """Counted again, a family at a time."""
    expected: dict[tuple[str, ...], set[str]] = {}
    for home in households():
        father, mother, *children = home
        for child in children:
            for at, (_, gene, _) in enumerate(PLACES):
                calls = tuple(called(person, at) for person in (mother, father, child))
                if any("1" in call for call in calls):
                    expected.setdefault((gene, *calls, child["affected"]), set()).add(child["family"])
    found = exactly(STUDIES["patterns by gene"], splits["three"])
    assert found.cells == {pattern: len(families) for pattern, families in expected.items()}


def test_a_term_that_was_looked_for_and_not_found_is_nobodys(splits: Mapping[str, list[Site]]) -> None:
    found = exactly(STUDIES["likeness by sex"], splits["one"])
    ill = [person for home in households() for person in home if person["terms"]]
    assert sum(found.people.values()) == len(ill)
    cysts = sum("HP:0000107" in person["terms"] for person in ill)
    assert sum(terms.get("HP:0000107", 0) for terms in found.terms.values()) == cysts
