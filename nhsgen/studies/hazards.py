"""By how much do carriers, groups or measurements multiply the rate of death, or of another event? Cox's model, each term adjusted
for all others, and a test whether its ratio holds at all times.

A site first says how many of its people are in each group, then how many died and what their measurements add up to, then how
many lie above everybody's mean, so that the gate can tell a ratio of few people. The rounds of Cox's model follow: each site a
stratum, exact days, and sums that are no larger than for any regression. Without strata (`strata = "none"`) it is made from the
table of a survival curve alone, deaths by group and step of months, asked once: then groups are all that may be compared, for
sums of a measurement over those at risk would tell the last one's own.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import nan

import numpy as np
import numpy.typing as npt
import polars as pl

from nhsgen.errors import NotFound
from nhsgen.estimates import Hazard, Hazards
from nhsgen.statistics import BACKGROUND, Summary, cox, label, parts, proportional
from nhsgen.statistics.sums import Floats, Sums, solve
from nhsgen.statistics.survival import DAYS_A_MONTH, Grid
from nhsgen.statistics.survival import summarise as tables_of
from nhsgen.studies.design import covariate
from nhsgen.studies.follow_up import CARRYING, EVERYBODY, OTHERS, followed
from nhsgen.studies.question import Study
from nhsgen.studies.rounds import Part, Rounds
from nhsgen.studies.site import SiteData
from nhsgen.variants import VariantFilter

__all__ = ["HAZARDS", "Model", "asked_of", "found", "onward"]

_LIFE = 110 * 12
"""Months: nobody is followed for longer."""

Cell = tuple[str, ...]
Term = tuple[int, str, str]
"""Factor, level, and the level that it is compared with."""


@dataclass(frozen=True)
class Model:
    """Where Cox's model stands. months: the steps in which deaths are counted; None where neither a test nor a table is wanted.

    people: in each cell (the label of one level of each factor), over all sites. sides: of each covariate, who lies above the mean,
    and how many of them died.
    """

    covariates: tuple[str, ...]
    months: int | None = None
    stratified: bool = True
    people: Mapping[str, int] | None = None
    tables: Sums | None = None
    sides: Sums | None = None
    newton: cox.Newton | None = None
    settled: bool = False
    drift: Sums | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(parts(name) for name in sorted(self.people or ()))

    @property
    def grid(self) -> Grid:
        """Steps for a whole life."""
        assert self.months is not None
        return Grid.every(self.months * DAYS_A_MONTH, until=_LIFE * DAYS_A_MONTH)

    @property
    def compared(self) -> tuple[Term, ...]:
        """Each level against those who do not carry, or against the level of most people."""
        terms: list[Term] = []
        for factor in range(len(self.cells[0])):
            sizes: Counter[str] = Counter()
            for name, people in (self.people or {}).items():
                sizes[parts(name)[factor]] += people
            base = OTHERS if OTHERS in sizes else min(sizes, key=lambda level: (-sizes[level], level))
            terms += [(factor, level, base) for level in sorted(sizes) if level != base]
        return tuple(terms)

    @property
    def x(self) -> Floats:
        return _indicators(self.cells, self.compared)

    @property
    def terms(self) -> tuple[str, ...]:
        return (*(f"{level} against {base}" for _, level, base in self.compared), *self.covariates)

    @property
    def means(self) -> Floats:
        assert self.tables is not None
        return self.tables["values"] / max(1.0, float(self.tables["people"].sum()))


def _indicators(cells: Sequence[Cell], compared: Sequence[Term]) -> Floats:
    """Cells x terms: 1 where a cell has the level of a term."""
    told = [[float(cell[factor] == level) for factor, level, _ in compared] for cell in cells]
    return np.array(told, dtype=np.float64).reshape(len(cells), len(compared))


# -- At a site --------------------------------------------------------------------------------------------------------


def asked_of(
    people: pl.DataFrame, factors: Sequence[str], columns: Sequence[Floats]
) -> Callable[[Model], Summary | Sums]:
    """What a site's people (of `followed`) say in each round; who lacks a covariate takes no part."""
    values = np.column_stack(columns) if columns else np.empty((len(people), 0))
    whole = np.isfinite(values).all(axis=1)
    people, values = people.filter(pl.Series(whole)), values[whole]
    levels = zip(*(people[name].fill_null("").to_list() for name in factors), strict=True)
    labels = [label(level) for level in levels] if factors else [EVERYBODY] * len(people)
    enter, days, ended = (people[name].to_numpy() for name in ("enter", "days", "ended"))

    @cache
    def prepared(cells: tuple[Cell, ...], compared: tuple[Term, ...]) -> cox.People:
        x = _indicators(cells, compared)[_places(labels, cells)]
        return cox.prepare(days, ended, np.column_stack([x, values]), entry=enter)

    def ask(model: Model) -> Summary | Sums:
        if model.people is None:
            rows = {name: [number] for name, number in Counter(labels).items()}
            return Summary.from_rows(("people",), rows | {BACKGROUND: [0]})
        if model.tables is None:
            cells = [label(cell) for cell in model.cells]
            places = _places(labels, model.cells)
            counted = Sums.of(
                people=np.bincount(places, minlength=len(cells)),
                ended=np.bincount(places, weights=ended, minlength=len(cells)),
                values=values.sum(axis=0),
            )
            if model.months is None:
                return counted
            tables = tables_of(days, ended, model.grid, entry=enter, group=labels, groups=cells)
            return Sums({**tables.arrays, **counted.arrays})
        if model.sides is None:
            above = values > model.means
            return Sums.of(above=above.sum(axis=0), above_ended=(above & (ended == 1)[:, None]).sum(axis=0))
        assert model.newton is not None
        here = prepared(model.cells, model.compared)
        if not model.settled:
            return cox.summarise(here, model.newton.ask)
        return proportional.summarise(here, model.newton.beta, _shape(model))

    return ask


