"""Associations, gene tests, families, structure and survival do not depend on how the people are split over sites.

The same invented people at one site, at two, and at three of which one is small and lists few alleles. Families stay together, for
nobody could know of a parent at another hospital. What a site is a level or a stratum of (`site_effect`, Cox's model) is compared
where it must agree: without the levels, and with a model of all records that has the same strata.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache, reduce
from operator import add
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from four_hospitals import OPEN, PEDIGREE, RESULTS, SETTINGS, release, rows, staffed
from variant_files import CSQ, csq, record, vcf, write

from nhsgen import studies
from nhsgen.cohorts import everyone, icd10, sex
from nhsgen.cohorts.measurements import measurement
from nhsgen.contracts import shipped
from nhsgen.errors import NotFound
from nhsgen.estimates import Association, Estimate, Families, GeneTests, Structure, Survival
from nhsgen.statistics import cox
from nhsgen.statistics.sums import solve
from nhsgen.studies import ROUNDS, SUMS, Study
from nhsgen.studies.rounds import ask_in_rounds
from nhsgen.variants import variants
from nhsgen.workspace import Site, Workspace

LENGTHS = {"1": 248956422, "2": 242193529, "16": 90338345, "X": 156040895}

# The contract of four_hospitals.py, with what these studies need to know of people.
WARD = (
    OPEN.replace(
        "- {name: ancestry, logicalType: string, physicalType: VARCHAR}",
        "- {name: ancestry, logicalType: string, physicalType: VARCHAR}\n"
        "      - {name: born, logicalType: integer, physicalType: BIGINT}\n"
        "      - name: died\n        logicalType: date\n        physicalType: DATE\n"
        "        customProperties: [{property: date_kind, value: death}]",
    )
    .replace("ancestry: ancestry}", "ancestry: ancestry, birth_year: born, died: died}")
    .replace(
        "- {name: code, logicalType: string, physicalType: VARCHAR, required: true}",
        "- {name: code, logicalType: string, physicalType: VARCHAR, required: true}\n"
        "      - {name: day, logicalType: date, physicalType: DATE}",
    )
    .replace("vocabulary: ICD10}", "vocabulary: ICD10, date: day}")
)

# -- Invented people --------------------------------------------------------------------------------------------------

# place, gene, impact, frequency of the alternative allele in people of EUR and of SAS ancestry
COMMON = [
    (f"{1 + n % 2} {1_000_000 * (n + 1)} A G", "", "MODIFIER", 0.15 + 0.02 * n, 0.5 - 0.02 * n) for n in range(14)
]
RARE = [
    (f"16 {2_100_000 + 50 * n} C T", ("PKD1", "UMOD")[n % 2], ("HIGH", "MODERATE")[n % 3 == 0], 0.02, 0.01)
    for n in range(12)
]
ON_X = [("X 101397800 G A", "GLA", "HIGH", 0.2, 0.1), ("X 108600000 G T", "COL4A5", "HIGH", 0.1, 0.1)]
DE_NOVO, FROM_FATHER, FROM_MOTHER = (("2 166000000 G A", "SCN1A", "HIGH"), ("1 94000000 C T", "ABCA4", "MODERATE"),
                                     ("1 94000500 G A", "ABCA4", "MODERATE"))  # fmt: skip
PLACES = [*COMMON, *RARE, *ON_X, *((*planted, 0.0, 0.0) for planted in (DE_NOVO, FROM_FATHER, FROM_MOTHER))]
FIRST = date(2012, 1, 1)


@dataclass(frozen=True)
class Person:
    """One invented person; `calls`: the genotype at each of PLACES; `ill`: the day of the diagnosis; `seen`: the last of a result."""

    id: str
    sex: str
    ancestry: str
    born: int
    calls: tuple[str, ...]
    egfr: float | None
    urea: float | None
    ill: date | None
    died: date | None
    seen: date
    family: str = ""
    father: str = ""
    mother: str = ""
    affected: str = ""

    def copies(self, place: int) -> int:
        return self.calls[place].count("1")


def single(number: int, chance: Random, who: str = "") -> Person:
    """Somebody without relatives; the first allele lowers eGFR and makes ill, and who carries in PKD1 lives less long."""
    who, ancestry = who or chance.choice(["female", "male"]), chance.choice(["EUR", "EUR", "SAS", ""])

    def call(place: str, frequency: float) -> str:
        alleles = [str(int(chance.random() < frequency)) for _ in range(2)]
        if chance.random() < 0.03:
            return "." if place.startswith("X") and who == "male" else "./."
        return alleles[0] if place.startswith("X") and who == "male" else "/".join(alleles)

    calls = tuple(call(place, sas if ancestry == "SAS" else eur) for place, _, _, eur, sas in PLACES)
    dose, born = calls[0].count("1"), chance.randint(1930, 1999)
    ill = FIRST + timedelta(chance.randint(0, 900)) if chance.random() < 0.25 + 0.12 * dose else None
    carries = any(calls[len(COMMON) + n].count("1") for n in range(0, len(RARE), 2))
    lives = chance.expovariate(1 / (1200 if carries else 3500))
    died = ill + timedelta(round(lives) + 1) if ill and lives < 3000 else None
    seen = min(died or date(2023, 1, 1), FIRST + timedelta(chance.randint(1500, 4000)))
    return Person(
        f"p{number:04}x", who, ancestry, born, calls,
        None if chance.random() < 0.1 else 90 - 5 * dose - 0.2 * (1990 - born) + chance.gauss(0, 8),
        None if chance.random() < 0.3 else 5 + chance.gauss(0, 1),
        ill, died, max(seen, ill or seen),
    )  # fmt: skip


def trio(number: int, chance: Random) -> list[Person]:
    """An ill child and both parents. Of three children one has something new, one an allele from each parent, one nothing known."""
    father, mother, child = (
        single(1000 + 3 * number + n, chance, who) for n, who in enumerate(("male", "female", "female"))
    )
    inherited = [
        f"{chance.choice(_of(f))}/{chance.choice(_of(m))}" for f, m in zip(father.calls, mother.calls, strict=True)
    ]
    calls = {"father": list(father.calls), "mother": list(mother.calls), "child": inherited}
    new, his, hers = (
        next(n for n, place in enumerate(PLACES) if place[:3] == planted)
        for planted in (DE_NOVO, FROM_FATHER, FROM_MOTHER)
    )
    if number % 3 == 0:
        calls["child"][new] = "0/1"
    elif number % 3 == 1:
        calls["father"][his], calls["mother"][hers] = "0/1", "0/1"
        calls["child"][his], calls["child"][hers] = "0/1", "0/1"
    family = f"f{number:03}"
    return [
        replace(father, calls=tuple(calls["father"]), family=family, ill=None, died=None, affected="no"),
        replace(mother, calls=tuple(calls["mother"]), family=family, ill=None, died=None, affected="no"),
        replace(child, calls=tuple(calls["child"]), family=family, father=father.id, mother=mother.id, affected="yes"),
    ]


def _of(call: str) -> str:
    return call.replace("/", "").replace(".", "0")


@cache
def invented() -> tuple[tuple[Person, ...], ...]:
    """Households: people without relatives, and trios."""
    chance = Random(7)
    households = [(single(number, chance),) for number in range(170)]
    return tuple(households + [tuple(trio(number, chance)) for number in range(27)])


def hospital(workspace: Workspace, name: str, people: Sequence[Person], *, tables: str = RESULTS + PEDIGREE) -> Site:
    """A site with these people, which lists nothing that all of them have not: what it does not list is reference in everybody."""
    site = workspace.add_site(name, pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / f"{name}.odcs.yaml"
    folder.mkdir()
    contract.write_text(WARD + tables, encoding="utf-8")
    told = [(p.id, p.sex, p.ancestry, str(p.born), p.died.isoformat() if p.died else "") for p in people]
    rows(folder / "people.csv", "person,sex,ancestry,born,died", told)
    rows(folder / "diagnoses.csv", "person,code,day", [(p.id, "C50.1", p.ill.isoformat()) for p in people if p.ill])
    rows(folder / "samples.csv", "sample,person", [(f"S{p.id}", p.id) for p in people])
    if RESULTS in tables:
        found = [(p.id, test, f"{value!r}", p.seen.isoformat()) for p in people for test, value in (("eGFR", p.egfr), ("urea", p.urea))
                 if value is not None]  # fmt: skip
        rows(folder / "results.csv", "person,test,value,day", found)
    if PEDIGREE in tables:
        related = [(p.id, p.family, p.father, p.mother, p.affected) for p in people if p.family]
        rows(folder / "pedigree.csv", "person,family,father,mother,affected", related)
    records = []
    for at, (place, gene, impact, *_) in enumerate(PLACES):
        if any(sign in person.calls[at] for person in people for sign in "1."):
            info = f"CSQ={csq(place.split(' ')[3], 'stop_gained', impact, gene)}"
            records.append(record(place, " ".join(person.calls[at] for person in people), info=info))
    records.sort(key=lambda line: (list(LENGTHS).index(line.split("\t")[0]), int(line.split("\t")[1])))
    samples = [f"S{person.id}" for person in people]
    write(folder / "all.vcf.gz", vcf(*records, samples=samples, contigs=LENGTHS, info=[CSQ]))
    return release(site, folder, contract, shipped("variants_vep"))


Splits = Mapping[str, list[Site]]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """The same people at one site, at two, and at three, the third with a handful who are well and alone."""
    workspace = Workspace.create(tmp_path_factory.mktemp("analyses") / "federation", "split")
    households = list(invented())
    well = [home for home in households if len(home) == 1 and home[0].ill is None]
    small = well[:9]
    others = [home for home in households if home not in small]
    Random(3).shuffle(others)
    first, second = others[:100], others[100:]
    parts: dict[str, Sequence[tuple[Person, ...]]] = {
        "all": households,
        "first": first,
        "second": second,
        "small": small,
        "rest": [*second, *small],
    }
    site = {
        name: hospital(
            workspace, name, sorted((person for home in homes for person in home), key=lambda person: person.id)
        )
        for name, homes in parts.items()
    }
    asked = {"one": ["all"], "two": ["first", "rest"], "three": ["first", "second", "small"]}
    return {split: [site[name] for name in names] for split, names in asked.items()}


def estimated(study: Study, sites: Sequence[Site]) -> Any:
    """What all of `sites` together say, exact: for inside the walls."""
    if study.method in ROUNDS:
        asked = ask_in_rounds(study, ROUNDS[study.method], sites, SETTINGS, None, "rita")
        assert not asked.silent
        assert asked.estimate is not None
        return asked.estimate
    answers = [studies.summarise(study, site, SETTINGS) for site in sites]
    return SUMS[study.method].estimate(
        study, reduce(add, [answer.summary for answer in answers if answer.summary is not None])
    )


def same(one: object, other: object, path: str = "") -> None:
    """Equal; numbers to 1e-9."""
    if isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other)), (
            path,
            one,
            other,
        )
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        assert list(one) == list(other), path
        for key in one:
            same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        assert len(one) == len(other), path
        for place, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            same(mine, theirs, f"{path}[{place}]")
    else:
        assert one == other, (path, one, other)


EGFR, UREA, ILL = measurement("eGFR").latest(), measurement("urea").latest(), icd10("C50")
NO_LEVELS = {"site_effect": "none", "min_count": 10}
STUDIES = {
    "association of two measurements": Study(
        "association", everyone(), traits=(EGFR, UREA), variants=variants(), options=NO_LEVELS | {"covariates": ["sex", "birth_year"]}
    ),
    "association, relatives kept": Study(
        "association", everyone(), traits=(EGFR,), variants=variants(), options=NO_LEVELS | {"relatives": "keep"}
    ),
    "association of one sex": Study("association", sex("female"), traits=(EGFR,), variants=variants(), options=NO_LEVELS),
    "cases and controls": Study(
        "association", ILL, variants=variants(), options=NO_LEVELS | {"covariates": ["birth_year"], "firth_below": 0.5}
    ),
    "genes and a measurement": Study(
        "gene_tests", everyone(), traits=(EGFR,), variants=variants(), options={"site_effect": "none", "max_afs": 0.05, "covariates": ["sex"]}
    ),
    "genes and a disease": Study(
        "gene_tests", ILL, variants=variants(), options={"site_effect": "none", "max_afs": 0.05}
    ),
    "families": Study("families", everyone(), variants=variants(impact=["high", "moderate"])),
    "families on a panel": Study("families", everyone(), variants=variants(impact="moderate").in_genes("ABCA4")),
    "structure": Study("structure", everyone(), variants=variants(), options={"components": 2, "max_r2": 1.0}),
    "structure of what is not linked": Study("structure", ~ILL, variants=variants(), options={"components": 2}),
    "survival": Study("survival", ILL, since=ILL, options={"months": 12}),
    "survival by sex and ancestry": Study("survival", ILL, since=ILL, by=("sex", "ancestry")),
    "survival of carriers": Study("survival", everyone(), since=ILL, variants=variants().in_genes("PKD1"), options={"covariates": ["eGFR"]}),
}  # fmt: skip


def comparable(estimate: Estimate) -> dict[str, Any]:
    """All that must not depend on the split: Cox's model and the log-rank test have a stratum a site."""
    if isinstance(estimate, Survival):
        estimate = replace(estimate, hazards=(), log_rank_p=None)
    return asdict(estimate)


