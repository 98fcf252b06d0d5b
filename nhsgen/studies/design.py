"""Who takes part in an analysis at one site, and what is known of each of them, as numbers: rows in the order of sample numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.cohorts import NotBound, measurement
from nhsgen.cohorts.facts import birth_years, numbers, relatives
from nhsgen.cohorts.sql import Query
from nhsgen.statistics import kinship
from nhsgen.studies.question import Study
from nhsgen.studies.site import SiteData

__all__ = ["CASES", "Design", "covariate", "design", "first_samples", "unrelated"]

Floats = npt.NDArray[np.float64]
CASES = "cases and controls"


@dataclass(frozen=True)
class Design:
    """samples: sample numbers in the store, ascending, one a person. persons: their ids, in that order.

    traits: people x traits (nan: not recorded), of `trait_names`; for cases and controls one column of 1 and 0, for diseases one each.
    covariates: people x `covariate_names`, without an intercept; nobody here lacks one of them.
    offset: people x 1, what was predicted of each of them elsewhere, or None.
    """

    samples: npt.NDArray[np.int64]
    persons: pl.Series
    traits: Floats
    trait_names: tuple[str, ...]
    covariates: Floats
    covariate_names: tuple[str, ...]
    offset: Floats | None = None

    def only(self, rows: npt.NDArray[np.bool_]) -> "Design":
        """These people alone."""
        return Design(self.samples[rows], self.persons.filter(pl.Series(rows)), self.traits[rows], self.trait_names,
                      self.covariates[rows], self.covariate_names, None if self.offset is None else self.offset[rows])  # fmt: skip


def design(study: Study, data: SiteData) -> Design:
    """The study's people at this site who were sequenced and lack no covariate; NotBound when the site lacks a word of it."""
    people = data.people(study.cohort)
    if study.traits:
        links = first_samples(data, people)
        traits = [numbers(trait, data.release.words) for trait in study.traits]
        values = [_column(data, links, query) for query in traits]
        names = tuple(trait.name for trait in study.traits)
    elif study.diseases:
        links = first_samples(data, people)
        ill = [data.people(disease) for disease in study.diseases.values()]
        values, names = [_among(links, each) for each in ill], tuple(study.diseases)
    else:
        assert study.controls is not None  # a study that compares has both
        links = first_samples(data, pl.concat([people, data.people(study.controls)]).unique())
        values, names = [_among(links, people)], (CASES,)
    covariates = [covariate(data, links, name) for name in study.options["covariates"]]
    whole = Design(
        links["number"].to_numpy(),
        links["person_id"],
        np.column_stack(values).reshape(len(links), len(values)),
        names,
        np.column_stack(covariates).reshape(len(links), len(covariates)) if covariates else np.empty((len(links), 0)),
        tuple(study.options["covariates"]),
        _predicted(data, links, study.options.get("offset", "")),
    )
    lacking = np.isnan(whole.covariates).any(axis=1) | np.isnan(whole.traits).all(axis=1)
    if whole.offset is not None:
        lacking |= np.isnan(whole.offset[:, 0])
    whole = whole.only(np.asarray(~lacking))
    if study.options["relatives"] == "keep":
        return whole
    return whole.only(unrelated(data, whole.persons, None if study.traits else (whole.traits == 1).any(axis=1)))


def _among(links: pl.DataFrame, people: pl.Series) -> Floats:
    """1 for each row of `links` that is one of these people, 0 for all others."""
    return links["person_id"].is_in(people.implode()).to_numpy().astype(np.float64)


def _predicted(data: SiteData, links: pl.DataFrame, name: str) -> Floats | None:
    """The latest value of the measurement of this name, people x 1; None when there is no name."""
    return (
        _column(data, links, numbers(measurement(name).latest(), data.release.words))[:, np.newaxis] if name else None
    )


def unrelated(data: SiteData, persons: pl.Series, cases: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """Whom to keep so that nobody's parent, child, brother or sister takes part too, by the recorded families: cases first."""
    try:
        query = relatives(data.release.words)
    except NotBound:  # a site that records no families has none to tell apart
        return np.ones(len(persons), dtype=bool)
    number = {str(person): place for place, person in enumerate(persons)}
    children: dict[str, list[int]] = {}
    pairs = []
    for row in data.sandbox.query(query.sql, query.params).iter_rows(named=True):
        child = number.get(str(row["person_id"]))
        for parent in {row["father"], row["mother"]} - {None}:
            if child is not None:
                pairs += [(child, other) for other in children.get(parent, ())]
                pairs += [(child, number[parent])] if parent in number else []
                children.setdefault(parent, []).append(child)
    close = pl.DataFrame(pairs, schema={"first": pl.Int64, "second": pl.Int64}, orient="row")
    return kinship.unrelated(close.with_columns(kinship=pl.lit(0.25)), len(number), first=cases).kept


def first_samples(data: SiteData, people: pl.Series) -> pl.DataFrame:
    """person_id, sample and its number in the store: one sample a person, for a second one holds the same alleles again."""
    store = pl.DataFrame({"sample": data.variants().samples}).with_row_index("number")
    links = data.samples(people).sort("sample").unique("person_id", keep="first")
    return links.join(store, on="sample").with_columns(pl.col("number").cast(pl.Int64)).sort("number")


def covariate(data: SiteData, links: pl.DataFrame, name: str) -> Floats:
    """One number for each row of `links` (by its person_id): sex (male 1, female 0), birth_year, or a measurement's latest value."""
    if name == "sex":
        recorded = data.groups(links["person_id"], ["sex"]).select("person_id", "sex")
        labels = links.join(recorded, on="person_id", how="left", maintain_order="left")["sex"].to_list()
        return np.array([{"female": 0.0, "male": 1.0}.get(label, np.nan) for label in labels])
    words = data.release.words
    return _column(
        data, links, birth_years(words) if name == "birth_year" else numbers(measurement(name).latest(), words)
    )


def _column(data: SiteData, links: pl.DataFrame, query: Query) -> Floats:
    """The value of each person of `links`; nan for who has none."""
    found = data.sandbox.query(query.sql, query.params)
    joined = links.join(found, on="person_id", how="left", maintain_order="left")["value"]
    return joined.cast(pl.Float64).fill_null(np.nan).to_numpy()
