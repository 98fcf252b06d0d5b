"""Four small hospitals for tests: one contract, a table of people, a table of samples and a variant file each, all invented."""

from pathlib import Path
from random import Random

from variant_files import CSQ as CSQ_LINE
from variant_files import csq, record, vcf, write

from nhsgen import extracts
from nhsgen.contracts import shipped
from nhsgen.settings import Settings
from nhsgen.workspace import Site, Workspace

SUBMITTER, STEWARDS = "asha", ("ben", "carys")
SETTINGS = Settings(threads=1)
SIZES = {"moorland": 60, "northgate": 90, "riverside": 75, "southport": 40}
LENGTHS = {"16": 90338345, "22": 50818468}

# place, impact, consequence, gene, how many of a hundred people carry it
VARIANTS = (
    ("16 2100100 C T", "HIGH", "stop_gained", "PKD1", 12),
    ("16 2100200 G A", "HIGH", "frameshift_variant", "PKD1", 3),
    ("16 2100300 A G", "MODERATE", "missense_variant", "PKD1", 40),
    ("22 20000100 T C", "HIGH", "splice_donor_variant", "LZTR1", 9),
    ("22 20000200 G C", "LOW", "synonymous_variant", "LZTR1", 25),
)

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: ward
name: Ward
version: 1.0.0
status: active
schema:
  - name: people
    physicalName: people.csv
    physicalType: table
    properties:
      - {name: person, logicalType: string, physicalType: VARCHAR, primaryKey: true}
      - {name: sex, logicalType: string, physicalType: VARCHAR, required: true, classification: quasi-identifier}
      - {name: ancestry, logicalType: string, physicalType: VARCHAR}
    customProperties:
      - property: words
        value:
          person: person
          people: {everyone: true, sex: sex, ancestry: ancestry}
  - name: diagnoses
    physicalName: diagnoses.csv
    physicalType: table
    properties:
      - {name: person, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: code, logicalType: string, physicalType: VARCHAR, required: true}
    customProperties:
      - property: words
        value:
          person: person
          events: [{codes: [code], vocabulary: ICD10}]
  - name: samples
    physicalName: samples.csv
    physicalType: table
    properties:
      - {name: sample, logicalType: string, physicalType: VARCHAR, primaryKey: true}
      - {name: person, logicalType: string, physicalType: VARCHAR, required: true}
    customProperties:
      - property: words
        value:
          person: person
          samples: {sample: sample}
"""


OPEN = CONTRACT.replace(", classification: quasi-identifier", "")
"""The same contract where invented people may be told apart; RESULTS, PEDIGREE: further tables of it."""

RESULTS = """\
  - name: results
    physicalName: results.csv
    physicalType: table
    properties:
      - {name: person, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: test, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: value, logicalType: number, physicalType: DOUBLE}
      - {name: day, logicalType: date, physicalType: DATE}
    customProperties:
      - property: words
        value:
          person: person
          measurements: [{name: test, value: value, date: day}]
"""
PEDIGREE = """\
  - name: pedigree
    physicalName: pedigree.csv
    physicalType: table
    properties:
      - {name: person, logicalType: string, physicalType: VARCHAR, primaryKey: true}
      - {name: family, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: father, logicalType: string, physicalType: VARCHAR}
      - {name: mother, logicalType: string, physicalType: VARCHAR}
      - {name: affected, logicalType: string, physicalType: VARCHAR}
    customProperties:
      - property: words
        value:
          person: person
          family: {family: family, father: father, mother: mother, affected: affected, affected_values: ["yes"], unaffected_values: ["no"]}
"""


def hand_in(folder: Path, site: str, people: int) -> tuple[Path, list[Path]]:
    """Write one hospital's extract; its folder and its contracts."""
    chance = Random(site)
    folder.mkdir(parents=True)
    ids = [f"{site[0]}{number:03}x" for number in range(people)]
    sexes = [("female", "male")[number % 2] for number in range(people)]
    ancestries = [chance.choice(["EUR", "EUR", "EUR", "SAS", "AFR"]) for _ in ids]
    ill = [person for person in ids if chance.random() < 0.4]
    rows(folder / "people.csv", "person,sex,ancestry", zip(ids, sexes, ancestries, strict=True))
    rows(folder / "diagnoses.csv", "person,code", ((person, "Q61.2") for person in ill))
    rows(folder / "samples.csv", "sample,person", ((f"S{person}", person) for person in ids))
    records = []
    for place, impact, consequence, gene, percent in VARIANTS:
        calls = ["0/1" if chance.random() * 100 < percent else "0/0" for _ in ids]
        if "0/1" in calls:  # a site lists what its people have
            allele = place.split(" ")[3]
            records.append(record(place, " ".join(calls), info=f"CSQ={csq(allele, consequence, impact, gene)}"))
    write(
        folder / "small.vcf.gz",
        vcf(*records, samples=[f"S{person}" for person in ids], contigs=LENGTHS, info=[CSQ_LINE]),
    )
    contract = folder.parent / "ward.odcs.yaml"
    contract.write_text(CONTRACT, encoding="utf-8")
    return folder, [contract, shipped("variants_vep")]


def rows(path: Path, header: str, cells: object) -> None:
    path.write_text("\n".join([header, *(",".join(row) for row in cells)]) + "\n", encoding="utf-8")  # type: ignore[attr-defined]


def federation(place: Path, *sites: str, released: bool = True) -> Workspace:
    """`sites` (all four when not said) in one workspace, each with a submitter and two stewards, its extract released or checked.

    Moorland keeps its small counts back; the others let them be pooled.
    """
    workspace = Workspace.create(place / "federation", "four hospitals")
    for name in sites or SIZES:
        site = workspace.add_site(name, policy="nhs", pooled=name != "moorland", by="dana")
        staffed(site)
        folder, contracts = hand_in(place / "handed-in" / name, name, SIZES[name])
        extract = extracts.submit(site, folder, contracts, SUBMITTER)
        report = extracts.check(site, extract.id, SUBMITTER, SETTINGS)
        assert report.passed, str(report)
        if released:
            for steward in STEWARDS:
                extracts.approve(site, extract.id, steward, "both reports read")
            extracts.release(site, extract.id, STEWARDS[0], SETTINGS)
    return workspace


def release(site: Site, folder: Path, contract: Path, *others: Path) -> Site:
    """Hand in what lies in the folder, check it, approve it twice and release it."""
    extract = extracts.submit(site, folder, [contract, *others], SUBMITTER)
    report = extracts.check(site, extract.id, SUBMITTER, SETTINGS)
    assert report.passed, str(report)
    for steward in STEWARDS:
        extracts.approve(site, extract.id, steward, "both reports read")
    extracts.release(site, extract.id, STEWARDS[0], SETTINGS)
    return site


def staffed(site: Site) -> None:
    site.enrol(SUBMITTER, "submitter", "dana")
    for steward in STEWARDS:
        site.enrol(steward, "steward", "dana")