@pytest.fixture(scope="module")
def of_all(splits: Splits) -> Mapping[str, Any]:
    """What all people at one site say to each study."""
    return {name: estimated(study, splits["one"]) for name, study in STUDIES.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_however_people_are_split_the_estimate_is_the_same(
    splits: Splits, of_all: Mapping[str, Any], name: str
) -> None:
    for split in ("two", "three"):
        same(comparable(estimated(STUDIES[name], splits[split])), comparable(of_all[name]))


def test_it_does_not_matter_who_is_asked_first(splits: Splits) -> None:
    study = STUDIES["cases and controls"]
    assert asdict(estimated(study, splits["three"][::-1])) == asdict(estimated(study, splits["three"]))


@pytest.mark.parametrize(
    "name", ["association, relatives kept", "genes and a measurement", "families", "structure", "survival"]
)
def test_and_so_are_the_released_numbers(splits: Splits, name: str) -> None:
    one, three = (studies.run(STUDIES[name], splits[split], SETTINGS) for split in ("one", "three"))
    assert three.table == one.table
    assert three.notes == one.notes
    assert one.table.rows or name == "structure"  # so few people leave no square with enough of them


def test_there_is_something_to_compare(of_all: Mapping[str, Any]) -> None:
    """Else all of the above would hold of empty tables."""
    for estimate in of_all.values():
        if isinstance(estimate, Association):
            assert sum(not row.reason for row in estimate.rows) > 15
        elif isinstance(estimate, GeneTests):
            assert len(estimate.rows) >= 2
        elif isinstance(estimate, Families):
            assert sum(estimate.cells.values()) >= 9
        elif isinstance(estimate, Structure):
            assert len(estimate.cells) > 20
            assert len(estimate.eigenvalues) == 2
        else:
            assert isinstance(estimate, Survival)
            assert sum(sum(group.deaths) for group in estimate.groups) > 10


def test_what_was_planted_is_found(of_all: Mapping[str, Any]) -> None:
    """Of three children one has something new, one an allele from each parent."""
    assert of_all["families"].cells["SCN1A", "3", "dominant, de novo"] == 9
    assert of_all["families on a panel"].cells["ABCA4", "2", "compound heterozygous"] == 9
    assert of_all["families"].families == 27
    measured = [row for row in of_all["association of two measurements"].rows if row.trait == "eGFR" and not row.reason]
    lead = max(measured, key=lambda row: row.log10p)
    assert lead.variant == "1-1000000-A-G"
    assert abs(lead.beta + 5) < 3 * lead.se


def test_with_a_level_for_each_site_only_one_site_has_the_same_answer_as_without(splits: Splits) -> None:
    """The sites' levels are part of the question: with one site they are its intercept, with three they are three."""
    with_levels = Study("association", everyone(), traits=(EGFR,), variants=variants())
    without = replace(with_levels, options={**with_levels.options, "site_effect": "none"})
    same(asdict(estimated(with_levels, splits["one"])), asdict(estimated(without, splits["one"])))
    first, second = (estimated(study, splits["three"]).rows[0] for study in (with_levels, without))
    assert first.beta != pytest.approx(second.beta, abs=1e-6)
    assert first.beta == pytest.approx(second.beta, rel=0.2)


# -- Cox's model has a stratum a site -----------------------------------------------------------------------------------

SURVIVAL_OF_CARRIERS = STUDIES["survival of carriers"]


def records(people: Sequence[Person]) -> list[tuple[float, float, list[float]]]:
    """Days from the diagnosis, died or not, carrier or not and eGFR, of those who have all of it; worked out apart from the house."""
    pkd1 = [at for at, place in enumerate(PLACES) if place[1] == "PKD1"]
    return [
        (
            float(((p.died or p.seen) - p.ill).days),
            float(p.died is not None),
            [float(any(p.copies(at) for at in pkd1)), p.egfr],
        )
        for p in people
        if p.ill and p.egfr is not None
    ]


@pytest.mark.parametrize("split", ["one", "two", "three"])
def test_hazards_are_those_of_all_records_with_a_stratum_a_site(splits: Splits, split: str) -> None:
    everybody = {person.id: person for home in invented() for person in home}
    found: list[tuple[float, float, list[float]]] = []
    strata: list[int] = []
    for number, site in enumerate(splits[split]):
        folder = site_folder(site)
        here = [everybody[line.split(",")[0]] for line in (folder / "people.csv").read_text().splitlines()[1:]]
        found += records(here)
        strata += [number] * (len(found) - len(strata))
    days, died, x = (np.array(column) for column in zip(*found, strict=True))
    prepared = cox.prepare(days, died, x, strata=np.array(strata))
    expected = solve(
        lambda state: cox.summarise(prepared, state.ask), cox.step, cox.start(("carriers against others", "eGFR"))
    ).answer()
    hazards = estimated(SURVIVAL_OF_CARRIERS, splits[split]).hazards
    assert [hazard.term for hazard in hazards] == [effect.term for effect in expected.effects]
    for hazard, effect in zip(hazards, expected.effects, strict=True):
        same([hazard.ratio, hazard.low, hazard.high, hazard.p], [effect.ratio, effect.low, effect.high, effect.p])
        assert not hazard.reason


def site_folder(site: Site) -> Path:
    return next(parent for parent in site.path.parents if (parent / f"from-{site.name}").is_dir()) / f"from-{site.name}"


def test_a_site_where_nobody_has_the_event_changes_no_hazard(splits: Splits) -> None:
    """Of the three, the small one has nobody who is ill: it asks for a stratum, and puts nobody in it."""
    three, without_small = (estimated(SURVIVAL_OF_CARRIERS, sites) for sites in (splits["three"], splits["three"][:2]))
    same(asdict(three), asdict(without_small))


# -- A site that lacks a word -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lacking(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A hospital of the small site's size, whose contract has neither results nor a pedigree."""
    workspace = Workspace.create(tmp_path_factory.mktemp("lacking") / "federation", "lacking")
    return hospital(workspace, "lacking", [home[0] for home in invented()[:30]], tables="")


@pytest.mark.parametrize(("study", "says"), [
    (STUDIES["association, relatives kept"], "the measurement 'eGFR'"),
    (SURVIVAL_OF_CARRIERS, "the measurement 'eGFR'"),
    (STUDIES["families"], "parents"),
], ids=["trait", "covariate", "parents"])  # fmt: skip
def test_a_site_that_lacks_a_word_is_silent_and_named(splits: Splits, lacking: Site, study: Study, says: str) -> None:
    released = studies.run(study, [*splits["three"], lacking], SETTINGS)
    assert released.table == studies.run(study, splits["three"], SETTINGS).table
    assert [name for name, _ in released.receipt.answered] == ["first", "second", "small"]
    assert released.receipt.silent == (("lacking", f"its contract has no {says}"),)
    assert released.notes[-1] == f"lacking did not answer: its contract has no {says}."


def test_where_nobody_has_the_word_the_question_is_not_answered(lacking: Site) -> None:
    with pytest.raises(NotFound, match="lacking: its contract has no the measurement 'eGFR'"):
        studies.run(STUDIES["association, relatives kept"], [lacking], SETTINGS)


def test_a_site_without_a_pedigree_has_no_relatives_to_leave_out(splits: Splits, lacking: Site) -> None:
    compared = Study("association", ILL, variants=variants(), options={"min_count": 10})
    assert compared.options["relatives"] == "drop"
    assert estimated(compared, [lacking]).people == 30
    kept = replace(compared, options={**compared.options, "relatives": "keep"})
    dropping, keeping = (estimated(study, splits["one"]) for study in (compared, kept))
    assert dropping.cases == keeping.cases  # of a trio only the child can be ill here, and is kept for it
    children = [home[2] for home in invented() if len(home) == 3]
    left_out = sum(2 if child.ill else 1 for child in children)  # an ill child stays in place of both parents
    assert keeping.people - dropping.people == pytest.approx(
        left_out, abs=2
    )  # `people` are those called for some allele
