"""However people are split over sites, the sum of the sites' answers is the answer of all people together.

The sites list different alleles: a site leaves out a place where all that was called is reference. There is X, where a man has
one copy; a record with two alternative alleles; genotypes that are missing or half called; people with two samples, with none,
and of unknown sex.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from random import Random

import pytest
from four_hospitals import OPEN, SETTINGS, release, rows, staffed
from variant_files import CSQ, csq, record, vcf, write

from nhsgen import studies
from nhsgen.cohorts import everyone, icd10, sex
from nhsgen.contracts import shipped
from nhsgen.studies import SUMS, Study
from nhsgen.variants import variants
from nhsgen.workspace import Site, Workspace

LENGTHS = {"16": 90338345, "22": 50818468, "X": 156040895}
# place, gene, impact of each alternative allele, how many of a hundred alleles are alternative
PLACES = (
    ("16 2100100 C T", "PKD1", ("HIGH",), 4),
    ("16 2100300 A G,T", "PKD1", ("MODERATE", "HIGH"), 30),
    ("22 20000100 T C", "LZTR1", ("HIGH",), 2),
    ("X 50000 A C", "SHOX", ("LOW",), 10),  # pseudo-autosomal
    ("X 101397800 G A", "GLA", ("HIGH",), 8),
    ("X 108600000 G T", "COL4A5", ("HIGH",), 3),
)
RARE = variants(max_af=0.1, af="pooled")
ILL = icd10("Q61")
STUDIES = {
    "counts": Study("counts", ILL, by=("sex", "ancestry")),
    "carriers": Study("carriers", ILL | sex("male"), variants=variants(), by=("gene", "impact", "sex")),
    "frequencies": Study("frequencies", ~ILL, variants=variants()),
    "frequencies on X": Study("frequencies", everyone(), variants=variants().in_region("X")),
    "frequencies of nobody": Study("frequencies", icd10("Z99"), variants=variants()),
    "burden": Study("burden", ILL, variants=variants(impact=["high", "moderate"])),
    "burden in genes a site lacks": Study("burden", ILL, variants=variants().in_genes("LZTR1", "COL4A5", "BRCA1")),
    "carriers of what is rare in all": Study("carriers", everyone(), variants=RARE, by=("gene",)),
    "burden of what is rare in all": Study("burden", ILL, variants=RARE),
}
Person = tuple[str, str, str, bool, int, tuple[tuple[str, ...], ...]]


def somebody(number: int, chance: Random) -> Person:
    """Id, sex, ancestry, ill or not, how many samples, and the genotype of each place, one for each sample."""
    who = chance.choice(["female", "male", "male", "unknown"])

    def genotype(place: str, alts: int, percent: int) -> str:
        chrom, pos, *_ = place.split()
        once = chrom == "X" and int(pos) > 3_000_000 and who == "male"
        allele = [str(chance.randint(1, alts)) if chance.random() * 100 < percent else "0" for _ in range(2)]
        missing = chance.random()
        if once:
            return "." if missing < 0.1 else allele[0]
        return "./." if missing < 0.1 else f"{allele[0]}/." if missing < 0.13 else "/".join(allele)

    samples = chance.choice([0, 1, 1, 1, 2])
    genotypes = tuple(genotype(place, len(impacts), percent) for place, _, impacts, percent in PLACES)
    return f"p{number:03}x", who, chance.choice(["EUR", "SAS"]), chance.random() < 0.4, samples, (genotypes,) * samples


def hospital(workspace: Workspace, name: str, people: Sequence[Person]) -> Site:
    """A site with these people, which lists nothing that all of them have not."""
    site = workspace.add_site(name, pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / "ward.odcs.yaml"
    folder.mkdir()
    contract.write_text(OPEN, encoding="utf-8")
    links = [(f"{person[0]}s{number}", person[0]) for person in people for number in range(person[4])]
    rows(folder / "people.csv", "person,sex,ancestry", [person[:3] for person in people])
    rows(folder / "diagnoses.csv", "person,code", [(person[0], "Q61.2") for person in people if person[3]])
    rows(folder / "samples.csv", "sample,person", links)
    records = []
    for at, (place, gene, impacts, _) in enumerate(PLACES):
        calls = [sample[at] for person in people for sample in person[5]]
        if any(sign in call for call in calls for sign in "12."):
            alts = place.split(" ")[3].split(",")
            entries = [csq(alt, "stop_gained", impact, gene) for alt, impact in zip(alts, impacts, strict=True)]
            records.append(record(place, " ".join(calls), info=f"CSQ={','.join(entries)}"))
    samples = [sample for sample, _ in links]
    write(folder / "all.vcf.gz", vcf(*records, samples=samples, contigs=LENGTHS, info=[CSQ]))
    return release(site, folder, contract, shipped("variants_vep"))


Split = tuple[Site, list[Site]]


@pytest.fixture(scope="module", params=[1, 2])
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Split:
    """All people at one site, and the same people at three: the third a small one where nobody is ill."""
    chance = Random(request.param)
    people = [somebody(number, chance) for number in range(90)]
    well = [person for person in people if not person[3]][:8]
    others = [person for person in people if person not in well]
    chance.shuffle(others)
    workspace = Workspace.create(tmp_path_factory.mktemp("split") / "federation", "split")
    parts = {"first": others[:25], "second": others[25:], "third": well}
    return hospital(workspace, "all", people), [hospital(workspace, name, part) for name, part in parts.items()]


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_the_sum_of_the_sites_is_the_answer_of_all_people(split: Split, study: Study) -> None:
    def asked(sites: list[Site]) -> tuple[object, int]:
        chosen = studies.pooled_filter(study, sites, SETTINGS)
        answers = [studies.summarise(study, site, SETTINGS, chosen) for site in sites]
        total = reduce(add, [answer.summary for answer in answers if answer.summary is not None])
        return SUMS[study.method].estimate(study, total), sum(answer.population for answer in answers)

    together, apart = split
    assert repr(asked(apart)) == repr(asked([together]))  # repr: an odds ratio of nobody is nan, which is never itself
