"""Tumours: what they have acquired is counted alike however people are split, is never taken for what people were born with, and what was
planted in the demo's is found."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from four_hospitals import OPEN, SETTINGS, STEWARDS, release, rows, staffed
from hypothesis import given, settings
from hypothesis import strategies as st
from variant_files import CSQ, csq, record, vcf, write

import nhsgen as ng
from nhsgen import studies
from nhsgen.contracts import People, Sample, Words, shipped
from nhsgen.demo.signals import TUMOURS
from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.disclosure.recoverable import Margin, ranges
from nhsgen.errors import BadStudy, NotFound, NotSafe
from nhsgen.estimates import Drivers, Estimate, Patterns, TumourBurden
from nhsgen.extracts import links
from nhsgen.results import Receipt, Released, Suppressed, Value, Zero
from nhsgen.studies import SUMS, Study
from nhsgen.workspace import Site, Workspace

CANCER, BREAST, ALTERING = ng.icd10("C50"), ng.icd10("C50"), ng.variants(impact=["high", "moderate"])
GENES = ("CDH1", "GATA3", "PIK3CA", "TP53")
LENGTHS = {"3": 198295559, "10": 133797422, "16": 90338345, "17": 83257441}
TUMOUR_TABLE = """\
  - name: tumours
    physicalName: tumours.csv
    physicalType: table
    properties:
      - {name: tumour, logicalType: string, physicalType: VARCHAR, primaryKey: true}
      - {name: person, logicalType: string, physicalType: VARCHAR, required: true}
    customProperties:
      - {property: optional, value: true}
      - property: words
        value:
          person: person
          tumour_samples: {sample: tumour}
"""

# -- Invented people --------------------------------------------------------------------------------------------------

# place, gene, consequence, impact
MUTATIONS = (
    ("3 179218303 G A", "PIK3CA", "missense_variant", "MODERATE"),
    ("3 179218400 A G", "PIK3CA", "synonymous_variant", "LOW"),
    ("10 8058400 C CA", "GATA3", "frameshift_variant", "HIGH"),
    ("16 68801700 G A", "CDH1", "stop_gained", "HIGH"),
    ("17 7675000 C T", "TP53", "missense_variant", "MODERATE"),
    ("17 7675100 G A", "TP53", "stop_gained", "HIGH"),
)
FAILED = ("17 7675200 G T", "TP53", "stop_gained", "HIGH")  # the caller's filter


@dataclass(frozen=True)
class Person:
    """born: copies of an allele of TP53; tumours: of each, which of MUTATIONS it has; nobody need have one."""

    id: str
    sex: str
    born: int
    tumours: tuple[tuple[int, ...], ...]


def invented() -> list[Person]:
    chance = Random(11)
    kinds = ((0,), (4,), (5,), (4, 5), (2,), (0, 2), (0, 3), (3,), (1,), ())
    people = []
    for number in range(200):
        tumours = tuple(
            chance.choices(kinds, (6, 9, 4, 2, 5, 3, 6, 3, 2, 4))[0] for _ in range(chance.choice((0, 1, 1, 1, 2)))
        )
        people.append(Person(f"p{number:03}x", chance.choice(("female", "male")), int(chance.random() < 0.2), tumours))
    return people


def hospital(workspace: Workspace, name: str, people: Sequence[Person], *, tumours: bool = True) -> Site:
    """A site with these people; germline variants in one file, tumours' in another."""
    site = workspace.add_site(name, pooled=True, by="dana")
    staffed(site)
    folder, contract = workspace.path / f"from-{name}", workspace.path / f"{name}.odcs.yaml"
    hand_in(folder, people, tumours=tumours)
    contract.write_text(OPEN + TUMOUR_TABLE, encoding="utf-8")
    return release(site, folder, contract, shipped("variants_vep"))


