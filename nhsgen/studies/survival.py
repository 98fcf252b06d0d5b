"""How long do people live after an event, or stay free of another? Curves by group, or carriers against everybody else, and hazard
ratios by Cox's model.

Time runs in days from each person's first record of the event, or from birth, to death or the other event, or to the last day on
which anything is recorded of them. Deaths are counted in steps of months on one grid for all sites; the Cox model (`hazards`) is
stratified by site and uses exact days inside each.
"""

from dataclasses import dataclass, replace

import polars as pl

from nhsgen.errors import NotFound
from nhsgen.estimates import Survival, SurvivalGroup
from nhsgen.statistics import BACKGROUND, Summary, label, parts
from nhsgen.statistics.sums import Sums
from nhsgen.statistics.survival import DAYS_A_MONTH, Grid, log_rank, summarise
from nhsgen.statistics.survival import differences as differences_of
from nhsgen.studies.design import covariate
from nhsgen.studies.follow_up import CARRYING, EVERYBODY, enters_late, followed
from nhsgen.studies.hazards import Model, asked_of, found, onward
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Both, Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["SURVIVAL"]


@dataclass(frozen=True)
class State:
    """The groups of all sites; their tables, and what the log-rank test sums; where the Cox model stands."""

    model: Model
    groups: tuple[str, ...] = ()
    tables: Sums | None = None
    differences: Sums | None = None


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    people = _grouped(study, followed(study, data, variants))
    grid = _grid(study)
    columns = [covariate(data, people, name) for name in study.options["covariates"]]
    of_model = asked_of(people, ["group"], columns)

    def ask(state: State) -> Summary | Both | Sums:
        if not state.groups:
            counted = people["group"].value_counts()
            rows = {label([group]): [number] for group, number in counted.iter_rows()}
            return Summary.from_rows(("people",), rows | {BACKGROUND: [0]})
        if state.tables is None:
            tables = summarise(
                people["days"], people["ended"], grid,
                entry=people["enter"], group=people["group"].to_list(), groups=state.groups,
            )  # fmt: skip
            return Both(tables, differences_of(tables))
        return of_model(state.model)

    return Part(ask, assembly=str(data.variants().assembly) if study.variants is not None else "")


def _grouped(study: Study, people: pl.DataFrame) -> pl.DataFrame:
    """The people and the one group that each is in."""
    if study.variants is not None:
        return people.rename({CARRYING: "group"})
    group = pl.concat_str(study.by, separator=", ") if study.by else pl.lit(EVERYBODY)
    return people.with_columns(group.alias("group"))


def _grid(study: Study) -> Grid:
    """A step more than was asked for: what is known at the end is how the step after it begins."""
    width = study.options["months"] * DAYS_A_MONTH
    return Grid.every(width, until=study.options["years"] * 365.25 + width)


def _step(study: Study, state: State, total: Summary | Both | Sums) -> tuple[State, bool]:
    if isinstance(total, Both):
        compared = len(state.groups) > 1 or bool(study.options["covariates"])
        return replace(state, tables=total.one, differences=total.two), not compared
    if state.tables is None:
        assert isinstance(total, Summary)
        groups = tuple(sorted(parts(name)[0] for name, row in total.rows() if row["people"]))
        if not groups:
            raise NotFound(
                "following people over time",
                "nobody of the cohort has that event on a known day",
                "ask for another event",
            )
        return replace(state, groups=groups), False
    model, done = onward(state.model, total)
    return replace(state, model=model), done


def _estimate(study: Study, state: State) -> Survival:
    assert state.tables is not None
    assert state.differences is not None
    starts = tuple(study.options["months"] * step for step in range(len(_grid(study).starts)))
    groups = tuple(
        SurvivalGroup(group, tuple(map(int, at_risk)), tuple(map(int, dead)))
        for group, at_risk, dead in zip(state.groups, state.tables["at_risk"], state.tables["deaths"], strict=True)
    )
    hazards = found(state.model)
    test = log_rank(state.differences, state.groups)
    p = test.p if hazards and not test.reason else None
    return Survival(starts, groups, hazards, p, enters_late(study))


SURVIVAL = Rounds(_prepare, lambda study: State(Model(study.options["covariates"])), _step, _estimate)
