"""A small extract that a person can check by hand: 20 people, 6 of them sequenced, 2 variants; and a site that takes it."""

from collections.abc import Iterable
from pathlib import Path

from nhsgen import extracts
from nhsgen.settings import Settings
from nhsgen.workspace import Release, Site, Workspace

SETTINGS = Settings(threads=1, memory_mb=256)

PEOPLE = tuple(f"p{number:02d}" for number in range(20))
SAMPLES = {f"s{number}": PEOPLE[number] for number in range(6)}

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: small
name: A small extract
version: 1.0.0
status: active
schema:
  - name: person
    physicalName: person.csv
    properties:
      - {name: person_id, logicalType: string, primaryKey: true}
      - {name: sex, logicalType: string, required: true, classification: quasi-identifier}
    customProperties:
      - {property: words, value: {person: person_id, people: {everyone: true, sex: sex}}}
  - name: sample
    physicalName: sample.csv
    properties:
      - {name: sample_id, logicalType: string, primaryKey: true}
      - {name: person_id, logicalType: string}
    customProperties:
      - {property: words, value: {person: person_id, samples: {sample: sample_id}}}
  - name: variants
    physicalName: "*.vcf"
    physicalType: vcf
    customProperties:
      - {property: assembly, value: GRCh38}
      - {property: absence, value: reference}
"""


def write_extract(
    folder: Path, *, samples: Iterable[str] = SAMPLES, links: Iterable[tuple[str, str]] = tuple(SAMPLES.items())
) -> tuple[Path, list[Path]]:
    """Write the extract and its contract into `folder`; the folder to submit, and the contracts."""
    files = folder / "november"
    files.mkdir(parents=True)
    people = "".join(f"{person},{('female', 'male')[place % 2]}\n" for place, person in enumerate(PEOPLE))
    (files / "person.csv").write_text(f"person_id,sex\n{people}")
    (files / "sample.csv").write_text("sample_id,person_id\n" + "".join(f"{s},{p}\n" for s, p in links))
    names = tuple(samples)
    lines = [
        "##fileformat=VCFv4.2",
        "##contig=<ID=chr16,length=90338345>",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]),
        "\t".join(["chr16", "2100000", ".", "C", "T", ".", "PASS", ".", "GT", *("0/1" for _ in names)]),
        "\t".join(["chr16", "2100010", ".", "G", "A", ".", "PASS", ".", "GT", *("0/0" for _ in names)]),
    ]
    (files / "cohort.vcf").write_text("\n".join(lines) + "\n")
    contract = folder / "small.odcs.yaml"
    contract.write_text(CONTRACT)
    return files, [contract]


def staffed_site(folder: Path) -> Site:
    """northgate: asha hands in; ben, carys and dev are stewards."""
    site = Workspace.create(folder / "federation", "small").add_site("northgate", by="ben")
    site.enrol("asha", "submitter", "ben")
    for name in ("carys", "dev"):
        site.enrol(name, "steward", "ben")
    return site


def released(site: Site, folder: Path) -> Release:
    """Take the small extract through its whole life."""
    files, contracts = write_extract(folder)
    extract = extracts.submit(site, files, contracts, "asha").id
    extracts.check(site, extract, "asha", SETTINGS)
    extracts.approve(site, extract, "ben", "read")
    extracts.approve(site, extract, "carys", "read")
    return extracts.release(site, extract, "ben", SETTINGS)
