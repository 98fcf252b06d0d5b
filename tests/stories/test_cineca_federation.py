"""Two sites of real genomes (1000 Genomes, chromosome 22) and CINECA's synthetic phenotypes, split by superpopulation.

A researcher says: how many people with diabetes are there at each site, and how common is every allele in all of them; and is
that what I would have got with all people in one place?
"""

import csv
from collections import Counter
from pathlib import Path

import pysam
import pytest
from public_federations import SETTINGS, estimate, populations, split_text, split_vcf, through_approval

import nhsgen as ng
from nhsgen import contracts, extracts
from nhsgen.estimates import Counts, Frequencies
from nhsgen.results import Value
from nhsgen.studies import Study
from nhsgen.variants.normalise import trim
from nhsgen.workspace import Workspace

VARIANT_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: g1k-variants
name: Variant files of the 1000 Genomes Project
version: 1.0.0
status: active
schema:
  - name: variants
    physicalName: "*.vcf.gz"
    physicalType: vcf
    customProperties:
      - {property: assembly, value: GRCh37}
      - {property: absence, value: reference}
"""
WEST = {"EUR", "AMR"}
DIABETES = ng.observation("Diabetes diagnosed by doctor")
BY_DIAGNOSIS = {answer: DIABETES.equals(answer) for answer in ("Yes", "No")}
EVERY_ALLELE = Study("frequencies", ng.everyone(), variants=ng.variants())


@pytest.fixture(scope="module")
def group(shared_data: Path) -> dict[str, str]:
    return dict(populations(shared_data / "pedigree/20130606_g1k.ped"))


@pytest.fixture(scope="module")
def federations(
    shared_data: Path, group: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Workspace]:
    """The same people twice: at two sites, and at one."""
    folder = tmp_path_factory.mktemp("cineca")
    variants = folder / "g1k_variants.odcs.yaml"
    variants.write_text(VARIANT_CONTRACT)
    made = {}
    for name, sites in {
        "two sites": {"west": WEST, "east": {"AFR", "EAS", "SAS"}},
        "one site": {"everywhere": {*group.values()}},
    }.items():
        made[name] = Workspace.create(folder / name, name)
        for site, members in sites.items():
            handed_in = folder / "handed-in" / site
            handed_in.mkdir(parents=True)
            belongs = {sample for sample, population in group.items() if population in members}.__contains__
            split_text(shared_data / "phenotypes/cineca_uk1/uk1.tsv", handed_in / "uk1.tsv", belongs, column=3)
            split_vcf(
                shared_data / "variants/g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz", handed_in / "chr22.vcf.gz", belongs
            )
            lift = {"k_anonymity:subject": "synthetic people: nobody can be found"}
            report = through_approval(
                made[name].add_site(site, by="ann"), handed_in, [contracts.shipped("cineca_uk1"), variants], lift
            )
            assert report.passed
            assert sum(cleaned.cells for cleaned in report.contract.cleaned) > 10_000
    return made


def test_without_the_cleaning_rule_the_broken_cells_stop_the_extract(shared_data: Path, tmp_path: Path) -> None:
    text = contracts.shipped("cineca_uk1").read_text(encoding="utf-8")
    (tmp_path / "strict.odcs.yaml").write_text(text.replace('- {property: missing_markers, value: ["#REF!"]}', ""))
    handed_in = tmp_path / "handed-in"
    handed_in.mkdir()
    (handed_in / "uk1.tsv").write_bytes((shared_data / "phenotypes/cineca_uk1/uk1.tsv").read_bytes())
    site = Workspace.create(tmp_path / "ws", "ws").add_site("west", by="ann")
    site.enrol("asha", "submitter", "ann")
    extract = extracts.submit(site, handed_in, [tmp_path / "strict.odcs.yaml"], "asha")
    report = extracts.check(site, extract.id, "asha", SETTINGS)
    assert sum(finding.count for finding in report.contract.errors) == 46_875
    assert extracts.find(site, extract.id).state is extracts.State.BROKEN


def test_people_with_and_without_diabetes_by_site(
    federations: dict[str, Workspace], shared_data: Path, group: dict[str, str]
) -> None:
    with (shared_data / "phenotypes/cineca_uk1/uk1.tsv").open(newline="") as rows:
        truth = Counter(
            ("west" if group[row["Subject id"]] in WEST else "east", row["Diabetes diagnosed by doctor-0.0"])
            for row in csv.DictReader(rows, delimiter="\t")
        )
    assert sum(n for (_, said), n in truth.items() if said == "Yes") == 669
    lab = ng.open(federations["two sites"].path)
    for said, cohort in BY_DIAGNOSIS.items():
        exact = estimate(Study("counts", cohort, by=("site",)), federations["two sites"])
        assert isinstance(exact, Counts)
        assert exact.cells == {(site,): truth[site, said] for site in ("east", "west")}
        shown = lab.count(cohort, by="site").table.column("people")
        assert shown[:2] == tuple(Value(5 * ((truth[site, said] + 2) // 5)) for site in ("east", "west"))


def test_alternate_and_called_alleles_of_every_record_are_those_the_project_published(
    federations: dict[str, Workspace], shared_data: Path
) -> None:
    found = estimate(EVERY_ALLELE, federations["two sites"])
    assert isinstance(found, Frequencies)
    counted = {row.variant: (row.alternate, row.called) for row in found.rows}
    with pysam.VariantFile(str(shared_data / "variants/g1k_p3_chr22_16.0-16.5Mb.GRCh37.vcf.gz")) as records:
        published = {
            "-".join((record.chrom, *map(str, trim(record.pos, str(record.ref), alt)))): (ac, record.info["AN"])
            for record in records
            for alt, ac in zip(record.alts or (), record.info["AC"], strict=True)
        }
    assert len(published) > 6_109
    assert counted == published


def test_two_sites_held_apart_say_what_one_site_with_everybody_says(federations: dict[str, Workspace]) -> None:
    questions = [EVERY_ALLELE, *(Study("counts", cohort, by=("sex",)) for cohort in BY_DIAGNOSIS.values())]
    rare = ng.variants(max_af=0.01, af="pooled").in_region("22:16,050,000-16,100,000")
    questions += [Study("frequencies", BY_DIAGNOSIS["Yes"], variants=rare.resolved(_pooled(federations["two sites"])))]
    for question in questions:
        assert estimate(question, federations["two sites"]) == estimate(question, federations["one site"])


def test_somebody_who_withdraws_is_gone_from_counts_and_from_alleles(
    federations: dict[str, Workspace], shared_data: Path, group: dict[str, str], tmp_path: Path
) -> None:
    workspace = federations["two sites"]
    with_diabetes = Study("counts", BY_DIAGNOSIS["Yes"], by=("site",))
    before = estimate(with_diabetes, workspace), estimate(EVERY_ALLELE, workspace)
    with (shared_data / "phenotypes/cineca_uk1/uk1.tsv").open(newline="") as rows:
        person = next(
            row["Subject id"]
            for row in csv.DictReader(rows, delimiter="\t")
            if row["Diabetes diagnosed by doctor-0.0"] == "Yes" and group[row["Subject id"]] in WEST
        )
    (tmp_path / "opted-out.txt").write_text(f"{person}\n")
    workspace.site("west").withdraw_people(tmp_path / "opted-out.txt", "ben")
    after = estimate(with_diabetes, workspace), estimate(EVERY_ALLELE, workspace)
    assert isinstance(before[0], Counts)
    assert isinstance(after[0], Counts)
    assert after[0].cells == {**before[0].cells, ("west",): before[0].cells["west",] - 1}
    assert isinstance(before[1], Frequencies)
    assert isinstance(after[1], Frequencies)
    assert {b.called - a.called for a, b in zip(after[1].rows, before[1].rows, strict=True)} == {2}
    assert sum(b.carriers - a.carriers for a, b in zip(after[1].rows, before[1].rows, strict=True)) > 0


def _pooled(workspace: Workspace) -> dict[str, float]:
    everybody = estimate(EVERY_ALLELE, workspace)
    assert isinstance(everybody, Frequencies)
    return {row.variant: row.alternate / row.called for row in everybody.rows}