def hand_in(folder: Path, people: Sequence[Person], *, tumours: bool = True) -> None:
    folder.mkdir()
    rows(folder / "people.csv", "person,sex,ancestry", [(p.id, p.sex, "EUR") for p in people])
    rows(folder / "diagnoses.csv", "person,code", [(p.id, "C50.1") for p in people])
    rows(folder / "samples.csv", "sample,person", [(f"S{p.id}", p.id) for p in people])
    germline = [
        variant("17 7670000 A G", "TP53", "missense_variant", "MODERATE", ["0/1" if p.born else "0/0" for p in people])
    ]
    germline.append(variant("17 7670100 A G", "TP53", "stop_gained", "HIGH", ["0/0"] * (len(people) - 1) + ["0/1"]))
    write(folder / "all.vcf.gz", vcf(*germline, samples=[f"S{p.id}" for p in people], contigs=LENGTHS, info=[CSQ]))
    if not tumours:
        return
    samples = [(f"T{p.id}{n}", p.id, has) for p in people for n, has in enumerate(p.tumours)]
    rows(folder / "tumours.csv", "tumour,person", [(sample, person) for sample, person, _ in samples])
    somatic = [
        variant(*mutation, ["0/1" if at in has else "0/0" for _, _, has in samples])
        for at, mutation in enumerate(MUTATIONS)
        if any(at in has for _, _, has in samples)
    ]
    somatic.append(variant(*FAILED, ["0/1"] * len(samples), filter="LowQual"))
    write(
        folder / "somatic.vcf.gz",
        vcf(*somatic, samples=[sample for sample, _, _ in samples], contigs=LENGTHS, info=[CSQ]),
    )


def variant(place: str, gene: str, consequence: str, impact: str, calls: Sequence[str], filter: str = "PASS") -> str:
    info = f"CSQ={csq(place.split(' ')[3], consequence, impact, gene)}"
    return record(place, " ".join(calls), info=info, filter=filter)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Site]:
    """Everybody at one site, the same with no tumours, and the same split over two of which one is small."""
    workspace = Workspace.create(tmp_path_factory.mktemp("tumours") / "federation", "tumours")
    people = invented()
    parts = {"few": people[:11], "others": people[11:], "all": people}
    found = {name: hospital(workspace, name, part) for name, part in parts.items()}
    return found | {"none": hospital(workspace, "none", people, tumours=False)}


STUDIES = {
    "drivers": Study("drivers", CANCER, variants=ALTERING),
    "drivers of men": Study("drivers", ng.sex("male"), variants=ng.variants().in_genes("TP53", "PIK3CA", "BRAF")),
    "patterns": Study("mutation_patterns", CANCER, variants=ALTERING.in_genes(*GENES)),
    "burden": Study("tumour_burden", CANCER, variants=ng.variants(), by=("sex",), options={"megabases": 0.8}),
}


def estimated(study: Study, *sites: Site) -> Any:
    answers = [studies.summarise(study, site, SETTINGS) for site in sites]
    return SUMS[study.method].estimate(study, reduce(add, [answer.summary for answer in answers if answer.summary]))


@pytest.mark.parametrize("name", STUDIES)
def test_however_people_are_split_the_tumours_are_the_same(sites: Mapping[str, Site], name: str) -> None:
    pooled = estimated(STUDIES[name], sites["all"])
    assert asdict(estimated(STUDIES[name], sites["few"], sites["others"])) == asdict(pooled)
    assert sum(pooled.cells.values()) > 40


def test_each_number_is_that_of_the_first_tumour_of_each_person(sites: Mapping[str, Site]) -> None:
    """Worked out apart from the house. The synonymous mutation changes nothing, and what failed the caller's filter is not there."""
    first = [p.tumours[0] for p in invented() if p.tumours]
    sets = [frozenset(MUTATIONS[at][1] for at in has if at != 1) for has in first]
    patterns = estimated(STUDIES["patterns"], sites["all"])
    assert patterns.people == len(first)
    assert dict(patterns.cells) == {tuple(sorted(genes)): sets.count(genes) for genes in set(sets)}
    drivers = estimated(STUDIES["drivers"], sites["all"])
    assert drivers.cells["TP53", "truncating"] == sum(5 in has for has in first)
    assert drivers.cells["TP53", "missense"] == sum(4 in has and 5 not in has for has in first)
    assert drivers.cells["TP53", "splice"] == 0
    burden = estimated(replace(STUDIES["burden"], by=()), sites["all"])
    changing = [sum(at != 1 for at in has) / 0.8 for has in first]
    assert burden.cells == {
        ("0 to 1",): sum(x < 1 for x in changing), ("1 to 2",): sum(1 <= x < 2 for x in changing), ("2 to 5",): sum(x >= 2 for x in changing)
    }  # fmt: skip


# -- What people were born with -----------------------------------------------------------------------------------------


