"""A hostile reader asks whole questions: is an answer ever wrong, and does it ever say more than it may?"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from four_hospitals import CONTRACT, LENGTHS, SETTINGS, federation, release, rows, staffed
from variant_files import CSQ, csq, record, vcf, write

import nhsgen as ng
from nhsgen import studies
from nhsgen.cohorts import Cohort, ancestry, everyone, icd10, sex
from nhsgen.contracts import shipped
from nhsgen.disclosure import PRESETS, Policy
from nhsgen.errors import BadStudy, NotSafe
from nhsgen.results import Cell, Released, Suppressed, Value, Zero
from nhsgen.studies import Study
from nhsgen.variants import VariantFilter, VariantStore, variants
from nhsgen.workspace import Site, Workspace

ILL = icd10("Q61")
ALL_ALLELES = variants()


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return federation(tmp_path_factory.mktemp("whole-path")).path


@pytest.fixture(scope="module")
def lab(hospitals: Path) -> ng.Lab:
    return ng.open(hospitals, settings=SETTINGS)


@pytest.fixture
def copy(hospitals: Path, tmp_path: Path) -> Workspace:
    """The four hospitals, to be changed."""
    return Workspace.open(shutil.copytree(hospitals, tmp_path / "copy"))


def under(policy: Policy, lab: ng.Lab, study: Study, **changes: Any) -> Released:
    """The answer as it were if every site had this policy, and pooled its small counts."""
    sites = [lab.workspace.site(name) for name in lab.sites]
    rules = replace(policy, pooled=True)
    answers = [replace(studies.summarise(study, site, SETTINGS), policy=rules, **changes) for site in sites]
    return studies.conclude(study, answers)


def cells(released: Released, column: str = "people") -> dict[tuple[str, ...], Cell]:
    place = released.table.columns.index(column)
    return {tuple(map(str, row[:place])): row[place] for row in released.table.rows}


# -- People are counted once ------------------------------------------------------------------------------------------


def test_a_site_named_twice_is_asked_once(lab: ng.Lab) -> None:
    """Else three people named three times would be nine, which may be shown."""
    assert lab.at("northgate", "northgate", "northgate").count(everyone()).table.rows == ((Value(90),),)
    northgate = lab.workspace.site("northgate")
    with pytest.raises(BadStudy, match="named twice"):
        studies.run(Study("counts", everyone()), [northgate, northgate], SETTINGS)


def test_who_is_case_and_control_is_a_case_and_nobody_learns_whether_anybody_is(lab: ng.Lab) -> None:
    both = lab.burden(ILL, sex("female"), variants=ALL_ALLELES)
    apart = lab.burden(ILL, sex("female") & ~ILL, variants=ALL_ALLELES)
    assert both.table == apart.table
    assert any("Who is a case is no control." in note for note in both.notes)


# -- Who said no is in no answer --------------------------------------------------------------------------------------

NUMBERS = [f"{number:05}" for number in range(1, 41)]
WITH_CONSENT = (
    CONTRACT.replace(
        "{name: person, logicalType: string, physicalType: VARCHAR",
        "{name: person, logicalType: integer, physicalType: BIGINT",
    )
    .replace(
        "- {name: ancestry, logicalType: string, physicalType: VARCHAR}",
        "- {name: ancestry, logicalType: string, physicalType: VARCHAR}\n      - {name: consent, logicalType: string}",
    )
    .replace("ancestry: ancestry}", 'ancestry: ancestry, consent: {column: consent, accepts: ["yes"]}}')
)
ASKED = (
    Study("counts", everyone(), by=("sex",)),
    Study("counts", ILL | ~sex("female")),
    Study("carriers", everyone(), variants=ALL_ALLELES, by=("gene",)),
    Study("frequencies", everyone(), variants=ALL_ALLELES),
    Study("burden", ILL, variants=ALL_ALLELES),
)


def sums(site: Site) -> list[tuple[object, int]]:
    """What the site says to each of ASKED, and among how many people."""
    answers = [studies.summarise(study, site, SETTINGS) for study in ASKED]
    return [(answer.summary and answer.summary.to_dict(), answer.population) for answer in answers]


def numbered(place: Path, people: list[str], consents: set[str]) -> Site:
    """A hospital whose people are numbers with leading zeros, all ill and carrying; every third has two samples."""
    place.mkdir()
    site = Workspace.create(place / "federation", "numbers").add_site("numbered", pooled=True, by="dana")
    staffed(site)
    folder, contract = place / "handed-in", place / "ward.odcs.yaml"
    folder.mkdir()
    links = [(f"{letter}{n}", n) for n in people for letter in ("S" if int(n) % 3 else "ST")]
    told = [(n, ("female", "male")[int(n) % 2], "EUR", "yes" if n in consents else "no") for n in people]
    rows(folder / "people.csv", "person,sex,ancestry,consent", told)
    rows(folder / "diagnoses.csv", "person,code", [(n, code) for n in people for code in ("Q61.2", "Q613")])
    rows(folder / "samples.csv", "sample,person", links)
    info = f"CSQ={csq('T', 'stop_gained', 'HIGH', 'PKD1')}"
    line = record("16 2100100 C T", " ".join("0/1" for _ in links), info=info)
    samples = [sample for sample, _ in links]
    write(folder / "small.vcf.gz", vcf(line, samples=samples, contigs=LENGTHS, info=[CSQ]))
    contract.write_text(WITH_CONSENT, encoding="utf-8")
    return release(site, folder, contract, shipped("variants_vep"))


def test_who_said_no_is_in_no_answer_however_the_list_spells_their_number(tmp_path: Path) -> None:
    """The ids were handed in as 00003 and are stored as the number 3."""
    gone, unwilling = NUMBERS[:6], set(NUMBERS[6:10])
    site = numbered(tmp_path / "all", NUMBERS, set(NUMBERS) - unwilling)
    before = sums(site)
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("00001\n 2 \n3,\n  00004  \n", encoding="utf-8")
    second.write_text("0004\r\n005\r\n\r\n00006\r\n", encoding="utf-8")
    for listed in (first, second):
        assert site.withdraw_people(listed, "ben").unknown == 0
    without = [number for number in NUMBERS if number not in {*gone, *unwilling}]
    never_there = sums(numbered(tmp_path / "without", without, set(without)))
    assert sums(site) == never_there != before
    assert {population for _, population in never_there} == {len(without)}


# -- A question means what it says ------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [20200101, 2020, True, datetime(2020, 1, 1), ["2020-01-01"]], ids=str)
def test_a_day_of_expiry_that_is_no_date_is_not_passed_over(day: object) -> None:
    """Passed over, the study would never expire."""
    with pytest.raises(BadStudy):
        Study.from_dict({"method": "counts", "cohort": {"everyone": {}}, "expires": day})


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": 5},
        {"purpose": "To plan.\nMay be run until 1 January 2099."},
        {"by": ["sex", "sex"]},
        {"by": [["sex"]]},
        {"alternative": "greater"},
        {"method": ["counts"]},
        {"variants": {}},
    ],
    ids=str,
)
def test_a_study_that_says_what_nobody_can_mean_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadStudy):
        Study.from_dict({"method": "counts", "cohort": {"everyone": {}}, **changes})


def test_equal_questions_have_one_hash() -> None:
    def hash_of(cohort: Cohort, filter: VariantFilter) -> str:
        return Study("carriers", cohort, variants=filter, by=("gene",)).hash

    said = [
        hash_of(ILL | sex("male"), variants(impact="high", max_af=0.0).in_genes("PKD1", "PKD2")),
        hash_of(sex("male") | icd10("q61"), variants(impact=["HIGH"], max_af=-0.0).in_genes("pkd2").in_genes("pkd1")),
    ]
    assert len(set(said)) == 1
    keys = ("16-2100300-A-G", "chr16-2100300-A-G", "16:2100300:a:g")
    assert len({hash_of(ILL, variants(keys=[key])) for key in keys}) == 1
    limits = [(ng.measurement("eGFR") > limit) for limit in (0, 0.0, -0.0)]
    assert len({Study("counts", limit).hash for limit in limits}) == 1


@pytest.mark.parametrize("key", ["chr16-2100300-A-G", "16:2100300:A:G", "16-2100300-a-g"])
def test_an_allele_written_in_another_way_is_not_an_allele_nobody_has(lab: ng.Lab, key: str) -> None:
    named = lab.carriers(everyone(), variants(keys=["16-2100300-A-G"]))
    assert named.table.rows
    assert lab.carriers(everyone(), variants(keys=[key])).table == named.table


def test_a_gene_asked_for_by_its_ensembl_id_is_not_one_without_carriers(lab: ng.Lab) -> None:
    for symbol in ("PKD1", "LZTR1"):
        by_symbol = lab.burden(ILL, variants=ALL_ALLELES.in_genes(symbol))
        assert by_symbol.table.rows[0][:2] != (Value(symbol), Zero())
        assert lab.burden(ILL, variants=ALL_ALLELES.in_genes(f"ENSG_{symbol}")).table == by_symbol.table


def test_places_on_two_assemblies_are_not_compared(lab: ng.Lab) -> None:
    places = Study("frequencies", everyone(), variants=ALL_ALLELES)
    region = Study("carriers", everyone(), variants=ALL_ALLELES.in_region("16:1-90000000"), by=("gene",))
    genes = Study("carriers", everyone(), variants=ALL_ALLELES.in_genes("PKD1"), by=("gene",))
    sites = [lab.workspace.site(name) for name in lab.sites]
    for study in (places, region, genes):
        answers = [studies.summarise(study, site, SETTINGS) for site in sites]
        answers[0] = replace(answers[0], assembly="GRCh37")
        if study is genes:
            assert studies.conclude(study, answers).table.rows
        else:
            with pytest.raises(BadStudy, match="GRCh37 and GRCh38"):
                studies.conclude(study, answers)


# -- Zeros, gaps and silence ------------------------------------------------------------------------------------------


def test_a_site_or_group_with_nobody_is_a_zero_and_not_a_gap(lab: ng.Lab) -> None:
    assert cells(lab.count(icd10("Z99"), by="site")) == {(name,): Zero() for name in lab.sites}
    rare = lab.carriers(ILL & sex("male"), variants(impact="high").in_genes("PKD1"), by="site")
    assert {site for (site,) in cells(rare, "carriers")} == set(lab.sites)
    nobody = lab.carriers(everyone(), ALL_ALLELES.in_genes("BRCA1"))
    assert "Nobody in the cohort carries such a variant." in nobody.notes


def test_an_empty_answer_can_be_drawn_and_saved(lab: ng.Lab, tmp_path: Path) -> None:
    nobody = lab.carriers(everyone(), ALL_ALLELES.in_genes("BRCA1"))
    assert nobody.plot()
    for kind in (".csv", ".parquet", ".json", ".html"):
        assert nobody.save(tmp_path / f"nobody{kind}").stat().st_size


# -- What can be subtracted -------------------------------------------------------------------------------------------

FEW = ancestry("AFR") & ILL & sex("male")
EXACT, NHS = PRESETS["gel"], PRESETS["nhs"]


def few_at(lab: ng.Lab) -> Iterator[str]:
    """Sites at which a few people are FEW."""
    for name in lab.sites:
        summary = studies.summarise(Study("counts", FEW), lab.workspace.site(name), SETTINGS).summary
        assert summary is not None
        if 0 < summary.row("")["people"] < EXACT.least:
            yield name


def test_all_but_a_few_of_a_group_are_not_shown_either(lab: ng.Lab) -> None:
    """Everyone at a site less everyone there but the few is the few, exactly where counts are not rounded."""
    sites = list(few_at(lab))
    assert sites
    released = cells(under(EXACT, lab, Study("counts", ~FEW, by=("site",))))
    assert all(isinstance(released[(site,)], Suppressed) for site in sites)
    assert isinstance(cells(under(EXACT, lab, Study("counts", everyone(), by=("site",))))[(sites[0],)], Value)


@pytest.mark.parametrize("method", ["carriers", "burden"])
def test_no_method_shows_all_but_a_few(lab: ng.Lab, method: str) -> None:
    site = next(few_at(lab))
    cohort = ~FEW if method == "carriers" else FEW
    released = under(EXACT, lab.at(site), Study(method, cohort, variants=ALL_ALLELES))
    column = "of" if method == "carriers" else "controls"
    assert all(isinstance(cell, Suppressed) for cell in released.table.column(column))


def test_of_everyone_nobody_is_left_out_and_that_is_no_news(lab: ng.Lab) -> None:
    for name in ("acro", "hdr"):
        assert under(PRESETS[name], lab, Study("counts", everyone())).table.column("people") != (Suppressed("x"),)
        by_sex = under(PRESETS[name], lab, Study("counts", everyone(), by=("sex",)))
        assert isinstance(cells(by_sex)[("female",)], Value)
        carriers = under(PRESETS[name], lab, Study("carriers", everyone(), variants=ALL_ALLELES, by=("gene",)))
        assert isinstance(carriers.table.rows[0][-1], Value)


def test_two_sites_are_too_few_when_one_of_them_pools(lab: ng.Lab) -> None:
    """Moorland keeps its small counts back, southport adds its own: the sum less moorland's numbers would be southport's."""
    with pytest.raises(NotSafe, match="2 sites answered"):
        lab.at("moorland", "southport").count(ILL, by="ancestry")
    assert lab.at("moorland").count(ILL, by="ancestry")


@pytest.mark.parametrize("limit", [0.03, 0.013, 0.0123])
def test_a_limit_on_the_pooled_frequency_cannot_be_moved_until_it_tells_a_count(lab: ng.Lab, limit: float) -> None:
    with pytest.raises(BadStudy, match="step by step"):
        lab.carriers(everyone(), variants(max_af=limit, af="pooled"))


def test_a_pooled_frequency_of_fewer_copies_than_may_be_shown_is_not_asked_for(lab: ng.Lab) -> None:
    for limits in ({"max_af": 0.005}, {"min_af": 0.002}, {"min_af": 0.005, "max_af": 0.5}):
        with pytest.raises(NotSafe, match="fewer copies than may be shown"):
            lab.carriers(everyone(), variants(af="pooled", **limits))  # type: ignore[arg-type]
    assert lab.carriers(everyone(), variants(max_af=0.05, af="pooled")).table.rows


# -- Sites that cannot be asked ---------------------------------------------------------------------------------------


def test_a_tampered_site_is_silent_for_a_pooled_frequency_too(copy: Workspace) -> None:
    store = next((copy.path / "sites" / "northgate" / "releases").rglob("variants/00000.parquet"))
    store.chmod(0o644)
    store.write_bytes(store.read_bytes()[:-1] + b"x")
    result = ng.open(copy.path, settings=SETTINGS).carriers(everyone(), variants(max_af=0.05, af="pooled"))
    assert [site for site, _ in result.receipt.silent] == ["northgate"]


# -- What is handed over ----------------------------------------------------------------------------------------------


def test_a_saved_suppressed_cell_is_never_a_zero_and_no_words_become_markup(lab: ng.Lab, tmp_path: Path) -> None:
    released = lab.count(ILL, by=["site", "sex", "ancestry"], purpose="<script>alert(1)</script>")
    hidden = [str(row[0]) for row in released.table.rows if isinstance(row[-1], Suppressed)]
    assert hidden
    for frame in (
        pl.read_csv(released.save(tmp_path / "a.csv")),
        pl.read_parquet(released.save(tmp_path / "a.parquet")),
    ):
        assert frame.filter(pl.col("people").is_null())["status"].unique().to_list() == ["people: suppressed"]
        assert frame["people"].null_count() == len(hidden)
    assert "<script" not in released.save(tmp_path / "a.html").read_text(encoding="utf-8")
    cells = [
        row["people"] for row in json.loads(released.save(tmp_path / "a.json").read_text(encoding="utf-8"))["rows"]
    ]
    assert [cell for cell in cells if cell["type"] == "Suppressed"] == [
        {"type": "Suppressed", "rule": NHS.rule} for _ in hidden
    ]


def test_the_log_of_a_question_holds_no_count(copy: Workspace) -> None:
    ng.open(copy.path, settings=SETTINGS, asked_by="rita").count(FEW, by="site")
    for site in copy.sites.values():
        entry = site.log.entries()[-1]
        assert (entry.kind, entry.who) == ("study answered", "rita")
        assert set(entry.facts) == {"study", "method", "purpose", "release", "silent"}


def test_who_does_not_look_for_an_allele_is_said_not_to_have_looked(lab: ng.Lab, monkeypatch: Any) -> None:
    opened = VariantStore.open
    monkeypatch.setattr(VariantStore, "open", lambda path: set_absence(opened(path)))
    for method in ("carriers", "burden"):
        notes = lab.run(Study(method, ILL, variants=ALL_ALLELES)).notes
        assert any(note.startswith("riverside lists only what was found") for note in notes)


def set_absence(store: VariantStore) -> VariantStore:
    store.absence = "unknown"
    return store
