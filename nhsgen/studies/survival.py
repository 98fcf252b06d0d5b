"""How long do people live after an event? Curves by group, or carriers against everybody else, and hazard ratios by Cox's model.

Time runs in days from each person's first record of the event to death, or to the last day on which anything is recorded of them.
Deaths are counted in steps of months on one grid for all sites; the Cox model is stratified by site and uses exact days inside each.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import polars as pl

from nhsgen.cohorts.facts import deaths, first_days, last_days
from nhsgen.errors import NotFound
from nhsgen.estimates import Hazard, Survival, SurvivalGroup
from nhsgen.statistics import BACKGROUND, Summary, cox, label, parts
from nhsgen.statistics.sums import Sums
from nhsgen.statistics.survival import DAYS_A_MONTH, Grid, log_rank, summarise
from nhsgen.statistics.survival import differences as differences_of
from nhsgen.studies.design import covariate
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["SURVIVAL"]

CARRIERS, OTHERS, EVERYBODY = "carriers", "others", "everybody"


@dataclass(frozen=True)
class State:
    """The groups of all sites; their tables, and what the log-rank test sums; where the Cox model stands."""

    groups: tuple[str, ...] = ()
    tables: Sums | None = None
    differences: Sums | None = None
    newton: cox.Newton | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    people = _followed(study, data, variants)
    grid = _grid(study)
    columns = [covariate(data, people, name) for name in study.options["covariates"]]

    @cache
    def modelled(groups: tuple[str, ...]) -> cox.People:
        indicators = [(people["group"] == group).to_numpy().astype(np.float64) for group in _compared(groups)]
        x = np.column_stack([*indicators, *columns]) if indicators or columns else np.empty((len(people), 0))
        return cox.prepare(people["days"], people["died"], x)

    def ask(state: State) -> Summary | Both | Sums:
        if not state.groups:
            counted = people["group"].value_counts()
            rows = {label([group]): [number] for group, number in counted.iter_rows()}
            return Summary.from_rows(("people",), rows | {BACKGROUND: [0]})
        if state.newton is None:
            tables = summarise(
                people["days"], people["died"], grid, group=people["group"].to_list(), groups=state.groups
            )
            return Both(tables, differences_of(tables))
        return cox.summarise(modelled(state.groups), state.newton.ask)

    return Part(ask, assembly=str(data.variants().assembly) if study.variants is not None else "")


def _followed(study: Study, data: SiteData, variants: VariantFilter) -> pl.DataFrame:
    """person_id, days from the event, died (1 or 0), group: of the cohort's people with the event."""
    assert study.since is not None  # a survival study always has it
    words = data.release.words
    cohort = data.people(study.cohort) if study.variants is None else data.sequenced(study.cohort)
    found = pl.DataFrame({"person_id": cohort})
    for name, query in (("from", first_days(study.since, words)), ("death", deaths(words)), ("last", last_days(words))):
        days = data.sandbox.query(query.sql, query.params).rename({"day": name})
        found = found.join(days, on="person_id", how="left")
    until = pl.coalesce("death", "last")
    people = found.filter(pl.col("from").is_not_null() & until.is_not_null()).with_columns(
        days=(until - pl.col("from")).dt.total_days().cast(pl.Float64),
        died=pl.col("death").is_not_null().cast(pl.Float64),
    )
    if study.variants is not None:
        carrying = data.carriers(people["person_id"], variants)["person_id"].unique().implode()
        group = pl.when(pl.col("person_id").is_in(carrying)).then(pl.lit(CARRIERS)).otherwise(pl.lit(OTHERS))
    elif study.by:
        people = people.join(data.groups(people["person_id"], study.by), on="person_id")
        group = pl.concat_str(study.by, separator=", ")
    else:
        group = pl.lit(EVERYBODY)
    return people.select("person_id", "days", "died", group.alias("group")).sort("person_id")


def _grid(study: Study) -> Grid:
    """A step more than was asked for: what is known at the end is how the step after it begins."""
    width = study.options["months"] * DAYS_A_MONTH
    return Grid.every(width, until=study.options["years"] * 365.25 + width)


def _compared(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups with a hazard ratio: all but the one that they are compared with."""
    return tuple(group for group in groups if group != _reference(groups))


def _reference(groups: tuple[str, ...]) -> str:
    return OTHERS if OTHERS in groups else groups[0]


def _step(study: Study, state: State, total: Summary | Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Summary):
        groups = tuple(sorted(parts(name)[0] for name, row in total.rows() if row["people"]))
        if not groups:
            raise NotFound(
                "following people over time",
                "nobody of the cohort has that event on a known day",
                "ask for another event",
            )
        return State(groups), False
    if isinstance(total, Both):
        terms = (
            *(f"{group} against {_reference(state.groups)}" for group in _compared(state.groups)),
            *study.options["covariates"],
        )
        newton = cox.start(terms)
        return replace(state, tables=total.one, differences=total.two, newton=newton), not terms
    assert state.newton is not None
    newton, done = cox.step(state.newton, total)
    return replace(state, newton=newton), done


def _estimate(study: Study, state: State) -> Survival:
    assert state.tables is not None
    assert state.differences is not None
    assert state.newton is not None
    starts = tuple(study.options["months"] * step for step in range(len(_grid(study).starts)))
    groups = tuple(
        SurvivalGroup(group, tuple(map(int, at_risk)), tuple(map(int, dead)))
        for group, at_risk, dead in zip(state.groups, state.tables["at_risk"], state.tables["deaths"], strict=True)
    )
    if not state.newton.terms:
        return Survival(starts, groups, (), None)
    effects = state.newton.answer().effects
    hazards = tuple(Hazard(e.term, e.ratio, e.low, e.high, e.p, e.reason) for e in effects)
    test = log_rank(state.differences, state.groups)
    return Survival(starts, groups, hazards, None if test.reason else test.p)


SURVIVAL = Rounds(_prepare, lambda _: State(), _step, _estimate)