GERMLINE = {
    "carriers": Study("carriers", CANCER, variants=ng.variants(), by=("gene", "consequence")),
    "frequencies": Study("frequencies", ng.everyone(), variants=ng.variants()),
    "burden": Study("burden", ng.sex("female"), variants=ng.variants()),
}


@pytest.mark.parametrize("name", GERMLINE)
def test_tumours_change_nothing_that_is_said_of_what_people_were_born_with(
    sites: Mapping[str, Site], name: str
) -> None:
    without, beside = (studies.summarise(GERMLINE[name], sites[which], SETTINGS) for which in ("none", "all"))
    assert beside.summary is not None
    assert without.summary is not None
    assert beside.summary.to_dict() == without.summary.to_dict()
    assert beside.population == without.population == len(invented())


def test_a_release_without_tumours_is_silent_about_them_and_says_why(sites: Mapping[str, Site]) -> None:
    with pytest.raises(NotFound, match="none: its contract has no variant files of tumours"):
        studies.run(STUDIES["drivers"], [sites["none"]], SETTINGS)
    assert "tumours" not in sites["none"].release().manifest  # type: ignore[union-attr]
    assert sites["all"].release().manifest["people"]["tumours"] == sum(len(p.tumours) for p in invented())  # type: ignore[union-attr]


def test_who_withdrew_has_no_tumour(sites: Mapping[str, Site], tmp_path: Path) -> None:
    shutil.copytree(sites["few"].path.parent.parent, tmp_path / "federation")
    site = Workspace.open(tmp_path / "federation").site("few")
    everybody = [person for person in invented()[:11] if person.tumours]
    (tmp_path / "no.csv").write_text(
        "\n".join(["person_id", *(person.id for person in everybody[:3])]), encoding="utf-8"
    )
    site.withdraw_people(tmp_path / "no.csv", STEWARDS[0])
    assert estimated(STUDIES["drivers"], site).people == len(everybody) - 3


