"""A polygenic score is higher in people with the disease it is about, whoever is asked together; a score of chance is not."""

import gzip
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import pytest
from four_hospitals import SETTINGS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_analyses_split import COMMON, ILL, Splits, estimated, invented, splits  # noqa: F401  (a fixture among them)

import nhsgen as ng
from nhsgen import studies
from nhsgen.disclosure import PRESETS, Policy, gate
from nhsgen.disclosure.scores import joined, normal
from nhsgen.errors import BadFile, BadInput, BadStudy, NhsgenError, NotFound, NotSafe
from nhsgen.estimates import ScoreGroup, Scores
from nhsgen.genome import Assembly
from nhsgen.plots.canvas import Picture
from nhsgen.results import NotRun, Receipt, Released, Suppressed, Value
from nhsgen.studies import ROUNDS, Study
from nhsgen.studies.rounds import ask_in_rounds
from nhsgen.studies.scoring import MOST_ALLELES, Score

DIABETES = ng.icd10("E11")
COLUMNS = "rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"
Line = tuple[str, float]


def scoring_file(path: Path, lines: Sequence[Line], *, build: str = "GRCh38", name: str = "toy") -> Path:
    """A file as the PGS Catalog writes it, of alleles by key (chrom-pos-other-effect)."""
    rows = []
    for key, weight in lines:
        chrom, pos, other, effect = key.split("-")
        rows.append(f".\t{chrom}\t{pos}\t{effect}\t{other}\t{weight}")
    head = f"###PGS CATALOG SCORING FILE\n#format_version=2.0\n#pgs_id=PGS999999\n#pgs_name={name}\n#genome_build={build}\n"
    text = "\n".join([f"{head}{COLUMNS}", *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def swapped(key: str) -> str:
    chrom, pos, ref, alt = key.split("-")
    return f"{chrom}-{pos}-{alt}-{ref}"


# -- On the demo ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(demo_workspace: Path) -> ng.Lab:
    return ng.open(demo_workspace, settings=SETTINGS)


@pytest.fixture(scope="module")
def common(lab: ng.Lab) -> tuple[str, list[str]]:
    """TCF7L2's planted allele, and others that do nothing: common ones on autosomes, some apart."""
    scan = lab.gwas(DIABETES, variants=ng.variants(min_af=0.1)).to_polars().filter(pl.col("p").is_not_null())
    planted = scan.filter(pl.col("gene") == "TCF7L2").sort("p")["variant"][0]
    others = scan.filter((pl.col("gene") != "TCF7L2") & (pl.col("chrom") != "X"))["variant"].sort().gather_every(7)
    return planted, others.to_list()


@pytest.fixture(scope="module")
def diabetes(common: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A score for diabetes: the planted allele, written from its other side, and small weights of chance."""
    planted, others = common
    chance = Random(5)
    lines = [(swapped(planted), -0.52), *((key, chance.gauss(0, 0.08)) for key in others), ("3-12345-A-G", 0.1)]
    return scoring_file(tmp_path_factory.mktemp("scores") / "PGS999999.txt.gz", lines)


def said(released: Released, pattern: str) -> tuple[float, ...]:
    """The numbers of the one note that is like this."""
    (found,) = [match for note in released.notes if (match := re.fullmatch(pattern, note))]
    return tuple(map(float, found.groups()))


NUMBER = r"([\d.e+-]*\d)"
RATIO = rf"Odds ratio for each standard deviation within cases and controls: {NUMBER} \(95 % {NUMBER} to {NUMBER}\), p {NUMBER}\."
AUC = rf"The chance that a case has a higher score than a control \(AUC\): {NUMBER} \(95 % {NUMBER} to {NUMBER}\)\."


def test_cases_of_diabetes_have_a_higher_score(lab: ng.Lab, diabetes: Path) -> None:
    released = lab.polygenic(diabetes, DIABETES, ambiguous="keep")
    ratio, low, _, p = said(released, RATIO)
    assert 1.1 < low < ratio < 1.7
    assert p < 0.001
    assert said(released, AUC)[1] > 0.5
    means = dict(released.to_polars().group_by("group").agg(pl.col("mean").first()).iter_rows())
    assert means["cases"] > means["controls"]
    (used,) = [note for note in released.notes if note.startswith("Alleles of the score")]
    assert "1 the other way round" in used
    assert used.endswith("Left out: 1 at no site, or with fewer than 20 copies in all sites together.")
    assert isinstance(released.plot(), Picture)


def test_a_score_of_chance_says_nothing(lab: ng.Lab, common: tuple[str, list[str]], tmp_path: Path) -> None:
    chance = Random(11)
    file = scoring_file(tmp_path / "chance.txt", [(key, chance.gauss(0, 1)) for key in common[1]])
    _, low, high, p = said(lab.polygenic(file, DIABETES, ambiguous="keep"), RATIO)
    assert low < 1 < high
    assert p > 0.05


def test_a_score_differs_between_ancestries_and_each_has_its_row_in_the_picture(lab: ng.Lab, diabetes: Path) -> None:
    released = lab.polygenic(diabetes, ng.everyone(), by="ancestry")
    frame = released.to_polars()
    assert {"AFR", "EUR", "SAS"} <= set(frame["group"])
    assert not any("Odds ratio" in note for note in released.notes)
    words = [text.get_text() for axes in released.plot().axes for text in axes.get_yticklabels()]
    assert any(word.startswith("EUR\n(about 1,") for word in words)


def test_a_study_names_a_file_beside_it_and_holds_what_is_in_it(lab: ng.Lab, diabetes: Path, tmp_path: Path) -> None:
    (tmp_path / "t2d.txt.gz").write_bytes(diabetes.read_bytes())
    file = tmp_path / "question.toml"
    file.write_text(
        'method = "polygenic"\nscore = "t2d.txt.gz"\ncases = { codes = { vocabulary = "ICD10", codes = ["E11"] } }\n'
    )
    study = Study.read(file)
    assert study == Study("polygenic", DIABETES, score=Score.read(diabetes))
    assert len(study.to_dict()["score"]["alleles"]) == len(Score.read(diabetes).alleles)
    assert "Score: PGS999999 (toy): " in study.describe()
    scoring_file(tmp_path / "t2d.txt.gz", [("3-12345-A-G", 0.1)])
    assert Study.read(file).hash != study.hash  # another content is another question
    (tmp_path / "t2d.txt.gz").unlink()
    with pytest.raises(NhsgenError, match=r"t2d\.txt\.gz"):
        Study.read(file)


# -- Federated is pooled ----------------------------------------------------------------------------------------------

ALLELES: list[Line] = [(place.replace(" ", "-"), 0.1 + 0.05 * n) for n, (place, *_) in enumerate(COMMON)]


def of_invented(tmp_path: Path) -> Score:
    """Of the invented people's common alleles; every third is written from its other side."""
    lines = [(swapped(key), weight) if n % 3 == 0 else (key, weight) for n, (key, weight) in enumerate(ALLELES)]
    return Score.read(scoring_file(tmp_path / "score.txt", lines))


@pytest.mark.parametrize("split", ["two", "three"])
def test_however_people_are_split_the_scores_are_the_same(splits: Splits, tmp_path: Path, split: str) -> None:  # noqa: F811
    score = of_invented(tmp_path)
    for study in (
        Study("polygenic", ILL, score=score),
        Study("polygenic", ng.everyone(), by=("sex", "ancestry"), score=score),
    ):
        one, several = estimated(study, splits["one"]), estimated(study, splits[split])
        assert one == several
        assert sum(sum(group.steps) for group in one.groups) > 170
        released = [studies.run(study, splits[name], SETTINGS) for name in ("one", "three")]
        assert released[0].table == released[1].table


def test_they_are_the_scores_of_the_people_worked_out_one_by_one(splits: Splits, tmp_path: Path) -> None:  # noqa: F811
    study = Study("polygenic", ILL, score=of_invented(tmp_path), options={"relatives": "keep"})
    found: Scores = estimated(study, splits["three"])
    dropped = estimated(replace(study, options={"relatives": "drop"}), splits["three"])
    assert sum(dropped.groups[0].steps) == sum(found.groups[0].steps)  # cases stay
    assert sum(dropped.groups[1].steps) < sum(found.groups[1].steps)
    people = [person for home in invented() for person in home]
    frequencies = []
    for at in range(len(COMMON)):
        called = [person for person in people if "." not in person.calls[at]]
        frequencies.append(sum(person.copies(at) for person in called) / (2 * len(called)))
    weights = np.array([-weight if n % 3 == 0 else weight for n, (_, weight) in enumerate(ALLELES)])
    p = np.array(frequencies)
    scores = {True: [], False: []}  # type: dict[bool, list[float]]
    for person in people:
        copies = [2 * p[at] if "." in person.calls[at] else person.copies(at) for at in range(len(COMMON))]
        scores[person.ill is not None].append((copies - 2 * p) @ weights / math.sqrt(2 * (p * (1 - p)) @ weights**2))
    for group, ill in (("cases", True), ("controls", False)):
        expected = np.histogram(scores[ill], found.edges)[0]
        steps = next(each.steps for each in found.groups if each.group == group)
        assert np.abs(expected - steps).sum() <= 2  # on an edge, the last digit decides


# -- What is refused --------------------------------------------------------------------------------------------------

SCORE = Score("PGS1", "toy", Assembly.GRCh38, ("10 112998590 T C 0.3",))
MISTAKES: dict[str, tuple[Callable[[Path], object], type[NhsgenError], str]] = {
    "no score": (lambda _: Study("polygenic", DIABETES), BadStudy, 'write score = "PGS000001.txt.gz"'),
    "a score of a count": (lambda _: Study("counts", DIABETES, score=SCORE), BadStudy, "it has a score"),
    "groups and controls": (
        lambda _: Study("polygenic", DIABETES, ng.everyone(), by=("sex",), score=SCORE), BadStudy, "both controls and groups"),
    "variants": (lambda _: Study("polygenic", DIABETES, score=SCORE, variants=ng.variants()), BadStudy, "takes no variants"),
    "no such file": (lambda path: Score.read(path / "none.txt"), NhsgenError, "none.txt"),
    "no scoring file": (lambda path: Score.read(_text(path, "a,b\n1,2\n")), BadFile, "PGS Catalog's format 2.0"),
    "no assembly": (lambda path: Score.read(scoring_file(path / "a.txt", [("1-5-A-C", 1.0)], build="NR")), BadInput, "harmonised"),
    "no usable allele": (lambda path: Score.read(scoring_file(path / "a.txt", [("X-5-A-C", 1.0)])), BadStudy, "no allele with a place"),
    "a weight that is none": (lambda _: replace(SCORE, alleles=("1 5 A C heavy",)), BadStudy, "chrom pos effect other weight"),
    "an infinite weight": (lambda _: replace(SCORE, alleles=("1 5 A C inf",)), BadStudy, "chrom pos effect other weight"),
    "an allele twice": (lambda _: replace(SCORE, alleles=("1 5 A A 1",)), BadStudy, "chrom pos effect other weight"),
    "too many": (lambda _: replace(SCORE, alleles=SCORE.alleles * (MOST_ALLELES + 1)), BadStudy, "at most 100,000"),
    "a name of two lines": (lambda _: replace(SCORE, name="a\nb"), BadStudy, "one line of text"),
    "a score that is a number": (lambda _: Study.from_dict({"method": "polygenic", "cases": DIABETES.to_dict(), "score": 3}), BadStudy,
                                 'write score = "PGS000001.txt.gz"'),
    "another assembly's name": (lambda _: Score.from_dict(SCORE.to_dict() | {"assembly": "hg17"}), BadStudy, "GRCh37 or GRCh38"),
}  # fmt: skip


def _text(path: Path, text: str) -> Path:
    (path / "other.txt").write_text(text)
    return path / "other.txt"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(tmp_path: Path, mistake: str) -> None:
    made, error, says = MISTAKES[mistake]
    with pytest.raises(error) as refused:
        made(tmp_path)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_score_on_another_assembly_or_of_no_known_allele_is_not_answered(lab: ng.Lab) -> None:
    with pytest.raises(NotFound, match="its contract has no variant files on GRCh37"):
        lab.polygenic(replace(SCORE, assembly=Assembly.GRCh37), DIABETES)
    with pytest.raises(NotFound, match="no site has an allele of the score"):
        lab.polygenic(replace(SCORE, alleles=("3 12345 A G 0.1",)), DIABETES)


def test_an_insertion_is_the_same_however_its_bases_are_written() -> None:
    assert replace(SCORE, alleles=("1 100 CTTA CTA 1",)).alleles == ("1 100 CT C 1.0",)
    assert replace(SCORE, alleles=("1 100 a g 1 0.25",)).alleles == ("1 100 A G 1.0 0.25",)


# -- The gate ---------------------------------------------------------------------------------------------------------

EDGES = tuple(np.linspace(-6, 6, 25).tolist())
NHS, GEL, ACRO = (PRESETS[name] for name in ("nhs", "gel", "acro"))


def release(
    *groups: ScoreGroup, policy: Policy = NHS, compared: bool = True, used: dict[str, int] | None = None
) -> Released:
    receipt = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
    estimate = Scores(
        groups,
        EDGES,
        used or {"same": 70, "reversed": 4, "strand ambiguous": 3, "not among the variants": 2},
        0.1,
        compared,
    )
    return gate(estimate, policy=policy, title="What?", question={}, receipt=receipt, sites=3)


def spread(name: str, people: int, mean: float = 0.0, sd: float = 1.0) -> ScoreGroup:
    """People at the quantiles of a normal distribution."""
    at = [NormalDist(mean, sd).inv_cdf((n + 0.5) / people) for n in range(people)]
    return ScoreGroup(name, tuple(np.histogram(at, EDGES)[0].tolist()))


def test_a_comparison_reads_like_this() -> None:
    released = release(spread("cases", 200, 0.5), spread("controls", 2003))
    assert released.table.columns == ("group", "people", "mean", "sd", "median", "from", "to", "people there")
    first = released.table.rows[0]
    assert first[:2] == (Value("cases"), Value(200))
    assert [float(cell.value) for cell in first[2:5] if isinstance(cell, Value)] == pytest.approx(
        [0.5, 1.0, 0.5], abs=0.03
    )
    assert first[5:] == (Value(-6.0), Value(-1.0), Value(15))
    assert "Alleles of the score that are used: 74 of 79 (70 as listed, 4 the other way round). Left out: 3 strand ambiguous, 2 at no site, " \
           "or with fewer than 20 copies in all sites together." in released.notes  # fmt: skip
    ratio, low, high, _ = said(released, RATIO)
    assert low < ratio < high
    assert ratio == pytest.approx(math.exp(0.5), rel=0.04)
    assert said(released, AUC)[0] == pytest.approx(0.638, abs=0.01)


@pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)
def test_nothing_is_said_of_too_few(policy: Policy) -> None:
    for few in (0, 1, policy.least - 1):
        with pytest.raises(NotSafe, match=re.escape(policy.rule)):
            release(ScoreGroup("cases", (few, *[0] * 23)), spread("controls", 500), policy=policy)
        with pytest.raises(NotSafe, match=re.escape(policy.rule)):
            release(spread("cases", 500), ScoreGroup("controls", (few, *[0] * 23)), policy=policy)


def test_a_group_too_small_for_three_steps_has_a_number_and_nothing_else() -> None:
    released = release(spread("cases", 20), spread("controls", 500))
    assert released.table.rows[0] == (Value("cases"), Value(20), *[Suppressed(NHS.rule)] * 6)
    assert f"No AUC and no odds ratio: {NHS.rule}." in released.notes


def test_a_hidden_group_takes_another_with_it_where_all_may_be_asked_for() -> None:
    groups = (spread("AFR", 3), spread("EUR", 500), spread("SAS", 100))
    hidden = [
        str(row[0]) for row in release(*groups, policy=GEL, compared=False).table.rows if isinstance(row[1], Suppressed)
    ]
    assert hidden[0] == "AFR"
    assert len(hidden) > 1
    unnamed = release(spread("AFR", 3), spread("EUR", 500), policy=ACRO, compared=False)
    assert {str(row[0]) for row in unnamed.table.rows} <= {"EUR"}


def test_a_median_on_an_outermost_step_is_not_made_up() -> None:
    clumps = [0] * 24
    clumps[10], clumps[13], clumps[16] = 300, 150, 50
    released = release(ScoreGroup("everybody", tuple(clumps)), compared=False)
    assert released.table.column("median")[0] == NotRun("it lies on an outermost step")


def test_that_one_allele_makes_the_score_is_said() -> None:
    receipt = Receipt("0" * 64, "nhs", (("Leeds", "a" * 64),), (), "2026-11-23T09:00:00+00:00")
    estimate = Scores((spread("cases", 100), spread("controls", 100)), EDGES, {"same": 2}, 0.7, True)
    notes = gate(estimate, policy=NHS, title="What?", question={}, receipt=receipt, sites=3).notes
    assert any("One allele makes more than half" in note for note in notes)


PEOPLE = st.lists(st.integers(0, 60), min_size=24, max_size=24)
POLICIES = st.sampled_from([*PRESETS.values(), Policy("hidden zeros", 7, 5, zeros_shown=False)])


@given(PEOPLE, POLICIES)
@settings(max_examples=100)
def test_every_number_shown_is_rounded_and_of_enough_people(people: list[int], policy: Policy) -> None:
    steps = joined(people, EDGES, policy)
    assert all(step.people in {policy.rounded(n) for n in range(policy.least, 24 * 60 + 1)} for step in steps)
    assert not steps or (steps[0].low, steps[-1].high) == (-6.0, 6.0)
    assert all(one.high == two.low for one, two in pairwise(steps))


@given(PEOPLE, POLICIES, st.data())
@settings(max_examples=100)
def test_what_follows_from_the_steps_says_no_more_than_they_do(
    people: list[int], policy: Policy, data: st.DataObject
) -> None:
    """Move one person to another step: as long as the numbers shown are the same, so is everything else."""
    away, to = (data.draw(st.integers(0, 23)) for _ in range(2))
    other = list(people)
    if other[away]:
        other[away] -= 1
        other[to] += 1
    one, two = (_released_or_none(steps, policy) for steps in (people, other))
    if (
        one
        and two
        and one.table.column("people there") == two.table.column("people there")
        and one.table.column("from") == two.table.column("from")
    ):
        assert one.table == two.table
        assert one.notes == two.notes


def _released_or_none(steps: list[int], policy: Policy) -> Released | None:
    try:
        return release(ScoreGroup("everybody", tuple(steps)), policy=policy, compared=False)
    except NotSafe:
        return None


def test_the_normal_distribution_is_found_again_from_few_steps() -> None:
    chance = np.random.default_rng(2)
    off = []
    for _ in range(40):
        values = chance.normal(0.4, 1.1, 150)
        steps = joined(np.histogram(values, EDGES)[0].tolist(), EDGES, NHS)
        fit = normal(steps, NHS.round_to)
        off.append(((fit.mean - values.mean()) / values.std(), fit.sd - values.std()))
        assert 0.08 < fit.error < 0.12  # 1 / sqrt(150), and what steps and rounding cost
    assert np.abs(np.mean(off, axis=0)).max() < 0.04
    assert np.sqrt(np.mean(np.square(off), axis=0)).max() < 0.08


def test_only_numbers_of_people_leave_a_site(splits: Splits, tmp_path: Path) -> None:  # noqa: F811
    """No sum of scores: who writes the weights would choose what it tells."""
    asked: list[Any] = []

    def heard(study: Study, state: Any, total: Any) -> Any:
        asked.append(total)
        return ROUNDS["polygenic"].step(study, state, total)

    study = Study("polygenic", ILL, score=of_invented(tmp_path))
    ask_in_rounds(study, replace(ROUNDS["polygenic"], step=heard), splits["two"], SETTINGS, None, "rita")
    counted, placed = asked
    assert {*counted.two.measures} == {"people"}
    assert set(placed.arrays) == {"steps"}
    assert (placed["steps"] == placed["steps"].round()).all()
