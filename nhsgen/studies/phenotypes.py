"""Whom do phenotypes bring together? How alike groups of people are by their HPO terms, and which genes or diseases fit people best.

A clinical researcher asks: do my cases look different from everybody else, or do two sites record the same illness alike?
(`similarity`) And of the children nobody has a diagnosis for: which genes would explain most of them, before a genome is looked at?
(`phenotype_match`)

A site sends how many people have each term or a narrower one, and how many have a gene among their first; nobody's terms leave it.
"""

from collections.abc import Mapping

import polars as pl

from nhsgen.cohorts.facts import terms
from nhsgen.estimates import PhenotypeMatch, Similarity
from nhsgen.statistics import Summary, carriers, similarity
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = [
    "estimate_phenotype_match",
    "estimate_similarity",
    "summarise_phenotype_match",
    "summarise_similarity",
]

WHO = "who"
TO: Mapping[str, str] = {"genes": "gene", "diseases": "disease"}


def summarise_similarity(study: Study, data: SiteData, _: VariantFilter) -> Summary:
    """One site's people by group and HPO term: of the groups it is split by, or cases and controls; who is both is a case."""
    people = data.people(study.cohort)
    groups = data.groups(people, study.by)
    if study.controls is not None:
        others = data.people(study.controls)
        others = others.filter(~others.is_in(people.implode()))
        groups = pl.concat([pl.DataFrame({"person_id": people, WHO: "cases"}, schema_overrides={WHO: pl.String}),
                            pl.DataFrame({"person_id": others, WHO: "controls"}, schema_overrides={WHO: pl.String})])  # fmt: skip
    return similarity.summarise(_terms(data).join(groups, on="person_id"), _by(study))


def estimate_similarity(study: Study, total: Summary) -> Similarity:
    return similarity.estimate(total, _by(study))


def summarise_phenotype_match(study: Study, data: SiteData, _: VariantFilter) -> Summary:
    """One site's people by gene, or by disease: who has it among their first."""
    to, people = TO[str(study.options["to"])], data.people(study.cohort)
    found = _terms(data).filter(pl.col("person_id").is_in(people.implode())).group_by("person_id").agg("hpo")
    ids = found["person_id"].cast(pl.String)
    whose = {
        person: told for person, hpo in zip(ids, found["hpo"], strict=True) if (told := similarity.usable(hpo).terms)
    }
    best = similarity.first_fits(whose, to, int(study.options["first"]), study.options["among"])
    return carriers.summarise(best, len(whose), [to])


def estimate_phenotype_match(study: Study, total: Summary) -> PhenotypeMatch:
    to = TO[str(study.options["to"])]
    counted = carriers.estimate(total, [to])
    asked = study.options["among"]
    cells = dict.fromkeys(sorted(asked), 0) | {name: people for (name,), people in counted.cells.items()}
    names = similarity.disease_names(cells) if to == "disease" else {}
    return PhenotypeMatch(to, cells, counted.people, int(study.options["first"]), names, bool(asked))


def _by(study: Study) -> tuple[str, ...]:
    return study.by or (WHO,)


def _terms(data: SiteData) -> pl.DataFrame:
    query = terms(data.release.words)
    return data.sandbox.query(query.sql, query.params)