MIXED: Mapping[str, tuple[tuple[str, str], tuple[str, str], str]] = {
    "a tumour that is nobody's": (("S1", "p1"), ("T2", "p1"), "1 samples of the tumours' variant files are in no table that links"),
    "a tumour that is said to be somebody's own": (
        ("T1", "p1"), ("T1", "p1"), "1 samples are said to be somebody's own and a tumour's"),
    "a tumour of somebody unknown": (
        ("S1", "p1"), ("T1", "p9"), "1 samples of the tumours' variant files are linked to people no table of people lists"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MIXED)
def test_a_tumour_without_a_clear_owner_stops_the_extract(tmp_path: Path, mistake: str) -> None:
    own, tumour, says = MIXED[mistake]
    tables = {name: tmp_path / f"{name}.parquet" for name in ("people", "samples", "tumours")}
    pl.DataFrame({"person": ["p1"]}).write_parquet(tables["people"])
    for name, (sample, person) in (("samples", own), ("tumours", tumour)):
        pl.DataFrame({"sample": [sample], "person": [person]}).write_parquet(tables[name])
    words = Words(
        people=(People("people", "person", everyone=True),),
        samples=(Sample("samples", "person", "sample"),),
        tumour_samples=(Sample("tumours", "person", "sample"),),
    )
    assert any(problem.startswith(says) for problem in links.compare(words, tables, [own[0]], ["T1"]).problems)


# -- What was planted ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


def test_the_genes_that_drive_breast_cancer_are_found(lab: ng.Lab) -> None:
    released = lab.drivers(BREAST, ALTERING.in_genes(*GENES, "APC"))
    total = {
        row["gene"]: row["tumours"]
        for row in released.to_polars().filter(pl.col("consequence") == "all").iter_rows(named=True)
    }
    (of,) = [int(found[1]) for note in released.notes if (found := re.match(r"Of about (\d+) tumours", note))]
    kinds = [kind for kind in TUMOURS if kind.icd10 == "C50"]
    for gene in GENES:
        expected = sum(kind.share * kind.mutated.get(gene, 0.0) for kind in kinds)
        assert abs(total[gene] / of - expected) < 4 * (expected * (1 - expected) / of) ** 0.5 + 5 / of, gene
    assert total["APC"] == 0
    assert released.kind == "driver_genes"


def test_genes_that_exclude_each_other_and_genes_that_go_together_are_named(lab: ng.Lab) -> None:
    notes = " ".join(lab.mutation_patterns(BREAST, ALTERING.in_genes(*GENES)).notes)
    assert "GATA3 and TP53 are mutated instead of each other" in notes
    assert "CDH1 and PIK3CA are mutated together" in notes


def test_a_few_tumours_have_many_mutations(lab: ng.Lab) -> None:
    released = lab.tumour_burden(BREAST | ng.icd10("C18"))
    steps = [str(row[0]) for row in released.table.rows]
    assert steps[:3] == ["0 to 1", "1 to 2", "2 to 5"]
    assert steps[-1] == "all"
    of = {str(row[0]): row[1] for row in released.table.rows}
    assert isinstance(of["10 to 20"], Value)
    assert int(str(of["0 to 1"])) + int(str(of["1 to 2"])) > 100


MISTAKES: Mapping[str, tuple[Any, str]] = {
    "no genes named": (lambda lab: lab.mutation_patterns(BREAST, ALTERING), "its variants name no genes; name 2 to 10 genes"),
    "one gene named": (
        lambda lab: lab.mutation_patterns(BREAST, ALTERING.in_genes("TP53")), "its variants name 1 gene; name 2 to 10 genes"),
    "a pooled frequency": (
        lambda lab: lab.drivers(BREAST, ng.variants().rare(0.01, af="pooled")), "which no tumour's mutation is"),
    "another length": (lambda lab: lab.tumour_burden(BREAST, megabases=33), "use 32.61 or 38.0 or 1.1 or 0.8"),
    "no variants": (lambda _: Study("drivers", BREAST), "it needs variants"),
    "a group of drivers": (lambda _: Study("drivers", BREAST, variants=ALTERING, by=("sex",)), "the group 'sex' is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(lab: ng.Lab, mistake: str) -> None:
    asked, says = MISTAKES[mistake]
    with pytest.raises(BadStudy) as refused:
        asked(lab)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


# -- The gate -----------------------------------------------------------------------------------------------------------

NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))
RECEIPT = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")


def gated(estimate: Estimate, policy: Policy = NHS, population: int | None = None) -> Released:
    return gate(estimate, policy=policy, title="What?", question={}, receipt=RECEIPT, sites=3, population=population)


def cells(released: Released) -> dict[tuple[str, ...], str]:
    return {tuple(map(str, row[:-1])): str(row[-1]) for row in released.table.rows}


def test_drivers_read_like_this() -> None:
    found = {
        ("TP53", "missense"): 41,
        ("TP53", "truncating"): 22,
        ("TP53", "splice"): 3,
        ("BRAF", "missense"): 4,
        ("KRAS", "missense"): 0,
    }
    released = gated(Drivers(found, 158))
    assert cells(released) == {
        ("TP53", "all"): "65", ("TP53", "missense"): "40", ("TP53", "truncating"): "20", ("KRAS", "all"): "0",
    }  # fmt: skip
    assert "1 further gene: too few tumours to show." in released.notes


def test_a_rare_class_takes_another_with_it_where_the_total_would_tell() -> None:
    """Without rounding, 41 of 44 missense says that 3 are not."""
    assert cells(gated(Drivers({("TP53", "missense"): 41, ("TP53", "splice"): 3}, 158), GEL)) == {("TP53", "all"): "44"}


def test_nobody_is_not_said_to_be_nobody_where_zeros_are_not_shown() -> None:
    released = gated(Drivers({("KRAS", "missense"): 0, ("BRAF", "missense"): 4}, 158), ACRO)
    assert released.table.rows == ()
    assert not any("further" in note for note in released.notes)


def test_all_but_a_few_tumours_are_as_telling_as_a_few() -> None:
    assert gated(Drivers({("TP53", "missense"): 155}, 158)).table.rows == ()
    assert ("TP53",) not in cells(gated(Patterns({("TP53",): 155, (): 3}, 158)))


@pytest.mark.parametrize("estimate", [Drivers({}, 7), Patterns({(): 7}, 7), Drivers({}, 0), Patterns({}, 0)])
def test_nothing_is_said_of_too_few_tumours(estimate: Estimate) -> None:
    with pytest.raises(NotSafe):
        gated(estimate)


def test_patterns_read_like_this() -> None:
    found = {
        ("TP53",): 47,
        (): 31,
        ("CDH1", "PIK3CA"): 26,
        ("PIK3CA",): 24,
        ("CDH1",): 13,
        ("GATA3",): 20,
        ("PIK3CA", "TP53"): 4,
    }
    released = gated(Patterns(found, 165))
    assert list(cells(released).items()) == [
        (("TP53",), "45"), (("none",), "30"), (("CDH1+PIK3CA",), "25"), (("PIK3CA",), "25"), (("GATA3",), "20"), (("CDH1",), "15"),
    ]  # fmt: skip
    pairs = [note for note in released.notes if "are mutated" in note]
    assert pairs[0].startswith("CDH1 and TP53 are mutated instead of each other: odds ratio 0.0")
    assert any(note.startswith("CDH1 and PIK3CA are mutated together") for note in pairs)
    assert not any("PIK3CA and TP53" in note for note in pairs)  # so few have both


def test_a_rare_pattern_is_neither_listed_nor_counted() -> None:
    common = {("TP53",): 47, (): 60}
    without, beside = gated(Patterns(common, 110)), gated(Patterns({**common, ("BRAF",): 3}, 110))
    assert cells(beside) == cells(without)
    said = [note for note in beside.notes if note not in without.notes]
    assert not any("pattern" in note or "BRAF" in note for note in said)


PATTERNS = st.dictionaries(
    st.frozensets(st.sampled_from("ABCD")).map(lambda genes: tuple(sorted(genes))),
    st.integers(1, 40),
    min_size=2,
    max_size=9,
)


@given(PATTERNS, st.sampled_from([NHS, GEL, ACRO, PRESETS["opensafely-midpoint6"]]))
@settings(max_examples=25, deadline=None)
def test_who_knows_the_genes_totals_cannot_work_out_a_rare_pattern(
    found: dict[tuple[str, ...], int], policy: Policy
) -> None:
    """The attacker has this table, that of `drivers`, and the number of tumours; they know which patterns are rare."""
    people = sum(found.values())
    if people < policy.least:
        return
    shown = cells(gated(Patterns(found, people), policy, population=people))
    patterns = sorted(found)
    told = {i: shown.get(("+".join(pattern) or "none",)) for i, pattern in enumerate(patterns)}
    bounds: dict[int, tuple[int, int]] = {}
    for i, pattern in enumerate(patterns):
        few = 0 < found[pattern] < policy.least
        low, high = (
            policy.meaning(int(text.replace(",", ""))) if (text := told[i]) else (0, policy.least - 1 if few else 10**4)
        )
        bounds[i] = (max(low, policy.least) if told[i] else low, high)
    margins = [Margin(tuple(range(len(patterns))), people, people)]
    for gene in "ABCD":
        having = tuple(i for i, pattern in enumerate(patterns) if gene in pattern)
        total = sum(found[patterns[i]] for i in having)
        if having and total >= policy.least:
            margins.append(Margin(having, *policy.meaning(policy.rounded(total))))
    rare = [i for i, pattern in enumerate(patterns) if policy.hides(found[pattern])]
    assert not any(told[i] for i in rare)
    if any(told.values()):
        for low, high in ranges(bounds, margins, rare).values():
            assert high - low + 1 >= policy.open_counts


def test_a_burden_is_read_in_the_order_of_its_steps() -> None:
    by = ("mutations by megabase",)
    released = gated(TumourBurden(by, {("10 to 20",): 9, ("2 to 5",): 31, ("100 and more",): 2, ("0 to 1",): 62}))
    assert released.table.columns == (*by, "tumours")
    assert [str(row[0]) for row in released.table.rows] == ["0 to 1", "2 to 5", "10 to 20", "100 and more", "all"]
    assert isinstance(released.table.rows[3][1], Suppressed)
    assert not any(isinstance(row[1], Zero) for row in released.table.rows)


@pytest.mark.parametrize(
    "estimate",
    [
        Drivers({("TP53", "missense"): 41, ("TP53", "splice"): 3}, 158),
        Patterns({("TP53",): 47, (): 60}, 107),
        Patterns({("TP53",): 3, (): 3, ("BRAF",): 3}, 9),
        TumourBurden(
            ("mutations by megabase", "sex"),
            {("0 to 1", "female"): 62, ("0 to 1", "male"): 2, ("2 to 5", "female"): 30},
        ),
    ],
    ids=["drivers", "patterns", "no pattern", "burden"],
)
def test_every_result_is_drawn(estimate: Estimate, tmp_path: Path) -> None:
    gated(estimate).save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5_000
