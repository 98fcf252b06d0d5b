"""Frequencies by group, quality of alleles and samples, linkage and relatedness: as the demo has them, and however people are split.

The invented people of test_analyses_split.py, at one site and at three; and families at three hundred places, for their kinship.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest
import test_analyses_split as ward
from four_hospitals import SETTINGS

import nhsgen as ng
from nhsgen import plots, studies
from nhsgen.cohorts import everyone
from nhsgen.errors import BadStudy, NotFound, NotSafe
from nhsgen.estimates import FrequenciesByGroup, Linkage, Relatedness, SampleQuality, VariantQuality
from nhsgen.results import NotRun, Suppressed, Value
from nhsgen.studies import Study
from nhsgen.studies.sample_quality import SCALES
from nhsgen.workspace import Site, Workspace

EVERYBODY = ng.everyone()
COMMON_IN_UMOD = ng.variants(min_af=0.05).in_genes("UMOD")


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


# -- However people are split -----------------------------------------------------------------------------------------

STUDIES: Mapping[str, Study] = {
    "frequencies by sex": Study("frequencies", everyone(), variants=ng.variants(), by=("sex",)),
    "frequencies by ancestry and sex": Study("frequencies", ng.sex("female"), variants=ng.variants(), by=("ancestry", "sex")),
    "variant_quality": Study("variant_quality", everyone(), variants=ng.variants()),
    "sample_quality": Study("sample_quality", everyone(), variants=ng.variants()),
    "linkage": Study("linkage", everyone(), variants=ng.variants(), options={"kb": 2000}),
    "linkage with one": Study("linkage", everyone(), variants=ng.variants(), options={"kb": 2000, "lead": "1-5000000-A-G"}),
}  # fmt: skip


@cache
def somebody() -> tuple[tuple[ward.Person, ...], ...]:
    return ward.invented()[100:190]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> ward.Splits:
    """The same people at one site and at three, the third with a handful."""
    workspace = Workspace.create(tmp_path_factory.mktemp("quality") / "federation", "split")
    homes = somebody()
    parts = {"all": homes, "first": homes[7:50], "second": homes[50:], "small": homes[:7]}
    site = {
        name: ward.hospital(workspace, name, sorted((p for home in part for p in home), key=lambda person: person.id))
        for name, part in parts.items()
    }
    return {"one": [site["all"]], "three": [site[name] for name in ("first", "second", "small")]}


@pytest.mark.parametrize("name", STUDIES)
def test_however_people_are_split_the_estimate_is_the_same(splits: ward.Splits, name: str) -> None:
    one, three = (ward.estimated(STUDIES[name], splits[split]) for split in ("one", "three"))
    ward.same(asdict(three), asdict(one))
    ward.same(asdict(ward.estimated(STUDIES[name], splits["three"][::-1])), asdict(three))
    assert len(one.cells if isinstance(one, SampleQuality) else one.rows) > 1  # there is something to compare


@pytest.mark.parametrize("name", ["variant_quality", "sample_quality"])
def test_and_so_is_what_is_released(splits: ward.Splits, name: str) -> None:
    one, three = (studies.run(STUDIES[name], splits[split], SETTINGS) for split in ("one", "three"))
    assert (three.table, three.notes) == (one.table, one.notes)
    assert one.table.rows


# -- Against the people themselves ------------------------------------------------------------------------------------


def calls(place: int, who: Callable[[ward.Person], bool] = lambda _: True) -> list[str]:
    return [person.calls[place] for home in somebody() for person in home if who(person)]


def test_frequencies_by_sex_are_those_of_each_sex(splits: ward.Splits) -> None:
    found = ward.estimated(STUDIES["frequencies by sex"], splits["three"])
    assert isinstance(found, FrequenciesByGroup)
    on_x = next(at for at, place in enumerate(ward.PLACES) if place[0].startswith("X 101397800"))
    for place, key in ((0, "1-1000000-A-G"), (on_x, "X-101397800-G-A")):
        for sex in ("female", "male"):
            here = calls(place, lambda person, sex=sex: person.sex == sex)  # type: ignore[misc]
            row = next(row for row in found.rows if (row.variant, row.group) == (key, (sex,)))
            assert row.alternate == sum(call.count("1") for call in here)
            assert row.called == sum(call.count("0") + call.count("1") for call in here)
            assert row.carriers == sum("1" in call for call in here)
            assert row.people == found.people[(sex,)] == len(here)


def test_genotypes_of_an_autosome_and_of_x_are_counted_apart(splits: ward.Splits) -> None:
    found = ward.estimated(STUDIES["variant_quality"], splits["three"])
    assert isinstance(found, VariantQuality)
    rows = {row.variant: row for row in found.rows}
    first, here = rows["1-1000000-A-G"], calls(0)
    assert (first.het, first.hom_alt, first.paired) == (
        sum(call in {"0/1", "1/0"} for call in here), here.count("1/1"), sum("." not in call for call in here),
    )  # fmt: skip
    assert (first.hemizygous, first.single) == (0, 0)
    on_x = next(at for at, place in enumerate(ward.PLACES) if place[0].startswith("X 101397800"))
    x, men = rows["X-101397800-G-A"], calls(on_x, lambda person: person.sex == "male")
    assert (x.hemizygous, x.single) == (men.count("1"), men.count("1") + men.count("0"))
    assert x.het + x.hom_alt <= x.paired


def test_r2_is_that_of_the_copies_of_all_people(splits: ward.Splits) -> None:
    found = ward.estimated(STUDIES["linkage"], splits["three"])
    assert isinstance(found, Linkage)
    where = {"-".join(place[0].split()): at for at, place in enumerate(ward.PLACES)}
    people = [person for home in somebody() for person in home]
    for row in found.rows[:6]:
        pairs = [
            (person.copies(where[row.variant]), person.copies(where[row.other]))
            for person in people
            if "." not in person.calls[where[row.variant]] + person.calls[where[row.other]]
        ]
        x, y = np.array(pairs).T
        assert row.people == len(pairs)
        assert row.r == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
        assert row.spread == pytest.approx(len(pairs) * x.std() * y.std())


# -- Relatives --------------------------------------------------------------------------------------------------------

HOUSEHOLDS = 12


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Site]:
    """Two parents, two children, and one of these again as somebody else: twelve times, at two sites of six families each."""
    places = [
        (f"{chrom} {1_000_000 + 200_000 * n} A G", "", "MODIFIER", 0.5, 0.5) for chrom in (1, 2, 16) for n in range(100)
    ]
    chance = Random(3)
    before, ward.PLACES = ward.PLACES, places
    try:
        return _families(tmp_path_factory, chance, len(places))
    finally:
        ward.PLACES = before


def _families(tmp_path_factory: pytest.TempPathFactory, chance: Random, places: int) -> Mapping[str, Site]:
    workspace = Workspace.create(tmp_path_factory.mktemp("kin") / "federation", "kin")
    people = []
    for home in range(HOUSEHOLDS):
        father, mother = ([(chance.randint(0, 1), chance.randint(0, 1)) for _ in range(places)] for _ in range(2))
        child, other = (
            [(chance.choice(one), chance.choice(two)) for one, two in zip(father, mother, strict=True)]
            for _ in range(2)
        )
        for number, genome in enumerate((father, mother, child, other, child)):
            people.append(
                ward.Person(
                    f"p{home:02}{number}x",
                    "female",
                    "EUR",
                    1970,
                    tuple(f"{a}/{b}" for a, b in genome),
                    None,
                    None,
                    None,
                    None,
                    ward.FIRST,
                )
            )
    parts = {"east": people[: len(people) // 2], "west": people[len(people) // 2 :], "both": people}
    return {name: ward.hospital(workspace, name, part, tables="") for name, part in parts.items()}


def test_parents_children_and_twins_are_counted_and_strangers_are_not(families: Mapping[str, Site]) -> None:
    study = Study("relatedness", everyone(), variants=ng.variants())
    found = ward.estimated(study, [families["east"], families["west"]])
    assert isinstance(found, Relatedness)
    twins, first = ("the same person or identical twins",), ("first degree",)
    assert found.pairs[twins] == HOUSEHOLDS
    assert found.in_pairs[twins] == 2 * HOUSEHOLDS
    # Six of a parent and a child, and two of brothers or sisters, whose kinship varies.
    assert found.pairs[first] == pytest.approx(8 * HOUSEHOLDS, abs=6)
    assert found.in_pairs[first] == 5 * HOUSEHOLDS
    assert found.uncertain == ("second degree", "third degree")
    # Families stay together, and no pair of strangers passes for the same or for first degree: all at one site have the same.
    together = ward.estimated(study, [families["both"]])
    for degree in (twins, first):
        assert together.pairs[degree] == found.pairs[degree]
        assert together.in_pairs[degree] == found.in_pairs[degree]


def test_relatives_are_released_as_pairs_and_as_people(families: Mapping[str, Site]) -> None:
    study = Study("relatedness", everyone(), variants=ng.variants(), by=("site",))
    released = studies.run(study, [families["both"]], SETTINGS)
    assert released.table.columns == ("degree", "site", "pairs", "people")
    assert released.table.rows[0][1:] == (Value("both"), Value(10), Value(25))
    assert all(isinstance(row[2], NotRun) for row in released.table.rows[2:])
    assert any("relatives at two sites cannot be seen" in note for note in released.notes)
    assert released.plot().axes[0].patches


def test_the_genes_of_the_demo_are_too_few_places_to_tell_kin(lab: ng.Lab) -> None:
    with pytest.raises(NotFound, match="too few to tell anybody's kin"):
        lab.relatedness(EVERYBODY)


# -- As the demo has them ---------------------------------------------------------------------------------------------


def test_frequencies_by_site_differ_where_ancestries_do_and_can_be_drawn(lab: ng.Lab) -> None:
    released = lab.frequencies(EVERYBODY, COMMON_IN_UMOD, by="site")
    assert released.kind == "frequencies_by_group"
    assert released.table.columns == (
        "variant",
        "gene",
        "consequence",
        "site",
        "people",
        "carriers",
        "allele frequency",
    )
    frame = released.to_polars()
    pooled = lab.frequencies(EVERYBODY, COMMON_IN_UMOD).to_polars()
    weighted = frame.group_by("variant").agg(
        (pl.col("allele frequency") * pl.col("people")).sum() / pl.col("people").sum()
    )
    both = weighted.join(pooled, on="variant")
    assert len(both) == len(pooled) > 30
    assert ((both["allele frequency"] - both["allele frequency_right"]).abs() < 0.01).all()
    assert {axes.get_title(loc="left") for axes in plots.frequency_map(released).axes} == {
        "moorland",
        "northgate",
        "riverside",
    }


def test_a_group_too_small_for_the_list_is_hidden_and_one_of_nobody_is_not_run(lab: ng.Lab) -> None:
    few = ng.variants(min_af=0.05).in_region("16:20,339,000-20,342,000")
    released = lab.frequencies(EVERYBODY, few, by=("ancestry", "site"))
    first = released.table.rows[0][0]
    cells = {(str(row[3]), str(row[4])): row[-1] for row in released.table.rows if row[0] == first}
    assert isinstance(cells["EUR", "northgate"], Value)
    assert isinstance(cells["SAS", "northgate"], Suppressed)
    assert isinstance(cells["AFR", "northgate"], NotRun)
    with pytest.raises(NotSafe, match="too many for each of these groups"):
        lab.frequencies(EVERYBODY, ng.variants(min_af=0.05), by="sex")


def test_a_lollipop_is_coloured_by_consequence(lab: ng.Lab) -> None:
    released = lab.frequencies(EVERYBODY, COMMON_IN_UMOD)
    assert Value("missense_variant") in released.table.column("consequence")
    legend = plots.lollipop(released, "UMOD").axes[0].get_legend()
    assert legend is not None
    assert "missense variant" in {text.get_text() for text in legend.get_texts()}


def test_alleles_are_in_proportion_within_one_ancestry_and_out_of_it_in_all(lab: ng.Lab) -> None:
    """Wahlund: of two peoples together there are too few heterozygotes."""
    europeans, everybody = (
        lab.variant_quality(who, ng.variants()).to_polars().drop_nulls("HWE p")
        for who in (ng.ancestry("EUR"), EVERYBODY)
    )
    assert (europeans["HWE p"] < 1e-6).sum() == 0
    assert (everybody["HWE p"] < 1e-6).sum() > 50
    assert len(europeans) > 400
    assert everybody["call rate"].min() > 0.98


def test_hardy_weinberg_of_a_short_list_has_frequencies_and_x(lab: ng.Lab) -> None:
    released = lab.variant_quality(EVERYBODY, ng.variants(min_af=0.01).in_region("X"))
    frame = released.to_polars().drop_nulls()
    p = frame["allele frequency"]
    assert len(frame) > 15
    assert ((frame["expected heterozygous"] - 2 * p * (1 - p)).abs() < 0.02).all()
    assert frame["HWE p"].is_sorted()
    assert len(released.plot().axes) == 2


def test_people_lie_on_every_scale_and_add_up(lab: ng.Lab) -> None:
    released = lab.sample_quality(EVERYBODY)
    frame = released.to_polars()
    everybody = lab.variant_quality(EVERYBODY, COMMON_IN_UMOD).to_polars()["people"][0]
    sums = frame.group_by("measure").agg(pl.col("people").sum())
    assert dict(sums.iter_rows()).keys() == set(SCALES)
    assert all(abs(people - everybody) < 60 for people in sums["people"])
    inbreeding = frame.filter(pl.col("measure") == "inbreeding F").drop_nulls()
    middle = ((inbreeding["from"] + inbreeding["to"]) / 2 * inbreeding["people"]).sum() / inbreeding["people"].sum()
    assert 0 < middle < 0.1  # more homozygotes than frequencies over all ancestries would have
    assert len(released.plot().axes) == len(SCALES)


def test_linkage_shades_a_region_and_long_lists_are_refused(lab: ng.Lab) -> None:
    near = ng.variants(min_af=0.05).in_region("16:20,320,000-20,370,000")
    scan = lab.gwas(ng.measurement("eGFR").latest(), variants=near, covariates=["sex", "birth_year"])
    lead = str(scan.table.column("variant")[0])
    linked = lab.linkage(EVERYBODY, near, lead)
    assert linked.kind == "ld"
    assert set(linked.table.column("variant")) == {Value(lead)}
    r2 = [cell.value for cell in linked.table.column("r2") if isinstance(cell, Value)]
    assert len(r2) > 30
    assert all(0 <= float(each) <= 1 and round(float(each), 2) == each for each in r2)
    drawn = plots.regional(scan, "16:20,320,000-20,370,000", ld=linked)
    shaded = [line for line in drawn.axes[0].lines if len(line.get_xdata()) and line.get_markeredgecolor() == "black"]
    assert len(shaded) > 2
    assert linked.plot().axes
    with pytest.raises(NotSafe, match="pairs are too many"):
        lab.linkage(EVERYBODY, near)


MISTAKES: Mapping[str, tuple[Callable[[ng.Lab], object], type[Exception], str]] = {
    "a group nobody knows": (
        lambda lab: lab.frequencies(EVERYBODY, COMMON_IN_UMOD, by="gene"), BadStudy, "the group 'gene' is unknown"),
    "a lead that is not there": (
        lambda lab: lab.linkage(EVERYBODY, COMMON_IN_UMOD, "16-1-A-C"), NotFound, "16-1-A-C is not among the alleles"),
    "a lead that is a number": (
        lambda lab: lab.linkage(EVERYBODY, COMMON_IN_UMOD, 16), BadStudy, "write it as one line of text"),  # type: ignore[arg-type]
    "kb that are too many": (
        lambda lab: lab.linkage(EVERYBODY, COMMON_IN_UMOD, kb=10_000), BadStudy, "give a number from 1 to 2000"),
    "rare alleles for linkage": (
        lambda lab: lab.linkage(EVERYBODY, ng.variants(max_af=0.0001).in_genes("PKD1")), NotFound, "no two alleles"),
    "no autosome": (
        lambda lab: lab.sample_quality(EVERYBODY, ng.variants().in_region("X")), NotFound, "no allele of an autosome"),
    "quality without variants": (lambda _: Study("variant_quality", EVERYBODY), BadStudy, "it needs variants"),
    "quality by group": (
        lambda _: Study("sample_quality", EVERYBODY, variants=ng.variants(), by=("sex",)), BadStudy, "the group 'sex' is unknown"),
    "nobody": (lambda lab: lab.variant_quality(ng.icd10("Z99.9"), COMMON_IN_UMOD), NotSafe, "ask about more people"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(lab: ng.Lab, mistake: str) -> None:
    asked, kind, says = MISTAKES[mistake]
    with pytest.raises(kind) as refused:
        asked(lab)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
