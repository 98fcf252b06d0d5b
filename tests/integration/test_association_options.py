"""Several diseases at once, exact tests, components, predictions from outside and signals: what all records in one place would say,
however the people are split over hospitals."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from four_hospitals import SETTINGS
from two_peoples import ALONE, KEYS, LEAD, PEOPLE, Everybody, hospital

from nhsgen import studies
from nhsgen.cohorts import everyone, icd10, sex
from nhsgen.cohorts.measurements import measurement
from nhsgen.errors import BadInput, BadStudy, NotFound
from nhsgen.estimates import Association, AssociationRow, GeneTests
from nhsgen.statistics import firth, genotype_blocks, ld, linear, logistic, saddlepoint
from nhsgen.statistics.sums import Sums, solve
from nhsgen.studies import METHODS, ROUNDS, Study, allele_tests
from nhsgen.studies.design import CASES
from nhsgen.studies.rounds import Both, Rounds, ask_in_rounds
from nhsgen.variants import variants
from nhsgen.workspace import Site, Workspace

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def all_records() -> Everybody:
    return Everybody()


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory, all_records: Everybody) -> Mapping[str, list[Site]]:
    """The same people at one site and at three."""
    workspace = Workspace.create(tmp_path_factory.mktemp("options") / "federation", "options")
    everywhere = hospital(workspace, "all", all_records, np.arange(PEOPLE))
    names = ("first", "second", "small")
    here = [np.flatnonzero(all_records.hospital == number) for number in range(3)]
    apart = [hospital(workspace, name, all_records, at) for name, at in zip(names, here, strict=True)]
    return {"one": [everywhere], "three": apart}


# -- The questions ----------------------------------------------------------------------------------------------------

HEIGHT, DIABETES, EPILEPSY = measurement("height").latest(), icd10("E11"), icd10("G40")
NO_LEVELS: dict[str, Any] = {"site_effect": "none", "covariates": ["sex", "age"]}


def measured(**options: Any) -> Study:
    return Study("association", everyone(), variants=variants(), traits=(HEIGHT,), options=NO_LEVELS | options)


def compared(**options: Any) -> Study:
    return Study("association", DIABETES, variants=variants(), options=NO_LEVELS | options)


def several(**options: Any) -> Study:
    both = {"diabetes": DIABETES, "epilepsy": EPILEPSY}
    return Study("association", everyone(), variants=variants(), diseases=both, options=NO_LEVELS | options)


STUDIES = {
    "several diseases": several(firth_below=0.2),
    "several diseases by Wald's test": several(test="wald", missing="mean"),
    "full Firth": compared(test="firth"),
    "saddlepoints": several(test="saddlepoint"),
    "components": measured(components=2),
    "cases and components": compared(components=1, test="saddlepoint"),
    "a prediction of a measurement": measured(offset="predicted", missing="mean"),
    "a prediction of a disease": compared(offset="predicted", clump_r2=0.3, clump_p=0.01),
}


def estimated(study: Study, sites: Sequence[Site], rounds: Rounds = ROUNDS["association"]) -> Association:
    asked = ask_in_rounds(study, rounds, sites, SETTINGS, None, "rita")
    assert not asked.silent
    assert isinstance(asked.estimate, Association)
    return asked.estimate


@pytest.fixture(scope="module")
def sent() -> set[str]:
    """The names of all that hospitals sent for the `answers`."""
    return set()


@pytest.fixture(scope="module")
def answers(splits: Mapping[str, list[Site]], sent: set[str]) -> Mapping[str, Association]:
    """What three hospitals say to each."""
    rounds = ROUNDS["association"]

    def step(study: Study, state: Any, total: Any) -> tuple[Any, bool]:
        for part in (total.one, total.two) if isinstance(total, Both) else (total,):
            sent.update(part.arrays if isinstance(part, Sums) else part.measures)
        return rounds.step(study, state, total)

    seen = replace(rounds, step=step)
    return {name: estimated(study, splits["three"], seen) for name, study in STUDIES.items()}


def column(answer: Association, name: str, trait: str | None = None) -> Any:
    return np.array([getattr(row, name) for row in answer.rows if trait in {None, row.trait}])


def agree(answer: Association, effects: Any, trait: int = 0, rtol: float = 1e-7) -> None:
    """beta, se and p of one trait are these."""
    name = list(dict.fromkeys(row.trait for row in answer.rows))[trait]
    for ours, theirs in (("beta", effects.beta), ("se", effects.se), ("log10p", effects.log10_p)):
        np.testing.assert_allclose(column(answer, ours, name), theirs[:, trait], rtol=rtol, atol=1e-10)


@pytest.mark.parametrize("name", STUDIES)
def test_one_hospital_with_all_the_people_says_the_same(
    splits: Mapping[str, list[Site]], answers: Mapping[str, Association], name: str
) -> None:
    one = estimated(STUDIES[name], splits["one"])
    alike(one, answers[name], rtol=1e-8 if "components" in name else 1e-9)
    assert one.inflation == pytest.approx(answers[name].inflation, rel=1e-7)
    assert replace(one, rows=(), inflation={}) == replace(answers[name], rows=(), inflation={})


def alike(one: Association, other: Association, rtol: float = 1e-9) -> None:
    """Their rows are the same, and numbers to so many digits."""
    for each in fields(AssociationRow):
        mine, theirs = column(one, each.name), column(other, each.name)
        if mine.dtype == np.float64:
            np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=1e-10, err_msg=each.name)
        else:
            assert mine.tolist() == theirs.tolist()


# -- What all records in one place say --------------------------------------------------------------------------------


def test_several_diseases_are_what_one_scan_of_all_records_says(
    all_records: Everybody, answers: Mapping[str, Association]
) -> None:
    x = np.column_stack([np.ones(PEOPLE), all_records.covariates])
    people = logistic.People.of(x, np.column_stack([all_records.diabetes, all_records.epilepsy]))
    (scores,) = firth.scan(lambda low, high: all_records.copies[low:high], len(KEYS), people, below=0.2)
    answer = answers["several diseases"]
    for trait in range(2):
        agree(answer, scores.effects, trait)
    assert answer.diseases == {"diabetes": all_records.diabetes.sum(), "epilepsy": all_records.epilepsy.sum()}
    for t, (name, ill) in enumerate((("diabetes", all_records.diabetes), ("epilepsy", all_records.epilepsy))):
        called = all_records.copies <= 2
        copies = np.where(called, all_records.copies, 0)
        common = scores.copies[:, t] > called.sum(axis=1)
        rarer = np.where(common[:, None], np.where(called, 2 - copies, 0), copies)
        fewer = np.minimum(rarer @ ill, rarer @ (1 - ill))
        assert column(answer, "fewest", name).tolist() == fewer.tolist()


def test_each_of_several_diseases_is_what_it_is_alone(
    splits: Mapping[str, list[Site]], answers: Mapping[str, Association]
) -> None:
    alone, together = estimated(compared(firth_below=0.2), splits["three"]), answers["several diseases"]
    rows = tuple(replace(row, trait=CASES) for row in together.rows if row.trait == "diabetes")
    alike(alone, replace(together, rows=rows))


def fitted(people: logistic.People, *, penalised: bool = False) -> logistic.Null:
    first = logistic.start(people.y.shape[1], people.x.shape[1], penalised=penalised)
    return logistic.Null.of(solve(lambda fits: logistic.summarise(people, fits), logistic.step, first, most_rounds=100))


@pytest.mark.parametrize(("name", "missing", "penalised", "diseases"), [
    ("several diseases by Wald's test", "mean", False, ("diabetes", "epilepsy")), ("full Firth", "complete", True, ("diabetes",)),
], ids=["wald", "firth"])  # fmt: skip
def test_exact_regressions_are_those_of_all_records(
    all_records: Everybody, answers: Mapping[str, Association], name: str, missing: str, penalised: bool, diseases: tuple[str, ...]
) -> None:  # fmt: skip
    people = all_records.people(*(getattr(all_records, disease) for disease in diseases))
    null = fitted(people)
    scores = logistic.estimate(null, logistic.score_sums(all_records.copies, people, null))
    hits = scores.hits(np.inf)
    g = all_records.copies[hits.variant]
    first = logistic.wald(null, hits, missing=missing, penalised=penalised)
    fits = solve(lambda fits: logistic.summarise(people, fits, g), logistic.step, first, most_rounds=100)
    expected = scores.replaced(hits, fits.effects).effects
    for trait in range(len(diseases)):
        agree(answers[name], expected, trait)


def test_saddlepoints_are_those_of_all_records(all_records: Everybody, answers: Mapping[str, Association]) -> None:
    people = all_records.people(all_records.diabetes, all_records.epilepsy)
    null = fitted(people)
    scores = logistic.estimate(null, logistic.score_sums(all_records.copies, people, null))
    hits = scores.hits(allele_tests.BEYOND_TWO)
    assert 20 < len(hits.variant) < len(KEYS)
    genotype = logistic.adjusted(all_records.copies, people, hits)
    state = solve(
        lambda state: saddlepoint.summarise(genotype, people, state), saddlepoint.step,
        saddlepoint.approximate(hits, null), most_rounds=100,
    )  # fmt: skip
    expected = scores.replaced(hits, state.effects()).effects
    for trait in range(2):
        agree(answers["saddlepoints"], expected, trait)


def test_it_does_not_matter_how_many_alleles_are_numbers_at_a_time(
    splits: Mapping[str, list[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for test in ("firth", "saddlepoint", "score"):
        study = replace(several(test=test, firth_below=0.5), variants=variants().in_region("16:20,000,000-20,100,000"))
        together = estimated(study, splits["one"])
        with monkeypatch.context() as narrow:
            narrow.setattr(allele_tests, "AT_ONCE", 5)
            apart = estimated(study, splits["one"])
        for one, other in zip(apart.rows, together.rows, strict=True):
            said = {"beta": 0.0, "se": 0.0, "log10p": 0.0}
            assert replace(one, **said) == replace(other, **said)
            for name in said:
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-12, nan_ok=True)


def linearly(of: Everybody, height: Floats, missing: linear.Missing = "complete", more: Any = ()) -> Any:
    design = linear.Design(np.arange(PEOPLE), height[:, None], np.column_stack([of.covariates, *more]))
    words = genotype_blocks.pack(of.copies)
    return linear.scan(lambda low, high: words[low:high], len(KEYS), design, missing=missing)


def test_a_prediction_is_taken_off_a_measurement(all_records: Everybody, answers: Mapping[str, Association]) -> None:
    answer = answers["a prediction of a measurement"]
    agree(answer, linearly(all_records, all_records.height - all_records.predicted, "mean"))
    assert answer.people == (~np.isnan(all_records.height + all_records.predicted)).sum()


def test_a_prediction_is_added_to_the_log_odds(all_records: Everybody, answers: Mapping[str, Association]) -> None:
    x = np.column_stack([np.ones(PEOPLE), all_records.covariates])
    people = logistic.People.of(x, all_records.diabetes, all_records.predicted)
    (scores,) = firth.scan(lambda low, high: all_records.copies[low:high], len(KEYS), people, below=0.01)
    answer = answers["a prediction of a disease"]
    agree(answer, scores.effects)
    assert answer.people == (~np.isnan(all_records.predicted)).sum()


def test_a_prediction_is_taken_off_where_genes_are_tested(splits: Mapping[str, list[Site]]) -> None:
    options = {"covariates": ["sex"], "max_afs": 0.5, "offset": "predicted"}
    genes = Study("gene_tests", everyone(), variants=variants(), traits=(HEIGHT,), options=options)
    unforeseen = replace(genes, traits=(measurement("unforeseen").latest(),), options=options | {"offset": ""})
    one, other = (
        ask_in_rounds(study, ROUNDS["gene_tests"], splits["three"], SETTINGS, None, "rita").estimate
        for study in (genes, unforeseen)
    )
    assert isinstance(one, GeneTests)
    assert isinstance(other, GeneTests)
    assert [row.gene for row in one.rows] == ["UMOD"]
    assert one.rows[0].skat_p == pytest.approx(other.rows[0].skat_p, rel=1e-8)
    assert one.rows[0].burden_p == pytest.approx(other.rows[0].burden_p, rel=1e-8)


def components(of: Everybody, number: int, who: npt.NDArray[np.bool_]) -> Floats:
    """Of these people's common and unlinked alleles, by numpy's decomposition; 0 for all others."""
    called = of.copies[:, who] <= 2
    p = np.where(called, of.copies[:, who], 0).sum(axis=1) / (2 * called.sum(axis=1))
    chrom, pos, _, _ = zip(*(key.split("-") for key in KEYS), strict=True)
    pairs = ld.near(chrom, np.array(pos, dtype=np.int64), kb=500, variants=200)
    kept = ld.prune(pairs, ld.estimate(ld.summarise(of.copies[:, who], pairs)).r2, p, most=0.2)
    kept &= np.minimum(p, 1 - p) >= 0.05
    assert ALONE - 5 < kept.sum() < len(KEYS) - 5
    z = np.where(called, (of.copies[:, who] - 2 * p[:, None]) / np.sqrt(2 * p * (1 - p))[:, None], 0.0)[kept]
    found = np.zeros((PEOPLE, number))
    found[who] = np.linalg.svd(z, full_matrices=False)[2][:number].T
    return found


def test_components_are_covariates(all_records: Everybody, answers: Mapping[str, Association]) -> None:
    more = components(all_records, 2, ~np.isnan(all_records.height))
    agree(answers["components"], linearly(all_records, all_records.height, more=(more,)), rtol=1e-5)


def test_components_are_covariates_of_a_disease(all_records: Everybody, answers: Mapping[str, Association]) -> None:
    more = components(all_records, 1, np.ones(PEOPLE, dtype=np.bool_))
    people = all_records.people(all_records.diabetes, more=(more,))
    null = fitted(people)
    scores = logistic.estimate(null, logistic.score_sums(all_records.copies, people, null))
    far = scores.effects.p[:, 0] >= allele_tests.BEYOND_TWO
    ours = column(answers["cases and components"], "beta")
    np.testing.assert_allclose(ours[far], scores.effects.beta[far, 0], rtol=1e-6)


def test_a_scan_that_knows_the_peoples_is_not_inflated(
    splits: Mapping[str, list[Site]], answers: Mapping[str, Association]
) -> None:
    for unaware, aware in ((measured(), "components"), (compared(test="saddlepoint"), "cases and components")):
        (before,) = estimated(unaware, splits["three"]).inflation.values()
        (after,) = answers[aware].inflation.values()
        assert before > 1.3
        assert 0.75 < after < 1.25
    first, second = sorted(answers["components"].rows, key=lambda row: -row.log10p)[:2]
    assert first.gene == second.gene == "UMOD"
    (lead,) = [row for row in answers["components"].rows if row.variant == LEAD]
    assert abs(lead.beta - 2.5) < 3 * lead.se


@pytest.mark.usefixtures("answers")
def test_what_is_sent_is_what_a_steward_was_told(sent: set[str]) -> None:
    assert sent == set(METHODS["association"].sends)


# -- Signals ----------------------------------------------------------------------------------------------------------


def test_signals_are_plinks_clumps(
    splits: Mapping[str, list[Site]], all_records: Everybody, answers: Mapping[str, Association]
) -> None:
    released = studies.run(STUDIES["a prediction of a disease"], splits["three"], SETTINGS).to_polars()
    rows = {row.variant: row for row in answers["a prediction of a disease"].rows}
    p = np.array([10 ** -rows[key].log10p for key in KEYS])
    chrom, pos, _, _ = zip(*(key.split("-") for key in KEYS), strict=True)
    pairs = ld.around(chrom, np.array(pos, dtype=np.int64), p, p1=0.01, p2=0.01, kb=250)
    who = ~np.isnan(all_records.predicted)
    r2 = ld.estimate(ld.summarise(all_records.copies[:, who], pairs)).r2
    clumps = ld.clump(p, pairs, np.round(r2, 2), p1=0.01, p2=0.01, least=0.3)
    expected = {key: KEYS[index] if index >= 0 else "" for key, index in zip(KEYS, clumps.index, strict=True)}
    found = dict(zip(released["variant"], released["signal"], strict=True))
    assert found == {key: expected[key] for key in found}
    assert sum(lead.startswith("16-") for lead in found.values()) > 3
    assert len(set(found.values())) > 2


def test_without_being_asked_there_is_no_column_of_signals(splits: Mapping[str, list[Site]]) -> None:
    near = replace(measured(), variants=variants().in_region("1:1-20,000,000"))
    assert "signal" not in studies.run(near, splits["three"], SETTINGS).table.columns
    asked = replace(near, options=near.options | {"clump_r2": 0.2, "clump_p": 1e-12})
    none = studies.run(asked, splits["three"], SETTINGS)
    assert set(none.to_polars()["signal"]) == {""}
    assert "Signals, each named by its strongest allele: 0." in none.notes


# -- What is refused --------------------------------------------------------------------------------------------------

MISTAKES = {
    "a test of cases for a measurement": (
        lambda: measured(test="wald"), "the option 'test' is for cases and controls; leave it out, or compare cases"),
    "Firth for a measurement": (lambda: measured(firth_below=0.5), "the option 'firth_below' is for cases and controls"),
    "a test nobody knows": (lambda: compared(test="exact"), "use score or wald or firth or saddlepoint"),
    "another way with what is missing": (lambda: compared(missing="drop"), "use complete or mean"),
    "too many components": (lambda: measured(components=21), "give a number from 0 to 20"),
    "a prediction that is no text": (lambda: measured(offset=["a", "b"]), "write it as one line of text"),
    "a prediction of several diseases": (lambda: several(offset="predicted"), "it has an offset for several traits; ask about one"),
    "an r2 above 1": (lambda: measured(clump_r2=1.5), "give a number from 0 to 1"),
    "a weak lead": (lambda: measured(clump_r2=0.2, clump_p=0.05), "give a number from 1e-12 to 0.01"),
    "diseases and controls": (
        lambda: replace(several(), controls=everyone()), "it has diseases beside traits or controls; leave one of them out"),
    "diseases and a measurement": (lambda: replace(several(), traits=(HEIGHT,)), "it has diseases beside traits"),
    "a disease without a name": (lambda: replace(several(), diseases={" ": DIABETES}), "a disease has no name"),
    "a measurement twice": (
        lambda: replace(measured(), traits=(HEIGHT, measurement("height").first())), "a measurement comes twice among its traits"),
    "too many diseases": (
        lambda: replace(several(), diseases={str(n): DIABETES for n in range(51)}), "it has 51 diseases; ask about 50 at a time"),
    "several diseases for genes": (
        lambda: Study("gene_tests", everyone(), variants=variants(), diseases={"a": DIABETES}), "ask about one at a time, as cases"),
    "no disease": (
        lambda: Study.from_dict({"method": "association", "cohort": {"everyone": {}}, "diseases": {}, "variants": {}}), "cohort"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_what_to_do(mistake: str) -> None:
    asked, says = MISTAKES[mistake]
    with pytest.raises(BadStudy) as refused:
        asked()
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_more_regressions_than_fit_are_refused(
    splits: Mapping[str, list[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allele_tests, "MOST_NUMBERS", 1000)
    with pytest.raises(
        BadStudy, match=r"232 regressions are more than fit into memory; ask about fewer alleles, or use"
    ):
        estimated(compared(test="firth"), splits["one"])


def test_too_few_alleles_for_components_and_nobody_with_a_prediction(splits: Mapping[str, list[Site]]) -> None:
    with pytest.raises(NotFound, match="alleles are common enough and not linked; ask for fewer components"):
        estimated(replace(measured(components=4), variants=variants().in_region("16:1-90,000,000")), splits["three"])
    with pytest.raises(NotFound, match="nobody was sequenced and has all that was asked for"):
        estimated(measured(offset="another"), splits["three"])


def test_a_disease_that_nobody_has_takes_nothing_from_the_others(
    splits: Mapping[str, list[Site]], answers: Mapping[str, Association]
) -> None:
    women = Study(
        "association", sex("female"), variants=variants().in_region("16:1-90,000,000"), options=NO_LEVELS | {"covariates": ["age"]},
        diseases={"diabetes": DIABETES, "nothing": icd10("Z99.9"), "womanhood": sex("female")},
    )  # fmt: skip
    released = studies.run(women, splits["three"], SETTINGS)
    assert set(released.to_polars()["trait"]) == {"diabetes"}
    hidden = [note for note in released.notes if ": not shown, because fewer than" in note]
    assert [note.split(":")[0] for note in hidden] == ["nothing", "womanhood"]
    found = {row.trait: row.reason for row in estimated(women, splits["three"]).rows}
    assert found["nothing"] == found["womanhood"] == "no cases, or no controls"


# -- Whoever calculates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", [measured(), compared()], ids=["a measurement", "cases"])
def test_a_sites_processes_say_what_its_threads_say(splits: Mapping[str, list[Site]], study: Study) -> None:
    said = [
        studies.run(study, splits["one"], replace(SETTINGS, threads=2, workers=workers)).table
        for workers in ("threads", "processes")
    ]
    assert said[0] == said[1]
    assert said[0].rows


def test_workers_there_are_none_of_are_refused(splits: Mapping[str, list[Site]]) -> None:
    with pytest.raises(BadInput, match="there are none of that name"):
        studies.run(measured(), splits["one"], replace(SETTINGS, workers="elves"))