def _places(labels: Sequence[str], cells: Sequence[Cell]) -> npt.NDArray[np.int64]:
    number = {label(cell): place for place, cell in enumerate(cells)}
    return np.array([number[each] for each in labels], dtype=np.int64)


def _shape(model: Model) -> proportional.Shape:
    assert model.tables is not None
    return proportional.dying(model.tables, model.grid)


# -- All sites together -----------------------------------------------------------------------------------------------


def onward(model: Model, total: Summary | Sums) -> tuple[Model, bool]:
    """The model after a round, and whether that was the last."""
    if isinstance(total, Summary):
        people = {name: row["people"] for name, row in total.rows() if row["people"]}
        if not people:
            raise NotFound(
                "following people over time",
                "nobody of the cohort is followed from that start, with all covariates known",
                "ask for another event, or fewer covariates",
            )
        return replace(model, people=people), False
    if model.tables is None:
        model = replace(model, tables=total)
        if not model.stratified and model.terms:
            return _without_strata(model), True
        sides = None if model.covariates else Sums.of(above=[], above_ended=[])
        return replace(model, newton=cox.start(model.terms), sides=sides), not model.terms
    if model.sides is None:
        return replace(model, sides=total), False
    assert model.newton is not None
    if model.settled:
        return replace(model, drift=total), True
    newton, settled = cox.step(model.newton, total)
    return replace(model, newton=newton, settled=settled), settled and model.months is None


def _without_strata(model: Model) -> Model:
    """All the rounds at once: the table of deaths by group and step is all they need."""
    tables, x = model.tables, model.x
    assert tables is not None
    newton = solve(
        lambda state: cox.from_risk_sets(cox.grouped_risk_sets(tables, x, state.ask), state.ask),
        cox.step,
        cox.start(model.terms),
    )
    sets = cox.grouped_risk_sets(tables, x, newton.beta)
    drift = proportional.from_risk_sets(sets, tables["deaths"].T @ x, _shape(model))
    return replace(model, newton=newton, settled=True, drift=drift, sides=Sums.of(above=[], above_ended=[]))


def found(model: Model) -> tuple[Hazard, ...]:
    """The ratios, each with how many people are on either side of it and how many of them died."""
    if model.newton is None or not model.terms:
        return ()
    drifts: Sequence[float] = [nan] * len(model.terms)
    if model.drift is not None:
        drifts = [drift.p for drift in proportional.tests(model.drift, model.newton.used)[0]]
    effects = model.newton.answer().effects
    return tuple(
        Hazard(effect.term, effect.ratio, effect.low, effect.high, effect.p, effect.reason, drift, sides)
        for effect, drift, sides in zip(effects, drifts, _sides(model), strict=True)
    )


def _sides(model: Model) -> Iterator[tuple[tuple[int, int], ...]]:
    """Of each term, the groups of which there must be enough: both its sides, and every level of what it is adjusted for."""
    assert model.tables is not None
    factors: list[dict[str, tuple[int, int]]] = [{} for _ in model.cells[0]]
    for cell, people, ended in zip(model.cells, model.tables["people"], model.tables["ended"], strict=True):
        for levels, level in zip(factors, cell, strict=True):
            before = levels.get(level, (0, 0))
            levels[level] = before[0] + int(people), before[1] + int(ended)
    for factor, level, base in model.compared:
        others = [side for place, levels in enumerate(factors) if place != factor for side in levels.values()]
        yield factors[factor][level], factors[factor][base], *others
    assert model.sides is not None
    people, ended = int(model.tables["people"].sum()), int(model.tables["ended"].sum())
    every = [side for levels in factors for side in levels.values()]
    for above, died in zip(map(int, model.sides["above"]), map(int, model.sides["above_ended"]), strict=True):
        yield (above, died), (people - above, ended - died), *every


# -- The study --------------------------------------------------------------------------------------------------------


def _start(study: Study) -> Model:
    return Model(study.options["covariates"], study.options["months"], stratified=study.options["strata"] == "site")


def _prepare(study: Study, data: SiteData, variants: VariantFilter) -> Part:
    people = followed(study, data, variants)
    columns = [covariate(data, people, name) for name in study.options["covariates"]]
    carrying = () if study.variants is None else (CARRYING,)
    assembly = str(data.variants().assembly) if study.variants is not None else ""
    return Part(asked_of(people, (*carrying, *study.by), columns), assembly=assembly)


def _estimate(_: Study, model: Model) -> Hazards:
    assert model.people is not None
    assert model.tables is not None
    return Hazards(found(model), int(model.tables["people"].sum()), int(model.tables["ended"].sum()))


HAZARDS = Rounds(_prepare, _start, lambda _, model, total: onward(model, total), _estimate)
