"""Do people with a disease have a higher polygenic score? Or: how does a score differ between ancestries, sites, sexes?

For a researcher with a published score, before anybody is told a risk by it. Round 1 counts the score's alleles in all sites' people
together: their frequencies stand in for genotypes that were not called, and place the public scale. Round 2 counts people, by group and
step of that scale; a person's score never leaves a site, nor do sums of scores.

A single site with few cases sees nothing; all sites together see it. That a score differs between ancestries says at least as much of
the people it was made from as of risk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from nhsgen.cohorts import NotBound
from nhsgen.errors import NotFound
from nhsgen.estimates import ScoreGroup, Scores
from nhsgen.methods import METHODS
from nhsgen.statistics import BACKGROUND, Summary, distributions, label, parts, polygenic
from nhsgen.statistics.sums import Sums
from nhsgen.studies.alleles import Alleles, Listed, listed
from nhsgen.studies.design import first_samples, unrelated
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["CASES", "CONTROLS", "SCORES"]

CASES, CONTROLS, EVERYBODY = "cases", "controls", "everybody"
DEVIATIONS, STEPS = 6.0, 24
"""The public scale: so many standard deviations, as the alleles' frequencies let one expect them, to each side, in steps of a half."""


@dataclass(frozen=True)
class State:
    """Nothing known; then the groups, the score's alleles and the scale; then the people on it."""

    groups: tuple[str, ...] = ()
    alleles: Listed | None = None
    weights: polygenic.Weights | None = None
    grid: distributions.Grid | None = None
    used: Mapping[str, int] = field(default_factory=dict)
    steps: Sums | None = None


def _prepare(study: Study, data: SiteData, _: VariantFilter) -> Part:
    assert study.score is not None  # a study by score always has it
    if data.variants().assembly != study.score.assembly:
        raise NotBound(f"variant files on {study.score.assembly}")
    people = _people(study, data)
    if study.options["relatives"] == "drop":
        cases = (people["group"] == CASES).to_numpy() if study.controls is not None else None
        people = people.filter(pl.Series(unrelated(data, people["person_id"], cases)))
    groups = people["group"].to_list()
    alleles = Alleles(data, study.score.variants, people["number"].to_numpy(), people["person_id"])

    def ask(state: State) -> Both | Sums:
        if state.alleles is None or state.weights is None or state.grid is None:
            rows = {label([group]): [number] for group, number in people["group"].value_counts().iter_rows()}
            return Both(alleles.summary, Summary.from_rows(("people",), rows | {BACKGROUND: [0]}))
        scores = polygenic.score(state.weights, alleles.blocks(state.alleles.keys), state.alleles.frequency).scores
        return Sums.of(steps=distributions.summarise(scores, groups, state.groups, state.grid)["steps"])

    return Part(ask, assembly=str(data.variants().assembly))


def _people(study: Study, data: SiteData) -> pl.DataFrame:
    """person_id, number (of a sample) and group. Who is both a case and a control is a case."""
    cohort = data.people(study.cohort)
    if study.controls is not None:
        people = first_samples(data, pl.concat([cohort, data.people(study.controls)]).unique())
        is_case = pl.col("person_id").is_in(cohort.implode())
        return people.with_columns(group=pl.when(is_case).then(pl.lit(CASES)).otherwise(pl.lit(CONTROLS)))
    people = first_samples(data, cohort)
    if not study.by:
        return people.with_columns(group=pl.lit(EVERYBODY))
    groups = data.groups(people["person_id"], study.by)
    named = groups.select("person_id", group=pl.concat_str(study.by, separator=", "))
    return people.join(named, on="person_id", maintain_order="left")


def _step(study: Study, state: State, total: Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Sums):
        return replace(state, steps=total), True
    assert study.score is not None
    groups = tuple(sorted(parts(name)[0] for name, row in total.two.rows() if row["people"]))
    if not groups:
        raise NotFound("scoring people", "nobody of the cohort was sequenced", "ask for other words")
    every = listed(total.one)
    alleles = every.only(every.rarer >= METHODS["polygenic"].least)
    rows = [key.split("-", 3) for key in alleles.keys]
    frame = pl.DataFrame(rows, schema=["chrom", "pos", "ref", "alt"], orient="row") if rows else _NONE
    frame = frame.with_columns(pl.col("pos").cast(pl.Int64), frequency=pl.Series(alleles.frequency, dtype=pl.Float64))
    matched = polygenic.match(study.score.scoring, frame, study.score.assembly, ambiguous=study.options["ambiguous"])
    if not matched.weights.any():
        raise NotFound(
            "scoring people",
            "no site has an allele of the score that is common enough and sure to be the same",
            'use the file harmonised to the sites\' assembly, whose A/T and C/G alleles may be kept (ambiguous = "keep")',
        )
    grid = polygenic.expected(matched, alleles.frequency, DEVIATIONS, STEPS)
    return State(groups, alleles, polygenic.Weights(matched.weights, matched.constant), grid, matched.counts), False


_NONE = pl.DataFrame(schema=dict.fromkeys(("chrom", "pos", "ref", "alt"), pl.String))


def _estimate(study: Study, state: State) -> Scores:
    assert study.score is not None
    assert state.weights is not None
    assert state.steps is not None
    people = [tuple(round(x) for x in row) for row in state.steps["steps"].tolist()]
    groups = tuple(ScoreGroup(name, steps) for name, steps in zip(state.groups, people, strict=True))
    edges = tuple(distributions.Grid(-DEVIATIONS, DEVIATIONS, STEPS).edges.tolist())
    assert state.alleles is not None
    p, weights = state.alleles.frequency, state.weights.weights
    variance = p * (1 - p) * weights**2
    largest = float(variance.max() / variance.sum())
    return Scores(groups, edges, state.used, largest, study.controls is not None)


SCORES = Rounds(_prepare, lambda _: State(), _step, _estimate)
